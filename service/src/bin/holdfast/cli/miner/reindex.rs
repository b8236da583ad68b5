//! `holdfast miner reindex`.

use clap::Args;
use holdfast_service::index;
use holdfast_service::miner::{MinerError, Reindexed, reindex};
use serde::Serialize;

use super::{ConfigArguments, failure, runtime};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;

/// Make the index of objects again from the disks alone
#[derive(Args, Debug)]
#[command(after_help = "\
The miner must not run. Says which objects the index knew and no disk has: those are lost, unless a disk is not mounted. Receipts \
and the ends of their chains stay as they are. Example:
  holdfast miner reindex --config miner.toml")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let settings = self.config.settings()?;
        let reindexed = runtime()?.block_on(async {
            let index = index::open(&settings.index_location()).await.map_err(MinerError::from)?;
            reindex(settings.directories(), &*index).await
        });
        console.report(&Told(reindexed.map_err(failure)?))
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Told(Reindexed);

impl Report for Told {
    fn text(&self, out: &mut String) {
        let Reindexed { objects, added, missing } = &self.0;
        out.push_str(&format!("{objects} objects on the disks, {added} of them new to the index\n"));
        for (validator, name) in missing {
            out.push_str(&format!("MISSING  {name} of {validator}\n"));
        }
    }

    fn exit(&self) -> Exit {
        if self.0.missing.is_empty() { Exit::Done } else { Exit::Failed }
    }
}
