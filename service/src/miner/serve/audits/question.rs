//! One challenge: whether it is one that we answer, and its answer.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::receipt::Round;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::tree::{BLOCK_BYTES, CHUNK_BYTES};
use holdfast_partition::objects::ObjectName;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::local::answering::answer_partition;
use crate::local::audits::{AnyChallenge, HeldObject};
use crate::local::failure::Failure;
use crate::miner::answers::Promise;
use crate::miner::catalogue::Kept;
use crate::miner::limits::{Slot, WholeKey};
use crate::miner::shares::Share;
use crate::miner::{Miner, MinerError, blocking};

/// A link audit shows whole blocks, and answers are in memory.
const CHUNKS_PER_BLOCK: u32 = 16;
const _: () = assert!(CHUNKS_PER_BLOCK as usize * CHUNK_BYTES == BLOCK_BYTES);

/// The block of a round as the chain has it for us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) height: u64,
    pub(super) beacon: [u8; 32],
}

/// A challenge that is for us, from whom it says, about what is here for the caller.
#[derive(Clone, Debug)]
pub(super) struct Question {
    round: Round,
    samples: u32,
    about: About,
}

#[derive(Clone, Debug)]
enum About {
    Partition(Arc<Share>, Box<Challenge>),
    Object(Kept, Arc<AnyChallenge>),
}

impl Question {
    /// Reads a challenge of the caller's.
    ///
    /// Refused: as [`AnyChallenge::decode`]; `wrong-receiver`; `wrong-challenge` (another validator, height or beacon); `policy`
    /// (less time than the policy leaves). Not found: nothing here is what it is about.
    pub(super) fn read(
        miner: &Miner,
        caller: Account,
        seen: &Seen,
        bytes: &[u8],
    ) -> Result<Question, MinerError> {
        match AnyChallenge::decode(bytes)? {
            AnyChallenge::Partition(challenge) => {
                let round = Round::from(&*challenge);
                check(miner, caller, seen, &round, (&challenge.network, &challenge.beacon))?;
                let deadline_ms = match challenge.kind {
                    Kind::Space => miner.policy.deadline_ms,
                    Kind::Seal => miner.policy.seal_deadline_ms,
                };
                check_time(&round, deadline_ms)?;
                let share = miner.shares.of_partition(challenge.partition_id);
                let missing =
                    || MinerError::not_found(format!("no partition {} is here", challenge.partition_id));
                let share = share.filter(|share| share.validator() == caller).ok_or_else(missing)?;
                let samples = challenge.samples;
                Ok(Question { round, samples, about: About::Partition(share, challenge) })
            }
            challenge @ (AnyChallenge::Object(_) | AnyChallenge::Token(_)) => {
                let Some(of_object) = challenge.of_object() else {
                    return Err(Class::Malformed.because("a challenge of nothing").into());
                };
                let round = match &challenge {
                    AnyChallenge::Token(token) => Round::from(token),
                    _ => Round::from(of_object),
                };
                check(miner, caller, seen, &round, (&of_object.network, &of_object.beacon))?;
                check_time(&round, miner.policy.objects.deadline_ms(of_object.kind))?;
                let name = ObjectName(*of_object.replica.object_root());
                let missing = || MinerError::not_found(format!("no object {name} is kept here for {caller}"));
                let kept = match challenge {
                    // A digest under a key that the caller knows shows nothing of the bytes, so owners may ask, too.
                    AnyChallenge::Token(_) => miner.catalogue.open_to(&caller, name)?,
                    _ => miner.catalogue.of_validator(&caller, name).ok_or_else(missing)?,
                };
                let samples = match of_object.kind {
                    AuditKind::Link => of_object.samples.saturating_mul(CHUNKS_PER_BLOCK),
                    _ => of_object.samples,
                };
                Ok(Question { round, samples, about: About::Object(kept, Arc::new(challenge)) })
            }
        }
    }

    /// How much is asked for, in chunks.
    pub(super) fn samples(&self) -> u32 {
        self.samples
    }

    /// The promise and the body: as they were given before, or else from the disk.
    pub(super) async fn answer(self, miner: &Arc<Miner>) -> Result<(Round, Promise, Bytes), MinerError> {
        let signer = miner.correspondent.signer();
        let compute = || self.clone().compute(Arc::clone(miner));
        let (promise, body) = miner.answers.answer(&self.round, signer, compute).await?;
        Ok((self.round, promise, body))
    }

    async fn compute(self, miner: Arc<Miner>) -> Result<Bytes, MinerError> {
        let turn = self.turn(&miner).await?;
        let (about, caller) = (self.about, self.round.key.validator);
        let unwanted = CancellationToken::new();
        // This is dropped when nobody waits for the answer any more.
        let _waiting = unwanted.clone().drop_guard();
        let answered = blocking(move || {
            let answer = about.answer(&miner, caller, &unwanted);
            drop(turn);
            answer
        });
        Ok(answered.await??.into())
    }

    /// A turn at the disks. Reading all of an object has turns of its own: it takes hours, and others have seconds.
    async fn turn(&self, miner: &Arc<Miner>) -> Result<Slot, MinerError> {
        let caller = self.round.key.validator;
        match &self.about {
            About::Object(_, challenge) if matches!(**challenge, AnyChallenge::Token(_)) => {
                miner.wholes.turn(caller).await
            }
            _ => miner.turn(caller).await,
        }
    }
}

impl About {
    fn answer(
        &self,
        miner: &Miner,
        caller: Account,
        unwanted: &CancellationToken,
    ) -> Result<Vec<u8>, MinerError> {
        match self {
            About::Partition(share, challenge) => {
                check_batch(miner, challenge)?;
                let control = Control::default();
                Ok(answer_partition(&share.disk, share.partition(), challenge, &miner.machine, &control)?)
            }
            About::Object(kept, challenge) => {
                let of_object = challenge.of_object().ok_or_else(|| Class::Malformed.because("no object"))?;
                let shelf = &kept.store.shelf;
                let record = shelf.record(kept.name)?;
                of_object.check_against(&record.record, miner.policy.finality_blocks)?;
                let secrets = kept.store.secrets();
                let held = HeldObject::on(Arc::clone(shelf), secrets, of_object, Some(&record))?;
                let answer =
                    || held.answer(challenge, miner.machine.backend, true, |_| !unwanted.is_cancelled());
                match &**challenge {
                    AnyChallenge::Token(token) => {
                        token.check_place(&held.record)?;
                        let key = WholeKey { caller, validator: kept.store.validator, object: kept.name };
                        // Now that it can be answered: whoever is refused has not used anything up.
                        miner.wholes.take(key, token.token(), Instant::now())?;
                        // It would keep a thread of the pool from the rounds.
                        Ok(answer()?)
                    }
                    _ => Ok(miner.machine.pool.install(answer)?),
                }
            }
        }
    }
}

/// That it is of this network, for us, from whoever asks, and of the block that it names.
fn check(
    miner: &Miner,
    caller: Account,
    seen: &Seen,
    round: &Round,
    (network, beacon): (&[u8; 32], &[u8; 32]),
) -> Result<(), Rejection> {
    miner.check_is_me("challenge", network, &round.key.miner)?;
    let same = [
        ("validator than the request", round.key.validator == caller),
        ("height than the request", round.height == seen.height),
        ("beacon than its block", *beacon == seen.beacon),
    ];
    match same.iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((what, _)) => Err(Class::WrongChallenge.because(format!("the challenge has another {what}"))),
    }
}

/// Whoever leaves less time than the network agreed on would have us miss.
fn check_time(round: &Round, deadline_ms: u32) -> Result<(), Rejection> {
    if round.deadline_ms >= deadline_ms {
        return Ok(());
    }
    let found = round.deadline_ms;
    Err(Class::Policy.because(format!("{found} ms to answer; the policy leaves {deadline_ms}")))
}

/// That it asks for windows as they were recorded and settled at its height.
fn check_batch(miner: &Miner, challenge: &Challenge) -> Result<(), MinerError> {
    let entry = miner.recorder.partition(challenge.partition_id).map_err(Failure::from)?;
    let batches = entry.map(|entry| entry.batches).unwrap_or_default();
    let finality_blocks = miner.policy.finality_blocks;
    let settled = |height: u64| height.saturating_add(finality_blocks) <= challenge.height;
    let in_force = batches.iter().rfind(|batch| settled(batch.height)).ok_or_else(|| {
        let height = challenge.height;
        Class::NotFinal.because(format!("at height {height} no batch was {finality_blocks} blocks old"))
    })?;
    let end = challenge.first_window.saturating_add(challenge.window_count);
    let windows_fit = match challenge.kind {
        Kind::Space => end == in_force.end,
        Kind::Seal => end <= in_force.end,
    };
    if !windows_fit || challenge.partition_root != in_force.partition_root {
        let at = in_force.height;
        let why =
            format!("the challenge is not about the windows of the batch of height {at}, which is in force");
        return Err(Class::WrongChallenge.because(why).into());
    }
    Ok(())
}
