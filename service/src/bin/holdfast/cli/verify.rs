//! `holdfast verify`: judge responses.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use holdfast_engine::backend::{self, Backend};
use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::commitment::Commitment;
use holdfast_engine::policy::Policy;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::space::seal::verify_seal;
use holdfast_engine::space::verify::verify_space;
use serde::Serialize;

use super::options::PolicyArguments;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;
use crate::table;

/// Judge responses to a challenge; exit code 2 and a class if one is rejected
#[derive(Args, Debug)]
#[command(after_help = "\
Needs the commitment only, no disk of the miner's. Classes are listed in docs/spec/challenge-v1.md §8. Example:
  holdfast verify --commitment a.commitment --challenge a.challenge --response a.response --json")]
pub(crate) struct Arguments {
    /// The partition's commitment
    #[arg(long, value_name = "FILE")]
    commitment: PathBuf,
    /// The challenge
    #[arg(long, value_name = "FILE")]
    challenge: PathBuf,
    /// Responses to it
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    response: Vec<PathBuf>,
    #[command(flatten)]
    policy: PolicyArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let policy = self.policy.resolve()?;
        let backend =
            backend::select(backend::Choice::Auto).map_err(|error| Failure::Absent(error.to_string()))?;
        let commitment = files::read_commitment(&self.commitment)?;
        let challenge = files::read_challenge(&self.challenge)?;
        let asked = check_question(&commitment, &challenge, &policy);
        let mut responses = Vec::with_capacity(self.response.len());
        for file in &self.response {
            let bytes = files::read(file)?;
            let started = Instant::now();
            let verdict = match &asked {
                Ok(in_force) => verify_response(backend, in_force, &challenge, &bytes),
                Err(rejection) => Err(rejection.clone()),
            };
            let seconds = started.elapsed().as_secs_f64();
            responses.push(Judged { file: file.clone(), verdict: Verdict::new(verdict), seconds });
        }
        let first_wrong = responses.iter().find_map(|judged| judged.verdict.class);
        let verdict = if first_wrong.is_none() { "accepted" } else { "rejected" };
        console.report(&Verdicts { verdict, class: first_wrong, kind: challenge.kind.name(), responses })
    }
}

/// Whether the challenge is one that this policy asks of this commitment; gives the commitment as it was in force then.
pub(super) fn check_question<'c>(
    commitment: &'c Commitment,
    challenge: &Challenge,
    policy: &Policy,
) -> Result<Cow<'c, Commitment>, Rejection> {
    if policy.signatures_required || !commitment.signature.is_none() {
        commitment.check_signature()?;
    }
    let in_force = commitment.in_force(challenge.height, policy.finality_blocks)?;
    challenge.check_against(&in_force, policy.finality_blocks)?;
    policy.check_challenge(challenge)?;
    Ok(in_force)
}

/// Judges one response.
pub(crate) fn verify_response(
    backend: &dyn Backend,
    commitment: &Commitment,
    challenge: &Challenge,
    response: &[u8],
) -> Result<(), Rejection> {
    match challenge.kind {
        Kind::Space => verify_space(backend, commitment, challenge, response),
        Kind::Seal => verify_seal(backend, commitment, challenge, response),
    }
}

/// Accepted, or the class and the reason.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    verdict: &'static str,
    pub(super) class: Option<&'static str>,
    detail: Option<String>,
}

impl Verdict {
    pub(super) fn new(verdict: Result<(), Rejection>) -> Verdict {
        match verdict {
            Ok(()) => Verdict { verdict: "accepted", class: None, detail: None },
            Err(Rejection { class, detail }) => {
                Verdict { verdict: "rejected", class: Some(class.name()), detail: Some(detail) }
            }
        }
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        match (self.class, &self.detail) {
            (Some(class), Some(detail)) => format!("REJECTED  {class}: {detail}"),
            _ => "accepted".to_owned(),
        }
    }
}

#[derive(Serialize)]
struct Judged {
    file: PathBuf,
    #[serde(flatten)]
    verdict: Verdict,
    seconds: f64,
}

#[derive(Serialize)]
struct Verdicts {
    /// `accepted` if every response is.
    verdict: &'static str,
    /// Class of the first response that is not.
    class: Option<&'static str>,
    kind: &'static str,
    responses: Vec<Judged>,
}

impl Report for Verdicts {
    fn text(&self, out: &mut String) {
        for judged in &self.responses {
            let time = table::duration(judged.seconds);
            out.push_str(&format!("{}: {}  ({time})\n", judged.file.display(), judged.verdict.line()));
        }
    }

    fn exit(&self) -> Exit {
        if self.class.is_none() { Exit::Done } else { Exit::Rejected }
    }
}
