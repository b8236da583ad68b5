//! possession-v1 as plainly as it is written; see `plain_objects.rs`. The compressed form folds the generators themselves,
//! which nobody else does.

use super::plain::{Draws, derive, levels, opening, siblings_in};
use super::plain_curve::{
    Point, Scalar, add, coefficient, generators, scalar_bytes, stream, sum, wide_scalar,
};
use super::plain_objects::{MINER, NETWORK, Object, RECORD_HEIGHT, record_digest};
use super::plain_space::{FINALITY_BLOCKS, join};

pub(crate) const POSSESSION: u8 = 3;
pub(crate) const CHUNKS: u8 = 4;
pub(crate) const LINK: u8 = 5;
pub(crate) const WHOLE: u8 = 6;

/// Where the masks come from (§3): the device secret and the bytes that are random elsewhere.
pub(crate) const DEVICE_SECRET: [u8; 32] = [0x88; 32];
pub(crate) const FRESH: [u8; 32] = [0x99; 32];

/// A challenge of the object with this record.
pub(crate) fn challenge(record: &[u8], kind: u8, samples: u32, form: u8) -> Vec<u8> {
    join(&[
        b"HFQ2",
        &[kind, 0, 0, 0],
        &(RECORD_HEIGHT + FINALITY_BLOCKS).to_le_bytes(),
        &record[8..24],
        &[0; 8],
        &[0x55; 32],
        &NETWORK,
        &[0x33; 32],
        &MINER,
        &record_digest(record),
        &record[128..160],
        &samples.to_le_bytes(),
        &5_000u32.to_le_bytes(),
        &[form, 0, 0, 0, 0, 0, 0, 0],
    ])
}

pub(crate) fn seed(challenge: &[u8]) -> [u8; 32] {
    derive("challenge seed", &[&challenge[..232]])
}

pub(crate) fn challenge_digest(challenge: &[u8]) -> [u8; 32] {
    derive("challenge digest", &[challenge])
}

fn samples(challenge: &[u8]) -> u64 {
    u64::from(u32::from_le_bytes(challenge[232..236].try_into().expect("four bytes")))
}

fn length(challenge: &[u8]) -> u64 {
    u64::from_le_bytes(challenge[16..24].try_into().expect("eight bytes"))
}

fn drawn(challenge: &[u8], context: &str, below: u64) -> Vec<u64> {
    Draws::new(context, &[&seed(challenge)]).shuffled(below, samples(challenge).min(below) as usize)
}

/// Blocks or chunks that are asked for, in the response's order (§2).
pub(crate) fn places(challenge: &[u8]) -> Vec<u64> {
    let blocks = length(challenge).div_ceil(16_384).max(1);
    let chunks = length(challenge).div_ceil(1024).max(1);
    let with_last = |context, count| [drawn(challenge, context, count - 1), vec![count - 1]].concat();
    match challenge[4] {
        POSSESSION => drawn(challenge, "possession blocks", blocks),
        CHUNKS => with_last("object chunks", chunks),
        LINK => with_last("link blocks", blocks),
        _ => Vec::new(),
    }
}

/// The ρ of a possession challenge.
pub(crate) fn coefficients(challenge: &[u8]) -> Vec<[u8; 16]> {
    let mut stream = stream("possession coefficients", &[&seed(challenge)]);
    places(challenge).iter().map(|_| coefficient(&mut stream)).collect()
}

/// Whether an object is audited with this kind and beacon, if one in `n` is.
pub(crate) fn is_audited(kind: u8, beacon: &[u8; 32], record_digest: &[u8; 32], n: u64) -> bool {
    let bytes = derive("object audit", &[&[kind], beacon, record_digest]);
    let x = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    u128::from(x) * u128::from(n) < 1 << 64
}

pub(crate) fn header(challenge: &[u8], form_and_openings: [u8; 2], count: u64) -> Vec<u8> {
    let [form, openings] = form_and_openings;
    join(&[
        b"HFA2",
        &[challenge[4], form, openings, 0],
        &(count as u32).to_le_bytes(),
        &[0; 4],
        &challenge_digest(challenge),
    ])
}

/// The proof before it is folded.
pub(crate) struct Proof {
    pub(crate) masks: Vec<Scalar>,
    pub(crate) t: Point,
    pub(crate) state: [u8; 32],
    pub(crate) c: [u8; 16],
    pub(crate) z: Vec<Scalar>,
}

/// t_1 … t_529, t_0.
pub(crate) fn masks(challenge: &[u8], record: &[u8]) -> Vec<Scalar> {
    let parts: [&[u8]; 4] = [&DEVICE_SECRET, &challenge_digest(challenge), &record_digest(record), &FRESH];
    let mut stream = stream("possession mask", &parts);
    (0..530).map(|_| wide_scalar(&mut stream)).collect()
}

/// Proves the blocks that are asked for, with the commitments of `table`.
pub(crate) fn prove(object: &Object, table: &[u8], record: &[u8], challenge: &[u8]) -> Proof {
    let (blocks, rho) = (places(challenge), coefficients(challenge));
    let mut mu = vec![Scalar::zero(); 530];
    for (block, rho) in blocks.iter().zip(&rho) {
        let rho = Scalar::of(rho);
        mu = mu.iter().zip(object.vector(*block)).map(|(sum, d)| sum.plus(&rho.times(&d))).collect();
    }
    let masks = masks(challenge, record);
    let t = sum(&masks, generators());
    let commitments: Vec<u8> = blocks.iter().flat_map(|&block| table_point(table, block)).collect();
    let mut transcript = stream(
        "possession proof",
        &[
            &challenge_digest(challenge),
            &seed(challenge),
            &record_digest(record),
            &(blocks.len() as u64).to_le_bytes(),
            &blocks.iter().flat_map(|block| block.to_le_bytes()).collect::<Vec<u8>>(),
            &rho.concat(),
            &commitments,
            &t.bytes(),
        ],
    );
    let mut state = [0; 32];
    transcript.fill(&mut state);
    let c = coefficient(&mut transcript);
    let z = masks.iter().zip(&mu).map(|(t, mu)| t.plus(&Scalar::of(&c).times(mu))).collect();
    Proof { masks, t, state, c, z }
}

/// The 96 bytes of C_i in a table.
pub(crate) fn table_point(table: &[u8], block: u64) -> [u8; 96] {
    let start = block as usize / 10 * 1024 + block as usize % 10 * 96;
    table[start..start + 96].try_into().expect("96 bytes")
}

/// The points of the rounds, and the nine scalars (§5).
pub(crate) struct Folded {
    pub(crate) rounds: Vec<[Point; 2]>,
    pub(crate) states: Vec<[u8; 32]>,
    pub(crate) coefficients: Vec<[u8; 16]>,
    pub(crate) z: Vec<Scalar>,
    generators: Vec<Option<Point>>,
}

/// Σ scalars · points over the points that are there.
fn sum_there(scalars: &[Scalar], points: &[Option<Point>]) -> Point {
    let there = scalars.iter().zip(points).filter_map(|(scalar, point)| Some((scalar.clone(), (*point)?)));
    let (scalars, points): (Vec<_>, Vec<_>) = there.unzip();
    sum(&scalars, &points)
}

/// e·A + B, where one or both may lack.
fn fold_generator(e: &Scalar, a: Option<Point>, b: Option<Point>) -> Option<Point> {
    let a = a.map(|a| sum(std::slice::from_ref(e), &[a]));
    match (a, b) {
        (Some(a), Some(b)) => Some(add(&a, &b)),
        (a, b) => a.or(b),
    }
}

pub(crate) fn fold(proof: &Proof) -> Folded {
    let mut z = proof.z.clone();
    z.resize(576, Scalar::zero());
    let mut row: Vec<Option<Point>> = generators().iter().copied().map(Some).collect();
    row.resize(576, None);
    let (mut rounds, mut states, mut coefficients) = (Vec::new(), vec![proof.state], Vec::new());
    for _ in 0..6 {
        let half = z.len() / 2;
        let ((a, b), (left, right)) = (z.split_at(half), row.split_at(half));
        let points = [sum_there(a, right), sum_there(b, left)];
        let mut stream =
            stream("possession fold", &[&states[states.len() - 1], &points[0].bytes(), &points[1].bytes()]);
        let mut state = [0; 32];
        stream.fill(&mut state);
        let e = coefficient(&mut stream);
        let factor = Scalar::of(&e);
        let folded = a.iter().zip(b).map(|(a, b)| a.plus(&factor.times(b))).collect();
        row = left.iter().zip(right).map(|(a, b)| fold_generator(&factor, *a, *b)).collect();
        z = folded;
        rounds.push(points);
        states.push(state);
        coefficients.push(e);
    }
    Folded { rounds, states, coefficients, z, generators: row }
}

/// The equation of §3, for a proof of these commitments.
pub(crate) fn holds(proof: &Proof, challenge: &[u8], table: &[u8]) -> bool {
    let left = sum(&proof.z, generators());
    left == combined(proof, challenge, table)
}

/// The equation of §5, round by round.
pub(crate) fn folded_holds(proof: &Proof, folded: &Folded, challenge: &[u8], table: &[u8]) -> bool {
    let mut q = combined(proof, challenge, table);
    for ([left, right], e) in folded.rounds.iter().zip(&folded.coefficients) {
        let e = Scalar::of(e);
        q = sum(&[Scalar::one(), e.clone(), e.times(&e)], &[*left, q, *right]);
    }
    sum_there(&folded.z, &folded.generators) == q
}

/// T + c·Σ ρ_i·C_i.
fn combined(proof: &Proof, challenge: &[u8], table: &[u8]) -> Point {
    let c = Scalar::of(&proof.c);
    let rho = coefficients(challenge).into_iter().map(|rho| c.times(&Scalar::of(&rho)));
    let points = places(challenge).into_iter().map(|block| Point::read(&table_point(table, block)));
    let scalars: Vec<Scalar> = [Scalar::one()].into_iter().chain(rho).collect();
    sum(&scalars, &[proof.t].into_iter().chain(points).collect::<Vec<_>>())
}

/// A possession response; the challenge says its form.
pub(crate) fn possession_response(
    proof: &Proof,
    challenge: &[u8],
    table: &[u8],
    with_openings: bool,
) -> Vec<u8> {
    let (form, blocks) = (challenge[240], places(challenge));
    let mut response = header(challenge, [form, u8::from(with_openings)], blocks.len() as u64);
    response.extend(proof.t.bytes());
    if form == 0 {
        response.extend(scalar_bytes(&proof.z));
    } else {
        let folded = fold(proof);
        response.extend(folded.rounds.iter().flatten().flat_map(Point::bytes));
        response.extend(scalar_bytes(&folded.z));
    }
    if with_openings {
        let mut chunks: Vec<u64> = blocks.iter().map(|block| block / 10).collect();
        chunks.sort_unstable();
        chunks.dedup();
        response.extend(chunks.into_iter().flat_map(|chunk| opening(table, chunk)));
    }
    response
}

pub(crate) fn chunks_response(object: &Object, challenge: &[u8]) -> Vec<u8> {
    let chunks = places(challenge);
    let mut response = header(challenge, [0, 0], chunks.len() as u64);
    response.extend(chunks.into_iter().flat_map(|chunk| opening(&object.bytes, chunk)));
    response
}

/// Siblings of a block, nearest first: the tree over the values of whole blocks.
pub(crate) fn block_siblings(bytes: &[u8], block: u64) -> Vec<u8> {
    let levels = levels(bytes);
    // Four levels above the chunks, a node is a block; a string of one block has no such siblings.
    let blocks = levels.get(4..).unwrap_or_default();
    siblings_in(blocks, block).into_iter().flat_map(|(value, _)| value).collect()
}

pub(crate) fn link_response(object: &Object, table: &[u8], challenge: &[u8]) -> Vec<u8> {
    let blocks = places(challenge);
    let mut response = header(challenge, [0, 0], blocks.len() as u64);
    for block in blocks {
        response.extend(object.blinding(block).bytes());
        response.extend(object.block(block));
        response.extend(block_siblings(&object.bytes, block));
        response.extend(opening(table, block / 10));
    }
    response
}

/// Key and digest of token `t`: its key is 32 times 0xa0 + t.
pub(crate) fn token(object: &Object, t: u8) -> ([u8; 32], [u8; 32]) {
    let key = [0xa0 + t; 32];
    (key, *blake3::keyed_hash(&key, &object.bytes).as_bytes())
}

/// `derive(token, K_t ‖ D_t)` of each.
pub(crate) fn token_list(object: &Object, count: u8) -> Vec<[u8; 32]> {
    let entry = |t| {
        let (key, digest) = token(object, t);
        derive("token", &[&key, &digest])
    };
    (0..count).map(entry).collect()
}

/// The token file; the tokens in `used` are marked.
pub(crate) fn token_file(object: &Object, record: &[u8], count: u8, used: &[u8]) -> Vec<u8> {
    let mut file = join(&[b"HFS1\0\0\0\0", &record_digest(record), &u64::from(count).to_le_bytes()]);
    for t in 0..count {
        let (key, digest) = token(object, t);
        file.extend(join(&[&[u8::from(used.contains(&t)), 0, 0, 0, 0, 0, 0, 0], &key, &digest]));
    }
    let hash = blake3::hash(&file);
    join(&[&file, hash.as_bytes()])
}
