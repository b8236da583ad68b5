//! What was asked of each round and what was promised: the same question gets the same answer again, another one none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::receipt::Round;
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_engine::space::response::{response_digest, response_signing_digest};
use tokio::sync::OnceCell;
use tokio_util::task::AbortOnDropHandle;

use super::error::MinerError;

/// A round of one subject: one question is answered for it. Ordered by height, so that old ones are forgotten first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) height: u64,
    pub(super) validator: Account,
    pub(super) subject: u64,
    pub(super) kind: u8,
}

impl Place {
    pub(super) fn of(round: &Round) -> Place {
        let (height, validator) = (round.height, round.key.validator);
        Place { height, validator, subject: round.key.subject.number(), kind: round.kind.number() }
    }
}

/// The digest of a response and the signature that binds us to it (challenge-v1 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) digest: [u8; 32],
    pub(super) signature: Signature,
}

#[derive(Debug)]
struct Asked {
    challenge_digest: [u8; 32],
    work: Arc<Work>,
    /// Who waits for it.
    waiting: usize,
}

/// The answer to one question, which is computed once for all who wait for it.
#[derive(Debug, Default)]
struct Work {
    promise: OnceCell<Promise>,
    /// What computes it. Who came first begins it and may leave: it goes on for the others, and ends with the last of them.
    computing: tokio::sync::Mutex<Option<Computing>>,
}

type Computing = AbortOnDropHandle<Result<Bytes, MinerError>>;

impl Work {
    /// What is being computed, or begins to be. Not called twice at once.
    async fn body(
        &self,
        compute: impl Future<Output = Result<Bytes, MinerError>> + Send + 'static,
    ) -> Result<Bytes, MinerError> {
        let mut computing = self.computing.lock().await;
        let running = computing.get_or_insert_with(|| AbortOnDropHandle::new(tokio::spawn(compute)));
        let body = running.await;
        *computing = None;
        body.map_err(|error| MinerError::Lost(error.to_string()))?
    }
}

#[derive(Debug, Default)]
struct State {
    asked: BTreeMap<Place, Asked>,
    bodies: BTreeMap<Place, Bytes>,
    body_bytes: usize,
}

/// The rounds of late.
#[derive(Debug)]
pub(super) struct Answers {
    state: Mutex<State>,
    most_bytes: usize,
    kept_blocks: u64,
}

impl Answers {
    /// Keeps bodies of so many bytes in all, and rounds of so many blocks.
    pub(super) fn new(most_bytes: usize, kept_blocks: u64) -> Answers {
        Answers { state: Mutex::default(), most_bytes, kept_blocks }
    }

    /// The answer to a question: as it was given before, or else from `compute`.
    ///
    /// # Errors
    /// `wrong-challenge` if another question was asked for this round before; those of `compute`.
    pub(super) async fn answer<F: Future<Output = Result<Bytes, MinerError>> + Send + 'static>(
        &self,
        round: &Round,
        signer: &Signer,
        compute: impl Fn() -> F,
    ) -> Result<(Promise, Bytes), MinerError> {
        let place = Place::of(round);
        let waiting = self.ask(place, round.challenge_digest)?;
        let mut fresh = None;
        let promise = waiting.work.promise.get_or_try_init(async || {
            let body = waiting.work.body(compute()).await?;
            let digest = response_digest(&body);
            let signature = signer.sign(&response_signing_digest(&round.challenge_digest, &digest));
            self.keep(place, &body);
            fresh = Some(body);
            Ok::<_, MinerError>(Promise { digest, signature })
        });
        let promise = *promise.await?;
        let kept = fresh.or_else(|| self.lock().bodies.get(&place).cloned());
        let body = match kept {
            Some(body) => body,
            // It had to go for others. Answers in zero knowledge are never the same twice.
            None => compute().await?,
        };
        if response_digest(&body) != promise.digest {
            return Err(MinerError::busy(
                "the answer to this challenge was given before and is kept no longer",
            ));
        }
        Ok((promise, body))
    }

    fn ask(&self, place: Place, challenge_digest: [u8; 32]) -> Result<Waiting<'_>, MinerError> {
        let mut state = self.lock();
        state.forget_before(place.height.saturating_sub(self.kept_blocks));
        let new = || Asked { challenge_digest, work: Arc::default(), waiting: 0 };
        let asked = state.asked.entry(place).or_insert_with(new);
        if asked.challenge_digest != challenge_digest {
            let height = place.height;
            let why = format!("another challenge was asked of this subject at height {height} before");
            return Err(Class::WrongChallenge.because(why).into());
        }
        asked.waiting += 1;
        Ok(Waiting { answers: self, place, work: Arc::clone(&asked.work) })
    }

    fn keep(&self, place: Place, body: &Bytes) {
        let mut state = self.lock();
        // It may have been forgotten while it was computed.
        if !state.asked.contains_key(&place) {
            return;
        }
        if state.bodies.insert(place, body.clone()).is_none() {
            state.body_bytes += body.len();
        }
        while state.body_bytes > self.most_bytes {
            let Some((_, gone)) = state.bodies.pop_first() else { break };
            state.body_bytes -= gone.len();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for the answer to a round. A place at which nothing was promised goes with the last one who waits, however it goes: callers choose
/// what they ask about, so there could be any number of them.
struct Waiting<'a> {
    answers: &'a Answers,
    place: Place,
    work: Arc<Work>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.answers.lock();
        let Some(asked) = state.asked.get_mut(&self.place) else { return };
        // It may have been forgotten, and asked anew.
        if !Arc::ptr_eq(&asked.work, &self.work) {
            return;
        }
        asked.waiting -= 1;
        if asked.waiting == 0 && !self.work.promise.initialized() {
            state.asked.remove(&self.place);
        }
    }
}

impl State {
    fn forget_before(&mut self, height: u64) {
        while let Some(first) = self.asked.first_entry().filter(|entry| entry.key().height < height) {
            if let Some(body) = self.bodies.remove(&first.remove_entry().0) {
                self.body_bytes -= body.len();
            }
        }
    }
}

#[cfg(test)]
mod tests;
