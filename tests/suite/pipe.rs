//! A pipe in the place of a file: whoever reads it gets bytes when a test gives some, and the test sees when the reading ends.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

/// More than the system keeps of what was written to a pipe and is not read yet.
const MORE_THAN_WAITS_BYTES: usize = 1 << 20;

/// The place, which nobody reads yet.
pub(crate) struct Pipe(PathBuf);

/// The end that is written to, while somebody reads.
pub(crate) struct Read {
    writer: File,
    given_bytes: usize,
}

impl Pipe {
    pub(crate) fn in_place_of(path: &Path) -> Pipe {
        fs::remove_file(path).expect("is there");
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).expect("makes a pipe");
        Pipe(path.to_owned())
    }

    /// The read that has begun, if one has.
    pub(crate) fn read(&self) -> Option<Read> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag of open");
        let writer = OpenOptions::new().write(true).custom_flags(flags).open(&self.0).ok()?;
        Some(Read { writer, given_bytes: 0 })
    }
}

impl Read {
    /// Gives some bytes, if there is room; false once nobody reads any more.
    pub(crate) fn give(&mut self) -> bool {
        match self.writer.write(&[0; 4096]) {
            Ok(given) => self.given_bytes += given,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }

    /// Whether some of what was given was read, as far as that can be told.
    pub(crate) fn goes_on(&self) -> bool {
        self.given_bytes > MORE_THAN_WAITS_BYTES
    }
}
