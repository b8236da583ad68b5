//! What audits ask to see of an object: openings of chunks, and blocks with their paths (possession-v1 §7).

use rayon::prelude::*;

use super::{ObjectError, ObjectReader};
use crate::backend::Backend;
use crate::possession::link::HeldBlock;
use crate::tree::{
    BLOCK_BYTES, BLOCK_CHUNKS, Climb, Page, Source, block_count, open_chunks, page_count, page_over,
};

/// A block that was checked, and the page over it.
struct Read {
    bytes: Vec<u8>,
    page: Option<Page>,
}

impl ObjectReader {
    /// The openings of these chunks (tree-v1 §3), in their order; every block is checked before.
    ///
    /// # Errors
    /// As [`ObjectReader::copy`].
    pub fn open_chunks(&self, backend: &dyn Backend, chunks: &[u64]) -> Result<Vec<Vec<u8>>, ObjectError> {
        let block = |chunk: &u64| self.read_with_page(chunk / BLOCK_CHUNKS as u64);
        let read: Vec<Read> = chunks.par_iter().map(block).collect::<Result<_, _>>()?;
        let sources: Vec<Source<'_>> = chunks
            .iter()
            .zip(&read)
            .map(|(&index, read)| Source { index, block: &read.bytes, page: read.page.as_ref() })
            .collect();
        Ok(open_chunks(backend, self.length(), &sources))
    }

    /// These blocks with their siblings on the way to the root, in their order; every one is checked before.
    ///
    /// # Errors
    /// As [`ObjectReader::copy`].
    pub fn held_blocks(&self, backend: &dyn Backend, blocks: &[u64]) -> Result<Vec<HeldBlock>, ObjectError> {
        let read: Vec<Read> =
            blocks.par_iter().map(|block| self.read_with_page(*block)).collect::<Result<_, _>>()?;
        let sources: Vec<Source<'_>> = blocks
            .iter()
            .zip(&read)
            .map(|(&block, read)| Source {
                index: block * BLOCK_CHUNKS as u64,
                block: &read.bytes,
                page: read.page.as_ref(),
            })
            .collect();
        let openings = open_chunks(backend, self.length(), &sources);
        let count = block_count(self.length()).max(1);
        let held = read.into_iter().zip(blocks).zip(openings).map(|((read, block), opening)| {
            // The path of a chunk ends with that of its block.
            let siblings = Climb::new(*block, count).siblings().count();
            let path = opening[opening.len() - 32 * siblings..].as_chunks().0.to_vec();
            HeldBlock { bytes: read.bytes, path }
        });
        Ok(held.collect())
    }

    fn read_with_page(&self, block: u64) -> Result<Read, ObjectError> {
        let start = block * BLOCK_BYTES as u64;
        let end = (start + BLOCK_BYTES as u64).min(self.length());
        let mut bytes = Vec::with_capacity(BLOCK_BYTES);
        self.copy(start.min(end)..end, &mut bytes)?;
        let page = (page_count(self.length()) > 0).then(|| self.read_page(page_over(block))).transpose()?;
        Ok(Read { bytes, page })
    }
}
