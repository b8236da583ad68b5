//! States, resize, recovery reports, damage.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast_partition::format::{
    Event, FormatError, HEADER_B_AT, JOURNAL_PAGES, JournalPage, RECORD_BYTES, StoredState, Structure, Table,
};
use holdfast_partition::io::{self, Access, BlockIo, PAGE_BYTES};
use holdfast_partition::partition_file::{
    Mark, OpenMode, PartitionFile, PartitionFileError, SealedWindow, StateCounts, WindowState,
};

use super::disk::new_disk;
use super::{create, open, refused, registration, seal, states, zeroed};

#[test]
fn states_and_offsets() {
    let disk = new_disk();
    let file = create(&disk, 4);
    assert_eq!(file.window_offset(2).unwrap(), (2 << 20) + 2 * 36_864);
    assert_eq!(file.outboard_offset(2).unwrap(), (2 << 20) + 2 * 36_864 + 32_768);
    assert!(matches!(file.window_offset(4), Err(PartitionFileError::NoSuchWindow { index: 4, windows: 4 })));
    file.begin_filling(0).unwrap();
    file.begin_filling(1).unwrap();
    file.abandon_filling(1).unwrap();
    file.seal(&[seal(0), seal(2)]).unwrap();
    file.mark(2, Mark::Bad).unwrap();
    file.mark(3, Mark::Data).unwrap();
    use WindowState::{Bad, Data, Empty, Sealed};
    assert_eq!(states(&file), [Sealed, Empty, Bad, Data]);
    assert_eq!(file.counts().unwrap(), StateCounts { empty: 1, filling: 0, sealed: 1, bad: 1, data: 1 });
    let kept = file.entry(2).unwrap().seal.unwrap();
    assert_eq!((kept.record, &kept.layer_roots), (seal(2).record, &seal(2).layer_roots));
    file.close().unwrap();
    assert!(matches!(file.entry(0), Err(PartitionFileError::Closed)));
    let (file, report) = open(&disk);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(states(&file), [Sealed, Empty, Bad, Data]);
    assert_eq!(file.registration(), &registration());
}

#[test]
fn what_the_state_forbids_is_refused_and_changes_nothing() {
    let disk = new_disk();
    let file = create(&disk, 4);
    file.seal(&[seal(0)]).unwrap();
    file.begin_filling(1).unwrap();
    let before = disk.operations();
    assert!(matches!(file.seal(&[seal(1), seal(0)]), Err(PartitionFileError::WrongState { index: 0, .. })));
    assert!(matches!(file.seal(&[seal(2), seal(2)]), Err(PartitionFileError::Twice { index: 2 })));
    assert!(matches!(file.seal(&[seal(4)]), Err(PartitionFileError::NoSuchWindow { index: 4, .. })));
    let mut wrong = seal(2);
    wrong.layer_roots.pop();
    assert!(matches!(file.seal(&[wrong]), Err(PartitionFileError::BadSeal { index: 2, found: 1, .. })));
    let zero = SealedWindow { record: [0; RECORD_BYTES], ..seal(2) };
    assert!(matches!(file.seal(&[zero]), Err(PartitionFileError::BadSeal { index: 2, found: 2, .. })));
    assert!(matches!(file.begin_filling(0), Err(PartitionFileError::WrongState { .. })));
    assert!(matches!(file.mark(1, Mark::Empty), Err(PartitionFileError::WrongState { .. })));
    let grow = file.resize(7, &mut |_| true);
    assert!(matches!(grow, Err(PartitionFileError::AboveCap { requested: 7, window_cap: 6 })));
    let trim = file.resize(1, &mut |_| true);
    assert!(matches!(trim, Err(PartitionFileError::WrongState { index: 1, .. })));
    assert!(matches!(file.set_scrub_position(5), Err(PartitionFileError::NoSuchWindow { .. })));
    assert_eq!(disk.operations(), before, "nothing was written");
    let not_empty = PartitionFile::create(Arc::clone(&disk) as _, registration()).map(|_| ());
    assert!(matches!(not_empty, Err(PartitionFileError::NotEmpty { .. })));
}

#[test]
fn resizing_refills_nothing_valid_and_gives_space_back() {
    let disk = new_disk();
    let file = create(&disk, 3);
    file.seal(&[seal(0), seal(1), seal(2)]).unwrap();
    file.set_scrub_position(3).unwrap();
    let mut reserved = Vec::new();
    file.resize(6, &mut |bytes| {
        reserved.push(bytes);
        true
    })
    .unwrap();
    assert!(!reserved.is_empty(), "progress was told");
    assert_eq!(file.counts().unwrap(), StateCounts { empty: 3, sealed: 3, ..StateCounts::default() });
    file.resize(2, &mut |_| true).unwrap();
    assert_eq!(disk.len_bytes().unwrap(), file.geometry().file_bytes(2).unwrap());
    file.resize(3, &mut |_| true).unwrap();
    assert_eq!(states(&file), [WindowState::Sealed, WindowState::Sealed, WindowState::Empty]);
    assert_eq!(file.scrub_position().unwrap(), 0, "it stood beyond the trimmed windows");
    let stopped = file.resize(6, &mut |_| false);
    assert!(matches!(stopped, Err(PartitionFileError::Io(_))));
    assert_eq!(disk.len_bytes().unwrap(), file.geometry().file_bytes(3).unwrap());
    file.seal(&[seal(2)]).unwrap();
    drop(file);
    assert_eq!(
        open(&disk).0.counts().unwrap().sealed,
        3,
        "the file is usable after a resize that was stopped"
    );
}

/// Answers look windows up while a fill seals them: every entry seen is whole, and sealed stays sealed.
#[test]
fn entries_are_read_while_windows_are_sealed() {
    let disk = new_disk();
    let file = create(&disk, 6);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut sealed = [false; 6];
            loop {
                let last_look = done.load(Ordering::Acquire);
                for (index, was_sealed) in (0..).zip(&mut sealed) {
                    let entry = file.entry(index).unwrap();
                    assert!(!*was_sealed || entry.state == StoredState::Sealed);
                    *was_sealed = entry.state == StoredState::Sealed;
                    assert!(entry.seal.is_none_or(|found| found.record == seal(index).record));
                }
                if last_look {
                    return sealed;
                }
            }
        });
        for index in 0..6 {
            file.begin_filling(index).unwrap();
            file.seal(&[seal(index)]).unwrap();
            file.checkpoint().unwrap();
        }
        done.store(true, Ordering::Release);
        assert_eq!(reader.join().unwrap(), [true; 6]);
    });
}

#[test]
fn the_journal_checkpoints_by_itself_when_it_is_full() {
    let disk = new_disk();
    let file = create(&disk, 2);
    file.seal(&[seal(1)]).unwrap();
    for turn in 0..3 * JOURNAL_PAGES {
        file.set_scrub_position(turn % 3).unwrap();
    }
    drop(file);
    let (file, report) = open(&disk);
    assert_eq!(report.generation, 4, "three times full");
    assert_eq!(file.scrub_position().unwrap(), 2);
    assert_eq!(states(&file), [WindowState::Empty, WindowState::Sealed]);
}

#[test]
fn reading_only_writes_nothing() {
    let disk = new_disk();
    let file = create(&disk, 2);
    file.seal(&[seal(1)]).unwrap();
    let before = disk.operations();
    let (file, report) = PartitionFile::open(Arc::clone(&disk) as _, OpenMode::ReadOnly).unwrap();
    assert_eq!(report.events_replayed, 2);
    assert_eq!(file.window_state(1).unwrap(), WindowState::Sealed);
    assert!(matches!(file.seal(&[seal(0)]), Err(PartitionFileError::ReadOnly)));
    assert!(matches!(file.begin_filling(0), Err(PartitionFileError::ReadOnly)));
    file.close().unwrap();
    assert_eq!(disk.operations(), before);
}

/// Power was lost after page 1 of a group was durable and page 0 was not. Page 1 must not come back to life when page 0
/// is written with another event.
#[test]
fn a_journal_page_left_over_never_counts_later() {
    let disk = new_disk();
    let file = create(&disk, 3);
    file.checkpoint().unwrap();
    // The first header has first sequence number 1, the second 1 + J.
    let sequence = 1 + JOURNAL_PAGES + 1;
    let left_over = JournalPage { sequence, event: Event::Resize { windows: 0 } }.encode();
    let mut page = zeroed(PAGE_BYTES);
    page.copy_from_slice(&*left_over);
    disk.write_at(file.geometry().journal_page_offset(1), &page).unwrap();
    drop(file);
    let (file, report) = open(&disk);
    assert_eq!(report.left_over_journal_pages, [1]);
    file.set_scrub_position(1).unwrap();
    drop(file);
    let (file, report) = open(&disk);
    assert_eq!((report.events_replayed, file.windows().unwrap()), (1, 3));
}

#[test]
fn a_damaged_table_page_makes_its_window_bad_and_is_reported() {
    let disk = new_disk();
    let file = create(&disk, 4);
    file.seal(&[seal(0), seal(1), seal(2)]).unwrap();
    file.checkpoint().unwrap();
    let table = file.geometry().table_offset(Table::B);
    file.close().unwrap();
    disk.rot(table + PAGE_BYTES as u64 + 100, 0x40);
    let (file, report) = open(&disk);
    let [(1, FormatError::BadChecksum { structure: Structure::TablePage, offset, .. })] =
        &*report.bad_table_pages
    else {
        panic!("{report:?}")
    };
    assert_eq!(*offset, table + PAGE_BYTES as u64);
    assert_eq!(states(&file)[..3], [WindowState::Sealed, WindowState::Bad, WindowState::Sealed]);
    file.seal(&[seal(1)]).unwrap();
    file.close().unwrap();
    assert!(open(&disk).1.is_clean(), "the next checkpoint repairs the table");
}

#[test]
fn a_table_page_that_an_earlier_checkpoint_left_is_noticed() {
    let disk = new_disk();
    let file = create(&disk, 2);
    file.seal(&[seal(0)]).unwrap();
    file.checkpoint().unwrap();
    let table_b = file.geometry().table_offset(Table::B);
    let mut old = zeroed(PAGE_BYTES);
    disk.read_at(table_b, &mut old).unwrap();
    for mark in [Mark::Bad, Mark::Empty] {
        file.mark(0, mark).unwrap();
        file.checkpoint().unwrap();
    }
    file.seal(&[seal(0), seal(1)]).unwrap();
    file.checkpoint().unwrap();
    file.set_scrub_position(1).unwrap();
    file.close().unwrap();
    // The newest table stands in B again; its first page is lost, as if never written.
    disk.write_at(table_b, &old).unwrap();
    let (file, report) = open(&disk);
    assert!(matches!(
        &*report.bad_table_pages,
        [(0, FormatError::WrongField { field: "first sequence", .. })]
    ));
    assert_eq!(states(&file), [WindowState::Bad, WindowState::Sealed]);
}

#[test]
fn a_lost_newer_header_is_never_passed_over_in_silence() {
    let disk = new_disk();
    let file = create(&disk, 2);
    file.seal(&[seal(0)]).unwrap();
    file.checkpoint().unwrap();
    file.mark(0, Mark::Bad).unwrap();
    drop(file);
    disk.rot(HEADER_B_AT + 30, 1);
    assert!(matches!(refused(&disk), PartitionFileError::Format(FormatError::NewerHeaderLost { .. })));
}

#[test]
fn foreign_files_are_refused_and_not_touched() {
    let disk = new_disk();
    let refused_as = |expected: fn(&FormatError) -> bool| {
        let before = disk.operations();
        let error = refused(&disk);
        assert!(matches!(&error, PartitionFileError::Format(error) if expected(error)), "{error}");
        assert_eq!(disk.operations(), before);
    };
    refused_as(|error| matches!(error, FormatError::TooShort { found: 0, .. }));
    disk.set_len(1 << 20).unwrap();
    refused_as(|error| matches!(error, FormatError::Foreign { .. }));
    disk.rot(0, b'%');
    refused_as(|error| matches!(error, FormatError::Foreign { .. }));
}

/// On a real file: the plan's disk space is what the file really takes, tables of the whole cap being holes.
#[cfg(target_os = "linux")]
#[test]
fn a_real_file_takes_the_space_that_was_planned() {
    use std::os::unix::fs::MetadataExt;
    const CAP: u64 = 100_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("partition");
    let open_file = |access| io::open(&path, &io::OpenOptions::new(access)).unwrap().io;
    let mut registration = registration();
    registration[8..16].copy_from_slice(&CAP.to_le_bytes());
    let file = PartitionFile::create(open_file(Access::CreateNew), registration).unwrap();
    file.resize(20, &mut |_| true).unwrap();
    file.seal(&[seal(19)]).unwrap();
    file.close().unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    let planned = file.geometry().allocated_bytes(20).unwrap();
    assert_eq!(metadata.len(), file.geometry().file_bytes(20).unwrap());
    assert!(metadata.len() > 2 * CAP * 4096, "the tables of the cap are part of the length");
    let taken = metadata.blocks() * 512;
    assert!(
        taken.abs_diff(planned) <= 128 << 10,
        "takes {taken}, planned {planned}: a file system's own bookkeeping"
    );
    drop(file);
    let io = open_file(Access::ReadWrite);
    let (file, report) = PartitionFile::open(io, OpenMode::ReadWrite).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(file.window_state(19).unwrap(), WindowState::Sealed);
    file.resize(1, &mut |_| true).unwrap();
    let kept = std::fs::metadata(&path).unwrap().blocks() * 512;
    assert!(taken - kept >= 19 * file.geometry().slot_bytes(), "{taken} before, {kept} after");
}
