//! What many tasks and handles do at once.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_service::index::lease::{Acquisition, acquire};
use holdfast_service::index::{Changes, Index, IndexError, Table, TypedTable, Work, transact};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::stores::{Store, entries};

const COUNTERS: TypedTable<String, u64> = TypedTable::new(Table::Settings);

async fn increment(index: &dyn Index, name: &str) -> Result<u64, IndexError> {
    transact(index, |work| async move {
        let count = COUNTERS.read(&work, &name.to_owned()).await?.unwrap_or(0) + 1;
        COUNTERS.write(&work, &name.to_owned(), &count)?;
        Ok(count)
    })
    .await
}

pub(crate) async fn increments_of_many_handles_are_all_counted(store: &Store) {
    const TASKS: u64 = 12;
    const INCREMENTS: u64 = 15;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let index = store.another().await;
        tasks.spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..INCREMENTS {
                increment(&*index, &format!("own {task}")).await.expect("counts");
                seen.push(increment(&*index, "shared").await.expect("counts"));
            }
            seen
        });
    }
    let mut seen: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    seen.sort_unstable();
    // Each count was handed out once: a lost update would repeat one.
    assert_eq!(seen, (1..=TASKS * INCREMENTS).collect::<Vec<u64>>());
    for task in 0..TASKS {
        let count = COUNTERS.get(store.index(), &format!("own {task}")).await.expect("reads");
        assert_eq!(count, Some(INCREMENTS));
    }
}

/// Each writes a key of its own after it saw that the other's is missing, so no two writes meet: only checks of what is
/// *not* there make one of them fail. Databases below serialisable isolation let both through.
pub(crate) async fn decisions_that_rest_on_absent_keys_are_not_made_twice(store: &Store) {
    let (left, right) = (store.another().await, store.another().await);
    for round in 0..30 {
        let barrier = Arc::new(Barrier::new(2));
        let decide = |index: Arc<dyn Index>, ours: String, theirs: String| {
            let barrier = Arc::clone(&barrier);
            async move {
                let work = Work::new(&*index);
                let taken = work.get(Table::Tickets, theirs.as_bytes()).await.expect("reads").is_some();
                assert!(!taken, "nobody wrote yet");
                barrier.wait().await;
                work.put(Table::Tickets, ours, "");
                work.commit().await
            }
        };
        let (a, b) = (format!("{round} left"), format!("{round} right"));
        let left = tokio::spawn(decide(Arc::clone(&left), a.clone(), b.clone()));
        let right = tokio::spawn(decide(Arc::clone(&right), b, a));
        let outcomes = [left.await.expect("ends"), right.await.expect("ends")];
        let conflicts = outcomes.iter().filter(|outcome| matches!(outcome, Err(IndexError::Conflict { .. })));
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!((done, conflicts.count()), (1, 1), "round {round}: {outcomes:?}");
        assert_eq!(entries(store.index(), Table::Tickets).await.len(), round + 1);
    }
}

/// Futures are dropped wherever a caller stops waiting: between sending and answer, with a connection in use.
pub(crate) async fn commits_that_are_abandoned_are_whole_or_not_at_all(store: &Store) {
    let index = store.another().await;
    for number in 0..60_u32 {
        let mut changes = Changes::new();
        for table in [Table::Files, Table::Pieces] {
            changes.put(table, "key", number.to_be_bytes().to_vec());
        }
        let commit = tokio::spawn({
            let index = Arc::clone(&index);
            async move { index.commit(changes).await }
        });
        // Aborted after a different number of turns of the scheduler.
        for _ in 0..number {
            tokio::task::yield_now().await;
        }
        commit.abort();
        match commit.await {
            Ok(outcome) => outcome.expect("commits"),
            Err(cancelled) => assert!(cancelled.is_cancelled()),
        }
        let work = Work::new(&*index);
        let file = work.get(Table::Files, b"key").await.expect("reads");
        let piece = work.get(Table::Pieces, b"key").await.expect("reads");
        match work.commit().await {
            Ok(()) => assert_eq!(file, piece, "{number}"),
            // The abandoned commit came between the two reads, which says nothing.
            Err(IndexError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    // The handle is as good as before.
    let mut changes = Changes::new();
    changes.put(Table::Files, "key", "last");
    index.commit(changes).await.expect("commits");
    assert_eq!(index.get(Table::Files, b"key").await.expect("reads").as_deref(), Some(&b"last"[..]));
}

pub(crate) async fn work_is_done_over_after_a_conflict_and_not_after_its_own_error(store: &Store) {
    #[derive(Debug)]
    enum Refusal {
        Index(IndexError),
        Own,
    }
    impl From<IndexError> for Refusal {
        fn from(error: IndexError) -> Refusal {
            Refusal::Index(error)
        }
    }
    let index = store.index();
    let mut attempts = 0;
    let total = transact(index, |work| {
        attempts += 1;
        let first = attempts == 1;
        async move {
            let before = COUNTERS.read(&work, &"total".to_owned()).await?.unwrap_or(0);
            if first {
                // Somebody else is quicker.
                increment(index, "total").await?;
            }
            COUNTERS.write(&work, &"total".to_owned(), &(before + 10))?;
            // A work sees its own writes.
            assert_eq!(COUNTERS.read(&work, &"total".to_owned()).await?, Some(before + 10));
            Ok::<u64, IndexError>(before + 10)
        }
    });
    assert_eq!((total.await.expect("done"), attempts), (11, 2));

    let mut attempts = 0;
    let outcome = transact(index, |work| {
        attempts += 1;
        async move {
            COUNTERS.write(&work, &"total".to_owned(), &0)?;
            Err::<(), Refusal>(Refusal::Own)
        }
    });
    assert!(matches!(outcome.await, Err(Refusal::Own)));
    assert_eq!(attempts, 1);
    assert_eq!(COUNTERS.get(index, &"total".to_owned()).await.expect("reads"), Some(11));

    // What can never be is given up.
    let outcome = transact(index, |work| async move {
        COUNTERS.read(&work, &"total".to_owned()).await?;
        increment(index, "total").await?;
        Ok::<(), Refusal>(())
    });
    match outcome.await {
        Err(Refusal::Index(IndexError::Contended { attempts, .. })) => {
            assert_eq!(attempts, holdfast_service::index::ATTEMPTS_MAX);
        }
        outcome => panic!("{outcome:?}"),
    }
}

/// Two values that are always equal are read with a change in between. The attempt finds the index damaged, which it is not.
pub(crate) async fn an_error_that_came_of_reads_of_two_moments_is_not_believed(store: &Store) {
    let index = store.index();
    let set_both = async |value: &'static str| {
        let mut changes = Changes::new();
        changes.put(Table::Files, "a", value).put(Table::Files, "b", value);
        index.commit(changes).await
    };
    set_both("1").await.expect("commits");
    let (mut attempts, set_both) = (0, &set_both);
    let read = transact(index, |work| {
        attempts += 1;
        let first = attempts == 1;
        async move {
            let a = work.get(Table::Files, b"a").await?;
            if first {
                set_both("2").await?;
            }
            let b = work.get(Table::Files, b"b").await?;
            if a != b {
                let reason = "a and b differ".to_owned();
                return Err(IndexError::Damaged { table: Table::Files, key: Bytes::new(), reason });
            }
            Ok(a)
        }
    });
    assert_eq!(read.await.expect("reads").as_deref(), Some(&b"2"[..]));
    assert_eq!(attempts, 2);
}

pub(crate) async fn one_of_many_gets_a_lease(store: &Store) {
    const OWNERS: u64 = 6;
    for round in 0..5 {
        // Each round begins when the lease of the last has ended.
        let now_ms = 1000 * round;
        let mut owners = JoinSet::new();
        for owner in 0..OWNERS {
            let index = store.another().await;
            owners.spawn(async move {
                acquire(&*index, "rounds", &format!("owner {round} {owner}"), now_ms, 1000)
                    .await
                    .expect("asks")
            });
        }
        let outcomes = owners.join_all().await;
        let leases: Vec<_> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Acquisition::Acquired(lease) => Some((lease.fencing(), lease.owner().to_owned())),
                Acquisition::Held { .. } => None,
            })
            .collect();
        assert_eq!(leases.len(), 1, "{outcomes:?}");
        assert_eq!(leases[0].0, round + 1);
        for outcome in outcomes {
            if let Acquisition::Held { owner, expires_at_ms } = outcome {
                assert_eq!((owner, expires_at_ms), (leases[0].1.clone(), now_ms + 1000));
            }
        }
    }
}
