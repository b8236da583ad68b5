//! `holdfast audit`.

use clap::Args;
use holdfast_service::proto::AuditedPiece;
use serde::Serialize;

use super::{FileArguments, Owner, OwnerArguments, cid, failure};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::Table;

/// Have the validator fetch some blocks of every piece of a file now
#[derive(Args, Debug)]
#[command(after_help = "\
Rounds audit all pieces anyway; this asks at once. Ends with 2 if a miner sent no blocks or wrong ones. Example:
  holdfast audit --chain /srv/chain bafk…")]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: FileArguments,
    #[command(flatten)]
    owner: OwnerArguments,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let Owner { runtime, client } = self.owner.open(console)?;
        let root = self.file.cid.0;
        let pieces = runtime.block_on(client.audit(&root)).map_err(failure)?;
        console.report(&Audited { cid: cid(&root), pieces: pieces.iter().map(Line::new).collect() })
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

impl Line {
    fn new(audited: &AuditedPiece) -> Line {
        let piece = audited.piece.clone().unwrap_or_default();
        let miner = <[u8; 32]>::try_from(&audited.miner[..]).unwrap_or_default();
        let of_fault = |text: &String| (!audited.accepted).then(|| text.clone());
        Line {
            segment: piece.segment,
            shard: piece.shard,
            generation: piece.generation,
            miner: holdfast_engine::account::Account(miner).to_ss58(),
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
