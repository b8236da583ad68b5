//! `holdfast get`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use holdfast_service::client::GetOptions;
use serde::Serialize;

use super::watch::Line;
use super::{FileArguments, Owner, OwnerArguments, cid, failure};
use crate::cli::object::get::range;
use crate::cli::secrecy::DecryptionArguments;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table;

/// Get a file back from the miners that hold its pieces; every block is checked
#[derive(Args, Debug)]
#[command(after_help = "\
Without --identity or --passphrase-file the bytes are given as they are stored. The output appears under its name once it is \
whole and right; what came of an interrupted run is kept beside it. To standard output (-) bytes go as soon as they are \
verified: only the exit code says that they are all. Examples:
  holdfast get --chain /srv/chain bafk… --identity key.txt --out film.mkv
  holdfast get --chain /srv/chain bafk… --identity key.txt --out - | tar x")]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: FileArguments,
    /// Where to write it, or - for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    decryption: DecryptionArguments,
    /// Only these bytes of what is stored, to standard output: from A, up to but without B
    #[arg(long, value_name = "A-B", value_parser = range, conflicts_with_all = ["identity", "passphrase_file"])]
    range: Option<Range<u64>>,
    #[command(flatten)]
    owner: OwnerArguments,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let to_standard_output = self.out == Path::new("-");
        if to_standard_output && console.json() {
            return Err(Failure::Usage("--json and --out - both want standard output".to_owned()));
        }
        if self.range.is_some() && !to_standard_output {
            return Err(Failure::Usage("--range goes to standard output: give --out -".to_owned()));
        }
        let identities = self.decryption.identities()?;
        let Owner { runtime, client } = self.owner.open(console)?;
        let root = self.file.cid.0;
        let watch = Line::new(console, "get", cid(&root));
        let started = Instant::now();
        if let Some(range) = &self.range {
            let written = client.get_range(&root, range.clone(), std::io::stdout(), watch);
            runtime.block_on(written).map_err(failure)?;
            return Ok(Exit::Done);
        }
        let decrypted = identities.is_some();
        let options = GetOptions { identities, watch };
        if to_standard_output {
            let written = client.get_to(&root, std::io::stdout(), options);
            runtime.block_on(written).map_err(failure)?;
            return Ok(Exit::Done);
        }
        let got = runtime.block_on(client.get(&root, &self.out, options)).map_err(failure)?;
        console.report(&Got {
            cid: cid(&root),
            out: &self.out,
            bytes: got.bytes,
            resumed_bytes: got.resumed_bytes,
            decrypted,
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}

#[derive(Serialize)]
struct Got<'a> {
    cid: String,
    out: &'a Path,
    bytes: u64,
    /// Stored bytes that an interrupted run had left.
    resumed_bytes: u64,
    decrypted: bool,
    seconds: f64,
}

impl Report for Got<'_> {
    fn text(&self, out: &mut String) {
        let what = if self.decrypted { "checked and decrypted" } else { "checked" };
        out.push_str(&format!(
            "{}: {} {what} in {}\n",
            self.out.display(),
            table::bytes(self.bytes),
            table::duration(self.seconds)
        ));
    }
}
