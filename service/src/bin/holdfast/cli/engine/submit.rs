//! `holdfast engine submit`.

use clap::{Args, Subcommand, ValueEnum};
use holdfast_engine::object::Address;
use holdfast_service::local::size;
use holdfast_service::proto;

use super::EngineArguments;
use super::job::JobReport;
use super::watch::watch;
use crate::cli::object::address;
use crate::cli::options::hex_digest;
use crate::console::{Console, Exit};
use crate::failure::Failure;

/// Give an engine a job; the same --id with the same terms is the same job, however often it is given
#[derive(Args, Debug)]
#[command(after_help = "\
Jobs of one directory are done one after another. Examples:
  holdfast engine submit --dir /mnt/disk1 --id fill-1 --watch fill
  holdfast engine submit --dir /mnt/disk1 --id scrub-2026-11 --priority low scrub --repair")]
pub(super) struct Arguments {
    /// The request id, 1 to 64 characters without spaces [default: a random one, which is printed]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// A directory of the engine's, as its configuration names it
    #[arg(long, value_name = "DIR")]
    dir: String,
    /// Which of the jobs that wait is next
    #[arg(long, value_name = "WHICH", default_value = "normal")]
    priority: Priority,
    /// Read or write at most this many bytes a second
    #[arg(long, value_name = "SIZE", value_parser = size)]
    rate_limit: Option<u64>,
    /// Wait until it ends, with progress
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    engine: EngineArguments,
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Priority {
    Low,
    Normal,
    High,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Make and write every window that is not there yet
    Fill,
    /// Read all data back and compare it with its roots
    Scrub {
        /// Make damaged windows again
        #[arg(long)]
        repair: bool,
    },
    /// Change the number of windows of a partition; windows above it are given up
    Resize {
        /// Id of the partition
        #[arg(long, value_name = "ID")]
        partition: u64,
        /// The new number of windows
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        windows: u64,
    },
    /// Commit to objects that wait for it
    Commit {
        /// Only this object (CID or root)
        #[arg(long, value_name = "CID", value_parser = address)]
        object: Option<Address>,
    },
    /// Audit how windows were made
    SealAudit {
        /// Audit policy: default, test, or JSON
        #[arg(long, value_name = "POLICY", default_value = "default")]
        policy: String,
        /// Make whole windows again and compare all their roots
        #[arg(long)]
        replay: bool,
        /// How many windows of each partition to make again [default: all]
        #[arg(long, value_name = "N", requires = "replay", value_parser = clap::value_parser!(u64).range(1..))]
        windows: Option<u64>,
        /// Beacon that chooses what is asked, 64 hex digits [default: the recorder's]
        #[arg(long, value_name = "HEX", value_parser = hex_digest)]
        beacon: Option<[u8; 32]>,
    },
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let request = self.request()?;
        let id = request.request_id.clone();
        let mut connected = self.engine.connect()?;
        let submitted = connected.runtime.block_on(connected.client.submit(request));
        let job = submitted.map_err(|status| connected.refused(status))?.into_inner();
        if self.watch {
            return console.report(&watch(&mut connected, &id, console)?);
        }
        console.report(&JobReport::of(&job)?)
    }

    fn request(&self) -> Result<proto::SubmitRequest, Failure> {
        let id = self.id.clone().map_or_else(random_id, Ok)?;
        let priority = match self.priority {
            Priority::Low => proto::Priority::Low,
            Priority::Normal => proto::Priority::Normal,
            Priority::High => proto::Priority::High,
        };
        let mut request = proto::SubmitRequest {
            request_id: id,
            priority: priority.into(),
            directory: self.dir.clone(),
            rate_limit_bytes: self.rate_limit.unwrap_or_default(),
            ..proto::SubmitRequest::default()
        };
        let kind = self.kind.add_terms(&mut request)?;
        request.set_kind(kind);
        Ok(request)
    }
}

impl Kind {
    /// Adds the terms of the kind, and says which it is.
    fn add_terms(&self, request: &mut proto::SubmitRequest) -> Result<proto::JobKind, Failure> {
        Ok(match self {
            Kind::Fill => proto::JobKind::Fill,
            Kind::Scrub { repair } => {
                request.scrub = Some(proto::ScrubTerms { repair: *repair });
                proto::JobKind::Scrub
            }
            Kind::Resize { partition, windows } => {
                request.resize = Some(proto::ResizeTerms { partition_id: *partition, windows: *windows });
                proto::JobKind::Resize
            }
            Kind::Commit { object } => {
                let object_root = match object {
                    None => Vec::new(),
                    Some(Address::Blake3(root)) => root.to_vec(),
                    Some(Address::Sha256(_)) => {
                        let message = "an engine takes the BLAKE3 CID of an object, or its root";
                        return Err(Failure::Usage(message.to_owned()));
                    }
                };
                request.commit = Some(proto::CommitTerms { object_root: object_root.into() });
                proto::JobKind::Commit
            }
            Kind::SealAudit { policy, replay, windows, beacon } => {
                request.seal_audit = Some(proto::SealAuditTerms {
                    policy: policy.clone(),
                    beacon: beacon.map(|beacon| beacon.to_vec()).unwrap_or_default().into(),
                    replay: *replay,
                    windows: windows.unwrap_or_default(),
                });
                proto::JobKind::SealAudit
            }
        })
    }
}

fn random_id() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Absent(format!("no randomness: {error}")))?;
    Ok(hex::encode(bytes))
}
