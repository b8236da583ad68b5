//! An index that counts what is written to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use crate::index::{Changes, Index, IndexError, KeyRange, Table};

#[derive(Debug)]
pub(super) struct CountedWrites {
    index: Arc<dyn Index>,
    written: AtomicUsize,
}

impl CountedWrites {
    pub(super) fn over(index: &Arc<dyn Index>) -> CountedWrites {
        CountedWrites { index: Arc::clone(index), written: AtomicUsize::new(0) }
    }

    /// How many keys were written since it was asked last.
    pub(super) fn take(&self) -> usize {
        self.written.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl Index for CountedWrites {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, IndexError> {
        self.index.get(table, key).await
    }

    async fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, IndexError> {
        self.index.scan(table, range, limit).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), IndexError> {
        self.written.fetch_add(changes.writes().count(), Ordering::Relaxed);
        self.index.commit(changes).await
    }

    fn place(&self) -> &str {
        self.index.place()
    }
}
