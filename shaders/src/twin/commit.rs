//! Twin of `wgsl/commit.wgsl`: sums of table entries for commitments of blocks (commitment-v1 §4).

use super::Invocation;
use super::curve::{Addend, add_mixed, infinity, load_addend, store_point};
use super::field::ResidueForm;
use crate::commitment::LIMB_BITS;
use crate::layout::{AffinePoint, Commit, Point};

/// Words of a blinding scalar.
const BLINDING_WORDS: usize = 8;

/// What the kernel only reads.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// 2^(w − 1) entries a base.
    pub table: &'a [AffinePoint],
    /// `block_words` words a block.
    pub blocks: &'a [u32],
    /// Eight words a block.
    pub blindings: &'a [u32],
}

/// `width_bits` bits of one row of words from bit `bit` on; beyond the row there are zeros.
fn bits(row: &[u32], bit: u32, width_bits: u32) -> u32 {
    let word = |at: usize| row.get(at).copied().unwrap_or(0);
    let (at, shift) = ((bit / 32) as usize, bit % 32);
    let joined = (word(at) >> shift) | ((word(at + 1) << 1) << (31 - shift));
    joined & ((1 << width_bits) - 1)
}

/// The window of a limb; in the last window the next limb's bits are cut off.
fn limb_digit(parameters: &Commit, block: &[u32], base: u32, window: u32) -> u32 {
    let within = window * parameters.width_bits;
    let digit = bits(block, LIMB_BITS * base + within, parameters.width_bits);
    digit & ((1 << parameters.width_bits.min(LIMB_BITS - within)) - 1)
}

/// The entry of a base's row that the digit stands for, or its negative: the digit r is the odd number 2r − (2^w − 1).
fn entry<F: ResidueForm>(
    parameters: &Commit,
    table: &[AffinePoint],
    base: u32,
    digit: u32,
) -> Addend<F::Residue> {
    let half = 1 << (parameters.width_bits - 1);
    let negative = digit < half;
    let place = if negative { !digit } else { digit } & (half - 1);
    load_addend::<F>(table[(base * half + place) as usize], negative)
}

/// One invocation: one window of one segment of the bases for one block.
pub fn commit<F: ResidueForm>(
    invocation: Invocation,
    parameters: &Commit,
    inputs: Inputs<'_>,
    sums: &mut [Point],
) {
    let i = invocation.index();
    if i >= parameters.count {
        return;
    }
    let place = parameters.first.wrapping_add(i);
    let window = place % parameters.windows;
    let row = place / parameters.windows;
    let block = (row / parameters.segments) as usize;
    let words = parameters.block_words as usize;
    let block_words = &inputs.blocks[block * words..][..words];
    let blinding_words = &inputs.blindings[block * BLINDING_WORDS..][..BLINDING_WORDS];
    let first_base = (row % parameters.segments) * parameters.segment_bases;
    let last_base = parameters.bases - 1;
    let mut sum = infinity::<F>();
    for base in (first_base..).take(parameters.segment_bases as usize) {
        let is_limb = base < last_base && window < parameters.limb_windows;
        if is_limb || base == last_base {
            let digit = if is_limb {
                limb_digit(parameters, block_words, base, window)
            } else {
                bits(blinding_words, window * parameters.width_bits, parameters.width_bits)
            };
            sum = add_mixed::<F>(sum, entry::<F>(parameters, inputs.table, base, digit));
        }
    }
    sums[place as usize] = store_point::<F>(sum);
}
