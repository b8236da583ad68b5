//! What is signed of messages between nodes (message-v1): who says what to whom, when, in answer to what; and tickets.
//!
//! Bodies come here as digests of their canonical encoding; this module knows no wire format.

use std::collections::{HashMap, VecDeque};

use crate::account::Account;
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};
use crate::signature::{Signature, Signer, verify};
use crate::transcript::Context;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 192;
/// Bytes of a ticket.
pub const TICKET_BYTES: usize = 192;
const HEADER_TAG: &[u8; 4] = b"HFM1";
const TICKET_TAG: &[u8; 4] = b"HFT1";

/// A message may be this much older or newer than the receiver's clock, in milliseconds.
pub const CLOCK_SKEW_MS: u64 = 30_000;

/// The digest of a body: `derive(message body, method bytes u32 ‖ method ‖ canonical body)`, so that a body of one method is
/// none of another.
pub fn body_digest(method: &str, canonical: &[u8]) -> [u8; 32] {
    let length = u32::try_from(method.len()).unwrap_or(u32::MAX).to_le_bytes(); // methods are names of this crate
    Context::MESSAGE_BODY.derive(&[&length, method.as_bytes(), canonical])
}

/// The signed part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The network that both are of.
    pub network: [u8; 32],
    /// Who says it.
    pub sender: Account,
    /// To whom, and nobody else.
    pub receiver: Account,
    /// The sender's clock in milliseconds since 1970.
    pub time_ms: u64,
    /// Makes two equal requests of one millisecond different.
    pub nonce: [u8; 16],
    /// Digest of the header of the request that this answers; zero for requests.
    pub answers: [u8; 32],
    /// [`body_digest`] of what is said.
    pub body_digest: [u8; 32],
}

impl Header {
    /// The 192 bytes of message-v1 §2.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(HEADER_TAG);
        bytes[8..40].copy_from_slice(&self.network);
        bytes[40..72].copy_from_slice(&self.sender.0);
        bytes[72..104].copy_from_slice(&self.receiver.0);
        bytes[104..112].copy_from_slice(&self.time_ms.to_le_bytes());
        bytes[112..128].copy_from_slice(&self.nonce);
        bytes[128..160].copy_from_slice(&self.answers);
        bytes[160..].copy_from_slice(&self.body_digest);
        bytes
    }

    /// Reads a header; refuses with `wrong-length` and `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<Header, Rejection> {
        let mut reader = Reader::exactly("message header", bytes, HEADER_BYTES)?;
        reader.tag(HEADER_TAG)?;
        reader.zeros::<4>()?;
        Ok(Header {
            network: reader.array()?,
            sender: Account(reader.array()?),
            receiver: Account(reader.array()?),
            time_ms: reader.u64()?,
            nonce: reader.array()?,
            answers: reader.array()?,
            body_digest: reader.array()?,
        })
    }

    /// What its answer names: `derive(message header, header)`.
    pub fn digest(&self) -> [u8; 32] {
        Context::MESSAGE_HEADER.derive(&[&self.encode()])
    }

    /// What is signed: `derive(message signing, header)`.
    pub fn signing_digest(&self) -> [u8; 32] {
        Context::MESSAGE_SIGNING.derive(&[&self.encode()])
    }

    /// Signs it. The signer is the sender.
    pub fn sign(&self, signer: &Signer) -> Signature {
        signer.sign(&self.signing_digest())
    }
}

/// A message as it came: header and signature, not yet believed.
#[derive(Clone, Copy, Debug)]
pub struct SealedHeader<'a> {
    /// [`HEADER_BYTES`] if it is one.
    pub header: &'a [u8],
    /// 64 bytes if it is one.
    pub signature: &'a [u8],
}

/// What a receiver knows before a message comes.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The network.
    pub network: [u8; 32],
    /// Who receives.
    pub receiver: Account,
    /// Digest of the request that this answers; zero if it is a request.
    pub answers: [u8; 32],
    /// Digest of the body that came with it.
    pub body_digest: [u8; 32],
    /// The receiver's clock in milliseconds since 1970.
    pub now_ms: u64,
}

impl SealedHeader<'_> {
    /// The header, if it was meant for the receiver, now, of this body, and is signed by the sender that it names.
    ///
    /// Refused: `malformed`, `wrong-length`, `wrong-receiver` (also another network), `stale`, `wrong-challenge` (an answer to something
    /// else, or another body), `bad-signature`. The signature comes last: it costs most.
    pub fn open(&self, expected: &Expected) -> Result<Header, Rejection> {
        let header = Header::decode(self.header)?;
        let signature = self.signature.try_into().map(Signature).map_err(|_| {
            Class::WrongLength.because(format!("a signature of {} bytes, not 64", self.signature.len()))
        })?;
        if header.network != expected.network {
            return Err(Class::WrongReceiver.because("the message is of another network"));
        }
        if header.receiver != expected.receiver {
            let (found, ours) = (header.receiver, expected.receiver);
            return Err(Class::WrongReceiver.because(format!("the message is for {found}; this is {ours}")));
        }
        let apart_ms = header.time_ms.abs_diff(expected.now_ms);
        if apart_ms > CLOCK_SKEW_MS {
            let side = if header.time_ms < expected.now_ms { "behind" } else { "ahead of" };
            return Err(Class::Stale.because(format!(
                "the sender's clock is {apart_ms} ms {side} the receiver's; at most {CLOCK_SKEW_MS} ms are taken"
            )));
        }
        if header.answers != expected.answers {
            return Err(Class::WrongChallenge.because("the message answers another request"));
        }
        if header.body_digest != expected.body_digest {
            return Err(Class::WrongChallenge.because("the signature is of another body or another method"));
        }
        verify(&header.sender, &header.signing_digest(), &signature)?;
        Ok(header)
    }
}

/// Headers that came, so that none counts twice.
///
/// Nonces are forgotten once their time is stale anyway, and a receiver that starts anew refuses what is older than its start:
/// so what was said before a restart is no more accepted after it. Memory: at most `per_sender` nonces of each of `senders`.
#[derive(Debug)]
pub struct NonceBook {
    started_ms: u64,
    per_sender: usize,
    senders: usize,
    seen: HashMap<Account, VecDeque<(u64, [u8; 16])>>,
}

impl NonceBook {
    /// A book of a receiver that starts now.
    pub fn new(started_ms: u64, senders: usize, per_sender: usize) -> NonceBook {
        NonceBook { started_ms, per_sender, senders, seen: HashMap::new() }
    }

    /// Whether a header was noted, and is not forgotten yet.
    pub fn has(&self, header: &Header) -> bool {
        let nonces = self.seen.get(&header.sender);
        nonces.is_some_and(|nonces| nonces.iter().any(|(_, nonce)| *nonce == header.nonce))
    }

    /// Notes a header that [`SealedHeader::open`] gave. Refused: `replayed`, `stale` (from before the start), `policy` (more in a short
    /// time than the book holds).
    pub fn note(&mut self, header: &Header, now_ms: u64) -> Result<(), Rejection> {
        if header.time_ms < self.started_ms {
            let before_ms = self.started_ms - header.time_ms;
            return Err(Class::Stale.because(format!(
                "sent {before_ms} ms before this node started, which cannot tell whether it came then; send it again"
            )));
        }
        // A header is taken while its time is within the skew of now, on either side.
        let oldest_ms = now_ms.saturating_sub(CLOCK_SKEW_MS);
        if !self.seen.contains_key(&header.sender) && self.seen.len() >= self.senders {
            self.seen.retain(|_, nonces| nonces.iter().any(|(time_ms, _)| *time_ms >= oldest_ms));
            if self.seen.len() >= self.senders {
                return Err(Class::Policy.because(format!("more than {} senders at once", self.senders)));
            }
        }
        let nonces = self.seen.entry(header.sender).or_default();
        if nonces.iter().any(|(_, nonce)| *nonce == header.nonce) {
            return Err(Class::Replayed.because("this message came before"));
        }
        nonces.retain(|(time_ms, _)| *time_ms >= oldest_ms);
        if nonces.len() >= self.per_sender {
            let limit = self.per_sender;
            return Err(Class::Policy.because(format!("more than {limit} messages of one sender at once")));
        }
        nonces.push_back((header.time_ms, header.nonce));
        Ok(())
    }
}

/// A validator's permission: this miner is to keep this object of this owner (message-v1 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The network.
    pub network: [u8; 32],
    /// Who gives it, and in whose share of the miner's disks the object is kept.
    pub validator: Account,
    /// Whose object it is: who may store and read it beside the validator, and delete it until the validator audits it.
    pub owner: Account,
    /// Who is to keep it.
    pub miner: Account,
    /// BLAKE3 root of the object.
    pub root: [u8; 32],
    /// Its length in bytes.
    pub length_bytes: u64,
    /// An upload may begin until then, in seconds since 1970.
    pub use_until: u64,
    /// It is kept until then, in seconds since 1970.
    pub keep_until: u64,
}

impl Ticket {
    /// The 192 bytes of message-v1 §5.
    pub fn encode(&self) -> [u8; TICKET_BYTES] {
        let mut bytes = [0; TICKET_BYTES];
        bytes[..4].copy_from_slice(TICKET_TAG);
        bytes[8..40].copy_from_slice(&self.network);
        bytes[40..72].copy_from_slice(&self.validator.0);
        bytes[72..104].copy_from_slice(&self.owner.0);
        bytes[104..136].copy_from_slice(&self.miner.0);
        bytes[136..168].copy_from_slice(&self.root);
        bytes[168..176].copy_from_slice(&self.length_bytes.to_le_bytes());
        bytes[176..184].copy_from_slice(&self.use_until.to_le_bytes());
        bytes[184..].copy_from_slice(&self.keep_until.to_le_bytes());
        bytes
    }

    /// Reads a ticket; refuses with `wrong-length` and `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<Ticket, Rejection> {
        let mut reader = Reader::exactly("ticket", bytes, TICKET_BYTES)?;
        reader.tag(TICKET_TAG)?;
        reader.zeros::<4>()?;
        let ticket = Ticket {
            network: reader.array()?,
            validator: Account(reader.array()?),
            owner: Account(reader.array()?),
            miner: Account(reader.array()?),
            root: reader.array()?,
            length_bytes: reader.u64()?,
            use_until: reader.u64()?,
            keep_until: reader.u64()?,
        };
        if ticket.keep_until < ticket.use_until {
            let Ticket { use_until, keep_until, .. } = ticket;
            return Err(Class::Malformed
                .because(format!("a ticket to be used until {use_until} and kept until {keep_until}")));
        }
        Ok(ticket)
    }

    /// What the validator signs: `derive(ticket signing, ticket)`.
    pub fn signing_digest(&self) -> [u8; 32] {
        Context::TICKET_SIGNING.derive(&[&self.encode()])
    }

    /// Reads a ticket and checks that its validator signed it. Refused as [`Ticket::decode`], and `bad-signature`.
    pub fn open(ticket: &[u8], signature: &[u8]) -> Result<Ticket, Rejection> {
        let decoded = Ticket::decode(ticket)?;
        let signature = signature.try_into().map(Signature).map_err(|_| {
            Class::WrongLength.because(format!("a signature of {} bytes, not 64", signature.len()))
        })?;
        verify(&decoded.validator, &decoded.signing_digest(), &signature)?;
        Ok(decoded)
    }
}

#[cfg(test)]
mod tests;
