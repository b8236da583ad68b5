//! Small partitions made by the reference, honestly or not, that answer challenges from memory.

use holdfast_engine::account::Account;
use holdfast_engine::challenge::Challenge;
use holdfast_engine::commitment::{Batch, Commitment, CommitmentFields};
use holdfast_engine::reference;
use holdfast_engine::registration::{Intent, Registration, WindowShape, network_digest};
use holdfast_engine::signature::Signature;
use holdfast_engine::space::label::Layer;
use holdfast_engine::space::record::{WindowRecord, layers_root, partition_root};
use holdfast_engine::space::response::encode_response;
use holdfast_engine::space::seal::{LayerObserver, WindowProver};
use holdfast_engine::tree::{Outboard, root};

/// Finality depth of the tests' network.
pub const FINALITY_BLOCKS: u64 = 10;
/// Height of the first batch of a test partition.
pub const BATCH_HEIGHT: u64 = 120;
/// First height at which a test partition may be challenged.
pub const CHALLENGE_HEIGHT: u64 = BATCH_HEIGHT + FINALITY_BLOCKS;

/// All layers of one window, in memory.
#[derive(Clone, Debug)]
pub struct TestWindow {
    /// Bytes of layers 1 … ℓ.
    pub layers: Vec<Vec<u8>>,
    /// Their trees.
    pub outboards: Vec<Outboard>,
}

/// A partition in memory and its commitment.
#[derive(Clone, Debug)]
pub struct TestPartition {
    /// What was registered.
    pub commitment: Commitment,
    /// What is held.
    pub windows: Vec<TestWindow>,
}

/// A shape for tests.
pub fn shape(log2_labels: u8, layers: u8) -> WindowShape {
    WindowShape::new(log2_labels, layers).expect("a shape within the ranges")
}

/// A registration with fields that are all different.
pub fn registration(shape: WindowShape, partition_id: u64) -> Registration {
    Registration {
        intent: Intent {
            shape,
            window_cap: 100,
            network: network_digest(&[1; 32], 29),
            miner: Account([2; 32]),
            validator: Account([3; 32]),
            ordinal: 0,
        },
        partition_id,
        intent_height: 100,
        beacon: [4; 32],
    }
}

/// A beacon for round `round`.
pub fn beacon(round: u64) -> [u8; 32] {
    root(&round.to_le_bytes())
}

impl TestWindow {
    /// Makes a window by the reference; after each layer `cheat` may change it, and later layers follow from that.
    pub fn make(
        registration: &Registration,
        window: u64,
        mut cheat: impl FnMut(u8, &mut [u8]),
    ) -> TestWindow {
        let (key, shape) = (registration.window_key(window), registration.intent.shape);
        let mut layers: Vec<Vec<u8>> = Vec::new();
        for number in 1..=shape.layers() {
            let layer = Layer::derive(&key, u32::from(number), shape.log2_labels());
            let mut bytes = match layers.last() {
                None => reference::first_layer(&layer),
                Some(previous) => reference::next_layer(&layer, previous),
            };
            cheat(number, &mut bytes);
            layers.push(bytes);
        }
        TestWindow::of(layers)
    }

    /// A window of these layers.
    pub fn of(layers: Vec<Vec<u8>>) -> TestWindow {
        TestWindow { outboards: layers.iter().map(|bytes| Outboard::of(bytes)).collect(), layers }
    }

    /// The stored bytes: layer ℓ.
    pub fn bytes(&self) -> &[u8] {
        self.layers.last().expect("at least two layers")
    }

    /// Roots of layers 1 … ℓ.
    pub fn layer_roots(&self) -> Vec<[u8; 32]> {
        self.outboards.iter().map(Outboard::root).collect()
    }

    /// The record to register.
    pub fn record(&self, registration: &Registration, window: u64) -> WindowRecord {
        WindowRecord {
            shape: registration.intent.shape,
            window,
            window_key: registration.window_key(window),
            root: root(self.bytes()),
            layers_root: layers_root(&self.layer_roots()),
        }
    }

    /// Shows every layer to an observer.
    pub fn replay(&self, observer: &mut dyn LayerObserver) {
        for (number, (bytes, outboard)) in (1..).zip(self.layers.iter().zip(&self.outboards)) {
            observer.layer(number, bytes, outboard);
        }
    }
}

impl TestPartition {
    /// An honest partition of `windows` windows.
    pub fn honest(registration: Registration, windows: u64) -> TestPartition {
        TestPartition::cheating(registration, windows, |_, _, _| ())
    }

    /// A partition whose layers `cheat(window, layer number, bytes)` changed; roots and records are those of the result.
    pub fn cheating(
        registration: Registration,
        windows: u64,
        mut cheat: impl FnMut(u64, u8, &mut [u8]),
    ) -> TestPartition {
        let make =
            |window| TestWindow::make(&registration, window, |layer, bytes| cheat(window, layer, bytes));
        TestPartition::of(registration, (0..windows).map(make).collect())
    }

    /// The partition of these windows, registered in one batch.
    pub fn of(registration: Registration, windows: Vec<TestWindow>) -> TestPartition {
        let records: Vec<_> =
            (0..).zip(&windows).map(|(i, window)| window.record(&registration, i)).collect();
        let end = windows.len() as u64;
        let batch = Batch { end, height: BATCH_HEIGHT, partition_root: partition_root(&records) };
        let fields =
            CommitmentFields { registration, signature: Signature::NONE, batches: vec![batch], records };
        TestPartition {
            commitment: Commitment::new(fields).expect("a table that agrees with itself"),
            windows,
        }
    }

    /// A space challenge with the beacon of `round`.
    pub fn space_challenge(&self, round: u64, samples: u32) -> Challenge {
        Challenge::space(&self.commitment, beacon(round), CHALLENGE_HEIGHT + round, samples, 5_000)
    }

    /// A seal challenge of the first batch with the beacon of `round`.
    pub fn seal_challenge(&self, round: u64, samples: u32) -> Challenge {
        Challenge::seal(&self.commitment, 0, beacon(round), CHALLENGE_HEIGHT + round, samples, 60_000)
            .expect("the first batch added windows")
    }

    /// The opening of a chunk of a window's bytes.
    pub fn open(&self, window: u64, chunk: u64) -> Vec<u8> {
        let window = &self.windows[usize::try_from(window).expect("a few windows")];
        let outboard = window.outboards.last().expect("at least two layers");
        outboard.open(window.bytes(), chunk)
    }

    /// The answer to a space challenge from what is held.
    pub fn answer_space(&self, challenge: &Challenge) -> Vec<u8> {
        let samples = challenge.space_samples();
        let openings: Vec<_> = samples.iter().map(|sample| self.open(sample.window, sample.chunk)).collect();
        encode_response(challenge, &openings)
    }

    /// What shows each window of a seal challenge.
    pub fn seal_proofs(&self, challenge: &Challenge) -> Vec<Vec<u8>> {
        let prove = |window| {
            let key = self.commitment.registration.window_key(window);
            let mut prover = WindowProver::new(challenge, window, &key);
            self.windows[usize::try_from(window).expect("a few windows")].replay(&mut prover);
            prover.finish()
        };
        challenge.windows().into_iter().map(prove).collect()
    }

    /// The answer to a seal challenge from what is held.
    pub fn answer_seal(&self, challenge: &Challenge) -> Vec<u8> {
        encode_response(challenge, &self.seal_proofs(challenge))
    }
}
