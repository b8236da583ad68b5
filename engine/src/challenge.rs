//! Challenges: what is asked, of whom, and where it lies (challenge-v1 §1–§2).

mod expand;

use std::ops::Deref;

use crate::account::Account;
use crate::codec::Reader;
use crate::commitment::Commitment;
use crate::registration::{WindowShape, check_partition_id};
use crate::rejection::{Class, Rejection};
use crate::transcript::Context;

pub use expand::{SealNode, SpaceSample};

/// Bytes of a challenge.
pub const CHALLENGE_BYTES: usize = 240;
/// Most samples of a challenge.
pub const SAMPLES_MAX: u32 = 1 << 20;

const TAG: &[u8; 4] = b"HFQ1";
/// Samples and deadline at the end are policy and do not enter the seed.
const SEED_BYTES: usize = CHALLENGE_BYTES - 8;

/// What a challenge asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Chunks of the windows' bytes: the windows are stored.
    Space = 1,
    /// Labels of all layers with their parents: the windows were made as they should.
    Seal = 2,
}

impl Kind {
    /// The kind of this number; refuses others as `malformed`.
    pub fn of_number(number: u8) -> Result<Kind, Rejection> {
        match number {
            1 => Ok(Kind::Space),
            2 => Ok(Kind::Seal),
            other => Err(Class::Malformed.because(format!("kind {other}; there are 1 (space) and 2 (seal)"))),
        }
    }

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Space => "space",
            Kind::Seal => "seal",
        }
    }
}

/// The fields of a challenge, in the order of the format, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What is asked for.
    pub kind: Kind,
    /// k and ℓ of the windows.
    pub shape: WindowShape,
    /// Height of the block whose beacon this is.
    pub height: u64,
    /// The partition.
    pub partition_id: u64,
    /// First window that may be asked for.
    pub first_window: u64,
    /// Windows that may be asked for, from the first one on.
    pub window_count: u64,
    /// What nobody knew before.
    pub beacon: [u8; 32],
    /// The network.
    pub network: [u8; 32],
    /// Who asks.
    pub validator: Account,
    /// Who answers.
    pub miner: Account,
    /// Digest of the partition's registration.
    pub registration_digest: [u8; 32],
    /// Root of its window table.
    pub partition_root: [u8; 32],
    /// q: chunks (space) or windows (seal) to show.
    pub samples: u32,
    /// Time to answer in milliseconds.
    pub deadline_ms: u32,
}

/// A challenge whose counts are in range, so that it can be expanded. Its fields are read through [`Terms`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(Terms);

impl Deref for Challenge {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.0
    }
}

impl Challenge {
    /// Checks ranges: at least one sample, at most one a window and 2^20, windows that have numbers, a partition id below
    /// 2^63.
    ///
    /// Refused: `malformed`.
    pub fn new(terms: Terms) -> Result<Challenge, Rejection> {
        let Terms { samples, window_count, first_window, partition_id, .. } = terms;
        check_partition_id(partition_id)?;
        if samples == 0 || u64::from(samples) > window_count || samples > SAMPLES_MAX {
            return Err(Class::Malformed.because(format!("{samples} samples of {window_count} windows")));
        }
        if first_window.checked_add(window_count).is_none() {
            return Err(Class::Malformed.because(format!("{window_count} windows from {first_window} on")));
        }
        if terms.kind == Kind::Space && first_window != 0 {
            return Err(Class::Malformed.because(format!("a space challenge from window {first_window} on")));
        }
        Ok(Challenge(terms))
    }

    /// A space challenge of a partition: `samples` chunks, or one of each window if there are fewer windows.
    pub fn space(
        commitment: &Commitment,
        beacon: [u8; 32],
        height: u64,
        samples: u32,
        deadline_ms: u32,
    ) -> Challenge {
        let windows = 0..commitment.window_count();
        Challenge::of(Kind::Space, commitment, windows, (beacon, height), samples, deadline_ms)
    }

    /// A seal challenge of the windows that batch number `batch` added and that still exist; `None` if there are none.
    pub fn seal(
        commitment: &Commitment,
        batch: usize,
        beacon: [u8; 32],
        height: u64,
        samples: u32,
        deadline_ms: u32,
    ) -> Option<Challenge> {
        let windows = commitment.added_windows(batch)?;
        Some(Challenge::of(Kind::Seal, commitment, windows, (beacon, height), samples, deadline_ms))
    }

    fn of(
        kind: Kind,
        commitment: &Commitment,
        windows: std::ops::Range<u64>,
        (beacon, height): ([u8; 32], u64),
        samples: u32,
        deadline_ms: u32,
    ) -> Challenge {
        let intent = &commitment.registration.intent;
        let window_count = windows.end - windows.start;
        let most = u32::try_from(window_count).map_or(SAMPLES_MAX, |windows| windows.min(SAMPLES_MAX));
        Challenge(Terms {
            kind,
            shape: intent.shape,
            height,
            partition_id: commitment.registration.partition_id,
            first_window: windows.start,
            window_count,
            beacon,
            network: intent.network,
            validator: intent.validator,
            miner: intent.miner,
            registration_digest: commitment.registration_digest(),
            partition_root: commitment.partition_root(),
            samples: samples.clamp(1, most),
            deadline_ms,
        })
    }

    /// The 240 bytes.
    pub fn encode(&self) -> [u8; CHALLENGE_BYTES] {
        let fields: [&[u8]; 14] = [
            TAG,
            &[self.kind as u8, self.shape.log2_labels(), self.shape.layers(), 0],
            &self.height.to_le_bytes(),
            &self.partition_id.to_le_bytes(),
            &self.first_window.to_le_bytes(),
            &self.window_count.to_le_bytes(),
            &self.beacon,
            &self.network,
            &self.validator.0,
            &self.miner.0,
            &self.registration_digest,
            &self.partition_root,
            &self.samples.to_le_bytes(),
            &self.deadline_ms.to_le_bytes(),
        ];
        let mut bytes = [0; CHALLENGE_BYTES];
        bytes.copy_from_slice(&fields.concat());
        bytes
    }

    /// Reads exactly 240 bytes.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<Challenge, Rejection> {
        let mut reader = Reader::exactly("challenge", bytes, CHALLENGE_BYTES)?;
        reader.tag(TAG)?;
        let kind = Kind::of_number(reader.byte()?)?;
        let shape = WindowShape::new(reader.byte()?, reader.byte()?)?;
        reader.zeros::<1>()?;
        Challenge::new(Terms {
            kind,
            shape,
            height: reader.u64()?,
            partition_id: reader.u64()?,
            first_window: reader.u64()?,
            window_count: reader.u64()?,
            beacon: reader.array()?,
            network: reader.array()?,
            validator: Account(reader.array()?),
            miner: Account(reader.array()?),
            registration_digest: reader.array()?,
            partition_root: reader.array()?,
            samples: reader.u32()?,
            deadline_ms: reader.u32()?,
        })
    }

    /// What the places are drawn from.
    pub fn seed(&self) -> [u8; 32] {
        Context::CHALLENGE_SEED.derive(&[&self.encode()[..SEED_BYTES]])
    }

    /// What a response names.
    pub fn digest(&self) -> [u8; 32] {
        Context::CHALLENGE_DIGEST.derive(&[&self.encode()])
    }

    /// Checks that this is a challenge of this partition as it is registered now.
    ///
    /// Refused: `wrong-challenge`.
    pub fn check_place(&self, commitment: &Commitment) -> Result<(), Rejection> {
        let intent = &commitment.registration.intent;
        let same = [
            ("k or ℓ", self.shape == intent.shape),
            ("partition id", self.partition_id == commitment.registration.partition_id),
            ("network", self.network == intent.network),
            ("validator", self.validator == intent.validator),
            ("miner", self.miner == intent.miner),
            ("registration", self.registration_digest == commitment.registration_digest()),
            ("partition root", self.partition_root == commitment.partition_root()),
            ("range of windows", self.has_windows_of(commitment)),
        ];
        match same.iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((what, _)) => Err(Class::WrongChallenge
                .because(format!("the challenge has another {what} than the commitment"))),
        }
    }

    fn has_windows_of(&self, commitment: &Commitment) -> bool {
        let windows = self.first_window..self.first_window + self.window_count;
        match self.kind {
            Kind::Space => windows == (0..commitment.window_count()),
            Kind::Seal => (0..commitment.batches.len())
                .any(|batch| commitment.added_windows(batch).as_ref() == Some(&windows)),
        }
    }

    /// Checks that this is a challenge of this partition, and that with the network's finality depth the record was final
    /// when the beacon came. The commitment is the one in force at the challenge's height
    /// ([`Commitment::in_force`]): later batches do not excuse from it.
    ///
    /// Refused: `wrong-challenge`, `not-final`.
    pub fn check_against(&self, commitment: &Commitment, finality_blocks: u64) -> Result<(), Rejection> {
        self.check_place(commitment)?;
        let registered = commitment.registration.intent_height.saturating_add(finality_blocks);
        if let Some(first) = commitment.batches.first().filter(|first| first.height < registered) {
            let height = first.height;
            return Err(Class::NotFinal.because(format!(
                "the first batch, at height {height}, is older than the registration beacon of block {registered}"
            )));
        }
        let since = commitment.last_batch().height.saturating_add(finality_blocks);
        if self.height < since {
            let height = self.height;
            return Err(Class::NotFinal.because(format!("challenged at height {height}, before {since}")));
        }
        Ok(())
    }
}
