//! A chain in memory with a validator, and miners whose partitions are as small as the format allows: what a soak is about is the
//! number of miners and challenges, not bytes. Equal terms make equal worlds, in whatever process.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use holdfast_engine::backend::{Choice, select};
use holdfast_engine::commitment::{Commitment, CommitmentFields};
use holdfast_engine::policy::Policy;
use holdfast_engine::receipt;
use holdfast_engine::recorder::{BatchClaim, Recorder, SimulatedRecorder, SimulationSettings};
use holdfast_engine::registration::{Intent, Registration};
use holdfast_engine::signature::Signer;
use holdfast_engine::space::record::{WindowRecord, partition_root};
use holdfast_service::chain::{
    Chain, Driver, Event, Head, MemoryNetwork, NetworkSettings, NewNeuron, Script,
};
use holdfast_service::connect::Connector;
use holdfast_service::index::Index;
use holdfast_service::validator::holdings::MemoryHoldings;
use holdfast_service::validator::judge::Judge;
use holdfast_service::validator::node::{Node, Parts, Settings};
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::SystemClock;
use holdfast_tests::partition::{TestPartition, TestWindow, shape};
use rayon::prelude::*;

/// What goes wrong here goes wrong for good.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Long enough that nobody is late on a busy machine.
const DEADLINE_MS: u32 = 60_000;
/// Rounds are closed so many rounds later.
const FINALITY_BLOCKS: NonZeroU64 = const { NonZeroU64::new(2).unwrap() };
/// Receipts that wait to be counted.
const RECEIPTS_WAITING: usize = 256;
/// Labels of a window, as a power of two, and its layers: the least that the policy for tests takes.
const SHAPE: (u8, u8) = (10, 2);

/// How large a world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Miners.
    pub(crate) miners: u16,
    /// Partitions of each, which are asked one challenge each in every round.
    pub(crate) partitions: u32,
    /// Samples of each challenge.
    pub(crate) samples: u32,
}

/// A miner's key and what it holds, by partition.
pub(crate) struct Held {
    /// Its key.
    pub(crate) signer: Arc<Signer>,
    /// Its partitions.
    pub(crate) partitions: HashMap<u64, TestPartition>,
}

/// A chain, its policy, and who asks.
pub(crate) struct World {
    driver: Arc<Driver<SimulatedRecorder, MemoryNetwork>>,
    policy: Policy,
    validator: Arc<Signer>,
}

impl World {
    /// A network of these terms, in which all partitions are registered and committed to.
    pub(crate) fn build(terms: Terms) -> Outcome<(World, Vec<Held>)> {
        let validator = Arc::new(Signer::development("validator"));
        let signers: Vec<Arc<Signer>> =
            (0..terms.miners).map(|miner| Arc::new(Signer::development(&format!("miner-{miner}")))).collect();
        let permitted =
            NewNeuron { validator_permit: true, stake_rao: 1 << 40, ..NewNeuron::of(validator.account()) };
        let miners = signers.iter().map(|signer| NewNeuron::of(signer.account()));
        let script =
            Script { neurons: std::iter::once(permitted).chain(miners).collect(), events: Vec::new() };
        let simulation = SimulationSettings {
            signatures_required: true,
            finality_blocks: FINALITY_BLOCKS,
            ..SimulationSettings::default()
        };
        let settings = NetworkSettings { neurons_max: terms.miners + 1, ..NetworkSettings::default() };
        let policy = Policy {
            finality_blocks: simulation.finality_blocks.get(),
            signatures_required: true,
            deadline_ms: DEADLINE_MS,
            seal_deadline_ms: DEADLINE_MS,
            min_samples: terms.samples,
            ..Policy::test()
        };
        let driver = Arc::new(Driver::in_memory(simulation, settings, script)?);
        let world = World { driver, policy, validator };
        let held = world.register_all(terms, &signers)?;
        Ok((world, held))
    }

    /// Digest of the network.
    pub(crate) fn network(&self) -> [u8; 32] {
        SimulationSettings::default().network
    }

    fn recorder(&self) -> Arc<dyn Recorder> {
        self.driver.chain().recorder()
    }

    /// Makes a block.
    pub(crate) fn step(&self) -> Outcome<Head> {
        Ok(self.driver.step()?)
    }

    /// Makes so many blocks that what was recorded before is final.
    pub(crate) fn settle(&self) -> Outcome<()> {
        for _ in 0..=self.policy.finality_blocks {
            self.step()?;
        }
        Ok(())
    }

    /// Says where miners are, from the next block on.
    pub(crate) fn announce(&self, miner: &Signer, endpoint: SocketAddr) {
        self.driver.schedule(Event::SetEndpoint { hotkey: miner.account(), endpoint: Some(endpoint) });
    }

    fn register_all(&self, terms: Terms, signers: &[Arc<Signer>]) -> Outcome<Vec<Held>> {
        let recorder = self.recorder();
        let mut ids = Vec::new();
        for signer in signers {
            for ordinal in 0..terms.partitions {
                let intent = Intent {
                    shape: shape(SHAPE.0, SHAPE.1),
                    window_cap: 1,
                    network: self.network(),
                    miner: signer.account(),
                    validator: self.validator.account(),
                    ordinal: ordinal.into(),
                };
                let signature = signer.sign(&intent.signing_digest());
                ids.push((signer, recorder.record_intent(&intent, &signature)?.partition_id));
            }
        }
        self.settle()?;
        let mut registrations = Vec::new();
        for (signer, id) in ids {
            let registration = recorder.registration(id)?.ok_or("a registration without a beacon")?;
            registrations.push((signer, registration));
        }
        let filled: Vec<(&Arc<Signer>, Registration, TestWindow)> = registrations
            .into_par_iter()
            .map(|(signer, registration)| {
                (signer, registration, TestWindow::make(&registration, 0, |_, _| ()))
            })
            .collect();
        let mut held: Vec<Held> = signers
            .iter()
            .map(|signer| Held { signer: Arc::clone(signer), partitions: HashMap::new() })
            .collect();
        let places: HashMap<_, _> =
            (0..).zip(signers).map(|(place, signer)| (signer.account(), place)).collect();
        for (signer, registration, window) in filled {
            let partition = commit(&*recorder, signer, registration, window)?;
            let place: usize = places[&signer.account()];
            held[place].partitions.insert(registration.partition_id, partition);
        }
        self.settle()?;
        Ok(held)
    }

    /// A validator of this network with an index.
    pub(crate) async fn validator(&self, index: Arc<dyn Index>) -> Outcome<Arc<Node>> {
        let settings = Settings {
            anchor_after_blocks: 2,
            tempo_blocks: 20,
            ping_every_blocks: 10,
            retrieve_every_blocks: 0,
            ..Settings::new(self.policy.clone(), "soak")
        };
        let signer = Arc::clone(&self.validator);
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().build()?);
        let parts = Parts {
            settings,
            chain: Arc::new(self.driver.chain().clone()),
            index,
            holdings: Arc::new(MemoryHoldings::default()),
            correspondent: Arc::new(Correspondent::new(self.network(), signer, Arc::new(SystemClock))),
            connector: Connector::plain(),
            judge: Judge::new(select(Choice::Auto)?, pool),
            metrics: Arc::default(),
        };
        Ok(Node::open(parts).await?)
    }

    /// One block, and all that the validator does about it.
    pub(crate) async fn round(&self, node: &Arc<Node>) -> Outcome<()> {
        let head = self.step()?;
        node.on_head(head).await?;
        node.idle().await;
        Ok(())
    }
}

/// How many rounds of partitions a validator has accepted so far, and how many others are closed.
pub(crate) async fn closed(node: &Arc<Node>) -> Outcome<(u64, u64)> {
    let (sender, mut receipts) = tokio::sync::mpsc::channel(RECEIPTS_WAITING);
    let of_node = Arc::clone(node);
    let telling = tokio::spawn(async move { of_node.chains().history(None, 0..u64::MAX, &sender).await });
    let (mut accepted, mut others) = (0, 0);
    while let Some(receipt) = receipts.recv().await {
        match receipt?.body.outcome {
            receipt::Outcome::Accepted => accepted += 1,
            _ => others += 1,
        }
    }
    telling.await??;
    Ok((accepted, others))
}

/// Commits to the only window of a partition.
fn commit(
    recorder: &dyn Recorder,
    signer: &Signer,
    registration: Registration,
    window: TestWindow,
) -> Outcome<TestPartition> {
    let records: Vec<WindowRecord> = vec![window.record(&registration, 0)];
    let (end, root) = (1, partition_root(&records));
    let signature = signer.sign(&registration.commitment_signing_digest(end, &root));
    let (partition_id, registration_digest) = (registration.partition_id, registration.digest());
    let claim = BatchClaim { partition_id, registration_digest, end, partition_root: root, signature };
    recorder.record_batch(&claim)?;
    let batches = recorder.partition(partition_id)?.ok_or("no such partition")?.batches;
    let commitment = Commitment::new(CommitmentFields { registration, signature, batches, records })?;
    Ok(TestPartition { commitment, windows: vec![window] })
}
