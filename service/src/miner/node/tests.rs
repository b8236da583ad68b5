//! A whole miner on a chain that is stepped.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::recorder::{SimulatedRecorder, SimulationSettings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::chain::{Driver, Event, MemoryNetwork, NetworkSettings, NewNeuron, Script};
use crate::local::disks::Disk;
use crate::operation::page::testing::Scrape;
use crate::proto::StatusRequest;
use crate::proto::miner_client::MinerClient;
use crate::wire::Correspondent;
use crate::wire::canonical::methods;

mod workers;

const TOKEN: u64 = 1_000_000_000;
const MINER: &str = "miner";

type Blocks = Driver<SimulatedRecorder, MemoryNetwork>;

fn account(name: &str) -> Account {
    Signer::development(name).account()
}

fn validator(name: &str, tokens: u64) -> NewNeuron {
    NewNeuron { stake_rao: tokens * TOKEN, validator_permit: true, ..NewNeuron::of(account(name)) }
}

fn chain() -> Arc<Blocks> {
    let simulation = SimulationSettings {
        finality_blocks: NonZeroU64::new(Policy::test().finality_blocks).expect("at least 1"),
        ..SimulationSettings::default()
    };
    let neurons = vec![NewNeuron::of(account(MINER)), validator("alice", 300), validator("bob", 100)];
    let script = Script { neurons, events: Vec::new() };
    Arc::new(Driver::in_memory(simulation, NetworkSettings::default(), script).expect("a chain"))
}

fn settings(folder: &Path) -> Settings {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let disks = vec![folder.join("disk")];
    let mut settings = Settings::development(MINER, folder.join("chain"), disks, listen);
    settings.policy = "test".to_owned();
    settings.disks[0].max = Some("24MiB".to_owned());
    settings.allocation.window = Some("32KiB".to_owned());
    settings.allocation.profile = Some("swift".to_owned());
    settings.allocation.stable_blocks = 8;
    settings.filling.threads = Some(1);
    settings.server.shutdown_grace_ms = 0;
    settings
}

struct Running {
    ready: Ready,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), MinerError>>,
}

async fn start(settings: &Settings, chain: &Blocks) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let (told, ready) = oneshot::channel();
    let (settings, chain) = (settings.clone(), Arc::new(chain.chain().clone()));
    let ended = tokio::spawn(async move {
        let shutdown = async {
            let _ = stopped.await;
        };
        let signer = Arc::new(Signer::development(MINER));
        run_on(&settings, chain, signer, shutdown, |ready| drop(told.send(ready.clone()))).await
    });
    Running { ready: ready.await.expect("serves"), stop, ended }
}

impl Running {
    async fn end(self) {
        let _ = self.stop.send(());
        self.ended.await.expect("no panic").expect("a clean end");
    }

    /// The status as its operator sees it.
    async fn status(&self, chain: &Blocks) -> Value {
        let network = chain.chain().recorder().network().expect("a network");
        let signer = Arc::new(Signer::development(MINER));
        let operator = Correspondent::new(network, signer, Arc::new(SystemClock));
        let mut client =
            MinerClient::connect(format!("http://{}", self.ready.address)).await.expect("connects");
        let mut request = StatusRequest { seal: None };
        operator.ask(methods::MINER_STATUS, self.ready.miner, &mut request);
        let json = client.status(request).await.expect("answers").into_inner().json;
        serde_json::from_str(&json).expect("JSON")
    }

    /// Makes blocks until the status is as wanted.
    async fn until(&self, chain: &Blocks, wanted: impl Fn(&Value) -> bool) -> Value {
        let seen = async {
            loop {
                let status = self.status(chain).await;
                if wanted(&status) {
                    return status;
                }
                chain.step().expect("a block");
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(300), seen).await.expect("the status is as wanted in time")
    }
}

fn partitions(status: &Value) -> &[Value] {
    status["partitions"].as_array().map_or(&[], Vec::as_slice)
}

fn windows(status: &Value, name: &str) -> u64 {
    let of = partitions(status).iter().find(|partition| partition["validator"] == account(name).to_string());
    of.and_then(|partition| partition["windows_allocated"].as_u64()).unwrap_or_default()
}

/// Every window that is planned is filled and recorded.
fn is_complete(status: &Value) -> bool {
    let done = |partition: &Value| {
        let number = |field: &str| partition[field].as_u64().unwrap_or_default();
        let allocated = number("windows_allocated");
        number("windows_filled") == allocated && number("windows_registered") == allocated
    };
    partitions(status).len() == 2 && partitions(status).iter().all(done)
}

fn scene() -> (TempDir, Settings, Arc<Blocks>) {
    let folder = tempfile::tempdir().expect("a directory");
    let settings = settings(folder.path());
    (folder, settings, chain())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disks_are_divided_by_stake_filled_and_recorded_and_follow_stakes_that_stay() {
    let (_folder, settings, chain) = scene();
    let running = start(&settings, &chain).await;
    let status = running.until(&chain, is_complete).await;
    let (alice, bob) = (windows(&status, "alice"), windows(&status, "bob"));
    // 301 : 101, to within a window.
    assert!((alice * 101).abs_diff(bob * 301) <= 301, "{alice} and {bob}");
    for partition in partitions(&status) {
        let number = |field: &str| partition[field].as_u64().expect("a number");
        let (free, share) = (number("free_object_bytes"), number("share_bytes"));
        assert!(free * 100 >= share * 8, "{free} of {share} are left for objects");
    }
    // A restart changes nothing.
    running.end().await;
    let running = start(&settings, &chain).await;
    let again = running.until(&chain, is_complete).await;
    assert_eq!((windows(&again, "alice"), windows(&again, "bob")), (alice, bob));
    // Bob gets more for good: first alice's windows go, then bob's come.
    chain.schedule(Event::SetStake { hotkey: account("bob"), stake_rao: 300 * TOKEN });
    let moved = running.until(&chain, |status| windows(status, "bob") > bob && is_complete(status)).await;
    let (less, more) = (windows(&moved, "alice"), windows(&moved, "bob"));
    assert!(less.abs_diff(more) <= 1 + alice / 10, "{less} and {more}");
    let total: u64 = partitions(&moved).iter().map(|p| p["share_bytes"].as_u64().unwrap_or_default()).sum();
    assert!(total <= 24 << 20, "{total} bytes are more than may be used");
    running.end().await;
}

/// A stake that swings faster than the patience of the disks must not cost a window or a batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swinging_stake_moves_nothing() {
    let (folder, settings, chain) = scene();
    let running = start(&settings, &chain).await;
    let before = running.until(&chain, is_complete).await;
    let disk = Disk::open(&folder.path().join("disk")).expect("allocated");
    for swing in 0..10 {
        let tokens = if swing % 2 == 0 { 1000 } else { 100 };
        chain.schedule(Event::SetStake { hotkey: account("bob"), stake_rao: tokens * TOKEN });
        for _ in 0..4 {
            chain.step().expect("a block");
            // The miner has seen the block before the next one comes.
            let height = chain.chain().recorder().height().expect("a height");
            running.until(&chain, |status| status["height"].as_u64() >= Some(height)).await;
        }
    }
    let after = running.status(&chain).await;
    assert_eq!(windows(&after, "bob"), windows(&before, "bob"));
    let recorder = chain.chain().recorder();
    for partition in &disk.manifest.partitions {
        let id = disk.registration(partition).expect("registered").partition_id;
        let entry = recorder.partition(id).expect("reads").expect("recorded");
        // One complete batch, and what was recorded on the way to it.
        assert!(entry.batches.windows(2).all(|pair| pair[0].end < pair[1].end), "{:?}", entry.batches);
    }
    running.end().await;
}

/// What the operator's monitoring sees of a running miner, over its sockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_shows_disks_calls_chain_and_income() {
    let (folder, mut settings, chain) = scene();
    settings.metrics.address = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let running = start(&settings, &chain).await;
    let page = running.ready.metrics.expect("a page");
    let status = running.until(&chain, is_complete).await;
    assert_eq!(status["income"], Value::Null, "nobody has set weights");

    // Alice gives half to the miner and half to bob, bob gives all to the miner: (300 / 2 + 100) / 400.
    let height = chain.step().expect("a block").height;
    for (name, weights) in [("alice", &[(0, 7), (2, 7)][..]), ("bob", &[(0, 1)])] {
        let set = chain.chain().set_weights(&Signer::development(name), weights, height).await;
        set.expect("are set");
    }
    let status = running.until(&chain, |status| !status["income"].is_null()).await;
    assert_eq!(status["income"]["share"], 0.625);
    assert_eq!(status["income"]["validators"].as_array().map(Vec::len), Some(2));

    let mut client =
        MinerClient::connect(format!("http://{}", running.ready.address)).await.expect("connects");
    client.status(StatusRequest { seal: None }).await.expect_err("nobody asks");
    let looking = async {
        loop {
            let scrape = Scrape::of(page).await;
            // The server counts a call when its answer has left.
            if scrape.value("calls_refused_total{class=\"bad-signature\"}") > 0.0 {
                return scrape;
            }
        }
    };
    let scrape = tokio::time::timeout(Duration::from_secs(60), looking).await.expect("is counted");
    scrape.is_complete_for("miner");
    let directory = format!("{{directory=\"{}\"}}", folder.path().join("disk").display());
    let of_disk = |metric: &str| scrape.value(&format!("{metric}{directory}"));
    #[expect(clippy::cast_precision_loss, reason = "few windows")]
    let planned = (windows(&status, "alice") + windows(&status, "bob")) as f64;
    assert_eq!((of_disk("allocated_windows"), of_disk("filled_windows")), (planned, planned));
    assert!(of_disk("disk_free_bytes") > 0.0);
    assert_eq!(scrape.value("income_share"), 0.625);
    assert!(scrape.value("chain_height") > 1.0);
    assert!(scrape.value("calls_total{method=\"holdfast.v1.Miner/Status\",code=\"ok\"}") >= 1.0);
    assert_eq!(scrape.value("calls_running"), 0.0);
    running.end().await;
    assert!(tokio::net::TcpStream::connect(page).await.is_err(), "the page ends with the miner");
}

/// Two processes on one directory would sign against each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_miner_on_the_same_directory_does_not_start() {
    let (_folder, settings, chain) = scene();
    let running = start(&settings, &chain).await;
    let second = run_on(
        &settings,
        Arc::new(chain.chain().clone()),
        Arc::new(Signer::development(MINER)),
        std::future::pending(),
        |_| (),
    );
    let refused = second.await.expect_err("the directory is taken");
    assert!(matches!(refused, MinerError::Failed(Failure::Locked(_))), "{refused}");
    running.end().await;
}
