//! What can happen to a file.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use holdfast_service::index::{Changes, EmbeddedIndex, EmbeddedSettings, Index, IndexError, Table};
use redb::{Database, TableDefinition};

use crate::stores::entries;

async fn open(path: &Path) -> Result<EmbeddedIndex, IndexError> {
    EmbeddedIndex::open(path, EmbeddedSettings::default()).await
}

#[tokio::test]
async fn a_file_has_one_handle() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("index");
    let first = open(&path).await.expect("opens");
    let second = open(&path).await;
    match second {
        Err(error @ IndexError::Locked { .. }) => {
            assert!(error.to_string().contains("in use by another process"), "{error}");
        }
        outcome => panic!("{outcome:?}"),
    }
    drop(first);
    open(&path).await.expect("opens once it is closed");
}

#[tokio::test]
async fn a_new_file_leaves_nothing_else_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = open(&folder.path().join("index")).await.expect("opens");
    let mut changes = Changes::new();
    changes.put(Table::Files, "key", "value");
    index.commit(changes).await.expect("commits");
    drop(index);
    let names: Vec<_> = fs::read_dir(folder.path())
        .expect("reads")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["index"]);
    // What is in it is nobody else's business.
    let mode = fs::metadata(folder.path().join("index")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // What a process that was killed while making one left does no harm.
    fs::write(folder.path().join(".index-x.new"), "half").expect("writes");
    let index = open(&folder.path().join("index")).await.expect("opens");
    assert_eq!(entries(&index, Table::Files).await, [(b"key".to_vec(), b"value".to_vec())]);
}

#[tokio::test]
async fn many_that_make_the_same_file_make_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("index");
    let mut openings = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let path = path.clone();
        openings.spawn(async move { open(&path).await });
    }
    // One keeps it; the others are told that it is in use. Nobody's file replaces another's.
    let outcomes = openings.join_all().await;
    let opened = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let locked = outcomes.iter().filter(|outcome| matches!(outcome, Err(IndexError::Locked { .. }))).count();
    assert_eq!((opened, locked), (1, 7), "{outcomes:?}");
}

#[tokio::test]
async fn files_of_others_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    for bytes in [&b""[..], b"a letter to somebody", &[0; 10_000]] {
        fs::write(&path, bytes).expect("writes");
        let outcome = open(&path).await;
        assert!(matches!(outcome, Err(IndexError::Foreign { .. })), "{outcome:?}");
        assert_eq!(fs::read(&path).expect("reads"), bytes);
    }
    // Another program's database of the same make.
    let path = folder.path().join("other");
    let theirs = TableDefinition::<&str, u64>::new("theirs");
    let database = Database::create(&path).expect("creates");
    let transaction = database.begin_write().expect("begins");
    transaction.open_table(theirs).expect("opens").insert("a", 1).expect("inserts");
    transaction.commit().expect("commits");
    drop(database);
    let outcome = open(&path).await;
    assert!(matches!(outcome, Err(IndexError::Foreign { .. })), "{outcome:?}");
}

#[tokio::test]
async fn another_format_is_refused_with_its_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("index");
    drop(open(&path).await.expect("opens"));
    let database = Database::open(&path).expect("opens");
    let transaction = database.begin_write().expect("begins");
    let format = TableDefinition::<&str, u64>::new("holdfast-index");
    transaction.open_table(format).expect("opens").insert("format", 7).expect("inserts");
    transaction.commit().expect("commits");
    drop(database);
    let outcome = open(&path).await;
    assert!(matches!(outcome, Err(IndexError::UnknownFormat { found: 7, known: 1, .. })), "{outcome:?}");
}

/// A program that knows more tables opens files of one that knew fewer.
#[tokio::test]
async fn tables_that_are_missing_are_added() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("index");
    drop(open(&path).await.expect("opens"));
    let database = Database::open(&path).expect("opens");
    let transaction = database.begin_write().expect("begins");
    let tickets = TableDefinition::<&[u8], &[u8]>::new(Table::Tickets.name());
    assert!(transaction.delete_table(tickets).expect("deletes"));
    transaction.commit().expect("commits");
    drop(database);
    let index = open(&path).await.expect("opens");
    assert_eq!(index.get(Table::Tickets, b"key").await.expect("reads"), None);
}

#[tokio::test]
async fn a_missing_folder_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    match open(&folder.path().join("missing").join("index")).await {
        Err(IndexError::File { place, source, .. }) => {
            assert_eq!(source.kind(), io::ErrorKind::NotFound);
            assert!(place.ends_with("missing/index"), "{place}");
        }
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn names_of_tables_are_for_ever() {
    // An index that was written finds its entries by these.
    let names = Table::ALL.map(Table::name);
    assert_eq!(
        names,
        [
            "miners", "files", "pieces", "rounds", "receipts", "chains", "scores", "leases", "tickets",
            "objects", "settings"
        ]
    );
}
