//! One suite over all ways to keep a chain, and what random scripts must not change.

mod calls;
mod heads;
mod properties;

use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::recorder::SimulationSettings;
use holdfast_engine::signature::Signer;
use tempfile::TempDir;

use super::*;

pub(super) const FINALITY_BLOCKS: u64 = 8;

pub(super) fn hotkey(name: &str) -> Account {
    Signer::development(name).account()
}

pub(super) fn neuron(name: &str) -> NewNeuron {
    NewNeuron::of(hotkey(name))
}

pub(super) fn validator(name: &str, stake_rao: u64) -> NewNeuron {
    NewNeuron { stake_rao, validator_permit: true, ..neuron(name) }
}

pub(super) fn at(height: u64, event: Event) -> Scripted {
    Scripted { height, event }
}

pub(super) fn endpoint(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

pub(super) fn settings() -> NetworkSettings {
    NetworkSettings { neurons_max: 4, weights_interval_blocks: 3 }
}

/// Two validators and a miner, uids 0, 1 and 2.
pub(super) fn script(events: Vec<Scripted>) -> Script {
    Script { neurons: vec![validator("amber", 900), validator("birch", 500), neuron("miner")], events }
}

/// A driver, and a chain as a node has it.
struct Stage {
    name: &'static str,
    chain: Arc<dyn Chain>,
    driver: Box<dyn Drive>,
    _folder: Option<TempDir>,
}

/// A driver, wherever it keeps its chain.
trait Drive: Send + Sync {
    fn step(&self) -> Head;
    fn schedule(&self, event: Event);
    fn history(&self) -> Vec<Happening>;
}

impl<R, N: NetworkStore> Drive for Driver<R, N>
where
    R: holdfast_engine::recorder::Simulation + Debug + 'static,
{
    fn step(&self) -> Head {
        Driver::step(self).unwrap()
    }

    fn schedule(&self, event: Event) {
        Driver::schedule(self, event);
    }

    fn history(&self) -> Vec<Happening> {
        self.chain().history().unwrap()
    }
}

impl Stage {
    fn memory(script: Script) -> Stage {
        let driver = Driver::in_memory(SimulationSettings::default(), settings(), script).unwrap();
        let chain = Arc::new(driver.chain().clone());
        Stage { name: "in memory", chain, driver: Box::new(driver), _folder: None }
    }

    /// The node has a handle of its own, as another process has, or the driver's.
    fn directory(script: Script, own_handle: bool) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let simulation = SimulationSettings::default();
        let driver = Driver::in_directory(folder.path(), simulation, settings(), script).unwrap();
        let (name, chain) = match own_handle {
            true => ("in a directory, by a handle of its own", FileChain::open(folder.path()).unwrap()),
            false => ("in a directory", driver.chain().clone()),
        };
        Stage { name, chain: Arc::new(chain), driver: Box::new(driver), _folder: Some(folder) }
    }

    fn all(script: &Script) -> [Stage; 3] {
        let script = || script.clone();
        [Stage::memory(script()), Stage::directory(script(), false), Stage::directory(script(), true)]
    }

    fn steps(&self, blocks: u64) -> Head {
        (0..blocks).map(|_| self.driver.step()).last().unwrap()
    }
}

pub(super) fn refusal<T: Debug>(result: Result<T, ChainError>) -> NetworkRefusal {
    match result.unwrap_err() {
        ChainError::Refused(refusal) => refusal,
        other => panic!("a failure, not a refusal: {other}"),
    }
}
