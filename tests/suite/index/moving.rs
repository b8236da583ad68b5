//! An index moves to another place.

use holdfast_service::index::{self, Changes, Copied, EmbeddedIndex, Index, IndexError, Table, copy};

use crate::stores::{Store, entries};

/// Some entries in every table, more than a page in one, more than a commit's bytes in another.
async fn fill(index: &dyn Index) -> Copied {
    let mut expected = Copied::default();
    let mut put = async |table, key: Vec<u8>, value: Vec<u8>| {
        expected.entries += 1;
        expected.bytes += (key.len() + value.len()) as u64;
        let mut changes = Changes::new();
        changes.put(table, key, value);
        index.commit(changes).await.expect("commits");
    };
    for table in Table::ALL {
        put(table, b"".to_vec(), table.name().as_bytes().to_vec()).await;
        put(table, b"\xff\0".to_vec(), b"".to_vec()).await;
    }
    for number in 0..5_u8 {
        put(Table::Files, vec![number], vec![number; 3 << 20]).await;
    }
    let mut changes = Changes::new();
    for number in 0..2500_u16 {
        changes.put(Table::Pieces, number.to_be_bytes().to_vec(), "piece");
        expected.entries += 1;
        expected.bytes += 2 + 5;
    }
    index.commit(changes).await.expect("commits");
    expected
}

pub(crate) async fn a_copy_is_equal_and_goes_into_an_empty_index_only(store: &Store) {
    let original = EmbeddedIndex::in_memory().expect("memory");
    let expected = fill(&original).await;
    assert_eq!(copy(&original, store.index()).await.expect("copies"), expected);
    let back = EmbeddedIndex::in_memory().expect("memory");
    assert_eq!(copy(store.index(), &back).await.expect("copies"), expected);
    for table in Table::ALL {
        let there = entries(store.index(), table).await;
        assert!(there == entries(&original, table).await, "{table}");
        assert!(there == entries(&back, table).await, "{table}");
    }
    // Nothing is mixed.
    let refused = copy(&original, store.index()).await;
    assert!(matches!(refused, Err(IndexError::Foreign { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_copy_that_was_cut_off_is_not_taken_for_an_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("index");
    let location = path.to_str().expect("UTF-8");
    let original = EmbeddedIndex::in_memory().expect("memory");
    fill(&original).await;
    let target = index::open(location).await.expect("opens");
    // Cut off wherever the task is when this one has had its first turns.
    {
        let copying = copy(&original, &*target);
        tokio::pin!(copying);
        while entries(&*target, Table::Files).await.is_empty() {
            tokio::select! {
                biased;
                copied = &mut copying => panic!("it was done at once: {copied:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    drop(target);
    let refused = index::open(location).await;
    assert!(
        matches!(&refused, Err(IndexError::Foreign { reason, .. }) if reason.contains("not finished")),
        "{refused:?}"
    );
    std::fs::remove_file(&path).expect("removes");
    let target = index::open(location).await.expect("opens");
    copy(&original, &*target).await.expect("copies");
    drop(target);
    index::open(location).await.expect("opens");
}
