//! One piece: what can be checked is checked, then a token is used, and its key shown.

use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::possession::token::{
    TOKEN_RESPONSE_BYTES, TokenChallenge, TokenFileError, verify_token,
};
use holdfast_engine::rejection::{Class, Rejection};
use tokio::sync::{Semaphore, mpsc};

use super::{NotAsked, WholeAudit, WholeOptions, WholeOutcome};
use crate::client::tokens::{PieceTokens, TokenDirectory};
use crate::client::{ClientError, blocking};
use crate::connect::NO_CONNECTION;
use crate::local::audits::{AnyChallenge, check_question};
use crate::pieces::{Content, PieceId};
use crate::validator::collect::{self, Answer, Budget, News, collect};
use crate::validator::peers::{Peer, PeerError, Peers};
use crate::validator::plan::{Against, Question};
use crate::wire::bytes32;
use crate::wire::status::reason_of;

/// What all pieces of a file are asked with.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) peers: Arc<Peers>,
    pub(super) tokens: TokenDirectory,
    pub(super) turns: Semaphore,
    pub(super) options: WholeOptions,
}

/// A block that both sides know.
#[derive(Clone, Copy, Debug)]
struct Block {
    height: u64,
    beacon: [u8; 32],
}

/// The tokens of a piece as they are before it is asked for.
struct Kept {
    tokens: PieceTokens,
    entries: Vec<[u8; 32]>,
    unused: usize,
}

/// A token that is used, and what it asks.
struct Taken {
    number: u64,
    question: Question,
    entries: Vec<[u8; 32]>,
    unused: Option<usize>,
}

/// What came of a piece for which no token was used, and how many are left as far as that is known.
struct Unasked(WholeOutcome, Option<usize>);

impl Asking {
    pub(super) async fn audit(&self, piece: PieceId, peer: Peer) -> WholeAudit {
        let turn = self.options.stop.run_until_cancelled(self.turns.acquire()).await;
        let taken = match turn {
            Some(_) => self.take(piece, peer).await,
            None => Err(Unasked(NotAsked::Stopped.into(), None)),
        };
        let (outcome, spent, unused) = match taken {
            Err(Unasked(outcome, unused)) => (outcome, None, unused),
            Ok(Taken { number, question, entries, unused }) => {
                (self.ask(peer, question, &entries).await, Some(number), unused)
            }
        };
        WholeAudit { piece, miner: Some(peer.account), outcome, spent, unused }
    }

    /// Uses a token of a piece, if its miner can answer.
    async fn take(&self, piece: PieceId, peer: Peer) -> Result<Taken, Unasked> {
        let mut kept = self.kept(piece, peer.account).await.map_err(|why| Unasked(why.into(), None))?;
        let unused = kept.unused;
        let unasked = |outcome| Unasked(outcome, Some(unused));
        if unused == 0 {
            return Err(unasked(NotAsked::Exhausted.into()));
        }
        let looked = self.options.stop.run_until_cancelled(self.look(peer, &kept.tokens)).await;
        let stopped = || Err(NotAsked::Stopped.into());
        let (record, block) = looked.unwrap_or_else(stopped).map_err(unasked)?;
        kept.tokens.record = record;
        let (asker, policy) = (self.peers.correspondent().account(), self.options.policy.clone());
        // Not left half-way when the audit is stopped: whoever asked is told which tokens are spent.
        let taken = blocking("using a token", move || Ok(kept.take(asker, block, &policy)));
        let taken = taken.await.unwrap_or_else(|error| Err(unusable(error)));
        taken.map_err(|why| unasked(why.into()))
    }

    /// What is kept of these bytes at this miner.
    async fn kept(&self, piece: PieceId, miner: Account) -> Result<Kept, NotAsked> {
        let (tokens, place) = (self.tokens.clone(), (piece.segment, piece.shard));
        let reading = blocking("reading tokens", move || {
            let Some(tokens) = tokens.of_piece(place)? else { return Ok(None) };
            let (entries, unused) = (tokens.file.entries()?, tokens.file.unused()?);
            Ok(Some(Kept { tokens, entries, unused }))
        });
        let kept = reading.await.map_err(unusable)?;
        let is_same = |kept: &Kept| piece.generation == 0 && kept.tokens.record.record.miner == miner;
        kept.filter(is_same).ok_or(NotAsked::MadeAnew)
    }

    /// What can be known before a key is shown, which would be lost otherwise: for which record of these tokens the miner answers, and its
    /// newest block. Which one that is does not matter, since the key is what nobody knew.
    async fn look(&self, peer: Peer, tokens: &PieceTokens) -> Result<(SignedRecord, Block), WholeOutcome> {
        let replica = &tokens.record.record.replica;
        let object = Content { root: *replica.object_root(), length_bytes: replica.length() };
        let record = self.peers.record(peer, object).await.map_err(turned_down)?;
        let checked = tokens.check_record(&record);
        checked.map_err(|rejection| WholeOutcome::Refused(rejection.to_string()))?;
        let (answer, _) = self.peers.ping(peer).await.map_err(turned_down)?;
        let block = answer.head.and_then(|head| {
            Some(Block { height: head.height, beacon: bytes32("block hash", &head.hash).ok()? })
        });
        Ok((record, block.ok_or(NotAsked::Unreachable)?))
    }

    async fn ask(&self, peer: Peer, question: Question, entries: &[[u8; 32]]) -> WholeOutcome {
        let WholeOptions { patience, stop, .. } = &self.options;
        let asking = tokio::time::timeout(*patience, ask(&self.peers, peer, question, entries));
        let late = || Class::Late.because(format!("no digest within {} s", patience.as_secs()));
        match stop.run_until_cancelled(asking).await {
            None => WholeOutcome::Stopped,
            Some(asked) => asked.unwrap_or_else(|_| WholeOutcome::Failed(late())),
        }
    }
}

impl Kept {
    fn take(self, asker: Account, block: Block, policy: &Policy) -> Result<Taken, NotAsked> {
        let challenge = self.challenge(asker, block, policy).map_err(|rejection| match rejection.class {
            Class::NotFinal => NotAsked::Early(rejection),
            _ => NotAsked::Unusable(format!("the record of its tokens: {rejection}")),
        })?;
        let Kept { tokens: PieceTokens { record, file }, entries, .. } = self;
        let (number, token) = file.take().map_err(|error| unusable(error.into()))?;
        let challenge = TokenChallenge::new(challenge, number, *token.key());
        let challenge = challenge.map_err(|rejection| NotAsked::Unusable(rejection.to_string()))?;
        let question = Question {
            challenge: AnyChallenge::Token(challenge),
            bytes_read: record.record.replica.length(),
            against: Against::Object(Arc::new(record)),
            proven_space_bytes: 0,
            proven_object_bytes: 0,
            linked_bytes: None,
            batch: None,
        };
        Ok(Taken { number, question, entries, unused: file.unused().ok() })
    }

    /// The challenge as the miner will check it; a refusal would come when the token is spent.
    fn challenge(
        &self,
        asker: Account,
        Block { height, beacon }: Block,
        policy: &Policy,
    ) -> Result<ObjectChallenge, Rejection> {
        let kind = AuditKind::Whole;
        let (samples, deadline_ms) = (policy.objects.samples(kind), policy.objects.deadline_ms(kind));
        let ask = Ask { kind, samples, deadline_ms, form: Form::Plain };
        let record = &self.tokens.record;
        let challenge = ObjectChallenge::of(&record.record, asker, (beacon, height), ask)?;
        check_question(record, &challenge, policy)?;
        Ok(challenge)
    }
}

fn unusable(error: ClientError) -> NotAsked {
    match error {
        ClientError::Tokens(TokenFileError::Exhausted { .. }) => NotAsked::Exhausted,
        error => NotAsked::Unusable(error.to_string()),
    }
}

/// A miner that says no, or nobody.
fn turned_down(error: PeerError) -> WholeOutcome {
    let PeerError::Status { status, .. } = error else { return NotAsked::Unreachable.into() };
    match reason_of(&status).filter(|reason| reason != NO_CONNECTION) {
        Some(reason) => WholeOutcome::said(collect::of_status(&status).detail, &reason),
        None => NotAsked::Unreachable.into(),
    }
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
        let (refused, fault) = answer.map_or((None, None), |answer| (answer.refused, answer.fault));
        let fault = fault.unwrap_or_else(nothing);
        return match refused {
            Some(reason) => WholeOutcome::said(fault.detail, &reason),
            None => WholeOutcome::Failed(fault),
        };
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
