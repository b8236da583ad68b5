//! The partition file as its users see it, on a disk that can lose its power: behaviour, crashes, and the file of version 1
//! kept for ever.

#![allow(clippy::unwrap_used, reason = "the helpers here belong to tests too")]

mod behaviour;
mod crash;
mod disk;
mod fixture;

use std::sync::Arc;

use holdfast_partition::format::{RECORD_BYTES, REGISTRATION_BYTES};
use holdfast_partition::io::{AlignedBuffer, FaultyIo};
use holdfast_partition::partition_file::{
    OpenMode, PartitionFile, PartitionFileError, RecoveryReport, SealedWindow, WindowState,
};

const LAYERS: u8 = 2;
const WINDOW_CAP: u64 = 6;

fn registration() -> [u8; REGISTRATION_BYTES] {
    let mut registration = [0; REGISTRATION_BYTES];
    for (at, byte) in (0..).zip(&mut registration) {
        *byte = at;
    }
    (registration[4], registration[5]) = (10, LAYERS);
    registration[8..16].copy_from_slice(&WINDOW_CAP.to_le_bytes());
    registration
}

fn seal(index: u64) -> SealedWindow {
    let byte = u8::try_from(index).unwrap() + 1;
    let mut record = [0; RECORD_BYTES];
    record[..112].fill(byte);
    SealedWindow { index, record, layer_roots: vec![[byte; 32], [byte + 100; 32]] }
}

fn create(disk: &Arc<FaultyIo>, windows: u64) -> PartitionFile {
    let file = PartitionFile::create(Arc::clone(disk) as _, registration()).unwrap();
    file.resize(windows, &mut |_| true).unwrap();
    file
}

fn open(disk: &Arc<FaultyIo>) -> (PartitionFile, RecoveryReport) {
    PartitionFile::open(Arc::clone(disk) as _, OpenMode::ReadWrite).unwrap()
}

fn refused(disk: &Arc<FaultyIo>) -> PartitionFileError {
    PartitionFile::open(Arc::clone(disk) as _, OpenMode::ReadWrite).map(|_| ()).unwrap_err()
}

fn states(file: &PartitionFile) -> Vec<WindowState> {
    (0..file.windows().unwrap()).map(|index| file.window_state(index).unwrap()).collect()
}

fn zeroed(bytes: usize) -> AlignedBuffer {
    AlignedBuffer::zeroed(bytes).unwrap()
}
