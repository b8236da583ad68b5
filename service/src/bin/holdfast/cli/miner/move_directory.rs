//! `holdfast miner move`.

use std::path::PathBuf;

use clap::Args;
use holdfast_service::local::moving::{Moved, move_directory};
use serde::Serialize;

use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::interrupt;
use crate::table;

/// Move an allocated directory to another disk, with its objects and secrets
#[derive(Args, Debug)]
#[command(after_help = "\
The miner must not run. Everything is copied and compared; then the manifest goes over, and the old directory is no miner's any \
more: its partition.json is named partition.json.moved. Its other files stay until you delete them. Broken off, run it again: it \
carries on. Example:
  holdfast miner move --from /mnt/old --to /mnt/new")]
pub(super) struct Arguments {
    /// The directory
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Where it is to be: a directory that is empty or not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Write at most so many bytes a second
    #[arg(long, value_name = "SIZE", value_parser = holdfast_service::local::size)]
    rate_limit: Option<u64>,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let moved = move_directory(&self.from, &self.to, &interrupt::control(self.rate_limit))?;
        console.report(&Told { from: self.from.clone(), to: self.to.clone(), moved })
    }
}

#[derive(Serialize)]
struct Told {
    from: PathBuf,
    to: PathBuf,
    #[serde(flatten)]
    moved: Moved,
}

impl Report for Told {
    fn text(&self, out: &mut String) {
        let Moved { files, files_kept, bytes, source_manifest, .. } = &self.moved;
        out.push_str(&format!(
            "{}: {files} files, {}, all compared with the source ({files_kept} were there)\n",
            self.to.display(),
            table::bytes(*bytes)
        ));
        out.push_str(&format!(
            "{} is no miner's directory any more: its manifest is {} now.\nNothing in it was deleted; delete it yourself when you are sure.\n",
            self.from.display(),
            source_manifest.display()
        ));
    }
}
