//! Disk space promised to what is being written, so that writers side by side stay within the budget.

use super::{ObjectStore, ObjectStoreError, State};

/// A promise of disk space; what is not used of it is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    store: &'a ObjectStore,
    bytes: u64,
}

impl<'a> Reservation<'a> {
    pub(super) fn new(store: &'a ObjectStore) -> Self {
        Self { store, bytes: 0 }
    }

    /// Makes the promise one of `bytes` at least.
    pub(super) fn grow_to(&mut self, bytes: u64) -> Result<(), ObjectStoreError> {
        let needed_bytes = bytes.saturating_sub(self.bytes);
        if needed_bytes == 0 {
            return Ok(());
        }
        let mut state = self.store.change()?;
        let free_bytes = state.free_bytes();
        if needed_bytes > free_bytes {
            let State { budget_bytes, window_bytes, .. } = *state;
            return Err(ObjectStoreError::Full { needed_bytes, free_bytes, budget_bytes, window_bytes });
        }
        state.reserved_bytes += needed_bytes;
        self.bytes += needed_bytes;
        Ok(())
    }

    /// The promise ends, because its bytes are counted otherwise from now on.
    pub(super) fn settle(&mut self, state: &mut State) {
        state.reserved_bytes = state.reserved_bytes.saturating_sub(self.bytes);
        self.bytes = 0;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Ok(mut state) = self.store.state.lock() {
            self.settle(&mut state);
        }
    }
}
