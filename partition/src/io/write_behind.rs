//! Writing files through the page cache with the disk at work from the beginning.
//!
//! Left alone, the kernel keeps what is written until there is much of it, and a sync at the end has the disk do all of the
//! work while nobody else does any. Here the disk begins with every few MiB once they are written.
//!
//! What nobody is going to read soon need not stay in memory either. A file that is written for others, for later, takes the same few
//! pages again and again, and leaves the page cache to those who read.
#![allow(unsafe_code)]

use std::io::{self, Write};
use std::os::fd::AsFd;

/// Bytes after which the disk begins with them: enough for it to write in one go.
const STEP_BYTES: u64 = 8 << 20;

/// A file that is written from its beginning to its end and synced then, by its owner: this makes nothing durable.
#[derive(Debug)]
pub struct WriteBehind<F> {
    file: F,
    written_bytes: u64,
    begun_bytes: u64,
    /// Where the last step began that the disk was given, if what it has written is to leave memory.
    leaves_from: Option<u64>,
}

impl<F: Write + AsFd> WriteBehind<F> {
    /// Of a file that is at byte `offset`, where writing goes on.
    pub fn new(file: F, offset: u64) -> WriteBehind<F> {
        WriteBehind { file, written_bytes: offset, begun_bytes: offset, leaves_from: None }
    }

    /// Of a new file that nobody reads soon: it does not stay in memory. Whoever writes is so held up by a disk that is slower.
    pub fn leaving_memory(file: F) -> WriteBehind<F> {
        WriteBehind { leaves_from: Some(0), ..WriteBehind::new(file, 0) }
    }

    /// The file.
    pub fn get_ref(&self) -> &F {
        &self.file
    }
}

impl<F: Write + AsFd> Write for WriteBehind<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written_bytes += written as u64;
        let ready_bytes = self.written_bytes - self.begun_bytes;
        if ready_bytes >= STEP_BYTES {
            let before = self.begun_bytes;
            begin(&self.file, before, ready_bytes);
            self.begun_bytes = self.written_bytes;
            if let Some(from) = &mut self.leaves_from {
                // The step before this one, which the disk has had time for.
                let from = std::mem::replace(from, before);
                leave(&self.file, from, before - from)?;
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Has the disk begin with a range of what was written. Only a hint: what goes wrong here is told by the sync.
#[cfg(target_os = "linux")]
fn begin(file: &impl AsFd, offset: u64, length: u64) {
    let _ = sync_range(file, offset, length, libc::SYNC_FILE_RANGE_WRITE);
}

/// Waits until the disk has a range of what was written, and gives the memory back.
///
/// Waiting is no hint: an error of the disk that it meets is told here and to no sync any more.
#[cfg(target_os = "linux")]
fn leave(file: &impl AsFd, offset: u64, length: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let (Ok(start), Ok(bytes @ 1..)) = (i64::try_from(offset), i64::try_from(length)) else { return Ok(()) };
    let all =
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    sync_range(file, offset, length, all)?;
    // SAFETY: the descriptor is borrowed from `file`, so it is open; the call takes no memory.
    let _ = unsafe { libc::posix_fadvise(file.as_fd().as_raw_fd(), start, bytes, libc::POSIX_FADV_DONTNEED) };
    Ok(())
}

#[cfg(target_os = "linux")]
fn sync_range(file: &impl AsFd, offset: u64, length: u64, flags: libc::c_uint) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let (Ok(start), Ok(bytes)) = (i64::try_from(offset), i64::try_from(length)) else { return Ok(()) };
    // SAFETY: the descriptor is borrowed from `file`, so it is open; the call takes no memory.
    match unsafe { libc::sync_file_range(file.as_fd().as_raw_fd(), start, bytes, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
fn begin(_file: &impl AsFd, _offset: u64, _length: u64) {}

#[cfg(not(target_os = "linux"))]
fn leave(_file: &impl AsFd, _offset: u64, _length: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    /// Bytes must come out as they went in, whatever the lengths and where the file begins: a range that is counted wrongly
    /// would begin with the wrong bytes, or never.
    #[test]
    fn every_byte_arrives_and_every_full_step_is_begun() {
        let mut file = tempfile::tempfile().expect("makes a file");
        file.write_all(&[1; 5]).expect("writes");
        let mut behind = WriteBehind::new(&file, 5);
        let mut expected_begun = 5;
        for length in [1, 3 << 20, (5 << 20) - 1, 0, 9 << 20, 77] {
            behind.write_all(&vec![2; length]).expect("writes");
            if behind.written_bytes - expected_begun >= STEP_BYTES {
                expected_begun = behind.written_bytes;
            }
            assert_eq!(behind.begun_bytes, expected_begun, "after {length}");
        }
        assert_eq!(behind.begun_bytes, 5 + (17 << 20));
        behind.flush().expect("flushes");
        assert_eq!(behind.get_ref().metadata().expect("has a length").len(), 5 + (17 << 20) + 77);
    }

    /// What leaves memory is behind what the disk was given last, and must come back from the disk as it was.
    #[test]
    fn what_leaves_memory_is_on_the_disk() {
        let file = tempfile::tempfile().expect("makes a file");
        let mut leaving = WriteBehind::leaving_memory(&file);
        let step = usize::try_from(STEP_BYTES).expect("fits");
        let bytes: Vec<u8> = (0..4 * step + 77).map(|at| (at % 251).to_le_bytes()[0]).collect();
        for (part, left) in
            bytes.chunks(step).zip([0, STEP_BYTES, 2 * STEP_BYTES, 3 * STEP_BYTES, 3 * STEP_BYTES])
        {
            leaving.write_all(part).expect("writes");
            assert_eq!(leaving.leaves_from, Some(left));
        }
        let mut found = Vec::new();
        (&file).rewind().and_then(|()| (&file).read_to_end(&mut found)).expect("reads");
        assert!(found == bytes);
    }

    /// An error of the disk that is met while waiting is told nowhere else: taken for a hint, it would be lost.
    #[test]
    fn what_cannot_be_waited_for_fails() {
        let (_reader, writer) = io::pipe().expect("makes a pipe");
        let error = leave(&writer, 0, 1).expect_err("is no file");
        assert_eq!(error.kind(), io::ErrorKind::NotSeekable);
    }

    /// What cannot be begun early (a pipe, here) is written all the same.
    #[test]
    fn what_is_no_file_takes_its_bytes_too() {
        let (mut reader, writer) = io::pipe().expect("makes a pipe");
        let reading = std::thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        let mut behind = WriteBehind::new(writer, 0);
        behind.write_all(&vec![3; 9 << 20]).expect("writes");
        drop(behind);
        assert_eq!(reading.join().expect("ends").expect("reads"), 9 << 20);
    }
}
