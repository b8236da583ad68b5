//! What lies on a miner's disk, and losing some of it.

use std::fs;
use std::path::{Path, PathBuf};

/// The bytes of the one object under a folder.
pub fn data_file(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("reads").map(|entry| entry.expect("reads")) {
            if entry.file_type().expect("reads").is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == "data" {
                return entry.path();
            }
        }
    }
    panic!("no object")
}

/// Turns a bit of one byte of a file over.
pub fn flip_bit(file: &Path, byte: usize) {
    let mut held = fs::read(file).expect("reads");
    held[byte] ^= 1;
    fs::write(file, held).expect("writes");
}

/// Turns a bit of the one object under a folder over.
pub fn damage_object(folder: &Path, byte: usize) {
    flip_bit(&data_file(folder), byte);
}
