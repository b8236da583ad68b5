//! `holdfast engine run`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use holdfast_service::engine_service::{PORT, Ready, Settings, run};
use holdfast_service::operation::logging::{self, LogFormat};
use serde::Serialize;

use super::failure;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;
use crate::interrupt;

/// Serve jobs, answers and verification until interrupted
#[derive(Args, Debug)]
#[command(after_help = "\
Whoever reaches the engine may use all of it: it serves loopback, or callers with certificates ([server.tls]). Ctrl-C or SIGTERM: \
jobs end after the work in flight, and go on when the engine runs again. So they do after a crash. Examples:
  holdfast engine run --config engine.toml
  holdfast engine run --dir /mnt/disk1 --dir /mnt/disk2")]
pub(super) struct Arguments {
    /// The configuration (docs/guide/engine.md)
    #[arg(long, value_name = "FILE", required_unless_present = "dirs")]
    config: Option<PathBuf>,
    /// A directory to work on; may be repeated
    #[arg(long = "dir", value_name = "DIR", conflicts_with = "config")]
    dirs: Vec<PathBuf>,
    /// Where to serve [default: the configuration's, or 127.0.0.1:7703]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Let machines that run `holdfast worker run` make windows for fills (docs/guide/workers.md)
    #[arg(long)]
    workers: bool,
    /// Show metrics at http://ADDRESS:PORT/metrics [default: the configuration's, or nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// How log lines look, on standard error
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    log: LogFormat,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        logging::set_up(self.log).map_err(|error| Failure::Usage(error.to_string()))?;
        let mut settings = match &self.config {
            Some(path) => Settings::from_toml(&files::read_text(path)?)?,
            None => Settings::of(self.dirs.clone(), (Ipv4Addr::LOCALHOST, PORT).into()),
        };
        if let Some(listen) = self.listen {
            settings.server.address = listen;
        }
        if self.workers {
            settings.workers.get_or_insert_default();
        }
        settings.metrics.address = self.metrics.or(settings.metrics.address);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::file("start threads for", "this process", error))?;
        let stop = interrupt::token();
        let mut served = None;
        let ready = |ready: &Ready| {
            console.note(format!("the engine serves at {}", ready.address));
            if let Some(address) = ready.metrics {
                console.note(format!("metrics are at http://{address}/metrics"));
            }
            served = Some(ready.clone());
        };
        runtime.block_on(run(&settings, stop.cancelled(), ready)).map_err(failure)?;
        console.report(&Ran { served })
    }
}

#[derive(Serialize)]
struct Ran {
    /// Where it served; nothing if it ended before.
    served: Option<Ready>,
}

impl Report for Ran {
    fn text(&self, out: &mut String) {
        out.push_str("stopped\n");
    }
}
