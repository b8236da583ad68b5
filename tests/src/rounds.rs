//! A registered partition on a simulated chain, and the receipts of its rounds. No windows are made: receipts do not look
//! into responses.

use holdfast_engine::challenge::{Challenge, Kind, Terms};
use holdfast_engine::receipt::{Body, Receipt};
use holdfast_engine::recorder::{BatchClaim, Recorder, SimulatedRecorder, Simulation, SimulationSettings};
use holdfast_engine::registration::{Intent, Registration, WindowShape};
use holdfast_engine::signature::Signer;

/// Windows of the partition.
pub const WINDOWS: u64 = 6;
/// Root of its window table.
pub const PARTITION_ROOT: [u8; 32] = [7; 32];

/// The chain, both parties' keys and one partition.
#[derive(Debug)]
pub struct Rounds {
    /// The chain.
    pub recorder: SimulatedRecorder,
    /// Who stores.
    pub miner: Signer,
    /// Who asks.
    pub validator: Signer,
    /// The partition.
    pub registration: Registration,
    /// First height at which it may be challenged.
    pub first_height: u64,
}

impl Default for Rounds {
    fn default() -> Rounds {
        Rounds::new()
    }
}

impl Rounds {
    /// Registers a partition and commits to its windows, all signed.
    pub fn new() -> Rounds {
        let settings = SimulationSettings { signatures_required: true, ..SimulationSettings::default() };
        let recorder = SimulatedRecorder::new(settings);
        let (miner, validator) = (Signer::development("miner"), Signer::development("validator"));
        let finality_blocks = settings.finality_blocks.get();
        let intent = Intent {
            shape: WindowShape::new(10, 4).expect("within the ranges"),
            window_cap: 10,
            network: settings.network,
            miner: miner.account(),
            validator: validator.account(),
            ordinal: 0,
        };
        let mut rounds = Rounds {
            registration: register(&recorder, &intent, &miner, finality_blocks),
            recorder,
            miner,
            validator,
            first_height: 0,
        };
        let height = rounds.commit(WINDOWS, PARTITION_ROOT);
        rounds.first_height = height + finality_blocks;
        rounds
    }

    /// Records a batch; returns its height.
    pub fn commit(&self, end: u64, partition_root: [u8; 32]) -> u64 {
        let digest = self.registration.commitment_signing_digest(end, &partition_root);
        let claim = BatchClaim {
            partition_id: self.registration.partition_id,
            registration_digest: self.registration.digest(),
            end,
            partition_root,
            signature: self.miner.sign(&digest),
        };
        self.recorder.record_batch(&claim).expect("a batch that follows the rules")
    }

    /// The network.
    pub fn network(&self) -> [u8; 32] {
        self.registration.intent.network
    }

    /// Adds blocks until this height is final.
    pub fn finalise(&self, height: u64) {
        let newest = self.recorder.height().expect("in memory");
        let wanted = height + self.recorder.finality_blocks().expect("in memory");
        self.recorder.advance(wanted.saturating_sub(newest)).expect("in memory");
    }

    /// What is asked at a height; the block is made if it is not there.
    pub fn terms(&self, height: u64) -> Terms {
        let newest = self.recorder.height().expect("in memory");
        self.recorder.advance(height.saturating_sub(newest)).expect("in memory");
        let intent = &self.registration.intent;
        Terms {
            kind: Kind::Space,
            shape: intent.shape,
            height,
            partition_id: self.registration.partition_id,
            first_window: 0,
            window_count: WINDOWS,
            beacon: self.recorder.beacon(height).expect("in memory").expect("made above"),
            network: intent.network,
            validator: intent.validator,
            miner: intent.miner,
            registration_digest: self.registration.digest(),
            partition_root: PARTITION_ROOT,
            samples: 3,
            deadline_ms: 5_000,
        }
    }

    /// The space challenge at a height.
    pub fn challenge(&self, height: u64) -> Challenge {
        Challenge::new(self.terms(height)).expect("in range")
    }

    /// The receipt that both sign; the validator alone if the round was missed.
    pub fn sign(&self, body: Body) -> Receipt {
        Receipt::issue(body, &self.network(), &self.validator).countersign(&self.network(), &self.miner)
    }

    /// Receipts of the first rounds, one a block: of five, one is missed and one rejected. Their blocks are final.
    pub fn receipts(&self, count: u64) -> Vec<Receipt> {
        let mut previous = [0; 32];
        let heights = self.first_height..self.first_height + count;
        let mut receipt = |height: u64| {
            let answer = match height % 5 {
                1 => None,
                rest => Some((response_digest(height), rest != 3)),
            };
            let body = Body::of(&self.challenge(height), answer, previous);
            previous = body.digest(&self.network());
            self.sign(body)
        };
        let receipts = heights.clone().map(&mut receipt).collect();
        self.finalise(heights.end);
        receipts
    }
}

/// The digest of the response that the miner gives at a height.
pub fn response_digest(height: u64) -> [u8; 32] {
    *blake3::hash(&height.to_le_bytes()).as_bytes()
}

/// Records an intent and waits for its registration.
pub fn register(
    recorder: &SimulatedRecorder,
    intent: &Intent,
    miner: &Signer,
    finality_blocks: u64,
) -> Registration {
    let signature = miner.sign(&intent.signing_digest());
    let recorded = recorder.record_intent(intent, &signature).expect("a new intent");
    recorder.advance(finality_blocks).expect("in memory");
    let registration = recorder.registration(recorded.partition_id).expect("in memory");
    registration.expect("the beacon's block was made above")
}
