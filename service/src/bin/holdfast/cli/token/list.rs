//! `holdfast token list`.

use std::path::PathBuf;

use clap::Args;
use holdfast_engine::possession::token::TokenFile;
use serde::Serialize;

use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;

/// Count tokens; --out writes their list, which is no secret, for others who verify
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The token file
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,
    /// Where to write the list
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let file = TokenFile::open(&self.tokens)?;
        let entries = file.entries()?;
        if let Some(out) = &self.out {
            files::write_whole(out, entries.as_flattened())?;
        }
        console.report(&Listed {
            tokens: entries.len(),
            unused: file.unused()?,
            record_digest: hex::encode(file.record_digest()?),
            out: self.out.clone(),
        })
    }
}

#[derive(Serialize)]
struct Listed {
    tokens: usize,
    unused: usize,
    record_digest: String,
    out: Option<PathBuf>,
}

impl Report for Listed {
    fn text(&self, out: &mut String) {
        let Listed { tokens, unused, record_digest, .. } = self;
        out.push_str(&format!("{unused} of {tokens} tokens are left, of record {record_digest}\n"));
    }
}
