//! `holdfast put`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::{ArgGroup, Args};
use holdfast_service::client::{CommitCost, PutOptions, Stored};
use holdfast_service::pieces::Policy;
use serde::Serialize;

use super::watch::Line;
use super::{OwnerArguments, Root, cid, failure, root};
use crate::cli::options::expiry;
use crate::cli::secrecy::RecipientArguments;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table;

/// The most pieces that a validator takes of one file; larger files are cut into larger segments.
const PIECES_MAX: u64 = 4096;

/// Store a file with miners: encrypted, in pieces, in a validator's care
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("secrecy").multiple(true))]
#[command(after_help = "\
The file is read once, to its end; until all of it is stored, its ciphertext is kept in --state, and a put that fails can be resumed. \
The coding says how many pieces there are and how many may be lost: replicate-3 survives two losses and takes three times the \
room, 3-of-5 two for five thirds. Examples:
  holdfast put --chain /srv/chain --recipient age1… film.mkv
  tar c photos | holdfast put --chain /srv/chain --recipient age1… --name photos.tar --coding 10-of-16 --keep 365d -
  holdfast put --chain /srv/chain --resume bafk…")]
pub(crate) struct Arguments {
    /// The file, or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "resume", requires = "secrecy")]
    file: Option<PathBuf>,
    /// Go on with a put that was interrupted (`holdfast ls` shows them)
    #[arg(long, value_name = "CID", value_parser = root, conflicts_with_all = ["file", "secrecy"])]
    resume: Option<Root>,
    #[command(flatten)]
    secrecy: RecipientArguments,
    /// The file's name, which nobody but you learns [default: that of the file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How it is coded: replicate-N, or K-of-N
    #[arg(long, value_name = "CODING", default_value = "replicate-3")]
    coding: Policy,
    /// How long it is to be kept (90s, 12h, 30d)
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = expiry)]
    keep: u64,
    /// Have the miners commit to their pieces, so that audits cover whole blocks and show nothing of them; takes them minutes a GiB
    #[arg(long, conflicts_with = "resume")]
    commit: bool,
    /// Make so many sealed tokens of each piece, each of which asks once for every byte (`holdfast audit --whole`); kept in --state
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000), conflicts_with = "resume")]
    tokens: u32,
    #[command(flatten)]
    owner: OwnerArguments,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let owner = self.owner.open(console)?;
        let started = Instant::now();
        let stored = match (&self.resume, &self.file) {
            (Some(Root(root)), _) => {
                let watch = Line::new(console, "put", cid(root));
                owner.runtime.block_on(owner.client.resume_put(root, watch))
            }
            (None, Some(file)) => {
                let (source, length) = open(file)?;
                let options = self.options(file, length, console)?;
                owner.runtime.block_on(owner.client.put(source, options))
            }
            (None, None) => return Err(Failure::Usage("give a file, or --resume".to_owned())),
        };
        console.report(&Put::new(&stored.map_err(failure)?, started.elapsed().as_secs_f64()))
    }

    fn options(&self, file: &Path, length: Option<u64>, console: &Console) -> Result<PutOptions, Failure> {
        let of_file = || file.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = self.name.clone().or_else(of_file).unwrap_or_default();
        Ok(PutOptions {
            policy: with_segments_for(self.coding, length.unwrap_or(0))?,
            recipients: self.secrecy.recipients(file)?,
            keep_seconds: self.keep,
            commit: self.commit,
            tokens: self.tokens,
            watch: Line::new(console, "put", name.clone()) as Arc<_>,
            name,
        })
    }
}

/// The coding with segments so large that a file of this length has no more pieces than are taken.
fn with_segments_for(policy: Policy, length_bytes: u64) -> Result<Policy, Failure> {
    const UNIT_BYTES: u64 = 64 << 20;
    let segments = (PIECES_MAX / u64::from(policy.shards())).max(2) - 1;
    let least = length_bytes.div_ceil(segments).next_multiple_of(UNIT_BYTES);
    if least > Policy::SEGMENT_BYTES_MAX {
        let (length, most) = (table::bytes(length_bytes), table::bytes(segments * Policy::SEGMENT_BYTES_MAX));
        return Err(Failure::Usage(format!(
            "{length} coded {policy} is more than {PIECES_MAX} pieces; at most {most} are taken: choose a --coding with fewer pieces"
        )));
    }
    let segment_bytes = policy.segment_bytes().max(least);
    policy.with_segments_of(segment_bytes).map_err(|error| Failure::Usage(error.to_string()))
}

fn open(file: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let failed = |error| Failure::file("read", file, error);
    let opened = File::open(file).map_err(failed)?;
    let metadata = opened.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Failure::Usage(format!("{} is a directory", file.display())));
    }
    Ok((Box::new(opened), metadata.is_file().then_some(metadata.len())))
}

#[derive(Serialize)]
struct Put {
    cid: String,
    blake3_root: String,
    name: String,
    /// Bytes of the file.
    file_bytes: u64,
    /// Bytes of its ciphertext.
    bytes: u64,
    coding: String,
    segments: usize,
    pieces: usize,
    expires_at: Option<u64>,
    seconds: f64,
    /// What of it went into commitments, if they were asked for.
    commit: Option<CommitCost>,
}

impl Put {
    fn new(stored: &Stored, seconds: f64) -> Put {
        let manifest = &stored.manifest;
        let private = manifest.private();
        Put {
            cid: stored.address().to_string(),
            blake3_root: hex::encode(stored.root),
            name: private.map(|private| private.name.clone()).unwrap_or_default(),
            file_bytes: private.map_or(0, |private| private.file.length_bytes),
            bytes: manifest.ciphertext().length_bytes,
            coding: manifest.policy().to_string(),
            segments: manifest.segments().len(),
            pieces: manifest.segments().iter().map(|segment| segment.held()).sum(),
            expires_at: manifest.expires_at(),
            seconds,
            commit: stored.commit,
        }
    }
}

impl Report for Put {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "{}\n  {} in {} pieces of {} segments ({}), stored in {}\n",
            self.cid,
            table::bytes(self.file_bytes),
            self.pieces,
            self.segments,
            self.coding,
            table::duration(self.seconds - self.commit.map_or(0.0, |commit| commit.seconds))
        ));
        if let Some(commit) = &self.commit {
            out.push_str(&format!(
                "  all {} pieces are committed to, as was checked: {} more, of which {} to go over them\n",
                commit.pieces,
                table::duration(commit.seconds),
                table::duration(commit.check_seconds)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_are_cut_into_few_enough_pieces_or_refused() {
        for policy in Policy::NAMED {
            for length in [0, 1 << 30, 5 << 40] {
                let cut = with_segments_for(policy, length).expect("it fits");
                let pieces = length.div_ceil(cut.segment_bytes()) * u64::from(cut.shards());
                assert!(pieces <= PIECES_MAX, "{policy}, {length} bytes: {pieces}");
            }
            assert_eq!(with_segments_for(policy, 1 << 30).expect("it fits"), policy);
            // Cut down to what is taken, its end would be lost.
            assert!(matches!(with_segments_for(policy, 1 << 60), Err(Failure::Usage(_))), "{policy}");
        }
    }
}
