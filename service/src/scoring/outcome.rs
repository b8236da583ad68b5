//! What goes into scoring: how the answers of one round came out.

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

pub use holdfast_engine::receipt::Outcome;

/// All outcomes of one round, in any order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundResults {
    /// The round; later than that of the results recorded before.
    pub height: u64,
    /// One for each question that was asked.
    pub outcomes: Vec<MinerOutcome>,
}

/// How one question came out. Everything in it is what the validator knows or measured, never what the miner said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinerOutcome {
    /// Who was asked.
    pub miner: Account,
    /// Its place on the chain.
    pub uid: u16,
    /// Height at which it got that place. The same account at another height is another miner.
    pub registered_at: u64,
    /// What was asked.
    pub kind: OutcomeKind,
    /// How it ended.
    pub outcome: Outcome,
    /// Milliseconds from question to answer as the validator measured them; `None` if it did not.
    pub latency_ms: Option<u32>,
    /// Bytes that the answer took to read, by the question.
    pub bytes_read: u64,
    /// Bytes of space that this question stands for; counted if it was accepted and its kind is [`OutcomeKind::Space`].
    ///
    /// A miner's questions of a class in a round together stand for all that it holds of it: its windows, or its objects in
    /// shares as the samples were shared over them. Not for the bytes sampled, and not for one object several times.
    pub proven_space_bytes: u64,
    /// The same of objects, for [`OutcomeKind::Possession`] and [`OutcomeKind::Chunks`].
    pub proven_object_bytes: u64,
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// Samples of windows.
    Space,
    /// Windows made again.
    Seal,
    /// Samples of objects in zero knowledge.
    Possession,
    /// Samples of objects, opened.
    Chunks,
    /// That commitments are of the bytes.
    Link,
    /// A whole object by a sealed token.
    Whole,
    /// Bytes handed out that the validator chose.
    Retrieval,
    /// Bytes taken in.
    Store,
    /// A sign of life.
    Ping,
}

/// What kinds of question are about the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Space,
    Object,
    Service,
}

impl Class {
    pub(super) const ALL: [Class; 3] = [Class::Space, Class::Object, Class::Service];
}

impl OutcomeKind {
    /// All kinds.
    pub const ALL: [OutcomeKind; 9] = [
        OutcomeKind::Space,
        OutcomeKind::Seal,
        OutcomeKind::Possession,
        OutcomeKind::Chunks,
        OutcomeKind::Link,
        OutcomeKind::Whole,
        OutcomeKind::Retrieval,
        OutcomeKind::Store,
        OutcomeKind::Ping,
    ];

    /// Whether answers of this kind say how many bytes are held. The other kinds are about one object, and can only fail.
    pub(super) fn shows_bytes(self) -> bool {
        matches!(self, OutcomeKind::Space | OutcomeKind::Possession | OutcomeKind::Chunks)
    }

    /// What it is about. A ping is about nothing: who is not there misses its audits.
    pub(super) fn class(self) -> Option<Class> {
        match self {
            OutcomeKind::Space | OutcomeKind::Seal => Some(Class::Space),
            OutcomeKind::Possession | OutcomeKind::Chunks | OutcomeKind::Link | OutcomeKind::Whole => {
                Some(Class::Object)
            }
            OutcomeKind::Retrieval | OutcomeKind::Store => Some(Class::Service),
            OutcomeKind::Ping => None,
        }
    }

    /// Whether such an outcome counts. Bytes taken in prove nothing until they are audited, so a store can only fail.
    pub(super) fn counts(self, outcome: Outcome) -> bool {
        self.class().is_some() && (self != OutcomeKind::Store || outcome != Outcome::Accepted)
    }
}

/// Who has a place on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Registration {
    /// The miner's account.
    pub miner: Account,
    /// Its place.
    pub uid: u16,
    /// Height at which it got that place.
    pub registered_at: u64,
}
