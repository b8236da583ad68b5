//! A prover that checks nothing: any vectors, any points, anything added to what it sends. Written from the specification, so
//! that an attack is right in every respect but its own.

use ark_bls12_381::{Fq, Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, Zero};
use holdfast_engine::possession::challenge::{Form, ObjectChallenge};
use holdfast_engine::possession::commitment_table::chunks_of;
use holdfast_engine::possession::encode::block_scalars;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::group::over_generators;
use holdfast_engine::possession::points::{decode_point, encode_point};
use holdfast_engine::possession::scalars::{coefficient, encode_scalar};
use holdfast_engine::reference::possession::response_header;
use holdfast_engine::transcript::{Context, Stream};
use holdfast_tests::possession::TestObject;

const ROUNDS: usize = 6;
const PADDED: usize = 576;

/// What a forged response is made of.
#[derive(Clone)]
pub(crate) struct Forger<'a> {
    object: &'a TestObject,
    challenge: &'a ObjectChallenge,
    /// What is claimed to be in each block, blinding last, in drawn order.
    pub(crate) vectors: Vec<Vec<Fr>>,
    /// t.
    pub(crate) masks: Vec<Fr>,
    /// Added to T before it is hashed.
    pub(crate) added_to_mask_point: G1Affine,
    /// Added to L_u and R_u before they are hashed.
    pub(crate) added_to_rounds: [[G1Affine; 2]; ROUNDS],
    /// Added to z after everything.
    pub(crate) added_to_z: Vec<Fr>,
}

impl<'a> Forger<'a> {
    /// One that is honest as it stands.
    pub(crate) fn new(object: &'a TestObject, challenge: &'a ObjectChallenge) -> Forger<'a> {
        let vector = |i: &u64| object_vector(object, *i);
        Forger {
            object,
            challenge,
            vectors: challenge.possession_blocks().iter().map(vector).collect(),
            masks: (1..=530u32).map(|j| -Fr::from(j).inverse().expect("not zero")).collect(),
            added_to_mask_point: G1Affine::zero(),
            added_to_rounds: [[G1Affine::zero(); 2]; ROUNDS],
            added_to_z: vec![Fr::ZERO; 530],
        }
    }

    /// Σ ρ_i · vector_i.
    pub(crate) fn combined(&self) -> Vec<Fr> {
        let mut combined = vec![Fr::ZERO; 530];
        for (vector, rho) in self.vectors.iter().zip(self.challenge.possession_coefficients()) {
            combined.iter_mut().zip(vector).for_each(|(sum, scalar)| *sum += Fr::from(rho) * scalar);
        }
        combined
    }

    /// c, and the state that rounds start from.
    pub(crate) fn transcript(&self, mask_point: &G1Affine) -> ([u8; 32], Fr) {
        let blocks = self.challenge.possession_blocks();
        let mut bytes =
            [self.challenge.digest(), self.challenge.seed(), self.challenge.record_digest].concat();
        bytes.extend((blocks.len() as u64).to_le_bytes());
        bytes.extend(blocks.iter().flat_map(|block| block.to_le_bytes()));
        bytes.extend(self.challenge.possession_coefficients().iter().flat_map(|rho| rho.to_le_bytes()));
        bytes.extend(blocks.iter().flat_map(|block| self.object.table.point(*block).expect("in the table")));
        bytes.extend(encode_point(mask_point));
        state_and_coefficient(Context::POSSESSION_PROOF.stream(&[&bytes]))
    }

    /// T and z.
    pub(crate) fn proof(&self) -> (G1Affine, Vec<Fr>) {
        let mask_point = sum(&self.masks) + self.added_to_mask_point;
        let mask_point = mask_point.into_affine();
        let (_, c) = self.transcript(&mask_point);
        let combined = self.combined();
        let z = (0..530).map(|j| self.masks[j] + c * combined[j] + self.added_to_z[j]);
        (mask_point, z.collect())
    }

    /// The response, with openings.
    pub(crate) fn response(&self) -> Vec<u8> {
        let (mask_point, z) = self.proof();
        let mut bytes = response_header(self.challenge, self.vectors.len(), true);
        bytes.extend(encode_point(&mask_point));
        match self.challenge.form {
            Form::Plain => bytes.extend(z.iter().flat_map(encode_scalar)),
            Form::Compressed => bytes.extend(self.fold(self.transcript(&mask_point).0, z)),
        }
        let chunks = chunks_of(&self.challenge.possession_blocks());
        bytes.extend(chunks.iter().flat_map(|chunk| self.object.table.open(*chunk)));
        bytes
    }

    fn fold(&self, mut state: [u8; 32], mut z: Vec<Fr>) -> Vec<u8> {
        z.resize(PADDED, Fr::ZERO);
        let mut generators: Vec<G1Projective> =
            Generators::standard().all().iter().map(|point| point.into_group()).collect();
        generators.resize(PADDED, G1Projective::zero());
        let mut bytes = Vec::new();
        for added in &self.added_to_rounds {
            let half = z.len() / 2;
            let inner = |scalars: &[Fr], points: &[G1Projective]| -> G1Projective {
                points.iter().zip(scalars).map(|(point, scalar)| *point * scalar).sum()
            };
            let left = (inner(&z[..half], &generators[half..]) + added[0]).into_affine();
            let right = (inner(&z[half..], &generators[..half]) + added[1]).into_affine();
            let points = [encode_point(&left), encode_point(&right)];
            bytes.extend(points.as_flattened());
            let stream = Context::POSSESSION_FOLD.stream(&[&state, &points[0], &points[1]]);
            let (next, e) = state_and_coefficient(stream);
            state = next;
            z = (0..half).map(|i| z[i] + e * z[half + i]).collect();
            generators = (0..half).map(|i| generators[i] * e + generators[half + i]).collect();
        }
        bytes.extend(z.iter().flat_map(encode_scalar));
        bytes
    }
}

fn state_and_coefficient(mut stream: Stream) -> ([u8; 32], Fr) {
    let mut state = [0; 32];
    stream.fill(&mut state);
    (state, Fr::from(coefficient(&mut stream)))
}

/// The vector of a block of the object, blinding last.
pub(crate) fn object_vector(object: &TestObject, block: u64) -> Vec<Fr> {
    let bytes = object.bytes.chunks(16_384).nth(block as usize).expect("a block of the object");
    [&block_scalars(bytes)[..], &[object.key.scalar(&object.record.replica, block)]].concat()
}

/// Σ scalars_j · generator_j.
pub(crate) fn sum(scalars: &[Fr]) -> G1Projective {
    over_generators(Generators::standard(), scalars)
}

/// The commitment of a block as the table has it.
pub(crate) fn commitment(object: &TestObject, block: u64) -> G1Affine {
    decode_point(object.table.point(block).expect("in the table")).expect("a point")
}

/// (0, 2), (0, −2) and a point of order 11: what the cofactor erases.
pub(crate) fn torsion_points() -> Vec<G1Affine> {
    let order_3 = G1Affine::new_unchecked(Fq::ZERO, Fq::from(2u8));
    vec![order_3, -order_3, point_of_order_11()]
}

/// r · cofactor / 121 times any point of the curve: the part of order 121 is two of order 11.
fn point_of_order_11() -> G1Affine {
    let cofactor_without_121: u128 = 76_329_603_384_216_526_031_706_109_802_092_473_003 / 121;
    let candidates = (1u64..).filter_map(|x| {
        let x = Fq::from(x);
        Some(G1Affine::new_unchecked(x, (x * x * x + Fq::from(4u8)).sqrt()?).into_group())
    });
    let multiple = |point| multiply(multiply(point, &Fr::MODULUS.to_bits_be()), &bits(cofactor_without_121));
    candidates.map(multiple).find(|point| !point.is_zero()).expect("one of them").into_affine()
}

/// Doubling and adding, right for points of any order.
pub(crate) fn multiply(point: G1Projective, bits: &[bool]) -> G1Projective {
    bits.iter().fold(G1Projective::zero(), |sum, set| if *set { sum + sum + point } else { sum + sum })
}

/// Bits of an integer, highest first.
pub(crate) fn bits(value: u128) -> Vec<bool> {
    (0..128).rev().map(|bit| value >> bit & 1 == 1).collect()
}
