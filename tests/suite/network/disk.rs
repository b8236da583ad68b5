//! A miner's disk: allocated, filled, recorded; and the real miner that serves it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::fill;
use holdfast_engine::recorder::FileRecorder;
use holdfast_engine::registration::Profile;
use holdfast_engine::signature::Signer;
use holdfast_partition::allocate::{Stake, StakeTable};
use holdfast_partition::io::IoChoice;
use holdfast_partition::partition_file::OpenMode;
use holdfast_service::chain::{Chain, RECORDER_FILE};
use holdfast_service::index::EmbeddedIndex;
use holdfast_service::local::allocation::{NamedAccount, Shares, Site, apply, propose};
use holdfast_service::local::commit;
use holdfast_service::local::console::{Console, OutputArguments, ProgressWhen};
use holdfast_service::local::disks::Disk;
use holdfast_service::local::machine::Machine;
use holdfast_service::local::objects::ObjectDirectory;
use holdfast_service::local::recording::Registrar;
use holdfast_service::miner::limits::Limits;
use holdfast_service::miner::{Miner, Parts, Validators};
use holdfast_service::wire::clock::Clock;

use super::scene::{Scene, account};
use super::server::Server;

/// Bytes of a window; the real default is 1 GiB.
pub(crate) const WINDOW_BYTES: u64 = 32 << 10;
/// Disk space for each validator, of which a partition takes half for itself.
const DISK_BYTES: u64 = 2 << 20;
const LAYERS: u8 = 4;
/// Bytes of one message that a miner takes.
const MESSAGE_BYTES: usize = 4 << 20;

/// A real miner with its disk.
pub(crate) struct RealMiner {
    pub(crate) signer: Arc<Signer>,
    pub(crate) directory: PathBuf,
    pub(crate) server: Server,
}

impl RealMiner {
    /// Makes the disk and serves it.
    pub(crate) async fn start(scene: &Scene, name: &str, limits: Limits) -> RealMiner {
        let directory = scene.folder.path().join(name);
        tokio::task::block_in_place(|| prepare(scene, name, &directory));
        let signer = Arc::new(Signer::development(name));
        let miner = Miner::open(Parts {
            signer: Arc::clone(&signer),
            clock: Arc::clone(&scene.clock) as Arc<dyn Clock>,
            recorder: scene.driver.chain().recorder(),
            index: Arc::new(EmbeddedIndex::in_memory().expect("memory")),
            policy: scene.policy.clone(),
            machine: Machine::of_this_host(Some(1)).expect("a machine"),
            directories: vec![directory.clone()],
            limits,
            metrics: Arc::default(),
            workers: None,
            validators: Validators::of(scene.validators.iter().map(|(name, stake)| (account(name), *stake))),
        });
        let routes = miner.await.expect("opens").routes(MESSAGE_BYTES);
        RealMiner { signer, directory, server: Server::start(routes).await }
    }

    pub(crate) fn account(&self) -> Account {
        self.signer.account()
    }

    pub(crate) fn disk(&self) -> Disk {
        Disk::open(&self.directory).expect("allocated")
    }

    /// The bytes of all windows of the first partition.
    pub(crate) fn windows(&self) -> Vec<Vec<u8>> {
        let disk = self.disk();
        let partition = &disk.manifest.partitions[0];
        let file = disk.open_file(partition, OpenMode::ReadOnly, IoChoice::Pread).expect("opens");
        let bytes = std::fs::read(disk.path(partition)).expect("reads");
        let at = |window| usize::try_from(file.window_offset(window).expect("is there")).expect("small");
        let length = usize::try_from(WINDOW_BYTES).expect("small");
        (0..partition.windows).map(|window| bytes[at(window)..at(window) + length].to_vec()).collect()
    }
}

fn prepare(scene: &Scene, name: &str, directory: &Path) {
    let console = console();
    std::fs::create_dir(directory).expect("creates");
    let stake = |(uid, (name, rao)): (u32, &(&str, u64))| Stake {
        uid,
        hotkey: (*name).to_owned(),
        #[expect(clippy::cast_precision_loss, reason = "round numbers")]
        stake: *rao as f64 / 1e9,
    };
    let stakes = (0..).zip(&scene.validators).map(stake).collect();
    let shares = Shares {
        stakes: StakeTable::new(stakes).expect("stakes"),
        threshold: 1.0,
        max_bytes: Some(DISK_BYTES * scene.validators.len() as u64),
        window_bytes: Some(WINDOW_BYTES),
        profile: Some(Profile::Custom(LAYERS)),
        object_reserve: 0.0,
    };
    let miner = NamedAccount::parse(name, &console).expect("a name");
    let recorder = scene.folder.path().join("chain").join(RECORDER_FILE);
    let chain = FileRecorder::open(&recorder).expect("a recorder");
    let site = Site { miner: &miner, netuid: 0, wallet: None, hotkey: None, recorder };
    let proposal = propose(directory, &shares).expect("a proposal");
    let disk = apply(proposal, &site, &chain, &console).expect("allocates");
    let machine = Machine::of_this_host(Some(1)).expect("a machine");
    for partition in &disk.manifest.partitions {
        let file = disk.open_file(partition, OpenMode::ReadWrite, IoChoice::Pread).expect("opens");
        let options = machine.fill_options(&disk.path(partition), &Default::default());
        fill(&file, &options, &Control::default(), &()).expect("fills");
        file.close().expect("closes");
    }
    commit::record_batches(&disk, Registrar { recording: &chain, miner: &miner }).expect("records");
    let objects = ObjectDirectory::open(directory).expect("opens");
    for (place, partition) in disk.manifest.partitions.iter().enumerate() {
        let shelf = objects.open_or_create(objects.beside(place).expect("a partition")).expect("a store");
        let budget = partition.size_bytes + scene.object_bytes;
        shelf.objects.store().set_budget(budget).expect("has room");
    }
}

fn console() -> Console {
    Console::new(&OutputArguments { json: false, progress: ProgressWhen::Never })
}
