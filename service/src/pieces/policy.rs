//! How a file is coded: segment size, k and n.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Bytes of a segment unless said otherwise: 256 MiB.
const SEGMENT_BYTES_DEFAULT: u64 = 256 << 20;

/// A coding that the format or the text of a policy does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// k is 0 or more than n.
    #[error("{data_shards} of {shards} shards: the shards that are needed are at least 1 and at most all")]
    ShardCounts {
        /// k.
        data_shards: u8,
        /// n.
        shards: u8,
    },
    /// A segment of no bytes or of too many.
    #[error("segments of {found} bytes, not 1 to {most}", most = Policy::SEGMENT_BYTES_MAX)]
    SegmentBytes {
        /// What was asked for.
        found: u64,
    },
    /// Not the name of a policy.
    #[error(
        "\"{text}\" is no coding: give replicate-N or K-of-N with numbers up to 255, as replicate-3 or 10-of-16"
    )]
    NotAPolicy {
        /// The text, shortened.
        text: String,
    },
}

/// How a file is coded: every segment into n shards, of which any k give it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    segment_bytes: u64,
    data_shards: u8,
    shards: u8,
}

impl Policy {
    /// Three copies: twice the bytes extra, two losses survived, reading from one miner.
    pub const REPLICATE_3: Policy = Policy::of(1, 3);
    /// Two thirds extra, two losses survived, for small files and few operators.
    pub const CODED_3_OF_5: Policy = Policy::of(3, 5);
    /// Three fifths extra, six losses survived, for networks with sixteen operators.
    pub const CODED_10_OF_16: Policy = Policy::of(10, 16);
    /// Policies to choose from; texts like theirs name all others.
    pub const NAMED: [Policy; 3] = [Policy::REPLICATE_3, Policy::CODED_3_OF_5, Policy::CODED_10_OF_16];
    /// The most bytes that a segment may have: 64 GiB. The keystream of a piece repeats after 256 GiB.
    pub const SEGMENT_BYTES_MAX: u64 = 64 << 30;

    const fn of(data_shards: u8, shards: u8) -> Policy {
        Policy { segment_bytes: SEGMENT_BYTES_DEFAULT, data_shards, shards }
    }

    /// Segments of at most `segment_bytes` (1 to 64 GiB), n = `shards`, any k = `data_shards` of which give one back.
    ///
    /// # Errors
    /// [`PolicyError::ShardCounts`], [`PolicyError::SegmentBytes`].
    pub fn new(segment_bytes: u64, data_shards: u8, shards: u8) -> Result<Policy, PolicyError> {
        if data_shards == 0 || data_shards > shards {
            return Err(PolicyError::ShardCounts { data_shards, shards });
        }
        Policy { segment_bytes: 0, data_shards, shards }.with_segments_of(segment_bytes)
    }

    /// The same coding with other segments.
    ///
    /// # Errors
    /// [`PolicyError::SegmentBytes`].
    pub fn with_segments_of(self, segment_bytes: u64) -> Result<Policy, PolicyError> {
        if segment_bytes == 0 || segment_bytes > Policy::SEGMENT_BYTES_MAX {
            return Err(PolicyError::SegmentBytes { found: segment_bytes });
        }
        Ok(Policy { segment_bytes, ..self })
    }

    /// The most bytes of a segment; only the last one of a file is shorter.
    pub fn segment_bytes(self) -> u64 {
        self.segment_bytes
    }

    /// k: how many shards give a segment back.
    pub fn data_shards(self) -> u8 {
        self.data_shards
    }

    /// n: how many shards a segment has.
    pub fn shards(self) -> u8 {
        self.shards
    }

    /// How many pieces of a segment may be lost at once: n − k.
    pub fn tolerance(self) -> u8 {
        self.shards - self.data_shards
    }
}

/// `replicate-3`, `10-of-16`; says nothing of the segments.
impl fmt::Display for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.data_shards {
            1 => write!(out, "replicate-{}", self.shards),
            data_shards => write!(out, "{data_shards}-of-{}", self.shards),
        }
    }
}

/// Reads what is displayed, with segments of 256 MiB.
impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Policy, PolicyError> {
        let not_a_policy = || PolicyError::NotAPolicy { text: text.chars().take(80).collect() };
        let number = |digits: &str| digits.parse::<u8>().map_err(|_| not_a_policy());
        let (data_shards, shards) = match (text.strip_prefix("replicate-"), text.split_once("-of-")) {
            (Some(copies), _) => (1, number(copies)?),
            (None, Some((data_shards, shards))) => (number(data_shards)?, number(shards)?),
            (None, None) => return Err(not_a_policy()),
        };
        Policy::new(SEGMENT_BYTES_DEFAULT, data_shards, shards)
    }
}
