//! Sums of points over arkworks' field.

use rayon::prelude::*;

use crate::curve::affine::{Point, Scratch, Stored, add_assign};
use crate::curve::digits::{Padded, Signed, odd_digit, padded, padded_limb};
use crate::curve::sums::{Adder, join};
use crate::curve::{Fr, G1Affine, G1Projective, LIMB_BITS, SCALAR_BITS, Table};

/// Blocks whose sums share an inversion at each base.
const BLOCKS_AT_ONCE: usize = 512;

/// Affine additions over arkworks' field.
#[derive(Clone, Copy)]
pub(super) struct Affine;

impl Adder for Affine {
    type Point = Point;

    const INFINITY: Point = Point::INFINITY;

    fn load(self, stored: &Stored) -> Point {
        Point::load(stored)
    }

    fn negated(self, point: &Point) -> Point {
        point.negated_if(true)
    }

    fn affine(self, point: &Point) -> G1Affine {
        point.affine()
    }

    fn add_pairs(self, pool: &[Point], pairs: &[[Signed; 2]], sums: &mut [Point]) {
        let point = |member: Signed| pool[member.index()].negated_if(member.is_negative());
        for (sum, [first, _]) in sums.iter_mut().zip(pairs) {
            *sum = point(*first);
        }
        add_assign(sums, |i| point(pairs[i][1]), &mut Scratch::default());
    }
}

pub(super) fn commit(table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
    blocks
        .par_chunks(BLOCKS_AT_ONCE)
        .zip(blindings.par_chunks(BLOCKS_AT_ONCE))
        .flat_map_iter(|(blocks, blindings)| commit_together(table, blocks, blindings))
        .collect()
}

fn commit_together(table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
    let limbs = table.base_count() - 1;
    let mut sums = Sums::start(table, limbs, &blindings.iter().map(padded).collect::<Vec<_>>());
    for limb in 0..limbs {
        let scalars: Vec<Padded> = blocks.iter().map(|block| padded_limb(block, limb)).collect();
        sums.add(table, limb, &scalars);
    }
    (0..blocks.len()).map(|block| sums.join(table, block) + table.corrections().block).collect()
}

/// The sums of every window of some blocks, window after window.
struct Sums {
    block_count: usize,
    sums: Vec<Point>,
    scratch: Scratch,
    digits: Vec<Signed>,
}

impl Sums {
    /// The digits of the last base, which has more windows than the others.
    fn start(table: &Table, base: usize, scalars: &[Padded]) -> Sums {
        let mut digits = Vec::new();
        cut(table, scalars, SCALAR_BITS, &mut digits);
        let row = table.row(base);
        let sums = digits.iter().map(|digit| entry(row, *digit)).collect();
        Sums { block_count: scalars.len(), sums, scratch: Scratch::default(), digits }
    }

    fn add(&mut self, table: &Table, base: usize, scalars: &[Padded]) {
        cut(table, scalars, LIMB_BITS, &mut self.digits);
        let row = table.row(base);
        let digits = &self.digits;
        add_assign(&mut self.sums[..digits.len()], |i| entry(row, digits[i]), &mut self.scratch);
    }

    fn join(&self, table: &Table, block: usize) -> G1Projective {
        let windows: Vec<G1Affine> =
            self.sums.iter().skip(block).step_by(self.block_count).map(Point::affine).collect();
        join(windows.iter(), table.width_bits())
    }
}

/// The digits of every window, window after window.
fn cut(table: &Table, scalars: &[Padded], scalar_bits: u32, digits: &mut Vec<Signed>) {
    digits.clear();
    for window in 0..table.windows(scalar_bits) {
        digits.extend(scalars.iter().map(|scalar| odd_digit(scalar, window, table.width_bits())));
    }
}

fn entry(row: &[Stored], digit: Signed) -> Point {
    Point::load(&row[digit.index()]).negated_if(digit.is_negative())
}
