//! Deleting pieces with their miners: those of files whose care has ended, and those that were made anew elsewhere. A miner is told when no
//! question about the piece is open any more, or it would not answer it through no fault of its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::account::Account;
use tokio::task::JoinSet;

use super::claims::{REPLACED, REPLACED_KEYS, unclaim};
use super::rows::{FILES, FileKey, HeldPiece, PIECES, PieceKey};
use super::{CareError, Keeper};
use crate::index::{Row, transact};
use crate::pieces::Content;
use crate::validator::peers::Peer;

/// Pieces that are deleted at the same time.
const DELETED_AT_ONCE: usize = 32;

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

/// What a miner is to delete, and what it is for us.
struct Leaving<T> {
    what: T,
    peer: Peer,
    object: Content,
}

/// A piece of a file, and who had it.
type PieceOf = (PieceKey, Option<HeldPiece>);

impl Keeper {
    /// When a miner may be told to delete what is not audited from now on and expires then, in seconds since 1970. What expires was not asked
    /// about in its last moments.
    pub(super) fn delete_from(&self, expires_at: u64) -> u64 {
        self.now_seconds().saturating_add(self.settings.question_seconds).min(expires_at)
    }

    /// Deletes the pieces of a file whose care has ended if it is time, with those miners that are there and not silent; forgets each that is
    /// gone, and the file with the last. Gives whether it was the last. Of a file that is expired nothing is waited for: what miners still
    /// have of it, they may delete themselves.
    pub(super) async fn delete_pieces(&self, key: FileKey, silent: &Silent) -> Result<bool, CareError> {
        let (owner, file) = key;
        let row = FILES.get(&*self.index, &key).await?.ok_or(CareError::NoSuchFile { owner, file })?;
        let (layout, now) = (row.layout()?, self.now_seconds());
        let (mut gone, mut leaving, mut held_pieces): (Vec<PieceOf>, Vec<_>, Vec<PieceOf>) =
            Default::default();
        let mut pages = PIECES.pages(&*self.index, PIECES.prefix(&key), super::PAGE_ROWS);
        while let Some(page) = pages.next().await? {
            for Row { key, value } in PIECES.rows(&page)? {
                let Some(held) = value.held else {
                    gone.push((key, None));
                    continue;
                };
                let Some(peer) = self.peer(&held.miner).await? else {
                    // Whoever left the network is asked no more; what it has expires.
                    gone.push((key, Some(held)));
                    continue;
                };
                let piece = (key, Some(held.clone()));
                if row.delete_from <= now && self.miners.is_present(&held.miner) {
                    let length_bytes =
                        layout.segment(key.1.into()).map_or(0, |segment| segment.shard_bytes());
                    let object = Content { root: held.root, length_bytes };
                    leaving.push(Leaving { what: piece.clone(), peer, object });
                }
                held_pieces.push(piece);
            }
        }
        let deleted = self.delete(leaving, silent).await;
        let is_over = row.expires_at.saturating_add(self.settings.question_seconds) <= now;
        let is_last = is_over || deleted.len() == held_pieces.len();
        gone.extend(if is_over { held_pieces } else { deleted });
        self.forget(key, &gone, is_last).await?;
        Ok(is_last)
    }

    async fn forget(&self, key: FileKey, gone: &[PieceOf], is_last: bool) -> Result<(), CareError> {
        transact(&*self.index, |work| async move {
            for (piece, held) in gone {
                // If another process was first, the bytes may be somebody else's by now.
                let is_here = PIECES.read(&work, piece).await?.is_some_and(|row| row.held == *held);
                if let Some(held) = held.as_ref().filter(|_| is_here) {
                    unclaim(&work, &held.miner, &held.root);
                }
                PIECES.remove(&work, piece);
            }
            if is_last {
                FILES.remove(&work, &key);
            }
            Ok::<_, CareError>(())
        })
        .await
    }

    /// Deletes what was made anew elsewhere, where it is time. Whoever is away is told when it is back. Gives whether what
    /// miners have said of their room counts any: it was too early for it till now.
    pub(super) async fn delete_replaced(&self) -> Result<bool, CareError> {
        let (now, silent, mut is_counted) = (self.now_seconds(), Silent::default(), false);
        let (first, end) = REPLACED_KEYS;
        let from = |number: u8| ((number, Account([0; 32])), [0; 32]);
        let range = REPLACED.between(&from(first), &from(end));
        let mut pages = REPLACED.pages(&*self.index, range, super::PAGE_ROWS);
        while let Some(page) = pages.next().await? {
            let (mut gone, mut leaving) = (Vec::new(), Vec::new());
            for row in REPLACED.rows(&page)? {
                let ((_, miner), root) = row.key;
                if row.value.delete_from > now {
                    is_counted = true;
                    continue;
                }
                if row.value.expires_at <= now {
                    gone.push(row.key);
                    continue;
                }
                let object = Content { root, length_bytes: row.value.length_bytes };
                match self.peer(&miner).await? {
                    None => gone.push(row.key),
                    Some(peer) if self.miners.is_present(&miner) => {
                        leaving.push(Leaving { what: row.key, peer, object });
                    }
                    Some(_) => {}
                }
            }
            gone.extend(self.delete(leaving, &silent).await);
            is_counted |= !gone.is_empty();
            let gone = &gone;
            transact(&*self.index, |work| async move {
                for key in gone {
                    let ((_, miner), root) = key;
                    // As in `forget`.
                    if REPLACED.read(&work, key).await?.is_some() {
                        unclaim(&work, miner, root);
                    }
                    REPLACED.remove(&work, key);
                }
                Ok::<_, CareError>(())
            })
            .await?;
        }
        Ok(is_counted)
    }

    /// Has miners delete objects, several at the same time. Gives what is gone.
    async fn delete<T: Send + 'static>(&self, leaving: Vec<Leaving<T>>, silent: &Silent) -> Vec<T> {
        let (mut deleting, mut gone) = (JoinSet::new(), Vec::new());
        let mut waiting = leaving.into_iter();
        loop {
            while deleting.len() < DELETED_AT_ONCE
                && let Some(Leaving { what, peer, object }) = waiting.next()
            {
                if silent.has(&peer.account) {
                    continue;
                }
                let peers = Arc::clone(&self.peers);
                deleting.spawn(async move { (what, peer.account, peers.delete(peer, object).await.is_ok()) });
            }
            match deleting.join_next().await {
                None => return gone,
                Some(Ok((what, _, true))) => gone.push(what),
                Some(Ok((_, miner, false))) => silent.note(miner),
                Some(Err(error)) => tracing::error!(%error, "deleting a piece ended"),
            }
        }
    }
}
