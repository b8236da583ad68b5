//! `holdfast verify`: judge responses.

mod judge;
mod lines;

use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_engine::backend::{self, Backend};
use rayon::prelude::*;
use serde::Serialize;

use super::options::PolicyArguments;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::judging::Verdict;
use crate::table;

use judge::{Evidence, Examined, Judge};

/// Responses in memory at once.
const TOGETHER: usize = 256;

/// Judge responses to challenges; exit code 2 and a class if one is rejected
#[derive(Args, Debug)]
#[command(after_help = "\
Needs the commitments only, no disk of the miner's. A response names its challenge, and a challenge its commitment, so many of \
each can be given, as files or as directories of them. Classes are listed in docs/spec/challenge-v1.md §8. With --lines each \
line of standard input is a response: {\"id\": 1, \"commitment\": …, \"challenge\": …, \"response\": …}, each of them a path or \
\"hex:…\"; commitment and challenge can be left out if they are given as files. Examples:
  holdfast verify --commitment a.commitment --challenge a.challenge --response a.response --json
  holdfast verify --commitment kept/ --challenge asked/ --response got/ --batch --json")]
pub(crate) struct Arguments {
    /// Commitments of partitions, records of objects
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "lines")]
    commitment: Vec<PathBuf>,
    /// The challenges
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "lines")]
    challenge: Vec<PathBuf>,
    /// The responses
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "lines")]
    response: Vec<PathBuf>,
    /// Read responses from standard input, a JSON object a line
    #[arg(long, conflicts_with = "response")]
    lines: bool,
    /// Check all possession responses in one equation; verdicts are the same, and culprits are named
    #[arg(long)]
    batch: bool,
    /// Tables of commitments that the verifier keeps, as points files; responses need no openings then
    #[arg(long, value_name = "FILE", num_args = 1..)]
    points: Vec<PathBuf>,
    /// Lists of tokens, as token files or as `holdfast token list` writes them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    tokens: Vec<PathBuf>,
    /// Accept records of objects that this checker signed, and no others; may be repeated
    #[arg(long, value_name = "KEY")]
    checker: Vec<String>,
    #[command(flatten)]
    policy: PolicyArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let evidence = Evidence::read(self, console)?;
        let mut judge = Judge::new(&evidence, self.policy.resolve()?, self.batch)?;
        if self.lines {
            let mut lines = lines::Lines::new();
            loop {
                let together = lines.next(TOGETHER)?;
                if together.is_empty() {
                    break;
                }
                let examined = together.par_iter().map(|line| judge.examine_line(line)).collect();
                take_all(&mut judge, examined)?;
            }
        } else {
            for paths in files_with(&self.response, &[b"HFA1", b"HFA2"])?.chunks(TOGETHER) {
                let examined = paths.par_iter().map(|path| judge.examine(path)).collect();
                take_all(&mut judge, examined)?;
            }
        }
        console.report(&judge.conclude()?)
    }
}

fn take_all(judge: &mut Judge<'_>, examined: Vec<Result<Examined, Failure>>) -> Result<(), Failure> {
    examined.into_iter().try_for_each(|examined| judge.take(examined?))
}

/// The files that are meant: those that are named, and those in directories that are named which begin with one of the
/// tags, by name.
pub(super) fn files_with(paths: &[PathBuf], tags: &[&[u8; 4]]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let failed = |error| Failure::file("read directory", path, error);
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?.path();
            if entry.is_file() && begins_with(&entry, tags)? {
                inside.push(entry);
            }
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn begins_with(path: &Path, tags: &[&[u8; 4]]) -> Result<bool, Failure> {
    use std::io::Read;
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4).read_to_end(&mut start));
    read.map_err(|error| Failure::file("read", path, error))?;
    Ok(tags.iter().any(|tag| start == **tag))
}

/// The back end that verifies.
fn fastest() -> Result<&'static dyn Backend, Failure> {
    backend::select(backend::Choice::Auto).map_err(|error| Failure::Absent(error.to_string()))
}

#[derive(Serialize)]
struct Judged {
    #[serde(flatten)]
    name: judge::Name,
    /// Kind of the challenge, if there is one for it.
    kind: Option<&'static str>,
    #[serde(flatten)]
    verdict: Verdict,
    /// Without the shared equation, if there is one.
    seconds: f64,
}

/// What one equation for all took.
#[derive(Serialize)]
struct Batch {
    responses: usize,
    seconds: f64,
}

#[derive(Serialize)]
struct Verdicts {
    /// `accepted` if every response is.
    verdict: &'static str,
    /// Class of the first response that is not.
    class: Option<&'static str>,
    /// Kind of the first challenge.
    kind: Option<&'static str>,
    accepted: usize,
    rejected: usize,
    responses: Vec<Judged>,
    /// Digests of challenges that no response names.
    unanswered: Vec<String>,
    batch: Option<Batch>,
}

impl Report for Verdicts {
    fn text(&self, out: &mut String) {
        for judged in &self.responses {
            let time = table::duration(judged.seconds);
            out.push_str(&format!("{}: {}  ({time})\n", judged.name, judged.verdict.line()));
        }
        if let Some(Batch { responses, seconds }) = &self.batch {
            out.push_str(&format!("{responses} in one equation: {}\n", table::duration(*seconds)));
        }
        for digest in &self.unanswered {
            out.push_str(&format!("challenge {digest}: not answered\n"));
        }
    }

    fn exit(&self) -> Exit {
        if self.class.is_none() { Exit::Done } else { Exit::Rejected }
    }
}
