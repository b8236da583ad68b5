//! What is left of a response when everything cheap has been checked: one equation, alone or summed with others
//! (possession-v1 §3, §5, §6).

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ff::{AdditiveGroup, Field, PrimeField};
use rayon::prelude::*;

use super::fold::{ROUNDS, TAIL_SCALARS, factors, point_factors};
use super::generators::{GENERATORS, Generators};
use super::group::{over_generators, over_points};
use super::sums::Sum;

/// A scalar as an integer below r, low word first.
pub(super) type Words = [u64; 4];

/// `Σ scalars · generators − Σ scalars · points = 0` (cofactored).
pub(super) struct Equation {
    left: Left,
    points: Vec<G1Affine>,
    scalars: Vec<Fr>,
}

/// The scalars of the generators: one each, or what they follow from. They are kept as they were sent, and touched once,
/// when they are summed.
enum Left {
    Plain(Box<[Words; GENERATORS]>),
    Folded { coefficients: Box<[Fr; ROUNDS]>, tail: Box<[Fr; TAIL_SCALARS]> },
}

impl Equation {
    /// `⟨z, generators⟩ = T + c·Σ ρ_i·C_i`; `points` are T and the `C_i`.
    pub(super) fn plain(
        z: Box<[Words; GENERATORS]>,
        points: Vec<G1Affine>,
        c: u128,
        rho: &[u128],
    ) -> Equation {
        Equation { left: Left::Plain(z), points, scalars: masked_scalars(Fr::ONE, c, rho) }
    }

    /// `⟨tail, folded generators⟩ = Q_6`; `points` are T, the `C_i`, and `L_1, R_1, …, L_6, R_6`.
    pub(super) fn folded(
        tail: Box<[Fr; TAIL_SCALARS]>,
        coefficients: &[u128; ROUNDS],
        points: Vec<G1Affine>,
        c: u128,
        rho: &[u128],
    ) -> Equation {
        let coefficients = Box::new(coefficients.map(Fr::from));
        let (first, rounds) = point_factors(&coefficients);
        let mut scalars = masked_scalars(first, c, rho);
        scalars.extend_from_slice(rounds.as_flattened());
        Equation { left: Left::Folded { coefficients, tail }, points, scalars }
    }

    /// Memory that it takes, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        let boxed = match &self.left {
            Left::Plain(z) => size_of_val(&**z),
            Left::Folded { coefficients, tail } => size_of_val(&**coefficients) + size_of_val(&**tail),
        };
        size_of::<Equation>() + boxed + size_of_val(&*self.points) + size_of_val(&*self.scalars)
    }
}

/// `first · (1, c·ρ_1, c·ρ_2, …)`: the scalars of T and the `C_i`.
fn masked_scalars(first: Fr, c: u128, rho: &[u128]) -> Vec<Fr> {
    let c = first * Fr::from(c);
    let mut scalars = Vec::with_capacity(1 + rho.len() + 2 * ROUNDS);
    scalars.push(first);
    scalars.extend(rho.iter().map(|rho| c * Fr::from(*rho)));
    scalars
}

/// What the equations, each times its weight, leave: zero (cofactored) if all hold. One sum over the generators and one
/// over the points of all.
pub(super) fn imbalance(generators: &Generators, equations: &[(&Equation, u128)]) -> G1Projective {
    let share = equations.len().div_ceil(rayon::current_num_threads()).max(1);
    let left = equations.par_chunks(share).map(left_scalars).reduce(zeros, |mut all, part| {
        all.iter_mut().zip(part).for_each(|(sum, scalar)| *sum += scalar);
        all
    });
    let points: Vec<G1Affine> =
        equations.iter().flat_map(|(equation, _)| &equation.points).copied().collect();
    let weighted = |(equation, weight): &(&Equation, u128)| {
        let weight = Fr::from(*weight);
        equation.scalars.iter().map(|scalar| weight * scalar).collect::<Vec<Fr>>()
    };
    let scalars: Vec<Fr> = equations.par_iter().flat_map_iter(weighted).collect();
    over_generators(generators, &left) - over_points(&points, &scalars)
}

fn zeros() -> Vec<Fr> {
    vec![Fr::ZERO; GENERATORS]
}

/// The weighted sums of the generators' scalars. Plain ones are reduced once at the end, not each.
fn left_scalars(equations: &[(&Equation, u128)]) -> Vec<Fr> {
    let mut plain = vec![Sum::default(); GENERATORS];
    let mut folded = zeros();
    for (equation, weight) in equations {
        match &equation.left {
            Left::Plain(z) => {
                plain.iter_mut().zip(&**z).for_each(|(sum, z)| sum.add_product(*weight, z));
            }
            Left::Folded { coefficients, tail } => {
                let weight = Fr::from(*weight);
                let tail = tail.map(|scalar| scalar * weight);
                let factors = factors(&**coefficients);
                let products = factors.iter().flat_map(|factor| tail.map(|scalar| *factor * scalar));
                folded.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
            }
        }
    }
    folded.iter_mut().zip(&plain).for_each(|(folded, plain)| *folded += plain.reduce());
    folded
}

/// The words of a scalar that is below r; `None` for others.
pub(super) fn canonical(bytes: &[u8; 32]) -> Option<Words> {
    let (parts, _) = bytes.as_chunks::<8>();
    let words: Words = std::array::from_fn(|i| u64::from_le_bytes(parts[i]));
    let below = words.iter().rev().lt(Fr::MODULUS.0.iter().rev());
    below.then_some(words)
}
