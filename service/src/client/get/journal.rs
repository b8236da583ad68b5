//! What an interrupted run leaves to the next one: how far the part file goes, checksums of what is in it, and the values of the stored bytes
//! that it came of, so that these need not be kept.
//!
//! ```text
//! "holdfast-get-v1\n"
//! length      u32, little-endian, of
//! header      what stands before the chunks of an encrypted file; nothing if the file is got as it is stored
//! checksum    u64, little-endian, of the header
//! records     of 48 bytes, one for each whole group (1 MiB) of stored bytes:
//!   value     32 bytes, of the group
//!   written   u64, little-endian: bytes of the part file when the group had been used up
//!   checksum  u64, little-endian, of the bytes since the record before, the value and `written`
//! ```
//!
//! Checksums (XXH3) tell what a loss of power left unwritten. That what comes of it all is the file, its root tells.

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::sync::mpsc::Receiver;

use holdfast_engine::tree::{ChainingValue, GROUP_BYTES};
use holdfast_partition::io::WriteBehind;
use twox_hash::XxHash3_64;

use crate::encryption::Header;

const MAGIC: &[u8; 16] = b"holdfast-get-v1\n";
const RECORD_BYTES: usize = 48;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 18;
const GROUP: u64 = GROUP_BYTES as u64;

/// What is known of the part file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Of an encrypted file, which is kept decrypted.
    pub(super) header: Option<Header>,
    /// Values of the groups that were used up.
    pub(super) values: Vec<ChainingValue>,
    /// Bytes of the part file that are right.
    pub(super) written_bytes: u64,
}

impl Kept {
    /// Reads a journal, and compares the part file with it up to the first difference. One of a run that decrypted is of no use to a run
    /// that does not, and the other way round.
    pub(super) fn read(journal: &File, part: &File, decrypts: bool) -> io::Result<Kept> {
        let (mut journal, mut part) = (reader_of(journal)?, reader_of(part)?);
        let mut kept = Kept::default();
        match read_head(&mut journal)? {
            Some(header) if decrypts != header.0.is_empty() => kept.header = decrypts.then_some(header),
            _ => return Ok(kept),
        }
        let mut record = [0; RECORD_BYTES];
        while whole(journal.read_exact(&mut record))?.is_some() {
            let record = Record::of_bytes(&record);
            let length_bytes = record.written_bytes.checked_sub(kept.written_bytes);
            let is_used_up = kept.used_up(record.written_bytes) > kept.values.len() as u64;
            let Some(length_bytes) = length_bytes.filter(|_| is_used_up) else { break };
            let mut since = Since::default();
            let copied = io::copy(&mut part.by_ref().take(length_bytes), &mut since)?;
            if copied != length_bytes || record != Record::new(record.value, record.written_bytes, since) {
                break;
            }
            kept.values.push(record.value);
            kept.written_bytes = record.written_bytes;
        }
        Ok(kept)
    }

    /// Groups of stored bytes that are used up when so many bytes were written.
    fn used_up(&self, written_bytes: u64) -> u64 {
        let used_bytes = match &self.header {
            Some(header) => header.stored_bytes(written_bytes).unwrap_or(0),
            None => written_bytes,
        };
        used_bytes / GROUP
    }

    /// The stored byte behind the groups whose values are known.
    pub(super) fn hashed_bytes(&self) -> u64 {
        self.values.len() as u64 * GROUP
    }

    /// The stored byte from which on what is not in the part file is made.
    pub(super) fn used_bytes(&self) -> u64 {
        match &self.header {
            Some(header) => header.resume_at(self.written_bytes),
            None => self.written_bytes,
        }
    }

    /// The stored byte from which on any are needed.
    pub(super) fn needed_from(&self) -> u64 {
        self.hashed_bytes().min(self.used_bytes())
    }
}

/// A part file that is being written, and its journal.
pub(super) struct Keeping<'a> {
    part: WriteBehind<&'a File>,
    journal: &'a File,
    kept: Kept,
    /// Values of groups, as they are known.
    values: Receiver<ChainingValue>,
    since: Since,
}

impl<'a> Keeping<'a> {
    /// Goes on behind what is kept; what is behind that in the files is of no use.
    pub(super) fn new(
        (mut part, mut journal): (&'a File, &'a File),
        kept: Kept,
        values: Receiver<ChainingValue>,
    ) -> io::Result<Keeping<'a>> {
        let head = head_of(kept.header.as_ref());
        let length_bytes = (head.len() + kept.values.len() * RECORD_BYTES) as u64;
        journal.seek(SeekFrom::Start(0))?;
        journal.write_all(&head)?;
        journal.set_len(length_bytes)?;
        journal.seek(SeekFrom::Start(length_bytes))?;
        part.set_len(kept.written_bytes)?;
        part.seek(SeekFrom::Start(kept.written_bytes))?;
        let part = WriteBehind::new(part, kept.written_bytes);
        Ok(Keeping { part, journal, kept, values, since: Since::default() })
    }

    /// Writes down which groups are used up.
    fn note(&mut self) -> io::Result<()> {
        while self.kept.used_up(self.kept.written_bytes) > self.kept.values.len() as u64 {
            // The value of the last group comes with the byte behind it, which may not be there.
            let Ok(value) = self.values.try_recv() else { break };
            let record = Record::new(value, self.kept.written_bytes, std::mem::take(&mut self.since));
            self.journal.write_all(&record.to_bytes())?;
            self.kept.values.push(value);
        }
        Ok(())
    }
}

impl Write for Keeping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.part.write(bytes)?;
        self.since.write_all(&bytes[..written])?;
        self.kept.written_bytes += written as u64;
        self.note()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.part.flush()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Record {
    value: ChainingValue,
    written_bytes: u64,
    checksum: u64,
}

impl Record {
    fn new(value: ChainingValue, written_bytes: u64, Since(mut hasher): Since) -> Record {
        hasher.write(&value);
        hasher.write(&written_bytes.to_le_bytes());
        Record { value, written_bytes, checksum: hasher.finish() }
    }

    fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..32].copy_from_slice(&self.value);
        bytes[32..40].copy_from_slice(&self.written_bytes.to_le_bytes());
        bytes[40..].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    fn of_bytes(bytes: &[u8; RECORD_BYTES]) -> Record {
        let mut record = Record { value: [0; 32], written_bytes: 0, checksum: 0 };
        record.value.copy_from_slice(&bytes[..32]);
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        (record.written_bytes, record.checksum) = (number(32), number(40));
        record
    }
}

/// Hashes the bytes since the last record.
struct Since(XxHash3_64);

impl Default for Since {
    fn default() -> Since {
        Since(XxHash3_64::new())
    }
}

impl Write for Since {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a journal begins with.
fn head_of(header: Option<&Header>) -> Vec<u8> {
    let header = header.map(|header| &*header.0).unwrap_or_default();
    let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    [&MAGIC[..], &length.to_le_bytes(), header, &XxHash3_64::oneshot(header).to_le_bytes()].concat()
}

/// The header that a journal begins with, if it is one; an empty one of a file that is kept as it is stored.
fn read_head(journal: &mut impl Read) -> io::Result<Option<Header>> {
    let (mut magic, mut length, mut checksum) = ([0; MAGIC.len()], [0; 4], [0; 8]);
    let mut header = Vec::new();
    let read = journal.read_exact(&mut magic).and_then(|()| journal.read_exact(&mut length)).and_then(|()| {
        journal.by_ref().take(u32::from_le_bytes(length).into()).read_to_end(&mut header)?;
        journal.read_exact(&mut checksum)
    });
    let is_there = whole(read)?.is_some();
    let is_right = magic == *MAGIC && XxHash3_64::oneshot(&header) == u64::from_le_bytes(checksum);
    Ok((is_there && is_right).then_some(Header(header)))
}

/// What was read; `None` if the file ended before.
fn whole<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(Some),
    }
}

/// From the beginning of a file.
fn reader_of(mut file: &File) -> io::Result<BufReader<&File>> {
    file.seek(SeekFrom::Start(0))?;
    Ok(BufReader::with_capacity(BUFFER_BYTES, file))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use holdfast_engine::tree::GroupHasher;

    use super::*;

    const LENGTH: usize = 3 * GROUP_BYTES + 5;

    /// A part file of a run that was interrupted, and its journal.
    struct Files {
        part: File,
        journal: File,
    }

    impl Files {
        /// After bytes that came in parts of this length.
        fn of(bytes: &[u8], part_bytes: usize) -> (Files, Vec<ChainingValue>) {
            let file = || tempfile::tempfile().expect("makes a file");
            let files = Files { part: file(), journal: file() };
            let (sender, values) = channel();
            let mut hasher = GroupHasher::default();
            hasher.update(bytes);
            hasher.values().iter().for_each(|value| sender.send(*value).expect("is taken"));
            let mut keeping =
                Keeping::new((&files.part, &files.journal), Kept::default(), values).expect("begins");
            bytes.chunks(part_bytes).for_each(|part| keeping.write_all(part).expect("writes"));
            (files, hasher.values().to_vec())
        }

        fn read(&self) -> Kept {
            Kept::read(&self.journal, &self.part, false).expect("reads")
        }
    }

    fn bytes() -> Vec<u8> {
        (0..LENGTH).map(|at| (at % 253).to_le_bytes()[0]).collect()
    }

    fn overwrite(mut file: &File, at: u64, bytes: &[u8]) {
        file.seek(SeekFrom::Start(at)).expect("seeks");
        file.write_all(bytes).expect("writes");
    }

    #[test]
    fn what_was_used_up_is_known_whatever_the_parts() {
        for (part_bytes, written) in [
            (1 << 16, 3 * GROUP_BYTES),
            (GROUP_BYTES + 7, 3 * GROUP_BYTES + 5),
            (LENGTH, LENGTH),
            (1 << 20, 3 << 20),
        ] {
            let (files, values) = Files::of(&bytes(), part_bytes);
            let kept = files.read();
            assert_eq!((kept.values.len(), kept.header.is_none()), (3, true), "parts of {part_bytes}");
            assert_eq!(
                (&kept.values, kept.written_bytes),
                (&values, written as u64),
                "parts of {part_bytes}"
            );
            assert_eq!((kept.hashed_bytes(), kept.needed_from()), (3 * GROUP, 3 * GROUP));
            let other = Kept::read(&files.journal, &files.part, true).expect("reads");
            assert_eq!(other, Kept::default(), "of a run that decrypts");
        }
    }

    /// Behind the first byte that is wrong nothing is believed, and what is before it is.
    #[test]
    fn damage_costs_what_is_behind_it() {
        let head = head_of(None).len() as u64;
        let record = RECORD_BYTES as u64;
        // In the part: the first and the last byte of each group. In the journal: value, length, checksum.
        let in_part = [(0, 0), (GROUP - 1, 0), (GROUP, 1), (3 * GROUP - 1, 2)];
        for (at, groups) in in_part {
            let (files, values) = Files::of(&bytes(), 1 << 16);
            overwrite(&files.part, at, &[255]);
            let kept = files.read();
            assert_eq!(
                (&*kept.values, kept.written_bytes),
                (&values[..groups], groups as u64 * GROUP),
                "{at}"
            );
        }
        let in_journal = [(0, 0), (head - 1, 0), (head, 0), (head + 32, 0), (head + record + 40, 1)];
        for (at, groups) in in_journal {
            let (files, values) = Files::of(&bytes(), 1 << 16);
            overwrite(&files.journal, at, &[255]);
            assert_eq!(files.read().values, values[..groups], "{at}");
        }
        for (cut, groups) in [(head - 1, 0), (head, 0), (head + record, 1), (head + 3 * record - 1, 2)] {
            let (files, values) = Files::of(&bytes(), 1 << 16);
            files.journal.set_len(cut).expect("cuts");
            assert_eq!(files.read().values, values[..groups], "cut at {cut}");
        }
        let (files, values) = Files::of(&bytes(), 1 << 16);
        files.part.set_len(2 * GROUP - 1).expect("cuts");
        assert_eq!(files.read().values, values[..1]);
    }

    /// What is behind that stays in neither file: it would be taken for what comes next.
    #[test]
    fn a_run_that_goes_on_leaves_what_one_run_would() {
        let (files, values) = Files::of(&bytes(), 1 << 16);
        overwrite(&files.part, GROUP + 3, &[255]);
        let kept = files.read();
        let (sender, of_groups) = channel();
        values[1..].iter().for_each(|value| sender.send(*value).expect("is taken"));
        let mut keeping = Keeping::new((&files.part, &files.journal), kept, of_groups).expect("goes on");
        keeping.write_all(&bytes()[GROUP_BYTES..]).expect("writes");
        let kept = files.read();
        assert_eq!((kept.values, kept.written_bytes), (values, LENGTH as u64));
        let mut part = Vec::new();
        reader_of(&files.part).and_then(|mut part_file| part_file.read_to_end(&mut part)).expect("reads");
        assert!(part == bytes());
    }
}
