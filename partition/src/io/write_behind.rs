//! Writing files through the page cache with the disk at work from the beginning.
//!
//! Left alone, the kernel keeps what is written until there is much of it, and a sync at the end has the disk do all of the
//! work while nobody else does any. Here the disk begins with every few MiB once they are written.
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
}

impl<F: Write + AsFd> WriteBehind<F> {
    /// Of a file that is at byte `offset`, where writing goes on.
    pub fn new(file: F, offset: u64) -> WriteBehind<F> {
        WriteBehind { file, written_bytes: offset, begun_bytes: offset }
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
            begin(&self.file, self.begun_bytes, ready_bytes);
            self.begun_bytes = self.written_bytes;
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
    use std::os::fd::AsRawFd;
    let (Ok(offset), Ok(length)) = (i64::try_from(offset), i64::try_from(length)) else { return };
    // SAFETY: the descriptor is borrowed from `file`, so it is open; the call takes no memory.
    let _ = unsafe {
        libc::sync_file_range(file.as_fd().as_raw_fd(), offset, length, libc::SYNC_FILE_RANGE_WRITE)
    };
}

#[cfg(not(target_os = "linux"))]
fn begin(_file: &impl AsFd, _offset: u64, _length: u64) {}

#[cfg(test)]
mod tests {
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
