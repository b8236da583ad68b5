//! A network on the sockets of this machine, for tests: a chain in a directory, a validator that cares for files, miners with disks.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::policy::Policy as NetworkPolicy;
use holdfast_engine::recorder::{FileRecorder, SimulationSettings};
use holdfast_engine::registration::Profile;
use holdfast_engine::signature::Signer;
use holdfast_partition::allocate::{Stake, StakeTable};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::service::Routes;

use super::{Client, Fault, GetOptions, PutOptions, Stored, Watch};
use crate::chain::{Chain, Driver, Event, NetworkFile, NetworkSettings, NewNeuron, RECORDER_FILE, Script};
use crate::connect::Connector;
use crate::connect::testing::{Authority, connector};
use crate::encryption::{Identities, OwnerKey, Recipients};
use crate::index::{EmbeddedIndex, EmbeddedSettings, Index, IndexError};
use crate::listen::{Listener, Settings};
use crate::local::allocation::{NamedAccount, Shares, Site, apply, propose};
use crate::local::console::{Console, OutputArguments, ProgressWhen};
use crate::local::machine::Machine;
use crate::local::objects::ObjectDirectory;
use crate::miner::limits::Limits;
use crate::miner::{Miner, Parts, Validators};
use crate::pieces::Policy;
use crate::proto::validator_server::ValidatorServer;
use crate::validator::care::{CareSettings, Keeper};
use crate::validator::judge::Judge;
use crate::validator::node;
use crate::validator::peers::{Peer, Peers};
use crate::validator::serve::{Care, Service};
use crate::wire::Correspondent;
use crate::wire::clock::{Clock, ManualClock};

pub(crate) const VALIDATOR: &str = "validator";
const STAKE_RAO: u64 = 1_000_000_000_000;
const NOW_SECONDS: u64 = 1_900_000_000;
/// Room for objects beside the windows of each miner's share.
const OBJECT_BYTES: u64 = 8 << 20;

/// What outlives all processes: the chain, disks, and what is written down.
pub(crate) struct Ground {
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) driver: Arc<Driver<FileRecorder, NetworkFile>>,
    policy: NetworkPolicy,
    network: [u8; 32],
    /// Vouches for all nodes, which then speak TLS.
    authority: Option<Authority>,
}

/// Something that serves until it is ended.
pub(crate) struct Running<T> {
    pub(crate) node: Arc<T>,
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// Remembers faults.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn take(&self) -> Vec<Fault> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl Watch for Faults {
    fn fault(&self, fault: &Fault) {
        self.0.lock().expect("no panic").push(fault.clone());
    }
}

impl<T> Running<T> {
    async fn serve(node: Arc<T>, routes: Routes, settings: &Settings) -> Running<T> {
        let listener = Listener::bind(settings).await.expect("binds");
        let address = listener.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            listener.serve(routes, &[], shutdown).await.expect("a clean end");
        });
        Running { node, address, stop, served }
    }

    /// Ends it and everything that it holds.
    pub(crate) async fn end(self) {
        let Running { node, stop, served, .. } = self;
        let _ = stop.send(());
        served.await.expect("no panic");
        let mut node = Some(node);
        while let Some(held) = node.take() {
            node = Arc::try_unwrap(held).err();
            tokio::task::yield_now().await;
        }
    }
}

impl Ground {
    /// A network of a validator.
    pub(crate) fn new() -> Ground {
        let folder = tempfile::tempdir().expect("a directory");
        let policy = NetworkPolicy::test();
        let settings = SimulationSettings {
            finality_blocks: NonZeroU64::new(policy.finality_blocks).expect("at least 1"),
            ..SimulationSettings::default()
        };
        let validator = NewNeuron {
            validator_permit: true,
            stake_rao: STAKE_RAO,
            ..neuron(Signer::development(VALIDATOR).account(), None)
        };
        let script = Script { neurons: vec![validator], events: Vec::new() };
        let driver =
            Driver::in_directory(&folder.path().join("chain"), settings, NetworkSettings::default(), script);
        let driver = Arc::new(driver.expect("a chain"));
        let clock = Arc::new(ManualClock::at(NOW_SECONDS * 1000));
        Ground { folder, clock, driver, policy, network: settings.network, authority: None }
    }

    /// The same, in which everybody speaks TLS.
    pub(crate) fn with_tls() -> Ground {
        let ground = Ground::new();
        let authority = Authority::new(ground.folder.path(), "network");
        Ground { authority: Some(authority), ..ground }
    }

    /// How everybody connects to others.
    pub(crate) fn connector(&self) -> Connector {
        let trusted = self.authority.as_ref().map(|authority| connector(authority.trusted()));
        trusted.unwrap_or_else(Connector::plain)
    }

    async fn serve<T>(&self, node: Arc<T>, routes: Routes) -> Running<T> {
        let mut settings = Settings::at(([127, 0, 0, 1], 0).into());
        settings.tls = self.authority.as_ref().map(|authority| authority.server("127.0.0.1"));
        Running::serve(node, routes, &settings).await
    }

    /// Makes a miner's disk, starts it, and has it take part from the next block on.
    pub(crate) async fn add_miner(&self, name: &str) -> Running<Miner> {
        self.allocate(name);
        let running = self.start_miner(name).await;
        let account = Signer::development(name).account();
        self.driver.schedule(Event::Register(neuron(account, Some(running.address))));
        self.driver.step().expect("a block");
        running
    }

    /// So many miners, named `miner-0` and on.
    pub(crate) async fn add_miners(&self, count: usize) -> Vec<Running<Miner>> {
        let mut miners = Vec::new();
        for number in 0..count {
            miners.push(self.add_miner(&format!("miner-{number}")).await);
        }
        miners
    }

    /// Says that a miner is somewhere else from the next block on.
    pub(crate) fn move_miner(&self, miner: Account, endpoint: SocketAddr) {
        self.driver.schedule(Event::SetEndpoint { hotkey: miner, endpoint: Some(endpoint) });
        self.driver.step().expect("a block");
    }

    pub(crate) fn disk_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn allocate(&self, name: &str) {
        let (path, console) = (self.disk_path(name), console());
        std::fs::create_dir(&path).expect("creates");
        let stake = Stake { uid: 0, hotkey: VALIDATOR.to_owned(), stake: 1000.0 };
        let shares = Shares {
            stakes: StakeTable::new(vec![stake]).expect("stakes"),
            threshold: 1.0,
            max_bytes: Some(2 << 20),
            window_bytes: Some(32 << 10),
            profile: Some(Profile::Custom(4)),
            object_reserve: 0.0,
        };
        let miner = NamedAccount::parse(name, &console).expect("a name");
        let recorder = self.folder.path().join("chain").join(RECORDER_FILE);
        let chain = FileRecorder::open(&recorder).expect("a recorder");
        let site = Site { miner: &miner, netuid: 0, wallet: None, hotkey: None, recorder };
        let proposal = propose(&path, &shares).expect("a proposal");
        let disk = apply(proposal, &site, &chain, &console).expect("allocates");
        let objects = ObjectDirectory::open(&path).expect("opens");
        for (place, partition) in disk.manifest.partitions.iter().enumerate() {
            let shelf = objects.open_or_create(objects.beside(place).expect("a partition")).expect("a store");
            shelf.objects.store().set_budget(partition.size_bytes + OBJECT_BYTES).expect("has room");
        }
    }

    /// Starts a miner on its disk.
    pub(crate) async fn start_miner(&self, name: &str) -> Running<Miner> {
        let miner = Miner::open(Parts {
            signer: Arc::new(Signer::development(name)),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            recorder: self.driver.chain().recorder(),
            index: Arc::new(EmbeddedIndex::in_memory().expect("memory")),
            policy: self.policy.clone(),
            machine: Machine::of_this_host(Some(1)).expect("a machine"),
            directories: vec![self.disk_path(name)],
            limits: Limits::default(),
            validators: Validators::of([(Signer::development(VALIDATOR).account(), STAKE_RAO)]),
            metrics: Arc::default(),
            workers: None,
        });
        let miner = miner.await.expect("opens");
        let routes = miner.routes(4 << 20);
        self.serve(miner, routes).await
    }

    /// Starts the validator on its index.
    pub(crate) async fn start_validator(&self) -> Running<Keeper> {
        self.start_validator_with(CareSettings::default()).await
    }

    pub(crate) async fn start_validator_with(&self, settings: CareSettings) -> Running<Keeper> {
        self.start_validator_and_node(settings).await.0
    }

    /// The validator with what runs its rounds, whoever tells it of blocks.
    pub(crate) async fn start_validator_and_node(
        &self,
        settings: CareSettings,
    ) -> (Running<Keeper>, Arc<node::Node>) {
        let path = self.folder.path().join("validator.index");
        let index: Arc<dyn Index> = loop {
            match EmbeddedIndex::open(&path, EmbeddedSettings::default()).await {
                // Reads of the validator before, which nobody waits for any more, hold it until they are done.
                Err(IndexError::Locked { .. }) => tokio::task::yield_now().await,
                opened => break Arc::new(opened.expect("an index")),
            }
        };
        let chain: Arc<dyn Chain> = Arc::new(self.driver.chain().clone());
        let correspondent = Arc::new(self.correspondent(VALIDATOR));
        let keeper = Keeper::new(
            settings,
            Arc::clone(&chain),
            Arc::clone(&index),
            Arc::clone(&correspondent),
            self.connector(),
            Arc::default(),
        );
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread"));
        let parts = node::Parts {
            settings: node::Settings::new(self.policy.clone(), "test"),
            chain,
            index,
            holdings: Arc::clone(&keeper) as _,
            correspondent,
            connector: self.connector(),
            judge: Judge::new(select(Choice::Auto).expect("a back end"), pool),
            metrics: Arc::default(),
        };
        let node = node::Node::open(parts).await.expect("opens");
        let service = Service::new(Arc::clone(&node), Some(Arc::clone(&keeper) as Arc<dyn Care>));
        let running = self.serve(keeper, Routes::new(ValidatorServer::new(service)));
        (running.await, node)
    }

    pub(crate) fn correspondent(&self, name: &str) -> Correspondent {
        let signer = Arc::new(Signer::development(name));
        Correspondent::new(self.network, signer, Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// An owner with a state directory of this name.
    pub(crate) fn owner<T>(&self, name: &str, validator: &Running<T>) -> Client {
        self.owner_over(self.connector(), name, validator)
    }

    /// One who connects in another way.
    pub(crate) fn owner_over<T>(&self, connector: Connector, name: &str, validator: &Running<T>) -> Client {
        let account = Signer::development(VALIDATOR).account();
        let peer = Peer { account, endpoint: validator.address };
        let state = self.folder.path().join(format!("{name}.state"));
        let correspondent = Arc::new(self.correspondent(name));
        Client::new(correspondent, connector, peer, &state).expect("a state directory")
    }

    /// How many objects a miner keeps for the validator.
    pub(crate) async fn object_count(&self, miner: &Running<Miner>) -> u64 {
        let peers = Peers::new(Arc::new(self.correspondent(VALIDATOR)), self.connector());
        let peer = Peer { account: miner.node.account(), endpoint: miner.address };
        let allocation = peers.allocation(peer, Duration::from_secs(20)).await;
        allocation.expect("answers").object_count
    }

    pub(crate) fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub(crate) fn console() -> Console {
    Console::new(&OutputArguments { json: false, progress: ProgressWhen::Never })
}

fn neuron(hotkey: Account, endpoint: Option<SocketAddr>) -> NewNeuron {
    NewNeuron { hotkey, coldkey: None, stake_rao: 0, endpoint, validator_permit: false, uid: None }
}

/// Options of a put in small segments, unencrypted so that lengths are exact.
pub(crate) fn options(policy: &str, segment_bytes: u64) -> PutOptions {
    let policy: Policy = policy.parse().expect("a policy");
    PutOptions {
        name: "a file".to_owned(),
        policy: policy.with_segments_of(segment_bytes).expect("a policy"),
        recipients: None,
        keep_seconds: 86_400,
        commit: false,
        tokens: 0,
        watch: Arc::new(()),
    }
}

/// The same for a file that this key alone decrypts.
pub(crate) fn encrypted_for(key: &OwnerKey, options: PutOptions) -> PutOptions {
    PutOptions { recipients: Some(Recipients::of_keys([&*key.recipient()]).expect("a key")), ..options }
}

pub(crate) fn as_stored() -> GetOptions {
    GetOptions { identities: None, watch: Arc::new(()) }
}

pub(crate) fn decrypted_by(key: &OwnerKey) -> GetOptions {
    let identities = Identities::of_file(&key.identity_file()).expect("a key file");
    GetOptions { identities: Some(identities), ..as_stored() }
}

/// Bytes with a pattern that no two blocks share.
pub(crate) fn bytes_of(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

pub(crate) async fn put(client: &Client, bytes: &[u8], options: PutOptions) -> Stored {
    client.put(std::io::Cursor::new(bytes.to_vec()), options).await.expect("stores")
}

pub(crate) async fn get(client: &Client, root: &[u8; 32]) -> Vec<u8> {
    client.get_to(root, Vec::new(), as_stored()).await.expect("comes back").0
}
