//! Audits: commitments, challenges and receipts.

mod question;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::receipt::Receipt;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use super::outlet::{Outflow, Outlet};
use crate::local::commit;
use crate::miner::answers::Promise;
use crate::miner::chains::Promised;
use crate::miner::{Miner, MinerError, blocking};
use crate::proto;
use crate::wire::parts::parts;
use crate::wire::status::reason_of;
use question::{Question, Seen};

/// How long a challenge may wait for its block to be known here, and how often it is looked.
const BLOCK_WAIT: Duration = Duration::from_secs(2);
const BLOCK_LOOK: Duration = Duration::from_millis(50);
/// Challenges of an owner in one request.
const OWNER_CHALLENGES: usize = 16;

/// The commitment of a partition of the caller's, in parts.
pub(super) async fn commitment(
    miner: &Arc<Miner>,
    caller: Account,
    partition_id: u64,
) -> Result<Outflow<proto::Part>, MinerError> {
    let place = miner.streams.open(caller, caller, miner.shares.validator_count())?;
    let share = miner.shares.of_partition(partition_id).filter(|share| share.validator() == caller);
    let missing = || MinerError::not_found(format!("no partition {partition_id} is kept here for {caller}"));
    let share = share.ok_or_else(missing)?;
    let turn = miner.turn(caller).await?;
    let (recorder, signer) = (Arc::clone(&miner.recorder), Arc::clone(miner.correspondent.signer()));
    let bytes = blocking(move || {
        let commitment = commit::commitment_at(&share.disk, share.partition(), &*recorder, Some(&signer))?;
        drop(turn);
        Ok::<_, MinerError>(Bytes::from(commitment.encode()))
    })
    .await??;
    let (outlet, stream) = Outlet::new(miner, caller, place);
    tokio::spawn(async move {
        let sent = outlet.send_all(bytes).await;
        outlet.end(sent);
    });
    Ok(stream)
}

/// Answers a round: promises as they are made, then the bodies in the order of the challenges.
pub(super) async fn challenge(
    miner: &Arc<Miner>,
    caller: Account,
    request: &proto::ChallengeRequest,
) -> Result<Outflow<proto::ChallengeEvent>, MinerError> {
    // Before anybody waits for a block, which takes others' time.
    let role = Role::of(miner, caller)?;
    let place = miner.rounds.open(caller, caller, 1)?;
    let limit = match role {
        Role::Validator => miner.limits.challenges,
        Role::Owner => OWNER_CHALLENGES,
    };
    let found = request.challenges.len();
    if found > limit {
        return Err(MinerError::busy(format!("{found} challenges at once; at most {limit} are answered")));
    }
    let seen = look_at_block(miner, request.height).await?;
    let mut samples = 0_u32;
    let questions: Vec<Result<Question, MinerError>> = request
        .challenges
        .iter()
        .map(|challenge| {
            let question = Question::read(miner, caller, &seen, challenge)?;
            samples = samples.saturating_add(question.samples());
            match samples > miner.limits.samples {
                true => Err(MinerError::busy(format!(
                    "more than {} samples in one request",
                    miner.limits.samples
                ))),
                false => Ok(question),
            }
        })
        .collect();
    let (outlet, stream) = Outlet::new(miner, caller, place);
    let miner = Arc::clone(miner);
    tokio::spawn(async move {
        let answered = tokio::select! {
            // Whoever is gone needs no answers; what is being read or computed ends by itself.
            () = outlet.left() => Ok(()),
            answered = answer_all(&miner, (caller, role), questions, &outlet) => answered,
        };
        outlet.end(answered);
    });
    Ok(stream)
}

async fn answer_all(
    miner: &Arc<Miner>,
    (caller, role): (Account, Role),
    questions: Vec<Result<Question, MinerError>>,
    outlet: &Outlet<proto::ChallengeEvent>,
) -> Result<(), MinerError> {
    let mut answering = JoinSet::new();
    for (place, question) in (0_u32..).zip(questions) {
        let miner = Arc::clone(miner);
        answering.spawn(async move {
            let asked_at = Instant::now();
            let answered = match question {
                Ok(question) => question.answer(&miner).await,
                Err(error) => Err(error),
            };
            let after = answered.as_ref().ok().map(|(round, ..)| (round.kind, asked_at.elapsed()));
            match role {
                Role::Validator => miner.stats.answered(&caller, after),
                Role::Owner => miner.stats.answered_owner(after),
            }
            (place, answered)
        });
    }
    let (mut bodies, mut promised) = (Vec::new(), Vec::new());
    while let Some(joined) = answering.join_next().await {
        let Ok((place, answered)) = joined else { continue };
        let event = match answered {
            Ok((round, promise, body)) => {
                bodies.push((place, body));
                promised.push(Promised { round, response_digest: promise.digest });
                promise_event(place, promise)
            }
            Err(error) => refusal_event(place, error),
        };
        outlet.send(event, 0).await?;
    }
    if role == Role::Validator
        && let Err(error) = miner.chains.note(&promised).await
    {
        // The answers are right all the same; the receipts of this round will lack our signature.
        tracing::error!(%error, "promises of a round were not noted");
    }
    bodies.sort_by_key(|(place, _)| *place);
    for (place, body) in bodies {
        let mut left = body.len();
        for part in parts(body) {
            let length = part.bytes.len();
            left -= length;
            let event =
                proto::ChallengeEvent { place, part: Some(part), last: left == 0, ..Default::default() };
            outlet.send(event, length).await?;
        }
    }
    Ok(())
}

fn promise_event(place: u32, promise: Promise) -> proto::ChallengeEvent {
    proto::ChallengeEvent {
        place,
        response_digest: promise.digest.to_vec().into(),
        signature: promise.signature.0.to_vec().into(),
        ..Default::default()
    }
}

fn refusal_event(place: u32, error: MinerError) -> proto::ChallengeEvent {
    // As a status, so that our own failures are told as they are told everywhere.
    let status = Status::from(error);
    let (refused, reason) = (status.message().to_owned(), reason_of(&status).unwrap_or_default());
    proto::ChallengeEvent { place, refused, reason, ..Default::default() }
}

/// The block of a round, which may be on its way to us still.
async fn look_at_block(miner: &Miner, height: u64) -> Result<Seen, MinerError> {
    let deadline = tokio::time::Instant::now() + BLOCK_WAIT;
    loop {
        let (newest, beacon) =
            miner.ask_recorder(move |recorder| Ok((recorder.height()?, recorder.beacon(height)?))).await?;
        if let Some(beacon) = beacon {
            let oldest = newest.saturating_sub(miner.limits.round_age_blocks);
            if height < oldest {
                let message =
                    format!("the round of height {height} is over; rounds from {oldest} on are answered");
                return Err(refused("too-old", message));
            }
            return Ok(Seen { height, beacon });
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(refused(
                "unknown-block",
                format!("block {height} is not known here; the newest is {newest}"),
            ));
        }
        tokio::time::sleep(BLOCK_LOOK).await;
    }
}

fn refused(reason: &'static str, message: String) -> MinerError {
    let advice = "ask about a block that both sides know";
    MinerError::Refused { code: Code::FailedPrecondition, reason, message, advice }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Whose rounds become receipts.
    Validator,
    /// Who shows keys of tokens of its own objects, and nobody else is told.
    Owner,
}

impl Role {
    /// Refused: whoever neither validates, nor has a share or an object here.
    fn of(miner: &Miner, caller: Account) -> Result<Role, MinerError> {
        match check_validates(miner, caller) {
            Err(_) if miner.catalogue.has_owner(&caller) => Ok(Role::Owner),
            checked => checked.map(|()| Role::Validator),
        }
    }
}

/// Whoever neither validates nor has a share here has nothing to audit.
fn check_validates(miner: &Miner, caller: Account) -> Result<(), MinerError> {
    if miner.validators.stake_rao(&caller).is_some() || !miner.shares.of_validator(&caller).is_empty() {
        return Ok(());
    }
    Err(MinerError::Refused {
        code: Code::PermissionDenied,
        reason: "no-validator",
        message: format!("{caller} is no validator, and nothing is kept for it here"),
        advice: "ask with the key of a validator",
    })
}

/// Signs what follows our own view of the caller's chains. A chain may begin with a missed round, of which we know nothing, so whoever
/// neither validates nor has a share here could fill the index with chains of its own making.
pub(super) async fn countersign(
    miner: &Miner,
    caller: Account,
    request: &proto::CountersignRequest,
) -> Result<proto::CountersignResponse, MinerError> {
    let (limit, found) = (miner.limits.challenges, request.receipts.len());
    if found > limit {
        return Err(MinerError::busy(format!("{found} receipts at once; at most {limit} are taken")));
    }
    check_validates(miner, caller)?;
    let finality_blocks = miner.policy.finality_blocks;
    let newest = miner.ask_recorder(|recorder| recorder.height()).await?;
    let final_height = newest.saturating_sub(finality_blocks);
    let signed = miner.chains.countersign(caller, &request.receipts, final_height).await?;
    for (signed, bytes) in signed.iter().zip(&request.receipts) {
        match (signed, Receipt::decode(bytes)) {
            (Ok(_), Ok(receipt)) => miner.stats.receipt(&caller, receipt.body.kind, receipt.body.outcome),
            _ => miner.stats.withheld(),
        }
    }
    let receipts = signed.into_iter().map(|signed| match signed {
        Ok(signature) if signature.is_none() => proto::CountersignedReceipt::default(),
        Ok(signature) => {
            proto::CountersignedReceipt { signature: signature.0.to_vec().into(), refused: String::new() }
        }
        Err(rejection) => {
            proto::CountersignedReceipt { signature: Bytes::new(), refused: rejection.to_string() }
        }
    });
    Ok(proto::CountersignResponse { receipts: receipts.collect(), seal: None })
}
