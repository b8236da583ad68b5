//! Reading an object whole, and saying what is wrong with it.

use std::io::Read;

use holdfast_partition::io::IoError;
use holdfast_partition::objects::{Beside, Entry, ObjectFile};
use serde::Serialize;

use super::hash::{StreamHasher, TILE_BYTES, fill};
use super::read::ObjectReader;
use super::{Address, Hashed, ObjectError, Objects};
use crate::tree::{ChainingValue, PAGE_BLOCKS, at, page_count, verify_page};

/// What reading an object whole has shown. The lists name what is damaged; they are complete if the pages over the damaged
/// blocks are sound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Bytes that were read.
    pub bytes: u64,
    /// Whether the bytes are those that were stored: they have the root that the object is named by.
    pub data_is_sound: bool,
    /// Blocks of 16 KiB that are known to be damaged.
    pub damaged_blocks: Vec<u64>,
    /// Pages of the outboard that are damaged. They can be made anew while the data is sound.
    pub damaged_pages: Vec<u64>,
    /// Whether the SHA-256 is the one that the object's second address names.
    pub sha256_is_sound: bool,
}

impl Verification {
    /// Whether everything is as it was stored.
    pub fn is_sound(&self) -> bool {
        self.data_is_sound && self.damaged_pages.is_empty() && self.sha256_is_sound
    }
}

impl Objects {
    /// Reads an object whole, expired or not, and its outboard. Damage is no error here.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchObject`], [`ObjectError::Store`] (an entry that cannot be used, I/O).
    pub fn verify(&self, address: &Address) -> Result<Verification, ObjectError> {
        let object = self.object(address)?;
        let reader = self.reader(&object)?;
        let (values, hashed) = self.hash_data(&object.entry)?;
        let data_is_sound = hashed.root == object.entry.name.0;
        let (damaged_blocks, damaged_pages) = compare(&reader, &object.entry, &values, data_is_sound)?;
        let sha256_is_sound = hashed.sha256 == object.entry.second_digest;
        Ok(Verification {
            bytes: hashed.length,
            data_is_sound,
            damaged_blocks,
            damaged_pages,
            sha256_is_sound,
        })
    }

    /// Makes the outboard of an object anew from its data, durably.
    ///
    /// # Errors
    /// As [`Objects::verify`]; [`ObjectError::DamagedBlock`] if the data is not sound, and then nothing is changed.
    pub fn mend_outboard(&self, address: &Address) -> Result<(), ObjectError> {
        let entry = self.object(address)?.entry;
        let (_, hashed) = self.hash_data(&entry)?;
        if hashed.root != entry.name.0 {
            let block = self.verify(address)?.damaged_blocks.first().copied().unwrap_or(0);
            return Err(ObjectError::DamagedBlock { name: entry.name, block });
        }
        let Some(outboard) = hashed.outboard else { return Ok(()) };
        let write = |out: &mut holdfast_partition::objects::BesideWriter<'_>| {
            outboard.pages().try_for_each(|page| out.write(&page))
        };
        Ok(self.store().write_beside(entry.name, Beside::Outboard, write)?)
    }

    /// The values of the blocks of an object's data as it is now, and what they lead to.
    fn hash_data(&self, entry: &Entry) -> Result<(Vec<ChainingValue>, Hashed), ObjectError> {
        let mut data = self.store().open_file(entry.name, ObjectFile::Data)?.take(entry.data_bytes);
        let mut hasher = StreamHasher::default();
        let mut tile = vec![0; TILE_BYTES];
        loop {
            let read = fill(&mut data, &mut tile).map_err(|error| {
                let path = self.store().file_path(entry.name, ObjectFile::Data);
                IoError::from_os(&error, "read", &path, 0, 0)
            })?;
            hasher.update(&tile[..read]);
            if read < TILE_BYTES {
                return Ok((hasher.block_values().to_vec(), hasher.finish()));
            }
        }
    }
}

/// The blocks and the pages that are not as they should be, by the values of the blocks as they are.
fn compare(
    reader: &ObjectReader,
    entry: &Entry,
    values: &[ChainingValue],
    data_is_sound: bool,
) -> Result<(Vec<u64>, Vec<u64>), ObjectError> {
    let pages = page_count(entry.data_bytes);
    if pages == 0 {
        let lone = if data_is_sound { Vec::new() } else { vec![0] };
        return Ok((lone, Vec::new()));
    }
    let (mut damaged_blocks, mut damaged_pages) = (Vec::new(), Vec::new());
    for number in 0..pages {
        let page = reader.read_page(number)?;
        let Ok(expected) = verify_page(&page, number, entry.data_bytes, &entry.name.0) else {
            damaged_pages.push(number);
            continue;
        };
        let first = number * PAGE_BLOCKS as u64;
        let found = values.get(at(first)..).unwrap_or_default();
        let same = |at: usize| found.get(at) == expected.get(at);
        damaged_blocks.extend((0..expected.len()).filter(|&at| !same(at)).map(|at| first + at as u64));
    }
    Ok((damaged_blocks, damaged_pages))
}
