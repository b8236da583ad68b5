//! Who fixes what before any byte is filled: intents, registrations, window keys (space-v1 §1–§4).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::account::Account;
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};
use crate::transcript::Context;

/// Bytes of an encoded [`Intent`].
pub const INTENT_BYTES: usize = 120;
/// Bytes of an encoded [`Registration`].
pub const REGISTRATION_BYTES: usize = INTENT_BYTES + 48;

const INTENT_TAG: &[u8; 4] = b"HFI1";
const LOG2_LABEL_BYTES: u8 = 5;
const LOG2_CHUNK_BYTES: u8 = 10;
const LOG2_BLOCK_BYTES: u8 = 14;

/// How many layers a window has, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// 12 layers: the fewest that the default policy takes.
    Swift,
    /// 16 layers: the default.
    Standard,
    /// 32 layers.
    Hard,
    /// Any other number.
    Custom(u8),
}

impl Profile {
    /// ℓ.
    pub fn layers(self) -> u8 {
        match self {
            Profile::Swift => 12,
            Profile::Standard => 16,
            Profile::Hard => 32,
            Profile::Custom(layers) => layers,
        }
    }

    /// The profile of ℓ layers, named where it has a name.
    pub fn of_layers(layers: u8) -> Profile {
        let named = [Profile::Swift, Profile::Standard, Profile::Hard];
        named.into_iter().find(|profile| profile.layers() == layers).unwrap_or(Profile::Custom(layers))
    }

    /// The name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Swift => "swift",
            Profile::Standard => "standard",
            Profile::Hard => "hard",
            Profile::Custom(_) => "custom",
        }
    }

    /// A named profile; a custom one has no text.
    pub fn from_name(name: &str) -> Option<Profile> {
        let named = [Profile::Swift, Profile::Standard, Profile::Hard];
        named.into_iter().find(|profile| profile.name() == name)
    }
}

/// The size of a window and the number of its layers, within the ranges of space-v1 §1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowShape {
    log2_labels: u8,
    layers: u8,
}

impl WindowShape {
    /// k of the smallest window, 32 KiB.
    pub const LEAST_LOG2_LABELS: u8 = 10;
    /// k of the largest window, 32 GiB.
    pub const MOST_LOG2_LABELS: u8 = 30;
    /// Fewest layers.
    pub const LEAST_LAYERS: u8 = 2;
    /// Most layers.
    pub const MOST_LAYERS: u8 = 64;

    /// A shape; refuses k outside 10 … 30 and ℓ outside 2 … 64 as `malformed`.
    pub fn new(log2_labels: u8, layers: u8) -> Result<WindowShape, Rejection> {
        if !(Self::LEAST_LOG2_LABELS..=Self::MOST_LOG2_LABELS).contains(&log2_labels) {
            return Err(Class::Malformed.because(format!("k is {log2_labels}, outside 10 … 30")));
        }
        if !(Self::LEAST_LAYERS..=Self::MOST_LAYERS).contains(&layers) {
            return Err(Class::Malformed.because(format!("a window has {layers} layers, outside 2 … 64")));
        }
        Ok(WindowShape { log2_labels, layers })
    }

    /// The shape of windows of so many bytes: a power of two from 32 KiB to 32 GiB.
    pub fn of_bytes(window_bytes: u64, profile: Profile) -> Result<WindowShape, Rejection> {
        let log2_bytes = u8::try_from(window_bytes.checked_ilog2().unwrap_or(0)).unwrap_or(0);
        if !window_bytes.is_power_of_two() || log2_bytes < LOG2_LABEL_BYTES {
            return Err(Class::Malformed.because(format!(
                "a window of {window_bytes} bytes: take a power of two from 32 KiB to 32 GiB"
            )));
        }
        WindowShape::new(log2_bytes - LOG2_LABEL_BYTES, profile.layers())
    }

    /// k.
    pub fn log2_labels(self) -> u8 {
        self.log2_labels
    }

    /// ℓ.
    pub fn layers(self) -> u8 {
        self.layers
    }

    /// n = 2^k: labels of one layer.
    pub fn labels(self) -> u64 {
        1 << self.log2_labels
    }

    /// Bytes of one window, and of each of its layers: 2^(k+5).
    pub fn bytes(self) -> u64 {
        1 << (self.log2_labels + LOG2_LABEL_BYTES)
    }

    /// Chunks of 1 KiB in a window: 2^(k−5).
    pub fn chunks(self) -> u64 {
        self.bytes() >> LOG2_CHUNK_BYTES
    }

    /// Blocks of 16 KiB in a window: 2^(k−9).
    pub fn blocks(self) -> u64 {
        self.bytes() >> LOG2_BLOCK_BYTES
    }

    /// The profile of the layers.
    pub fn profile(self) -> Profile {
        Profile::of_layers(self.layers)
    }
}

/// `derive(network, genesis digest ‖ netuid u16)` (space-v1 §2).
pub fn network_digest(genesis: &[u8; 32], netuid: u16) -> [u8; 32] {
    Context::NETWORK.derive(&[genesis, &netuid.to_le_bytes()])
}

/// What a miner wants recorded: a partition for one validator (space-v1 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    /// Size and layers of every window.
    pub shape: WindowShape,
    /// The most windows that the partition may ever have, at least 1.
    pub window_cap: u64,
    /// The network ([`network_digest`]).
    pub network: [u8; 32],
    /// Who stores.
    pub miner: Account,
    /// For whom.
    pub validator: Account,
    /// Chosen by the miner: tells two partitions of one pair apart.
    pub ordinal: u64,
}

impl Intent {
    /// The 120 bytes.
    pub fn encode(&self) -> [u8; INTENT_BYTES] {
        let mut bytes = [0; INTENT_BYTES];
        bytes[..4].copy_from_slice(INTENT_TAG);
        bytes[4] = self.shape.log2_labels;
        bytes[5] = self.shape.layers;
        bytes[8..16].copy_from_slice(&self.window_cap.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.network);
        bytes[48..80].copy_from_slice(&self.miner.0);
        bytes[80..112].copy_from_slice(&self.validator.0);
        bytes[112..].copy_from_slice(&self.ordinal.to_le_bytes());
        bytes
    }

    /// Reads exactly 120 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Intent, Rejection> {
        Intent::read(&mut Reader::exactly("intent", bytes, INTENT_BYTES)?)
    }

    /// Reads an intent at the front of another structure.
    pub fn read(reader: &mut Reader<'_>) -> Result<Intent, Rejection> {
        reader.tag(INTENT_TAG)?;
        let shape = WindowShape::new(reader.byte()?, reader.byte()?)?;
        reader.zeros::<2>()?;
        let window_cap = reader.u64()?;
        if window_cap == 0 {
            return Err(Class::Malformed.because("an intent caps its partition at 0 windows"));
        }
        Ok(Intent {
            shape,
            window_cap,
            network: reader.array()?,
            miner: Account(reader.array()?),
            validator: Account(reader.array()?),
            ordinal: reader.u64()?,
        })
    }

    /// What the miner signs: `derive(intent signing, intent)`.
    pub fn signing_digest(&self) -> [u8; 32] {
        Context::INTENT_SIGNING.derive(&[&self.encode()])
    }
}

/// As hex of the 120 bytes, which are what is signed.
impl Serialize for Intent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hex::serde::serialize(self.encode(), serializer)
    }
}

impl<'de> Deserialize<'de> for Intent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Intent, D::Error> {
        let bytes: [u8; INTENT_BYTES] = hex::serde::deserialize(deserializer)?;
        Intent::decode(&bytes).map_err(de::Error::custom)
    }
}

/// Partition ids are below this; numbers from here on are those of objects (receipt-v1 §1).
pub const PARTITION_IDS: u64 = 1 << 63;

/// An intent with what the recorder added: nobody chose the id or the beacon (space-v1 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Registration {
    /// What the miner asked for.
    pub intent: Intent,
    /// Assigned by the recorder, never reused, below [`PARTITION_IDS`].
    pub partition_id: u64,
    /// Where the intent was recorded.
    pub intent_height: u64,
    /// The beacon of block (intent height + F).
    pub beacon: [u8; 32],
}

impl Registration {
    /// The 168 bytes.
    pub fn encode(&self) -> [u8; REGISTRATION_BYTES] {
        let mut bytes = [0; REGISTRATION_BYTES];
        bytes[..120].copy_from_slice(&self.intent.encode());
        bytes[120..128].copy_from_slice(&self.partition_id.to_le_bytes());
        bytes[128..136].copy_from_slice(&self.intent_height.to_le_bytes());
        bytes[136..].copy_from_slice(&self.beacon);
        bytes
    }

    /// Reads exactly 168 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Registration, Rejection> {
        Registration::read(&mut Reader::exactly("registration", bytes, REGISTRATION_BYTES)?)
    }

    /// Reads a registration at the front of another structure.
    pub fn read(reader: &mut Reader<'_>) -> Result<Registration, Rejection> {
        let intent = Intent::read(reader)?;
        let partition_id = reader.u64()?;
        check_partition_id(partition_id)?;
        Ok(Registration { intent, partition_id, intent_height: reader.u64()?, beacon: reader.array()? })
    }

    /// The digest by which commitments and challenges name this registration.
    pub fn digest(&self) -> [u8; 32] {
        Context::REGISTRATION.derive(&[&self.encode()])
    }

    /// `derive(window key, registration ‖ w u64)` (space-v1 §4).
    pub fn window_key(&self, window: u64) -> [u8; 32] {
        Context::WINDOW_KEY.derive(&[&self.encode(), &window.to_le_bytes()])
    }

    /// What the miner signs of a commitment to so many windows (space-v1 §7).
    pub fn commitment_signing_digest(&self, windows: u64, partition_root: &[u8; 32]) -> [u8; 32] {
        Context::COMMITMENT_SIGNING.derive(&[&self.digest(), &windows.to_le_bytes(), partition_root])
    }
}

/// Refuses numbers that no recorder assigns, as `malformed`.
pub(crate) fn check_partition_id(partition_id: u64) -> Result<(), Rejection> {
    if partition_id < PARTITION_IDS {
        return Ok(());
    }
    Err(Class::Malformed.because(format!("partition id {partition_id}; ids are below 2^63")))
}

#[cfg(test)]
mod tests;
