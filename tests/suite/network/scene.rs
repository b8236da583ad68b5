//! The scene: a chain in a directory, a validator that runs rounds and cares for files, miners, owners.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::Path;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::policy::Policy;
use holdfast_engine::receipt::Outcome;
use holdfast_engine::recorder::{FileRecorder, SimulationSettings};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signer;
use holdfast_service::chain::{Chain, Driver, Event, Head, NetworkFile, NetworkSettings, NewNeuron, Script};
use holdfast_service::client::Client;
use holdfast_service::connect::Connector;
use holdfast_service::index::{EmbeddedIndex, Index};
use holdfast_service::miner::limits::Limits;
use holdfast_service::placement::RepairRules;
use holdfast_service::proto::validator_server::ValidatorServer;
use holdfast_service::scoring::ScoringConfig;
use holdfast_service::validator::care::{CareSettings, Keeper};
use holdfast_service::validator::judge::Judge;
use holdfast_service::validator::node::{Node, Parts, Settings};
use holdfast_service::validator::peers::{Peer, Peers};
use holdfast_service::validator::serve::{Care, Service};
use holdfast_service::validator::status::MinerStatus;
use holdfast_service::validator::store::{RECEIPTS, ReceiptRow};
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::{Clock, ManualClock};
use tempfile::TempDir;
use tonic::service::Routes;

use super::disk::RealMiner;
use super::server::Server;
use super::station::Station;

/// The honest validator, whose rounds are looked at.
pub(crate) const VALIDATOR: &str = "validator";
pub(crate) const STAKE_RAO: u64 = 1_000_000_000_000;
pub(crate) const NOW_SECONDS: u64 = 1_900_000_000;
/// Long enough for a busy machine; who is silent costs it once a round.
pub(crate) const DEADLINE_MS: u32 = 4_000;
/// Records of a put name a height so many blocks ahead.
const RECORD_BLOCKS: u64 = 20;
/// Room for objects beside the windows of each share.
const OBJECT_BYTES: u64 = 8 << 20;

/// How a question came out: the outcome, and the class of what was wrong.
pub(crate) type Found = (Outcome, Option<Class>);

/// The accepted answer.
pub(crate) const ACCEPTED: Found = (Outcome::Accepted, None);

/// What all parties of a test share.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) driver: Arc<Driver<FileRecorder, NetworkFile>>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) policy: Policy,
    pub(crate) network: [u8; 32],
    /// Who validates, with its stake; miners divide their disks among them.
    pub(crate) validators: Vec<(&'static str, u64)>,
    pub(crate) object_bytes: u64,
    pub(crate) node: Arc<Node>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) server: Server,
}

impl Scene {
    /// A network of one validator.
    pub(crate) async fn new() -> Scene {
        Scene::of(&[(VALIDATOR, STAKE_RAO)]).await
    }

    /// A network of these validators, of which the first is real.
    pub(crate) async fn of(validators: &[(&'static str, u64)]) -> Scene {
        let folder = tempfile::tempdir().expect("a directory");
        let policy = policy();
        let simulation = SimulationSettings {
            finality_blocks: NonZeroU64::new(policy.finality_blocks).expect("at least 1"),
            signatures_required: true,
            ..SimulationSettings::default()
        };
        let neurons = validators.iter().map(|(name, stake_rao)| NewNeuron {
            stake_rao: *stake_rao,
            validator_permit: true,
            ..NewNeuron::of(account(name))
        });
        let script = Script { neurons: neurons.collect(), events: Vec::new() };
        let settings = NetworkSettings { weights_interval_blocks: 1, ..NetworkSettings::default() };
        let driver = Driver::in_directory(&folder.path().join("chain"), simulation, settings, script);
        let driver = Arc::new(driver.expect("a chain"));
        let clock = Arc::new(ManualClock::at(NOW_SECONDS * 1000));
        let network = simulation.network;
        let correspondent = Arc::new(correspondent(network, &clock, VALIDATOR));
        let chain: Arc<dyn Chain> = Arc::new(driver.chain().clone());
        let index: Arc<dyn Index> = Arc::new(EmbeddedIndex::in_memory().expect("memory"));
        let keeper = Keeper::new(
            care(folder.path()),
            Arc::clone(&chain),
            Arc::clone(&index),
            Arc::clone(&correspondent),
            Connector::plain(),
            Arc::default(),
        );
        let witnesses = validators.iter().skip(1).map(|(name, _)| account(name)).collect();
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread"));
        let node = Node::open(Parts {
            settings: Settings { witnesses, ..settings_of(policy.clone()) },
            chain,
            index,
            holdings: Arc::clone(&keeper) as _,
            correspondent,
            connector: Connector::plain(),
            judge: Judge::new(select(Choice::Auto).expect("a back end"), pool),
            metrics: Arc::default(),
        });
        let node = node.await.expect("opens");
        let service = Service::new(Arc::clone(&node), Some(Arc::clone(&keeper) as Arc<dyn Care>));
        let server = Server::start(Routes::new(ValidatorServer::new(service))).await;
        let validators = validators.to_vec();
        let object_bytes = OBJECT_BYTES;
        let scene =
            Scene { folder, driver, clock, policy, network, validators, object_bytes, node, keeper, server };
        scene.move_to(account(VALIDATOR), scene.server.address);
        scene
    }

    /// A miner of ours with a filled disk, part of the network from the next block on.
    pub(crate) async fn honest(&self, name: &str) -> RealMiner {
        let miner = RealMiner::start(self, name, Limits::default()).await;
        self.register(miner.account(), miner.server.address);
        miner
    }

    /// The same behind somebody with its key, who does as it is told.
    pub(crate) async fn hostile(&self, name: &str) -> Station {
        let station = Station::before(self, RealMiner::start(self, name, Limits::default()).await).await;
        self.register(station.account(), station.address());
        station
    }

    pub(crate) fn register(&self, hotkey: Account, endpoint: SocketAddr) {
        let neuron = NewNeuron { endpoint: Some(endpoint), ..NewNeuron::of(hotkey) };
        self.driver.schedule(Event::Register(neuron));
    }

    /// Somebody is at this address from the next block on.
    pub(crate) fn move_to(&self, hotkey: Account, endpoint: SocketAddr) {
        self.driver.schedule(Event::SetEndpoint { hotkey, endpoint: Some(endpoint) });
    }

    /// Makes a block, has the validator do all that it asks for, and gives its height.
    pub(crate) async fn step(&self) -> u64 {
        let head = self.block();
        self.node.on_head(head).await.expect("follows");
        self.node.idle().await;
        head.height
    }

    pub(crate) fn block(&self) -> Head {
        tokio::task::block_in_place(|| self.driver.step()).expect("a block")
    }

    /// Steps until what is asked now is final and closed.
    pub(crate) async fn close_all(&self) {
        for _ in 0..=self.policy.finality_blocks {
            self.step().await;
        }
    }

    /// Commitments are fetched, seals audited, and some rounds closed: whoever was honest till then earns.
    pub(crate) async fn settle(&self) {
        for _ in 0..2 {
            self.step().await;
        }
        self.close_all().await;
        self.close_all().await;
    }

    /// Makes blocks that the validator does not look at, until records that were made now are settled.
    pub(crate) fn pass_record_heights(&self) {
        for _ in 0..RECORD_BLOCKS + self.policy.finality_blocks {
            self.block();
        }
    }

    /// All receipts of a miner.
    pub(crate) async fn receipts(&self, miner: Account) -> Vec<ReceiptRow> {
        let rows = RECEIPTS.scan(&**self.node.index(), &RECEIPTS.prefix(&miner), usize::MAX).await;
        rows.expect("reads").into_iter().map(|row| row.value).collect()
    }

    /// How the questions to a miner of a closed height came out, by kind.
    pub(crate) async fn found(&self, miner: Account, height: u64) -> BTreeMap<&'static str, Vec<Found>> {
        let mut found: BTreeMap<_, Vec<Found>> = BTreeMap::new();
        for row in self.receipts(miner).await {
            let body = row.body().expect("a body");
            if body.height == height {
                let class = row.finding.class.as_deref().map(class_named);
                found.entry(body.kind.name()).or_default().push((body.outcome, class));
            }
        }
        found
    }

    /// What the validator thinks of a miner.
    pub(crate) async fn standing(&self, miner: Account) -> MinerStatus {
        let status = self.node.status().await.expect("reads");
        status.miners.into_iter().find(|seen| seen.score.miner == miner).expect("is scored")
    }

    pub(crate) async fn score(&self, miner: Account) -> f64 {
        self.standing(miner).await.score.score
    }

    /// The weight on the chain.
    pub(crate) async fn weight(&self, miner: Account) -> u16 {
        let chain = self.node.chain();
        let uid = chain.metagraph().await.expect("reads").neuron_of(&miner).expect("registered").uid;
        let set = chain.weights(&self.node.account()).await.expect("reads").expect("set");
        set.weights.into_iter().find(|(paid, _)| *paid == uid).map_or(0, |(_, weight)| weight)
    }

    pub(crate) fn correspondent(&self, name: &str) -> Correspondent {
        correspondent(self.network, &self.clock, name)
    }

    /// Somebody who talks to others with our own code.
    pub(crate) fn peers(&self, name: &str) -> Peers {
        Peers::new(Arc::new(self.correspondent(name)), Connector::plain())
    }

    /// The validator, to be talked to.
    pub(crate) fn validator(&self) -> Peer {
        Peer { account: account(VALIDATOR), endpoint: self.server.address }
    }

    pub(crate) fn owner(&self, name: &str) -> Client {
        let state = self.folder.path().join(format!("{name}.state"));
        Client::new(Arc::new(self.correspondent(name)), Connector::plain(), self.validator(), &state)
            .expect("a directory")
    }
}

/// Small windows, every object in every round.
fn policy() -> Policy {
    let mut policy = Policy {
        name: "network-test".to_owned(),
        min_samples: 8,
        deadline_ms: DEADLINE_MS,
        seal_deadline_ms: DEADLINE_MS,
        signatures_required: true,
        ..Policy::test()
    };
    policy.objects.deadline_ms = DEADLINE_MS;
    // More than the standard one, with which nobody would answer.
    policy.objects.whole_deadline_ms *= 2;
    policy.objects.one_in = NonZeroU32::MIN;
    policy
}

fn settings_of(policy: Policy) -> Settings {
    // Windows of a test are smaller than anything that is worth paying for, and its rounds are few.
    let mut scoring = ScoringConfig::standard();
    scoring.bytes.least_bytes = 1;
    scoring.average.alpha = 0.3;
    // Who is worth less must not hang on how busy the machine was.
    scoring.latency.spread = 0.0;
    Settings {
        scoring,
        anchor_after_blocks: 2,
        tempo_blocks: 1,
        ping_every_blocks: 0,
        retrieve_every_blocks: 1,
        link_one_in: Some(NonZeroU64::MIN),
        ..Settings::new(policy, "test")
    }
}

/// Whoever is away is replaced at once, and what miners say is asked anew each time.
fn care(workshop: &Path) -> CareSettings {
    let repair = RepairRules { absent_seconds: 0, ..RepairRules::default() };
    CareSettings { repair, allocation_age_ms: 0, workshop: workshop.to_owned(), ..CareSettings::default() }
}

fn correspondent(network: [u8; 32], clock: &Arc<ManualClock>, name: &str) -> Correspondent {
    Correspondent::new(network, Arc::new(Signer::development(name)), Arc::clone(clock) as Arc<dyn Clock>)
}

/// The account of a development name.
pub(crate) fn account(name: &str) -> Account {
    Signer::development(name).account()
}

fn class_named(name: &str) -> Class {
    *Class::ALL.iter().find(|class| class.name() == name).expect("a class")
}

/// Bytes with a pattern that no two blocks share.
pub(crate) fn bytes_of(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}
