//! What receipts are about: partitions under their ids, objects under numbers that no partition has (receipt-v1 §1).

use std::fmt;

use serde::{Serialize, Serializer};

use crate::challenge::Kind;
use crate::possession::challenge::AuditKind;
use crate::registration::PARTITION_IDS;
use crate::rejection::{Class, Rejection};
use crate::transcript::Context;

/// Number of an object, which follows from its record's digest: 63 bits of a hash below the bit that no partition id has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectNumber(u64);

impl ObjectNumber {
    /// The first 8 bytes of `derive(object number, record digest)` with the top bit set.
    pub fn of(record_digest: &[u8; 32]) -> ObjectNumber {
        let mut word = [0; 8];
        Context::OBJECT_NUMBER.stream(&[record_digest]).fill(&mut word);
        ObjectNumber(u64::from_le_bytes(word) | PARTITION_IDS)
    }

    /// The number, at least 2^63.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Serialize for ObjectNumber {
    /// As digits: JSON numbers are not exact so far up.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What a chain of receipts is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Subject {
    /// The partition of this id, which is below 2^63.
    #[serde(rename = "partition_id")]
    Partition(u64),
    /// The object of this number.
    #[serde(rename = "object_number")]
    Object(ObjectNumber),
}

impl Subject {
    /// As in a body: the top bit tells them apart.
    pub fn of_number(number: u64) -> Subject {
        if number < PARTITION_IDS {
            Subject::Partition(number)
        } else {
            Subject::Object(ObjectNumber(number))
        }
    }

    /// As in a body.
    pub fn number(self) -> u64 {
        match self {
            Subject::Partition(partition_id) => partition_id,
            Subject::Object(number) => number.0,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Subject::Partition(_) => "partition",
            Subject::Object(_) => "object",
        };
        write!(f, "{what} {}", self.number())
    }
}

/// What was asked for in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoundKind {
    /// Of a partition.
    Partition(Kind),
    /// Of an object.
    Object(AuditKind),
}

impl RoundKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [RoundKind; 6] = [
        RoundKind::Partition(Kind::Space),
        RoundKind::Partition(Kind::Seal),
        RoundKind::Object(AuditKind::Possession),
        RoundKind::Object(AuditKind::Chunks),
        RoundKind::Object(AuditKind::Link),
        RoundKind::Object(AuditKind::Whole),
    ];

    /// The kind of this number; refuses others as `malformed`.
    pub fn of_number(number: u8) -> Result<RoundKind, Rejection> {
        let found = RoundKind::ALL.into_iter().find(|kind| kind.number() == number);
        found.ok_or_else(|| Class::Malformed.because(format!("kind {number}; there are 1 to 6")))
    }

    /// The number in challenges and bodies.
    pub fn number(self) -> u8 {
        match self {
            RoundKind::Partition(kind) => kind as u8,
            RoundKind::Object(kind) => kind as u8,
        }
    }

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            RoundKind::Partition(kind) => kind.name(),
            RoundKind::Object(kind) => kind.name(),
        }
    }

    /// Whether such rounds are about such a subject.
    pub(super) fn is_about(self, subject: Subject) -> bool {
        matches!(
            (self, subject),
            (RoundKind::Partition(_), Subject::Partition(_)) | (RoundKind::Object(_), Subject::Object(_))
        )
    }
}

impl Serialize for RoundKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
