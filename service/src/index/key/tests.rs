use std::fmt::Debug;

use holdfast_engine::account::Account;
use proptest::prelude::*;

use super::{Key, KeyError};

fn round_trip<K: Key + PartialEq + Debug>(key: &K) {
    assert_eq!(K::from_bytes(&key.to_bytes()).as_ref(), Ok(key));
}

#[test]
fn bytes_of_keys_are_what_is_documented() {
    assert_eq!(0x0102_u16.to_bytes(), [1, 2]);
    assert_eq!(1_u64.to_bytes(), [0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(Account([7; 32]).to_bytes(), [7; 32]);
    assert_eq!("ab".to_owned().to_bytes(), *b"ab\0\0");
    assert_eq!("a\0b".to_owned().to_bytes(), *b"a\0\xffb\0\0");
    assert_eq!(("a".to_owned(), 5_u8).to_bytes(), *b"a\0\0\x05");
    assert!(().to_bytes().is_empty());
    round_trip(&());
    round_trip(&(Account([7; 32]), 3_u32, [1_u8; 5]));
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    assert_eq!(u32::from_bytes(&[1, 2, 3]), Err(KeyError::Short { needed: 4, found: 3 }));
    assert_eq!(u32::from_bytes(&[1, 2, 3, 4, 5]), Err(KeyError::Trailing { bytes: 1 }));
    // The end mark is missing, half there, or is an escape that nobody writes.
    for text in [&b""[..], b"a", b"a\0", b"a\0\x01\0\0"] {
        assert_eq!(String::from_bytes(text), Err(KeyError::Text), "{text:?}");
    }
    assert_eq!(String::from_bytes(b"\xff\0\0"), Err(KeyError::NotUtf8));
}

/// Texts that collide in encodings without end marks or escapes.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('ÿ')], 0..4)
        .prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn order_and_value_survive(a in (text(), any::<u16>(), text()), b in (text(), any::<u16>(), text())) {
        round_trip(&a);
        prop_assert_eq!(a.to_bytes().cmp(&b.to_bytes()), a.cmp(&b));
    }

    #[test]
    fn integers_keep_their_order(a: (u64, u8), b: (u64, u8)) {
        round_trip(&a);
        prop_assert_eq!(a.to_bytes().cmp(&b.to_bytes()), a.cmp(&b));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        // What is read is written again as it was: no key has two encodings.
        if let Ok(key) = <(String, u16)>::from_bytes(&bytes) {
            prop_assert_eq!(key.to_bytes(), bytes);
        }
    }
}
