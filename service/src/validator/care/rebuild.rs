//! Making a piece anew: from k others, or from the same one elsewhere, under its next generation, on another miner.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom};

use holdfast_engine::account::Account;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use tonic::Code;

use super::claims::ReplacedRow;
use super::delete::Silent;
use super::held::end_audits;
use super::rows::{FILES, HeldPiece, PIECES, PieceKey, PieceRow};
use super::stored::StoredFile;
use super::transfer::{Fetched, fetching, send};
use super::{CareError, Keeper, blocking};
use crate::export::EventKind;
use crate::index::lease::Lease;
use crate::index::transact;
use crate::pieces::{Content, Manifest, PieceError, PieceId, PieceSource};
use crate::placement::Action;
use crate::proto::StoreResponse;
use crate::validator::ValidatorError;
use crate::validator::peers::{Peer, check_acknowledgement, parts};

/// Records of pieces that are made here name the height of the newest block and so many more.
const RECORD_BLOCKS: u64 = 20;

/// A piece that was made, in a file without a name.
struct Made {
    content: Content,
    file: File,
}

impl Keeper {
    /// Carries out one action about a file's piece. A process that is killed meanwhile leaves the piece where it was.
    pub(super) async fn act(
        &self,
        file: &StoredFile,
        action: &Action,
        lease: &Lease,
    ) -> Result<(), CareError> {
        let (shard, to, mut sources) = match action {
            Action::Rebuild { shard, to, sources } => (shard, to, sources.clone()),
            Action::Move { shard, to, .. } => (shard, to, vec![shard.shard]),
            // Expired files are deleted as wholes.
            Action::Drop { .. } => return Ok(()),
        };
        let key: PieceKey = (file.key, shard.of.segment, shard.shard);
        let target = self.begin_generation(&key, lease).await?;
        let to = self.peer(to).await?.ok_or_else(|| gone(*to))?;
        let made = loop {
            match self.make(file, target, &sources).await {
                Ok(made) => break made,
                // The piece that failed is left out, as long as there are enough others.
                Err(CareError::Piece(PieceError::Piece { piece, error })) => {
                    tracing::warn!(%piece, %error, "a piece could not be read");
                    self.note_failure(file.key, piece).await?;
                    sources.retain(|source| *source != piece.shard);
                }
                Err(error) => return Err(error),
            }
        };
        let content = made.content;
        let response = self.give(file, &made, to).await?;
        let network = self.peers.correspondent().network();
        let between = (&to.account, &self.account());
        check_acknowledgement(&response, &network, between, content, file.row.expires_at)?;
        let record = self.new_record(content, to.account).await?;
        self.record_digests(vec![record.clone()]).await?;
        let held = HeldPiece::new(&record, &response);
        let before = self.replace(&key, target, (held, content), file.row.expires_at, lease).await?;
        self.miners.arrived(&to.account, &content.root);
        let kind = match action {
            Action::Move { .. } => EventKind::PieceMoved,
            _ => {
                self.note_lost(file, target, &before).await;
                EventKind::PieceRepaired
            }
        };
        self.note_pieces(kind, file.key, vec![(target, to.account)]).await;
        self.hand_out(file.key, vec![(target, record)], &Silent::default()).await
    }

    /// Writes down that a piece is given up, now that another one counts in its place.
    async fn note_lost(&self, file: &StoredFile, target: PieceId, before: &PieceRow) {
        let lost = PieceId { generation: before.generation, ..target };
        let holder = before.held.as_ref().map(|held| (lost, held.miner));
        self.note_pieces(EventKind::PieceLost, file.key, holder.into_iter().collect()).await;
    }

    /// The next generation of a shard, which nobody has begun.
    async fn begin_generation(&self, key: &PieceKey, lease: &Lease) -> Result<PieceId, CareError> {
        transact(&*self.index, |work| async move {
            let row = self.read_for_change(&work, key, lease).await?;
            let begun = row.begun.checked_add(1).ok_or_else(|| no_generation(key))?;
            PIECES.write(&work, key, &PieceRow { begun, ..row })?;
            Ok(PieceId { segment: key.1, shard: key.2, generation: begun })
        })
        .await
    }

    /// Makes a piece from whole pieces of these shards; k of them are read, or one if it is the same shard.
    async fn make(&self, file: &StoredFile, target: PieceId, shards: &[u8]) -> Result<Made, CareError> {
        let manifest = file.manifest()?;
        let (data_shards, _) = file.row.needed_and_shards();
        let needed = if shards == [target.shard] { 1 } else { usize::from(data_shards) };
        let mut sources = Vec::new();
        for (id, row) in file.ids().filter(|(id, _)| id.segment == target.segment) {
            let Some(held) = row.held.as_ref().filter(|_| shards.contains(&id.shard)) else { continue };
            let Some(peer) = self.peer(&held.miner).await? else { continue };
            sources.push((
                shards.iter().position(|shard| *shard == id.shard),
                id,
                peer,
                file.content(id, held)?,
            ));
        }
        // In the order of the plan: the surest first.
        sources.sort_by_key(|(place, ..)| *place);
        sources.truncate(needed);
        let sources =
            sources.into_iter().map(|(_, id, peer, content)| fetching(&self.peers, id, peer, content));
        let sources: Vec<PieceSource<Fetched>> = sources.collect();
        let workshop = self.settings.workshop.clone();
        blocking("making a piece anew", move || {
            let failed = |error| PieceError::Sink { what: format!("the piece of {target}"), error };
            let mut sink = tempfile::tempfile_in(&workshop).map_err(failed)?;
            let content = rebuild(&manifest, target, sources, &sink)?;
            sink.seek(SeekFrom::Start(0)).map_err(failed)?;
            Ok(Made { content, file: sink })
        })
        .await?
    }

    /// Stores what was made with a miner, for the file's owner.
    async fn give(&self, file: &StoredFile, made: &Made, to: Peer) -> Result<StoreResponse, CareError> {
        let keep_seconds = file.row.expires_at.saturating_sub(self.now_seconds()).max(1);
        let ticket = self.ticket(file.key.0, to.account, made.content, keep_seconds);
        let (sender, receiver) = parts();
        let source = made.file.try_clone().map_err(|error| sink_failed(&error))?;
        let sending = tokio::task::spawn_blocking(move || send(source, &sender));
        let response = self.peers.store(to, &ticket, 0, receiver).await;
        let ended = |error: tokio::task::JoinError| ValidatorError::Ended {
            doing: "sending a piece",
            detail: error.to_string(),
        };
        sending.await.map_err(ended)?.map_err(|error| sink_failed(&error))?;
        Ok(response?)
    }

    /// A record of a piece that this validator has made, and so has checked.
    async fn new_record(&self, content: Content, miner: Account) -> Result<SignedRecord, CareError> {
        let correspondent = self.peers.correspondent();
        let record = ObjectRecord {
            replica: Replica::new(content.root, content.length_bytes, 0)?,
            height: self.chain.head().await?.height.saturating_add(RECORD_BLOCKS),
            network: correspondent.network(),
            miner,
            checker: self.account(),
            table_root: None,
            tokens: None,
        };
        Ok(record.sign(correspondent.signer()))
    }

    /// From now on this piece counts, and the one before no longer: it is deleted once nobody is asked about it. Gives the row before.
    async fn replace(
        &self,
        key: &PieceKey,
        target: PieceId,
        (held, content): (HeldPiece, Content),
        expires_at: u64,
        lease: &Lease,
    ) -> Result<PieceRow, CareError> {
        let (held, delete_from) = (&held, self.delete_from(expires_at));
        transact(&*self.index, |work| async move {
            let before = self.read_for_change(&work, key, lease).await?;
            if let Some(held) = &before.held {
                end_audits(&work, held)?;
                let length_bytes = content.length_bytes;
                held.delete_later(&work, &ReplacedRow { length_bytes, delete_from, expires_at })?;
            }
            held.claim(&work, expires_at).await?;
            let after = PieceRow {
                generation: target.generation,
                held: Some(held.clone()),
                failed_audits: 0,
                missed_audits: 0,
                audited_at: None,
                ..before.clone()
            };
            PIECES.write(&work, key, &after)?;
            Ok(before)
        })
        .await
    }

    /// A piece's row, if this process has the lease and the file is still to be kept when the work is committed.
    async fn read_for_change(
        &self,
        work: &crate::index::Work<'_>,
        key: &PieceKey,
        lease: &Lease,
    ) -> Result<PieceRow, CareError> {
        if !lease.is_held(work).await? {
            return Err(ValidatorError::NotInCharge { validator: self.account() }.into());
        }
        let (owner, file) = key.0;
        let row = FILES.read(work, &key.0).await?.filter(|row| !row.releasing);
        let piece = PIECES.read(work, key).await?;
        row.and(piece).ok_or(CareError::NoSuchFile { owner, file })
    }
}

fn rebuild(
    manifest: &Manifest,
    target: PieceId,
    sources: Vec<PieceSource<Fetched>>,
    sink: &File,
) -> Result<Content, PieceError> {
    let PieceId { segment, .. } = target;
    let shards = manifest.policy().shards();
    let code = manifest.code(segment).ok_or(PieceError::Foreign { piece: target, segment, shards })?;
    let sink = BufWriter::with_capacity(1 << 20, sink);
    Ok(code.rebuild(target, sources, &manifest.shard_roots(segment), sink)?.content)
}

fn gone(miner: Account) -> CareError {
    CareError::Refused {
        code: Code::Unavailable,
        reason: "gone",
        message: format!("{miner} has no endpoint any more"),
        advice: "wait for the next look at all files",
    }
}

fn no_generation(key: &PieceKey) -> CareError {
    let (segment, shard) = (key.1, key.2);
    ValidatorError::Damaged {
        what: "a piece",
        detail: format!("segment {segment}, shard {shard} was made anew 2^32 times"),
    }
    .into()
}

fn sink_failed(error: &io::Error) -> CareError {
    ValidatorError::Ended { doing: "reading a piece that was made anew", detail: error.to_string() }.into()
}
