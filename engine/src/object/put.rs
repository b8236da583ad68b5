//! Storing: the stream is hashed while it is written, and acknowledged when it is durable.

use std::io::Read;

use holdfast_partition::objects::{Entry, Incoming, ObjectName, Outcome, object_disk_bytes};

use super::hash::{StreamHasher, TILE_BYTES, fill};
use super::{Address, Hashed, ObjectError, ObjectStat, Objects};
use crate::possession::OBJECT_BYTES_MAX;
use crate::rejection::{Class, Rejection};
use crate::tree::{Outboard, PAGE_BYTES, page_count};

/// Outboard pages that are written together.
const PAGES_PER_WRITE: usize = 256;

/// How an object is to be stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct PutTerms<'a> {
    /// Its bytes, if they are known before. Space is reserved for them at once, and a stream of another length is refused.
    pub declared_bytes: Option<u64>,
    /// Its address, if it is known before. A stream with another one is refused.
    pub expected: Option<Address>,
    /// The time now.
    pub now: u64,
    /// From when on it is expired; `None` for never.
    pub expires_at: Option<u64>,
    /// The signed permission to keep it, kept beside it. An object that is there already keeps its own.
    pub ticket: Option<&'a [u8]>,
}

/// An object that is durable now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// What is known of it.
    pub stat: ObjectStat,
    /// Whether it was there before.
    pub outcome: Outcome,
}

/// Disk space that an object of so many bytes takes, its outboard included. What a partition must make free before.
pub(super) fn disk_bytes(bytes: u64) -> u64 {
    object_disk_bytes(bytes, page_count(bytes).saturating_mul(PAGE_BYTES as u64))
}

impl Objects {
    /// Disk space that an object of so many bytes takes: what must be free before it comes.
    pub fn disk_bytes(bytes: u64) -> u64 {
        disk_bytes(bytes)
    }

    /// Stores what the stream gives. When this returns, it is durable; after an error nothing of it is left.
    ///
    /// # Errors
    /// [`ObjectError::Store`] (the budget is full, among others); [`ObjectError::Source`]; refused: `wrong-length` (another
    /// length than declared, or more than 2^50 bytes), `wrong-root` (another address than expected), `policy` (expired
    /// already).
    pub fn put(&self, mut source: impl Read, terms: &PutTerms<'_>) -> Result<Put, ObjectError> {
        let most = check_terms(terms)?;
        let mut incoming = self.store.begin(disk_bytes(terms.declared_bytes.unwrap_or(0)))?;
        let hashed = write_data(&mut incoming, &mut source, most)?;
        check_stream(&hashed, terms)?;
        write_outboard(&mut incoming, hashed.outboard.as_ref())?;
        if let Some(ticket) = terms.ticket {
            incoming.write_ticket(ticket)?;
        }
        let entry = Entry {
            name: ObjectName(hashed.root),
            second_digest: hashed.sha256,
            data_bytes: hashed.length,
            outboard_bytes: 0,
            stored_at: terms.now,
            expires_at: terms.expires_at,
        };
        let outcome = incoming.commit(entry)?;
        let stat = ObjectStat::of(&self.store.object(entry.name)?);
        Ok(Put { stat, outcome })
    }
}

/// The most bytes that the stream may have.
fn check_terms(terms: &PutTerms<'_>) -> Result<u64, Rejection> {
    if let Some(at) = terms.expires_at.filter(|&at| at <= terms.now) {
        let now = terms.now;
        return Err(Class::Policy.because(format!("an object that expires at {at}, and it is {now}")));
    }
    let most = terms.declared_bytes.unwrap_or(OBJECT_BYTES_MAX);
    if most > OBJECT_BYTES_MAX {
        return Err(Class::WrongLength.because(format!("an object of {most} bytes, at most 2^50")));
    }
    Ok(most)
}

fn write_data(incoming: &mut Incoming<'_>, source: &mut impl Read, most: u64) -> Result<Hashed, ObjectError> {
    let mut hasher = StreamHasher::default();
    let mut buffer = vec![0; TILE_BYTES];
    loop {
        let read = fill(source, &mut buffer).map_err(ObjectError::Source)?;
        let tile = &buffer[..read];
        if incoming.data_bytes() + read as u64 > most {
            return Err(Class::WrongLength.because(format!("more than the {most} bytes announced")).into());
        }
        incoming.write_data(tile)?;
        hasher.update(tile);
        if read < TILE_BYTES {
            return Ok(hasher.finish());
        }
    }
}

fn check_stream(hashed: &Hashed, terms: &PutTerms<'_>) -> Result<(), Rejection> {
    let found = hashed.length;
    if let Some(declared) = terms.declared_bytes.filter(|&declared| declared != found) {
        return Err(Class::WrongLength.because(format!("{found} bytes instead of the {declared} announced")));
    }
    let [blake3, sha256] = hashed.addresses();
    match terms.expected {
        Some(expected) if expected != blake3 && expected != sha256 => {
            Err(Class::WrongRoot.because(format!("the bytes are {blake3}, not {expected}")))
        }
        _ => Ok(()),
    }
}

fn write_outboard(incoming: &mut Incoming<'_>, outboard: Option<&Outboard>) -> Result<(), ObjectError> {
    let mut bytes = Vec::with_capacity(PAGES_PER_WRITE * PAGE_BYTES);
    for page in outboard.iter().flat_map(|outboard| outboard.pages()) {
        bytes.extend_from_slice(&page);
        if bytes.len() >= PAGES_PER_WRITE * PAGE_BYTES {
            incoming.write_outboard(&bytes)?;
            bytes.clear();
        }
    }
    if !bytes.is_empty() {
        incoming.write_outboard(&bytes)?;
    }
    Ok(())
}
