//! What is on the disk after a kill at each point of a change, put there as the change leaves it, and what opening makes
//! of it. And real kills at random points.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use holdfast_partition::objects::{Beside, Object, ObjectFile, ObjectName, ObjectStore};
use holdfast_partition::partition_file::OpenMode;

use super::{BUDGET_BYTES, begin, directory, entry, listing, name, names, open, put};

/// A store that holds objects 1 and 2, closed.
fn store(path: &Path) -> Vec<Object> {
    let store = ObjectStore::create(path, BUDGET_BYTES).unwrap();
    put(&store, 1, b"one");
    put(&store, 2, b"two");
    store.list().unwrap()
}

/// Opening sweeps what `leave` left behind and finds what was there before; a second time there is nothing to sweep.
fn is_swept(leave: impl Fn(&Path)) {
    let (_parent, path) = directory();
    let before = store(&path);
    leave(&path);
    assert!(
        listing(&path).len() > 4 || listing(&path.join(name(1).to_string())).len() > 3,
        "nothing was left"
    );
    let (reader, report) = ObjectStore::open(&path, OpenMode::ReadOnly).unwrap();
    assert_eq!((reader.list().unwrap(), report.left_over.len()), (before.clone(), 1));
    let (store, swept) = open(&path);
    assert_eq!(swept, report, "a reader says what a writer sweeps");
    assert_eq!(store.list().unwrap(), before);
    drop(store);
    let (_, report) = open(&path);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(listing(&path).len(), 4);
}

/// Writes the files of an object that is on its way in or out.
fn files(directory: &Path, files: &[(&str, &[u8])]) {
    fs::create_dir(directory).unwrap();
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).unwrap();
    }
}

#[test]
fn an_object_that_was_not_complete_is_swept() {
    let encoded = entry(3, None).encode();
    let points: [&[(&str, &[u8])]; 6] = [
        &[],
        &[("data", b"")],
        &[("data", b"par")],
        &[("data", b"three"), ("outboard", &[0; 100])],
        &[("data", b"three"), ("outboard", &[3; 4096]), ("entry", &encoded[..80])],
        &[("data", b"three"), ("outboard", &[3; 4096]), ("entry", &encoded)],
    ];
    for point in points {
        is_swept(|path| files(&path.join(".incoming-7"), point));
    }
}

#[test]
fn an_object_that_was_half_deleted_is_swept() {
    let encoded = entry(3, None).encode();
    let points: [&[(&str, &[u8])]; 4] = [
        &[
            ("data", b"three"),
            ("outboard", &[3; 4096]),
            ("entry", &encoded),
            ("table", b"t"),
            ("record", b"r"),
        ],
        &[("entry", &encoded), ("table", b"t"), ("table.new", b"half")],
        &[("record", b"r")],
        &[],
    ];
    for point in points {
        is_swept(|path| files(&path.join(".leaving-0"), point));
    }
}

#[test]
fn a_replacement_that_was_not_complete_is_swept() {
    for new in ["entry.new", "table.new", "record.new", "outboard.new"] {
        is_swept(|path| fs::write(path.join(name(1).to_string()).join(new), b"half").unwrap());
    }
    is_swept(|path| fs::write(path.join("store.new"), b"half").unwrap());
}

#[test]
fn a_store_whose_making_was_broken_off_can_be_made() {
    let points: [&[(&str, &[u8])]; 3] = [&[], &[(".lock", b"")], &[(".lock", b""), ("store.new", b"half")]];
    for point in points {
        let (_parent, path) = directory();
        files(&path, point);
        assert!(ObjectStore::open(&path, OpenMode::ReadWrite).is_err(), "it is no store yet");
        put(&ObjectStore::create(&path, BUDGET_BYTES).unwrap(), 1, b"one");
        assert!(open(&path).1.is_clean());
    }
}

/// The names of temporary directories begin again with every opening; one that could not be swept is not in the way.
#[test]
fn what_cannot_be_swept_is_not_in_the_way() {
    let (_parent, path) = directory();
    store(&path);
    for temporary in [".incoming-0", ".leaving-0", ".incoming-1"] {
        files(&path.join(temporary), &[("data", b"x"), ("diary.txt", b"mine")]);
    }
    let (store, report) = open(&path);
    assert_eq!((report.left_over.len(), report.foreign.len()), (3, 3));
    put(&store, 3, b"three");
    store.remove(name(1)).unwrap();
    assert_eq!(names(&store), [name(2), name(3)]);
    assert_eq!(listing(&path.join(".incoming-0")), ["diary.txt"]);
}

const CHILD: &str = "HOLDFAST_TEST_OBJECT_STORE";
/// Kills at least; and at most, should none of them have hit a change in the middle.
const KILLS: std::ops::Range<u64> = 20..1_000;

/// The process that is killed: stores, replaces and deletes for ever, and says what is durable.
#[test]
fn child_that_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let (store, _) = open(Path::new(&path));
    for round in 0_u64.. {
        let number = u8::try_from(round % 40).unwrap() + 1;
        let there = store.object(name(number)).is_ok();
        if there {
            println!("\nremoving {number}");
            store.remove(name(number)).unwrap();
            println!("\nremoved {number}");
        } else {
            begin(&store, &vec![number; 3_000 * usize::from(number)], &[number; 4096])
                .commit(entry(number, None))
                .unwrap();
            println!("\nstored {number}");
            store.write_beside(name(number), Beside::Table, |out| out.write(&[number; 9])).unwrap();
            println!("\ntable {number}");
        }
    }
}

/// What the killed processes said is so, and nothing is damaged.
#[test]
fn kills_at_random_points_lose_nothing_that_was_acknowledged() {
    let (_parent, path) = directory();
    drop(ObjectStore::create(&path, 64 << 20).unwrap());
    let mut stored = std::collections::BTreeMap::<ObjectName, bool>::new();
    let mut swept = 0;
    for kill in 0..KILLS.end {
        if kill >= KILLS.start && swept > 0 {
            break;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child_that_is_killed", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A number of acknowledgements that differs from kill to kill; the kill itself lands anywhere after.
        let mut acknowledged = 1 + kill * 7 % 23;
        let mut killed = false;
        let mut uncertain = None;
        for line in &mut lines {
            let line = line.unwrap();
            let Some((what, number)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u8>() else { continue };
            match what {
                "stored" => drop(stored.insert(name(number), false)),
                "table" => drop(stored.insert(name(number), true)),
                "removing" => uncertain = Some(name(number)),
                "removed" => {
                    stored.remove(&name(number));
                    uncertain = None;
                }
                _ => continue,
            }
            acknowledged -= u64::from(acknowledged > 0);
            if acknowledged == 0 && !killed {
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        assert!(killed, "the child ended by itself");
        swept += check(&path, &mut stored, uncertain);
    }
    assert!(swept > 0, "no kill left anything to sweep");
}

/// Compares a store with what was said of it, and takes over what was not said yet. Returns what was swept.
fn check(
    path: &Path,
    stored: &mut std::collections::BTreeMap<ObjectName, bool>,
    uncertain: Option<ObjectName>,
) -> usize {
    let (store, report) = open(path);
    assert!(report.damaged.is_empty() && report.foreign.is_empty(), "{report:?}");
    for (name, table) in stored.iter().filter(|(name, _)| Some(**name) != uncertain) {
        let object = store.object(*name).unwrap();
        assert!(!table || object.table_bytes == Some(9), "{name}");
    }
    for object in store.list().unwrap() {
        let number = object.entry.name.0[0];
        let data = fs::read(store.file_path(object.entry.name, ObjectFile::Data)).unwrap();
        assert_eq!(data, vec![number; 3_000 * usize::from(number)]);
    }
    *stored = store
        .list()
        .unwrap()
        .iter()
        .map(|object| (object.entry.name, object.table_bytes.is_some()))
        .collect();
    report.left_over.len()
}
