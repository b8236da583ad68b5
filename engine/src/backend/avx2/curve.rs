//! Commitments and sums of points with AVX2 and FMA.

use rayon::prelude::*;

use super::additions::{Operands, Scratch, add_all};
use super::field::{FmaProof, Fq4, Limbs, element, lanes, limbs_of};
use super::points::{Words, abscissas, ordinates, points, prefetch};
use crate::curve::affine::{Point, Stored};
use crate::curve::digits::{Padded, Signed, odd_digit, padded, padded_limb};
use crate::curve::sums::Adder;
use crate::curve::{Fr, G1Affine, G1Projective, LIMB_BITS, SCALAR_BITS, Table};

/// Blocks at most whose sums share an inversion at each base.
const BLOCKS_AT_ONCE: usize = 512;
/// Vectors between asking for points and using them.
const AHEAD: usize = 8;
const LANES: usize = 4;

/// Additions of points in words.
#[derive(Clone, Copy)]
pub(super) struct Fma(pub(super) FmaProof);

impl Adder for Fma {
    type Point = Words;

    const INFINITY: Words = Words::INFINITY;

    fn load(self, stored: &Stored) -> Words {
        Words::from(stored)
    }

    fn negated(self, words: &Words) -> Words {
        Words::from(&words.point().negated_if(true))
    }

    fn affine(self, words: &Words) -> G1Affine {
        words.point().affine()
    }

    fn prefetch(self, stored: &Stored) {
        prefetch(self.0, stored);
    }

    fn add_pairs(self, pool: &[Words], pairs: &[[Signed; 2]], sums: &mut [Words]) {
        assert_eq!(pairs.len(), sums.len());
        // SAFETY: the proof says that the instruction set exists.
        unsafe { add_pairs(self.0, pool, pairs, sums) }
    }
}

/// Pairs of points anywhere in a pool.
struct Pairs<'p> {
    pool: &'p [Words],
    pairs: &'p [[Signed; 2]],
    sums: &'p mut [Words],
}

impl Pairs<'_> {
    /// Member `side` of the pairs of a vector. Lanes beyond the last pair take the first one again.
    #[inline(always)]
    fn members(&self, side: usize, vector: usize) -> [Signed; LANES] {
        let mut members = [self.pairs[0][side]; LANES];
        for (member, pair) in members.iter_mut().zip(&self.pairs[LANES * vector..]) {
            *member = pair[side];
        }
        members
    }

    /// Asks for both points of the pairs of a vector, if it exists.
    #[inline(always)]
    fn prefetch(&self, proof: FmaProof, vector: usize) {
        let first = vector.saturating_mul(LANES);
        let pairs = self.pairs.get(first..).into_iter().flatten().take(LANES);
        for member in pairs.flatten() {
            prefetch(proof, &self.pool[member.index()]);
        }
    }

    #[inline(always)]
    fn x(&self, proof: FmaProof, side: usize, vector: usize) -> Fq4 {
        let [a, b, c, d] = self.members(side, vector).map(|member| &self.pool[member.index()]);
        abscissas(proof, [a, b, c, d])
    }

    #[inline(always)]
    fn y(&self, proof: FmaProof, side: usize, vector: usize) -> Fq4 {
        let members = self.members(side, vector);
        let [a, b, c, d] = members.map(|member| &self.pool[member.index()]);
        ordinates(proof, [a, b, c, d]).negated(lanes(proof, members.map(Signed::is_negative)))
    }

    fn point(&self, member: Signed) -> Point {
        self.pool[member.index()].point().negated_if(member.is_negative())
    }
}

impl Operands for Pairs<'_> {
    #[inline(always)]
    fn left_x(&self, proof: FmaProof, vector: usize) -> Fq4 {
        self.x(proof, 0, vector)
    }

    #[inline(always)]
    fn left_y(&self, proof: FmaProof, vector: usize) -> Fq4 {
        self.y(proof, 0, vector)
    }

    #[inline(always)]
    fn right_x(&self, proof: FmaProof, vector: usize) -> Fq4 {
        self.prefetch(proof, vector + AHEAD);
        self.x(proof, 1, vector)
    }

    #[inline(always)]
    fn right_y(&self, proof: FmaProof, vector: usize) -> Fq4 {
        self.prefetch(proof, vector.wrapping_sub(AHEAD));
        self.y(proof, 1, vector)
    }

    #[inline(always)]
    fn store(&mut self, proof: FmaProof, vector: usize, x: &Fq4, y: &Fq4) {
        for (sum, point) in self.sums[LANES * vector..].iter_mut().zip(points(proof, x, y)) {
            *sum = point;
        }
    }

    fn points(&self, vector: usize, lane: usize) -> [Point; 2] {
        [0, 1].map(|side| self.point(self.members(side, vector)[lane]))
    }

    fn store_point(&mut self, vector: usize, lane: usize, point: &Point) {
        if let Some(sum) = self.sums.get_mut(LANES * vector + lane) {
            *sum = Words::from(point);
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn add_pairs(proof: FmaProof, pool: &[Words], pairs: &[[Signed; 2]], sums: &mut [Words]) {
    if pairs.is_empty() {
        return;
    }
    let vectors = pairs.len().div_ceil(LANES);
    add_all(proof, &mut Pairs { pool, pairs, sums }, vectors, &mut Scratch::default());
}

/// Four points, one a lane.
#[derive(Clone, Copy)]
struct Sum {
    x: Limbs,
    y: Limbs,
}

impl Sum {
    const INFINITY: Sum = Sum { x: Limbs::ZERO, y: Limbs::ZERO };

    fn point(&self, lane: usize) -> Point {
        let of_lane = |limbs: &Limbs| element(limbs.0.map(|words| words[lane]));
        Point { x: of_lane(&self.x), y: of_lane(&self.y) }
    }

    fn set(&mut self, lane: usize, point: &Point) {
        for (limbs, element) in [(&mut self.x, &point.x), (&mut self.y, &point.y)] {
            for (words, limb) in limbs.0.iter_mut().zip(limbs_of(&element.0.0)) {
                words[lane] = limb;
            }
        }
    }
}

/// Where points come from that are added to sums.
trait Source {
    /// From nowhere: the sums are doubled.
    const DOUBLING: bool = false;

    fn x(&self, proof: FmaProof, vector: usize) -> Fq4;
    fn y(&self, proof: FmaProof, vector: usize) -> Fq4;
    fn point(&self, vector: usize, lane: usize) -> Point;
}

/// Entries of one base.
struct Entries<'t> {
    row: &'t [Stored],
    digits: &'t [[Signed; LANES]],
}

impl Entries<'_> {
    /// Asks for the entries of a vector, if it exists.
    #[inline(always)]
    fn prefetch(&self, proof: FmaProof, vector: usize) {
        for digit in self.digits.get(vector).into_iter().flatten() {
            prefetch(proof, &self.row[digit.index()]);
        }
    }

    #[inline(always)]
    fn entries(&self, vector: usize) -> [&Stored; LANES] {
        self.digits[vector].map(|digit| &self.row[digit.index()])
    }
}

impl Source for Entries<'_> {
    #[inline(always)]
    fn x(&self, proof: FmaProof, vector: usize) -> Fq4 {
        self.prefetch(proof, vector + AHEAD);
        abscissas(proof, self.entries(vector))
    }

    #[inline(always)]
    fn y(&self, proof: FmaProof, vector: usize) -> Fq4 {
        self.prefetch(proof, vector.wrapping_sub(AHEAD));
        let negative = self.digits[vector].map(Signed::is_negative);
        ordinates(proof, self.entries(vector)).negated(lanes(proof, negative))
    }

    fn point(&self, vector: usize, lane: usize) -> Point {
        let digit = self.digits[vector][lane];
        Point::load(&self.row[digit.index()]).negated_if(digit.is_negative())
    }
}

/// The sums of another window.
struct Window<'t>(&'t [Sum]);

impl Source for Window<'_> {
    #[inline(always)]
    fn x(&self, proof: FmaProof, vector: usize) -> Fq4 {
        Fq4::load(proof, &self.0[vector].x)
    }

    #[inline(always)]
    fn y(&self, proof: FmaProof, vector: usize) -> Fq4 {
        Fq4::load(proof, &self.0[vector].y)
    }

    fn point(&self, vector: usize, lane: usize) -> Point {
        self.0[vector].point(lane)
    }
}

/// Nothing: sums are doubled.
struct Themselves;

impl Source for Themselves {
    const DOUBLING: bool = true;

    fn x(&self, proof: FmaProof, _: usize) -> Fq4 {
        Fq4::load(proof, &Limbs::ZERO)
    }

    fn y(&self, proof: FmaProof, _: usize) -> Fq4 {
        Fq4::load(proof, &Limbs::ZERO)
    }

    fn point(&self, _: usize, _: usize) -> Point {
        Point::INFINITY
    }
}

struct Adding<'t, S> {
    sums: &'t mut [Sum],
    source: S,
}

impl<S: Source> Operands for Adding<'_, S> {
    const DOUBLING: bool = S::DOUBLING;

    #[inline(always)]
    fn left_x(&self, proof: FmaProof, vector: usize) -> Fq4 {
        Fq4::load(proof, &self.sums[vector].x)
    }

    #[inline(always)]
    fn left_y(&self, proof: FmaProof, vector: usize) -> Fq4 {
        Fq4::load(proof, &self.sums[vector].y)
    }

    #[inline(always)]
    fn right_x(&self, proof: FmaProof, vector: usize) -> Fq4 {
        self.source.x(proof, vector)
    }

    #[inline(always)]
    fn right_y(&self, proof: FmaProof, vector: usize) -> Fq4 {
        self.source.y(proof, vector)
    }

    #[inline(always)]
    fn store(&mut self, _: FmaProof, vector: usize, x: &Fq4, y: &Fq4) {
        x.store(&mut self.sums[vector].x);
        y.store(&mut self.sums[vector].y);
    }

    fn points(&self, vector: usize, lane: usize) -> [Point; 2] {
        let left = self.sums[vector].point(lane);
        [left, if S::DOUBLING { left } else { self.source.point(vector, lane) }]
    }

    fn store_point(&mut self, vector: usize, lane: usize, point: &Point) {
        self.sums[vector].set(lane, point);
    }
}

pub(super) fn commit(
    proof: FmaProof,
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

#[target_feature(enable = "avx2,fma")]
fn commit_together(proof: FmaProof, table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
    let limbs = table.base_count() - 1;
    // Vectors of blocks; lanes beyond the last block hold the last one again.
    let vectors = blocks.len().div_ceil(LANES);
    let block = |index: usize| index.min(blocks.len() - 1);
    let mut scratch = Scratch::default();
    let mut digits = Vec::new();

    // The last base has more windows than the others, so it comes first. Sum `window · vectors + i` is of blocks 4i … 4i + 3.
    let windows = table.windows(SCALAR_BITS) as usize;
    let mut sums = vec![Sum::INFINITY; windows * vectors];
    cut(table, SCALAR_BITS, vectors, &mut digits, |index| padded(&blindings[block(index)]));
    let entries = Entries { row: table.row(limbs), digits: &digits };
    for (vector, sum) in sums.iter_mut().enumerate() {
        entries.x(proof, vector).store(&mut sum.x);
        entries.y(proof, vector).store(&mut sum.y);
    }

    for limb in 0..limbs {
        cut(table, LIMB_BITS, vectors, &mut digits, |index| padded_limb(blocks[block(index)], limb));
        let source = Entries { row: table.row(limb), digits: &digits };
        add_all(proof, &mut Adding { sums: &mut sums, source }, digits.len(), &mut scratch);
    }

    let mut joined = sums.split_off((windows - 1) * vectors);
    for window in sums.rchunks(vectors) {
        for _ in 0..table.width_bits() {
            add_all(proof, &mut Adding { sums: &mut joined, source: Themselves }, vectors, &mut scratch);
        }
        add_all(proof, &mut Adding { sums: &mut joined, source: Window(window) }, vectors, &mut scratch);
    }
    let sum = |i: usize| joined[i / LANES].point(i % LANES).affine() + table.corrections().block;
    (0..blocks.len()).map(sum).collect()
}

/// The digits of every window of the scalars that all lanes of `vectors` vectors hold: window after window.
fn cut(
    table: &Table,
    scalar_bits: u32,
    vectors: usize,
    digits: &mut Vec<[Signed; LANES]>,
    scalar: impl Fn(usize) -> Padded,
) {
    let (windows, width_bits) = (table.windows(scalar_bits), table.width_bits());
    let scalars: Vec<Padded> = (0..LANES * vectors).map(scalar).collect();
    digits.clear();
    for window in 0..windows {
        let of_window = |scalars: &[Padded; LANES]| {
            scalars.each_ref().map(|scalar| odd_digit(scalar, window, width_bits))
        };
        digits.extend(scalars.as_chunks().0.iter().map(of_window));
    }
}
