//! The file of version 1 that every later release must open.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use holdfast_partition::format::{FormatError, HEADER_A_AT, HEADER_B_AT, Structure, Table};
use holdfast_partition::io::{BlockIo, FaultyIo, PAGE_BYTES};
use holdfast_partition::partition_file::{Mark, PartitionFileError, WindowState};

use super::disk::new_disk;
use super::{create, open, refused, registration, seal, states, zeroed};

fn fixture_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/partition-v1/file.hex")
}

/// The history of the fixture: everything that a file can hold, table and journal both in use, not closed.
fn fixture_history() -> Arc<FaultyIo> {
    let disk = new_disk();
    let file = create(&disk, 5);
    for index in 0..2 {
        let mut page = zeroed(PAGE_BYTES);
        page.fill(u8::try_from(index).unwrap() + 0x10);
        disk.write_at(file.window_offset(index).unwrap(), &page).unwrap();
    }
    file.seal(&[seal(0), seal(1), seal(3)]).unwrap();
    file.mark(1, Mark::Bad).unwrap();
    file.mark(2, Mark::Data).unwrap();
    file.checkpoint().unwrap();
    file.mark(3, Mark::Empty).unwrap();
    file.seal(&[seal(4)]).unwrap();
    file.set_scrub_position(2).unwrap();
    file.resize(6, &mut |_| true).unwrap();
    disk
}

/// `length N`, then a line for each group of 32 bytes that is not zero: offset, bytes in hexadecimal.
fn to_text(disk: &FaultyIo) -> String {
    let length = disk.len_bytes().unwrap();
    let mut text = format!("length {length}\n");
    let mut page = zeroed(PAGE_BYTES);
    for offset in (0..length).step_by(PAGE_BYTES) {
        disk.read_at(offset, &mut page).unwrap();
        for (at, group) in (offset..).step_by(32).zip(page.chunks_exact(32)) {
            if group.iter().any(|&byte| byte != 0) {
                writeln!(text, "{at} {}", hex::encode(group)).unwrap();
            }
        }
    }
    text
}

fn from_text(text: &str) -> Arc<FaultyIo> {
    let disk = new_disk();
    let mut lines = text.lines();
    let length = lines.next().unwrap().strip_prefix("length ").unwrap();
    disk.set_len(length.parse().unwrap()).unwrap();
    for line in lines {
        let (offset, group) = line.split_once(' ').unwrap();
        let offset: u64 = offset.parse().unwrap();
        for (at, byte) in (offset..).zip(hex::decode(group).unwrap()) {
            disk.rot(at, byte);
        }
    }
    disk
}

fn fixture() -> Arc<FaultyIo> {
    from_text(&std::fs::read_to_string(fixture_path()).unwrap())
}

#[test]
fn the_file_of_version_1_opens_and_says_what_it_said() {
    let disk = fixture();
    let (file, report) = open(&disk);
    assert_eq!((report.header, report.generation, report.events_replayed), (Structure::HeaderB, 2, 4));
    assert!(report.torn_journal_pages.is_empty() && report.bad_table_pages.is_empty());
    use WindowState::{Bad, Data, Empty, Sealed};
    assert_eq!(states(&file), [Sealed, Bad, Data, Empty, Sealed, Empty]);
    assert_eq!(file.scrub_position().unwrap(), 2);
    assert_eq!(file.registration(), &registration());
    for index in [0, 1, 4] {
        let found = file.entry(index).unwrap().seal.unwrap();
        assert_eq!((found.record, &found.layer_roots), (seal(index).record, &seal(index).layer_roots));
    }
    let mut page = zeroed(PAGE_BYTES);
    disk.read_at(file.window_offset(1).unwrap(), &mut page).unwrap();
    assert!(page.iter().all(|&byte| byte == 0x11));
    file.close().unwrap();
    assert!(open(&disk).1.is_clean());
}

/// Never written anew: a version 1 writer that makes other bytes is wrong, or needs another version.
#[test]
fn this_code_writes_the_bytes_of_the_file_of_version_1() {
    let written = to_text(&fixture_history());
    let path = fixture_path();
    if std::env::var_os("HOLDFAST_BLESS").is_some() && !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &written).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == written, "the bytes of a version 1 file have changed");
    assert!(written.len() < 100 << 10);
}

#[test]
fn an_unknown_version_or_kind_in_either_header_is_refused_by_number() {
    for header in [HEADER_A_AT, HEADER_B_AT] {
        let disk = fixture();
        disk.rot(header + 8, 1 ^ 7);
        let error = refused(&disk);
        let PartitionFileError::Format(FormatError::UnknownVersion { found: 7, supported: 1, .. }) = error
        else {
            panic!("{error}")
        };
        let disk = fixture();
        disk.rot(header + 10, 1 ^ 3);
        let error = refused(&disk);
        assert!(
            matches!(
                error,
                PartitionFileError::Format(FormatError::UnknownKind { found: 3, supported: 1, .. })
            ),
            "{error}"
        );
    }
}

/// The figures of the specification's worked example are those of the fixture.
#[test]
fn the_worked_example_of_the_specification_is_this_file() {
    let specification = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/spec/partition-file-v1.md");
    let specification = std::fs::read_to_string(specification).unwrap();
    let example = specification.split("## 6. Worked example").nth(1).unwrap();
    let disk = fixture();
    let mut page = zeroed(PAGE_BYTES);
    let mut row = |name: &str, offset: u64| {
        disk.read_at(offset, &mut page).unwrap();
        format!("| {name} | {offset} | `{}` |", hex::encode(&page[4064..]))
    };
    let (file, _) = open(&disk);
    let geometry = file.geometry();
    let rows = [
        row("header A", HEADER_A_AT),
        row("header B", HEADER_B_AT),
        row("journal page 0", geometry.journal_page_offset(0)),
        row("journal page 3", geometry.journal_page_offset(3)),
        row("table B, window 0", geometry.table_offset(Table::B)),
        row("table B, window 3", geometry.table_offset(Table::B) + 3 * PAGE_BYTES as u64),
    ];
    for row in rows {
        assert!(example.contains(&row), "the worked example lacks\n{row}");
    }
    let figures = format!(
        "slot {} bytes, table A at {}, table B at {}, data at {}",
        geometry.slot_bytes(),
        geometry.table_offset(Table::A),
        geometry.table_offset(Table::B),
        geometry.data_offset(),
    );
    assert!(example.contains(&figures), "the worked example lacks\n{figures}");
}
