//! What tests of the validator share: a simulated chain, and miners that hold small windows and objects in memory.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::commitment::{Commitment, CommitmentFields};
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::challenge::{AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::chunks::answer_chunks;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::recorder::{BatchClaim, Recorder, SimulatedRecorder, SimulationSettings};
use holdfast_engine::reference;
use holdfast_engine::registration::{Intent, Registration, WindowShape};
use holdfast_engine::signature::Signer;
use holdfast_engine::space::label::Layer;
use holdfast_engine::space::record::{WindowRecord, layers_root, partition_root};
use holdfast_engine::space::response::encode_response;
use holdfast_engine::space::seal::{LayerObserver, WindowProver};
use holdfast_engine::tree::{Outboard, root};

use crate::chain::{Chain, Driver, Event, MemoryNetwork, NetworkSettings, NewNeuron, Script};
use crate::local::audits::AnyChallenge;

use super::plan::{MinerFacts, PartitionFacts, PlanTerms};

/// A chain, its policy, and who asks.
pub(super) struct World {
    pub(super) driver: Arc<Driver<SimulatedRecorder, MemoryNetwork>>,
    pub(super) recorder: Arc<dyn Recorder>,
    pub(super) network: [u8; 32],
    pub(super) policy: Policy,
    pub(super) validator: Arc<Signer>,
}

/// Layers of a window and their trees.
#[derive(Clone, Debug)]
struct Window {
    layers: Vec<Vec<u8>>,
    outboards: Vec<Outboard>,
}

/// An object in memory.
#[derive(Clone, Debug)]
struct Object {
    bytes: Vec<u8>,
    outboard: Outboard,
    record: SignedRecord,
}

/// A miner with one partition, and objects.
#[derive(Clone, Debug)]
pub(super) struct Miner {
    pub(super) signer: Arc<Signer>,
    pub(super) registration: Registration,
    pub(super) commitment: Arc<Commitment>,
    pub(super) sealed: BTreeSet<usize>,
    windows: Vec<Window>,
    objects: Vec<Object>,
}

impl World {
    pub(super) fn new() -> World {
        let validator = Arc::new(Signer::development("validator"));
        let permitted =
            NewNeuron { validator_permit: true, stake_rao: 1 << 40, ..neuron(validator.account()) };
        let script = Script { neurons: vec![permitted], events: Vec::new() };
        let settings = SimulationSettings { signatures_required: true, ..SimulationSettings::default() };
        let network = NetworkSettings { weights_interval_blocks: 2, ..NetworkSettings::default() };
        let driver = Arc::new(Driver::in_memory(settings, network, script).expect("a network of one"));
        let policy = Policy {
            finality_blocks: settings.finality_blocks.get(),
            signatures_required: true,
            ..Policy::test()
        };
        let recorder = driver.chain().recorder();
        World { driver, recorder, network: settings.network, policy, validator }
    }

    /// Registers a miner as a neuron, with the next block.
    pub(super) fn register(&self, miner: Account, endpoint: Option<SocketAddr>) {
        self.driver.schedule(Event::Register(NewNeuron { endpoint, ..neuron(miner) }));
    }

    pub(super) fn height(&self) -> u64 {
        self.recorder.height().expect("in memory")
    }

    pub(super) fn advance(&self, blocks: u64) -> u64 {
        for _ in 0..blocks {
            self.driver.step().expect("in memory");
        }
        self.height()
    }

    pub(super) fn beacon(&self, height: u64) -> [u8; 32] {
        self.recorder.beacon(height).expect("in memory").expect("a block that is there")
    }

    /// Terms of a round at the newest block.
    pub(super) fn terms(&self) -> PlanTerms<'_> {
        PlanTerms {
            policy: &self.policy,
            network: self.network,
            validator: self.validator.account(),
            height: self.height(),
            beacon: self.beacon(self.height()),
            form: Form::Plain,
            reseal_one_in: NonZeroU64::MAX,
            link_one_in: None,
        }
    }

    /// A miner whose partition of so many windows is registered and committed to; the batch is not settled yet.
    pub(super) fn miner(&self, name: &str, windows: u64) -> Miner {
        let signer = Arc::new(Signer::development(name));
        let intent = Intent {
            shape: WindowShape::new(10, 2).expect("within the ranges"),
            window_cap: 64,
            network: self.network,
            miner: signer.account(),
            validator: self.validator.account(),
            ordinal: 0,
        };
        let recorded = self.recorder.record_intent(&intent, &signer.sign(&intent.signing_digest()));
        let partition_id = recorded.expect("a new intent").partition_id;
        self.advance(self.policy.finality_blocks);
        let registration = self.recorder.registration(partition_id).expect("in memory").expect("registered");
        let windows: Vec<Window> = (0..windows).map(|window| Window::make(&registration, window)).collect();
        let records: Vec<WindowRecord> =
            (0..).zip(&windows).map(|(i, window)| window.record(&registration, i)).collect();
        let (end, root) = (records.len() as u64, partition_root(&records));
        let signature = signer.sign(&registration.commitment_signing_digest(end, &root));
        let claim = BatchClaim {
            partition_id,
            registration_digest: registration.digest(),
            end,
            partition_root: root,
            signature,
        };
        self.recorder.record_batch(&claim).expect("a batch that follows the rules");
        let batches = self.recorder.partition(partition_id).expect("in memory").expect("recorded").batches;
        let fields = CommitmentFields { registration, signature, batches, records };
        let commitment = Arc::new(Commitment::new(fields).expect("it agrees with itself"));
        let (sealed, objects) = (BTreeSet::new(), Vec::new());
        Miner { signer, registration, commitment, sealed, windows, objects }
    }

    /// Gives a miner an object of an owner, recorded in the next block.
    pub(super) fn store(&self, miner: &mut Miner, bytes: Vec<u8>) -> SignedRecord {
        let replica = Replica::new(root(&bytes), bytes.len() as u64, 0).expect("short enough");
        let owner = Signer::development("owner");
        let record = ObjectRecord {
            replica,
            height: self.height() + 1,
            network: self.network,
            miner: miner.account(),
            checker: owner.account(),
            table_root: None,
            tokens: None,
        };
        self.advance(1);
        self.recorder.record_object(&record.digest()).expect("in memory");
        let record = record.sign(&owner);
        miner.objects.push(Object { outboard: Outboard::of(&bytes), bytes, record: record.clone() });
        record
    }

    /// Adds blocks until all that was recorded so far is settled.
    pub(super) fn settle(&self) {
        self.advance(self.policy.finality_blocks + 1);
    }
}

impl Miner {
    pub(super) fn account(&self) -> Account {
        self.signer.account()
    }

    pub(super) fn records(&self) -> Vec<SignedRecord> {
        self.objects.iter().map(|object| object.record.clone()).collect()
    }

    pub(super) fn facts(&self) -> MinerFacts {
        MinerFacts {
            miner: self.account(),
            partitions: vec![PartitionFacts {
                registration: self.registration,
                batches: self.commitment.batches.clone(),
                commitment: Some(Arc::clone(&self.commitment)),
                sealed: self.sealed.clone(),
                sealing: false,
            }],
            records: self.records(),
            doubted: BTreeSet::new(),
        }
    }

    /// The honest answer.
    pub(super) fn answer(&self, challenge: &AnyChallenge) -> Option<Vec<u8>> {
        match challenge {
            AnyChallenge::Partition(challenge) => match challenge.kind {
                Kind::Space => Some(self.answer_space(challenge)),
                Kind::Seal => Some(self.answer_seal(challenge)),
            },
            AnyChallenge::Object(challenge) if challenge.kind == AuditKind::Chunks => {
                self.answer_chunks(challenge)
            }
            _ => None,
        }
    }

    fn answer_space(&self, challenge: &Challenge) -> Vec<u8> {
        let open = |window: u64, chunk| {
            let window = &self.windows[usize::try_from(window).expect("a few windows")];
            window.outboards[window.outboards.len() - 1].open(window.bytes(), chunk)
        };
        let samples = challenge.space_samples();
        let openings: Vec<_> = samples.iter().map(|sample| open(sample.window, sample.chunk)).collect();
        encode_response(challenge, &openings)
    }

    fn answer_seal(&self, challenge: &Challenge) -> Vec<u8> {
        let prove = |window| {
            let mut prover = WindowProver::new(challenge, window, &self.registration.window_key(window));
            self.windows[usize::try_from(window).expect("a few windows")].replay(&mut prover);
            prover.finish()
        };
        let proofs: Vec<Vec<u8>> = challenge.windows().into_iter().map(prove).collect();
        encode_response(challenge, &proofs)
    }

    fn answer_chunks(&self, challenge: &ObjectChallenge) -> Option<Vec<u8>> {
        let root = challenge.replica.object_root();
        let object = self.objects.iter().find(|object| object.outboard.root() == *root)?;
        let open = |chunks: &[u64]| {
            Ok::<_, ()>(chunks.iter().map(|chunk| object.outboard.open(&object.bytes, *chunk)).collect())
        };
        answer_chunks(&object.record.record, challenge, open).ok()
    }
}

impl Window {
    fn make(registration: &Registration, window: u64) -> Window {
        let (key, shape) = (registration.window_key(window), registration.intent.shape);
        let mut layers: Vec<Vec<u8>> = Vec::new();
        for number in 1..=shape.layers() {
            let layer = Layer::derive(&key, u32::from(number), shape.log2_labels());
            layers.push(match layers.last() {
                None => reference::first_layer(&layer),
                Some(previous) => reference::next_layer(&layer, previous),
            });
        }
        Window { outboards: layers.iter().map(|bytes| Outboard::of(bytes)).collect(), layers }
    }

    fn bytes(&self) -> &[u8] {
        self.layers.last().expect("at least two layers")
    }

    fn record(&self, registration: &Registration, window: u64) -> WindowRecord {
        let layer_roots: Vec<[u8; 32]> = self.outboards.iter().map(Outboard::root).collect();
        WindowRecord {
            shape: registration.intent.shape,
            window,
            window_key: registration.window_key(window),
            root: root(self.bytes()),
            layers_root: layers_root(&layer_roots),
        }
    }

    fn replay(&self, observer: &mut dyn LayerObserver) {
        for (number, (bytes, outboard)) in (1..).zip(self.layers.iter().zip(&self.outboards)) {
            observer.layer(number, bytes, outboard);
        }
    }
}

fn neuron(hotkey: Account) -> NewNeuron {
    NewNeuron { hotkey, coldkey: None, stake_rao: 0, endpoint: None, validator_permit: false, uid: None }
}

/// Bytes of no meaning that differ from one seed to the next.
pub(super) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}
