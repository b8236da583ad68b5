//! Sums of many groups of points by rounds of pairwise additions: the additions of a round are independent of one another.

use rayon::prelude::*;

use super::affine::Stored;
use super::digits::{Signed, odd_digit, padded};
use super::{Fr, G1Affine, G1Projective, SCALAR_BITS, Table};

/// Pairs that share an inversion, and a piece of work for a thread.
const BATCH_PAIRS: usize = 4096;

/// What a back end can do with points of its own form.
pub(crate) trait Adder: Copy + Send + Sync {
    /// A point, including the point at infinity.
    type Point: Copy + Send + Sync;

    fn infinity(self) -> Self::Point;
    fn load(self, stored: &Stored) -> Self::Point;
    fn negated(self, point: &Self::Point) -> Self::Point;
    fn affine(self, point: &Self::Point) -> G1Affine;

    /// `sums[i]` = the sum of pair i of points of `pool`, complete. There are as many sums as pairs.
    fn add_pairs(self, pool: &[Self::Point], pairs: &[[Signed; 2]], sums: &mut [Self::Point]);
}

/// Groups of points of a pool.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// The members of all groups, one group after the other.
    pub(crate) members: Vec<Signed>,
    /// Where each group ends.
    pub(crate) ends: Vec<usize>,
}

impl Groups {
    fn iter(&self) -> impl Iterator<Item = &[Signed]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.members[start..end])
    }
}

/// The sum of each group; the point at infinity for an empty one.
pub(crate) fn sums<A: Adder>(adder: A, pool: &[A::Point], mut groups: Groups) -> Vec<A::Point> {
    let mut points = Vec::new();
    let mut spare = Vec::new();
    let mut first = true;
    while first || groups.iter().any(|group| group.len() > 1) {
        let from = if first { pool } else { &points };
        groups = halve(adder, from, &groups, &mut spare);
        std::mem::swap(&mut points, &mut spare);
        first = false;
    }
    let sum =
        |group: &[Signed]| group.first().map_or_else(|| adder.infinity(), |member| points[member.index()]);
    groups.iter().map(sum).collect()
}

/// Adds neighbours in every group. The sums, then the members without a neighbour, are the pool of the groups returned.
fn halve<A: Adder>(adder: A, pool: &[A::Point], groups: &Groups, out: &mut Vec<A::Point>) -> Groups {
    let pair_count: usize = groups.iter().map(|group| group.len() / 2).sum();
    let mut pairs = Vec::with_capacity(pair_count);
    let mut singles = Vec::new();
    let mut next = Groups::default();
    for group in groups.iter() {
        let (group_pairs, single) = group.as_chunks::<2>();
        next.members.extend((pairs.len()..).map(member).take(group_pairs.len()));
        pairs.extend_from_slice(group_pairs);
        if let [single] = single {
            next.members.push(member(pair_count + singles.len()));
            singles.push(*single);
        }
        next.ends.push(next.members.len());
    }
    out.resize(pair_count, adder.infinity());
    add_pairs(adder, pool, &pairs, out);
    out.extend(singles.into_iter().map(|single| {
        let point = &pool[single.index()];
        if single.is_negative() { adder.negated(point) } else { *point }
    }));
    next
}

/// A point of a pool as it is.
pub(crate) fn member(index: usize) -> Signed {
    Signed::new(u32::try_from(index).expect("a pool has fewer than 2^31 points"), false)
}

/// As [`Adder::add_pairs`], by all threads of the pool that the caller is in.
pub(crate) fn add_pairs<A: Adder>(adder: A, pool: &[A::Point], pairs: &[[Signed; 2]], sums: &mut [A::Point]) {
    pairs
        .par_chunks(BATCH_PAIRS)
        .zip(sums.par_chunks_mut(BATCH_PAIRS))
        .for_each(|(pairs, sums)| adder.add_pairs(pool, pairs, sums));
}

/// Σ `scalars[i]`·G_i over the bases of a table.
pub(crate) fn fixed_base<A: Adder>(adder: A, table: &Table, scalars: &[Fr]) -> G1Projective {
    let windows = table.windows(SCALAR_BITS);
    // Base after base, so that a row of the table is read while it is near.
    let pool: Vec<A::Point> = scalars
        .par_iter()
        .enumerate()
        .flat_map_iter(|(base, scalar)| {
            let (row, scalar) = (table.row(base), padded(scalar));
            (0..windows).map(move |window| {
                let digit = odd_digit(&scalar, window, table.width_bits());
                let entry = adder.load(&row[digit.index()]);
                if digit.is_negative() { adder.negated(&entry) } else { entry }
            })
        })
        .collect();
    let window = |window: u32| (window as usize..pool.len()).step_by(windows as usize).map(member);
    let groups = Groups {
        members: (0..windows).flat_map(window).collect(),
        ends: (1..=windows as usize).map(|window| window * scalars.len()).collect(),
    };
    let sums: Vec<G1Affine> = sums(adder, &pool, groups).iter().map(|sum| adder.affine(sum)).collect();
    join(sums.iter(), table.width_bits()) + table.corrections().scalars
}

/// Σ_j 2^(width_bits·j)·sums[j].
pub(crate) fn join<'p>(sums: impl DoubleEndedIterator<Item = &'p G1Affine>, width_bits: u32) -> G1Projective {
    use ark_ec::AdditiveGroup;
    use ark_ff::Zero;
    sums.rev().fold(G1Projective::zero(), |mut joined, sum| {
        for _ in 0..width_bits {
            joined.double_in_place();
        }
        joined + sum
    })
}
