//! Commitments and sums of points with IFMA.

use std::arch::x86_64::*;

use rayon::prelude::*;

use super::additions::{CHAINS, Operands, Scratch, add_all};
use super::field::{Fq8, IfmaProof, Limbs, ifma};
use super::points::{Row, load, stored_x, stored_y, transposed};
use crate::curve::affine::{Point, Stored};
use crate::curve::digits::{Padded, Signed, padded, padded_limb};
use crate::curve::sums::Adder;
use crate::curve::{Fr, G1Affine, G1Projective, LIMB_BITS, SCALAR_BITS, Table};

/// Blocks at most whose sums share an inversion at each base. With windows of 12 bits their sums take 1.4 MiB, and what the
/// inversion needs as much: a core's second-level cache holds most of it.
const BLOCKS_AT_ONCE: usize = 512;
/// Vectors between asking for points and using them.
const AHEAD: usize = 8;
/// Lanes of the vectors that are added at a time.
const LANES: usize = 8 * CHAINS;

/// Additions of rows.
#[derive(Clone, Copy)]
pub(super) struct Ifma(pub(super) IfmaProof);

impl Adder for Ifma {
    type Point = Row;

    const INFINITY: Row = Row::INFINITY;

    fn load(self, stored: &Stored) -> Row {
        Row::from(&Point::load(stored))
    }

    fn negated(self, row: &Row) -> Row {
        row.negated()
    }

    fn affine(self, row: &Row) -> G1Affine {
        row.point().affine()
    }

    fn prefetch(self, stored: &Stored) {
        prefetch(self.0, stored);
    }

    fn add_pairs(self, pool: &[Row], pairs: &[[Signed; 2]], sums: &mut [Row]) {
        assert_eq!(pairs.len(), sums.len());
        // SAFETY: the proof says that the instruction set exists.
        unsafe { add_pairs(self.0, pool, pairs, sums) }
    }
}

/// Asks for a stored point, which lies in two lines, to come near.
#[inline(always)]
fn prefetch(_: IfmaProof, stored: &Stored) {
    ifma!(_mm_prefetch::<_MM_HINT_T0>(stored.as_ptr().cast()));
    ifma!(_mm_prefetch::<_MM_HINT_T0>(stored.as_ptr().add(stored.len() - 1).cast()));
}

/// Pairs of rows anywhere in a pool.
struct Pairs<'p> {
    pool: &'p [Row],
    pairs: &'p [[Signed; 2]],
    sums: &'p mut [Row],
}

impl Pairs<'_> {
    /// Member `side` of the pair in this lane. Lanes beyond the last pair take the first one again.
    #[inline(always)]
    fn member(&self, side: usize, vector: usize, lane: usize) -> Signed {
        let pair = self.pairs.get(8 * vector + lane).unwrap_or(&self.pairs[0]);
        pair[side]
    }

    /// Asks for both points of the pairs of a vector, if it exists.
    #[inline(always)]
    fn prefetch(&self, _: IfmaProof, vector: usize) {
        let pairs = vector.checked_mul(8).and_then(|first| self.pairs.get(first..first + 8));
        for member in pairs.into_iter().flatten().flatten() {
            let row: *const Row = &self.pool[member.index()];
            ifma!(_mm_prefetch::<_MM_HINT_T0>(row.cast()));
            ifma!(_mm_prefetch::<_MM_HINT_T0>(row.byte_add(64).cast()));
        }
    }

    #[inline(always)]
    fn x(&self, proof: IfmaProof, side: usize, vector: usize) -> Fq8 {
        let mut rows = [ifma!(_mm512_setzero_si512()); 8];
        for (lane, row) in rows.iter_mut().enumerate() {
            *row = load(proof, &self.pool[self.member(side, vector, lane).index()].x);
        }
        transposed(rows)
    }

    #[inline(always)]
    fn y(&self, proof: IfmaProof, side: usize, vector: usize) -> Fq8 {
        let mut rows = [ifma!(_mm512_setzero_si512()); 8];
        let mut negative = 0;
        for (lane, row) in rows.iter_mut().enumerate() {
            let member = self.member(side, vector, lane);
            *row = load(proof, &self.pool[member.index()].y);
            negative |= u8::from(member.is_negative()) << lane;
        }
        transposed(rows).negated(negative)
    }
}

impl Operands for Pairs<'_> {
    #[inline(always)]
    fn left_x(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        self.x(proof, 0, vector)
    }

    #[inline(always)]
    fn left_y(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        self.y(proof, 0, vector)
    }

    #[inline(always)]
    fn right_x(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        self.prefetch(proof, vector + AHEAD);
        self.x(proof, 1, vector)
    }

    #[inline(always)]
    fn right_y(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        self.prefetch(proof, vector.wrapping_sub(AHEAD));
        self.y(proof, 1, vector)
    }

    #[inline(always)]
    fn store(&mut self, vector: usize, x: Fq8, y: Fq8) {
        let (x, y) = (transposed(x.0).0, transposed(y.0).0);
        for (lane, sum) in self.sums.iter_mut().skip(8 * vector).take(8).enumerate() {
            ifma!(_mm512_storeu_si512(sum.x.as_mut_ptr().cast(), x[lane]));
            ifma!(_mm512_storeu_si512(sum.y.as_mut_ptr().cast(), y[lane]));
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi,avx512dq")]
fn add_pairs(proof: IfmaProof, pool: &[Row], pairs: &[[Signed; 2]], sums: &mut [Row]) {
    if pairs.is_empty() {
        return;
    }
    let vectors = pairs.len().div_ceil(LANES) * CHAINS;
    add_all(proof, &mut Pairs { pool, pairs, sums }, vectors, &mut Scratch::default());
}

/// Eight points, one a lane.
#[derive(Clone, Copy)]
struct Sum {
    x: Limbs,
    y: Limbs,
}

impl Sum {
    const INFINITY: Sum = Sum { x: Limbs::ZERO, y: Limbs::ZERO };

    fn affine(&self, lane: usize) -> G1Affine {
        Row { x: self.x.0.map(|limb| limb[lane]), y: self.y.0.map(|limb| limb[lane]) }.point().affine()
    }
}

/// Eight digits, one a lane: entries of a base's row, and which of them are negative.
#[derive(Clone, Copy, Default)]
struct Digits {
    entries: [u32; 8],
    negative: u8,
}

/// Entries of one base on their way into sums.
struct Entries<'t> {
    sums: &'t mut [Sum],
    row: &'t [Stored],
    digits: &'t [Digits],
}

impl Entries<'_> {
    /// Asks for the entries of a vector, if it exists.
    #[inline(always)]
    fn prefetch(&self, proof: IfmaProof, vector: usize) {
        for entry in self.digits.get(vector).into_iter().flat_map(|digits| digits.entries) {
            prefetch(proof, &self.row[entry as usize]);
        }
    }
}

impl Operands for Entries<'_> {
    #[inline(always)]
    fn left_x(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        Fq8::load(proof, &self.sums[vector].x)
    }

    #[inline(always)]
    fn left_y(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        Fq8::load(proof, &self.sums[vector].y)
    }

    #[inline(always)]
    fn right_x(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        self.prefetch(proof, vector + AHEAD);
        let mut rows = [ifma!(_mm512_setzero_si512()); 8];
        for (row, entry) in rows.iter_mut().zip(self.digits[vector].entries) {
            *row = stored_x(proof, &self.row[entry as usize]);
        }
        transposed(rows)
    }

    #[inline(always)]
    fn right_y(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        self.prefetch(proof, vector.wrapping_sub(AHEAD));
        let mut rows = [ifma!(_mm512_setzero_si512()); 8];
        for (row, entry) in rows.iter_mut().zip(self.digits[vector].entries) {
            *row = stored_y(proof, &self.row[entry as usize]);
        }
        transposed(rows).negated(self.digits[vector].negative)
    }

    #[inline(always)]
    fn store(&mut self, vector: usize, x: Fq8, y: Fq8) {
        x.store(&mut self.sums[vector].x);
        y.store(&mut self.sums[vector].y);
    }
}

/// Sums that take the sums of another window.
struct Windows<'t> {
    sums: &'t mut [Sum],
    window: &'t [Sum],
}

impl Operands for Windows<'_> {
    #[inline(always)]
    fn left_x(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        Fq8::load(proof, &self.sums[vector].x)
    }

    #[inline(always)]
    fn left_y(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        Fq8::load(proof, &self.sums[vector].y)
    }

    #[inline(always)]
    fn right_x(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        Fq8::load(proof, &self.window[vector].x)
    }

    #[inline(always)]
    fn right_y(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        Fq8::load(proof, &self.window[vector].y)
    }

    #[inline(always)]
    fn store(&mut self, vector: usize, x: Fq8, y: Fq8) {
        x.store(&mut self.sums[vector].x);
        y.store(&mut self.sums[vector].y);
    }
}

/// Sums that are doubled.
struct Doubled<'t>(&'t mut [Sum]);

impl Operands for Doubled<'_> {
    const DOUBLING: bool = true;

    #[inline(always)]
    fn left_x(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        Fq8::load(proof, &self.0[vector].x)
    }

    #[inline(always)]
    fn left_y(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        Fq8::load(proof, &self.0[vector].y)
    }

    #[inline(always)]
    fn right_x(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        self.left_x(proof, vector)
    }

    #[inline(always)]
    fn right_y(&self, proof: IfmaProof, vector: usize) -> Fq8 {
        self.left_y(proof, vector)
    }

    #[inline(always)]
    fn store(&mut self, vector: usize, x: Fq8, y: Fq8) {
        x.store(&mut self.0[vector].x);
        y.store(&mut self.0[vector].y);
    }
}

pub(super) fn commit(
    proof: IfmaProof,
    table: &Table,
    blocks: &[&[u8]],
    blindings: &[Fr],
) -> Vec<G1Projective> {
    let share = blocks.len().div_ceil(rayon::current_num_threads());
    let at_once = share.next_multiple_of(LANES).clamp(LANES, BLOCKS_AT_ONCE);
    blocks
        .par_chunks(at_once)
        .zip(blindings.par_chunks(at_once))
        // SAFETY: the proof says that the instruction set exists.
        .flat_map_iter(|(blocks, blindings)| unsafe { commit_together(proof, table, blocks, blindings) })
        .collect()
}

#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi,avx512dq")]
fn commit_together(proof: IfmaProof, table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
    let limbs = table.base_count() - 1;
    // Vectors of blocks; lanes beyond the last block hold the last one again.
    let vectors = blocks.len().div_ceil(LANES) * CHAINS;
    let block = |index: usize| index.min(blocks.len() - 1);
    let mut scratch = Scratch::default();
    let mut digits = Vec::new();

    // The last base has more windows than the others, so it comes first. Sum `window · vectors + i` is of blocks 8i … 8i + 7.
    let windows = table.windows(SCALAR_BITS) as usize;
    let mut sums = vec![Sum::INFINITY; windows * vectors];
    cut(proof, table, SCALAR_BITS, vectors, &mut digits, |index| padded(&blindings[block(index)]));
    let mut entries = Entries { sums: &mut sums, row: table.row(limbs), digits: &digits };
    for vector in 0..windows * vectors {
        let (x, y) = (entries.right_x(proof, vector), entries.right_y(proof, vector));
        entries.store(vector, x, y);
    }

    for limb in 0..limbs {
        cut(proof, table, LIMB_BITS, vectors, &mut digits, |index| padded_limb(blocks[block(index)], limb));
        let mut entries = Entries { sums: &mut sums, row: table.row(limb), digits: &digits };
        add_all(proof, &mut entries, digits.len(), &mut scratch);
    }

    let mut joined = sums.split_off((windows - 1) * vectors);
    for window in sums.rchunks(vectors) {
        for _ in 0..table.width_bits() {
            add_all(proof, &mut Doubled(&mut joined), vectors, &mut scratch);
        }
        add_all(proof, &mut Windows { sums: &mut joined, window }, vectors, &mut scratch);
    }
    (0..blocks.len()).map(|i| joined[i / 8].affine(i % 8) + table.corrections().block).collect()
}

/// The digits of every window of the scalars that all lanes of `vectors` vectors hold: window after window.
#[inline(always)]
fn cut(
    _: IfmaProof,
    table: &Table,
    scalar_bits: u32,
    vectors: usize,
    digits: &mut Vec<Digits>,
    scalar: impl Fn(usize) -> Padded,
) {
    let (windows, width_bits) = (table.windows(scalar_bits), table.width_bits());
    digits.resize(windows as usize * vectors, Digits::default());
    for vector in 0..vectors {
        let mut words = [[0; 8]; 5];
        for lane in 0..8 {
            for (word, bytes) in words.iter_mut().zip(scalar(8 * vector + lane).as_chunks::<8>().0) {
                word[lane] = u64::from_le_bytes(*bytes);
            }
        }
        for window in 0..windows {
            let first_bit = window * width_bits;
            let (word, shift) = (first_bit as usize / 64, first_bit % 64);
            let digit = &mut digits[window as usize * vectors + vector];
            ifma!({
                let low = _mm512_loadu_si512(words[word].as_ptr().cast());
                let high = _mm512_loadu_si512(words[word + 1].as_ptr().cast());
                // A shift by 64 gives zero.
                let low = _mm512_srl_epi64(low, _mm_cvtsi32_si128(shift.cast_signed()));
                let high = _mm512_sll_epi64(high, _mm_cvtsi32_si128(64 - shift.cast_signed()));
                let raw = _mm512_or_si512(low, high);
                let sign = _mm512_set1_epi64(1 << (width_bits - 1));
                let negative = _mm512_testn_epi64_mask(raw, sign);
                let entry = _mm512_mask_xor_epi64(raw, negative, raw, _mm512_set1_epi64(-1));
                let entry = _mm512_and_si512(entry, _mm512_sub_epi64(sign, _mm512_set1_epi64(1)));
                _mm256_storeu_si256(digit.entries.as_mut_ptr().cast(), _mm512_cvtepi64_epi32(entry));
                digit.negative = negative;
            });
        }
    }
}
