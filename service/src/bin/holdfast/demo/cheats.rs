//! Chapter 4: answers of a miner that does not have the bytes.

use holdfast_engine::challenge::Challenge;
use holdfast_engine::rejection::{Class, Rejection};
use serde::Serialize;

use super::audits::Rounds;
use super::stage::Stage;
use crate::failure::Failure;

/// Bytes of a response before its first opening.
const RESPONSE_HEADER_BYTES: usize = 48;

/// One attempt.
#[derive(Debug, Serialize)]
pub(super) struct Cheat {
    attempt: &'static str,
    class: Option<&'static str>,
    detail: Option<String>,
}

/// Plays the cheats of one round against the first validator; every one must be rejected, and with its class.
pub(super) fn play(stage: &Stage<'_>, rounds: &mut Rounds<'_>) -> Result<Vec<Cheat>, Failure> {
    let mut cheats = Vec::new();
    let mut earlier = None;
    for (attempt, expected) in [
        ("it kept every second window and makes the rest up", Class::WrongRoot),
        ("it sends the answer of the round before again", Class::WrongChallenge),
        ("it leaves a sample out", Class::WrongLength),
        ("it computes what it lacks, and is late", Class::Late),
    ] {
        let (height, beacon) = rounds.next_audit_height()?;
        let challenge = rounds.challenge(&rounds.pairs[0], height, beacon)?;
        let honest = rounds.read_answer(0, &challenge)?;
        let deadline_ms = u64::from(challenge.deadline_ms);
        let (response, taken_ms) = match expected {
            Class::WrongRoot => (made_up(&challenge, honest.clone()), 0),
            Class::WrongChallenge => (earlier.take().unwrap_or_default(), 0),
            Class::WrongLength => (shortened(&challenge, honest.clone()), 0),
            _ => (honest.clone(), deadline_ms + 1),
        };
        earlier = Some(honest);
        let verdict = rounds.judge(0, &challenge, &response, taken_ms)?;
        let class = verdict.as_ref().err().map(|rejection| rejection.class);
        let Some(Rejection { class, detail }) = verdict.err().filter(|_| class == Some(expected)) else {
            return Err(Failure::State {
                message: format!("a cheat passed or was misjudged ({attempt}): {class:?}, not {expected}"),
                advice: "this must never happen: please report it".to_owned(),
            });
        };
        stage.say(&format!("  {attempt}\n    REJECTED  {class}: {detail}"));
        cheats.push(Cheat { attempt, class: Some(class.name()), detail: Some(detail) });
    }
    Ok(cheats)
}

/// Other bytes for every sample from a window that it threw away: every second one, of which the first sample is one.
fn made_up(challenge: &Challenge, mut response: Vec<u8>) -> Vec<u8> {
    let samples = challenge.space_samples();
    let thrown_away = samples.first().map_or(0, |sample| sample.window % 2);
    let opening_bytes = (response.len() - RESPONSE_HEADER_BYTES) / challenge.samples as usize;
    let openings = response[RESPONSE_HEADER_BYTES..].chunks_mut(opening_bytes);
    for (sample, opening) in samples.iter().zip(openings) {
        if sample.window % 2 == thrown_away {
            opening[..1024].fill(0xa5);
        }
    }
    response
}

fn shortened(challenge: &Challenge, mut response: Vec<u8>) -> Vec<u8> {
    let opening_bytes = (response.len() - RESPONSE_HEADER_BYTES) / challenge.samples as usize;
    response.truncate(response.len() - opening_bytes);
    response
}
