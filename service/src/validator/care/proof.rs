//! Whether a file is with the miners that its manifest names: what they acknowledged, and the records that its owner signed.

use std::collections::HashMap;

use holdfast_engine::account::Account;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::rejection::{Class, Rejection};

use super::rows::{HeldPiece, PieceRow};
use crate::pieces::{Content, Manifest, Piece, PieceId, REPLICA_ID};
use crate::proto::{RegisterRequest, StoreResponse};
use crate::validator::peers::check_acknowledgement;
use crate::wire::bytes32;

/// Pieces of one file: what one commit of the index takes.
pub(super) const FILE_PIECES_MAX: usize = 4096;

/// A piece that is proven to be where the manifest says.
pub(super) struct Proven {
    pub(super) id: PieceId,
    pub(super) row: PieceRow,
    pub(super) record: SignedRecord,
}

/// When a file ends, if it is not too far away.
pub(super) fn check_expiry(manifest: &Manifest, now: u64, keep_seconds_max: u64) -> Result<u64, Rejection> {
    let latest = now.saturating_add(keep_seconds_max);
    let expires_at = manifest.expires_at();
    expires_at.filter(|at| (now + 1..=latest).contains(at)).ok_or_else(|| {
        let found = expires_at.map_or("never".to_owned(), |at| at.to_string());
        Class::Policy.because(format!("expires at {found}; it is {now}, and {latest} is the latest here"))
    })
}

/// Every piece of the manifest with its miner's acknowledgement and its record.
pub(super) fn prove(
    manifest: &Manifest,
    request: &RegisterRequest,
    (network, owner): (&[u8; 32], &Account),
    expires_at: u64,
    record_height_max: u64,
) -> Result<Vec<Proven>, Rejection> {
    let shards = usize::from(manifest.policy().shards());
    let count = manifest.segments().len().saturating_mul(shards);
    if count > FILE_PIECES_MAX {
        let detail =
            format!("a file of {count} pieces; {FILE_PIECES_MAX} are the most here: take larger segments");
        return Err(Class::Policy.because(detail));
    }
    let mut acknowledged: HashMap<(Account, [u8; 32]), &StoreResponse> = HashMap::new();
    for sent in &request.acknowledgements {
        let response = sent.response.as_ref();
        let object = response.and_then(|response| response.object.as_ref());
        let (Some(response), Some(object)) = (response, object) else {
            return Err(Class::Malformed.because("an acknowledgement of nothing"));
        };
        let of = (Account(bytes32("miner", &sent.miner)?), bytes32("object root", &object.root)?);
        acknowledged.insert(of, response);
    }
    let mut records: HashMap<[u8; 32], SignedRecord> = HashMap::new();
    for record in &request.records {
        let record = SignedRecord::decode(record)?;
        records.insert(*record.record.replica.object_root(), record);
    }
    let mut proven = Vec::with_capacity(count);
    for (number, segment) in (0..).zip(manifest.segments()) {
        let layout = manifest.layout().segment(number.into());
        let length_bytes = layout.map_or(0, |layout| layout.shard_bytes());
        for (shard, piece) in (0..).zip(&segment.pieces) {
            let id = PieceId { segment: number, shard, generation: piece.generation };
            let nobody = || Class::Malformed.because(format!("nobody holds the piece of {id}"));
            let holder = piece.holder.ok_or_else(nobody)?;
            let object = Content { root: holder.root, length_bytes };
            let absent = |what: &str| Class::Malformed.because(format!("no {what} for the piece of {id}"));
            let response = acknowledged.get(&(holder.miner, holder.root));
            let response = response.ok_or_else(|| absent("acknowledgement"))?;
            check_acknowledgement(response, network, (&holder.miner, owner), object, expires_at)?;
            let record = records.remove(&holder.root).ok_or_else(|| absent("record"))?;
            check_record(&record, network, (&holder.miner, owner), object, record_height_max)?;
            proven.push(new_piece(id, piece, record, response));
        }
    }
    Ok(proven)
}

fn new_piece(id: PieceId, piece: &Piece, record: SignedRecord, response: &StoreResponse) -> Proven {
    let row = PieceRow::new(piece, HeldPiece::new(&record, response));
    Proven { id, row, record }
}

/// That a record is of this object at this miner, signed by the owner, and of a height that is not too far away.
fn check_record(
    signed: &SignedRecord,
    network: &[u8; 32],
    (miner, owner): (&Account, &Account),
    object: Content,
    height_max: u64,
) -> Result<(), Rejection> {
    let record = &signed.record;
    let same = record.network == *network
        && record.miner == *miner
        && record.checker == *owner
        && *record.replica.object_root() == object.root
        && record.replica.length() == object.length_bytes
        && record.replica.replica_id() == REPLICA_ID;
    if !same {
        let root = hex::encode(object.root);
        let detail = format!("the record of {root} is of another network, miner, checker, length or replica");
        return Err(Class::WrongRecord.because(detail));
    }
    if record.height > height_max {
        let height = record.height;
        return Err(
            Class::Policy.because(format!("a record of height {height}; {height_max} is the last taken now"))
        );
    }
    signed.check_signature()
}
