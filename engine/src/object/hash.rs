//! One pass over a stream: root, outboard and SHA-256.

use std::io::{self, ErrorKind, Read};

use sha2::{Digest, Sha256};

use super::Address;
use crate::tree::{BLOCK_BYTES, ChainingValue, Outboard, PAGE_BLOCKS, block_value, root};

/// Bytes that are read and hashed together: the blocks under one outboard page.
pub(super) const TILE_BYTES: usize = PAGE_BLOCKS * BLOCK_BYTES;

/// What a stream was hashed to.
#[derive(Clone, Debug)]
pub struct Hashed {
    /// Bytes of the stream.
    pub length: u64,
    /// Its root.
    pub root: [u8; 32],
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// Its tree from the blocks up; `None` if it has one block at most.
    pub outboard: Option<Outboard>,
}

impl Hashed {
    /// Reads a stream to its end. Memory grows by 64 bytes a block, 0.4 % of the stream.
    ///
    /// # Errors
    /// What the stream returns.
    pub fn of(mut source: impl Read) -> io::Result<Hashed> {
        let mut hasher = StreamHasher::default();
        let mut tile = vec![0; TILE_BYTES];
        loop {
            let read = fill(&mut source, &mut tile)?;
            hasher.update(&tile[..read]);
            if read < TILE_BYTES {
                return Ok(hasher.finish());
            }
        }
    }

    /// The two addresses.
    pub fn addresses(&self) -> [Address; 2] {
        [Address::Blake3(self.root), Address::Sha256(self.sha256)]
    }
}

/// Takes a stream tile by tile; only the last tile may be shorter than [`TILE_BYTES`].
#[derive(Default)]
pub(super) struct StreamHasher {
    length: u64,
    sha256: Sha256,
    block_values: Vec<ChainingValue>,
    /// The root, if one block was all so far: a lone block's value does not give it.
    lone_root: Option<[u8; 32]>,
}

impl StreamHasher {
    pub(super) fn update(&mut self, tile: &[u8]) {
        self.lone_root = (self.length == 0 && tile.len() <= BLOCK_BYTES).then(|| root(tile)).or_else(|| {
            // An empty last tile adds nothing.
            self.lone_root.filter(|_| tile.is_empty())
        });
        let first = self.block_values.len() as u64;
        let values = &mut self.block_values;
        let sha256 = &mut self.sha256;
        // Two tasks and not one for each block: whoever hashes is mostly not alone, and every hand-over costs as much as some blocks.
        let hash_blocks = || {
            values.extend((first..).zip(tile.chunks(BLOCK_BYTES)).map(|(at, block)| block_value(at, block)))
        };
        rayon::join(|| sha256.update(tile), hash_blocks);
        self.length += tile.len() as u64;
    }

    pub(super) fn block_values(&self) -> &[ChainingValue] {
        &self.block_values
    }

    pub(super) fn finish(self) -> Hashed {
        let (length, sha256) = (self.length, self.sha256.finalize().into());
        match self.lone_root {
            Some(root) => Hashed { length, root, sha256, outboard: None },
            None if length == 0 => Hashed { length, root: root(&[]), sha256, outboard: None },
            None => {
                let outboard = Outboard::from_block_values(length, self.block_values);
                Hashed { length, root: outboard.root(), sha256, outboard: Some(outboard) }
            }
        }
    }
}

/// Reads until the buffer is full or the stream ends.
pub(super) fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
