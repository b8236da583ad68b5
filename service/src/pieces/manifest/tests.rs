#![allow(clippy::cast_possible_truncation, reason = "figures of tests are small")]

use holdfast_engine::rejection::Class;
use proptest::prelude::*;

use super::*;
use crate::encryption::OwnerKey;
use crate::pieces::Encoder;

const FLAGS: usize = 4;
const LENGTH: usize = 16;
const PIECES: usize = 96;

fn miner(number: u8) -> Account {
    Account([number; 32])
}

fn private() -> PrivatePart {
    PrivatePart { name: "тест.txt".to_owned(), file: Content { root: [9; 32], length_bytes: 1_234 } }
}

/// Of a file that was really coded: three segments, the last one short; the last piece is not placed.
fn manifest(policy: Policy, private: Option<PrivatePart>) -> Manifest {
    let policy = policy.with_segments_of(1_000).unwrap();
    let secret = PlacementSecret::of_bytes([7; 32]);
    let mut encoder = Encoder::new(&[3; 2_500][..], policy, &secret);
    let mut segments = Vec::new();
    while let Some(encoded) = encoder.next_segment(|_| Ok(std::io::sink())).unwrap() {
        let miners: Vec<_> = (1..policy.shards()).map(|number| Some(miner(number))).collect();
        segments.push(Segment::of(&encoded, &miners));
    }
    Manifest::new(private, encoder.content(), policy, secret.clone(), Some(1_900_000_000), segments).unwrap()
}

/// With the checksum made right again, so that what is refused is the lie.
fn edited(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes[..bytes.len() - 32].to_vec();
    bytes[at..][..new.len()].copy_from_slice(new);
    resealed(bytes)
}

fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = blake3::derive_key("holdfast v1 manifest checksum", &bytes);
    bytes.extend(checksum);
    bytes
}

fn refused(bytes: &[u8]) -> (Class, String) {
    let rejection = Manifest::decode(bytes).expect_err("it lies");
    (rejection.class, rejection.detail)
}

/// The layout of pieces-v1 §6, written out by hand.
#[test]
fn bytes_are_the_specs() {
    let manifest = manifest(Policy::CODED_3_OF_5, Some(private()));
    let mut expected = b"HFM1\x01\x03\x05\0".to_vec();
    for number in [1_000u64, 2_500, 1_900_000_000] {
        expected.extend(number.to_le_bytes());
    }
    expected.extend(blake3::hash(&[3; 2_500]).as_bytes());
    expected.extend([7; 32]);
    expected.extend([9; 32]);
    expected.extend(1_234u64.to_le_bytes());
    expected.extend(12u16.to_le_bytes());
    expected.extend("тест.txt".bytes());
    for piece in manifest.segments().iter().flat_map(|segment| &segment.pieces) {
        expected.extend(piece.shard_root);
        expected.extend([0; 4]);
        let (miner, root) = piece.holder.map_or(([0; 32], [0; 32]), |holder| (holder.miner.0, holder.root));
        expected.extend(miner);
        expected.extend(root);
    }
    assert!(*manifest.encode() == resealed(expected));
}

#[test]
fn what_is_encoded_is_decoded() {
    for policy in Policy::NAMED {
        for private in [None, Some(private()), Some(PrivatePart { name: String::new(), ..private() })] {
            let manifest = manifest(policy, private.clone());
            let decoded = Manifest::decode(&manifest.encode()).unwrap();
            assert_eq!(decoded.private(), private.as_ref());
            assert_eq!(decoded.segments(), manifest.segments());
            assert!(*decoded.encode() == *manifest.encode());
        }
    }
    // A file of no bytes has no segments, and all that there is of it stands in the manifest.
    let empty = Content { root: *blake3::hash(b"").as_bytes(), length_bytes: 0 };
    let secret = PlacementSecret::of_bytes([7; 32]);
    let manifest = Manifest::new(None, empty, Policy::REPLICATE_3, secret, None, Vec::new()).unwrap();
    assert_eq!(manifest.encode().len(), 96 + 32);
    assert_eq!(Manifest::decode(&manifest.encode()).unwrap().expires_at(), None);
}

/// A damaged bit in a root or an account would otherwise lead nowhere, and look like a miner's fault.
#[test]
fn one_changed_bit_anywhere_is_refused() {
    let bytes = manifest(Policy::REPLICATE_3, Some(private())).encode();
    for at in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(Manifest::decode(&bytes).is_err(), "bit {at}");
    }
}

#[test]
fn no_beginning_and_no_continuation_is_a_manifest() {
    let bytes = manifest(Policy::REPLICATE_3, Some(private())).encode();
    for length in 0..bytes.len() {
        assert!(Manifest::decode(&bytes[..length]).is_err(), "{length}");
        if length > 32 {
            assert!(Manifest::decode(&resealed(bytes[..length - 32].to_vec())).is_err(), "{length}");
        }
    }
    let longer = resealed([&bytes[..bytes.len() - 32], &[0]].concat());
    assert_eq!(refused(&longer).0, Class::WrongLength);
}

/// One lie each, with what the message must say. None of them leads to an allocation: a count is believed only if the bytes are
/// there.
#[test]
fn manifests_that_lie_are_refused_with_numbers() {
    let bytes = manifest(Policy::CODED_3_OF_5, None).encode();
    let second = PIECES + 100;
    let cases: [(&str, Vec<u8>, Class, &str); 15] = [
        ("another tag", edited(&bytes, 0, b"HFM2"), Class::Malformed, "HFM2"),
        ("a flag that there is not", edited(&bytes, FLAGS, &[2]), Class::Malformed, "0x02"),
        ("no data shards", edited(&bytes, 5, &[0]), Class::Malformed, "0 of 5"),
        ("k above n", edited(&bytes, 5, &[6]), Class::Malformed, "6 of 5"),
        ("a zero field", edited(&bytes, 7, &[1]), Class::Malformed, "zero"),
        ("segments of no bytes", edited(&bytes, 8, &[0; 8]), Class::Malformed, "segments of 0 bytes"),
        ("segments of 2^64 − 1", edited(&bytes, 8, &[255; 8]), Class::Malformed, "18446744073709551615"),
        ("more shards", edited(&bytes, 6, &[6]), Class::WrongLength, "3 segments of 6 shards"),
        ("a longer file", edited(&bytes, LENGTH, &3_001u64.to_le_bytes()), Class::WrongLength, "4 segments"),
        ("a shorter file", edited(&bytes, LENGTH, &2_000u64.to_le_bytes()), Class::WrongLength, "2 segments"),
        (
            "2^64 − 1 bytes",
            edited(&bytes, LENGTH, &[255; 8]),
            Class::WrongLength,
            "18446744073709552 segments",
        ),
        (
            "a miner twice",
            edited(&bytes, second + 36, &[1; 32]),
            Class::Malformed,
            "shard 1 and another of segment 0",
        ),
        (
            "equal pieces",
            edited(&bytes, PIECES + 500 + 68, &bytes[second + 68..second + 100]),
            Class::Malformed,
            "shard 0 of segment 1",
        ),
        ("a root without a miner", edited(&bytes, second + 36, &[0; 32]), Class::Malformed, "half a holder"),
        ("a miner without a root", edited(&bytes, second + 68, &[0; 32]), Class::Malformed, "half a holder"),
    ];
    for (name, bytes, class, says) in cases {
        let (found, detail) = refused(&bytes);
        assert!(found == class && detail.contains(says), "{name}: {found}: {detail}");
    }

    let bytes = manifest(Policy::REPLICATE_3, None).encode();
    let (class, detail) = refused(&edited(&bytes, second, &[1; 32]));
    assert!(class == Class::Malformed && detail.contains("different shard roots"), "{detail}");

    let bytes = manifest(Policy::REPLICATE_3, Some(private())).encode();
    let name = PIECES + 42;
    for (what, edit, says) in [
        ("a file longer than its ciphertext", edited(&bytes, PIECES + 32, &2_501u64.to_le_bytes()), "2501"),
        ("a name that is no UTF-8", edited(&bytes, name, &[0xff]), "UTF-8"),
    ] {
        let (class, detail) = refused(&edit);
        assert!(class == Class::Malformed && detail.contains(says), "{what}: {detail}");
    }
    assert_eq!(refused(&edited(&bytes, PIECES + 40, &[255; 2])).0, Class::WrongLength);
}

#[test]
fn manifests_that_contradict_themselves_cannot_be_made() {
    let good = manifest(Policy::CODED_3_OF_5, None);
    let made = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = good.clone();
        change(&mut manifest);
        let Manifest { private, ciphertext, policy, secret, expires_at, segments } = manifest;
        Manifest::new(private, ciphertext, policy, secret, expires_at, segments)
            .map_err(|rejection| rejection.class)
    };
    assert!(made(&|_| ()).is_ok());
    let malformed: [&dyn Fn(&mut Manifest); 7] = [
        &|manifest| manifest.segments.truncate(2),
        &|manifest| manifest.segments[1].pieces.truncate(4),
        &|manifest| manifest.segments.push(manifest.segments[0].clone()),
        &|manifest| manifest.ciphertext.length_bytes = 0,
        &|manifest| manifest.ciphertext.length_bytes = 3_001,
        &|manifest| manifest.expires_at = Some(u64::MAX),
        &|manifest| manifest.private = Some(PrivatePart { name: "x".repeat(4_097), ..private() }),
    ];
    for (change, number) in malformed.into_iter().zip(0..) {
        assert_eq!(made(change).unwrap_err(), Class::Malformed, "change {number}");
    }
}

#[test]
fn places_change_only_forward_and_apart() {
    let mut manifest = manifest(Policy::CODED_3_OF_5, None);
    let next = manifest.next_piece(1, 4).unwrap();
    assert_eq!(next, PieceId { segment: 1, shard: 4, generation: 1 });
    let holder = Holder { miner: miner(5), root: [5; 32] };

    let same_miner = manifest.place(next, Holder { miner: miner(1), ..holder });
    assert!(matches!(same_miner, Err(ManifestError::NotApart { what: "is that", .. })), "{same_miner:?}");
    let root = manifest.piece(1, 0).unwrap().1.holder.unwrap().root;
    let same_bytes = manifest.place(next, Holder { root, ..holder });
    assert!(
        matches!(same_bytes, Err(ManifestError::NotApart { what: "has the bytes", .. })),
        "{same_bytes:?}"
    );
    let old = manifest.place(PieceId { generation: 0, ..next }, holder);
    assert!(matches!(old, Err(ManifestError::OldGeneration { latest: 0, .. })), "{old:?}");
    for piece in [PieceId { segment: 3, ..next }, PieceId { shard: 5, ..next }] {
        let unknown = manifest.place(piece, holder);
        assert!(
            matches!(unknown, Err(ManifestError::NoSuchPiece { segments: 3, shards: 5, .. })),
            "{unknown:?}"
        );
    }

    manifest.place(next, holder).unwrap();
    assert_eq!(manifest.piece(1, 4).unwrap().1.holder, Some(holder));
    // News of the generation before come too late.
    manifest.lose(PieceId { generation: 0, ..next }).unwrap();
    assert_eq!(manifest.segments()[1].held(), 5);
    manifest.lose(next).unwrap();
    assert_eq!(manifest.segments()[1].held(), 4);
    // A lost piece is followed by a new generation, never by the same.
    assert_eq!(manifest.next_piece(1, 4).unwrap().generation, 2);
    assert!(Manifest::decode(&manifest.encode()).is_ok());
}

#[test]
fn copies_learn_later_generations_from_each_other() {
    let mut owners = manifest(Policy::CODED_3_OF_5, Some(private()));
    let mut repairers = Manifest::decode(&owners.for_repair().encode()).unwrap();
    assert_eq!(repairers.private(), None);
    let next = repairers.next_piece(2, 0).unwrap();
    repairers.place(next, Holder { miner: miner(77), root: [77; 32] }).unwrap();

    assert_eq!(owners.adopt(&repairers).unwrap(), 1);
    assert_eq!(owners.segments(), repairers.segments());
    assert_eq!(owners.private(), Some(&private()), "what only the owner knows stays");
    // And nothing is unlearned from an old copy.
    assert_eq!(repairers.adopt(&manifest(Policy::CODED_3_OF_5, None)).unwrap(), 0);
    assert_eq!(repairers.piece(2, 0).unwrap().0, next);

    for other in [manifest(Policy::REPLICATE_3, None), {
        let mut other = owners.clone();
        other.secret = PlacementSecret::of_bytes([8; 32]);
        other
    }] {
        assert!(matches!(owners.adopt(&other), Err(ManifestError::AnotherFile)));
    }
    // Together they would put two pieces of a segment on one miner.
    let mut clash = manifest(Policy::CODED_3_OF_5, None);
    clash.place(clash.next_piece(2, 1).unwrap(), Holder { miner: miner(77), root: [78; 32] }).unwrap();
    assert!(matches!(owners.adopt(&clash), Err(ManifestError::Rejected(_))));
    assert_eq!(owners.segments(), repairers.segments(), "nothing changed");
}

#[test]
fn sealed_manifests_are_opened_by_their_owner_only() {
    let keys = [OwnerKey::generate(), OwnerKey::generate()];
    let [owner, other] = keys.each_ref().map(|key| Identities::of_file(&key.identity_file()).unwrap());
    let manifest = manifest(Policy::CODED_3_OF_5, Some(private()));
    let mut sealed = manifest.seal(&Recipients::of_keys([keys[0].recipient().as_str()]).unwrap()).unwrap();
    assert!(!sealed.windows(32).any(|window| window == [7; 32]), "the secret stands there in the clear");
    assert!(*Manifest::open(&sealed, &owner).unwrap().encode() == *manifest.encode());
    assert!(matches!(
        Manifest::open(&sealed, &other),
        Err(ManifestError::Decryption(DecryptionError::WrongKey))
    ));
    *sealed.last_mut().unwrap() ^= 1;
    assert!(matches!(
        Manifest::open(&sealed, &owner),
        Err(ManifestError::Decryption(DecryptionError::Damaged))
    ));
}

/// The name and the plaintext's root are not for repairers: with the root, a guess at the file could be confirmed.
#[test]
fn repairers_learn_neither_name_nor_plaintext() {
    let encoded = manifest(Policy::REPLICATE_3, Some(private())).for_repair().encode();
    assert!(!encoded.windows(8).any(|window| window == "тест".as_bytes()));
    assert!(!encoded.windows(32).any(|window| window == [9; 32]));
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", manifest(Policy::REPLICATE_3, None));
    assert!(shown.contains("secret: PlacementSecret,"), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_canonical(
        mut bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        (k, n, segment_bytes, segments) in (0u8..4, 0u8..5, 0u64..3_000, 0u64..4),
        fix in any::<bool>(),
    ) {
        // Half of them begin as a manifest does, with a right checksum.
        if fix {
            bytes.resize(96, 1);
            bytes.extend(vec![2; 100 * usize::from(n) * segments as usize]);
            bytes[..8].copy_from_slice(&[b'H', b'F', b'M', b'1', 0, k, n, 0]);
            bytes[8..16].copy_from_slice(&segment_bytes.to_le_bytes());
            bytes[16..24].copy_from_slice(&(segments * segment_bytes).to_le_bytes());
            bytes = resealed(bytes);
        }
        if let Ok(manifest) = Manifest::decode(&bytes) {
            prop_assert!(*manifest.encode() == bytes);
        }
    }

    /// Edits of a good manifest under a right checksum: refused, or another manifest that encodes to exactly that.
    #[test]
    fn edits_are_refused_or_canonical(at in any::<prop::sample::Index>(), new in prop::collection::vec(any::<u8>(), 1..40)) {
        let bytes = manifest(Policy::CODED_3_OF_5, Some(private())).encode();
        let at = at.index(bytes.len() - 32 - new.len());
        let edited = edited(&bytes, at, &new);
        if let Ok(manifest) = Manifest::decode(&edited) {
            prop_assert!(*manifest.encode() == edited);
        }
    }
}
