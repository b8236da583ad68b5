//! Files that people hand to commands: read whole, decoded, and refused with their path.

use std::io::{Read, Write};
use std::path::Path;

use holdfast_engine::commitment::Commitment;
use holdfast_engine::rejection::{Class, Rejection};

use age::secrecy::SecretString;
use zeroize::Zeroizing;

use crate::local::failure::Failure;

/// No file that a command reads whole is larger: a commitment of a petabyte in windows of 1 GiB has 1 GiB.
const BYTES_MAXIMUM: u64 = 4 << 30;

/// All bytes of a file; larger ones than any format's are refused before they are read.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::file("read", path, error);
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > BYTES_MAXIMUM {
        let rejection =
            Class::WrongLength.because(format!("{length} bytes are more than any of our formats has"));
        return Err(Failure::rejected(path, rejection));
    }
    std::fs::read(path).map_err(failed)
}

/// The text of a file that people write.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let reason = "it is not UTF-8 text".to_owned();
    String::from_utf8(read(path)?).map_err(|_| Failure::Foreign {
        path: path.to_owned(),
        expected: "text",
        reason,
    })
}

/// The text of a file that holds secrets; it is erased from memory when it is dropped.
pub fn read_secret(path: &Path) -> Result<SecretString, Failure> {
    const SECRET_BYTES_MAXIMUM: u64 = 1 << 20;
    let failed = |error| Failure::file("read", path, error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = Zeroizing::new(String::new());
    file.take(SECRET_BYTES_MAXIMUM).read_to_string(&mut text).map_err(failed)?;
    Ok(SecretString::from(text.as_str()))
}

/// The passphrase in a file: its first line.
pub fn read_passphrase(path: &Path) -> Result<SecretString, Failure> {
    use age::secrecy::ExposeSecret;
    let text = read_secret(path)?;
    match text.expose_secret().lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line)),
        _ => Err(Failure::Foreign {
            path: path.to_owned(),
            expected: "a passphrase",
            reason: "its first line is empty".to_owned(),
        }),
    }
}

fn decode<T>(path: &Path, decode: impl Fn(&[u8]) -> Result<T, Rejection>) -> Result<T, Failure> {
    decode(&read(path)?).map_err(|rejection| Failure::rejected(path, rejection))
}

/// A commitment that agrees with itself.
pub fn read_commitment(path: &Path) -> Result<Commitment, Failure> {
    decode(path, Commitment::decode)
}

/// Writes a file so that a reader finds the old bytes or the new ones, never a part.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = std::fs::File::create(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // What is left over is of no use to anybody; the first error is what is told.
        let _ = std::fs::remove_file(&new);
    }
    written.map_err(|error| Failure::file("write", path, error))
}
