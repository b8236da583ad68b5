//! A miner and its workers, all of them processes: windows that workers make count, and what a killed one was making is made all the same.

use std::path::Path;

use serde_json::{Value, json};

use crate::network::{Network, Terms, free_address};
use crate::process::{Process, holdfast, wait_for};

const MINER: &str = "miner-with-workers";
/// Slow enough that workers come, are met in the middle and go, while the disk is filled.
const DISK_BYTES_PER_SECOND: u64 = 1 << 20;

/// A miner that takes workers, on the chain of a network.
struct Scene {
    network: Network,
    miner: Process,
    workers_at: String,
}

impl Scene {
    fn start() -> Scene {
        let terms = Terms { miners: 0, disk: "", block_ms: 300, through_proxies: false, encrypted: false };
        let network = Network::without_validator(terms);
        let [chain, disk, policy] = ["chain", "disk", "policy.json"].map(|name| network.text(name));
        let server = free_address();
        network.write(
            "miner.toml",
            &format!(
                "policy = \"{policy}\"\n[identity]\ndevelopment_name = \"{MINER}\"\n[chain]\ndirectory = \"{chain}\"\n\
                 [server]\nlisten = \"{server}\"\n[[disk]]\ndirectory = \"{disk}\"\nmax = \"16MiB\"\n\
                 [allocation]\nwindow = \"256KiB\"\nprofile = \"swift\"\nobject_reserve = 0.1\n\
                 [filling]\nthreads = 1\nbytes_per_second = {DISK_BYTES_PER_SECOND}\n\
                 [workers]\nwindows_in_flight = 2\n[workers_server]\nlisten = \"127.0.0.1:0\"\n"
            ),
        );
        let config = network.text("miner.toml");
        let miner = Process::start(&mut holdfast(&["miner", "run", "--config", &config]));
        let workers_at = format!("http://{}", miner.says("workers connect to "));
        Scene { network, miner, workers_at }
    }

    fn worker(&self, name: &str) -> Process {
        let of_worker = ["--engine", &self.workers_at, "--name", name, "--gpu", "off", "--threads", "1"];
        self.network.spawn(&[&["worker", "run"], &of_worker[..]].concat())
    }

    fn status(&self) -> Value {
        self.network.run(&["miner", "status", "--config", &self.network.text("miner.toml")]).json()
    }

    /// Waits until a worker made so many windows that count.
    fn wait_for_windows(&self, name: &str, windows: u64) -> Value {
        wait_for(&format!("windows of worker {name}"), || {
            let status = self.status();
            (worker(&status, name)["windows"].as_u64()? >= windows).then_some(status)
        })
    }

    fn wait_until_filled(&self) -> Value {
        wait_for("filled and recorded windows", || {
            let status = self.status();
            let partition = &status["partitions"][0];
            let windows = partition["windows_allocated"].as_u64()?;
            let is_done = |count: &str| partition[count].as_u64() == Some(windows);
            (is_done("windows_filled") && is_done("windows_registered")).then_some(status)
        })
    }
}

/// What the miner says of a worker; null if it does not know it.
fn worker<'s>(status: &'s Value, name: &str) -> &'s Value {
    let workers = status["workers"]["workers"].as_array().into_iter().flatten();
    workers.into_iter().find(|worker| worker["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn a_miner_fills_with_workers_and_one_that_is_killed_costs_nothing() {
    let scene = Scene::start();
    assert_eq!(scene.status()["workers"]["workers"], json!([]));
    let killed = scene.worker("killed");
    let status = scene.wait_for_windows("killed", 1);
    let partition = &status["partitions"][0];
    assert!(
        partition["windows_filled"].as_u64() < partition["windows_allocated"].as_u64(),
        "it is in the middle"
    );
    killed.kill();
    let second = scene.worker("second");
    scene.wait_for_windows("second", 1);
    let status = scene.wait_until_filled();
    for name in ["killed", "second"] {
        assert_eq!(worker(&status, name)["dismissed_because"], Value::Null, "{status}");
    }
    assert_eq!(worker(&status, "killed")["devices"], json!([]), "it is gone");
    assert_eq!(worker(&status, "second")["devices"].as_array().map(Vec::len), Some(1));

    // Ctrl-C ends miner and worker, though the other one still runs.
    let Scene { network, miner, .. } = scene;
    miner.interrupt();
    assert!(miner.end().stdout.contains("stopped"));
    second.interrupt();
    let summary = second.end().json();
    assert_eq!(summary["windows"], worker(&status, "second")["windows"]);
    assert_every_window_is_right(&network, &network.path("disk"), &status["partitions"][0]);
}

/// Makes every window again and compares all its roots, and reads all that is stored.
fn assert_every_window_is_right(network: &Network, disk: &Path, partition: &Value) {
    let disk = disk.to_str().expect("UTF-8");
    let replayed = network.run(&["seal-audit", "--dir", disk, "--replay"]).json();
    assert_eq!(replayed["windows_replayed"], partition["windows_allocated"], "{replayed}");
    let scrubbed = network.run(&["scrub", "--dir", disk]).json();
    assert_eq!(scrubbed["windows_checked"], partition["windows_allocated"], "{scrubbed}");
    assert_eq!((&scrubbed["bad_windows"], &scrubbed["damaged_windows"]), (&json!(0), &json!(0)));
}
