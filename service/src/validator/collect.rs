//! Collecting a round: digests within τ, bodies within 10 τ (challenge-v1 §4), one stream a miner.
//!
//! Every miner has its own stream, clock and task, so one that stalls, floods or sends garbage harms itself only. How long each
//! body can be follows from its challenge; it takes memory from a [`Budget`] before its first part is kept, and gives it
//! back when the response has been judged. Bodies come one after another, so a miner that lets one lie holds the memory of that
//! one. A stream for which there is no memory is not read further, so that what the miner sends stays with the miner.

mod slot;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::Signature;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_stream::{Stream, StreamExt};

use super::plan::Question;
use crate::connect::NO_CONNECTION;
use crate::proto::ChallengeEvent;
use crate::wire::status::{class_of, reason_of};
use slot::Slot;

/// Most bytes of one part of a body.
pub const PART_BYTES_MAX: usize = 256 << 10;
/// A miner may cut bodies into parts this small, its last ones into smaller.
const PART_BYTES_MIN: usize = 1 << 10;
/// Other events that each challenge may take: its promise, repeated, or a refusal.
const EVENTS_PER_CHALLENGE: usize = 4;
/// Memory is counted in units of so many bytes, so that a budget's count fits a semaphore.
const UNIT_BYTES: usize = 1 << 10;
/// Bytes of a miner's sentence that are kept.
const SENTENCE_BYTES_MAX: usize = 256;

/// A miner's answers as they come.
pub type Events = Pin<Box<dyn Stream<Item = Result<ChallengeEvent, tonic::Status>> + Send>>;

/// Who can be asked.
#[async_trait]
pub trait Asker: Send + Sync + Debug {
    /// Sends all challenges of a round to a miner. What it says of itself is not believed yet.
    async fn challenge(
        &self,
        miner: &Account,
        endpoint: SocketAddr,
        height: u64,
        challenges: Vec<Bytes>,
    ) -> Result<Events, tonic::Status>;
}

/// Memory for the bodies of all rounds of a part that are collected at once.
#[derive(Clone, Debug)]
pub struct Budget {
    free: Arc<Semaphore>,
    units: usize,
}

impl Budget {
    /// So many bytes, rounded up to KiB.
    pub fn new(bytes: usize) -> Budget {
        let units = bytes.div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Budget { free: Arc::new(Semaphore::new(units)), units }
    }

    /// Bytes that nothing holds now.
    pub fn free_bytes(&self) -> usize {
        self.free.available_permits().saturating_mul(UNIT_BYTES)
    }

    /// Whether more than half of it is held.
    pub fn is_short(&self) -> bool {
        self.free.available_permits() < self.units / 2
    }

    /// Waits until there is room. Who wants more than there is takes all: otherwise it and all behind it would wait for good.
    async fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).min(self.units)).ok()?;
        Arc::clone(&self.free).acquire_many_owned(units).await.ok()
    }
}

/// Whom to ask what.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who.
    pub miner: Account,
    /// Where; `None` if it announced no endpoint.
    pub endpoint: Option<SocketAddr>,
    /// The round's height.
    pub height: u64,
    /// What.
    pub questions: Arc<[Question]>,
}

/// A signed digest that came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Of the complete response.
    pub response_digest: [u8; 32],
    /// The miner's.
    pub signature: Signature,
    /// Milliseconds from the question to the digest.
    pub latency_ms: u32,
}

/// A body that was promised and came in time. Holds its memory until it is dropped.
#[derive(Debug)]
pub struct Body {
    /// The response.
    pub bytes: Bytes,
    _held: OwnedSemaphorePermit,
}

/// What came of one question.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The promise, if there is one.
    pub promise: Option<Promise>,
    /// Whether the promised body came in time; then it was told before.
    pub came: bool,
    /// What went wrong first.
    pub fault: Option<Rejection>,
    /// The reason that the miner gives, for programs, if that is what it says of itself, and no promise came before. Empty if it names none.
    pub refused: Option<String>,
}

/// What is told of a miner while a round is collected.
#[derive(Debug)]
pub enum News {
    /// All digests that can come in time have come: one a question, in their order.
    Promised {
        /// Who.
        miner: Account,
        /// The promises.
        promises: Vec<Option<Promise>>,
    },
    /// A promised body came in time.
    Answered {
        /// Who.
        miner: Account,
        /// Which question it answers.
        place: usize,
        /// The response.
        body: Body,
    },
    /// Nothing more comes.
    Ended {
        /// Who.
        miner: Account,
        /// One answer a question, in their order.
        answers: Vec<Answer>,
    },
}

/// Asks one miner and tells `news`: the promises once, bodies as they come, then the answers once. Ends by itself, at the last
/// deadline at the latest. What is told is bounded by the questions and by the budget, so telling waits for nobody.
pub async fn collect(asker: &dyn Asker, ask: Ask, budget: &Budget, news: mpsc::UnboundedSender<News>) {
    let mut collection = Collection::new(&ask, budget.clone(), news);
    if let Err(fault) = collection.run(asker, &ask).await {
        tracing::debug!(miner = %ask.miner, height = ask.height, why = %fault, "a miner gave no answers");
        collection.cut(&fault);
    }
    collection.end();
}

/// One miner's round under way.
struct Collection {
    miner: Account,
    sent: Instant,
    slots: Vec<Slot>,
    budget: Budget,
    /// Events that may still come.
    events_left: usize,
    /// The challenge whose body has begun to come last.
    under_way: Option<usize>,
    news: mpsc::UnboundedSender<News>,
    told: bool,
}

impl Collection {
    fn new(ask: &Ask, budget: Budget, news: mpsc::UnboundedSender<News>) -> Collection {
        let slots: Vec<Slot> = ask.questions.iter().map(Slot::new).collect();
        let events = |slot: &Slot| EVENTS_PER_CHALLENGE + slot.body_bytes_max() / PART_BYTES_MIN;
        let events_left = slots.iter().map(events).sum();
        let (miner, sent, under_way) = (ask.miner, Instant::now(), None);
        Collection { miner, sent, slots, budget, events_left, under_way, news, told: false }
    }

    /// Refused: what the miner cannot have sent by mistake; then nothing more of it is read.
    async fn run(&mut self, asker: &dyn Asker, ask: &Ask) -> Result<(), Rejection> {
        let Some(endpoint) = ask.endpoint else {
            return Err(Class::Late.because("the miner has announced no endpoint"));
        };
        let challenges = ask.questions.iter().map(|question| question.encode().into()).collect();
        let opening = asker.challenge(&ask.miner, endpoint, ask.height, challenges);
        let Some(opened) = self.in_time(opening).await else { return Ok(()) };
        let mut events = match opened {
            Ok(events) => events,
            Err(status) => return Err(self.turned_down(&status)),
        };
        while self.slots.iter().any(Slot::is_open) {
            let Some(event) = self.in_time(events.next()).await else { continue };
            let Some(event) = event else { return Err(Class::Late.because("the miner ended the stream")) };
            self.take(event.map_err(|status| of_status(&status))?).await?;
            if !self.told && !self.slots.iter().any(Slot::awaits_promise) {
                self.tell_promises();
            }
        }
        Ok(())
    }

    /// Waits until the next deadline at most; then closes what it was the deadline of, and gives nothing.
    async fn in_time<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        let mut wait = std::pin::pin!(wait);
        loop {
            let next_ms = self.slots.iter().filter_map(Slot::deadline_ms).min()?;
            // One millisecond more: what comes within the last one is in time.
            let deadline = self.sent + Duration::from_millis(next_ms + 1);
            if let Ok(done) = tokio::time::timeout_at(deadline, &mut wait).await {
                return Some(done);
            }
            let now_ms = self.elapsed_ms();
            self.slots.iter_mut().for_each(|slot| slot.pass(now_ms));
            if !self.told && !self.slots.iter().any(Slot::awaits_promise) {
                self.tell_promises();
            }
            if !self.slots.iter().any(Slot::is_open) {
                return None;
            }
        }
    }

    async fn take(&mut self, event: ChallengeEvent) -> Result<(), Rejection> {
        self.events_left = self
            .events_left
            .checked_sub(1)
            .ok_or_else(|| Class::Policy.because("more events than the answers can take"))?;
        let now_ms = self.elapsed_ms();
        let count = self.slots.len();
        let place = usize::try_from(event.place).unwrap_or(usize::MAX);
        let slot = self
            .slots
            .get_mut(place)
            .ok_or_else(|| Class::Malformed.because(format!("an event for challenge {place} of {count}")))?;
        if !event.refused.is_empty() {
            tracing::debug!(miner = %self.miner, place, why = event.refused, "a challenge is refused");
            slot.refuse(&sentence(&event.refused), &sentence(&event.reason));
            return Ok(());
        }
        if !event.response_digest.is_empty() {
            slot.promise(&event.response_digest, &event.signature, now_ms)?;
        }
        let Some(part) = event.part else { return Ok(()) };
        slot.check_part(&part)?;
        if let Some(bytes) = slot.memory_wanted() {
            self.begin_body(place)?;
            let budget = self.budget.clone();
            let Some(reserved) = self.in_time(budget.reserve(bytes)).await else { return Ok(()) };
            let Some(held) = reserved else {
                return Err(Class::WrongLength.because(format!("a body of {bytes} bytes")));
            };
            if let Some(slot) = self.slots.get_mut(place) {
                slot.hold(held);
            }
        }
        let now_ms = self.elapsed_ms();
        if let Some(body) =
            self.slots.get_mut(place).and_then(|slot| slot.part(&part.bytes, event.last, now_ms))
        {
            self.tell(News::Answered { miner: self.miner, place, body });
        }
        Ok(())
    }

    /// Bodies come one after another: whoever begins many and ends none would hold the memory of all of them.
    fn begin_body(&mut self, place: usize) -> Result<(), Rejection> {
        let before = self.under_way.replace(place).filter(|before| *before != place);
        match before.and_then(|before| self.slots.get(before)).is_some_and(Slot::is_open) {
            false => Ok(()),
            true => Err(Class::Malformed.because(format!("the body of challenge {place} amid another"))),
        }
    }

    /// A status in place of a stream: the miner's, or that of a connection that was not made.
    fn turned_down(&mut self, status: &tonic::Status) -> Rejection {
        let fault = of_status(status);
        if let Some(reason) = reason_of(status).filter(|reason| reason != NO_CONNECTION) {
            let reason = sentence(&reason);
            self.slots.iter_mut().for_each(|slot| slot.turn_down(&fault, &reason));
        }
        fault
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.sent.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn cut(&mut self, fault: &Rejection) {
        self.slots.iter_mut().for_each(|slot| slot.close(fault));
    }

    fn tell(&self, news: News) {
        // Whoever asked may have gone away, and wants to know nothing.
        let _ = self.news.send(news);
    }

    fn tell_promises(&mut self) {
        self.told = true;
        let promises = self.slots.iter().map(Slot::promised).collect();
        self.tell(News::Promised { miner: self.miner, promises });
    }

    fn end(mut self) {
        if !self.told {
            self.tell_promises();
        }
        let answers = self.slots.drain(..).map(Slot::finish).collect();
        self.tell(News::Ended { miner: self.miner, answers });
    }
}

/// What a status says of a miner that did not answer.
pub(crate) fn of_status(status: &tonic::Status) -> Rejection {
    let class = class_of(status).unwrap_or(Class::Late);
    class.because(format!("the miner answers {:?}: {}", status.code(), sentence(status.message())))
}

/// What somebody else wrote, cut and without control characters.
fn sentence(text: &str) -> String {
    let mut end = text.len().min(SENTENCE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests;
