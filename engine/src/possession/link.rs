//! Link audits: blocks with their blindings, opened against both roots, so that anybody can make their commitments anew
//! (possession-v1 §7). For who does not trust the checker.

use ark_bls12_381::{Fr, G1Affine};

use super::Replica;
use super::blinding::BlindingKey;
use super::challenge::{AuditKind, ObjectChallenge};
use super::check::gate;
use super::commitment_table::{CommitmentTable, TableChunk, place, table_bytes};
use super::encode::block_scalars;
use super::generators::Generators;
use super::group::{is_zero_cofactored, over_generators};
use super::header::{AnswerFailure, HEADER_BYTES, decode_header, demand_kind, encode_header};
use super::points::decode_point;
use super::record::ObjectRecord;
use super::scalars::{SCALAR_BYTES, decode_scalar, encode_scalar};
use crate::rejection::{Class, Rejection};
use crate::tree::{
    ChainingValue, Climb, block_value, opening_bytes, parent_value, root, root_value, verify_opening,
};

/// A block as it is held: its bytes and its siblings on the way to the root, as [`crate::tree::Outboard::path`] gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBlock {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The siblings, nearest first.
    pub path: Vec<ChainingValue>,
}

/// Exact bytes of the response to a link challenge.
pub fn link_response_bytes(challenge: &ObjectChallenge) -> usize {
    let replica = &challenge.replica;
    HEADER_BYTES
        + challenge.link_blocks().into_iter().map(|block| Lengths::of(replica, block).sum()).sum::<usize>()
}

/// Answers a link challenge, which shows the blindings of the blocks for good. `read` gives these blocks, in their order; it
/// is called once, so that it can read them in the order of the disk.
///
/// # Errors
/// The challenge is not of this record, and then nothing is read; `read` fails, or what is held does not answer the challenge.
pub fn answer_link<E>(
    record: &ObjectRecord,
    challenge: &ObjectChallenge,
    key: &BlindingKey,
    table: &CommitmentTable,
    read: impl FnOnce(&[u64]) -> Result<Vec<HeldBlock>, E>,
) -> Result<Vec<u8>, AnswerFailure<E>> {
    check_question(record, challenge).map_err(AnswerFailure::Wrong)?;
    let blocks = challenge.link_blocks();
    let held = read(&blocks)?;
    let mut response = encode_header(AuditKind::Link, count_of(&blocks), &challenge.digest()).to_vec();
    for (block, held) in blocks.iter().zip(&held) {
        response.extend(encode_scalar(&key.scalar(&challenge.replica, *block)));
        response.extend_from_slice(&held.bytes);
        response.extend_from_slice(held.path.as_flattened());
        let (chunk, _) = place(*block);
        if *block < table.blocks() {
            response.extend(table.open(chunk));
        }
    }
    verify_link(record, challenge, &response).map_err(AnswerFailure::Wrong)?;
    Ok(response)
}

/// Verifies a link response. That the challenge came late enough after the record is [`ObjectChallenge::check_against`]'s to
/// say.
///
/// Refused: `wrong-challenge`, `malformed`, `wrong-length` (before anything is hashed), `wrong-root`, `wrong-point`,
/// `wrong-proof` (a commitment of the table is not that of the block).
pub fn verify_link(
    record: &ObjectRecord,
    challenge: &ObjectChallenge,
    response: &[u8],
) -> Result<(), Rejection> {
    check_question(record, challenge)?;
    let Some(table_root) = &record.table_root else {
        return Err(Class::WrongChallenge.because("the record has no table"));
    };
    let blocks = challenge.link_blocks();
    let expected = link_response_bytes(challenge);
    let mut rest =
        decode_header(AuditKind::Link, count_of(&blocks), &challenge.digest(), expected, response)?;
    let shown: Result<Vec<ShownBlock<'_>>, Rejection> = blocks
        .iter()
        .map(|block| {
            let lengths = Lengths::of(&challenge.replica, *block);
            let (bytes, after) = rest.split_at(lengths.sum());
            rest = after;
            show(&challenge.replica, table_root, *block, &lengths, bytes)
        })
        .collect();
    check_commitments(&shown?)
}

/// Whether this is a link challenge of the object with this record. A miner asks before it reads or shows anything.
fn check_question(record: &ObjectRecord, challenge: &ObjectChallenge) -> Result<(), Rejection> {
    demand_kind(challenge, AuditKind::Link)?;
    challenge.check_place(record)
}

/// Bytes of the parts of what shows a block.
struct Lengths {
    block: usize,
    path: usize,
    opening: usize,
}

impl Lengths {
    /// Of a block that the replica has.
    fn of(replica: &Replica, block: u64) -> Lengths {
        let (chunk, _) = place(block);
        Lengths {
            block: replica.block_bytes(block),
            path: 32 * Climb::new(block, replica.blocks()).siblings().count(),
            opening: opening_bytes(chunk, table_bytes(replica.blocks()))
                .expect("a chunk with the block's point"),
        }
    }

    fn sum(&self) -> usize {
        SCALAR_BYTES + self.block + self.path + self.opening
    }
}

/// A block that is under the object's root, with what is said to be its commitment under the table's.
struct ShownBlock<'a> {
    number: u64,
    bytes: &'a [u8],
    blinding: Fr,
    point: G1Affine,
}

/// Checks everything about a block but its commitment.
fn show<'a>(
    replica: &Replica,
    table_root: &[u8; 32],
    number: u64,
    lengths: &Lengths,
    bytes: &'a [u8],
) -> Result<ShownBlock<'a>, Rejection> {
    let (blinding, bytes) = bytes.split_first_chunk().expect("the length is exact");
    let (bytes, rest) = bytes.split_at(lengths.block);
    let (path, opening) = rest.split_at(lengths.path);
    let blinding = decode_scalar(blinding)?;
    if climb(number, replica.blocks(), bytes, path.as_chunks().0) != *replica.object_root() {
        return Err(Class::WrongRoot.because(format!("block {number} is not under the object's root")));
    }
    let (chunk, point) = place(number);
    let opened = verify_opening(chunk, table_bytes(replica.blocks()), table_root, opening)?;
    let point = decode_point(&TableChunk::read(chunk, replica.blocks(), opened)?.points()[point])?;
    Ok(ShownBlock { number, bytes, blinding, point })
}

/// The root that a block and its siblings lead to.
fn climb(block: u64, blocks: u64, bytes: &[u8], siblings: &[ChainingValue]) -> [u8; 32] {
    let Some((last, inner)) = siblings.split_last() else { return root(bytes) };
    let mut sides = Climb::new(block, blocks).siblings().map(|sibling| sibling.on_right);
    let mut value = block_value(block, bytes);
    for (sibling, on_right) in inner.iter().zip(&mut sides) {
        value = if on_right { parent_value(&value, sibling) } else { parent_value(sibling, &value) };
    }
    if sides.next() == Some(true) { root_value(&value, last) } else { root_value(last, &value) }
}

/// All at once; if that does not hold (or there is no randomness for it), one by one, so that the culprit is named.
fn check_commitments(shown: &[ShownBlock<'_>]) -> Result<(), Rejection> {
    let blocks: Vec<&[u8]> = shown.iter().map(|block| block.bytes).collect();
    let blindings: Vec<Fr> = shown.iter().map(|block| block.blinding).collect();
    let points: Vec<G1Affine> = shown.iter().map(|block| block.point).collect();
    if gate(&blocks, &blindings, &points).unwrap_or(false) {
        return Ok(());
    }
    match shown.iter().find(|block| !is_committed(block)) {
        None => Ok(()),
        Some(ShownBlock { number, .. }) => Err(Class::WrongProof
            .because(format!("the table's point {number} does not commit to block {number}"))),
    }
}

/// Whether C_i is Σ d_ij·G_j + r_i·H, cofactored.
fn is_committed(block: &ShownBlock<'_>) -> bool {
    let mut scalars = block_scalars(block.bytes).to_vec();
    scalars.push(block.blinding);
    is_zero_cofactored(&(over_generators(Generators::standard(), &scalars) - block.point))
}

fn count_of(blocks: &[u64]) -> u32 {
    u32::try_from(blocks.len()).expect("at most 2^16")
}

#[cfg(test)]
mod tests;
