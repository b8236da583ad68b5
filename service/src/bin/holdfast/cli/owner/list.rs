//! `holdfast ls`.

use clap::Args;
use holdfast_service::client::OwnedFile;
use serde::Serialize;

use super::{Owner, OwnerArguments, cid, failure};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::{self, Table};

/// List your files in a validator's care, and puts that were interrupted
#[derive(Args, Debug)]
#[command(after_help = "\
A piece is healthy if its last audit passed. Spare: how many more pieces of the worst segment may be lost; below 0 it cannot be \
read now. Uncommitted: pieces that are audited by chunks, which the validator sees, as their miner has not committed to them. Example:
  holdfast ls --chain /srv/chain")]
pub(crate) struct Arguments {
    #[command(flatten)]
    owner: OwnerArguments,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let Owner { runtime, client } = self.owner.open(console)?;
        let files = runtime.block_on(client.list()).map_err(failure)?;
        let interrupted = client.interrupted_puts().map_err(failure)?;
        console.report(&Listed {
            files: files.iter().map(Line::new).collect(),
            interrupted: interrupted.iter().map(cid).collect(),
        })
    }
}

#[derive(Serialize)]
struct Listed {
    files: Vec<Line>,
    /// Puts that `holdfast put --resume` goes on with.
    interrupted: Vec<String>,
}

#[derive(Serialize)]
struct Line {
    cid: String,
    /// Absent where the file was not put.
    name: Option<String>,
    bytes: u64,
    pieces: u32,
    healthy_pieces: u32,
    spare_pieces: i32,
    uncommitted_pieces: u32,
    stored_at: u64,
    expires_at: u64,
}

impl Line {
    fn new(file: &OwnedFile) -> Line {
        let summary = &file.summary;
        let root = <[u8; 32]>::try_from(&summary.file_root[..]).unwrap_or_default();
        Line {
            cid: cid(&root),
            name: file.name.clone(),
            bytes: summary.length_bytes,
            pieces: summary.pieces,
            healthy_pieces: summary.healthy_pieces,
            spare_pieces: summary.spare_pieces,
            uncommitted_pieces: summary.uncommitted_pieces,
            stored_at: summary.stored_at,
            expires_at: summary.expires_at,
        }
    }
}

impl Report for Listed {
    fn text(&self, out: &mut String) {
        let mut lines =
            Table::new(&["cid", ">bytes", ">pieces", ">healthy", ">spare", ">uncommitted", "name"]);
        for file in &self.files {
            lines.row([
                file.cid.clone(),
                table::bytes(file.bytes),
                file.pieces.to_string(),
                file.healthy_pieces.to_string(),
                file.spare_pieces.to_string(),
                file.uncommitted_pieces.to_string(),
                file.name.as_deref().unwrap_or_default().escape_debug().to_string(),
            ]);
        }
        lines.write("", out);
        for cid in &self.interrupted {
            out.push_str(&format!("{cid} is not stored yet: holdfast put --resume {cid}\n"));
        }
    }
}
