//! Every way of block I/O in one directory: bytes come back as written, then rates. `holdfast bench` measures a disk
//! more thoroughly; here it matters that every way works on this kernel and file system.

use crate::report::{Figure, Outcome, Row, Section};
use holdfast_partition::io::{
    Access, AlignedBuffer, BlockIo, IoChoice, IoError, OpenOptions, Presence, ReadRequest, open, survey,
};
use std::path::Path;
use std::time::Instant;

const FILE_BYTES: u64 = 64 << 20;
const WRITE_BYTES: usize = 1 << 20;
const READ_BYTES: usize = 16 << 10;
const READS: usize = 512;
const DEPTH: usize = 32;

/// One row for each way; direct I/O is a row of its own, since every way uses it where the file system lets it.
pub(crate) fn section(directory: &Path) -> Section {
    let row = |name: &'static str, presence: Presence| Row {
        name: name.into(),
        outcome: match (presence, choice(name)) {
            (Presence::Absent(why), _) => Outcome::Absent { why },
            (Presence::Present, None) => Outcome::Ran { figures: vec![] },
            (Presence::Present, Some(choice)) => match exercise(directory, choice) {
                Err(error) => Outcome::Failed { why: error.to_string() },
                Ok(Err(why)) => Outcome::Failed { why },
                Ok(Ok(figures)) => Outcome::Ran { figures },
            },
        },
    };
    let rows = survey(directory).into_iter().map(|line| row(line.name, line.presence)).collect();
    Section {
        name: "block I/O (64 MiB; writes of 1 MiB at depth 1, then a sync; reads of 16 KiB at depth 32)"
            .into(),
        rows,
    }
}

fn choice(name: &str) -> Option<IoChoice> {
    IoChoice::ALL.into_iter().find(|choice| choice.name() == name)
}

/// Writes a file, syncs it, reads it back in random order, and removes it. The inner error says which bytes differ.
fn exercise(directory: &Path, choice: IoChoice) -> Result<Result<Vec<Figure>, String>, IoError> {
    let path = directory.join(format!(".holdfast-hwtest-{}-{}", std::process::id(), choice.name()));
    let opened = open(&path, &OpenOptions::new(Access::CreateNew).with_choice(choice))?;
    let outcome = write_and_read(&*opened.io);
    // The file is ours and of no use to anybody; if it cannot be removed, the next run says so by its name.
    let _leftover = std::fs::remove_file(&path);
    outcome
}

fn write_and_read(io: &dyn BlockIo) -> Result<Result<Vec<Figure>, String>, IoError> {
    let mut content = blake3::Hasher::new().update(b"hwtest disk").finalize_xof();
    let mut block = AlignedBuffer::zeroed(WRITE_BYTES)?;
    let mut write_seconds = 0.0;
    for offset in (0..FILE_BYTES).step_by(WRITE_BYTES) {
        content.fill(&mut block);
        let start = Instant::now();
        io.write_at(offset, &block)?;
        write_seconds += start.elapsed().as_secs_f64();
    }
    let start = Instant::now();
    io.sync()?;
    write_seconds += start.elapsed().as_secs_f64();

    // An odd stride visits distinct blocks all over the file.
    let blocks = FILE_BYTES / READ_BYTES as u64;
    let offsets: Vec<u64> = (0..READS as u64).map(|i| i * 1237 % blocks * READ_BYTES as u64).collect();
    let mut buffers: Vec<AlignedBuffer> =
        offsets.iter().map(|_| AlignedBuffer::zeroed(READ_BYTES)).collect::<Result<_, _>>()?;
    let mut requests: Vec<ReadRequest<'_>> =
        offsets.iter().zip(&mut buffers).map(|(&at, buffer)| ReadRequest::new(at, buffer)).collect();
    let start = Instant::now();
    io.read_batch(&mut requests, DEPTH);
    let read_seconds = start.elapsed().as_secs_f64();
    for request in requests {
        request.result?;
    }
    if let Some(offset) = first_difference(&mut content, &offsets, &buffers) {
        return Ok(Err(format!("16 KiB at {offset} came back changed")));
    }
    Ok(Ok(vec![
        Figure { name: "write", value: FILE_BYTES as f64 / 1e6 / write_seconds, unit: "MB/s" },
        Figure { name: "read", value: READS as f64 / read_seconds, unit: "reads/s" },
    ]))
}

/// Where a block is not what the stream has there.
fn first_difference(
    content: &mut blake3::OutputReader,
    offsets: &[u64],
    buffers: &[AlignedBuffer],
) -> Option<u64> {
    let mut expected = vec![0; READ_BYTES];
    let mut pairs = offsets.iter().zip(buffers);
    pairs.find_map(|(&offset, buffer)| {
        content.set_position(offset);
        content.fill(&mut expected);
        (**buffer != *expected).then_some(offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_partition::io::MemoryIo;

    #[test]
    fn every_way_that_is_here_gives_the_bytes_back_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let section = section(directory.path());
        let names: Vec<&str> = section.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["uring", "direct", "pread", "mmap"]);
        assert!(!section.rows.iter().any(|row| matches!(row.outcome, Outcome::Failed { .. })), "{section:?}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_changed_byte_is_found() {
        let mut content = blake3::Hasher::new().update(b"hwtest disk").finalize_xof();
        let mut buffer = AlignedBuffer::zeroed(READ_BYTES).unwrap();
        content.set_position(READ_BYTES as u64);
        content.fill(&mut buffer);
        let offsets = [READ_BYTES as u64];
        assert_eq!(first_difference(&mut content, &offsets, std::slice::from_ref(&buffer)), None);
        buffer[READ_BYTES - 1] ^= 1;
        assert_eq!(first_difference(&mut content, &offsets, &[buffer]), Some(READ_BYTES as u64));
    }

    #[test]
    fn memory_passes_too() {
        assert!(write_and_read(&MemoryIo::default()).unwrap().is_ok());
    }
}
