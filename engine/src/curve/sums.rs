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

    const INFINITY: Self::Point;

    fn load(self, stored: &Stored) -> Self::Point;
    fn negated(self, point: &Self::Point) -> Self::Point;
    fn affine(self, point: &Self::Point) -> G1Affine;

    /// Asks for a stored point that will be loaded soon.
    fn prefetch(self, _: &Stored) {}

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
    fn pair_count(&self) -> usize {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| (end - start) / 2).sum()
    }
}

/// Memory that is used again: a fresh page costs as much as many additions.
#[derive(Debug)]
pub(crate) struct Workspace<P> {
    pairs: Vec<[Signed; 2]>,
    points: Vec<P>,
    spare: Vec<P>,
}

impl<P> Default for Workspace<P> {
    fn default() -> Workspace<P> {
        Workspace { pairs: Vec::new(), points: Vec::new(), spare: Vec::new() }
    }
}

/// The sum of each group; the point at infinity for an empty one.
pub(crate) fn sums<A: Adder>(
    adder: A,
    pool: &[A::Point],
    mut groups: Groups,
    workspace: &mut Workspace<A::Point>,
) -> Vec<A::Point> {
    let Workspace { pairs, points, spare } = workspace;
    halve(adder, pool, &mut groups, pairs, points);
    while groups.pair_count() > 0 {
        halve(adder, points, &mut groups, pairs, spare);
        std::mem::swap(points, spare);
    }
    let mut start = 0;
    let sum = |end: &usize| {
        let members = &groups.members[std::mem::replace(&mut start, *end)..*end];
        members.first().map_or(A::INFINITY, |member| points[member.index()])
    };
    groups.ends.iter().map(sum).collect()
}

/// Adds neighbours in every group. The sums, then the members without a neighbour, are the pool of the groups afterwards.
fn halve<A: Adder>(
    adder: A,
    pool: &[A::Point],
    groups: &mut Groups,
    pairs: &mut Vec<[Signed; 2]>,
    out: &mut Vec<A::Point>,
) {
    pairs.clear();
    let pair_count = groups.pair_count();
    let Groups { members, ends } = groups;
    if out.len() < pair_count + ends.len() {
        out.resize(pair_count + ends.len(), A::INFINITY);
    }
    let (sums, singles) = out.split_at_mut(pair_count);
    let mut single = 0;
    let (mut from, mut to) = (0, 0);
    for end in ends {
        while from + 1 < *end {
            pairs.push([members[from], members[from + 1]]);
            members[to] = member(pairs.len() - 1);
            (from, to) = (from + 2, to + 1);
        }
        if from < *end {
            let point = &pool[members[from].index()];
            singles[single] = if members[from].is_negative() { adder.negated(point) } else { *point };
            members[to] = member(pair_count + single);
            single += 1;
            (from, to) = (from + 1, to + 1);
        }
        *end = to;
    }
    members.truncate(to);
    add_pairs(adder, pool, pairs, sums);
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
    let mut pool = vec![A::INFINITY; scalars.len() * windows as usize];
    pool.par_chunks_mut(windows as usize).zip(scalars).enumerate().for_each(|(base, (points, scalar))| {
        let (row, scalar) = (table.row(base), padded(scalar));
        let digit = |window| odd_digit(&scalar, window, table.width_bits());
        (0..windows).for_each(|window| adder.prefetch(&row[digit(window).index()]));
        for (window, point) in (0..).zip(points) {
            let digit = digit(window);
            let entry = adder.load(&row[digit.index()]);
            *point = if digit.is_negative() { adder.negated(&entry) } else { entry };
        }
    });
    let window = |window: u32| (window as usize..pool.len()).step_by(windows as usize).map(member);
    let groups = Groups {
        members: (0..windows).flat_map(window).collect(),
        ends: (1..=windows as usize).map(|window| window * scalars.len()).collect(),
    };
    let sums = sums(adder, &pool, groups, &mut Workspace::default());
    let sums: Vec<G1Affine> = sums.iter().map(|sum| adder.affine(sum)).collect();
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
