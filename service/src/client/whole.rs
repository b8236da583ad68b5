//! Asking miners for a digest of every byte, by sealed tokens (possession-v1 §8). That is between owner and miner: a wrong digest proves
//! nothing to others, so it has no receipt and no score. Who wants a piece that fails replaced has the validator look at it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::token::{
    TOKEN_RESPONSE_BYTES, TokenChallenge, TokenFileError, verify_token,
};
use holdfast_engine::rejection::{Class, Rejection};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::tokens::{PieceTokens, TokenDirectory};
use super::{Client, ClientError, blocking};
use crate::local::audits::AnyChallenge;
use crate::pieces::PieceId;
use crate::validator::collect::{self, Answer, Budget, News, collect};
use crate::validator::peers::{Peer, Peers};
use crate::validator::plan::{Against, Question};
use crate::wire::bytes32;

/// Pieces that are asked for at the same time.
const ASKED_AT_ONCE: usize = 16;

/// What came of one piece.
#[derive(Clone, Debug)]
pub struct WholeAudit {
    /// Which piece.
    pub piece: PieceId,
    /// Who holds it.
    pub miner: Account,
    /// Whether its miner has every byte of it.
    pub outcome: WholeOutcome,
    /// Tokens that are left.
    pub unused: usize,
}

/// Whether a miner has every byte of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WholeOutcome {
    /// It has, this long after it was asked.
    Accepted {
        /// Milliseconds to the promise.
        latency_ms: u32,
    },
    /// It gave another digest, or none.
    Failed(Rejection),
    /// It was not asked, and no token was used.
    NotAsked(NotAsked),
}

/// Why a miner was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// The piece was made anew by the validator, and has other bytes than those that tokens were made of.
    MadeAnew,
    /// Every token was used.
    Exhausted,
    /// Nobody answers there, or does not say which blocks it knows.
    Unreachable,
}

impl fmt::Display for NotAsked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            NotAsked::MadeAnew => "made anew since: no tokens of these bytes",
            NotAsked::Exhausted => "all tokens are used",
            NotAsked::Unreachable => "the miner does not answer",
        })
    }
}

/// A block that both sides know.
type Block = (u64, [u8; 32]);

impl Client {
    /// Asks every miner of a file for a digest of all bytes of its piece, which spends a token of each. That takes as long as reading
    /// does, and the time in which others wait before; `patience` is for each miner.
    ///
    /// # Errors
    /// [`ClientError::NoTokens`], [`ClientError::Peer`] of the validator, [`ClientError::Tokens`].
    pub async fn audit_whole(
        &self,
        file: &[u8; 32],
        patience: Duration,
    ) -> Result<Vec<WholeAudit>, ClientError> {
        let tokens = self.tokens_of(file);
        if !tokens.is_there() {
            return Err(ClientError::NoTokens(*file));
        }
        let sources = self.locate(file, &(Arc::new(()) as _)).await?;
        let turns = Arc::new(Semaphore::new(ASKED_AT_ONCE));
        let mut asking = JoinSet::new();
        for (piece, peer) in sources.holders.values().flatten().copied() {
            let (peers, tokens, turns) = (Arc::clone(&self.peers), tokens.clone(), Arc::clone(&turns));
            asking.spawn(async move {
                let _turn = turns.acquire_owned().await;
                audit_piece(&peers, (piece, peer), tokens, patience).await
            });
        }
        let mut audits = Vec::with_capacity(asking.len());
        while let Some(audited) = asking.join_next().await {
            let ended = |error: tokio::task::JoinError| ClientError::Ended {
                doing: "asking for a whole piece",
                detail: error.to_string(),
            };
            audits.push(audited.map_err(ended)??);
        }
        audits.sort_by_key(|audit| (audit.piece.segment, audit.piece.shard));
        Ok(audits)
    }
}

async fn audit_piece(
    peers: &Peers,
    (piece, peer): (PieceId, Peer),
    tokens: TokenDirectory,
    patience: Duration,
) -> Result<WholeAudit, ClientError> {
    let miner = peer.account;
    let audit = |outcome, unused| Ok(WholeAudit { piece, miner, outcome, unused });
    let place = (piece.segment, piece.shard);
    let of_piece = blocking("reading tokens", move || tokens.of_piece(place)).await?;
    let is_same = |kept: &PieceTokens| piece.generation == 0 && kept.record.record.miner == miner;
    let Some(kept) = of_piece.filter(is_same) else {
        return audit(WholeOutcome::NotAsked(NotAsked::MadeAnew), 0);
    };
    // A key that is shown to nobody would be lost all the same. Which block it is does not matter: the key is what nobody knew.
    let head = peers.ping(peer).await.ok().and_then(|(answer, _)| answer.head);
    let block = head.and_then(|head| Some((head.height, bytes32("block hash", &head.hash).ok()?)));
    let Some(block) = block else {
        return audit(WholeOutcome::NotAsked(NotAsked::Unreachable), kept.file.unused()?);
    };
    let asker = peers.correspondent().account();
    let made = blocking("using a token", move || {
        let question = match question(&kept, asker, block) {
            Err(ClientError::Tokens(TokenFileError::Exhausted { .. })) => None,
            question => Some(question?),
        };
        Ok((question, kept.file.entries()?, kept.file.unused()?))
    });
    let (question, entries, unused) = made.await?;
    let Some(question) = question else {
        return audit(WholeOutcome::NotAsked(NotAsked::Exhausted), unused);
    };
    let late = || Class::Late.because(format!("no digest within {} s", patience.as_secs()));
    let asked = tokio::time::timeout(patience, ask(peers, peer, question, &entries)).await;
    audit(asked.unwrap_or_else(|_| WholeOutcome::Failed(late())), unused)
}

/// Uses a token.
fn question(kept: &PieceTokens, asker: Account, (height, beacon): Block) -> Result<Question, ClientError> {
    let record = &kept.record.record;
    let (kind, policy) = (AuditKind::Whole, Policy::standard().objects);
    let (samples, deadline_ms) = (policy.samples(kind), policy.deadline_ms(kind));
    let ask = Ask { kind, samples, deadline_ms, form: Form::Plain };
    let challenge = ObjectChallenge::of(record, asker, (beacon, height), ask)?;
    let (number, token) = kept.file.take()?;
    let challenge = TokenChallenge::new(challenge, number, *token.key())?;
    Ok(Question {
        challenge: AnyChallenge::Token(challenge),
        against: Against::Object(Arc::new(kept.record.clone())),
        bytes_read: record.replica.length(),
        proven_space_bytes: 0,
        proven_object_bytes: 0,
        batch: None,
    })
}

/// Asks, waits, and holds the digest against the list of tokens.
async fn ask(peers: &Peers, peer: Peer, question: Question, entries: &[[u8; 32]]) -> WholeOutcome {
    let (sender, mut news) = mpsc::unbounded_channel();
    let ask = collect::Ask {
        miner: peer.account,
        endpoint: Some(peer.endpoint),
        height: question.round().height,
        questions: [question.clone()].into(),
    };
    collect(peers, ask, &Budget::new(TOKEN_RESPONSE_BYTES), sender).await;
    let (mut response, mut answer) = (None, None);
    while let Some(news) = news.recv().await {
        match news {
            News::Answered { body, .. } => response = Some(body.bytes),
            News::Ended { answers, .. } => answer = answers.into_iter().next(),
            News::Promised { .. } => {}
        }
    }
    let nothing = || Class::Late.because("the miner gave no digest");
    let (Some(Answer { promise: Some(promise), .. }), Some(response)) = (&answer, response) else {
        return WholeOutcome::Failed(answer.and_then(|answer| answer.fault).unwrap_or_else(nothing));
    };
    match (&question.challenge, &question.against) {
        (AnyChallenge::Token(challenge), Against::Object(signed)) => {
            match verify_token(&signed.record, entries, challenge, &response) {
                Ok(()) => WholeOutcome::Accepted { latency_ms: promise.latency_ms },
                Err(rejection) => WholeOutcome::Failed(rejection),
            }
        }
        _ => WholeOutcome::Failed(nothing()),
    }
}
