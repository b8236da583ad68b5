//! Computing commitments (commitment-v1 §4): the miner's side, and nearly all of the work there is. By the processor, or shared
//! with accelerators, whose every batch has to pass the store-time check.

mod sharing;

use ark_bls12_381::{Fr, G1Projective};
use ark_ec::CurveGroup;
use zeroize::Zeroizing;

use super::Replica;
use super::blinding::BlindingKey;
use super::encode::BLOCK_SCALARS;
use super::generators::{GENERATORS, Generators};
use super::points::{POINT_BYTES, encode_point};
use crate::accelerator::Devices;
use crate::backend::Backend;
use crate::curve::{Table, TableError};
use crate::tree::BLOCK_BYTES;

pub use sharing::Shares;

/// Widths of tables that are made for one run: 4 KiB a base up to 208 MB in all.
const WIDTHS_BITS: std::ops::RangeInclusive<u32> = 4..=12;
/// Bits of a limb.
const LIMB_BITS: u64 = 248;

/// Commits to blocks.
#[derive(Debug)]
pub struct Committer<'b> {
    backend: &'b dyn Backend,
    table: Table,
    sharing: Option<sharing::Sharing>,
}

impl<'b> Committer<'b> {
    /// With the table of multiples that makes a run of so many blocks shortest, its making included.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn for_blocks(backend: &'b dyn Backend, blocks: u64) -> Result<Committer<'b>, TableError> {
        let table = Table::build(Generators::standard().all(), width_bits(blocks))?;
        Ok(Committer { backend, table, sharing: None })
    }

    /// The same, sharing work with accelerators.
    pub fn with_devices(mut self, devices: Devices) -> Committer<'b> {
        self.sharing = sharing::Sharing::new(devices);
        self
    }

    /// Blocks that one call of [`Committer::points`] should have at least to keep everybody busy, besides 160 for each thread.
    pub fn blocks_wanted(&self) -> usize {
        self.sharing.as_ref().map_or(0, sharing::Sharing::blocks_wanted)
    }

    /// Who committed to how many blocks so far, and what accelerators did wrong since the last call.
    pub fn take_shares(&self) -> Shares {
        self.sharing.as_ref().map(sharing::Sharing::take_shares).unwrap_or_default()
    }

    /// Bits of the table's windows.
    pub fn width_bits(&self) -> u32 {
        self.table.width_bits()
    }

    /// The commitments of the blocks from `first_block` on, which `bytes` are, the last one perhaps short; as bytes of
    /// points. With all threads of the pool that the caller is in, and with the accelerators.
    pub fn points(
        &self,
        key: &BlindingKey,
        replica: &Replica,
        first_block: u64,
        bytes: &[u8],
    ) -> Vec<[u8; POINT_BYTES]> {
        // An object of no bytes has one block.
        let blocks: Vec<&[u8]> =
            if bytes.is_empty() { vec![&[]] } else { bytes.chunks(BLOCK_BYTES).collect() };
        let mut blindings: Zeroizing<Vec<Fr>> = Zeroizing::new(Vec::with_capacity(blocks.len()));
        blindings.extend((first_block..).zip(&blocks).map(|(block, _)| key.scalar(replica, block)));
        let points = match &self.sharing {
            Some(sharing) => sharing.commit(&blocks, &blindings, |blocks, blindings| {
                self.backend.commit(&self.table, blocks, blindings)
            }),
            None => G1Projective::normalize_batch(&self.backend.commit(&self.table, &blocks, &blindings)),
        };
        points.iter().map(encode_point).collect()
    }
}

/// The width with the fewest additions: 2^(w − 1) a base to make the table, ⌈248 / w⌉ a limb of a block.
fn width_bits(blocks: u64) -> u32 {
    let additions = |width: &u32| {
        let limbs = blocks.saturating_mul(BLOCK_SCALARS as u64);
        (GENERATORS as u64)
            .saturating_mul(1 << (width - 1))
            .saturating_add(limbs.saturating_mul(LIMB_BITS.div_ceil((*width).into())))
    };
    WIDTHS_BITS.min_by_key(additions).unwrap_or(*WIDTHS_BITS.start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Choice, select};
    use crate::reference::possession;

    /// Short, empty and whole blocks, and a first block that is not 0: a wrong number of a block would blind it wrongly.
    #[test]
    fn commitments_are_those_of_the_reference() {
        let committer = Committer::for_blocks(select(Choice::Auto).unwrap(), 1).unwrap();
        let key = [9; 32];
        for length in [0, 31, BLOCK_BYTES, 2 * BLOCK_BYTES + 5] {
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            let replica = Replica::new(*blake3::hash(&bytes).as_bytes(), length as u64, 3).unwrap();
            let expected = possession::commitments(&key, &bytes, 3);
            let expected: Vec<_> = expected.iter().map(encode_point).collect();
            let key = BlindingKey::from_bytes(key);
            assert_eq!(committer.points(&key, &replica, 0, &bytes), expected, "{length} bytes");
            if let Some(second) = bytes.get(BLOCK_BYTES..).filter(|second| !second.is_empty()) {
                assert_eq!(committer.points(&key, &replica, 1, second), expected[1..], "{length} bytes");
            }
        }
    }

    #[test]
    fn larger_objects_get_larger_tables() {
        let widths = [1, 10, 100, 1000, 10_000, 1 << 30].map(width_bits);
        assert!(widths.is_sorted(), "{widths:?}");
        assert_eq!((widths[0], widths[5]), (5, 12));
    }
}
