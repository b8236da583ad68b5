//! `holdfast audit`.

mod lines;

use std::time::Duration;

use clap::Args;
use holdfast_service::client::{WholeAudit, WholeOptions, WholeOutcome};
use holdfast_service::proto::AuditedPiece;
use serde::Serialize;

use super::{FileArguments, Owner, OwnerArguments, cid, failure};
use crate::cli::options::{PolicyArguments, expiry};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::interrupt;
use lines::Line;

/// Have the validator fetch some blocks of every piece of a file now, or ask miners for every byte
#[derive(Args, Debug)]
#[command(after_help = "\
Rounds audit all pieces anyway; this asks at once. With --whole you ask the miners yourself, with a token of each piece (`holdfast put \
--tokens`): a digest of every byte under a key that nobody knew. A miner is asked if it can answer by the network's --policy; then the \
token is spent, whatever comes of it. A miner reads an object once an hour at most. If a piece fails, or its miner refuses or says that it \
is damaged, the validator is asked to look, too. Ctrl-C ends it, and the report says which tokens are spent. Ends with 2 if a miner failed: \
it sent wrong blocks, a wrong digest, or none in time, or says that the piece is damaged; else with 1 unless every piece passed: a miner \
refused, or was not asked. Examples:
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
    policy: PolicyArguments,
    #[command(flatten)]
    owner: OwnerArguments,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let policy = self.policy.resolve()?;
        let Owner { runtime, client } = self.owner.open(console)?;
        let root = self.file.cid.0;
        if !self.whole {
            let looked = runtime.block_on(client.audit(&root)).map_err(failure)?;
            return console.report(&Audited::new(&root, &looked));
        }
        let (patience, stop) = (Duration::from_secs(self.wait), interrupt::token());
        let options = WholeOptions { policy, patience, stop: stop.clone() };
        console.note("asking miners for every byte, which takes as long as reading does; Ctrl-C ends it");
        let audits = runtime.block_on(client.audit_whole(&root, options)).map_err(failure)?;
        let look = || runtime.block_on(stop.run_until_cancelled(client.audit(&root)));
        let looked = audits.iter().any(is_doubtful).then(look).flatten().transpose();
        let looked = looked.unwrap_or_else(|error| {
            // Which tokens are spent is to be known all the same.
            console.warn(format!("the validator did not look: {error}"));
            None
        });
        console.report(&Whole {
            cid: cid(&root),
            stopped: stop.is_cancelled(),
            pieces: audits.iter().map(Line::from).collect(),
            looked: looked.map(|pieces| Audited::new(&root, &pieces)),
        })
    }
}

/// Whether more is to be known of a piece. Who refuses may have nothing.
fn is_doubtful(audit: &WholeAudit) -> bool {
    matches!(audit.outcome, WholeOutcome::Failed(_) | WholeOutcome::Damaged(_) | WholeOutcome::Refused(_))
}

/// What miners said of every byte, and what the validator then saw of some blocks, if it was asked.
#[derive(Serialize)]
struct Whole {
    cid: String,
    /// Whether it was ended before all were heard.
    stopped: bool,
    pieces: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    looked: Option<Audited>,
}

impl Report for Whole {
    fn text(&self, out: &mut String) {
        lines::write(&self.pieces, out);
        if let Some(looked) = &self.looked {
            out.push_str("\nblocks that the validator fetched:\n");
            looked.text(out);
        }
        if self.stopped {
            out.push_str("stopped; tokens with a number are spent, and no others\n");
        }
    }

    fn exit(&self) -> Exit {
        let looked = self.looked.as_ref().map_or(Exit::Done, Audited::exit);
        match lines::exit(&self.pieces) {
            _ if looked == Exit::Rejected => looked,
            Exit::Done if self.stopped => Exit::Failed,
            exit => exit,
        }
    }
}

#[derive(Serialize)]
struct Audited {
    cid: String,
    pieces: Vec<Line>,
}

impl Audited {
    fn new(root: &[u8; 32], pieces: &[AuditedPiece]) -> Audited {
        Audited { cid: cid(root), pieces: pieces.iter().map(Line::from).collect() }
    }
}

impl Report for Audited {
    fn text(&self, out: &mut String) {
        lines::write(&self.pieces, out);
    }

    fn exit(&self) -> Exit {
        lines::exit(&self.pieces)
    }
}
