//! Workers that commit to a server while somebody is at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use holdfast_service::index::{IndexError, PostgresIndex, PostgresSettings};
use tokio::task::JoinSet;

use crate::numbered::{self, WORKERS};

/// What a worker was told, and what happened to it.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) acknowledged: AtomicU64,
    pub(crate) unknown: AtomicU64,
}

/// Commits until told to stop. A commit whose outcome is unknown is looked up.
async fn work(index: Arc<PostgresIndex>, worker: u8, stop: Arc<AtomicBool>, tally: Arc<Tally>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        match numbered::commit(&*index, worker, number).await {
            Ok(()) => {}
            Err(IndexError::OutcomeUnknown { .. }) => {
                tally.unknown.fetch_add(1, Ordering::Relaxed);
                let there = numbered::check(&*index, worker, number).await;
                if there == number {
                    continue;
                }
            }
            Err(error) => panic!("{error}"),
        }
        number += 1;
        tally.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(numbered::check(&*index, worker, number).await, number);
}

/// Runs workers on handles of their own while `disturb` is at it.
pub(crate) async fn disturbed(
    settings: impl Fn() -> PostgresSettings,
    disturb: impl AsyncFnOnce(&Tally),
) -> Arc<Tally> {
    let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Tally::default()));
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let index = Arc::new(PostgresIndex::connect(settings()).await.expect("connects"));
        workers.spawn(work(index, worker, Arc::clone(&stop), Arc::clone(&tally)));
    }
    tokio::select! {
        () = disturb(&tally) => {}
        // Only a worker that found something wrong ends by itself.
        ended = workers.join_next() => panic!("a worker ended: {ended:?}"),
    }
    stop.store(true, Ordering::Relaxed);
    workers.join_all().await;
    tally
}

/// Until so many more commits are acknowledged.
pub(crate) async fn progress(tally: &Tally, commits: u64) {
    let goal = tally.acknowledged.load(Ordering::Relaxed) + commits;
    while tally.acknowledged.load(Ordering::Relaxed) < goal {
        tokio::task::yield_now().await;
    }
}
