//! Every domain tag in one place (challenge-v1 §9), and the only functions that hash under them.

/// A key-derivation context. The strings are fixed for ever: another meaning takes another string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context(&'static str);

/// The domain separation tag of hashing to the curve (commitment-v1 §3); RFC 9380 hashes under it, nothing here.
pub const HASH_TO_CURVE_TAG: &str = "HOLDFAST-V01-CS01-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";

macro_rules! contexts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Context { $($(#[$doc])* pub const $name: Context = Context($text);)* }
        /// All contexts with their names, for the spec's table and the test that they are distinct.
        pub const ALL_CONTEXTS: &[(&str, &str)] = &[$((stringify!($name), $text)),*];
    };
}

contexts! {
    /// Chain genesis and netuid → network.
    NETWORK = "holdfast v1 network";
    /// What the miner signs of an intent.
    INTENT_SIGNING = "holdfast v1 intent signing";
    /// Registration → its digest.
    REGISTRATION = "holdfast v1 registration";
    /// Registration and window index → window key.
    WINDOW_KEY = "holdfast v1 space window key";
    /// Window key and layer → layer key.
    LAYER_KEY = "holdfast v1 space layer key";
    /// Layer key → edge constants.
    EDGES = "holdfast v1 space edges";
    /// What the miner signs to withdraw a partition.
    WITHDRAWAL_SIGNING = "holdfast v1 withdrawal signing";
    /// What the miner signs of a commitment.
    COMMITMENT_SIGNING = "holdfast v1 commitment signing";
    /// Challenge → seed.
    CHALLENGE_SEED = "holdfast v1 challenge seed";
    /// Challenge → digest.
    CHALLENGE_DIGEST = "holdfast v1 challenge digest";
    /// Seed → windows.
    SPACE_WINDOWS = "holdfast v1 space windows";
    /// Seed → chunks.
    SPACE_CHUNKS = "holdfast v1 space chunks";
    /// Seed and window → nodes of a seal audit.
    SEAL_NODES = "holdfast v1 seal nodes";
    /// Beacon → whether its block is an audit height.
    AUDIT_HEIGHT = "holdfast v1 audit height";
    /// Response → digest.
    RESPONSE_DIGEST = "holdfast v1 response digest";
    /// What the miner signs of a response.
    RESPONSE_SIGNING = "holdfast v1 response signing";
    /// Receipt body → digest.
    RECEIPT_BODY = "holdfast v1 receipt body";
    /// What both sign of a receipt.
    RECEIPT_SIGNING = "holdfast v1 receipt signing";
    /// What the validator signs of a round's anchor.
    ANCHOR_SIGNING = "holdfast v1 anchor signing";
    /// All generators → their digest.
    GENERATORS = "holdfast v1 generators";
    /// Blinding key and block → blinding scalar.
    BLINDING = "holdfast v1 blinding";
    /// Randomness → coefficients of a store-time check.
    STORE_CHECK = "holdfast v1 store check";
    /// Object record → digest.
    OBJECT_RECORD = "holdfast v1 object record";
    /// What the checker signs of an object record.
    OBJECT_SIGNING = "holdfast v1 object signing";
    /// Kind, beacon and record digest → whether the object is audited.
    OBJECT_AUDIT = "holdfast v1 object audit";
    /// Record digest → the number of its chain of receipts.
    OBJECT_NUMBER = "holdfast v1 object number";
    /// Seed → blocks of a possession audit.
    POSSESSION_BLOCKS = "holdfast v1 possession blocks";
    /// Seed → coefficients of those blocks.
    POSSESSION_COEFFICIENTS = "holdfast v1 possession coefficients";
    /// Statement and T → state and c.
    POSSESSION_PROOF = "holdfast v1 possession proof";
    /// State and a round's points → next state and e.
    POSSESSION_FOLD = "holdfast v1 possession fold";
    /// Device secret, statement and fresh bytes → masks.
    POSSESSION_MASK = "holdfast v1 possession mask";
    /// Fresh bytes and all responses → batch digest.
    POSSESSION_BATCH = "holdfast v1 possession batch";
    /// Batch digest → weights.
    POSSESSION_WEIGHTS = "holdfast v1 possession weights";
    /// Seed → chunks of an object.
    OBJECT_CHUNKS = "holdfast v1 object chunks";
    /// Seed → blocks of a link audit.
    LINK_BLOCKS = "holdfast v1 link blocks";
    /// A token's key and digest → what the record commits to.
    TOKEN = "holdfast v1 token";
    /// Beacon, height, parties and registration → seed of a round over windows and objects.
    AUDIT_ROUND = "holdfast v1 audit round";
    /// Seed → which objects of a partition the samples of an audit are of.
    OBJECT_SAMPLES = "holdfast v1 object samples";
    /// What a hotkey signs of the endpoint that it announces.
    ENDPOINT_SIGNING = "holdfast v1 endpoint signing";
    /// What a validator signs of the weights that it sets.
    WEIGHTS_SIGNING = "holdfast v1 weights signing";
    /// Development name → sr25519 mini secret of a simulated network.
    DEVELOPMENT_SECRET = "holdfast v1 development secret";
    /// Simulated chain: seed and height → beacon.
    SIMULATED_BEACON = "holdfast v1 simulated beacon";
    /// Method and canonical body of a message → its digest.
    MESSAGE_BODY = "holdfast v1 message body";
    /// Header of a message → what its answer names.
    MESSAGE_HEADER = "holdfast v1 message header";
    /// What the sender signs of a message.
    MESSAGE_SIGNING = "holdfast v1 message signing";
    /// What a validator signs of a ticket.
    TICKET_SIGNING = "holdfast v1 ticket signing";
    /// What another validator signs of a round's promises.
    WITNESS_SIGNING = "holdfast v1 witness signing";
    /// Placement secret, policy and piece → key of the piece's outer layer.
    PIECE_LAYER = "holdfast v1 piece layer";
    /// Manifest of a file → its checksum.
    MANIFEST_CHECKSUM = "holdfast v1 manifest checksum";
    /// Seed and segment → draws of miners.
    PLACEMENT = "holdfast v1 placement";
}

impl Context {
    /// A hasher in key-derivation mode with this context.
    pub fn hasher(self) -> blake3::Hasher {
        blake3::Hasher::new_derive_key(self.0)
    }

    /// `derive(context, parts[0] ‖ parts[1] ‖ …)`, 32 bytes.
    pub fn derive(self, parts: &[&[u8]]) -> [u8; 32] {
        *self.feed(parts).finalize().as_bytes()
    }

    /// The same derivation as an endless stream.
    pub fn stream(self, parts: &[&[u8]]) -> Stream {
        Stream(self.feed(parts).finalize_xof())
    }

    fn feed(self, parts: &[&[u8]]) -> blake3::Hasher {
        let mut hasher = self.hasher();
        for part in parts {
            hasher.update(part);
        }
        hasher
    }
}

/// An endless stream of derived bytes, and uniform draws from it (docs/spec/README.md).
#[derive(Clone, Debug)]
pub struct Stream(blake3::OutputReader);

/// A stream of secrets is wiped when it has served.
impl zeroize::Zeroize for Stream {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Stream {
    /// The next bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    /// Uniform below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        // 2^64 mod bound; values from 2^64 − excess on would favour small remainders.
        let excess = (u64::MAX % bound + 1) % bound;
        loop {
            let mut word = [0; 8];
            self.0.fill(&mut word);
            let value = u64::from_le_bytes(word);
            if excess == 0 || value <= u64::MAX - excess {
                return value % bound;
            }
        }
    }

    /// `count` distinct values below `bound` in drawn order: a partial Fisher–Yates shuffle that remembers only what it
    /// moved, so memory is O(count). `count` is at most `bound`.
    pub fn distinct_below(&mut self, bound: u64, count: usize) -> Vec<u64> {
        let mut moved = std::collections::HashMap::new();
        (0..count as u64)
            .map(|i| {
                let j = i + self.below(bound - i);
                let at_i = moved.get(&i).copied().unwrap_or(i);
                moved.insert(j, at_i).unwrap_or(j)
            })
            .collect()
    }
}
