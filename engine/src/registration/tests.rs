use proptest::prelude::*;

use super::*;

fn registration() -> Registration {
    Registration {
        intent: Intent {
            shape: WindowShape::new(25, 16).unwrap(),
            window_cap: 0x0102_0304_0506_0708,
            network: [1; 32],
            miner: Account([2; 32]),
            validator: Account([3; 32]),
            ordinal: 9,
        },
        partition_id: 7,
        intent_height: 1000,
        beacon: [4; 32],
    }
}

/// The layout of space-v1 §2 and §3, written out by hand.
#[test]
fn bytes_are_the_specs() {
    let registration = registration();
    let mut expected = b"HFI1\x19\x10\0\0".to_vec();
    expected.extend([8, 7, 6, 5, 4, 3, 2, 1]);
    for party in 1..=3 {
        expected.extend([party; 32]);
    }
    expected.extend(9u64.to_le_bytes());
    assert_eq!(registration.intent.encode(), expected[..]);
    expected.extend(7u64.to_le_bytes());
    expected.extend(1000u64.to_le_bytes());
    expected.extend([4; 32]);
    assert_eq!(registration.encode(), expected[..]);
}

#[test]
fn each_defect_has_its_class() {
    let good = registration().encode();
    let broken = |at: usize, value: u8| {
        let mut bytes = good;
        bytes[at] = value;
        Registration::decode(&bytes).map_err(|rejection| rejection.class)
    };
    assert_eq!(broken(0, b'h'), Err(Class::Malformed), "tag");
    assert_eq!(broken(4, 9), Err(Class::Malformed), "k too small");
    assert_eq!(broken(4, 31), Err(Class::Malformed), "k too large");
    assert_eq!(broken(5, 1), Err(Class::Malformed), "too few layers");
    assert_eq!(broken(5, 65), Err(Class::Malformed), "too many layers");
    assert_eq!(broken(7, 1), Err(Class::Malformed), "zero field");
    assert_eq!(broken(127, 0x80), Err(Class::Malformed), "an object's number for a partition id");
    assert!(broken(4, 10).is_ok() && broken(5, 64).is_ok(), "the edges themselves are taken");
    let mut no_cap = good;
    no_cap[8..16].fill(0);
    assert_eq!(Registration::decode(&no_cap).unwrap_err().class, Class::Malformed);
    for length in [0, 119, 167] {
        assert_eq!(Registration::decode(&good[..length]).unwrap_err().class, Class::WrongLength);
    }
    assert_eq!(Intent::decode(&good).unwrap_err().class, Class::WrongLength, "bytes after the intent");
}

#[test]
fn shape_arithmetic() {
    let shape = WindowShape::of_bytes(1 << 30, Profile::Standard).unwrap();
    assert_eq!((shape.log2_labels(), shape.layers()), (25, 16));
    assert_eq!((shape.bytes(), shape.chunks(), shape.blocks()), (1 << 30, 1 << 20, 1 << 16));
    let least = WindowShape::of_bytes(32 * 1024, Profile::Custom(2)).unwrap();
    assert_eq!((least.log2_labels(), least.blocks()), (10, 2));
    for bytes in [0, 1, 31, 16 * 1024, 48 * 1024, 64 << 30, u64::MAX] {
        assert!(WindowShape::of_bytes(bytes, Profile::Swift).is_err(), "{bytes}");
    }
}

#[test]
fn profiles_by_name_and_by_layers() {
    for profile in [Profile::Swift, Profile::Standard, Profile::Hard] {
        assert_eq!(Profile::from_name(profile.name()), Some(profile));
        assert_eq!(Profile::of_layers(profile.layers()), profile);
    }
    assert_eq!(Profile::of_layers(8), Profile::Custom(8));
    assert_eq!(Profile::from_name("custom"), None);
}

/// Every byte of the registration reaches every window key, so nothing in it can be exchanged after filling.
#[test]
fn window_keys_bind_every_field_and_the_index() {
    let good = registration();
    let mut keys = std::collections::HashSet::from([good.window_key(0), good.window_key(1)]);
    let intent = good.intent;
    for intent in [
        Intent { shape: WindowShape::new(25, 17).unwrap(), ..intent },
        Intent { shape: WindowShape::new(24, 16).unwrap(), ..intent },
        Intent { window_cap: 1, ..intent },
        Intent { network: [9; 32], ..intent },
        Intent { miner: Account([9; 32]), ..intent },
        Intent { validator: Account([9; 32]), ..intent },
        Intent { ordinal: 10, ..intent },
    ] {
        assert!(keys.insert(Registration { intent, ..good }.window_key(0)));
    }
    assert!(keys.insert(Registration { partition_id: 8, ..good }.window_key(0)));
    assert!(keys.insert(Registration { intent_height: 1001, ..good }.window_key(0)));
    assert!(keys.insert(Registration { beacon: [9; 32], ..good }.window_key(0)));
}

proptest! {
    /// Total, and canonical: what decodes encodes to the same bytes.
    #[test]
    fn any_bytes_decode_or_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), k in 0u8..40, tagged: bool) {
        if tagged && bytes.len() >= 8 {
            bytes[..8].copy_from_slice(&[b'H', b'F', b'I', b'1', k, 16, 0, 0]);
            bytes.resize(REGISTRATION_BYTES, 1);
        }
        if let Ok(registration) = Registration::decode(&bytes) {
            prop_assert_eq!(&registration.encode()[..], &bytes[..]);
        }
        let _ = Intent::decode(&bytes).map(|intent| assert_eq!(intent.encode()[..], bytes[..]));
    }
}
