//! The scene of the network demo: a chain, who takes part, and where the files are.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::policy::Policy;
use holdfast_engine::recorder::{FileRecorder, SimulationSettings};
use holdfast_engine::signature::Signer;
use holdfast_partition::allocate::Stake;
use holdfast_service::chain::{
    Chain, Driver, Event, FileChain, Head, NetworkFile, NetworkSettings, NewNeuron, Script,
};

use super::miner::{Conduct, DemoMiner};
use crate::console::Console;
use crate::demo::place::Place;
use crate::demo::stage::say;
use crate::disks::RECORDER_NAME;
use crate::failure::Failure;
use crate::machine::Machine;

/// The demo's deadline for a promise; real networks take 5 s.
pub(super) const DEADLINE_MS: u32 = 1_000;
/// The validators with their stakes.
pub(super) const VALIDATORS: [(&str, u64); 3] =
    [("alpha", 3_000_000_000_000), ("beta", 2_000_000_000_000), ("gamma", 1_000_000_000_000)];

pub(super) struct Stage<'c> {
    pub(super) console: &'c Console,
    pub(super) policy: Policy,
    pub(super) machine: Machine,
    place: Place,
    driver: Arc<Driver<FileRecorder, NetworkFile>>,
}

impl<'c> Stage<'c> {
    /// Makes the directory and the chain.
    pub(super) fn set(place: Place, console: &'c Console) -> Result<Stage<'c>, Failure> {
        let mut policy = Policy {
            name: "network-demo".to_owned(),
            min_samples: 8,
            deadline_ms: DEADLINE_MS,
            seal_deadline_ms: 10 * DEADLINE_MS,
            signatures_required: true,
            ..Policy::test()
        };
        policy.objects.deadline_ms = DEADLINE_MS;
        let simulation = SimulationSettings {
            finality_blocks: NonZeroU64::new(policy.finality_blocks).unwrap_or(NonZeroU64::MIN),
            signatures_required: true,
            ..SimulationSettings::default()
        };
        let validators = VALIDATORS.map(|(name, stake_rao)| NewNeuron {
            stake_rao,
            validator_permit: true,
            ..NewNeuron::of(account(name))
        });
        let miners = Conduct::ALL.map(|conduct| NewNeuron::of(account(conduct.name())));
        let script = Script { neurons: validators.into_iter().chain(miners).collect(), events: Vec::new() };
        let settings = NetworkSettings { weights_interval_blocks: 5, ..NetworkSettings::default() };
        let driver = Driver::in_directory(&place.directory.join("chain"), simulation, settings, script)?;
        Ok(Stage { console, policy, machine: Machine::of_this_host(None)?, place, driver: Arc::new(driver) })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.place.directory
    }

    /// The chain, as nodes see it.
    pub(super) fn chain(&self) -> FileChain {
        self.driver.chain().clone()
    }

    /// The recorder's file.
    pub(super) fn recorder(&self) -> Result<FileRecorder, Failure> {
        Ok(FileRecorder::open(self.directory().join("chain").join(RECORDER_NAME))?)
    }

    /// The validators as miners divide their disks among them.
    pub(super) fn stakes(&self) -> Vec<Stake> {
        #[expect(clippy::cast_precision_loss, reason = "the constants above")]
        let stake = |(uid, (name, rao)): (u32, (&str, u64))| Stake {
            uid,
            hotkey: name.to_owned(),
            stake: rao as f64 / 1e9,
        };
        (0..).zip(VALIDATORS).map(stake).collect()
    }

    /// The validators with their stakes in rao.
    pub(super) fn validators(&self) -> [(Account, u64); 3] {
        VALIDATORS.map(|(name, stake)| (account(name), stake))
    }

    /// Makes a block, in which what is where is announced.
    pub(super) async fn block(&self, miners: &[DemoMiner]) -> Result<Head, Failure> {
        let known = self.chain().metagraph().await?;
        for miner in miners {
            let hotkey = miner.signer.account();
            let announced = known.neuron_of(&hotkey).and_then(|neuron| neuron.endpoint);
            if miner.address.is_some() && announced != miner.address {
                self.driver.schedule(Event::SetEndpoint { hotkey, endpoint: miner.address });
            }
        }
        let driver = Arc::clone(&self.driver);
        let stepped = tokio::task::spawn_blocking(move || driver.step()).await;
        Ok(stepped.map_err(|error| Failure::work("state", "the demo's chain", error))??)
    }

    /// A line of the story.
    pub(super) fn say(&self, line: &str) {
        say(self.console, line);
    }

    pub(super) fn clear(&self) -> Result<(), Failure> {
        self.place.clear()
    }
}

/// The account of a development name.
pub(super) fn account(name: &str) -> Account {
    Signer::development(name).account()
}
