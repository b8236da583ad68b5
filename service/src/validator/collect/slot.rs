//! One challenge of a stream: its promise, then the parts of its body in order.

use bytes::BytesMut;
use holdfast_engine::receipt::Timeliness;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::Signature;
use tokio::sync::OwnedSemaphorePermit;

use super::super::plan::{Against, Question};
use super::{Answer, Body, PART_BYTES_MAX, Promise};
use crate::proto::Part;
use crate::wire::bytes32;

/// A body has this many times as long as its digest (challenge-v1 §4).
const BODY_FACTOR: u64 = 10;

/// How far one challenge is.
#[derive(Debug)]
pub(super) struct Slot {
    timeliness: Timeliness,
    deadline_ms: u64,
    body_bytes_max: usize,
    promise: Option<Promise>,
    parts: BytesMut,
    held: Option<OwnedSemaphorePermit>,
    came: bool,
    fault: Option<Rejection>,
    refused: Option<String>,
    open: bool,
}

impl Slot {
    /// A question that is sent now. One that can be held against nothing is closed at once.
    pub(super) fn new(question: &Question) -> Slot {
        let unshown = matches!(question.against, Against::Nothing);
        let fault = unshown
            .then(|| Class::WrongRecord.because("the miner has not shown the commitment that it registered"));
        let round = question.round();
        Slot {
            timeliness: Timeliness::start(round, 0),
            deadline_ms: u64::from(round.deadline_ms),
            body_bytes_max: question.response_bytes_max(),
            promise: None,
            parts: BytesMut::new(),
            held: None,
            came: false,
            fault,
            refused: None,
            open: !unshown,
        }
    }

    pub(super) fn body_bytes_max(&self) -> usize {
        self.body_bytes_max
    }

    /// Whether anything of it can still come.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn awaits_promise(&self) -> bool {
        self.open && self.promise.is_none()
    }

    pub(super) fn promised(&self) -> Option<Promise> {
        self.promise
    }

    /// When it closes if nothing comes, in milliseconds after it was sent.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        let deadlines = if self.promise.is_some() { BODY_FACTOR } else { 1 };
        self.open.then(|| deadlines.saturating_mul(self.deadline_ms))
    }

    /// Closes it if its time is over.
    pub(super) fn pass(&mut self, now_ms: u64) {
        if let Some(deadline_ms) = self.deadline_ms().filter(|deadline_ms| now_ms > *deadline_ms) {
            let what = if self.promise.is_some() { "whole body" } else { "digest" };
            self.close(&Class::Late.because(format!("no {what} within {deadline_ms} ms")));
        }
    }

    /// Nothing more of it counts. The first reason stays.
    pub(super) fn close(&mut self, fault: &Rejection) {
        if self.open {
            self.open = false;
            self.fault.get_or_insert_with(|| fault.clone());
            self.parts = BytesMut::new();
            self.held = None;
        }
    }

    /// The miner says why it gives no answer, or none any more.
    pub(super) fn refuse(&mut self, why: &str, reason: &str) {
        self.turn_down(&Class::Late.because(format!("the miner refuses: {why}")), reason);
    }

    /// The same with a class.
    pub(super) fn turn_down(&mut self, fault: &Rejection, reason: &str) {
        if self.awaits_promise() {
            self.refused = Some(reason.to_owned());
        }
        self.close(fault);
    }

    /// A digest came. It may come again, but not another. One that is late closes the challenge; one that is not the miner's is refused.
    pub(super) fn promise(&mut self, digest: &[u8], signature: &[u8], now_ms: u64) -> Result<(), Rejection> {
        let response_digest = bytes32("response digest", digest)?;
        let signature = signature.try_into().map(Signature).map_err(|_| {
            Class::WrongLength.because(format!("a signature of {} bytes, not 64", signature.len()))
        })?;
        if !self.open {
            return Ok(());
        }
        if let Some(promised) = self.promise {
            // Only the first signature is looked at: whoever repeats itself must not keep the processor from others.
            if promised.response_digest != response_digest {
                self.close(&Class::Late.because("another digest was promised for this challenge before"));
            }
            return Ok(());
        }
        match self.timeliness.digest_came(&response_digest, &signature, now_ms) {
            Ok(()) => {
                let latency_ms = u32::try_from(now_ms).unwrap_or(u32::MAX);
                self.promise = Some(Promise { response_digest, signature, latency_ms });
                Ok(())
            }
            Err(late) if late.class == Class::Late => {
                self.close(&late);
                Ok(())
            }
            Err(refused) => Err(refused),
        }
    }

    /// Whether a part may stand where it says. Of a challenge that is closed it may be anything of the right size.
    pub(super) fn check_part(&self, part: &Part) -> Result<(), Rejection> {
        let (length, most) = (part.bytes.len(), self.body_bytes_max);
        if length > PART_BYTES_MAX {
            return Err(Class::WrongLength
                .because(format!("a part of {length} bytes; at most {PART_BYTES_MAX} are taken")));
        }
        if !self.open {
            return Ok(());
        }
        let (offset, expected) = (part.offset_bytes, self.parts.len());
        if offset != expected as u64 {
            return Err(Class::Malformed
                .because(format!("a part of the body from byte {offset} on; byte {expected} is next")));
        }
        if expected + length > most {
            return Err(Class::WrongLength.because(format!(
                "a body of {} bytes and more; the challenge takes at most {most}",
                expected + length
            )));
        }
        Ok(())
    }

    /// Bytes that must be reserved before the next part is kept.
    pub(super) fn memory_wanted(&self) -> Option<usize> {
        (self.open && self.promise.is_some() && self.held.is_none()).then_some(self.body_bytes_max)
    }

    pub(super) fn hold(&mut self, held: OwnedSemaphorePermit) {
        if self.open {
            self.held = Some(held);
        }
    }

    /// Keeps a part that was checked. Gives the body with the last of them, if it is the promised one.
    pub(super) fn part(&mut self, bytes: &[u8], last: bool, now_ms: u64) -> Option<Body> {
        if !self.open {
            return None;
        }
        if self.held.is_none() {
            self.close(&Class::Late.because("a body whose digest did not come in time"));
            return None;
        }
        self.parts.extend_from_slice(bytes);
        if !last {
            return None;
        }
        let bytes = std::mem::take(&mut self.parts).freeze();
        if let Err(refused) = self.timeliness.body_came(&bytes, now_ms) {
            self.close(&refused);
            return None;
        }
        (self.open, self.came) = (false, true);
        self.held.take().map(|held| Body { bytes, _held: held })
    }

    /// What came of it.
    pub(super) fn finish(self) -> Answer {
        Answer { promise: self.promise, came: self.came, fault: self.fault, refused: self.refused }
    }
}
