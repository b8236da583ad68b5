//! A network on the loopback: a simulated chain, a validator that cares for files, and miners, each behind a proxy. All are processes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::policy::Policy;
use holdfast_engine::signature::Signer;
use holdfast_service::chain::{Chain, FileChain};
use holdfast_service::encryption::OwnerKey;
use holdfast_service::validator::peers::{Peer, Peers};
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::SystemClock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::process::{Ended, Process, holdfast, wait_for};
use crate::proxy::{Fault, Proxy};

#[path = "certificates.rs"]
mod certificates;
#[path = "owner.rs"]
mod owner;
#[path = "rounds.rs"]
mod rounds;

use certificates::Authority;
pub(crate) use owner::{bytes_of, cid_of};

pub(crate) const VALIDATOR: &str = "validator";
pub(crate) const OWNER: &str = "owner";
/// Milliseconds to promise an answer: enough for a busy machine, and what waiting for one that does not come takes.
pub(crate) const DEADLINE_MS: u32 = 3_000;
/// How long the network may take to tell how much room a miner has.
const ALLOCATION_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) fn account(name: &str) -> Account {
    Signer::development(name).account()
}

/// How large a network is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) miners: usize,
    /// What each miner may use of the disk, nine tenths of it for objects.
    pub(crate) disk: &'static str,
    pub(crate) block_ms: u32,
    /// Whether miners are found at their proxies, or where they are.
    pub(crate) through_proxies: bool,
    /// Whether everybody speaks TLS.
    pub(crate) encrypted: bool,
}

/// A miner: its files stay when its process ends.
pub(crate) struct Miner {
    pub(crate) name: String,
    pub(crate) proxy: Proxy,
    /// Where others find it.
    announced: SocketAddr,
    pub(crate) process: Option<Process>,
}

pub(crate) struct Network {
    terms: Terms,
    folder: TempDir,
    /// Who vouches for all nodes.
    authority: Authority,
    chain: Option<Process>,
    validator: Option<Process>,
    pub(crate) miners: Vec<Miner>,
    key: OwnerKey,
    pub(crate) runtime: Runtime,
}

impl Network {
    /// With so many miners that have filled their disks, and a validator that knows them.
    pub(crate) fn start(miners: usize) -> Network {
        Network::started(miners, false)
    }

    /// The same, in which everybody speaks TLS.
    #[allow(dead_code, reason = "the tests of TLS ask, the example network_figures does not")]
    pub(crate) fn encrypted(miners: usize) -> Network {
        Network::started(miners, true)
    }

    fn started(miners: usize, encrypted: bool) -> Network {
        let terms = Terms { miners, disk: "48MiB", block_ms: 300, through_proxies: true, encrypted };
        let mut network = Network::without_validator(terms);
        network.start_validator();
        network
    }

    /// With miners that have filled their disks, and nobody who asks them anything.
    pub(crate) fn without_validator(terms: Terms) -> Network {
        let miners = terms.miners;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let folder = tempfile::tempdir().expect("a directory");
        let authority = Authority::new(folder.path(), "authority");
        let mut network = Network {
            terms,
            folder,
            authority,
            chain: None,
            validator: None,
            miners: Vec::new(),
            key: OwnerKey::generate(),
            runtime: runtime.expect("a thread"),
        };
        let names: Vec<String> = (0..miners).map(|number| format!("miner-{number}")).collect();
        let mut policy = Policy { deadline_ms: DEADLINE_MS, ..Policy::test() };
        policy.objects.deadline_ms = DEADLINE_MS;
        network.write("policy.json", &serde_json::to_string(&policy).expect("JSON"));
        network.write("key.txt", owner::secret(&network.key).as_str());
        let validator = json!({ "hotkey": VALIDATOR, "validator_permit": true, "stake_rao": 1_u64 << 40 });
        let neurons: Vec<Value> =
            std::iter::once(validator).chain(names.iter().map(|name| json!({ "hotkey": name }))).collect();
        network.start_chain(&json!({ "neurons": neurons }));
        for (number, name) in names.into_iter().enumerate() {
            let proxy = Proxy::new();
            let announced = if terms.through_proxies { proxy.address } else { free_address() };
            network.write(&format!("{name}.toml"), &network.miner_configuration(&name, announced));
            network.miners.push(Miner { name, proxy, announced, process: None });
            network.start_miner(number);
        }
        (0..miners).for_each(|number| network.wait_until_filled(number));
        network.write("validator.toml", &network.validator_configuration());
        network
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("writes");
    }

    /// Of a miner that is found at this address.
    fn miner_configuration(&self, name: &str, announced: SocketAddr) -> String {
        let [chain, disk, policy] =
            ["chain", &format!("{name}.disk"), "policy.json"].map(|file| self.text(file));
        let listen =
            if self.terms.through_proxies { "127.0.0.1:0".to_owned() } else { announced.to_string() };
        let (disk_max, tls) = (self.terms.disk, self.server_tls());
        format!(
            "policy = \"{policy}\"\n[identity]\ndevelopment_name = \"{name}\"\n\
             [chain]\ndirectory = \"{chain}\"\nannounce = \"{announced}\"\n\
             [server]\nlisten = \"{listen}\"\n{tls}[[disk]]\ndirectory = \"{disk}\"\nmax = \"{disk_max}\"\n\
             [allocation]\nwindow = \"32KiB\"\nprofile = \"swift\"\nobject_reserve = 0.9\n[filling]\nthreads = 1\n"
        )
    }

    fn validator_configuration(&self) -> String {
        let [chain, policy, index, workshop] =
            ["chain", "policy.json", "validator.index", ""].map(|file| self.text(file));
        let tls = self.server_tls() + &self.connect_tls();
        format!(
            "policy = \"{policy}\"\n[identity]\ndevelopment = \"{VALIDATOR}\"\n[chain]\ndirectory = \"{chain}\"\n\
             [index]\nlocation = \"{index}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
             {tls}[rounds]\nasked_within_blocks = 4\ntempo_blocks = 20\n\
             [care]\ntend_every_blocks = 1\nworkshop = \"{workshop}\"\n"
        )
    }

    /// Starts what makes blocks, or goes on with it, with events to come.
    pub(crate) fn start_chain(&mut self, script: &Value) {
        self.write("script.json", &script.to_string());
        let (chain, script) = (self.text("chain"), self.text("script.json"));
        let block_ms = self.terms.block_ms.to_string();
        let arguments = ["chain", "simulate", &chain, "--script", &script, "--block-ms", &block_ms];
        let options = ["--finality", "2", "--weights-interval", "10"];
        let process = Process::start(&mut holdfast(&[&arguments[..], &options].concat()));
        process.says("block ");
        self.chain = Some(process);
    }

    pub(crate) fn kill_chain(&mut self) {
        self.chain.take().expect("it runs").kill();
    }

    /// The newest block.
    pub(crate) fn height(&self) -> u64 {
        let shown = self.run(&["chain", "show", &self.text("chain")]).json();
        shown["head"]["height"].as_u64().expect("a height")
    }

    pub(crate) fn start_miner(&mut self, number: usize) {
        let config = self.text(&format!("{}.toml", self.miners[number].name));
        let process = Process::start(&mut holdfast(&["miner", "run", "--config", &config]));
        let miner = &mut self.miners[number];
        miner.proxy.lead_to(Some(process.serves_at()));
        miner.process = Some(process);
    }

    pub(crate) fn kill_miner(&mut self, number: usize) {
        let miner = &mut self.miners[number];
        miner.process.take().expect("it runs").kill();
        miner.proxy.lead_to(None);
    }

    pub(crate) fn start_validator(&mut self) {
        let config = self.text("validator.toml");
        let process = Process::start(&mut holdfast(&["validator", "run", "--config", &config]));
        process.serves_at();
        self.validator = Some(process);
    }

    pub(crate) fn kill_validator(&mut self) {
        self.validator.take().expect("it runs").kill();
    }

    pub(crate) fn network(&self) -> [u8; 32] {
        let chain = FileChain::open(&self.path("chain")).expect("a chain");
        chain.recorder().network().expect("a network")
    }

    /// Talks to nodes as this development name.
    pub(crate) fn correspondent(&self, name: &str) -> Arc<Correspondent> {
        let signer = Arc::new(Signer::development(name));
        Arc::new(Correspondent::new(self.network(), signer, Arc::new(SystemClock)))
    }

    pub(crate) fn peer(&self, number: usize) -> Peer {
        let miner = &self.miners[number];
        Peer { account: account(&miner.name), endpoint: miner.announced }
    }

    /// Where the validator is, as the chain has it.
    pub(crate) fn validator_endpoint(&self) -> SocketAddr {
        let chain = FileChain::open(&self.path("chain")).expect("a chain");
        let metagraph = self.runtime.block_on(chain.metagraph()).expect("a metagraph");
        metagraph.neuron_of(&account(VALIDATOR)).and_then(|neuron| neuron.endpoint).expect("announced")
    }

    fn wait_until_filled(&self, number: usize) {
        let (peers, peer) = (Peers::new(self.correspondent(VALIDATOR), self.connector()), self.peer(number));
        wait_for("filled and registered windows", || {
            let allocation = self.runtime.block_on(peers.allocation(peer, ALLOCATION_TIMEOUT)).ok()?;
            let partition = allocation.partitions.first()?;
            let is_filled = partition.windows_registered > 0
                && partition.windows_registered == partition.windows_allocated;
            (is_filled && allocation.free_object_bytes > 0).then_some(())
        });
    }

    /// From now on this is wrong on the way to all miners; what strikes once strikes one of them.
    pub(crate) fn set_all(&self, fault: Option<Fault>) {
        let struck_anywhere = Arc::default();
        self.miners.iter().for_each(|miner| miner.proxy.set_at_one_of(fault, &struck_anywhere));
    }

    /// Waits for a fault that strikes once; the miner that it has struck.
    pub(crate) fn wait_until_one_is_struck(&self) -> usize {
        wait_for("a fault strikes", || self.miners.iter().position(|miner| miner.proxy.has_struck()))
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.spawn(arguments).end()
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Process {
        Process::start(&mut holdfast(&[arguments, &["--json"]].concat()))
    }
}

/// An address that nobody listens at now.
pub(crate) fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.local_addr().expect("bound")
}
