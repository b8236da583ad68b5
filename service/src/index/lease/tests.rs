use super::{Acquisition, Lease, acquire};
use crate::index::{Changes, EmbeddedIndex, Index, IndexError, Table, Work};

const MINUTE_MS: u64 = 60_000;

async fn acquired(index: &dyn Index, owner: &str, now_ms: u64) -> Lease {
    match acquire(index, "rounds", owner, now_ms, MINUTE_MS).await.expect("acquires") {
        Acquisition::Acquired(lease) => lease,
        held @ Acquisition::Held { .. } => panic!("{owner} at {now_ms}: {held:?}"),
    }
}

fn index() -> EmbeddedIndex {
    EmbeddedIndex::in_memory().expect("memory")
}

#[tokio::test]
async fn a_lease_has_one_owner_until_it_ends() {
    let index = index();
    let first = acquired(&index, "a", 1000).await;
    assert_eq!((first.fencing(), first.expires_at_ms(), first.owner()), (1, 61_000, "a"));
    let held = Acquisition::Held { owner: "a".to_owned(), expires_at_ms: 61_000 };
    assert_eq!(acquire(&index, "rounds", "b", 60_999, MINUTE_MS).await.expect("asks"), held);
    // Another name is another lease.
    let other = acquire(&index, "repair", "b", 1000, MINUTE_MS).await.expect("asks");
    assert!(matches!(other, Acquisition::Acquired(lease) if lease.fencing() == 1));
    // The end itself is no longer inside.
    assert_eq!(acquired(&index, "b", 61_000).await.fencing(), 2);
}

#[tokio::test]
async fn an_owner_that_was_restarted_does_not_wait_for_itself() {
    let index = index();
    let mut before = acquired(&index, "a", 0).await;
    let after = acquired(&index, "a", 1).await;
    assert_eq!(after.fencing(), 2);
    assert!(!before.renew(&index, 2, MINUTE_MS).await.expect("asks"), "two processes hold one lease");
}

#[tokio::test]
async fn renewals_prolong_and_never_shorten() {
    let index = index();
    let mut lease = acquired(&index, "a", 0).await;
    assert!(lease.renew(&index, 30_000, MINUTE_MS).await.expect("renews"));
    assert_eq!(lease.expires_at_ms(), 90_000);
    // A clock that was set back must not end it early.
    assert!(lease.renew(&index, 0, MINUTE_MS).await.expect("renews"));
    assert_eq!(lease.expires_at_ms(), 90_000);
    let asked = acquire(&index, "rounds", "b", 89_999, MINUTE_MS).await.expect("asks");
    assert!(matches!(asked, Acquisition::Held { expires_at_ms: 90_000, .. }), "{asked:?}");
    // Ended, but nobody took it.
    assert!(lease.renew(&index, 200_000, MINUTE_MS).await.expect("renews"));
    let asked = acquire(&index, "rounds", "b", 200_001, MINUTE_MS).await.expect("asks");
    assert!(matches!(asked, Acquisition::Held { .. }), "{asked:?}");
}

#[tokio::test]
async fn a_released_lease_is_free_and_its_numbers_go_on() {
    let index = index();
    acquired(&index, "a", 0).await.release(&index).await.expect("releases");
    let second = acquired(&index, "b", 1).await;
    assert_eq!(second.fencing(), 2);
    // The former owner releases late: the new one keeps it.
    let stale = Lease { owner: "a".to_owned(), fencing: 1, ..second.clone() };
    stale.release(&index).await.expect("releases nothing");
    let work = Work::new(&index);
    assert!(second.is_held(&work).await.expect("asks"));
}

#[tokio::test]
async fn what_is_guarded_is_refused_after_a_take_over() {
    let index = index();
    let mut old = acquired(&index, "a", 0).await;
    let guarded = |lease: &Lease, value: &'static str| {
        let mut changes = Changes::new();
        lease.guard(&mut changes).expect("encodes");
        changes.put(Table::Rounds, "round", value);
        changes
    };
    index.commit(guarded(&old, "by a")).await.expect("a has it");
    // A commit that was prepared before a renewal goes through after it.
    let prepared = guarded(&old, "by a again");
    assert!(old.renew(&index, 1, MINUTE_MS).await.expect("renews"));
    index.commit(prepared).await.expect("a has it still");

    // The old owner's clock stands still; it does not know that it lost the lease.
    let new = acquired(&index, "b", 2 * MINUTE_MS).await;
    let refused = index.commit(guarded(&old, "by a, late")).await;
    assert!(matches!(refused, Err(IndexError::Conflict { table: Table::Leases, .. })), "{refused:?}");
    let work = Work::new(&index);
    assert!(!old.is_held(&work).await.expect("asks"));
    assert_eq!(index.get(Table::Rounds, b"round").await.expect("reads").as_deref(), Some(&b"by a again"[..]));
    index.commit(guarded(&new, "by b")).await.expect("b has it");
}

#[tokio::test]
async fn work_done_under_a_lease_is_refused_if_it_is_lost_meanwhile() {
    let index = index();
    let old = acquired(&index, "a", 0).await;
    let work = Work::new(&index);
    assert!(old.is_held(&work).await.expect("asks"));
    acquired(&index, "b", 2 * MINUTE_MS).await;
    work.put(Table::Rounds, "round", "by a");
    assert!(matches!(work.commit().await, Err(IndexError::Conflict { .. })));
    assert_eq!(index.get(Table::Rounds, b"round").await.expect("reads"), None);
}
