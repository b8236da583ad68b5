//! Reading: every block is checked against the root before any of its bytes is handed on.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use holdfast_partition::io::IoError;
use holdfast_partition::objects::{Entry, Object, ObjectFile, ObjectName};

use super::{Address, ObjectError, Objects};
use crate::tree::{
    BLOCK_BYTES, ChainingValue, PAGE_BLOCKS, PAGE_BYTES, Page, at, block_count, block_value, page_over, root,
    verify_page,
};

/// An object, open for reading. It can be read to its end even when it is deleted meanwhile.
#[derive(Debug)]
pub struct ObjectReader {
    entry: Entry,
    data: File,
    outboard: Option<File>,
}

impl Objects {
    /// Opens an object for reading.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchObject`], [`ObjectError::Expired`], [`ObjectError::Store`] (damaged, I/O).
    pub fn open(&self, address: &Address, now: u64) -> Result<ObjectReader, ObjectError> {
        let object = self.object(address)?;
        let entry = object.entry;
        if let Some(expires_at) = entry.expires_at.filter(|_| entry.is_expired(now)) {
            return Err(ObjectError::Expired { name: entry.name, expires_at });
        }
        self.reader(&object)
    }

    /// Opens an object that is there, expired or not.
    pub(super) fn reader(&self, object: &Object) -> Result<ObjectReader, ObjectError> {
        let entry = object.entry;
        let data = self.store().open_file(entry.name, ObjectFile::Data)?;
        // An object of one block at most has no outboard.
        let outboard = || self.store().open_file(entry.name, ObjectFile::Outboard);
        let outboard = (entry.outboard_bytes > 0).then(outboard).transpose()?;
        Ok(ObjectReader { entry, data, outboard })
    }
}

impl ObjectReader {
    /// Bytes of the object.
    pub fn length(&self) -> u64 {
        self.entry.data_bytes
    }

    /// Its name, which is its root.
    pub fn name(&self) -> ObjectName {
        self.entry.name
    }

    /// Hands the bytes of a range to `sink`, in order; returns how many.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchRange`]; [`ObjectError::DamagedBlock`] and [`ObjectError::DamagedOutboard`], after all bytes
    /// before the damage and none from it on were handed on; [`ObjectError::Sink`]; I/O.
    pub fn copy(&self, range: Range<u64>, sink: &mut impl Write) -> Result<u64, ObjectError> {
        let Range { start, end } = range;
        let length = self.length();
        if start > end || end > length {
            return Err(ObjectError::NoSuchRange { start, end, length });
        }
        let block_bytes = BLOCK_BYTES as u64;
        let mut position = start;
        let mut bytes = Vec::new();
        while position < end {
            // Up to the end of this page's blocks, or of the range.
            let first = position / block_bytes;
            let page_end = (page_over(first) + 1) * PAGE_BLOCKS as u64;
            let blocks = first..page_end.min(end.div_ceil(block_bytes));
            let tile_start = first * block_bytes;
            let tile_end = (blocks.end * block_bytes).min(end);
            let checked = self.read_blocks(blocks, &mut bytes);
            let wanted = at(position - tile_start)..bytes.len().min(at(tile_end - tile_start));
            if let Some(part) = bytes.get(wanted) {
                sink.write_all(part).map_err(ObjectError::Sink)?;
            }
            checked?;
            position = tile_end;
        }
        Ok(end - start)
    }

    /// Blocks of one group (tree-v1 §4), each checked, with the page that shows them to whoever has the root alone; an object
    /// of one block at most has no page. `blocks` are numbers in the object.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchRange`] unless the blocks are some of that group's; else as [`ObjectReader::copy`].
    pub fn group(&self, group: u64, blocks: Range<u64>) -> Result<(Option<Page>, Vec<u8>), ObjectError> {
        let length = self.length();
        let first = group.saturating_mul(PAGE_BLOCKS as u64);
        let end = first.saturating_add(PAGE_BLOCKS as u64).min(block_count(length));
        if blocks.start < first || blocks.end > end || blocks.is_empty() {
            let [start, end] =
                [blocks.start, blocks.end].map(|block| block.saturating_mul(BLOCK_BYTES as u64));
            return Err(ObjectError::NoSuchRange { start, end, length });
        }
        let mut bytes = Vec::new();
        self.read_blocks(blocks, &mut bytes)?;
        let page = (self.entry.outboard_bytes > 0).then(|| self.read_page(group)).transpose()?;
        Ok((page, bytes))
    }

    /// Reads blocks under one page and checks each. With an error, `bytes` are those before what is wrong.
    fn read_blocks(&self, blocks: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), ObjectError> {
        let start = blocks.start * BLOCK_BYTES as u64;
        let end = (blocks.end * BLOCK_BYTES as u64).min(self.length());
        let mut read = std::mem::take(bytes);
        read.resize(at(end - start), 0);
        self.data.read_exact_at(&mut read, start).map_err(|error| self.failed(&error, start, end))?;
        let wrong = if block_count(self.length()) == 1 {
            (root(&read) != self.name().0).then_some(0)
        } else {
            let number = page_over(blocks.start);
            let page = self.read_page(number)?;
            let values = verify_page(&page, number, self.length(), &self.name().0);
            let values =
                values.map_err(|_| ObjectError::DamagedOutboard { name: self.name(), page: number })?;
            first_wrong_block(&read, &values[at(blocks.start % PAGE_BLOCKS as u64)..], blocks.start)
        };
        *bytes = read;
        let Some(block) = wrong else { return Ok(()) };
        bytes.truncate(at(block - blocks.start) * BLOCK_BYTES);
        Err(ObjectError::DamagedBlock { name: self.name(), block })
    }

    pub(super) fn read_page(&self, number: u64) -> Result<Page, IoError> {
        let mut page = [0; PAGE_BYTES];
        let offset = number * PAGE_BYTES as u64;
        let read = match &self.outboard {
            Some(file) => file.read_exact_at(&mut page, offset),
            // Only an entry made by somebody else; the page of zeros is refused by its check.
            None => Ok(()),
        };
        read.map_err(|error| self.failed(&error, offset, offset + PAGE_BYTES as u64))?;
        Ok(page)
    }

    fn failed(&self, error: &std::io::Error, start: u64, end: u64) -> IoError {
        let name = self.name().to_string();
        IoError::from_os(error, "read", Path::new(&name), start, end - start)
    }
}

/// The first block of which the bytes do not have the value that they should have.
fn first_wrong_block(bytes: &[u8], values: &[ChainingValue], first: u64) -> Option<u64> {
    let mut blocks = (first..).zip(bytes.chunks(BLOCK_BYTES)).zip(values);
    blocks.find_map(|((block, bytes), value)| (block_value(block, bytes) != *value).then_some(block))
}
