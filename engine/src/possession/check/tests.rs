use super::*;
use crate::possession::commitment_table::CommitmentTable;
use crate::possession::fixture;
use crate::possession::points::encode_point;
use crate::reference::possession as reference;
use ark_bls12_381::Fq;
use ark_ec::{AffineRepr, CurveGroup};

const KEY: [u8; 32] = [9; 32];

fn key() -> BlindingKey {
    BlindingKey::from_bytes(KEY)
}

fn replica(object: &[u8]) -> Replica {
    Replica::new(crate::tree::root(object), object.len() as u64, 1).unwrap()
}

fn taken(object: &[u8]) -> StoreCheck {
    let mut accumulator = Accumulator::new().unwrap();
    accumulator.update(object);
    accumulator.finish()
}

fn class(result: Result<[u8; 32], CheckFailure>) -> Class {
    match result.unwrap_err() {
        CheckFailure::Refused(refused) => refused.class,
        other => panic!("a failure, not a refusal: {other}"),
    }
}

/// The reference's commitments pass, for lengths around blocks and for the empty object, under a key and unblinded.
#[test]
fn right_tables_pass_and_give_their_root() {
    for length in [0, 1, 31, 16_383, 16_384, 16_385, 3 * 16_384 + 100] {
        let object = fixture::bytes(length);
        for key in [key(), BlindingKey::PUBLIC] {
            let points = reference::commitments(key.as_bytes(), &object, 1);
            let table = CommitmentTable::of_points(&points);
            assert_eq!(table.bytes(), reference::table(&points));
            let root = taken(&object).check(&replica(&object), &key, table.bytes());
            assert_eq!(root.unwrap(), table.root(), "{length} bytes");
        }
    }
}

/// However the bytes come in, they are the same object. Catches a block that is lost or counted twice at a boundary.
#[test]
fn pieces_of_any_size_are_one_object() {
    let object = fixture::bytes(3 * 16_384 + 100);
    let table = reference::table(&reference::commitments(&KEY, &object, 1));
    for piece in [1, 1000, 16_383, 16_384, 16_385, 40_000] {
        let mut accumulator = Accumulator::new().unwrap();
        for bytes in object.chunks(piece) {
            accumulator.update(bytes);
            accumulator.update(&[]);
        }
        let mut check = accumulator.finish();
        assert_eq!(check.length(), object.len() as u64);
        assert!(check.check(&replica(&object), &key(), &table[..]).is_ok(), "pieces of {piece}");
    }
}

/// The table of other bytes, of another place, under another key, with one wrong, swapped or cancelling point.
#[test]
fn wrong_tables_are_refused() {
    let object = fixture::bytes(12 * 16_384 + 5);
    let points = reference::commitments(&KEY, &object, 1);
    let right = replica(&object);
    let refused = |points: &[G1Affine], replica: &Replica, key: &BlindingKey| {
        class(taken(&object).check(replica, key, CommitmentTable::of_points(points).bytes()))
    };
    assert!(taken(&object).check(&right, &key(), &*reference::table(&points)).is_ok());

    let other_id = Replica::new(*right.object_root(), right.length(), 2).unwrap();
    assert_eq!(refused(&points, &other_id, &key()), Class::WrongProof);
    let other_length = Replica::new(*right.object_root(), right.length() - 1, 1).unwrap();
    assert_eq!(refused(&points, &other_length, &key()), Class::WrongRecord);
    assert_eq!(refused(&points, &right, &BlindingKey::PUBLIC), Class::WrongProof);
    let zeros = reference::commitments(&KEY, &vec![0; object.len()], 1);
    assert_eq!(refused(&zeros, &right, &key()), Class::WrongProof);

    let mut swapped = points.clone();
    swapped.swap(0, 11);
    assert_eq!(refused(&swapped, &right, &key()), Class::WrongProof);
    // Errors that cancel when nobody weighs them.
    let mut cancelling = points.clone();
    cancelling[3] = (cancelling[3] + G1Affine::generator()).into_affine();
    cancelling[4] = (cancelling[4] - G1Affine::generator()).into_affine();
    assert_eq!(refused(&cancelling, &right, &key()), Class::WrongProof);
    // A point of order 3 beside a right one is erased by every equation, here too.
    let mut torsion = points;
    torsion[5] = (torsion[5] + G1Affine::new_unchecked(Fq::ZERO, Fq::from(2u8))).into_affine();
    assert!(taken(&object).check(&right, &key(), CommitmentTable::of_points(&torsion).bytes()).is_ok());
}

/// The bytes of a table are refused for what they are before any equation.
#[test]
fn bytes_that_are_no_table_are_refused() {
    let object = fixture::bytes(12 * 16_384);
    let table = reference::table(&reference::commitments(&KEY, &object, 1));
    let refused = |bytes: &[u8]| class(taken(&object).check(&replica(&object), &key(), bytes));
    assert_eq!(refused(&table[..1024]), Class::WrongLength);
    assert_eq!(refused(&[&table[..], &[0]].concat()), Class::WrongLength);
    let with = |place: usize, value: u8| {
        let mut bytes = table.clone();
        bytes[place] = value;
        refused(&bytes)
    };
    assert_eq!(with(1023, 1), Class::Malformed);
    assert_eq!(with(1024 + 192, 1), Class::Malformed);
    assert_eq!(with(95, table[95] ^ 1), Class::WrongPoint);
    let mut infinity = table.clone();
    infinity[..96].fill(0);
    assert_eq!(refused(&infinity), Class::WrongPoint);
}

/// Every answer leaks a bit about the coefficients, so they are asked eight times and not once more.
#[test]
fn coefficients_are_asked_eight_times_and_not_after_a_pass() {
    let object = fixture::bytes(100);
    let right = reference::table(&reference::commitments(&KEY, &object, 1));
    let wrong = reference::table(&reference::commitments(&KEY, &fixture::bytes(101)[1..], 1));
    let mut check = taken(&object);
    for _ in 0..7 {
        assert_eq!(class(check.check(&replica(&object), &key(), &wrong[..])), Class::WrongProof);
    }
    assert!(check.check(&replica(&object), &key(), &right[..]).is_ok());
    assert!(matches!(check.check(&replica(&object), &key(), &right[..]), Err(CheckFailure::Used)));
    let mut spent = taken(&object);
    for _ in 0..8 {
        assert_eq!(class(spent.check(&replica(&object), &key(), &wrong[..])), Class::WrongProof);
    }
    assert!(matches!(spent.check(&replica(&object), &key(), &right[..]), Err(CheckFailure::Used)));
}

/// Two checks of the same bytes weigh them differently; equal weights would let a table be made to pass.
#[test]
fn coefficients_are_fresh() {
    let values = [(); 2].map(|()| taken(&[1; 40]).open.as_ref().unwrap().1.clone());
    assert_ne!(*values[0], *values[1]);
}

/// 100,000 commitments to blocks of zeros with blindings 1, 2, …: H, 2·H, …; then one of them is of another block.
#[test]
fn one_wrong_block_among_100_000_is_refused() {
    let count = 100_000;
    let generators = Generators::standard();
    let multiples = std::iter::successors(Some(generators.blinding().into_group()), |point| {
        Some(*point + generators.blinding())
    });
    let points: Vec<G1Projective> = multiples.take(count).collect();
    let mut points = G1Projective::normalize_batch(&points);
    let blindings: Vec<Fr> = (1..=count as u64).map(Fr::from).collect();
    let zeros = [0; BLOCK_BYTES];
    let mut blocks = vec![&zeros[..]; count];
    assert!(gate(&blocks, &blindings, &points).unwrap());

    let mut one_bit = zeros;
    one_bit[16_000] = 1;
    blocks[71_234] = &one_bit;
    assert!(!gate(&blocks, &blindings, &points).unwrap());
    points[71_234] = reference::commitment(&one_bit, blindings[71_234]);
    assert!(gate(&blocks, &blindings, &points).unwrap());
    assert_eq!(encode_point(&points[0]), encode_point(generators.blinding()));
}

/// Against the reference with the same coefficients, right and wrong.
#[test]
fn the_equation_is_that_of_the_reference() {
    let object = fixture::bytes(3 * 16_384 + 100);
    let blocks: Vec<&[u8]> = object.chunks(16_384).collect();
    let blindings: Vec<Fr> = (0..4).map(|block| key().scalar(&replica(&object), block)).collect();
    let mut points: Vec<G1Affine> = blocks
        .iter()
        .zip(&blindings)
        .map(|(block, blinding)| reference::commitment(block, *blinding))
        .collect();
    let coefficients = Coefficients([7; 32]).stream().take(4);
    let scalars: Vec<Fr> = coefficients.iter().copied().map(Fr::from).collect();
    for expected in [true, false] {
        let mut left_side = LeftSide::default();
        left_side.add(&points, &coefficients, scalars.iter().zip(&blindings).map(|(a, b)| *a * b).sum());
        assert_eq!(left_side.vanishes(&combine(&coefficients, &blocks)), expected);
        assert_eq!(reference::store_check(&scalars, &blocks, &blindings, &points), expected);
        assert_eq!(gate(&blocks, &blindings, &points).unwrap(), expected);
        points.swap(1, 2);
    }
    assert!(gate(&[], &[], &[]).unwrap());
}

/// What waits in a file gives the same verdicts, counts tries over processes, and is gone after a pass or eight of them.
#[test]
fn checks_wait_in_files_and_count_their_tries_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("object.check");
    let object = fixture::bytes(20_000);
    let right = reference::table(&reference::commitments(&KEY, &object, 1));
    let wrong = reference::table(&reference::commitments(&KEY, &fixture::bytes(20_001)[1..], 1));
    let check = |table: &[u8]| CheckFile::open(&path)?.check(&replica(&object), &key(), table);
    let is_wrong = |result: Result<[u8; 32], CheckFileError>| matches!(result, Err(CheckFileError::Check(CheckFailure::Refused(refused))) if refused.class == Class::WrongProof);

    CheckFile::create(&path, &taken(&object)).unwrap();
    assert!(CheckFile::create(&path, &taken(&object)).is_err(), "it would forget the tries");
    for _ in 0..7 {
        assert!(is_wrong(check(&wrong)));
    }
    assert!(check(&right).is_ok());
    assert!(matches!(check(&right), Err(CheckFileError::File(_))), "removed after a pass");

    CheckFile::create(&path, &taken(&object)).unwrap();
    for _ in 0..8 {
        assert!(is_wrong(check(&wrong)));
    }
    assert!(matches!(check(&right), Err(CheckFileError::File(_))), "removed after eight tries");
}

/// A crash between the count and the verdict uses the try up; a file whose tries are used gives no ninth.
#[test]
fn a_try_is_counted_before_the_table_is_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("object.check");
    let object = fixture::bytes(100);
    let file = CheckFile::create(&path, &taken(&object)).unwrap();
    /// A table that looks at the file while it is read.
    struct Looking<'a>(&'a std::path::Path, Option<u8>);
    impl Read for Looking<'_> {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.1 = Some(std::fs::read(self.0)?[4]);
            Err(io::ErrorKind::Other.into())
        }
    }
    let mut table = Looking(&path, None);
    let failed = file.check(&replica(&object), &key(), &mut table);
    assert!(matches!(failed, Err(CheckFileError::Check(CheckFailure::Read(_)))));
    assert_eq!(table.1, Some(1));

    // During the last one the file is gone: a crash must not leave coefficients that nobody erases any more.
    (2..TRIES).for_each(|_| assert!(file.check(&replica(&object), &key(), &mut table).is_err()));
    assert_eq!(table.1, Some(7));
    assert!(file.check(&replica(&object), &key(), &mut table).is_err());
    assert_eq!((table.1, path.exists()), (Some(7), false), "nothing was there to look at");
}

/// The bytes of the specification; anything else is refused.
#[test]
fn waiting_checks_go_round() {
    let check = taken(&[7; 40]);
    let bytes = check.encode().unwrap();
    assert_eq!((bytes.len(), &bytes[..16]), (16_976, &b"HFK1\0\0\0\0\x28\0\0\0\0\0\0\0"[..]));
    let read = StoreCheck::decode(&bytes).unwrap();
    assert_eq!(*read.encode().unwrap(), *bytes);
    let refused = |place: usize, value: u8| {
        let mut wrong = bytes.to_vec();
        wrong[place] = value;
        StoreCheck::decode(&wrong).err().map(|refused| refused.class)
    };
    for (place, value) in [(0, 0), (4, 9), (5, 1), (48 + 31, 0xff)] {
        assert_eq!(refused(place, value), Some(Class::Malformed), "byte {place}");
    }
    assert_eq!(StoreCheck::decode(&bytes[1..]).err().map(|refused| refused.class), Some(Class::WrongLength));
    let mut used = bytes.to_vec();
    used[4] = 8;
    assert!(StoreCheck::decode(&used).unwrap().is_used());
}
