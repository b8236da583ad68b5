//! `holdfast audit`.

use std::time::Duration;

use clap::Args;
use holdfast_engine::account::Account;
use holdfast_engine::rejection::Rejection;
use holdfast_service::client::{WholeAudit, WholeOutcome};
use holdfast_service::proto::AuditedPiece;
use serde::Serialize;

use crate::cli::options::expiry;

use super::{FileArguments, Owner, OwnerArguments, cid, failure};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::Table;

/// Have the validator fetch some blocks of every piece of a file now, or ask miners for every byte
#[derive(Args, Debug)]
#[command(after_help = "\
Rounds audit all pieces anyway; this asks at once. Ends with 2 if a miner sent no blocks or wrong ones. With --whole you ask the miners \
yourself, with a token of each piece (`holdfast put --tokens`): a digest of every byte under a key that nobody knew. A token is spent \
whatever comes of it, and a miner reads an object once an hour at most. If a piece fails, the validator is asked to look, too. Ends \
with 2 unless every piece passed. Examples:
  holdfast audit --chain /srv/chain bafk…
  holdfast audit --chain /srv/chain bafk… --whole")]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: FileArguments,
    /// Spend a token of each piece: its miner shows that it has every byte; takes as long as reading all of it
    #[arg(long)]
    whole: bool,
    /// How long a miner may take for it, others that it reads for before included (90s, 12h)
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = expiry)]
    wait: u64,
    #[command(flatten)]
    owner: OwnerArguments,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let Owner { runtime, client } = self.owner.open(console)?;
        let root = self.file.cid.0;
        let look = || runtime.block_on(client.audit(&root)).map_err(failure);
        if !self.whole {
            return console.report(&Audited::new(&root, &look()?));
        }
        let patience = Duration::from_secs(self.wait);
        let audits = runtime.block_on(client.audit_whole(&root, patience)).map_err(failure)?;
        let has_failed = audits.iter().any(|audit| matches!(audit.outcome, WholeOutcome::Failed(_)));
        let looked = has_failed.then(look).transpose()?;
        console.report(&Whole {
            cid: cid(&root),
            pieces: audits.iter().map(WholeLine::new).collect(),
            looked: looked.map(|pieces| Audited::new(&root, &pieces)),
        })
    }
}

/// What miners said of every byte, and what the validator then saw of some blocks, if it was asked.
#[derive(Serialize)]
struct Whole {
    cid: String,
    pieces: Vec<WholeLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    looked: Option<Audited>,
}

#[derive(Serialize)]
struct WholeLine {
    segment: u32,
    shard: u8,
    generation: u32,
    /// SS58 address.
    miner: String,
    /// Whether a token was spent.
    asked: bool,
    accepted: bool,
    /// Class of the rejection; absent if accepted or not asked.
    class: Option<&'static str>,
    message: Option<String>,
    latency_ms: Option<u32>,
    /// Tokens that are left.
    unused_tokens: usize,
}

impl WholeLine {
    fn new(audit: &WholeAudit) -> WholeLine {
        let (class, message, latency_ms) = match &audit.outcome {
            WholeOutcome::Accepted { latency_ms } => (None, None, Some(*latency_ms)),
            WholeOutcome::Failed(Rejection { class, detail }) => {
                (Some(class.name()), Some(detail.clone()), None)
            }
            WholeOutcome::NotAsked(why) => (None, Some(why.to_string()), None),
        };
        WholeLine {
            segment: audit.piece.segment,
            shard: audit.piece.shard,
            generation: audit.piece.generation,
            miner: audit.miner.to_ss58(),
            asked: !matches!(audit.outcome, WholeOutcome::NotAsked(_)),
            accepted: latency_ms.is_some(),
            class,
            message,
            latency_ms,
            unused_tokens: audit.unused,
        }
    }
}

impl Report for Whole {
    fn text(&self, out: &mut String) {
        let mut lines = Table::new(&[">segment", ">shard", "miner", ">ms", ">tokens left", "verdict"]);
        for piece in &self.pieces {
            let message = piece.message.as_deref().unwrap_or_default().escape_debug().to_string();
            lines.row([
                piece.segment.to_string(),
                piece.shard.to_string(),
                piece.miner.clone(),
                piece.latency_ms.map(|latency_ms| latency_ms.to_string()).unwrap_or_default(),
                piece.unused_tokens.to_string(),
                if piece.accepted { "accepted".to_owned() } else { message },
            ]);
        }
        lines.write("", out);
        if let Some(looked) = &self.looked {
            out.push_str("\nblocks that the validator fetched:\n");
            looked.text(out);
        }
    }

    fn exit(&self) -> Exit {
        if self.pieces.iter().all(|piece| piece.accepted) { Exit::Done } else { Exit::Rejected }
    }
}

#[derive(Serialize)]
struct Audited {
    cid: String,
    pieces: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    segment: u64,
    shard: u32,
    generation: u32,
    /// SS58 address.
    miner: String,
    accepted: bool,
    /// Class of the rejection; absent if accepted.
    class: Option<String>,
    message: Option<String>,
    latency_ms: Option<u64>,
}

impl Audited {
    fn new(root: &[u8; 32], pieces: &[AuditedPiece]) -> Audited {
        Audited { cid: cid(root), pieces: pieces.iter().map(Line::new).collect() }
    }
}

impl Line {
    fn new(audited: &AuditedPiece) -> Line {
        let piece = audited.piece.clone().unwrap_or_default();
        let miner = <[u8; 32]>::try_from(&audited.miner[..]).unwrap_or_default();
        let of_fault = |text: &String| (!audited.accepted).then(|| text.clone());
        Line {
            segment: piece.segment,
            shard: piece.shard,
            generation: piece.generation,
            miner: Account(miner).to_ss58(),
            accepted: audited.accepted,
            class: of_fault(&audited.class),
            message: of_fault(&audited.message),
            latency_ms: audited.accepted.then_some(audited.latency_ms),
        }
    }
}

impl Report for Audited {
    fn text(&self, out: &mut String) {
        let mut lines = Table::new(&[">segment", ">shard", "miner", ">ms", "verdict"]);
        for piece in &self.pieces {
            let message = piece.message.as_deref().unwrap_or_default().escape_debug().to_string();
            lines.row([
                piece.segment.to_string(),
                piece.shard.to_string(),
                piece.miner.clone(),
                piece.latency_ms.map(|latency_ms| latency_ms.to_string()).unwrap_or_default(),
                if piece.accepted { "accepted".to_owned() } else { message },
            ]);
        }
        lines.write("", out);
    }

    fn exit(&self) -> Exit {
        if self.pieces.iter().all(|piece| piece.accepted) { Exit::Done } else { Exit::Rejected }
    }
}
