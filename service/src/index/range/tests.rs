use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::KeyRange;

/// Whether a key is in a range, by what the range says of itself.
fn contains(range: &KeyRange, key: &[u8]) -> bool {
    key >= range.start() && range.end().is_none_or(|end| key < end)
}

#[test]
fn the_end_of_a_prefix_is_the_next_prefix() {
    for (prefix, end) in [
        (&b"a"[..], Some(&b"b"[..])),
        // 0xff cannot be counted up: the byte before it is.
        (b"a\xff", Some(b"b")),
        (b"a\xff\xff", Some(b"b")),
        (b"a\xffb", Some(b"a\xffc")),
        // Nothing is above all keys that begin with 0xff.
        (b"\xff", None),
        (b"\xff\xff", None),
        (b"", None),
    ] {
        assert_eq!(KeyRange::prefix(prefix.to_vec()).end(), end, "{prefix:?}");
    }
}

#[test]
fn a_range_in_the_wrong_order_is_empty() {
    assert!(KeyRange::new("b", "a").is_empty());
    assert!(KeyRange::new("a", "a").is_empty());
    assert!(!KeyRange::new("a", "a\0").is_empty());
    assert!(!KeyRange::all().is_empty());
}

proptest! {
    #[test]
    fn a_prefix_holds_what_begins_so(prefix in vec(byte(), 0..4), key in vec(byte(), 0..6)) {
        let range = KeyRange::prefix(prefix.clone());
        prop_assert_eq!(contains(&range, &key), key.starts_with(&prefix));
    }

    /// Pages rest on this: nothing is met twice, nothing left out, whichever way.
    #[test]
    fn beyond_a_key_is_what_comes_after_it(
        start in vec(byte(), 0..3),
        end in vec(byte(), 0..3),
        last in vec(byte(), 0..3),
        key in vec(byte(), 0..4),
    ) {
        let range = KeyRange::new(start, Bytes::from(end));
        let (forwards, backwards) = (range.clone().beyond(&last), range.clone().descending().beyond(&last));
        prop_assert_eq!(contains(&forwards, &key), contains(&range, &key) && key > last);
        prop_assert_eq!(contains(&backwards, &key), contains(&range, &key) && key < last);
        let open = KeyRange::from(last.clone()).descending().beyond(&last);
        prop_assert!(!contains(&open, &key));
    }
}

/// Few values, so that keys are often equal or prefixes of each other.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![Just(0), Just(1), Just(254), Just(255)]
}
