//! Taking a file into care: what miners acknowledged, and the records that audits will refer to.

use std::collections::HashMap;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::rejection::{Class, Rejection};
use tokio::task::JoinSet;
use tonic::Code;

use super::release::Silent;
use super::rows::{
    BY_DIGEST, FAILED_LINKS, FILES, FileKey, FileRow, HeldPiece, HeldRow, PIECES, PieceKey, PieceRow,
    StoredFile, failed_by,
};
use super::{CareError, Keeper, blocking};
use crate::export::EventKind;
use crate::index::transact;
use crate::pieces::{Content, Manifest, Piece, PieceId, REPLICA_ID};
use crate::proto::{RegisterRequest, StoreResponse};
use crate::validator::peers::{PeerError, check_acknowledgement};
use crate::wire::bytes32;

/// Pieces of one file: what one commit of the index takes.
pub(super) const FILE_PIECES_MAX: usize = 4096;
/// How long it is remembered that a miner did not pass a link: three months of blocks of 12 s.
const FAILED_LINK_BLOCKS: u64 = 650_000;
/// Records that are handed to miners at the same time.
const HANDED_AT_ONCE: usize = 32;

/// A piece that is proven to be where the manifest says.
struct Proven {
    id: PieceId,
    row: PieceRow,
    record: SignedRecord,
}

impl Keeper {
    pub(super) async fn register_file(
        &self,
        owner: Account,
        request: RegisterRequest,
    ) -> Result<(), CareError> {
        self.check_owner(owner)?;
        let head = self.chain.head().await?;
        let (network, now) = (self.peers.correspondent().network(), self.now_seconds());
        let keep_seconds_max = self.settings.keep_seconds_max;
        let record_height_max = head.height.saturating_add(self.settings.record_blocks_max);
        let checked = blocking("checking a file that is to be cared for", move || {
            let manifest = Manifest::decode(&request.manifest)?;
            let expires_at = check_expiry(&manifest, now, keep_seconds_max)?;
            let proven = prove(&manifest, &request, (&network, &owner), expires_at, record_height_max)?;
            Ok::<_, Rejection>((FileRow::new(&manifest, now, expires_at), manifest, proven))
        })
        .await?;
        let (row, manifest, proven) = checked?;
        let key: FileKey = (owner, manifest.ciphertext().root);
        if self.is_registered(&key, &manifest).await? {
            return Ok(());
        }
        self.check_room(owner, &manifest).await?;
        self.record_digests(proven.iter().map(|piece| piece.record.clone()).collect()).await?;
        let (row, pieces) = (&row, &proven);
        transact(&*self.index, |work| async move {
            if FILES.read(&work, &key).await?.is_some() {
                return Err(in_care(&key));
            }
            FILES.write(&work, &key, row)?;
            for piece in pieces {
                if let Some(held) = &piece.row.held {
                    held.claim(&work, row.expires_at, now).await?;
                }
                PIECES.write(&work, &(key, piece.id.segment, piece.id.shard), &piece.row)?;
            }
            Ok(())
        })
        .await?;
        let stored = proven.iter().map(|piece| (piece.id, piece.record.record.miner)).collect();
        self.note_pieces(EventKind::PieceStored, key, stored).await;
        for Proven { record, .. } in &proven {
            self.miners.arrived(&record.record.miner, record.record.replica.object_root());
        }
        let records = proven.into_iter().map(|piece| (piece.id, piece.record)).collect();
        self.hand_out(key, records, &Silent::default()).await
    }

    /// Whether this file is in care already, as it is told now: an answer may have been lost.
    async fn is_registered(&self, key: &FileKey, manifest: &Manifest) -> Result<bool, CareError> {
        if FILES.get(&*self.index, key).await?.is_none() {
            return Ok(false);
        }
        let stored = StoredFile::read(&*self.index, *key).await?;
        let same = !stored.row.releasing && manifest.clone().adopt(&stored.manifest()?).is_ok();
        if same { Ok(true) } else { Err(in_care(key)) }
    }

    /// Refuses what is more than one owner may have here.
    async fn check_room(&self, owner: Account, manifest: &Manifest) -> Result<(), CareError> {
        let mut pages = FILES.pages(&*self.index, FILES.prefix(&owner), super::PAGE_ROWS);
        let mut bytes = piece_bytes(&manifest.layout(), manifest.policy().shards());
        while let Some(page) = pages.next().await? {
            for row in FILES.rows(&page)? {
                let of_file = piece_bytes(&row.value.layout()?, row.value.policy()?.shards());
                bytes = bytes.saturating_add(of_file);
            }
        }
        let most = self.settings.owner_bytes_max;
        if bytes <= most {
            return Ok(());
        }
        Err(CareError::Refused {
            code: Code::ResourceExhausted,
            reason: "owner-full",
            message: format!("{owner} would have pieces of {bytes} bytes in care here; {most} are the most"),
            advice: "release files that are no longer needed, or ask another validator",
        })
    }

    /// Has the chain record the digests, each at the height that its record names or before.
    pub(super) async fn record_digests(&self, records: Vec<SignedRecord>) -> Result<(), CareError> {
        let recorder = self.chain.recorder();
        let recording = blocking("recording digests", move || {
            for SignedRecord { record, .. } in &records {
                let (recorded_at, named) = (recorder.record_object(&record.digest())?, record.height);
                if recorded_at > named {
                    let detail =
                        format!("recorded at height {recorded_at}; the record says {named} at the latest");
                    return Ok(Err(Class::WrongRecord.because(detail)));
                }
            }
            Ok::<_, CareError>(Ok(()))
        });
        Ok(recording.await???)
    }

    /// Hands records to the miners of a file's pieces; from then on rounds audit them. A miner that cannot be reached gets its record
    /// later, and is asked no more as long as `silent` lives.
    pub(super) async fn hand_out(
        &self,
        file: FileKey,
        records: Vec<(PieceId, SignedRecord)>,
        silent: &Silent,
    ) -> Result<(), CareError> {
        let mut handing = JoinSet::new();
        let mut waiting = records.into_iter();
        loop {
            while handing.len() < HANDED_AT_ONCE
                && let Some((id, record)) = waiting.next()
            {
                let miner = record.record.miner;
                if silent.has(&miner) {
                    continue;
                }
                let Some(peer) = self.peer(&miner).await? else { continue };
                let peers = Arc::clone(&self.peers);
                handing.spawn(async move { (id, peers.keep_record(peer, &record).await, record) });
            }
            match handing.join_next().await {
                None => return Ok(()),
                Some(Ok((id, Ok(()), record))) => self.begin_audits(file, id, &record).await?,
                Some(Ok((id, Err(error), record))) => {
                    tracing::warn!(%id, %error, "a record was not handed out");
                    // Who cannot be reached may come back; who says no has not got the piece.
                    if says_no(&error) {
                        self.note_failure(file, id).await?;
                    } else {
                        silent.note(record.record.miner);
                    }
                }
                Some(Err(error)) => tracing::error!(%error, "handing out a record ended"),
            }
        }
    }

    /// A miner has failed with a piece, as if in an audit.
    pub(super) async fn note_failure(&self, file: FileKey, id: PieceId) -> Result<(), CareError> {
        let key: &PieceKey = &(file, id.segment, id.shard);
        transact(&*self.index, |work| async move {
            let Some(mut row) = PIECES.read(&work, key).await? else { return Ok(()) };
            if row.generation == id.generation {
                row.failed_audits = row.failed_audits.saturating_add(1);
                PIECES.write(&work, key, &row)?;
            }
            Ok(())
        })
        .await
    }

    /// A miner keeps the record of a piece. If the file is released meanwhile, it is deleting the piece: nothing is audited.
    async fn begin_audits(&self, file: FileKey, id: PieceId, record: &SignedRecord) -> Result<(), CareError> {
        let key: &PieceKey = &(file, id.segment, id.shard);
        let is_doubted = self.begins_doubted(&record.record).await?;
        transact(&*self.index, |work| async move {
            let Some(of_file) = FILES.read(&work, &file).await?.filter(|row| !row.releasing) else {
                return Ok(());
            };
            let Some(mut row) = PIECES.read(&work, key).await? else { return Ok(()) };
            let Some(held) = row.held.as_mut().filter(|_| row.generation == id.generation) else {
                return Ok(());
            };
            held.record_kept = true;
            PIECES.write(&work, key, &row)?;
            // What links have shown of it stays, if it is audited already.
            if BY_DIGEST.read(&work, &(1, record.record.digest())).await?.is_none() {
                let mut row = HeldRow::new(record, file, id, of_file.expires_at);
                row.is_doubted = is_doubted;
                row.write(&work)?;
            }
            Ok(())
        })
        .await
    }

    /// Whether a record's commitments are to be looked at before they stand for anything: its miner did not pass a link of late, and has not
    /// made up for it with the same record. Else the bytes could be released and registered anew as often as somebody looks.
    async fn begins_doubted(&self, record: &ObjectRecord) -> Result<bool, CareError> {
        if record.table_root.is_none() {
            return Ok(false);
        }
        let oldest = self.chain.head().await?.height.saturating_sub(FAILED_LINK_BLOCKS);
        let mut begins_doubted = false;
        let mut pages = FAILED_LINKS.pages(
            &*self.index,
            FAILED_LINKS.prefix(&failed_by(&record.miner)),
            super::PAGE_ROWS,
        );
        while let Some(page) = pages.next().await? {
            let rows = FAILED_LINKS.rows(&page)?;
            begins_doubted |= rows.iter().any(|row| row.value.height >= oldest);
            let old =
                &rows.iter().filter(|row| row.value.height < oldest).map(|row| row.key).collect::<Vec<_>>();
            if !old.is_empty() {
                transact(&*self.index, |work| async move {
                    old.iter().for_each(|key| FAILED_LINKS.remove(&work, key));
                    Ok::<_, CareError>(())
                })
                .await?;
            }
        }
        Ok(begins_doubted)
    }
}

/// Whether a miner answers that it will not, or cannot for lack of the piece.
fn says_no(error: &PeerError) -> bool {
    let PeerError::Status { status, .. } = error else { return true };
    matches!(status.code(), Code::NotFound | Code::PermissionDenied | Code::InvalidArgument)
}

/// Bytes of all pieces of a file.
fn piece_bytes(layout: &crate::pieces::FileLayout, shards: u8) -> u64 {
    let (count, shards) = (layout.segment_count(), u64::from(shards));
    let whole = layout.segment(0).map_or(0, |segment| segment.shard_bytes());
    let last = layout.segment(count.saturating_sub(1)).map_or(0, |segment| segment.shard_bytes());
    whole.saturating_mul(count.saturating_sub(1)).saturating_add(last).saturating_mul(shards)
}

fn in_care((owner, file): &FileKey) -> CareError {
    CareError::Refused {
        code: Code::AlreadyExists,
        reason: "in-care",
        message: format!("{owner} has a file {} in care here, with other pieces", hex::encode(file)),
        advice: "encrypt the file anew, or release the one that is here",
    }
}

fn check_expiry(manifest: &Manifest, now: u64, keep_seconds_max: u64) -> Result<u64, Rejection> {
    let latest = now.saturating_add(keep_seconds_max);
    let expires_at = manifest.expires_at();
    expires_at.filter(|at| (now + 1..=latest).contains(at)).ok_or_else(|| {
        let found = expires_at.map_or("never".to_owned(), |at| at.to_string());
        Class::Policy.because(format!("expires at {found}; it is {now}, and {latest} is the latest here"))
    })
}

/// Every piece of the manifest with its miner's acknowledgement and its record.
fn prove(
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
