//! One miner of the demo: real files, a real socket, and what is wrong with it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::jobs::fill::fill;
use holdfast_engine::recorder::FileRecorder;
use holdfast_engine::registration::Profile;
use holdfast_engine::signature::Signer;
use holdfast_partition::allocate::StakeTable;
use holdfast_partition::io::IoChoice;
use holdfast_partition::objects::ObjectFile;
use holdfast_partition::partition_file::OpenMode;
use holdfast_service::chain::Chain;
use holdfast_service::index::{EmbeddedIndex, EmbeddedSettings};
use holdfast_service::listen::{Listener, Settings};
use holdfast_service::local::recording::Registrar;
use holdfast_service::miner::limits::Limits;
use holdfast_service::miner::{self, Parts, Validators};
use holdfast_service::wire::clock::SystemClock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::mischief::{self, Mischief, Proxy};
use super::stage::{DEADLINE_MS, Stage};
use crate::allocation::{NamedAccount, Shares, Site, apply, propose};
use crate::commit;
use crate::disks::Disk;
use crate::failure::Failure;
use crate::interrupt;
use crate::machine::Machine;
use crate::objects::ObjectDirectory;

/// Bytes of a window; the real default is 1 GiB, and this demo wants to end.
const WINDOW_BYTES: u64 = 32 << 10;
/// Disk space of each miner.
const DISK_BYTES: u64 = 10 << 20;
/// Layers of a window, for the same reason.
const LAYERS: u8 = 4;

/// What a miner of the demo does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    /// Keeps everything and answers at once.
    Honest,
    /// Keeps everything and takes its time.
    Slow,
    /// A disk has lost 2 % of its data, and nobody has scrubbed it.
    Lossy,
    /// Stores nothing and answers with random bytes.
    Empty,
    /// Answers right, after the deadline.
    Late,
    /// Is killed after a third of the rounds, and comes back after two thirds.
    Mortal,
}

impl Conduct {
    pub(super) const ALL: [Conduct; 6] =
        [Conduct::Honest, Conduct::Slow, Conduct::Lossy, Conduct::Empty, Conduct::Late, Conduct::Mortal];

    /// The miner's development name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Conduct::Honest => "honest",
            Conduct::Slow => "slow",
            Conduct::Lossy => "lossy",
            Conduct::Empty => "empty",
            Conduct::Late => "late",
            Conduct::Mortal => "mortal",
        }
    }

    /// What it does, for people.
    pub(super) fn story(self) -> &'static str {
        match self {
            Conduct::Honest => "keeps everything",
            Conduct::Slow => "keeps everything, on slow disks",
            Conduct::Lossy => "has lost 2 % of its data",
            Conduct::Empty => "stores nothing",
            Conduct::Late => "answers after the deadline",
            Conduct::Mortal => "dies and comes back",
        }
    }

    fn mischief(self, signer: &Arc<Signer>) -> Option<Mischief> {
        let part = |share: u32| Duration::from_millis(u64::from(DEADLINE_MS) * u64::from(share) / 100);
        match self {
            Conduct::Slow => Some(Mischief::Late(part(40))),
            Conduct::Late => Some(Mischief::Late(part(130))),
            Conduct::Empty => Some(Mischief::Lies(Arc::clone(signer))),
            Conduct::Honest | Conduct::Lossy | Conduct::Mortal => None,
        }
    }
}

/// A miner with its disk.
pub(super) struct DemoMiner {
    pub(super) conduct: Conduct,
    pub(super) signer: Arc<Signer>,
    /// Where validators find it.
    pub(super) address: Option<SocketAddr>,
    directory: PathBuf,
    running: Option<Running>,
}

struct Running {
    _proxy: Option<mischief::Running>,
    end: CancellationToken,
    served: JoinHandle<()>,
}

impl DemoMiner {
    /// Allocates a disk for all validators, fills it and records the commitments. Blocks.
    pub(super) fn prepare(
        conduct: Conduct,
        stage: &Stage<'_>,
        recorder: &FileRecorder,
    ) -> Result<DemoMiner, Failure> {
        let directory = stage.directory().join(conduct.name());
        std::fs::create_dir(&directory).map_err(|error| Failure::file("create", &directory, error))?;
        let miner = NamedAccount::parse(conduct.name(), stage.console)?;
        let stakes =
            StakeTable::new(stage.stakes()).map_err(|error| Failure::work("state", "the demo", error))?;
        let shares = Shares {
            stakes,
            threshold: 1.0,
            max_bytes: Some(DISK_BYTES),
            window_bytes: Some(WINDOW_BYTES),
            profile: Some(Profile::Custom(LAYERS)),
            object_reserve: 0.5,
        };
        let path = recorder.path().to_owned();
        let site = Site { miner: &miner, netuid: 0, wallet: None, hotkey: None, recorder: path };
        let proposal = propose(&directory, &shares)?;
        let budgets: BTreeMap<String, u64> =
            proposal.partitions.iter().map(|share| (share.validator.clone(), share.bytes)).collect();
        let disk = apply(proposal, &site, recorder, stage.console)?;
        leave_room(&directory, &budgets)?;
        for partition in &disk.manifest.partitions {
            let path = disk.path(partition);
            let file = disk.open_file(partition, OpenMode::ReadWrite, IoChoice::Auto)?;
            let options = stage.machine.fill_options(&path, &Default::default());
            fill(&file, &options, &interrupt::control(None), &())
                .map_err(|error| Failure::work("fill", &path, error))?;
            file.close().map_err(|error| Failure::partition(&path, error))?;
        }
        commit::record_batches(&disk, Registrar { recording: recorder, miner: &miner })?;
        let signer = Arc::new(Signer::development(conduct.name()));
        Ok(DemoMiner { conduct, signer, address: None, directory, running: None })
    }

    /// Overwrites the windows that this miner has lost, behind its back.
    pub(super) fn lose(&self) -> Result<u64, Failure> {
        let one_in = match self.conduct {
            Conduct::Lossy => 50,
            Conduct::Empty => 1,
            _ => return Ok(0),
        };
        let disk = Disk::open(&self.directory)?;
        let mut lost = 0;
        for partition in &disk.manifest.partitions {
            let path = disk.path(partition);
            let file = disk.open_file(partition, OpenMode::ReadOnly, IoChoice::Pread)?;
            for window in (0..partition.windows).step_by(one_in) {
                let at = file.window_offset(window).map_err(|error| Failure::partition(&path, error))?;
                overwrite(&path, at, WINDOW_BYTES)?;
                lost += 1;
            }
        }
        Ok(lost)
    }

    /// Overwrites what this miner keeps for owners, if it loses that, behind its back. Returns how many objects it was.
    pub(super) fn lose_objects(&self) -> Result<u64, Failure> {
        if self.conduct != Conduct::Lossy {
            return Ok(0);
        }
        let directory = ObjectDirectory::open(&self.directory)?;
        let mut lost = 0;
        for shelf in directory.shelves() {
            let open = directory.open_shelf(shelf, OpenMode::ReadOnly)?;
            let store = open.objects.store();
            for object in store.list().map_err(|error| open.store_failed(error))? {
                overwrite(&store.file_path(object.entry.name, ObjectFile::Data), 0, object.entry.data_bytes)?;
                lost += 1;
            }
        }
        Ok(lost)
    }

    /// Serves, at the address that it had before if it had one behind no proxy.
    pub(super) async fn start(&mut self, stage: &Stage<'_>) -> Result<(), Failure> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Failure::work("network", self.conduct.name(), error)
        };
        let index = EmbeddedIndex::open(&self.directory.join("index"), EmbeddedSettings::default()).await;
        let miner = miner::Miner::open(Parts {
            signer: Arc::clone(&self.signer),
            clock: Arc::new(SystemClock),
            recorder: stage.chain().recorder(),
            index: Arc::new(index.map_err(|error| failed(error.into()))?),
            policy: stage.policy.clone(),
            machine: Machine::of_this_host(Some(1))?,
            directories: vec![self.directory.clone()],
            limits: Limits::default(),
            validators: Validators::of(stage.validators()),
            metrics: Arc::default(),
            workers: None,
        });
        let miner = miner.await.map_err(|error| failed(error.into()))?;
        let settings = Settings::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listener = Listener::bind(&settings).await.map_err(|error| failed(error.into()))?;
        let (behind, end) = (listener.address(), CancellationToken::new());
        let routes = miner.routes(settings.message_bytes);
        let ended = end.clone().cancelled_owned();
        let served = tokio::spawn(async move {
            // Whatever ends it: the validators see that nobody answers.
            let _ = listener.serve(routes, &[miner::SERVICE], ended).await;
        });
        let proxy = match self.conduct.mischief(&self.signer) {
            Some(mischief) => Some(Proxy::before(behind, mischief).await?),
            None => None,
        };
        self.address = Some(proxy.as_ref().map_or(behind, |proxy| proxy.address));
        self.running = Some(Running { _proxy: proxy, end, served });
        Ok(())
    }

    /// Whether it serves.
    pub(super) fn is_alive(&self) -> bool {
        self.running.is_some()
    }

    /// Ends it; its files stay.
    pub(super) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end.cancel();
            let _ = running.served.await;
        }
    }
}

/// The whole share of each validator is its windows' and its objects' together.
fn leave_room(directory: &Path, budgets: &BTreeMap<String, u64>) -> Result<(), Failure> {
    let objects = ObjectDirectory::open(directory)?;
    let partitions = objects.disk.iter().flat_map(|disk| &disk.manifest.partitions);
    for (place, partition) in partitions.enumerate() {
        let Some(shelf) = objects.beside(place) else { continue };
        let open = objects.open_or_create(shelf)?;
        let budget_bytes = budgets.get(&partition.validator_hotkey).copied().unwrap_or(partition.size_bytes);
        open.objects.store().set_budget(budget_bytes).map_err(|error| open.store_failed(error))?;
    }
    Ok(())
}

/// Zeros in place of what was there.
fn overwrite(path: &Path, at: u64, length_bytes: u64) -> Result<(), Failure> {
    let zeros = vec![0; usize::try_from(length_bytes).unwrap_or_default()];
    let file = std::fs::OpenOptions::new().write(true).open(path);
    let written = file.and_then(|file| file.write_all_at(&zeros, at).and_then(|()| file.sync_all()));
    written.map_err(|error| Failure::file("write to", path, error))
}
