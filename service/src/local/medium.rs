//! Opening files for block I/O in the way that was asked for, and what works where.

use std::path::Path;

use holdfast_partition::io::{self, Access, IoChoice, OpenOptions, Opened, Presence};
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use crate::local::failure::Failure;

/// Something that may be here or not.
#[derive(Debug, Serialize)]
pub struct Device {
    /// As on the command line.
    pub name: &'static str,
    /// Whether it works here.
    pub present: bool,
    /// Why not, or with which restrictions.
    pub why: Option<String>,
}

/// Opens a file that exists.
pub fn open(path: &Path, choice: IoChoice, mode: OpenMode) -> Result<Opened, Failure> {
    let access = match mode {
        OpenMode::ReadWrite => Access::ReadWrite,
        OpenMode::ReadOnly => Access::ReadOnly,
    };
    io::open(path, &OpenOptions::new(access).with_choice(choice)).map_err(Failure::io)
}

/// Which ways of I/O work in a directory.
pub fn survey(directory: &Path) -> Vec<Device> {
    let devices = io::survey(directory).into_iter().map(|surveyed| match surveyed.presence {
        Presence::Present => Device { name: surveyed.name, present: true, why: None },
        Presence::Absent(why) => Device { name: surveyed.name, present: false, why: Some(why) },
    });
    devices.collect()
}
