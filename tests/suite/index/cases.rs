//! What single calls do.

use bytes::Bytes;
use holdfast_service::index::{
    COMMIT_BYTES_MAX, COMMIT_ENTRIES_MAX, Changes, Index, IndexError, KEY_BYTES_MAX, KeyRange, Pages, Row,
    Table, TypedTable, VALUE_BYTES_MAX,
};

use crate::stores::{Store, entries};

/// In order. Pairs of which one is a prefix of the other, signs of bytes, and what C and SQL take for an end.
const KEYS: [&[u8]; 16] = [
    b"",
    b"\0",
    b"\0\0",
    b"\0\xff",
    b"\x01",
    b"'",
    b"A",
    b"\\x61",
    b"a",
    b"a\0",
    b"a\xff",
    b"b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff",
];

async fn put(index: &dyn Index, key: &[u8], value: &[u8]) {
    let mut changes = Changes::new();
    changes.put(Table::Files, key.to_vec(), value.to_vec());
    index.commit(changes).await.expect("commits");
}

async fn put_all_keys(index: &dyn Index) {
    let mut changes = Changes::new();
    // Not in order, and each with a value of its own.
    for number in 0..KEYS.len() {
        let number = number * 7 % KEYS.len();
        changes.put(Table::Files, KEYS[number], vec![number as u8]);
    }
    index.commit(changes).await.expect("commits");
}

pub(crate) async fn values_are_set_replaced_and_removed(store: &Store) {
    let index = store.index();
    let value = async |key: &[u8]| index.get(Table::Files, key).await.expect("reads");
    assert_eq!(value(b"key").await, None);
    // Neither an empty key nor an empty value is a missing one.
    for (key, first, second) in [(&b"key"[..], &b"one"[..], &b""[..]), (b"", b"", b"two")] {
        put(index, key, first).await;
        assert_eq!(value(key).await.as_deref(), Some(first));
        put(index, key, second).await;
        assert_eq!(value(key).await.as_deref(), Some(second));
    }
    let mut changes = Changes::new();
    changes.delete(Table::Files, "key").delete(Table::Files, "was never there");
    index.commit(changes).await.expect("commits");
    assert_eq!(value(b"key").await, None);
    assert_eq!(entries(index, Table::Files).await, [(b"".to_vec(), b"two".to_vec())]);
    // No changes are no error.
    index.commit(Changes::new()).await.expect("commits");
}

pub(crate) async fn tables_are_apart(store: &Store) {
    let index = store.index();
    let mut changes = Changes::new();
    for table in Table::ALL {
        changes.put(table, "key", table.name());
    }
    index.commit(changes).await.expect("commits");
    for table in Table::ALL {
        // Scans must not run on into the next table.
        assert_eq!(entries(index, table).await, [(b"key".to_vec(), table.name().as_bytes().to_vec())]);
    }
}

pub(crate) async fn keys_are_in_the_order_of_their_bytes(store: &Store) {
    let index = store.index();
    put_all_keys(index).await;
    let expected: Vec<(Bytes, Bytes)> = (0..KEYS.len())
        .map(|number| (Bytes::from_static(KEYS[number]), Bytes::from(vec![number as u8])))
        .collect();
    assert_eq!(index.scan(Table::Files, &KeyRange::all(), 100).await.expect("scans"), expected);
    let backwards = index.scan(Table::Files, &KeyRange::all().descending(), 100).await.expect("scans");
    assert!(backwards.iter().eq(expected.iter().rev()));
    for (key, value) in expected {
        assert_eq!(index.get(Table::Files, &key).await.expect("reads"), Some(value));
    }
}

pub(crate) async fn ranges_include_their_start_and_not_their_end(store: &Store) {
    let index = store.index();
    put_all_keys(index).await;
    for range in [
        KeyRange::new("a", "b"),
        KeyRange::new("a", "a\0"),
        KeyRange::new("a", "a"),
        KeyRange::new("b", "a"),
        KeyRange::new("", "\0"),
        KeyRange::new("`", "zz"),
        KeyRange::from("b"),
        KeyRange::from(&b"\xff\xff\xff"[..]),
        KeyRange::prefix("a"),
        KeyRange::prefix("\0"),
        KeyRange::prefix(&b"\xff"[..]),
        KeyRange::prefix("nothing"),
    ] {
        let inside = |key: &&[u8]| *key >= range.start() && range.end().is_none_or(|end| *key < end);
        let mut expected: Vec<&[u8]> = KEYS.into_iter().filter(inside).collect();
        for range in [range.clone(), range.clone().descending()] {
            let found = index.scan(Table::Files, &range, 100).await.expect("scans");
            let keys: Vec<&[u8]> = found.iter().map(|(key, _)| &**key).collect();
            assert_eq!(keys, expected, "{range:?}");
            expected.reverse();
        }
    }
}

pub(crate) async fn scans_return_the_first_in_their_direction(store: &Store) {
    let index = store.index();
    put_all_keys(index).await;
    for limit in [0, 1, 5, KEYS.len() - 1, KEYS.len(), KEYS.len() + 1, usize::MAX] {
        let forwards = index.scan(Table::Files, &KeyRange::all(), limit).await.expect("scans");
        let backwards = index.scan(Table::Files, &KeyRange::all().descending(), limit).await.expect("scans");
        assert!(forwards.iter().map(|(key, _)| &**key).eq(KEYS.into_iter().take(limit)), "{limit}");
        assert!(backwards.iter().map(|(key, _)| &**key).eq(KEYS.into_iter().rev().take(limit)), "{limit}");
    }
}

pub(crate) async fn checks_compare_whole_values(store: &Store) {
    let index = store.index();
    put(index, b"full", b"value").await;
    put(index, b"empty", b"").await;
    for (key, expected, holds) in [
        ("full", Some("value"), true),
        ("full", Some("valuE"), false),
        // Prefixes of each other, and what is empty against what is missing.
        ("full", Some("valu"), false),
        ("full", Some("value\0"), false),
        ("full", None, false),
        ("empty", Some(""), true),
        ("empty", None, false),
        ("missing", None, true),
        ("missing", Some(""), false),
    ] {
        let mut changes = Changes::new();
        changes.check(Table::Files, key, expected.map(Bytes::from));
        // Alone, and with a write that depends on it.
        let alone = index.commit(changes.clone()).await;
        changes.put(Table::Pieces, key, expected.unwrap_or("none"));
        for outcome in [alone, index.commit(changes).await] {
            match outcome {
                Ok(()) => assert!(holds, "{key} {expected:?}"),
                Err(IndexError::Conflict { table: Table::Files, key: found }) => {
                    assert!(!holds && found == key, "{key} {expected:?}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    let keys = [("empty", ""), ("full", "value"), ("missing", "none")];
    let expected = keys.map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()));
    assert_eq!(entries(index, Table::Pieces).await, expected);
}

pub(crate) async fn a_refused_commit_changes_nothing(store: &Store) {
    let index = store.index();
    put(index, b"kept", b"before").await;
    let mut changes = Changes::new();
    changes.put(Table::Files, "a", "1").delete(Table::Files, "kept").put(Table::Miners, "z", "2");
    // Checks see what was before the commit's own writes; the second fails.
    changes.check(Table::Files, "a", None).check(Table::Miners, "z", Some("2".into()));
    changes.check(Table::Files, "kept", Some("other".into()));
    match index.commit(changes).await {
        // The first that fails is named.
        Err(IndexError::Conflict { table: Table::Miners, key }) => assert_eq!(key, "z"),
        outcome => panic!("{outcome:?}"),
    }
    assert_eq!(entries(index, Table::Files).await, [(b"kept".to_vec(), b"before".to_vec())]);
    assert_eq!(entries(index, Table::Miners).await, []);
}

/// Bytes that no compression shortens.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

pub(crate) async fn what_fits_the_limits_is_kept_and_what_does_not_is_refused(store: &Store) {
    let index = store.index();
    // The longest key must fit into the server's B-tree, and a value beside it.
    let key = noise(KEY_BYTES_MAX, 1);
    for value in [noise(1 << 20, 2), noise(VALUE_BYTES_MAX, 3)] {
        put(index, &key, &value).await;
        assert!(index.get(Table::Files, &key).await.expect("reads").is_some_and(|found| found == value));
    }
    // A commit as large as may be, in bytes and in entries.
    let mut changes = Changes::new();
    for (number, table) in Table::ALL.into_iter().take(COMMIT_BYTES_MAX / VALUE_BYTES_MAX).enumerate() {
        changes.put(table, "", noise(VALUE_BYTES_MAX, number as u64));
    }
    index.commit(changes).await.expect("commits");
    let mut changes = Changes::new();
    for number in 0..COMMIT_ENTRIES_MAX as u32 {
        changes.put(Table::Tickets, number.to_be_bytes().to_vec(), "");
    }
    index.commit(changes).await.expect("commits");
    assert_eq!(entries(index, Table::Tickets).await.len(), COMMIT_ENTRIES_MAX);

    for (key, value, what) in [
        (vec![1; KEY_BYTES_MAX + 1], vec![], "bytes of a key"),
        (vec![1], vec![0; VALUE_BYTES_MAX + 1], "bytes of a value"),
    ] {
        let mut changes = Changes::new();
        changes.put(Table::Objects, "small", "small").put(Table::Objects, key.clone(), value);
        let outcome = index.commit(changes).await;
        assert!(
            matches!(outcome, Err(IndexError::TooLarge { what: found, .. }) if found == what),
            "{outcome:?}"
        );
        // Nothing of it is there, and a key that cannot be is not an error.
        assert_eq!(entries(index, Table::Objects).await, []);
        assert_eq!(index.get(Table::Objects, &key).await.expect("reads"), None);
    }
}

pub(crate) async fn entries_outlive_the_handle(store: &Store) {
    put_all_keys(store.index()).await;
    let expected = entries(store.index(), Table::Files).await;
    let later = store.entries_of_a_later_process().await;
    assert_eq!(entries(&*later, Table::Files).await, expected);
    assert_eq!(expected.len(), KEYS.len());
}

pub(crate) async fn pages_meet_every_entry_once(store: &Store) {
    let index = store.index();
    put_all_keys(index).await;
    for size in [1, 3, KEYS.len() / 2, KEYS.len(), KEYS.len() + 1] {
        for range in [KeyRange::all(), KeyRange::all().descending()] {
            let mut expected = KEYS;
            if range.is_descending() {
                expected.reverse();
            }
            let (mut pages, mut met) = (Pages::new(index, Table::Files, range, size), Vec::new());
            while let Some(page) = pages.next().await.expect("reads") {
                assert!(!page.is_empty() && page.len() <= size);
                met.extend(page.into_iter().map(|(key, _)| key));
            }
            assert_eq!(met, expected, "{size}");
            assert_eq!(pages.next().await.expect("reads"), None);
        }
    }
    // What is removed on the way is not met, and nothing else is left out for it.
    let (mut pages, mut met) = (Pages::new(index, Table::Files, KeyRange::all(), 2), Vec::new());
    while let Some(page) = pages.next().await.expect("reads") {
        let mut changes = Changes::new();
        for (key, _) in page {
            changes.delete(Table::Files, key.clone());
            met.push(key);
        }
        index.commit(changes).await.expect("commits");
    }
    assert_eq!(met, KEYS);
}

pub(crate) async fn rows_that_are_not_of_their_types_are_named(store: &Store) {
    const HEIGHTS: TypedTable<(String, u16), u64> = TypedTable::new(Table::Chains);
    let index = store.index();
    let key = |name: &str, number| (name.to_owned(), number);
    let mut changes = Changes::new();
    for (name, number) in [("b", 1), ("a", 2), ("a", 256), ("a\0", 1), ("a", 1)] {
        HEIGHTS.put(&mut changes, &key(name, number), &(u64::from(number) << 40)).expect("encodes");
    }
    index.commit(changes).await.expect("commits");
    assert_eq!(HEIGHTS.get(index, &key("a", 2)).await.expect("reads"), Some(2 << 40));
    assert_eq!(HEIGHTS.get(index, &key("c", 2)).await.expect("reads"), None);
    let rows = |numbers: &[u16]| -> Vec<Row<(String, u16), u64>> {
        let row = |number: &u16| Row { key: key("a", *number), value: u64::from(*number) << 40 };
        numbers.iter().map(row).collect()
    };
    // A prefix is that name and no longer one; numbers are in their order, not in that of digits.
    let range = HEIGHTS.prefix(&"a".to_owned());
    assert_eq!(HEIGHTS.scan(index, &range, 10).await.expect("scans"), rows(&[1, 2, 256]));
    let range = HEIGHTS.between(&key("a", 2), &key("a", 256));
    assert_eq!(HEIGHTS.scan(index, &range, 10).await.expect("scans"), rows(&[2]));
    let last = HEIGHTS.prefix(&"a".to_owned()).descending();
    assert_eq!(HEIGHTS.scan(index, &last, 1).await.expect("scans"), rows(&[256]));

    // Bytes of another program or version: said with the key, and no panic.
    let good = HEIGHTS.scan(index, &HEIGHTS.from(&key("b", 0)), 1).await.expect("scans");
    assert_eq!(good.len(), 1);
    let mut changes = Changes::new();
    changes.put(Table::Chains, "b\0\0\0\x01", "\"text\"").put(Table::Chains, "c", "1");
    index.commit(changes).await.expect("commits");
    let outcome = HEIGHTS.get(index, &key("b", 1)).await;
    assert!(
        matches!(&outcome, Err(IndexError::Damaged { table: Table::Chains, key, .. }) if key == &b"b\0\0\0\x01"[..])
    );
    let outcome = HEIGHTS.scan(index, &HEIGHTS.from(&key("b", 2)), 10).await;
    assert!(matches!(&outcome, Err(IndexError::Damaged { key, .. }) if key == "c"), "{outcome:?}");
}
