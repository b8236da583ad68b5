//! The compressed form (possession-v1 §5): a vector is halved six times, each time with two points that say what the
//! halves would have been.
//!
//! Nobody ever computes folded generators. After u rounds the generator at `i` of the folded row is a sum of 2^u of the
//! original ones, with factors that follow from the rounds' coefficients (`factors`); so each round of the prover, and
//! the verifier's one check, is a sum over the original generators.

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};

use super::generators::{GENERATORS, Generators};
use super::group::over_generators;
use super::points::{POINT_BYTES, encode_point};
use super::scalars::coefficient;
use crate::transcript::Context;

/// Rounds of halving.
pub const ROUNDS: usize = 6;
/// Scalars that are left after them.
pub const TAIL_SCALARS: usize = 9;

const PADDED: usize = TAIL_SCALARS << ROUNDS;

/// The state of a transcript that goes from one round to the next.
pub(super) type State = [u8; 32];

/// A folded vector: L and R of each round, and what is left.
pub(super) struct Folded {
    pub(super) rounds: [[G1Affine; 2]; ROUNDS],
    pub(super) tail: [Fr; TAIL_SCALARS],
}

/// The next state, and the round's coefficient `e_u`.
pub(super) fn next_round(state: &State, [left, right]: [&[u8; POINT_BYTES]; 2]) -> (State, u128) {
    let mut stream = Context::POSSESSION_FOLD.stream(&[state, left, right]);
    let mut next = [0; 32];
    stream.fill(&mut next);
    (next, coefficient(&mut stream))
}

/// Folds `z`, which has a scalar for each generator.
pub(super) fn fold(generators: &Generators, mut state: State, z: &[Fr]) -> Folded {
    let mut row = [Fr::ZERO; PADDED];
    row[..GENERATORS].copy_from_slice(z);
    let mut coefficients = Vec::with_capacity(ROUNDS);
    let rounds = std::array::from_fn(|round| {
        let half = (PADDED >> round) / 2;
        let (a, b) = row[..2 * half].split_at(half);
        let points = cross_sums(generators, &factors(&coefficients), a, b);
        let bytes = points.map(|point| encode_point(&point));
        let (next, coefficient) = next_round(&state, bytes.each_ref());
        state = next;
        let e = Fr::from(coefficient);
        coefficients.push(e);
        for i in 0..half {
            let folded = row[i] + e * row[half + i];
            row[i] = folded;
        }
        points
    });
    Folded { rounds, tail: std::array::from_fn(|m| row[m]) }
}

/// `L = ⟨a, B⟩` and `R = ⟨b, A⟩` over the generators (A, B) folded with these factors. Each original generator is in one
/// of the two.
fn cross_sums(generators: &Generators, factors: &[Fr], a: &[Fr], b: &[Fr]) -> [G1Affine; 2] {
    let half = a.len();
    let mut scalars = [[Fr::ZERO; PADDED]; 2];
    for (part, factor) in factors.iter().enumerate() {
        let start = part * 2 * half;
        for i in 0..half {
            scalars[0][start + half + i] = *factor * a[i];
            scalars[1][start + i] = *factor * b[i];
        }
    }
    let sums = scalars.map(|scalars| over_generators(generators, &scalars[..GENERATORS]));
    let affine = G1Projective::normalize_batch(&sums);
    [affine[0], affine[1]]
}

/// The factor of part v of the original generators in the folded row, for each v of as many bits as there are rounds;
/// the first round decides the top bit.
pub(super) fn factors(coefficients: &[Fr]) -> Vec<Fr> {
    let double =
        |factors: Vec<Fr>, e: &Fr| factors.iter().flat_map(|factor| [*factor * e, *factor]).collect();
    coefficients.iter().fold(vec![Fr::ONE], double)
}

/// The factors of `Q_0`, and of `L_u` and `R_u` of each round, in `Q_6`.
pub(super) fn point_factors(coefficients: &[Fr; ROUNDS]) -> (Fr, [[Fr; 2]; ROUNDS]) {
    let mut rounds = [[Fr::ZERO; 2]; ROUNDS];
    let mut later = Fr::ONE;
    for (factors, e) in rounds.iter_mut().zip(coefficients).rev() {
        *factors = [later, later * e * e];
        later *= e;
    }
    (later, rounds)
}
