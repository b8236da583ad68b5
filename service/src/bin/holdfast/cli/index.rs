//! `holdfast index`: what a miner or a validator remembers, from one place to another.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use holdfast_service::index::{self, Copied, IndexError, copy_watched, postgres};
use serde::Serialize;

use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table;

/// Progress is told no more often.
const INTERVAL: Duration = Duration::from_secs(2);

/// Move what a miner or a validator remembers
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Copy(CopyArguments),
}

/// Copy an index into an empty one: from a file to a PostgreSQL server, or back
#[derive(Args, Debug)]
#[command(after_help = "\
Stop the process whose index it is, copy, and start it with the new place in its configuration; then remove the old index, or two \
processes could believe that they are the one. A copy that is cut off is refused by whoever opens it: remove it and copy again. Examples:
  holdfast index copy /var/lib/holdfast/validator.index postgres://holdfast@db.example/holdfast?sslmode=verify-full
  holdfast index copy postgres://holdfast@%2Frun%2Fpostgresql/holdfast /mnt/new/validator.index")]
struct CopyArguments {
    /// The index: a file, or a postgres:// URL
    #[arg(value_name = "FROM")]
    from: String,
    /// Where it goes: a file that is made, or a postgres:// URL of a database without an index
    #[arg(value_name = "TO")]
    to: String,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Copy(arguments) => arguments.run(console),
        }
    }
}

impl CopyArguments {
    fn run(&self, console: &Console) -> Result<Exit, Failure> {
        if !postgres::is_url(&self.from) && !Path::new(&self.from).is_file() {
            return Err(Failure::NotFound(format!("there is no index {}", self.from)));
        }
        let started = Instant::now();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::file("start threads for", "this process", error))?;
        let told = Mutex::new(Instant::now());
        let watch = |copied: Copied| {
            let Ok(mut told) = told.lock() else { return };
            if console.progress().is_some() && told.elapsed() >= INTERVAL {
                *told = Instant::now();
                console.note(format!("{} entries, {}", copied.entries, table::bytes(copied.bytes)));
            }
        };
        let (place, copied) = runtime.block_on(async {
            let from = index::open(&self.from).await.map_err(failure)?;
            let to = index::open(&self.to).await.map_err(failure)?;
            let copied = copy_watched(&*from, &*to, &watch).await.map_err(failure)?;
            Ok::<_, Failure>((to.place().to_owned(), copied))
        })?;
        console.report(&Moved { to: place, seconds: started.elapsed().as_secs_f64(), copied })
    }
}

/// Of what went wrong with an index.
fn failure(error: IndexError) -> Failure {
    match error {
        IndexError::Locked { place } => Failure::Locked(place.into()),
        IndexError::Foreign { place, reason } => Failure::State {
            message: format!("{place}: {reason}"),
            advice: "name an index that can be used; docs/guide/index.md says how indexes move".to_owned(),
        },
        other => Failure::work("index", "index", other),
    }
}

#[derive(Serialize)]
struct Moved {
    /// Where it is now, without passwords.
    to: String,
    seconds: f64,
    #[serde(flatten)]
    copied: Copied,
}

impl Report for Moved {
    fn text(&self, out: &mut String) {
        let Copied { entries, bytes } = self.copied;
        let (bytes, time) = (table::bytes(bytes), table::duration(self.seconds));
        out.push_str(&format!("{entries} entries, {bytes}, copied to {} in {time}\n", self.to));
        out.push_str("remove the old index once the process runs with the new one\n");
    }
}
