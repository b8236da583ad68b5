//! Rounds of space audits of 64 openings in windows of 1 GiB, which nobody has to fill.

use holdfast_engine::account::Account;
use holdfast_engine::challenge::Challenge;
use holdfast_engine::commitment::{Batch, Commitment, CommitmentFields};
use holdfast_engine::registration::{Intent, Registration, WindowShape};
use holdfast_engine::signature::Signature;
use holdfast_engine::space::record::{WindowRecord, partition_root};
use holdfast_engine::space::response::encode_response;
use holdfast_engine::tree::{BLOCK_BYTES, BLOCK_CHUNKS, Outboard, block_value, open_chunk};

const LOG2_LABELS: u8 = 25;
const SAMPLES: u32 = 64;

/// A window's bytes by block: zeros, but for the window's number at the front. What they are does not matter here, only
/// that openings are as long as real ones and that no two windows are the same.
fn block(window: u64, block: u64) -> [u8; BLOCK_BYTES] {
    let mut bytes = [0; BLOCK_BYTES];
    if block == 0 {
        bytes[..8].copy_from_slice(&window.to_le_bytes());
    }
    bytes
}

/// A partition of which only the trees are held.
pub struct Partition {
    /// What was registered.
    pub commitment: Commitment,
    outboards: Vec<Outboard>,
}

/// 64 windows of 1 GiB.
pub fn partition() -> Partition {
    let shape = WindowShape::new(LOG2_LABELS, 16).expect("a shape within the ranges");
    let (miner, validator) = (Account([1; 32]), Account([2; 32]));
    let intent = Intent { shape, window_cap: 64, network: [3; 32], miner, validator, ordinal: 0 };
    let registration = Registration { intent, partition_id: 1, intent_height: 0, beacon: [4; 32] };
    let mut values: Vec<_> = (0..shape.blocks()).map(|i| block_value(i, &block(0, i))).collect();
    let mut outboard = |window| {
        values[0] = block_value(0, &block(window, 0));
        Outboard::from_block_values(shape.bytes(), values.clone())
    };
    let outboards: Vec<_> = (0..u64::from(SAMPLES)).map(&mut outboard).collect();
    let record = |(window, outboard): (u64, &Outboard)| WindowRecord {
        shape,
        window,
        window_key: registration.window_key(window),
        root: outboard.root(),
        layers_root: registration.window_key(window),
    };
    let records: Vec<_> = (0..).zip(&outboards).map(record).collect();
    let batch = Batch { end: u64::from(SAMPLES), height: 10, partition_root: partition_root(&records) };
    let fields = CommitmentFields { registration, signature: Signature::NONE, batches: vec![batch], records };
    Partition { commitment: Commitment::new(fields).expect("agrees with itself"), outboards }
}

impl Partition {
    /// A challenge of 64 samples at this height, and the right answer.
    pub fn round(&self, height: u64) -> (Challenge, Vec<u8>) {
        let beacon = *blake3::hash(&height.to_le_bytes()).as_bytes();
        let challenge = Challenge::space(&self.commitment, beacon, height, SAMPLES, 5_000);
        let open = |(window, chunk): (u64, u64)| {
            let outboard = &self.outboards[usize::try_from(window).expect("64 windows")];
            let at = chunk / BLOCK_CHUNKS as u64;
            open_chunk(chunk, outboard.length(), &block(window, at), &outboard.path(at))
        };
        let samples = challenge.space_samples().into_iter();
        let openings: Vec<_> = samples.map(|sample| open((sample.window, sample.chunk))).collect();
        let response = encode_response(&challenge, &openings);
        (challenge, response)
    }
}
