//! Where a test kills a process: at one of its commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use crate::index::{Changes, Index, IndexError, KeyRange, Table};

/// An index that fails at its n-th commit from now: before it is made, or after, when nobody learns of it.
#[derive(Debug)]
pub(in crate::validator) struct Failing {
    inner: Arc<dyn Index>,
    commits_left: AtomicUsize,
    after: bool,
}

impl Failing {
    pub(in crate::validator) fn new(inner: Arc<dyn Index>, commit: usize, after: bool) -> Failing {
        Failing { inner, commits_left: AtomicUsize::new(commit), after }
    }
}

#[async_trait]
impl Index for Failing {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, IndexError> {
        self.inner.get(table, key).await
    }

    async fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, IndexError> {
        self.inner.scan(table, range, limit).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), IndexError> {
        let left =
            self.commits_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(1) if self.after => self.inner.commit(changes).await?,
            Ok(left) if left > 1 => return self.inner.commit(changes).await,
            _ => {}
        }
        let (place, reason) = ("test".to_owned(), "killed".to_owned());
        Err(IndexError::OutcomeUnknown { place, reason })
    }

    fn place(&self) -> &str {
        "test"
    }
}
