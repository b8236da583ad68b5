//! A chain and an index whose calls are counted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::recorder::Recorder;
use holdfast_engine::signature::Signer;
use tokio::sync::watch;

use super::metrics::Metrics;
use crate::chain::{Chain, ChainError, Head, Inclusion, Metagraph, WeightsSet};
use crate::index::{Changes, Index, IndexError, KeyRange, Table};

/// The chain, with failures of its calls counted. Those of its recorder are not.
#[derive(Debug)]
pub struct CountedChain {
    chain: Arc<dyn Chain>,
    metrics: Arc<Metrics>,
}

impl CountedChain {
    /// In place of this chain.
    pub fn over(chain: Arc<dyn Chain>, metrics: &Arc<Metrics>) -> Arc<dyn Chain> {
        Arc::new(CountedChain { chain, metrics: Arc::clone(metrics) })
    }

    fn count<T>(&self, called: Result<T, ChainError>) -> Result<T, ChainError> {
        if called.is_err() {
            self.metrics.chain_failures.inc();
        }
        called
    }
}

#[async_trait]
impl Chain for CountedChain {
    fn recorder(&self) -> Arc<dyn Recorder> {
        self.chain.recorder()
    }

    async fn head(&self) -> Result<Head, ChainError> {
        self.count(self.chain.head().await)
    }

    async fn block_hash(&self, height: u64) -> Result<Option<[u8; 32]>, ChainError> {
        self.count(self.chain.block_hash(height).await)
    }

    async fn metagraph(&self) -> Result<Metagraph, ChainError> {
        self.count(self.chain.metagraph().await)
    }

    async fn announce(&self, hotkey: &Signer, endpoint: SocketAddr) -> Result<Inclusion, ChainError> {
        self.count(self.chain.announce(hotkey, endpoint).await)
    }

    async fn set_weights(
        &self,
        validator: &Signer,
        weights: &[(u16, u16)],
        metagraph_height: u64,
    ) -> Result<Inclusion, ChainError> {
        self.count(self.chain.set_weights(validator, weights, metagraph_height).await)
    }

    async fn weights(&self, validator: &Account) -> Result<Option<WeightsSet>, ChainError> {
        self.count(self.chain.weights(validator).await)
    }

    fn heads(&self) -> watch::Receiver<Head> {
        self.chain.heads()
    }
}

/// The index, with its commits counted and timed. A conflict is no failure.
#[derive(Debug)]
pub struct CountedIndex {
    index: Arc<dyn Index>,
    metrics: Arc<Metrics>,
}

impl CountedIndex {
    /// In place of this index.
    pub fn over(index: Arc<dyn Index>, metrics: &Arc<Metrics>) -> Arc<dyn Index> {
        Arc::new(CountedIndex { index, metrics: Arc::clone(metrics) })
    }

    fn count<T>(&self, called: Result<T, IndexError>) -> Result<T, IndexError> {
        called.inspect_err(|error| {
            if !matches!(error, IndexError::Conflict { .. }) {
                self.metrics.index_failures.inc();
            }
        })
    }
}

#[async_trait]
impl Index for CountedIndex {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, IndexError> {
        self.count(self.index.get(table, key).await)
    }

    async fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, IndexError> {
        self.count(self.index.scan(table, range, limit).await)
    }

    async fn commit(&self, changes: Changes) -> Result<(), IndexError> {
        let began = Instant::now();
        let committed = self.count(self.index.commit(changes).await);
        if committed.is_ok() {
            self.metrics.index_commits.inc();
            self.metrics.index_commit_seconds.observe(began.elapsed().as_secs_f64());
        }
        committed
    }

    fn place(&self) -> &str {
        self.index.place()
    }
}
