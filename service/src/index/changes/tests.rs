use bytes::Bytes;

use super::Changes;
use crate::index::{COMMIT_BYTES_MAX, COMMIT_ENTRIES_MAX, IndexError, KEY_BYTES_MAX, Table, VALUE_BYTES_MAX};

#[test]
fn the_later_write_of_a_key_counts_and_every_check_stays() {
    let mut changes = Changes::new();
    changes.put(Table::Files, "b", "1").delete(Table::Files, "b").put(Table::Files, "a", "2");
    changes.put(Table::Miners, "b", "3");
    // Two checks that cannot both hold: if one replaced the other, the commit would go through.
    changes.check(Table::Files, "a", None).check(Table::Files, "a", Some(Bytes::from("1")));
    let writes: Vec<_> = changes.writes().map(|(table, key, value)| (table, &**key, value)).collect();
    let value = |text: &'static str| Bytes::from(text);
    assert_eq!(
        writes,
        [
            (Table::Miners, &b"b"[..], Some(&value("3"))),
            (Table::Files, b"a", Some(&value("2"))),
            (Table::Files, b"b", None),
        ]
    );
    assert_eq!(changes.checks().len(), 2);
    assert_eq!(changes.written(Table::Files, b"b"), Some(None));
    assert_eq!(changes.written(Table::Pieces, b"b"), None);
    assert_eq!(changes.size_bytes(), 2 + 1 + 2 + 1 + 2);
}

#[test]
fn limits_are_exact() {
    let limited = |changes: &Changes| match changes.check_limits() {
        Ok(()) => None,
        Err(IndexError::TooLarge { what, found, limit }) => Some((what, found, limit)),
        Err(error) => panic!("{error}"),
    };
    let mut changes = Changes::new();
    changes.put(Table::Files, vec![1; KEY_BYTES_MAX], vec![2; VALUE_BYTES_MAX]);
    assert_eq!(limited(&changes), None);
    let mut changes = Changes::new();
    changes.put(Table::Files, vec![1; KEY_BYTES_MAX + 1], "");
    assert_eq!(limited(&changes), Some(("bytes of a key", KEY_BYTES_MAX + 1, KEY_BYTES_MAX)));
    // What is only checked is sent and held in memory as well.
    let mut changes = Changes::new();
    changes.check(Table::Files, "a", Some(vec![0; VALUE_BYTES_MAX + 1].into()));
    assert_eq!(limited(&changes), Some(("bytes of a value", VALUE_BYTES_MAX + 1, VALUE_BYTES_MAX)));

    let mut changes = Changes::new();
    for table in Table::ALL.into_iter().take(COMMIT_BYTES_MAX / VALUE_BYTES_MAX) {
        changes.put(table, "", vec![0; VALUE_BYTES_MAX]);
    }
    assert_eq!(limited(&changes), None);
    changes.delete(Table::Settings, "k");
    assert_eq!(limited(&changes), Some(("bytes of one commit", COMMIT_BYTES_MAX + 1, COMMIT_BYTES_MAX)));

    let mut changes = Changes::new();
    for number in 0..COMMIT_ENTRIES_MAX {
        changes.delete(Table::Files, number.to_be_bytes().to_vec());
    }
    assert_eq!(limited(&changes), None);
    changes.check(Table::Files, "", None);
    assert_eq!(
        limited(&changes),
        Some(("entries of one commit", COMMIT_ENTRIES_MAX + 1, COMMIT_ENTRIES_MAX))
    );
}
