//! `holdfast rm`.

use clap::Args;
use serde::Serialize;

use super::{FileArguments, Owner, OwnerArguments, cid, failure};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;

/// Release a file: miners delete its pieces, some minutes later
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  holdfast rm --chain /srv/chain bafk… --yes")]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: FileArguments,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    owner: OwnerArguments,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let Owner { runtime, client } = self.owner.open(console)?;
        let root = self.file.cid.0;
        console.confirm(self.yes, &format!("Delete {} everywhere?", cid(&root)))?;
        let released = runtime.block_on(client.remove(&root)).map_err(failure)?;
        console.report(&Removed {
            cid: cid(&root),
            deleted_pieces: released.deleted_pieces,
            pending_pieces: released.pending_pieces,
        })
    }
}

#[derive(Serialize)]
struct Removed {
    cid: String,
    deleted_pieces: u32,
    /// Some minutes later, when no miner can be under way with an answer about them; the validator goes on trying, and they expire.
    pending_pieces: u32,
}

impl Report for Removed {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("{}: released, {} pieces deleted\n", self.cid, self.deleted_pieces));
        if self.pending_pieces > 0 {
            let pending = self.pending_pieces;
            out.push_str(&format!(
                "  {pending} more will be, by themselves: in some minutes, when their miners can be reached, or they expire\n"
            ));
        }
    }
}
