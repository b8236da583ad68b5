//! Signed messages (message-v1): every request and response names method, body, sender, receiver and time, and is refused
//! when it comes twice, late, changed, or to somebody else.

pub mod canonical;
pub mod clock;
pub(crate) mod outlet;
pub mod parts;
pub mod status;

use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::account::Account;
use holdfast_engine::message::{Expected, Header, NonceBook, SealedHeader, body_digest};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::Signer;

use crate::proto;
use canonical::{Encoder, Sealed};
use clock::Clock;

pub use canonical::methods;

/// Senders that a node remembers at once, and messages of each within the time that one could be replayed. Anybody can be many
/// senders, and a sender is remembered for a minute at most. So this is above what strangers can say to a miner in that time
/// ([`Limits::strangers_per_second`](crate::miner::limits::Limits)), or they would shut out those whom it knows.
const SENDERS_MAX: usize = 1 << 16;
const MESSAGES_PER_SENDER_MAX: usize = 1 << 16;

/// One node's side of all its conversations: signs what it says, checks what it hears.
#[derive(Debug)]
pub struct Correspondent {
    network: [u8; 32],
    signer: Arc<Signer>,
    clock: Arc<dyn Clock>,
    heard: Mutex<Heard>,
}

/// What was heard. Keys cost nothing: with one book, whoever makes many of them would leave no place in it for those that matter.
#[derive(Debug)]
struct Heard {
    known: NonceBook,
    strangers: NonceBook,
}

/// A request that was said: what its answer must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    method: &'static str,
    receiver: Account,
    digest: [u8; 32],
}

/// A request that was heard and believed: who asks, and what the answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who asks.
    pub account: Account,
    /// The caller's clock, in milliseconds since 1970.
    pub time_ms: u64,
    method: &'static str,
    digest: [u8; 32],
}

impl Correspondent {
    /// A node of a network. `clock` also says when it started: older requests are refused, for they may have come before.
    pub fn new(network: [u8; 32], signer: Arc<Signer>, clock: Arc<dyn Clock>) -> Correspondent {
        let book = || NonceBook::new(clock.now_ms(), SENDERS_MAX, MESSAGES_PER_SENDER_MAX);
        let heard = Mutex::new(Heard { known: book(), strangers: book() });
        Correspondent { network, signer, clock, heard }
    }

    /// Whose side it is.
    pub fn account(&self) -> Account {
        self.signer.account()
    }

    /// The network that it speaks in.
    pub fn network(&self) -> [u8; 32] {
        self.network
    }

    /// The key, for what is signed beside messages.
    pub fn signer(&self) -> &Arc<Signer> {
        &self.signer
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Seals a request.
    pub fn ask<M: Sealed>(&self, method: &'static str, receiver: Account, message: &mut M) -> Asked {
        let header = self.seal(method, receiver, [0; 32], message);
        Asked { method, receiver, digest: header.digest() }
    }

    /// Checks the answer to a request. Refused as [`SealedHeader::open`], and `bad-signature` if somebody else signed it.
    pub fn hear_answer<M: Sealed>(&self, asked: &Asked, message: &M) -> Result<(), Rejection> {
        let header = self.open(asked.method, asked.digest, message)?;
        if header.sender != asked.receiver {
            let (found, expected) = (header.sender, asked.receiver);
            return Err(Class::BadSignature.because(format!("{found} answers; {expected} was asked")));
        }
        Ok(())
    }

    /// Checks a request of somebody of whom nothing is known, and notes it, so that it counts once. Refused as [`SealedHeader::open`]
    /// and [`NonceBook::note`].
    pub fn hear<M: Sealed>(&self, method: &'static str, message: &M) -> Result<Caller, Rejection> {
        self.hear_from(false, method, message)
    }

    /// The same of a caller who is `known`: however many strangers there are, there is a place for its messages.
    pub fn hear_from<M: Sealed>(
        &self,
        known: bool,
        method: &'static str,
        message: &M,
    ) -> Result<Caller, Rejection> {
        let header = self.open(method, [0; 32], message)?;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let Heard { known: of_known, strangers } = &mut *heard;
        let (book, other) = if known { (of_known, strangers) } else { (strangers, of_known) };
        // Whoever is known now may have been a stranger when it came first.
        if other.has(&header) {
            return Err(Class::Replayed.because("this message came before"));
        }
        book.note(&header, self.clock.now_ms())?;
        Ok(Caller { account: header.sender, time_ms: header.time_ms, method, digest: header.digest() })
    }

    /// Seals an answer.
    pub fn answer<M: Sealed>(&self, caller: &Caller, mut message: M) -> M {
        self.seal(caller.method, caller.account, caller.digest, &mut message);
        message
    }

    fn seal<M: Sealed>(&self, method: &str, receiver: Account, answers: [u8; 32], message: &mut M) -> Header {
        let mut nonce = [0; 16];
        // A system without randomness has no keys either; a fixed nonce makes equal requests of one millisecond fail as replays.
        let _ = getrandom::fill(&mut nonce);
        let header = Header {
            network: self.network,
            sender: self.account(),
            receiver,
            time_ms: self.clock.now_ms(),
            nonce,
            answers,
            body_digest: body_digest(method, &Encoder::of(message)),
        };
        let signature = header.sign(&self.signer);
        message.set_seal(proto::Seal {
            header: header.encode().to_vec().into(),
            signature: signature.0.to_vec().into(),
        });
        header
    }

    fn open<M: Sealed>(&self, method: &str, answers: [u8; 32], message: &M) -> Result<Header, Rejection> {
        let seal = message.seal().ok_or_else(|| Class::BadSignature.because("a message without a seal"))?;
        SealedHeader { header: &seal.header, signature: &seal.signature }.open(&Expected {
            network: self.network,
            receiver: self.account(),
            answers,
            body_digest: body_digest(method, &Encoder::of(message)),
            now_ms: self.clock.now_ms(),
        })
    }
}

/// 32 bytes of a message; refuses other lengths as `wrong-length`, naming the field.
pub fn bytes32(field: &'static str, bytes: &[u8]) -> Result<[u8; 32], Rejection> {
    bytes
        .try_into()
        .map_err(|_| Class::WrongLength.because(format!("{field} of {} bytes, not 32", bytes.len())))
}

#[cfg(test)]
mod tests;
