//! Deadlines: a signed digest within τ, its body within 10 τ (challenge-v1 §4).

use super::{Body, Round};
use crate::rejection::{Class, Rejection};
use crate::signature::{Signature, verify};
use crate::space::response::{response_digest, response_signing_digest};

/// A body has this many times as long as its digest.
const BODY_FACTOR: u64 = 10;

/// What came of one challenge, and when. Times are milliseconds of one monotonic clock of the validator's.
#[derive(Clone, Debug)]
pub struct Timeliness {
    round: Round,
    sent_ms: u64,
    promised: Option<[u8; 32]>,
    body_came: bool,
}

impl Timeliness {
    /// A challenge, of a partition or of an object, that is sent at `sent_ms`.
    pub fn start(challenge: impl Into<Round>, sent_ms: u64) -> Timeliness {
        Timeliness { round: challenge.into(), sent_ms, promised: None, body_came: false }
    }

    /// A digest came. The first one that is signed and in time is the promise; it may be repeated but not changed.
    ///
    /// Refused: `late`, `bad-signature` (also another round's), `malformed` (zero).
    pub fn digest_came(
        &mut self,
        digest: &[u8; 32],
        signature: &Signature,
        now_ms: u64,
    ) -> Result<(), Rejection> {
        self.check_time("digest", 1, now_ms)?;
        if *digest == [0; 32] {
            return Err(Class::Malformed.because("a zero response digest stands for none"));
        }
        let signed = response_signing_digest(&self.round.challenge_digest, digest);
        verify(&self.round.key.miner, &signed, signature)?;
        match self.promised {
            Some(promised) if promised != *digest => {
                Err(Class::Late.because("another digest was promised for this challenge before"))
            }
            _ => {
                self.promised = Some(*digest);
                Ok(())
            }
        }
    }

    /// A body came; it is worth verifying if this takes it.
    ///
    /// Refused: `late` (no promise in time, after the deadline, another body than promised, a second time).
    pub fn body_came(&mut self, body: &[u8], now_ms: u64) -> Result<(), Rejection> {
        self.check_time("body", BODY_FACTOR, now_ms)?;
        let promised =
            self.promised.ok_or_else(|| Class::Late.because("a body whose digest did not come in time"))?;
        if response_digest(body) != promised {
            return Err(Class::Late.because("the body is not the one whose digest was promised"));
        }
        if std::mem::replace(&mut self.body_came, true) {
            return Err(Class::Late.because("the body came before"));
        }
        Ok(())
    }

    /// The digest that came in time: the one to anchor.
    pub fn promised(&self) -> Option<[u8; 32]> {
        self.promised
    }

    /// How the round ended, as the next link of its chain: missed without a promise, accepted if `verified` says that the
    /// promised body came and is right, else rejected.
    pub fn conclude(&self, verified: bool, previous: [u8; 32]) -> Body {
        Body::of(self.round, self.promised.map(|digest| (digest, verified && self.body_came)), previous)
    }

    fn check_time(&self, what: &str, deadlines: u64, now_ms: u64) -> Result<(), Rejection> {
        let allowed_ms = deadlines * u64::from(self.round.deadline_ms);
        let taken_ms = now_ms.saturating_sub(self.sent_ms);
        if taken_ms > allowed_ms {
            return Err(Class::Late.because(format!("{what} after {taken_ms} ms of {allowed_ms} ms")));
        }
        Ok(())
    }
}
