//! Handing records to miners; from then on rounds audit them.

use std::sync::Arc;

use holdfast_engine::possession::record::SignedRecord;
use tokio::task::JoinSet;
use tonic::Code;

use super::delete::Silent;
use super::held::{BY_DIGEST, HeldRow};
use super::rows::{FILES, FileKey, PIECES, PieceKey};
use super::{CareError, Keeper};
use crate::index::transact;
use crate::pieces::PieceId;
use crate::validator::peers::PeerError;

/// Records that are handed to miners at the same time.
const HANDED_AT_ONCE: usize = 32;

impl Keeper {
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

    /// A miner keeps the record of a piece. If the file is released meanwhile, it is to delete the piece: nothing is audited.
    async fn begin_audits(&self, file: FileKey, id: PieceId, record: &SignedRecord) -> Result<(), CareError> {
        let key: &PieceKey = &(file, id.segment, id.shard);
        let begun_at = self.chain.head().await?.height;
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
                HeldRow::new(record, file, id, of_file.expires_at, begun_at).write(&work)?;
            }
            Ok(())
        })
        .await
    }
}

/// Whether a miner answers that it will not, or cannot for lack of the piece.
fn says_no(error: &PeerError) -> bool {
    let PeerError::Status { status, .. } = error else { return true };
    matches!(status.code(), Code::NotFound | Code::PermissionDenied | Code::InvalidArgument)
}
