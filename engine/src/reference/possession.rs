//! Commitments and possession proofs (commitment-v1 §2–§5, possession-v1 §3–§6), word for word. Only the bytes of points
//! and scalars and the expansion of challenges are shared with the fast code.
//!
//! Sums are made term by term. Multiplying a point outside the subgroup of order r is arkworks' business, which may be off
//! by a point of small order; every equation here is cofactored, which erases it.

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, PrimeField, Zero};

use crate::possession::challenge::{Form, ObjectChallenge};
use crate::possession::generators::Generators;
use crate::possession::points::{decode_point, encode_point};
use crate::possession::scalars::{coefficient, decode_scalar, encode_scalar};
use crate::transcript::{Context, Stream};

/// Scalars of a block.
pub const SCALARS: usize = 529;
/// Halvings of the compressed form, and scalars that are left of 576.
const ROUNDS: usize = 6;
const PADDED: usize = 576;

/// d_1 … d_529 of a block.
pub fn block_vector(block: &[u8]) -> Vec<Fr> {
    let mut padded = block.to_vec();
    padded.resize(16_384, 0);
    padded.chunks(31).map(Fr::from_le_bytes_mod_order).collect()
}

/// r_i.
pub fn blinding(key: &[u8; 32], object_root: &[u8; 32], length: u64, replica_id: u64, block: u64) -> Fr {
    let mut bytes = [0; 64];
    let numbers = [length, replica_id, block].map(u64::to_le_bytes);
    Context::BLINDING.stream(&[key, object_root, numbers.as_flattened()]).fill(&mut bytes);
    Fr::from_le_bytes_mod_order(&bytes)
}

/// Σ scalars_i · points_i.
pub fn sum(points: &[G1Affine], scalars: &[Fr]) -> G1Projective {
    points.iter().zip(scalars).map(|(point, scalar)| *point * scalar).sum()
}

/// Σ_j scalars_j · G_j + blinding · H.
fn over_generators(scalars: &[Fr], blinding: Fr) -> G1Projective {
    sum(Generators::standard().of_limbs(), scalars) + *Generators::standard().blinding() * blinding
}

/// Whether h times the point is infinity.
fn holds(left_side: G1Projective) -> bool {
    let mut multiple = G1Projective::zero();
    for bit in (0..64).rev() {
        multiple += multiple;
        if 0xd201_0000_0001_0001u64 >> bit & 1 == 1 {
            multiple += left_side;
        }
    }
    multiple.is_zero()
}

/// C_i.
pub fn commitment(block: &[u8], blinding: Fr) -> G1Affine {
    over_generators(&block_vector(block), blinding).into_affine()
}

/// The commitments of all blocks of an object.
pub fn commitments(key: &[u8; 32], object: &[u8], replica_id: u64) -> Vec<G1Affine> {
    let root = *blake3::hash(object).as_bytes();
    let blinding = |block| blinding(key, &root, object.len() as u64, replica_id, block);
    let blocks: Vec<&[u8]> = if object.is_empty() { vec![&[]] } else { object.chunks(16_384).collect() };
    (0..).zip(blocks).map(|(i, block)| commitment(block, blinding(i))).collect()
}

/// The table of these points.
pub fn table(points: &[G1Affine]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in points.chunks(10) {
        let mut chunk: Vec<u8> = chunk.iter().flat_map(encode_point).collect();
        chunk.resize(1024, 0);
        bytes.extend(chunk);
    }
    bytes
}

/// The store-time check with these coefficients.
pub fn store_check(coefficients: &[Fr], blocks: &[&[u8]], blindings: &[Fr], points: &[G1Affine]) -> bool {
    let mut values = vec![Fr::ZERO; SCALARS];
    for (coefficient, block) in coefficients.iter().zip(blocks) {
        for (value, scalar) in values.iter_mut().zip(block_vector(block)) {
            *value += *coefficient * scalar;
        }
    }
    let blinding =
        coefficients.iter().zip(blindings).map(|(coefficient, blinding)| *coefficient * blinding).sum();
    holds(sum(points, coefficients) - over_generators(&values, blinding))
}

/// What a proof is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    challenge_digest: [u8; 32],
    seed: [u8; 32],
    record_digest: [u8; 32],
    /// The blocks, in drawn order.
    pub blocks: Vec<u64>,
    /// ρ_i, in their order.
    pub coefficients: Vec<u128>,
    /// C_i, in their order.
    pub commitments: Vec<G1Affine>,
}

impl Statement {
    /// What a challenge asks of a table with these points.
    pub fn new(challenge: &ObjectChallenge, points: &[G1Affine]) -> Statement {
        let blocks = challenge.possession_blocks();
        let point = |block: &u64| points[usize::try_from(*block).expect("a block in memory")];
        Statement {
            challenge_digest: challenge.digest(),
            seed: challenge.seed(),
            record_digest: challenge.record_digest,
            coefficients: challenge.possession_coefficients(),
            commitments: blocks.iter().map(point).collect(),
            blocks,
        }
    }

    /// state_0 and c.
    fn state_and_challenge(&self, t: &G1Affine) -> ([u8; 32], u128) {
        let mut bytes = [self.challenge_digest, self.seed, self.record_digest].concat();
        bytes.extend((self.blocks.len() as u64).to_le_bytes());
        bytes.extend(self.blocks.iter().flat_map(|block| block.to_le_bytes()));
        bytes.extend(self.coefficients.iter().flat_map(|coefficient| coefficient.to_le_bytes()));
        bytes.extend(self.commitments.iter().flat_map(encode_point));
        bytes.extend(encode_point(t));
        state_and_coefficient(Context::POSSESSION_PROOF.stream(&[&bytes]))
    }

    /// C = Σ ρ_i · C_i.
    fn commitment(&self) -> G1Projective {
        let coefficients: Vec<Fr> = self.coefficients.iter().copied().map(Fr::from).collect();
        sum(&self.commitments, &coefficients)
    }
}

fn state_and_coefficient(mut stream: Stream) -> ([u8; 32], u128) {
    let mut state = [0; 32];
    stream.fill(&mut state);
    (state, coefficient(&mut stream))
}

/// T and z_1 … z_529, z_0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// T.
    pub t: G1Affine,
    /// z_1 … z_529, z_0.
    pub z: Vec<Fr>,
}

/// The proof with these masks t_1 … t_529, t_0; blocks and blindings in the order of the statement's.
pub fn prove(statement: &Statement, blocks: &[&[u8]], blindings: &[Fr], masks: &[Fr]) -> Proof {
    let t = over_generators(&masks[..SCALARS], masks[SCALARS]).into_affine();
    let (_, c) = statement.state_and_challenge(&t);
    let mut z = masks.to_vec();
    for ((block, blinding), coefficient) in blocks.iter().zip(blindings).zip(&statement.coefficients) {
        let factor = Fr::from(c) * Fr::from(*coefficient);
        let vector = block_vector(block).into_iter().chain([*blinding]);
        for (z, scalar) in z.iter_mut().zip(vector) {
            *z += factor * scalar;
        }
    }
    Proof { t, z }
}

/// The left side of the equation of §3.
pub fn left_side(statement: &Statement, proof: &Proof) -> G1Projective {
    let (_, c) = statement.state_and_challenge(&proof.t);
    over_generators(&proof.z[..SCALARS], proof.z[SCALARS]) - proof.t - statement.commitment() * Fr::from(c)
}

/// Whether the equation of §3 holds.
pub fn verify(statement: &Statement, proof: &Proof) -> bool {
    holds(left_side(statement, proof))
}

/// T, L_1, R_1 … L_6, R_6 and what is left of z.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressedProof {
    /// T.
    pub t: G1Affine,
    /// (L_u, R_u).
    pub rounds: Vec<(G1Affine, G1Affine)>,
    /// Nine scalars.
    pub z: Vec<Fr>,
}

/// The generators padded to 576; infinity stands where there is none.
fn padded_generators() -> Vec<G1Affine> {
    let mut generators = Generators::standard().all().to_vec();
    generators.resize(PADDED, G1Affine::zero());
    generators
}

/// e_u and state_u.
fn fold_round(state: &[u8; 32], (l, r): &(G1Affine, G1Affine)) -> ([u8; 32], Fr) {
    let (state, e) =
        state_and_coefficient(Context::POSSESSION_FOLD.stream(&[state, &encode_point(l), &encode_point(r)]));
    (state, Fr::from(e))
}

/// e·A + B.
fn fold_generators(generators: &[G1Affine], e: Fr) -> Vec<G1Affine> {
    let (a, b) = generators.split_at(generators.len() / 2);
    a.iter().zip(b).map(|(a, b)| (*a * e + b).into_affine()).collect()
}

/// The compressed form of a proof.
pub fn compress(statement: &Statement, proof: &Proof) -> CompressedProof {
    let (mut state, _) = statement.state_and_challenge(&proof.t);
    let mut generators = padded_generators();
    let mut z = proof.z.clone();
    z.resize(PADDED, Fr::ZERO);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let half = z.len() / 2;
        let l = sum(&generators[half..], &z[..half]).into_affine();
        let r = sum(&generators[..half], &z[half..]).into_affine();
        let (next, e) = fold_round(&state, &(l, r));
        rounds.push((l, r));
        z = (0..half).map(|i| z[i] + e * z[half + i]).collect();
        generators = fold_generators(&generators, e);
        state = next;
    }
    CompressedProof { t: proof.t, rounds, z }
}

/// ⟨z, generators⟩ − Q_6, which vanishes for a right proof.
pub fn compressed_left_side(statement: &Statement, proof: &CompressedProof) -> G1Projective {
    let (mut state, c) = statement.state_and_challenge(&proof.t);
    let mut q = statement.commitment() * Fr::from(c) + proof.t;
    let mut generators = padded_generators();
    for round in &proof.rounds {
        let (next, e) = fold_round(&state, round);
        q = q * e + round.0 + round.1 * (e * e);
        generators = fold_generators(&generators, e);
        state = next;
    }
    sum(&generators, &proof.z) - q
}

/// Whether the compressed proof is right.
pub fn verify_compressed(statement: &Statement, proof: &CompressedProof) -> bool {
    proof.rounds.len() == ROUNDS
        && proof.z.len() == PADDED >> ROUNDS
        && holds(compressed_left_side(statement, proof))
}

/// Whether Σ weights_a · left sides_a vanishes (§6).
pub fn verify_batch(weights: &[Fr], left_sides: &[G1Projective]) -> bool {
    holds(weights.iter().zip(left_sides).map(|(weight, left_side)| *left_side * weight).sum())
}

/// What follows the header of a response in the plain form: T, z.
pub fn encode_proof(proof: &Proof) -> Vec<u8> {
    encode_point(&proof.t).into_iter().chain(proof.z.iter().flat_map(encode_scalar)).collect()
}

/// What follows the header of a response in the compressed form: T, L_1, R_1 … R_6, z.
pub fn encode_compressed_proof(proof: &CompressedProof) -> Vec<u8> {
    let rounds = proof.rounds.iter().flat_map(|(l, r)| [encode_point(l), encode_point(r)]);
    let points: Vec<_> = [encode_point(&proof.t)].into_iter().chain(rounds).collect();
    points.into_iter().flatten().chain(proof.z.iter().flat_map(encode_scalar)).collect()
}

/// The 48 bytes before T.
pub fn response_header(challenge: &ObjectChallenge, blocks: usize, openings: bool) -> Vec<u8> {
    let mut bytes = b"HFA2".to_vec();
    bytes.extend([3, challenge.form as u8, u8::from(openings), 0]);
    bytes.extend(u32::try_from(blocks).expect("at most 2^16").to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(challenge.digest());
    bytes
}

/// Whether these bytes are a right response without openings, for a verifier that keeps the table's points.
pub fn verify_response(challenge: &ObjectChallenge, points: &[G1Affine], response: &[u8]) -> bool {
    let statement = Statement::new(challenge, points);
    let Some(body) =
        response.strip_prefix(response_header(challenge, statement.blocks.len(), false).as_slice())
    else {
        return false;
    };
    let (points, scalars) = match challenge.form {
        Form::Plain => (1, SCALARS + 1),
        Form::Compressed => (1 + 2 * ROUNDS, PADDED >> ROUNDS),
    };
    if body.len() != points * 96 + scalars * 32 {
        return false;
    }
    let (points, scalars) = body.split_at(points * 96);
    let points: Result<Vec<_>, _> = points.as_chunks().0.iter().map(decode_point).collect();
    let scalars: Result<Vec<_>, _> = scalars.as_chunks().0.iter().map(decode_scalar).collect();
    let (Ok(points), Ok(z)) = (points, scalars) else { return false };
    match challenge.form {
        Form::Plain => verify(&statement, &Proof { t: points[0], z }),
        Form::Compressed => {
            let rounds = points[1..].as_chunks::<2>().0.iter().map(|[l, r]| (*l, *r)).collect();
            verify_compressed(&statement, &CompressedProof { t: points[0], rounds, z })
        }
    }
}

#[cfg(test)]
mod tests;
