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
    promise: Arc<OnceCell<Promise>>,
    /// Who waits for it.
    waiting: usize,
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
    pub(super) async fn answer<F: Future<Output = Result<Bytes, MinerError>>>(
        &self,
        round: &Round,
        signer: &Signer,
        compute: impl Fn() -> F,
    ) -> Result<(Promise, Bytes), MinerError> {
        let place = Place::of(round);
        let waiting = self.ask(place, round.challenge_digest)?;
        let mut fresh = None;
        let promise = waiting.promise.get_or_try_init(async || {
            let body = compute().await?;
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
        let new = || Asked { challenge_digest, promise: Arc::default(), waiting: 0 };
        let asked = state.asked.entry(place).or_insert_with(new);
        if asked.challenge_digest != challenge_digest {
            let height = place.height;
            let why = format!("another challenge was asked of this subject at height {height} before");
            return Err(Class::WrongChallenge.because(why).into());
        }
        asked.waiting += 1;
        Ok(Waiting { answers: self, place, promise: Arc::clone(&asked.promise) })
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
    promise: Arc<OnceCell<Promise>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.answers.lock();
        let Some(asked) = state.asked.get_mut(&self.place) else { return };
        // It may have been forgotten, and asked anew.
        if !Arc::ptr_eq(&asked.promise, &self.promise) {
            return;
        }
        asked.waiting -= 1;
        if asked.waiting == 0 && !self.promise.initialized() {
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
mod tests {
    use std::task::{Context, Waker};

    use holdfast_engine::challenge::Kind;
    use holdfast_engine::receipt::{ChainKey, RoundKind, Subject};

    use super::*;

    fn round(subject: u64, challenge: u8) -> Round {
        let [miner, validator] = [1, 2].map(|seed| Account([seed; 32]));
        let key = ChainKey { validator, miner, subject: Subject::Partition(subject) };
        let (challenge_digest, challenge_seed) = ([challenge; 32], [challenge; 32]);
        Round {
            key,
            kind: RoundKind::Partition(Kind::Space),
            height: 9,
            challenge_digest,
            challenge_seed,
            deadline_ms: 1,
        }
    }

    fn places(answers: &Answers) -> usize {
        answers.lock().asked.len()
    }

    /// Callers choose what they ask about: places of what cannot be answered would fill the memory, and stand in the way of what can.
    #[tokio::test]
    async fn what_was_not_answered_leaves_nothing() {
        let (answers, signer) = (Answers::new(1 << 20, 10), Signer::development("miner"));
        for subject in 0..100 {
            let refused = async || Err::<Bytes, _>(MinerError::not_found("nothing is here".to_owned()));
            answers.answer(&round(subject, 1), &signer, refused).await.expect_err("is refused");
        }
        assert_eq!(places(&answers), 0);
        // Whoever leaves before the answer is there leaves nothing, either, as long as nobody else waits.
        let (asked, never) = (round(7, 1), async || std::future::pending().await);
        let mut first = Box::pin(answers.answer(&asked, &signer, never));
        let mut second = Box::pin(answers.answer(&asked, &signer, never));
        let mut context = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(first);
        assert_eq!(places(&answers), 1);
        drop(second);
        assert_eq!(places(&answers), 0);
        let body = async || Ok(Bytes::from_static(b"an answer"));
        let first = answers
            .answer(&round(7, 2), &signer, body)
            .await
            .expect("another question, of which nothing was promised");
        assert_eq!(places(&answers), 1);
        let again = async || Err::<Bytes, _>(MinerError::busy("is not computed again"));
        assert_eq!(answers.answer(&round(7, 2), &signer, again).await.expect("as before"), first);
        let other = answers.answer(&round(7, 3), &signer, body).await.expect_err("this one was promised");
        assert!(matches!(other, MinerError::Rejected(_)), "{other}");
        assert_eq!(places(&answers), 1);
    }

    /// An answer that took so long that its round is over is nobody's any more.
    #[tokio::test]
    async fn an_answer_to_a_round_that_is_over_is_not_kept() {
        let (answers, signer) = (Answers::new(1 << 20, 10), Signer::development("miner"));
        let late = async || {
            answers.lock().forget_before(1_000);
            Ok(Bytes::from_static(b"late"))
        };
        answers.answer(&round(1, 1), &signer, late).await.expect("an answer");
        assert!(answers.lock().bodies.is_empty());
        assert_eq!(answers.lock().body_bytes, 0);
    }
}
