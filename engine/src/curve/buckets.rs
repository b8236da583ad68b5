//! Σ s_i·P_i over points of the curve that are not known before: buckets (Pippenger), with signed digits.
//!
//! Window j of width c puts ±P_i into the bucket |d_ij|, for digits −2^(c−1) … 2^(c−1); N = 2^(c−1) buckets, and those of several
//! windows are summed side by side. Then Σ_k k·B_k of the buckets B_1 … B_N of a window, without a multiplication: numbered
//! from zero, Σ (k + 1)·B_k is the sum of all of them plus Σ_t 2^t·O_t, where O_t is the sum of those whose number has bit t.
//! Adding neighbours halves the array; before halving number t the odd places hold what makes O_t. That is 2N additions as in
//! the usual running sum, but independent ones. Everything ends in one chain of doublings over all the bits.

use ark_ec::AdditiveGroup;
use ark_ff::Zero;
use rayon::prelude::*;

use super::affine::Point;
use super::digits::{Padded, Signed, bits, padded};
use super::sums::{Adder, Groups, Workspace, add_pairs, member, sums};
use super::{Fr, G1Affine, G1Projective};

/// Members of buckets that are summed side by side: enough for few inversions, few enough for a core's second-level cache to hold
/// much of them.
const MEMBERS_AT_ONCE: usize = 1 << 17;

/// Widths of windows that are considered. A digit must fit below the sign of [`Signed`].
const WIDTHS: std::ops::RangeInclusive<u32> = 2..=16;

/// The sum, of scalars below 2^`scalar_bits`. Complete: any points of the curve, in G1 or not.
pub(crate) fn msm<A: Adder>(adder: A, points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> G1Projective {
    let pool: Vec<A::Point> =
        points.par_iter().map(|point| adder.load(&Point::from(point).store())).collect();
    let scalars: Vec<Padded> = scalars.par_iter().map(padded).collect();
    let shape = Shape::best(points.len(), scalar_bits);
    let windows: Vec<u32> = (0..shape.windows).collect();
    let at_once = (MEMBERS_AT_ONCE / points.len().max(1)).max(1);
    let bits: Vec<Vec<G1Affine>> = windows
        .par_chunks(at_once)
        .map_init(Workspace::default, |workspace, windows| {
            window_bits(adder, &pool, &scalars, shape, windows, workspace)
        })
        .flatten_iter()
        .collect();
    join(&bits)
}

/// How scalars are cut.
#[derive(Clone, Copy, Debug)]
struct Shape {
    width_bits: u32,
    windows: u32,
}

impl Shape {
    /// The fewest additions. A digit of the last window must not carry, so there is one bit more than the scalars have.
    fn best(points: usize, scalar_bits: u32) -> Shape {
        let shape = |width_bits: u32| Shape { width_bits, windows: (scalar_bits + 1).div_ceil(width_bits) };
        let additions = |shape: &Shape| shape.windows as usize * (points + 2 * shape.bucket_count());
        WIDTHS.map(shape).min_by_key(additions).unwrap_or(shape(*WIDTHS.end()))
    }

    fn bucket_count(self) -> usize {
        1 << (self.width_bits - 1)
    }

    /// The digit of a window: its bits, one more if the digit below carries, minus 2^c if it carries itself.
    fn digit(self, scalar: &Padded, window: u32) -> i32 {
        let first_bit = window * self.width_bits;
        let carry = if window == 0 { 0 } else { bits(scalar, first_bit - 1, 1) };
        let raw = bits(scalar, first_bit, self.width_bits);
        let carried = (raw >> (self.width_bits - 1)) << self.width_bits;
        (raw + carry).cast_signed() - carried.cast_signed()
    }

    /// The members of a window's buckets, by counting: how many each bucket has, then where each goes.
    fn append_buckets(self, scalars: &[Padded], window: u32, groups: &mut Groups) {
        let digits: Vec<i32> = scalars.iter().map(|scalar| self.digit(scalar, window)).collect();
        let first_bucket = groups.ends.len();
        groups.ends.resize(first_bucket + self.bucket_count(), 0);
        let ends = &mut groups.ends[first_bucket..];
        for digit in digits.iter().filter(|digit| **digit != 0) {
            ends[digit.unsigned_abs() as usize - 1] += 1;
        }
        let mut total = groups.members.len();
        for end in &mut *ends {
            total += std::mem::replace(end, total);
        }
        groups.members.resize(total, Signed::new(0, false));
        for (index, digit) in (0..).zip(digits).filter(|(_, digit)| *digit != 0) {
            let next = &mut ends[digit.unsigned_abs() as usize - 1];
            groups.members[*next] = Signed::new(index, digit < 0);
            *next += 1;
        }
    }
}

/// For each of these windows: what stands at each of its bits, the lowest first.
fn window_bits<A: Adder>(
    adder: A,
    pool: &[A::Point],
    scalars: &[Padded],
    shape: Shape,
    windows: &[u32],
    workspace: &mut Workspace<A::Point>,
) -> Vec<Vec<G1Affine>> {
    let mut groups = Groups::default();
    for window in windows {
        shape.append_buckets(scalars, *window, &mut groups);
    }
    // Window after window; every halving leaves the windows where they are.
    let mut array = sums(adder, pool, groups, workspace);
    let mut odd_points = Vec::new();
    let mut odd_groups = Groups::default();
    for _ in 1..shape.width_bits {
        for array in array.chunks(array.len() / windows.len()) {
            let place = odd_points.len()..;
            odd_points.extend(array.iter().skip(1).step_by(2));
            odd_groups.members.extend(place.take(array.len() / 2).map(member));
            odd_groups.ends.push(odd_points.len());
        }
        let pairs: Vec<[Signed; 2]> =
            (0..array.len()).step_by(2).map(|i| [member(i), member(i + 1)]).collect();
        let mut halved = vec![A::INFINITY; pairs.len()];
        add_pairs(adder, &array, &pairs, &mut halved);
        array = halved;
    }
    let odd_sums = sums(adder, &odd_points, odd_groups, workspace);
    let of_window =
        |window: usize| odd_sums.iter().skip(window).step_by(windows.len()).chain([&array[window]]);
    (0..windows.len()).map(|window| of_window(window).map(|point| adder.affine(point)).collect()).collect()
}

/// One chain of doublings over the bits of all windows. The last point of a window is the sum of all its buckets, which counts once.
fn join(windows: &[Vec<G1Affine>]) -> G1Projective {
    let mut joined = G1Projective::zero();
    for window in windows.iter().rev() {
        // As many points as bits: c − 1 sums of odd places, and the sum of all.
        let (all, bits) = match window.split_last() {
            Some(split) => split,
            None => continue,
        };
        joined.double_in_place();
        for bit in bits.iter().rev() {
            joined.double_in_place();
            joined += bit;
        }
        joined += all;
    }
    joined
}
