//! The file that keeps a table: 128 bytes of header, then the entries.
//!
//! | offset | size | field |
//! | --- | --- | --- |
//! | 0 | 8 | `"HFCTABLE"` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | bits of a window |
//! | 16 | 8 | number of bases |
//! | 24 | 8 | zero |
//! | 32 | 32 | BLAKE3 of the bases, each as an entry |
//! | 64 | 32 | BLAKE3 of bytes 0 … 63 and the entries |
//! | 96 | 32 | zero |

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use super::G1Affine;
use super::affine::Point;

const HEADER_BYTES: usize = 128;
/// Changes with the header, with the form of the entries and with their order.
const VERSION: u32 = 1;

/// Reads the entries, if the file is exactly what [`write`] would write for these bases.
pub(super) fn read(path: &Path, bases: &[G1Affine], width_bits: u32, entries: &mut [u8]) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header)?;
    let fields = fields(bases, width_bits);
    if header[..64] != fields {
        return Err(io::Error::other("made for other bases, another width or by another version"));
    }
    file.read_exact(entries)?;
    if file.read(&mut [0])? != 0 || header != complete(&fields, entries) {
        return Err(io::Error::other("damaged"));
    }
    Ok(())
}

/// Writes a file beside it, syncs, renames, and syncs the directory.
pub(super) fn write(path: &Path, bases: &[G1Affine], width_bits: u32, entries: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // Another process may be building the same table.
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = directory.join(name);
    let result = File::create(&temporary)
        .and_then(|mut file| {
            file.write_all(&complete(&fields(bases, width_bits), entries))?;
            file.write_all(entries)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(directory)?.sync_all());
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Bytes 0 … 63 of the header.
fn fields(bases: &[G1Affine], width_bits: u32) -> [u8; 64] {
    let mut hasher = blake3::Hasher::new();
    for base in bases {
        hasher.update(&Point::from(base).store());
    }
    let mut fields = [0; 64];
    fields[..8].copy_from_slice(b"HFCTABLE");
    fields[8..12].copy_from_slice(&VERSION.to_le_bytes());
    fields[12..16].copy_from_slice(&width_bits.to_le_bytes());
    fields[16..24].copy_from_slice(&(bases.len() as u64).to_le_bytes());
    fields[32..].copy_from_slice(hasher.finalize().as_bytes());
    fields
}

/// The whole header.
fn complete(fields: &[u8; 64], entries: &[u8]) -> [u8; HEADER_BYTES] {
    let checksum = blake3::Hasher::new().update(fields).update(entries).finalize();
    let mut header = [0; HEADER_BYTES];
    header[..64].copy_from_slice(fields);
    header[64..96].copy_from_slice(checksum.as_bytes());
    header
}
