//! Asking miners for a digest of every byte, by sealed tokens (possession-v1 §8). That is between owner and miner: a wrong digest proves
//! nothing to others, so it has no receipt and no score. Who wants a piece that fails replaced has the validator look at it.

mod piece;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::policy::Policy;
use holdfast_engine::rejection::Rejection;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Client, ClientError};
use crate::local::failure::DAMAGED;
use crate::pieces::{Manifest, PieceId};
use crate::validator::peers::Peer;
use piece::Asking;

/// Pieces that are asked for at the same time.
const ASKED_AT_ONCE: usize = 16;

/// How every byte is asked for.
#[derive(Clone, Debug)]
pub struct WholeOptions {
    /// The network's policy: how long miners have, and when a record is settled.
    pub policy: Policy,
    /// How long each miner is waited for, others that it reads for before included.
    pub patience: Duration,
    /// Ends the audit: who was not asked yet is not asked, and who was is not waited for.
    pub stop: CancellationToken,
}

/// What came of one piece.
#[derive(Clone, Debug)]
pub struct WholeAudit {
    /// Which piece.
    pub piece: PieceId,
    /// Who holds it; `None` if nobody does.
    pub miner: Option<Account>,
    /// Whether its miner has every byte of it.
    pub outcome: WholeOutcome,
    /// The number of the token that was spent on it, if one was.
    pub spent: Option<u64>,
    /// Tokens that are left; `None` where that was not or cannot be read.
    pub unused: Option<usize>,
}

/// Whether a miner has every byte of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WholeOutcome {
    /// It has, this long after it was asked.
    Accepted {
        /// Milliseconds to the promise.
        latency_ms: u32,
    },
    /// It gave another digest, or none in time.
    Failed(Rejection),
    /// It says itself that what it has is damaged, and how it says so.
    Damaged(String),
    /// It said that it would not, or answers for no record of these tokens, and this is why. That proves nothing, neither for it nor against
    /// it.
    Refused(String),
    /// It was asked, and the audit was stopped before it answered.
    Stopped,
    /// It was not asked, and no token was used.
    NotAsked(NotAsked),
}

impl WholeOutcome {
    /// What a miner says of itself: for people, and for programs.
    fn said(why: String, reason: &str) -> WholeOutcome {
        match reason {
            DAMAGED => WholeOutcome::Damaged(why),
            _ => WholeOutcome::Refused(why),
        }
    }
}

impl From<NotAsked> for WholeOutcome {
    fn from(why: NotAsked) -> WholeOutcome {
        WholeOutcome::NotAsked(why)
    }
}

/// Why a miner was not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// The piece was made anew by the validator, and has other bytes than those that tokens were made of.
    MadeAnew,
    /// Every token was used.
    Exhausted,
    /// Nobody answers there, or says which record and which blocks it has, or the validator does not say where it is.
    Unreachable,
    /// Nobody holds the piece.
    Nobody,
    /// The piece's record is not settled yet: miners answer for it at later blocks only.
    Early(Rejection),
    /// The tokens or their record cannot be used, and this is why.
    Unusable(String),
    /// The audit was stopped before.
    Stopped,
}

impl fmt::Display for NotAsked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAsked::MadeAnew => out.write_str("made anew since: no tokens of these bytes"),
            NotAsked::Exhausted => out.write_str("all tokens are used: put the file anew with --tokens"),
            NotAsked::Unreachable => out.write_str("the miner does not answer: try again later"),
            NotAsked::Nobody => out.write_str("nobody holds it: its validator is to have it made anew"),
            NotAsked::Early(rejection) => write!(out, "too early: {rejection}; ask again at that height"),
            NotAsked::Unusable(why) => {
                write!(out, "{why}; if that stays so, put the file anew with --tokens")
            }
            NotAsked::Stopped => out.write_str("stopped before"),
        }
    }
}

impl Client {
    /// Asks every miner of a file for a digest of all bytes of its piece, which spends a token of each. That takes as long as reading
    /// does, and the time in which others wait before. What is wrong with one piece keeps nobody from the others.
    ///
    /// # Errors
    /// [`ClientError::NoTokens`], [`ClientError::Peer`] of the validator.
    pub async fn audit_whole(
        &self,
        file: &[u8; 32],
        options: WholeOptions,
    ) -> Result<Vec<WholeAudit>, ClientError> {
        let tokens = self.tokens_of(file);
        if !tokens.is_there() {
            return Err(ClientError::NoTokens(*file));
        }
        let stop = options.stop.clone();
        let watch = Arc::new(()) as _;
        let Some(sources) = stop.run_until_cancelled(self.locate(file, &watch)).await.transpose()? else {
            return Ok(Vec::new());
        };
        let turns = Semaphore::new(ASKED_AT_ONCE);
        let asking = Arc::new(Asking { peers: Arc::clone(&self.peers), tokens, turns, options });
        let mut audits = JoinSet::new();
        for (piece, peer) in sources.holders.values().flatten().copied() {
            let asking = Arc::clone(&asking);
            audits.spawn(async move { asking.audit(piece, peer).await });
        }
        // Whom the validator does not name is not asked, and has not passed.
        let mut done = unnamed(&sources.manifest, &sources.holders);
        while let Some(audited) = audits.join_next().await {
            done.push(audited.map_err(|error| ClientError::Ended {
                doing: "asking for a whole piece",
                detail: error.to_string(),
            })?);
        }
        done.sort_by_key(|audit| (audit.piece.segment, audit.piece.shard));
        Ok(done)
    }
}

/// Pieces of a manifest that nobody is named for.
pub(super) fn unnamed(manifest: &Manifest, holders: &HashMap<u32, Vec<(PieceId, Peer)>>) -> Vec<WholeAudit> {
    let is_named = |piece: &PieceId| {
        let of_segment = holders.get(&piece.segment).into_iter().flatten();
        of_segment.into_iter().any(|(named, _)| named == piece)
    };
    let mut unnamed = Vec::new();
    for (segment, pieces) in (0..).zip(manifest.segments()) {
        for (shard, held) in (0..).zip(&pieces.pieces) {
            let piece = PieceId { segment, shard, generation: held.generation };
            let miner = held.holder.map(|holder| holder.miner);
            let why = if miner.is_some() { NotAsked::Unreachable } else { NotAsked::Nobody };
            if !is_named(&piece) {
                let outcome = WholeOutcome::NotAsked(why);
                unnamed.push(WholeAudit { piece, miner, outcome, spent: None, unused: None });
            }
        }
    }
    unnamed
}
