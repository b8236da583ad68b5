//! Turns at the processor and the disks. Under load each caller gets them in proportion to its weight, and nobody starves:
//! start-time fair queueing, where a caller's next turn comes 1/weight after its last one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_engine::account::Account;
use tokio::sync::oneshot;

use crate::miner::MinerError;

/// A turn of weight 1 lasts this long in virtual time.
const UNIT: u64 = 1 << 32;

/// A number of turns that may be had at once.
#[derive(Debug)]
pub(in crate::miner) struct Slots {
    state: Mutex<State>,
    queue: usize,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// The tag of the last turn that began.
    now: u64,
    /// Where each caller's last turn ends in virtual time; callers behind `now` are forgotten.
    ends: HashMap<Account, u64>,
    waiting: BTreeMap<(u64, u64), (Account, oneshot::Sender<Slot>)>,
    number: u64,
}

/// A turn; over when it is dropped.
#[derive(Debug)]
pub(in crate::miner) struct Slot(Arc<Slots>);

impl Slots {
    /// So many turns at once, and so many callers that may wait for one.
    pub(in crate::miner) fn new(turns: usize, queue: usize) -> Slots {
        let state = State { free: turns, now: 0, ends: HashMap::new(), waiting: BTreeMap::new(), number: 0 };
        Slots { state: Mutex::new(state), queue }
    }

    /// Waits for a turn. `weight`: what the caller counts, such as its stake in whole tokens.
    ///
    /// # Errors
    /// Too many wait already, and nobody else has more turns among them: else one of theirs gives way.
    pub(in crate::miner) async fn turn(
        self: &Arc<Slots>,
        caller: Account,
        weight: u64,
    ) -> Result<Slot, MinerError> {
        let receiver = {
            let mut state = self.lock();
            let start = state.start(caller, weight);
            if state.free > 0 {
                state.free -= 1;
                state.begin(start);
                return Ok(Slot(Arc::clone(self)));
            }
            if state.waiting.len() >= self.queue && !state.make_way(&caller) {
                return Err(MinerError::busy(format!("{} requests wait already", self.queue)));
            }
            let (sender, receiver) = oneshot::channel();
            let number = state.number;
            state.number += 1;
            state.waiting.insert((start, number), (caller, sender));
            receiver
        };
        receiver
            .await
            .map_err(|_| MinerError::busy("too many requests wait, most of them of this validator's"))
    }

    /// Hands a turn on, or keeps it. A slot that nobody receives comes here again as it is dropped, with the lock free.
    fn release(self: &Arc<Slots>) {
        let next = {
            let mut state = self.lock();
            match state.waiting.pop_first() {
                Some(((start, _), (_, sender))) => {
                    state.begin(start);
                    Some(sender)
                }
                None => {
                    state.free += 1;
                    None
                }
            }
        };
        if let Some(sender) = next {
            drop(sender.send(Slot(Arc::clone(self))));
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Where the caller's next turn stands in virtual time.
    fn start(&mut self, caller: Account, weight: u64) -> u64 {
        let now = self.now;
        let start = self.ends.get(&caller).copied().unwrap_or_default().max(now);
        self.ends.insert(caller, start.saturating_add((UNIT / weight.max(1)).max(1)));
        start
    }

    /// Ends the last turn of whoever waits for most, unless that is the caller. Else one caller could fill the queue.
    fn make_way(&mut self, caller: &Account) -> bool {
        let mut counts: HashMap<Account, usize> = HashMap::new();
        self.waiting.values().for_each(|(account, _)| *counts.entry(*account).or_default() += 1);
        let own = counts.get(caller).copied().unwrap_or_default();
        let Some((greediest, most)) = counts.into_iter().max_by_key(|(_, count)| *count) else {
            return false;
        };
        // Whoever has one more than the caller would have is not greedier.
        if most <= own + 1 {
            return false;
        }
        let last = self.waiting.iter().rev().find(|(_, (account, _))| *account == greediest);
        let last = last.map(|(place, _)| *place);
        last.and_then(|place| self.waiting.remove(&place)).is_some()
    }

    fn begin(&mut self, start: u64) {
        if start > self.now {
            self.now = start;
            self.ends.retain(|_, end| *end > start);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.release();
    }
}
