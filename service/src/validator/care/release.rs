//! The end of the care of a file: no more audits, and its pieces are deleted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::account::Account;
use tokio::task::JoinSet;

use super::rows::{FILES, FileKey, HeldPiece, PIECES, PieceKey, PieceRow, StoredFile, end_audits};
use super::{CareError, Keeper};
use crate::export::EventKind;
use crate::index::transact;
use crate::pieces::PieceId;
use crate::proto::{ReleaseRequest, ReleaseResponse};
use crate::wire::bytes32;

/// Pieces that are deleted at the same time.
const DELETED_AT_ONCE: usize = 32;

/// What became of the pieces of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deleted {
    /// Gone, or nobody had them.
    pub(super) pieces: u32,
    /// Their miners could not be reached.
    pub(super) pending: u32,
}

/// Miners that left something unanswered. Each answer is waited for, so whoever has many pieces and answers about none would hold up
/// everything else.
#[derive(Debug, Default)]
pub(super) struct Silent(Mutex<BTreeSet<Account>>);

impl Silent {
    pub(super) fn note(&self, miner: Account) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(miner);
    }

    pub(super) fn has(&self, miner: &Account) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(miner)
    }
}

impl Keeper {
    pub(super) async fn release_file(
        &self,
        owner: Account,
        request: &ReleaseRequest,
    ) -> Result<ReleaseResponse, CareError> {
        let key: FileKey = (owner, bytes32("file root", &request.file_root)?);
        self.end_care(key).await?;
        let deleted = self.delete_pieces(key, &Silent::default(), |_| true).await?;
        Ok(ReleaseResponse { deleted_pieces: deleted.pieces, pending_pieces: deleted.pending, seal: None })
    }

    /// Nothing of the file is audited or repaired any more, and its owner no longer sees it. Its pieces are still there.
    pub(super) async fn end_care(&self, key: FileKey) -> Result<(), CareError> {
        let file = StoredFile::read(&*self.index, key).await?;
        let file = &file;
        transact(&*self.index, |work| async move {
            let (owner, root) = key;
            let row = FILES.read(&work, &key).await?;
            let mut row = row.ok_or(CareError::NoSuchFile { owner, file: root })?;
            row.releasing = true;
            FILES.write(&work, &key, &row)?;
            for (id, _) in file.ids().filter(|_| !file.row.releasing) {
                let piece = PIECES.read(&work, &(key, id.segment, id.shard)).await?;
                if let Some(held) = piece.and_then(|piece| piece.held) {
                    end_audits(&work, &held)?;
                }
            }
            Ok::<_, CareError>(())
        })
        .await?;
        let held = |(id, row): (PieceId, &PieceRow)| Some((id, row.held.as_ref()?.miner));
        let ended = file.ids().filter(|_| !file.row.releasing).filter_map(held).collect();
        self.note_pieces(EventKind::PieceEnded, key, ended).await;
        Ok(())
    }

    /// Deletes the pieces of a file whose care has ended, with those miners that are to be asked and are not silent; forgets each that is
    /// gone, and the file with the last.
    pub(super) async fn delete_pieces(
        &self,
        key: FileKey,
        silent: &Silent,
        is_asked: impl Fn(&Account) -> bool,
    ) -> Result<Deleted, CareError> {
        let mut deleted = Deleted::default();
        let mut deleting = JoinSet::new();
        let mut pages = PIECES.pages(&*self.index, PIECES.prefix(&key), super::PAGE_ROWS);
        let layout = StoredFile::read(&*self.index, key).await?.row.layout()?;
        let mut gone: Vec<Gone> = Vec::new();
        while let Some(page) = pages.next().await? {
            for row in PIECES.rows(&page)? {
                let Some(held) = row.value.held else {
                    gone.push((row.key, None));
                    continue;
                };
                let Some(peer) = self.peer(&held.miner).await? else {
                    // Whoever left the network is asked no more; what it has expires.
                    gone.push((row.key, Some(held)));
                    continue;
                };
                if silent.has(&held.miner) || !is_asked(&held.miner) {
                    deleted.pending += 1;
                    continue;
                }
                if deleting.len() >= DELETED_AT_ONCE {
                    note(deleting.join_next().await, &mut gone, &mut deleted, silent);
                }
                let length_bytes =
                    layout.segment(row.key.1.into()).map_or(0, |segment| segment.shard_bytes());
                let object = crate::pieces::Content { root: held.root, length_bytes };
                let peers = Arc::clone(&self.peers);
                deleting.spawn(async move { (row.key, peers.delete(peer, object).await.is_ok(), held) });
            }
        }
        while let Some(done) = deleting.join_next().await {
            note(Some(done), &mut gone, &mut deleted, silent);
        }
        deleted.pieces = u32::try_from(gone.len()).unwrap_or(u32::MAX);
        let (gone, is_last) = (&gone, deleted.pending == 0);
        transact(&*self.index, |work| async move {
            for (piece, held) in gone {
                PIECES.remove(&work, piece);
                held.iter().for_each(|held| held.unclaim(&work));
            }
            if is_last {
                FILES.remove(&work, &key);
            }
            Ok::<_, CareError>(())
        })
        .await?;
        Ok(deleted)
    }
}

/// A piece that is gone, and who had it.
type Gone = (PieceKey, Option<HeldPiece>);

fn note(
    done: Option<Result<(PieceKey, bool, HeldPiece), tokio::task::JoinError>>,
    gone: &mut Vec<Gone>,
    deleted: &mut Deleted,
    silent: &Silent,
) {
    match done {
        Some(Ok((piece, true, held))) => gone.push((piece, Some(held))),
        Some(Ok((_, false, held))) => {
            silent.note(held.miner);
            deleted.pending += 1;
        }
        Some(Err(_)) => deleted.pending += 1,
        None => {}
    }
}
