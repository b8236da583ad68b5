//! A piece that was asked for, by the validator or by its owner, as a line of a report.

use holdfast_engine::account::Account;
use holdfast_service::client::{WholeAudit, WholeOutcome};
use holdfast_service::proto::AuditedPiece;
use serde::Serialize;

use crate::console::Exit;
use crate::table::Table;

#[derive(Serialize)]
pub(super) struct Line {
    segment: u64,
    shard: u32,
    generation: u32,
    /// SS58 address; absent if nobody holds it.
    miner: Option<String>,
    outcome: Outcome,
    accepted: bool,
    /// Class of the rejection; absent unless it failed.
    class: Option<String>,
    /// Why it was not accepted.
    message: Option<String>,
    latency_ms: Option<u64>,
    #[serde(flatten)]
    tokens: Option<Tokens>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Accepted,
    Failed,
    Damaged,
    Refused,
    Stopped,
    NotAsked,
}

/// Of a piece that was asked for by its owner.
#[derive(Serialize)]
struct Tokens {
    /// The number of the one that was spent.
    spent_token: Option<u64>,
    /// How many are left; absent where that was not or cannot be read.
    unused_tokens: Option<usize>,
}

impl From<&WholeAudit> for Line {
    fn from(audit: &WholeAudit) -> Line {
        let (outcome, class, message) = match &audit.outcome {
            WholeOutcome::Accepted { .. } => (Outcome::Accepted, None, None),
            WholeOutcome::Failed(rejection) => {
                (Outcome::Failed, Some(rejection.class.name().to_owned()), Some(rejection.detail.clone()))
            }
            WholeOutcome::Damaged(why) => (Outcome::Damaged, None, Some(why.clone())),
            WholeOutcome::Refused(why) => (Outcome::Refused, None, Some(why.clone())),
            WholeOutcome::Stopped => (Outcome::Stopped, None, Some("was not waited for".to_owned())),
            WholeOutcome::NotAsked(why) => (Outcome::NotAsked, None, Some(why.to_string())),
        };
        let latency_ms = match audit.outcome {
            WholeOutcome::Accepted { latency_ms } => Some(latency_ms.into()),
            _ => None,
        };
        Line {
            segment: audit.piece.segment.into(),
            shard: audit.piece.shard.into(),
            generation: audit.piece.generation,
            miner: audit.miner.map(|miner| miner.to_ss58()),
            outcome,
            accepted: outcome == Outcome::Accepted,
            class,
            message,
            latency_ms,
            tokens: Some(Tokens { spent_token: audit.spent, unused_tokens: audit.unused }),
        }
    }
}

impl From<&AuditedPiece> for Line {
    fn from(audited: &AuditedPiece) -> Line {
        let piece = audited.piece.clone().unwrap_or_default();
        let miner = <[u8; 32]>::try_from(&audited.miner[..]).unwrap_or_default();
        let accepted = audited.accepted;
        let of_fault = |text: &String| (!accepted).then(|| text.clone());
        Line {
            segment: piece.segment,
            shard: piece.shard,
            generation: piece.generation,
            miner: Some(Account(miner).to_ss58()),
            outcome: if accepted { Outcome::Accepted } else { Outcome::Failed },
            accepted,
            class: of_fault(&audited.class),
            message: of_fault(&audited.message),
            latency_ms: accepted.then_some(audited.latency_ms),
            tokens: None,
        }
    }
}

impl Line {
    fn verdict(&self) -> String {
        let outcome = match self.outcome {
            Outcome::Accepted => return "accepted".to_owned(),
            Outcome::Failed => "failed",
            Outcome::Damaged => "damaged",
            Outcome::Refused => "refused",
            Outcome::Stopped => "stopped",
            Outcome::NotAsked => "not asked",
        };
        // Much of it is what others said.
        format!("{outcome}: {}", self.message.as_deref().unwrap_or_default().escape_debug())
    }
}

/// Writes the lines of a report, with the tokens if these were spent.
pub(super) fn write(lines: &[Line], out: &mut String) {
    let has_tokens = lines.iter().any(|line| line.tokens.is_some());
    let of_tokens: &[&'static str] = if has_tokens { &[">token spent", ">left"] } else { &[] };
    let mut table = Table::new(&[&[">segment", ">shard", "miner", ">ms"], of_tokens, &["verdict"]].concat());
    for line in lines {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let mut cells = vec![line.segment.to_string(), line.shard.to_string()];
        cells.extend([line.miner.clone().unwrap_or_default(), number(line.latency_ms)]);
        if let Some(Tokens { spent_token, unused_tokens }) = line.tokens {
            cells.extend([number(spent_token), number(unused_tokens.map(|unused| unused as u64))]);
        }
        cells.push(line.verdict());
        table.row(cells);
    }
    table.write("", out);
}

/// Rejected if somebody failed, or says that it lost something; failed if somebody was not heard.
pub(super) fn exit(lines: &[Line]) -> Exit {
    if lines.iter().any(|line| matches!(line.outcome, Outcome::Failed | Outcome::Damaged)) {
        Exit::Rejected
    } else if lines.iter().all(|line| line.accepted) {
        Exit::Done
    } else {
        Exit::Failed
    }
}
