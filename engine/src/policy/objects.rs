//! How a network audits objects (possession-v1).

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::possession::challenge::{AuditKind, ObjectChallenge};
use crate::rejection::{Class, Rejection};
use crate::tree::chunk_count;

/// What challenges of objects ask for, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectPolicy {
    /// k of possession audits. 20 find a loss of one block in a hundred with 18 % each.
    pub possession_samples: u32,
    /// k of chunk audits.
    pub chunk_samples: u32,
    /// k of link audits. 44 find one wrong commitment in ten with 99 %.
    pub link_samples: u32,
    /// Milliseconds from the beacon to the digest of a response.
    pub deadline_ms: u32,
    /// The same for a response that takes reading the whole object.
    pub whole_deadline_ms: u32,
    /// N: one object in this many is audited at an audit height, on average and for each of `possession` and `chunks`.
    pub one_in: NonZeroU32,
}

impl ObjectPolicy {
    /// Of real networks.
    pub(super) fn standard() -> ObjectPolicy {
        ObjectPolicy {
            possession_samples: 20,
            chunk_samples: 20,
            link_samples: 44,
            deadline_ms: 5000,
            whole_deadline_ms: 6 * 3_600_000,
            one_in: NonZeroU32::MIN,
        }
    }

    /// Few samples, for tests and demonstrations.
    pub(super) fn test() -> ObjectPolicy {
        ObjectPolicy { possession_samples: 4, chunk_samples: 4, link_samples: 2, ..ObjectPolicy::standard() }
    }

    /// k of this kind of audit.
    pub fn samples(&self, kind: AuditKind) -> u32 {
        match kind {
            AuditKind::Possession => self.possession_samples,
            AuditKind::Chunks => self.chunk_samples,
            AuditKind::Link => self.link_samples,
            AuditKind::Whole => 1,
        }
    }

    /// Milliseconds to answer this kind of audit.
    pub fn deadline_ms(&self, kind: AuditKind) -> u32 {
        match kind {
            AuditKind::Possession | AuditKind::Chunks | AuditKind::Link => self.deadline_ms,
            AuditKind::Whole => self.whole_deadline_ms,
        }
    }

    /// Whether the object with this record is audited in this way at an audit height: `possession` and `chunks` fall on
    /// one object in N; the other kinds are asked when somebody wants to know.
    pub fn falls_on(&self, kind: AuditKind, beacon: &[u8; 32], record_digest: &[u8; 32]) -> bool {
        match kind {
            AuditKind::Possession | AuditKind::Chunks => {
                kind.falls_on(beacon, record_digest, self.one_in.into())
            }
            AuditKind::Link | AuditKind::Whole => false,
        }
    }

    /// Refuses, as `policy`, a challenge that asks for less than this policy demands, where there is as much, or leaves more
    /// time. What else there is to a challenge, [`ObjectChallenge::check_against`] checks.
    pub fn check_challenge(&self, challenge: &ObjectChallenge) -> Result<(), Rejection> {
        let replica = &challenge.replica;
        let there_are = match challenge.kind {
            AuditKind::Chunks => chunk_count(replica.length()),
            AuditKind::Possession | AuditKind::Link | AuditKind::Whole => replica.blocks(),
        };
        let there_are = u32::try_from(there_are).unwrap_or(u32::MAX);
        let samples = self.samples(challenge.kind).min(there_are);
        let deadline_ms = self.deadline_ms(challenge.kind);
        if challenge.samples < samples {
            let found = challenge.samples;
            return Err(Class::Policy.because(format!("{found} samples; the policy asks for {samples}")));
        }
        if challenge.deadline_ms > deadline_ms {
            let found = challenge.deadline_ms;
            return Err(
                Class::Policy.because(format!("{found} ms to answer; the policy leaves {deadline_ms}"))
            );
        }
        Ok(())
    }

    /// The sample counts by the names of their fields.
    pub(super) fn all_samples(&self) -> [(&'static str, u32); 3] {
        [
            ("objects.possession_samples", self.possession_samples),
            ("objects.chunk_samples", self.chunk_samples),
            ("objects.link_samples", self.link_samples),
        ]
    }
}
