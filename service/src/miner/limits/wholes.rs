//! Reads of whole objects, which a sealed token asks for: an object once in a while for each who may ask, a token once, and few at a time,
//! so that nobody has a miner read its disks for nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::rejection::Class;
use holdfast_partition::objects::ObjectName;
use tokio::time::Instant;

use super::{Slot, Slots};
use crate::miner::MinerError;

/// Objects that are remembered while there is room; more only as long as they rest.
const OBJECTS_MAX: usize = 1 << 16;
/// Tokens of one object that are remembered, the latest ones.
const TOKENS_MAX: usize = 1 << 10;

/// Who asks for which object of whose share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::miner) struct WholeKey {
    pub(in crate::miner) caller: Account,
    /// The validator of the share that it lies in.
    pub(in crate::miner) validator: Account,
    pub(in crate::miner) object: ObjectName,
}

#[derive(Debug)]
struct Reads {
    last: Instant,
    /// Numbers of tokens whose keys were shown, the latest last.
    tokens: VecDeque<u64>,
}

/// What was read as a whole, and who waits for it.
#[derive(Debug)]
pub(in crate::miner) struct Wholes {
    reads: Mutex<HashMap<WholeKey, Reads>>,
    slots: Arc<Slots>,
    pause: Duration,
}

impl Wholes {
    /// So many at once, so many that wait, and so long from one read of an object to the next.
    pub(in crate::miner) fn new(at_once: usize, queue: usize, pause: Duration) -> Wholes {
        let slots = Arc::new(Slots::new(at_once.max(1), queue));
        Wholes { reads: Mutex::default(), slots, pause }
    }

    /// Takes the read that a token stands for; it is gone whatever comes of it.
    ///
    /// # Errors
    /// `wrong-challenge` if the token was shown before; busy if the object was read a moment ago.
    pub(in crate::miner) fn take(&self, key: WholeKey, token: u64, now: Instant) -> Result<(), MinerError> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if reads.len() >= OBJECTS_MAX {
            reads.retain(|_, before| now.saturating_duration_since(before.last) < self.pause);
        }
        if let Some(before) = reads.get(&key) {
            if before.tokens.contains(&token) {
                let detail = format!("the key of token {token} was shown before, and proves nothing again");
                return Err(Class::WrongChallenge.because(detail).into());
            }
            let rested = now.saturating_duration_since(before.last);
            if rested < self.pause {
                let left = (self.pause - rested).as_secs();
                let name = key.object;
                return Err(MinerError::busy(format!(
                    "all of {name} was read a while ago; again in {left} s"
                )));
            }
        }
        let read = reads.entry(key).or_insert_with(|| Reads { last: now, tokens: VecDeque::new() });
        read.last = now;
        read.tokens.push_back(token);
        if read.tokens.len() > TOKENS_MAX {
            read.tokens.pop_front();
        }
        Ok(())
    }

    /// Waits until it may be read. Whoever waits for many objects holds up nobody who waits for one.
    ///
    /// # Errors
    /// Too many wait.
    pub(in crate::miner) async fn turn(&self, caller: Account) -> Result<Slot, MinerError> {
        self.slots.turn(caller, 1).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(3600);

    fn key(caller: u8, object: u8) -> WholeKey {
        let [caller, validator] = [caller, 9].map(|seed| Account([seed; 32]));
        WholeKey { caller, validator, object: ObjectName([object; 32]) }
    }

    /// An owner who has made a thousand tokens could otherwise have a disk read a thousand times at once.
    #[test]
    fn an_object_is_read_once_in_a_while_and_a_token_once() {
        let wholes = Wholes::new(1, 4, PAUSE);
        let start = Instant::now();
        let take = |key, token, after: Duration| wholes.take(key, token, start + after);
        take(key(1, 1), 0, Duration::ZERO).expect("the first");
        let soon = take(key(1, 1), 1, PAUSE - Duration::from_secs(1)).expect_err("too soon");
        assert!(soon.to_string().contains("again in 1 s"), "{soon}");
        let again = take(key(1, 1), 0, PAUSE).expect_err("the same token");
        assert!(matches!(again, MinerError::Rejected(_)), "{again}");
        take(key(1, 1), 1, PAUSE).expect("another one, an hour later");
        take(key(1, 2), 0, Duration::ZERO).expect("another object");
        take(key(2, 1), 0, Duration::ZERO).expect("who else may ask has an allowance of its own");
    }

    /// Numbers may be shown in any order, and what is remembered is what was shown last.
    #[test]
    fn the_tokens_that_were_shown_last_are_remembered() {
        let wholes = Wholes::new(1, 4, PAUSE);
        let start = Instant::now();
        let first = TOKENS_MAX as u64 + 7;
        for (read, token) in (0..).zip((0..=first).rev()) {
            wholes.take(key(1, 1), token, start + PAUSE * read).expect("a token of its own");
        }
        let later = start + PAUSE * u32::try_from(first + 1).expect("few");
        wholes.take(key(1, 1), 0, later).expect_err("shown a read ago");
        wholes.take(key(1, 1), first, later).expect("shown longest ago, and forgotten");
    }

    /// A pause beyond all time is one that never ends.
    #[test]
    fn a_pause_without_end_ends_nothing_else() {
        let wholes = Wholes::new(1, 4, Duration::MAX);
        for object in 0..=OBJECTS_MAX {
            let mut root = [0; 32];
            root[..8].copy_from_slice(&object.to_le_bytes());
            let key = WholeKey { object: ObjectName(root), ..key(1, 1) };
            wholes.take(key, 0, Instant::now()).expect("another object");
        }
        wholes.take(key(1, 0), 1, Instant::now()).expect_err("read before");
    }
}
