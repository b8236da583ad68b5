//! Streams of large answers that are open at once: each holds what it has still to send, and a caller that takes little at a time
//! keeps one open for long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::account::Account;

use crate::miner::MinerError;

/// Those of one caller: a validator has the samples of a round or two, and seal audits that last for hours.
const PER_CALLER: usize = 16;

/// The streams that are open, by caller.
#[derive(Debug, Default)]
pub(in crate::miner) struct Streams(Mutex<HashMap<Account, usize>>);

/// A stream that is open until this is dropped.
#[derive(Debug)]
pub(in crate::miner) struct OpenStream {
    caller: Account,
    streams: Arc<Streams>,
}

impl Streams {
    /// Opens one for a caller.
    ///
    /// # Errors
    /// Busy: the caller has too many open.
    pub(in crate::miner) fn open(self: &Arc<Streams>, caller: Account) -> Result<OpenStream, MinerError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(caller).or_default();
        if *count >= PER_CALLER {
            return Err(MinerError::busy(format!("more than {PER_CALLER} answers of one caller under way")));
        }
        *count += 1;
        Ok(OpenStream { caller, streams: Arc::clone(self) })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.caller) {
            Some(count @ 2..) => *count -= 1,
            _ => drop(open.remove(&self.caller)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_takes_no_answers_holds_a_few_of_them() {
        let streams = Arc::new(Streams::default());
        let [one, two] = [Account([1; 32]), Account([2; 32])];
        let mut open: Vec<_> = (0..PER_CALLER).map(|_| streams.open(one).unwrap()).collect();
        assert!(streams.open(one).is_err());
        assert!(streams.open(two).is_ok(), "others are not concerned");
        open.pop();
        assert!(streams.open(one).is_ok());
        drop(open);
        assert!(streams.0.lock().unwrap().is_empty());
    }
}
