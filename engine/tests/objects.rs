//! Objects on a real disk: every awkward length there and back, damage, expiry, quotas, and windows that make room.

#![allow(clippy::unwrap_used, reason = "the helpers here belong to tests too")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_engine::object::{Address, Hashed, Holdings, ObjectError, Objects, PutTerms, split_samples};
use holdfast_engine::rejection::Class;
use holdfast_engine::tree::{self, Outboard};
use holdfast_partition::format::{Geometry, REGISTRATION_BYTES};
use holdfast_partition::io::MemoryIo;
use holdfast_partition::objects::{
    Beside, ObjectFile, ObjectName, ObjectStore, ObjectStoreError, Outcome, Sharing, objects_directory,
};
use holdfast_partition::partition_file::{OpenMode, PartitionFile};
use proptest::prelude::*;

const BLOCK: usize = 16_384;
const NOW: u64 = 1_700_000_000;

/// The lengths that miners of FileTAO could not be honest about, and borders of blocks and outboard pages.
fn lengths() -> Vec<usize> {
    let mut lengths = vec![0, 1, 30, 31, 32, 1023, 1024, 1025];
    for blocks in [1, 2, 3, 7, 63, 64, 65, 128, 129] {
        lengths.extend([blocks * BLOCK - 1, blocks * BLOCK, blocks * BLOCK + 1]);
    }
    lengths
}

fn string(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251 + at / 65_536).to_le_bytes()[0]).collect()
}

/// A store in a directory that is there as long as the first value is.
fn fixture(budget_bytes: u64) -> (tempfile::TempDir, PathBuf, Objects) {
    let parent = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = objects_directory(&parent.path().join("partition-00000001.holdfast"));
    let objects = Objects::new(ObjectStore::create(&path, budget_bytes).unwrap());
    (parent, path, objects)
}

fn terms() -> PutTerms<'static> {
    PutTerms { now: NOW, ..PutTerms::default() }
}

fn put(objects: &Objects, bytes: &[u8]) -> Address {
    objects.put(bytes, &terms()).unwrap().stat.cid
}

fn get(objects: &Objects, address: &Address) -> Vec<u8> {
    let reader = objects.open(address, NOW).unwrap();
    let mut bytes = Vec::new();
    reader.copy(0..reader.length(), &mut bytes).unwrap();
    bytes
}

fn class(error: ObjectError) -> Class {
    match error {
        ObjectError::Rejected(rejection) => rejection.class,
        other => panic!("{other}"),
    }
}

/// Flips one bit of a file.
fn damage(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn every_length_comes_back_whole_and_in_ranges() {
    let (_parent, _, objects) = fixture(1 << 30);
    for length in lengths() {
        let bytes = string(length);
        let declared_bytes = Some(length as u64);
        let put = objects.put(bytes.as_slice(), &PutTerms { declared_bytes, ..terms() }).unwrap();
        let [blake3, sha256] = Address::both_of(&bytes);
        assert_eq!((put.stat.cid, put.stat.cid_sha256), (blake3, sha256), "{length}");
        assert_eq!((put.stat.bytes, put.stat.blocks), (length as u64, length.div_ceil(BLOCK) as u64));
        assert_eq!(
            put.stat.disk_bytes,
            Objects::disk_bytes(length as u64),
            "what is reserved is what is taken"
        );
        for address in [blake3, sha256] {
            assert!(get(&objects, &address) == bytes, "{length}");
        }
        assert!(objects.verify(&blake3).unwrap().is_sound(), "{length}");
        let reader = objects.open(&blake3, NOW).unwrap();
        let places =
            [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 64 * BLOCK, length / 2, length.saturating_sub(1), length];
        for start in places.into_iter().filter(|&start| start <= length) {
            for end in places.into_iter().filter(|&end| start <= end && end <= length) {
                let mut part = Vec::new();
                reader.copy(start as u64..end as u64, &mut part).unwrap();
                assert!(part == bytes[start..end], "{start}..{end} of {length}");
            }
        }
        let beyond = reader.copy(0..length as u64 + 1, &mut Vec::new());
        assert!(matches!(beyond, Err(ObjectError::NoSuchRange { .. })), "{length}");
    }
    let count = objects.list().unwrap().len();
    assert_eq!(count, lengths().len());
}

/// The plain BLAKE3 hash names it, and the outboard on the disk is the tree's.
#[test]
fn files_on_the_disk_are_plain() {
    let (_parent, path, objects) = fixture(1 << 30);
    let bytes = string(200 * BLOCK + 5);
    put(&objects, &bytes);
    let directory = path.join(blake3::hash(&bytes).to_hex().as_str());
    assert!(fs::read(directory.join("data")).unwrap() == bytes);
    let outboard: Vec<u8> = Outboard::of(&bytes).pages().flatten().collect();
    assert!(fs::read(directory.join("outboard")).unwrap() == outboard);
    put(&objects, &bytes[..BLOCK]);
    let small = path.join(blake3::hash(&bytes[..BLOCK]).to_hex().as_str());
    assert!(!small.join("outboard").exists());
}

/// 4 GiB and a byte: an offset that was squeezed through 32 bits would come back as the beginning.
#[test]
fn more_than_four_gibibytes_come_back() {
    let length = (4_u64 << 30) + 1;
    let (_parent, path, objects) = fixture(2 * length);
    let source = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    // Sparse: three marks in zeros.
    let marks = [(0, b'a'), ((4 << 30) - 1, b'b'), (length - 1, b'c')];
    source.as_file().set_len(length).unwrap();
    for (at, mark) in marks {
        source.as_file().write_all_at(&[mark], at).unwrap();
    }
    let put =
        objects.put(source.reopen().unwrap(), &PutTerms { declared_bytes: Some(length), ..terms() }).unwrap();
    let mut file = source.reopen().unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).unwrap();
    assert_eq!(put.stat.root.0, *hasher.finalize().as_bytes());

    let reader = objects.open(&put.stat.cid, NOW).unwrap();
    for (at, mark) in marks {
        let start = at.saturating_sub(3);
        let mut part = Vec::new();
        reader.copy(start..at + 1, &mut part).unwrap();
        assert_eq!((part.len() as u64, part.pop()), (at + 1 - start, Some(mark)), "byte {at}");
    }
    // Whole, against the source.
    let mut compared = Comparing { source: source.reopen().unwrap(), buffer: Vec::new() };
    assert_eq!(reader.copy(0..length, &mut compared).unwrap(), length);
    objects.remove(&put.stat.cid).unwrap();
}

/// Takes bytes and refuses those that a file does not have.
struct Comparing {
    source: File,
    buffer: Vec<u8>,
}

impl Write for Comparing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.resize(bytes.len(), 0);
        self.source.read_exact(&mut self.buffer)?;
        if self.buffer == bytes { Ok(bytes.len()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Each byte is damaged in turn in each kind of place; nothing from the damaged block on is handed on.
#[test]
fn a_damaged_byte_is_found_before_it_is_handed_on() {
    for length in [1, 1024, BLOCK, BLOCK + 1, 3 * BLOCK, 65 * BLOCK + 7, 200 * BLOCK] {
        let (_parent, path, objects) = fixture(1 << 30);
        let bytes = string(length);
        let address = put(&objects, &bytes);
        let data = path.join(objects.find(&address).unwrap().to_string()).join("data");
        let places = [0, 1, length / 2, BLOCK - 1, BLOCK, 64 * BLOCK - 1, 64 * BLOCK, length - 1];
        for at in places.into_iter().filter(|&at| at < length) {
            damage(&data, at as u64);
            let reader = objects.open(&address, NOW).unwrap();
            let mut handed_on = Vec::new();
            let block = at / BLOCK;
            let found = reader.copy(0..length as u64, &mut handed_on).unwrap_err();
            assert!(
                matches!(found, ObjectError::DamagedBlock { block: found, .. } if found == block as u64),
                "byte {at} of {length}: {found}"
            );
            assert!(handed_on == bytes[..block * BLOCK], "byte {at} of {length}");
            // Another byte of that block is not handed on either; blocks beside it are.
            let neighbour = if at % BLOCK == 0 { at } else { at - 1 };
            assert!(reader.copy(neighbour as u64..neighbour as u64 + 1, &mut io::sink()).is_err());
            let beside = [block.checked_sub(1), Some(block + 1)].into_iter().flatten();
            for other in beside.filter(|&other| other * BLOCK < length) {
                let range = other * BLOCK..length.min((other + 1) * BLOCK);
                let mut part = Vec::new();
                reader.copy(range.start as u64..range.end as u64, &mut part).unwrap();
                assert!(part == bytes[range]);
            }
            let verified = objects.verify(&address).unwrap();
            assert!(!verified.is_sound() && !verified.data_is_sound && !verified.sha256_is_sound);
            assert_eq!((verified.damaged_blocks, verified.damaged_pages), (vec![block as u64], vec![]));
            assert!(objects.mend_outboard(&address).is_err(), "the outboard of other bytes");
            damage(&data, at as u64);
            assert!(objects.verify(&address).unwrap().is_sound());
        }
    }
}

#[test]
fn a_damaged_outboard_is_told_from_damaged_data_and_mended() {
    let (_parent, path, objects) = fixture(1 << 30);
    let bytes = string(130 * BLOCK);
    let address = put(&objects, &bytes);
    let outboard = path.join(objects.find(&address).unwrap().to_string()).join("outboard");
    // A block's value, the path to the root, and a byte that is zero.
    for at in [4096, 4096 + 2048, 4096 + 4095] {
        damage(&outboard, at);
        let reader = objects.open(&address, NOW).unwrap();
        let mut handed_on = Vec::new();
        let found = reader.copy(0..bytes.len() as u64, &mut handed_on).unwrap_err();
        assert!(matches!(found, ObjectError::DamagedOutboard { page: 1, .. }), "{found}");
        assert!(handed_on == bytes[..64 * BLOCK]);
        let verified = objects.verify(&address).unwrap();
        assert!(verified.data_is_sound && verified.sha256_is_sound && !verified.is_sound());
        assert_eq!((verified.damaged_blocks, verified.damaged_pages), (vec![], vec![1]));
        objects.mend_outboard(&address).unwrap();
        assert!(objects.verify(&address).unwrap().is_sound());
        assert!(get(&objects, &address) == bytes);
    }
}

/// A page of another object, or of another place, is as wrong as a damaged one.
#[test]
fn pages_are_checked_for_their_object_and_their_place() {
    let bytes = string(200 * BLOCK);
    let outboard = Outboard::of(&bytes);
    let pages: Vec<_> = outboard.pages().collect();
    let (length, root) = (bytes.len() as u64, outboard.root());
    for (number, page) in (0..).zip(&pages) {
        let values = tree::verify_page(page, number, length, &root).unwrap();
        let expected = bytes.chunks(BLOCK).zip(0..).map(|(bytes, block)| tree::block_value(block, bytes));
        assert!(values.iter().copied().eq(expected.skip(64 * usize::try_from(number).unwrap()).take(64)));
        for other in (0..4).filter(|&other| other != number) {
            assert!(tree::verify_page(page, other, length, &root).is_err(), "page {number} as {other}");
        }
    }
    let refused = |number, root| tree::verify_page(&pages[0], number, length, root).map_err(|r| r.class);
    assert_eq!(refused(1, &root), Err(Class::WrongRoot));
    assert_eq!(refused(4, &root), Err(Class::Malformed));
    let other = Outboard::of(&bytes[1..]);
    assert_eq!(refused(0, &other.root()), Err(Class::WrongRoot));
}

#[test]
fn streams_that_are_not_what_was_announced_leave_nothing() {
    let (_parent, path, objects) = fixture(1 << 30);
    let bytes = string(5 * BLOCK);
    let length = bytes.len() as u64;
    let [blake3, sha256] = Address::both_of(&bytes);
    let [other, _] = Address::both_of(b"other");
    let refused = |terms| class(objects.put(bytes.as_slice(), &terms).unwrap_err());
    assert_eq!(refused(PutTerms { declared_bytes: Some(length - 1), ..terms() }), Class::WrongLength);
    assert_eq!(refused(PutTerms { declared_bytes: Some(length + 1), ..terms() }), Class::WrongLength);
    assert_eq!(refused(PutTerms { declared_bytes: Some((1 << 50) + 1), ..terms() }), Class::WrongLength);
    assert_eq!(refused(PutTerms { expected: Some(other), ..terms() }), Class::WrongRoot);
    assert_eq!(refused(PutTerms { expires_at: Some(NOW), ..terms() }), Class::Policy);
    let torn = bytes.as_slice().chain(Torn);
    assert!(matches!(objects.put(torn, &terms()), Err(ObjectError::Source(_))));
    assert_eq!((objects.list().unwrap(), objects.store().object_bytes().unwrap()), (vec![], 0));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 2, "header and lock");
    for expected in [blake3, sha256] {
        objects.put(bytes.as_slice(), &PutTerms { expected: Some(expected), ..terms() }).unwrap();
    }
}

/// A stream whose other end went away.
struct Torn;

impl Read for Torn {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

#[test]
fn the_same_bytes_are_stored_once() {
    let (_parent, _, objects) = fixture(1 << 20);
    let first = objects.put(b"x".as_slice(), &terms()).unwrap();
    let again = objects.put(b"x".as_slice(), &PutTerms { now: NOW + 5, ..terms() }).unwrap();
    assert_eq!((first.outcome, again.outcome), (Outcome::Stored, Outcome::AlreadyThere));
    assert_eq!(first.stat, again.stat);
}

#[test]
fn a_full_budget_refuses_before_and_while_bytes_come_and_keeps_nothing_of_them() {
    let budget = Objects::disk_bytes(100_000);
    let (_parent, path, objects) = fixture(budget);
    let bytes = string(100_001 + 4096);
    let full = |error| matches!(error, ObjectError::Store(ObjectStoreError::Full { .. }));
    // A source that must not be asked: the refusal comes first.
    let declared_bytes = Some(bytes.len() as u64);
    assert!(full(objects.put(Torn, &PutTerms { declared_bytes, ..terms() }).unwrap_err()));
    assert!(full(objects.put(bytes.as_slice(), &terms()).unwrap_err()));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
    let address = put(&objects, &bytes[..100_000]);
    assert_eq!(objects.store().free_bytes().unwrap(), 0);
    assert!(full(objects.put(b"".as_slice(), &terms()).unwrap_err()));
    assert_eq!(objects.remove(&address).unwrap(), budget);
    put(&objects, &bytes[1..100_000]);
}

#[test]
fn expired_objects_are_refused_to_readers_and_collected() {
    let (_parent, path, objects) = fixture(1 << 24);
    let at = |expires_at| PutTerms { expires_at, ..terms() };
    let soon = objects.put(b"soon".as_slice(), &at(Some(NOW + 10))).unwrap().stat;
    let late = objects.put(b"late".as_slice(), &at(Some(NOW + 20))).unwrap().stat;
    let never = objects.put(b"never".as_slice(), &at(None)).unwrap().stat;
    objects.open(&soon.cid, NOW + 9).unwrap();
    let refused = objects.open(&soon.cid, NOW + 10).unwrap_err();
    assert!(matches!(refused, ObjectError::Expired { expires_at, .. } if expires_at == NOW + 10));
    assert!(objects.verify(&soon.cid).unwrap().is_sound(), "still there");
    assert_eq!(objects.collect_garbage(NOW + 9).unwrap().removed, []);
    let collected = objects.collect_garbage(NOW + 19).unwrap();
    assert_eq!((collected.removed, collected.bytes_freed), (vec![soon.root], soon.disk_bytes));
    assert!(matches!(objects.open(&soon.cid, NOW), Err(ObjectError::NoSuchObject { .. })));
    // A lease that is extended in time is kept.
    objects.store().set_expiry(late.root, None).unwrap();
    assert_eq!(objects.collect_garbage(u64::MAX).unwrap().removed, []);
    drop(objects);
    let (store, _) = ObjectStore::open(&path, OpenMode::ReadWrite).unwrap();
    assert_eq!(Objects::new(store).list().unwrap().len(), 2);
    assert_ne!(late.root, never.root);
}

#[test]
fn deleted_and_unknown_objects_are_named_as_they_were_asked_for() {
    let (_parent, _, objects) = fixture(1 << 24);
    let stat = objects.put(b"x".as_slice(), &terms()).unwrap().stat;
    assert_eq!(objects.remove(&stat.cid_sha256).unwrap(), stat.disk_bytes);
    for address in [stat.cid, stat.cid_sha256] {
        for error in [
            objects.open(&address, NOW).map(|_| ()).unwrap_err(),
            objects.stat(&address).map(|_| ()).unwrap_err(),
            objects.remove(&address).map(|_| ()).unwrap_err(),
            objects.verify(&address).map(|_| ()).unwrap_err(),
        ] {
            assert!(
                matches!(error, ObjectError::NoSuchObject { address: named } if named == address),
                "{error}"
            );
        }
    }
}

#[test]
fn an_object_answers_possession_audits_once_it_has_a_table_and_a_record() {
    let (_parent, _, objects) = fixture(1 << 24);
    let stat = objects.put(b"x".as_slice(), &terms()).unwrap().stat;
    assert_eq!(stat.audits, ["chunks"]);
    let beside = |beside| objects.store().write_beside(stat.root, beside, |out| out.write(b"t")).unwrap();
    beside(Beside::Table);
    assert_eq!(objects.stat(&stat.cid).unwrap().audits, ["chunks"]);
    beside(Beside::Record);
    assert_eq!(objects.stat(&stat.cid).unwrap().audits, ["chunks", "possession", "link"]);
}

#[test]
fn what_is_known_is_said_in_json() {
    let (_parent, _, objects) = fixture(1 << 24);
    let stat =
        objects.put(b"abc".as_slice(), &PutTerms { expires_at: Some(NOW + 1), ..terms() }).unwrap().stat;
    let json = serde_json::to_value(&stat).unwrap();
    let expected = serde_json::json!({
        "root": "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        "cid": "bafkr4ideg6z2yocgkez77nr3outtvdnvjdcvqrs5phnqh7jvtrwnlpm5qu",
        "cid_sha256": "bafkreif2pall7dybz7vecqka3zo24irdwabwdi4wc55jznaq75q7eaavvu",
        "bytes": 3, "blocks": 1, "disk_bytes": 12288, "stored_at": NOW, "expires_at": NOW + 1, "audits": ["chunks"],
    });
    assert_eq!(json, expected);
}

/// The whole exchange: windows go, the object comes, the map says so, audits ask both, the object goes, windows come back.
#[test]
fn an_object_takes_the_place_of_windows_and_frees_them_again() {
    let (_parent, _, objects) = fixture(0);
    let mut registration = [0; REGISTRATION_BYTES];
    (registration[4], registration[5], registration[8]) = (10, 2, 20);
    let geometry = Geometry::of_registration(&registration).unwrap();
    let file = PartitionFile::create(Arc::new(MemoryIo::new()), registration).unwrap();
    let budget = geometry.allocated_bytes(20).unwrap();
    objects.store().set_budget(budget).unwrap();
    let sharing = Sharing::new(budget, geometry);
    let resize = |windows: u64| {
        file.resize(windows, &mut |_| true).unwrap();
        objects.store().set_window_bytes(sharing.windows_disk_bytes(windows)).unwrap();
    };
    resize(20);
    let bytes = string(100_000);
    let needed = Objects::disk_bytes(100_000);
    let declared = PutTerms { declared_bytes: Some(100_000), ..terms() };
    assert!(objects.put(bytes.as_slice(), &declared).is_err(), "all of it is windows");

    let gone = sharing.windows_to_give_up(20, objects.store().object_bytes().unwrap(), needed).unwrap();
    assert_eq!(gone, needed.div_ceil(geometry.bytes_per_window()));
    resize(20 - gone);
    let stat = objects.put(bytes.as_slice(), &declared).unwrap().stat;
    let map = sharing.map(20 - gone, &objects.store().list().unwrap());
    assert_eq!((map.windows.count, map.objects.len()), (20 - gone, 1));
    assert_eq!(map.windows.disk_bytes + map.object_disk_bytes + map.free_bytes, budget);
    assert_eq!(map.objects[0].name, stat.root);
    let split = split_samples(&Holdings::from(&map), 64, &[3; 32]);
    // 100,000 of 100,000 + 17 · 32,768 bytes.
    assert_eq!((gone, split.windows, split.objects), (3, 54, vec![(stat.root, 10)]));

    objects.remove(&stat.cid).unwrap();
    assert_eq!(sharing.windows_to_fill_again(20 - gone, objects.store().object_bytes().unwrap()), gone);
    resize(20);
    assert_eq!(objects.store().free_bytes().unwrap(), 0);
}

#[test]
fn a_stream_is_hashed_as_its_bytes_are() {
    for length in lengths() {
        let bytes = string(length);
        let hashed = Hashed::of(bytes.as_slice()).unwrap();
        assert_eq!(hashed.addresses(), Address::both_of(&bytes), "{length}");
        assert_eq!(hashed.outboard.is_some(), length > BLOCK);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_range_of_any_object_comes_back(length in 0_usize..3_000_000, places: (u32, u32)) {
        let (_parent, _, objects) = fixture(1 << 30);
        let bytes = string(length);
        let address = put(&objects, &bytes);
        let place = |place: u32| place as usize % (length + 1);
        let (start, end) = (place(places.0).min(place(places.1)), place(places.0).max(place(places.1)));
        let mut part = Vec::new();
        objects.open(&address, NOW).unwrap().copy(start as u64..end as u64, &mut part).unwrap();
        prop_assert!(part == bytes[start..end]);
    }
}

#[test]
fn no_text_leads_out_of_the_directory() {
    let (_parent, path, objects) = fixture(1 << 24);
    for text in ["../../etc/passwd", "..", "/", ".incoming-0", "store", "a/b"] {
        assert!(text.parse::<Address>().is_err() && text.parse::<ObjectName>().is_err());
    }
    let file = objects.store().file_path(ObjectName([0x2e; 32]), ObjectFile::Data);
    assert_eq!(file, path.join("2e".repeat(32)).join("data"));
}
