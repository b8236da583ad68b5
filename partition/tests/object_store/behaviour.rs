use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;

use holdfast_partition::objects::{
    Beside, Damage, EntryError, Incoming, ObjectFile, ObjectStore, ObjectStoreError, Outcome,
    object_disk_bytes,
};
use holdfast_partition::partition_file::OpenMode;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{BUDGET_BYTES, PAGE, begin, directory, entry, is_missing, listing, name, names, open, put};

fn read(store: &ObjectStore, number: u8, file: ObjectFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.open_file(name(number), file).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_stored_is_there_after_opening_again() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    assert_eq!(put(&store, 1, b"some bytes"), Outcome::Stored);
    assert_eq!(begin(&store, b"", b"").commit(entry(2, Some(77))).unwrap(), Outcome::Stored);
    let before = store.list().unwrap();
    let bytes = store.object_bytes().unwrap();
    assert_eq!(bytes, object_disk_bytes(10, 4096) + object_disk_bytes(0, 0));
    drop(store);

    let (store, report) = open(&path);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((store.list().unwrap(), store.object_bytes().unwrap()), (before, bytes));
    assert_eq!(store.budget_bytes().unwrap(), BUDGET_BYTES);
    assert_eq!(read(&store, 1, ObjectFile::Data), b"some bytes");
    assert_eq!(read(&store, 1, ObjectFile::Outboard), [1; 4096]);
    assert_eq!(store.object(name(2)).unwrap().entry.expires_at, Some(77));
    assert!(is_missing(store.object(name(3))));
}

#[test]
fn an_object_stored_twice_is_one_object_with_the_later_expiry() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    for (expires_at, then) in
        [(Some(50), Some(50)), (Some(40), Some(50)), (Some(60), Some(60)), (None, None), (Some(70), None)]
    {
        begin(&store, b"same", b"").commit(entry(1, expires_at)).unwrap();
        assert_eq!(store.object(name(1)).unwrap().entry.expires_at, then, "after {expires_at:?}");
    }
    assert_eq!(begin(&store, b"same", b"").commit(entry(1, None)).unwrap(), Outcome::AlreadyThere);
    assert_eq!(store.object_bytes().unwrap(), object_disk_bytes(4, 0));
    assert_eq!(listing(&path), [".lock".to_owned(), name(1).to_string(), "store".to_owned()]);
}

#[test]
fn a_deleted_object_is_gone_and_its_space_free() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    put(&store, 1, &[1; 5000]);
    put(&store, 2, b"stays");
    let mut reader = store.open_file(name(1), ObjectFile::Data).unwrap();
    assert_eq!(store.remove(name(1)).unwrap(), object_disk_bytes(5000, 4096));
    assert!(is_missing(store.object(name(1))) && is_missing(store.open_file(name(1), ObjectFile::Data)));
    assert!(is_missing(store.remove(name(1))));
    assert_eq!(store.object_bytes().unwrap(), object_disk_bytes(5, 4096));
    // Who was reading reads to the end.
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, [1; 5000]);
    drop(store);
    let (store, report) = open(&path);
    assert!(report.is_clean());
    assert_eq!(names(&store), [name(2)]);
}

#[test]
fn the_budget_holds_to_the_page() {
    let (_parent, path) = directory();
    let budget = object_disk_bytes(PAGE, 0) + 3 * PAGE;
    let store = ObjectStore::create(&path, budget).unwrap();
    begin(&store, &[0; 4096], b"").commit(entry(1, None)).unwrap();
    assert_eq!(store.free_bytes().unwrap(), 3 * PAGE);
    // Refused before anything is written, and while it comes.
    assert!(matches!(
        store.begin(4 * PAGE),
        Err(ObjectStoreError::Full { needed_bytes, free_bytes, .. }) if (needed_bytes, free_bytes) == (4 * PAGE, 3 * PAGE)
    ));
    let mut incoming = store.begin(0).unwrap();
    incoming.write_data(&[0; 4096]).unwrap();
    assert!(matches!(incoming.write_data(&[0]), Err(ObjectStoreError::Full { .. })));
    // A second one may not have what the first was promised.
    assert!(matches!(store.begin(0), Err(ObjectStoreError::Full { free_bytes: 0, .. })));
    drop(incoming);
    assert_eq!((store.free_bytes().unwrap(), listing(&path).len()), (3 * PAGE, 3));
    begin(&store, &[0; 4096], b"").commit(entry(2, None)).unwrap();
    assert_eq!(store.free_bytes().unwrap(), 0);
}

#[test]
fn windows_count_against_the_budget() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    store.set_window_bytes(BUDGET_BYTES - 2 * PAGE).unwrap();
    assert!(
        matches!(store.begin(3 * PAGE), Err(ObjectStoreError::Full { free_bytes, .. }) if free_bytes == 2 * PAGE)
    );
    store.set_window_bytes(BUDGET_BYTES - 3 * PAGE).unwrap();
    begin(&store, &[0; 4096], b"").commit(entry(1, None)).unwrap();
    store.set_window_bytes(u64::MAX).unwrap();
    assert_eq!(store.free_bytes().unwrap(), 0, "no overflow");
}

#[test]
fn another_budget_is_kept_but_never_one_below_what_objects_take() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    put(&store, 1, b"x");
    let taken = store.object_bytes().unwrap();
    assert!(matches!(store.set_budget(taken - 1), Err(ObjectStoreError::Full { .. })));
    store.set_budget(taken).unwrap();
    drop(store);
    assert_eq!(open(&path).0.budget_bytes().unwrap(), taken);
}

#[test]
fn expired_objects_are_named_and_another_expiry_is_kept() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    for (number, expires_at) in [(1, Some(100)), (2, Some(200)), (3, None)] {
        begin(&store, &[number], b"").commit(entry(number, expires_at)).unwrap();
    }
    assert_eq!(store.expired(99).unwrap(), []);
    assert_eq!(store.expired(100).unwrap(), [name(1)]);
    assert_eq!(store.expired(u64::MAX).unwrap(), [name(1), name(2)]);
    store.set_expiry(name(1), Some(300)).unwrap();
    store.set_expiry(name(3), Some(150)).unwrap();
    drop(store);
    let (store, report) = open(&path);
    assert!(report.is_clean());
    assert_eq!(store.expired(200).unwrap(), [name(2), name(3)]);
}

#[test]
fn files_that_come_later_stand_beside_the_data_and_are_counted() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    put(&store, 1, b"data");
    let alone = store.object_bytes().unwrap();
    let write = |beside, bytes: &[u8]| store.write_beside(name(1), beside, |out| out.write(bytes));
    write(Beside::Table, &[7; 5000]).unwrap();
    write(Beside::Record, b"signed").unwrap();
    assert_eq!(store.object_bytes().unwrap(), alone + 3 * PAGE);
    write(Beside::Table, &[8; 10]).unwrap();
    assert_eq!(store.object_bytes().unwrap(), alone + 2 * PAGE);
    // An outboard can be made anew, but it has one length only.
    write(Beside::Outboard, &[9; 4096]).unwrap();
    assert!(matches!(write(Beside::Outboard, &[9; 4095]), Err(ObjectStoreError::Damaged { .. })));
    assert!(is_missing(store.write_beside(name(2), Beside::Table, |_| Ok(()))));
    // More than is free: the old one stays.
    let large = usize::try_from(BUDGET_BYTES).unwrap();
    assert!(matches!(write(Beside::Table, &vec![0; large]), Err(ObjectStoreError::Full { .. })));
    let object = store.object(name(1)).unwrap();
    assert_eq!((object.table_bytes, object.record_bytes), (Some(10), Some(6)));
    drop(store);

    let (store, report) = open(&path);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(store.object(name(1)).unwrap(), object);
    assert_eq!(read(&store, 1, ObjectFile::Table), [8; 10]);
    assert_eq!(read(&store, 1, ObjectFile::Outboard), [9; 4096]);
    store.remove(name(1)).unwrap();
    assert_eq!((store.object_bytes().unwrap(), listing(&path).len()), (0, 2));
}

#[test]
fn one_handle_writes_and_any_number_read() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    put(&store, 1, b"x");
    let again = ObjectStore::open(&path, OpenMode::ReadWrite);
    assert!(matches!(again, Err(ObjectStoreError::Locked { .. })));
    let (reader, _) = ObjectStore::open(&path, OpenMode::ReadOnly).unwrap();
    assert_eq!(names(&reader), [name(1)]);
    assert!(matches!(reader.begin(0), Err(ObjectStoreError::ReadOnly)));
    assert!(matches!(reader.remove(name(1)), Err(ObjectStoreError::ReadOnly)));
    assert!(matches!(reader.set_expiry(name(1), None), Err(ObjectStoreError::ReadOnly)));
    assert!(matches!(reader.set_budget(1), Err(ObjectStoreError::ReadOnly)));
    drop(store);
    open(&path);
}

#[test]
fn a_directory_that_is_no_store_is_refused_and_not_touched() {
    let (_parent, path) = directory();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("diary.txt"), b"mine").unwrap();
    assert!(matches!(ObjectStore::create(&path, 1), Err(ObjectStoreError::Foreign { .. })));
    for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
        assert!(matches!(ObjectStore::open(&path, mode), Err(ObjectStoreError::Foreign { .. })));
    }
    // Another program's file of the header's name.
    fs::write(path.join("store"), [b'x'; 64]).unwrap();
    assert!(matches!(ObjectStore::open(&path, OpenMode::ReadWrite), Err(ObjectStoreError::Foreign { .. })));
    assert_eq!(fs::read(path.join("diary.txt")).unwrap(), b"mine");
    assert!(matches!(
        ObjectStore::open(&path.join("nowhere"), OpenMode::ReadOnly),
        Err(ObjectStoreError::Io(_))
    ));
}

#[test]
fn foreign_files_in_a_store_are_reported_and_never_touched() {
    let (parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    put(&store, 1, b"x");
    put(&store, 2, b"y");
    drop(store);
    let outside = parent.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("data"), b"precious").unwrap();
    let upper = path.join("AB".repeat(32));
    let foreign = [path.join("notes.txt"), path.join("notes.new"), upper.clone(), path.join(".incoming-x")];
    fs::write(&foreign[0], b"n").unwrap();
    fs::write(&foreign[1], b"n").unwrap();
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&foreign[3]).unwrap();
    // Links look like ours by name only: what they lead to is somebody else's.
    let links = [path.join(".leaving-3"), path.join(name(9).to_string())];
    for link in &links {
        symlink(&outside, link).unwrap();
    }
    let inside = path.join(name(1).to_string()).join("thumbnail.jpg");
    fs::write(&inside, b"j").unwrap();
    let mut expected: Vec<_> = foreign.iter().chain(&links).chain([&inside]).cloned().collect();
    expected.sort();

    let (store, report) = open(&path);
    assert_eq!((report.foreign, report.left_over), (expected.clone(), vec![]));
    assert_eq!(names(&store), [name(1), name(2)]);
    // An object whose directory holds somebody's file is not deleted, not even in part.
    let refused = store.remove(name(1));
    assert!(matches!(refused, Err(ObjectStoreError::Foreign { path, .. }) if path == inside));
    assert_eq!(read(&store, 1, ObjectFile::Data), b"x");
    assert!(expected.iter().all(|path| fs::symlink_metadata(path).is_ok()));
    assert_eq!(fs::read(outside.join("data")).unwrap(), b"precious");
}

/// Names of ours over what is not ours: a link is not read through, nothing but a file is opened (a pipe would hold the
/// opening up for ever), and neither goes with its object.
#[test]
fn links_and_pipes_under_names_of_ours_are_not_ours() {
    let (parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    put(&store, 1, b"x");
    put(&store, 2, b"y");
    drop(store);
    let outside = parent.path().join("outside");
    fs::write(&outside, b"precious").unwrap();
    let link = path.join(name(1).to_string()).join("table");
    symlink(&outside, &link).unwrap();
    let pipe = path.join(name(2).to_string()).join("entry");
    fs::remove_file(&pipe).unwrap();
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();

    let (store, report) = open(&path);
    assert_eq!(report.foreign, [link.clone(), pipe.clone()]);
    assert_eq!(report.damaged, [name(2)]);
    assert!(store.open_file(name(1), ObjectFile::Table).is_err());
    for (number, foreign) in [(1, &link), (2, &pipe)] {
        let refused = store.remove(name(number));
        assert!(matches!(refused, Err(ObjectStoreError::Foreign { path, .. }) if path == *foreign));
        assert!(fs::symlink_metadata(foreign).is_ok());
    }
}

/// The owner was told that the object stays; garbage collection looked before.
#[test]
fn an_expired_object_that_is_stored_again_is_not_collected() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    begin(&store, b"wanted", b"").commit(entry(1, Some(50))).unwrap();
    begin(&store, b"unwanted", b"").commit(entry(2, Some(50))).unwrap();
    let expired = store.expired(60).unwrap();
    assert_eq!(begin(&store, b"wanted", b"").commit(entry(1, Some(90))).unwrap(), Outcome::AlreadyThere);
    let removed: Vec<_> = expired.iter().map(|name| store.remove_expired(*name, 60).unwrap()).collect();
    assert_eq!(removed, [None, Some(object_disk_bytes(8, 0))]);
    assert_eq!(names(&store), [name(1)]);
    assert_eq!(store.remove_expired(name(2), 60).unwrap(), None, "gone already");
}

/// Two that write one file at once: each writes a whole one, and the last to finish stays.
#[test]
fn files_beside_an_object_that_are_written_at_once_do_not_mix() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    put(&store, 1, b"x");
    let slow = store.write_beside(name(1), Beside::Table, |out| {
        out.write(b"slow ")?;
        store.write_beside(name(1), Beside::Table, |out| out.write(b"fast"))?;
        assert_eq!(read(&store, 1, ObjectFile::Table), b"fast");
        out.write(b"but whole")
    });
    slow.unwrap();
    assert_eq!(read(&store, 1, ObjectFile::Table), b"slow but whole");
    assert_eq!(store.object(name(1)).unwrap().table_bytes, Some(14));
    drop(store);
    assert!(open(&path).1.is_clean());
}

/// Some that bring the bytes of a damaged object at once: what the first was told is stored never goes again.
#[test]
fn a_damaged_object_that_many_replace_at_once_is_stored_once() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, 4 * BUDGET_BYTES).unwrap();
    (0..64).for_each(|number| {
        put(&store, number, b"bytes");
    });
    drop(store);
    (0..64).for_each(|number| fs::write(path.join(name(number).to_string()).join("data"), b"byte").unwrap());
    let (store, report) = open(&path);
    assert_eq!(report.damaged.len(), 64);
    for number in 0..64 {
        let incoming = [0; 6].map(|_| begin(&store, b"bytes", &[number; 4096]));
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let commit =
                |incoming| scope.spawn(move || Incoming::commit(incoming, entry(number, None)).unwrap());
            incoming.map(commit).map(|thread| thread.join().unwrap()).to_vec()
        });
        let stored = outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count();
        assert_eq!(stored, 1, "{outcomes:?}");
        assert_eq!(read(&store, number, ObjectFile::Data), b"bytes");
    }
}

/// Each is kept, counted, said, refused to readers and can be deleted or stored again; none hides another object.
#[test]
fn damaged_objects_are_kept_and_named() {
    let (_parent, path) = directory();
    let store = ObjectStore::create(&path, BUDGET_BYTES).unwrap();
    (1..=6).for_each(|number| {
        put(&store, number, &[number; 100]);
    });
    let disk_bytes = store.object_bytes().unwrap();
    drop(store);
    let file = |number, file: ObjectFile| path.join(name(number).to_string()).join(file.name());
    let mut bytes = fs::read(file(1, ObjectFile::Entry)).unwrap();
    bytes[100] ^= 1;
    fs::write(file(1, ObjectFile::Entry), bytes).unwrap();
    fs::write(file(2, ObjectFile::Data), [2; 99]).unwrap();
    fs::remove_file(file(3, ObjectFile::Data)).unwrap();
    fs::remove_file(file(4, ObjectFile::Entry)).unwrap();
    fs::copy(file(6, ObjectFile::Entry), file(5, ObjectFile::Entry)).unwrap();

    let (store, report) = open(&path);
    assert_eq!(report.damaged, [1, 2, 3, 4, 5].map(name));
    assert_eq!(names(&store), [name(6)]);
    let found = store.damaged().unwrap();
    let length = |found| Damage::Length { file: "data", expected: 100, found };
    assert_eq!(found[0].1, Damage::Entry(EntryError::Checksum));
    assert_eq!((&found[1].1, &found[2].1), (&length(99), &length(0)));
    assert!(matches!(found[3].1, Damage::Unreadable(_)));
    assert_eq!(found[4].1, Damage::Entry(EntryError::OtherObject { found: name(6) }));
    assert!(matches!(store.open_file(name(2), ObjectFile::Data), Err(ObjectStoreError::Damaged { .. })));
    // One data file and one entry are gone, a page each.
    assert_eq!(store.object_bytes().unwrap(), disk_bytes - 2 * PAGE);

    store.remove(name(4)).unwrap();
    assert_eq!(put(&store, 2, &[2; 100]), Outcome::Stored);
    assert_eq!(names(&store), [name(2), name(6)]);
    drop(store);
    let (store, report) = open(&path);
    assert_eq!(report.damaged, [1, 3, 5].map(name));
    assert_eq!(read(&store, 2, ObjectFile::Data), [2; 100]);
}

/// Writers side by side stay within the budget, store each object once and leave nothing behind.
#[test]
fn many_may_store_at_once() {
    const WRITERS: u8 = 4;
    let (_parent, path) = directory();
    let each = object_disk_bytes(20_000, 0);
    let store = ObjectStore::create(&path, 12 * each).unwrap();
    let stored: usize = std::thread::scope(|scope| {
        let write = |writer: u8| {
            let store = &store;
            let try_one = move |number: u8| {
                let mut incoming = store.begin(0).ok()?;
                (0..20).try_for_each(|_| incoming.write_data(&[number; 1000])).ok()?;
                incoming.commit(entry(number, None)).ok()
            };
            // Ten of its own, and ten that all of them store.
            let numbers = (0..10).map(move |at| 10 * (writer + 1) + at).chain(0..10);
            scope.spawn(move || numbers.filter_map(try_one).filter(|&done| done == Outcome::Stored).count())
        };
        let writers: Vec<_> = (0..WRITERS).map(write).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    let objects = store.list().unwrap();
    assert_eq!(objects.len(), stored, "each stored once");
    assert!(stored > 0 && store.object_bytes().unwrap() == stored as u64 * each);
    assert!(store.object_bytes().unwrap() <= store.budget_bytes().unwrap());
    assert_eq!(listing(&path).len(), stored + 2, "and nothing left over");
    drop(store);
    let (store, report) = open(&path);
    assert!(report.is_clean());
    assert_eq!(store.list().unwrap(), objects);
}
