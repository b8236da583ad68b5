//! What metrics are told apart by. Nothing that a peer chooses becomes a label.

use prometheus_client::encoding::EncodeLabelSet;

/// The kind of a sign of life, beside those of rounds.
pub const PING: &str = "ping";
/// The kind of a retrieval audit.
pub const RETRIEVAL: &str = "retrieval";

/// A method and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// `holdfast.v1.Miner/Ping`; `other` for methods that are not ours.
    pub method: &'static str,
    /// The status code of gRPC, in snake case.
    pub code: &'static str,
}

/// A method.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MethodLabels {
    /// `holdfast.v1.Miner/Ping`; `other` for methods that are not ours.
    pub method: &'static str,
}

/// A kind of round and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RoundLabels {
    /// `space`, `seal`, `possession`, `chunks`, `link`, `whole`, `retrieval`, `ping`.
    pub kind: &'static str,
    /// `accepted`, `rejected` (in time and wrong), `missed` (not in time).
    pub outcome: &'static str,
}

/// A kind of round.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RoundKindLabels {
    /// As in [`RoundLabels`].
    pub kind: &'static str,
}

/// What became of a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AnswerLabels {
    /// `answered` or `refused`.
    pub answer: &'static str,
}

/// The class of a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClassLabels {
    /// As in challenge-v1 §8.
    pub class: &'static str,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DirectoryLabels {
    /// Its directory.
    pub directory: String,
}

/// What bytes are proven of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProvenLabels {
    /// `space` or `objects`.
    pub of: &'static str,
}

/// A tier.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TierLabels {
    /// Its name in the scoring configuration.
    pub tier: String,
}

/// A job's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct JobLabels {
    /// `fill`, `scrub`, `resize`, `commit`, `seal_audit`.
    pub kind: &'static str,
    /// `waiting`, `running`, `paused`, `done`, `failed`, `cancelled`.
    pub status: &'static str,
}

/// What became of windows of workers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WorkerWindowLabels {
    /// `delivered`, `lost`, `withdrawn`.
    pub outcome: &'static str,
}

/// What was done about a piece.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RepairLabels {
    /// `rebuilt`, `moved`, `expired`, `failed`.
    pub action: &'static str,
}

impl AnswerLabels {
    /// All of them.
    pub const ANSWERS: [&str; 2] = ["answered", "refused"];
}

impl ProvenLabels {
    /// All of them.
    pub const OF: [&str; 2] = ["space", "objects"];
}

impl JobLabels {
    /// All kinds.
    pub const KINDS: [&str; 5] = ["fill", "scrub", "resize", "commit", "seal_audit"];
    /// All states.
    pub const STATUSES: [&str; 6] = ["waiting", "running", "paused", "done", "failed", "cancelled"];
}

impl WorkerWindowLabels {
    /// All of them.
    pub const OUTCOMES: [&str; 3] = ["delivered", "lost", "withdrawn"];
}

impl RepairLabels {
    /// All of them.
    pub const ACTIONS: [&str; 4] = ["rebuilt", "moved", "expired", "failed"];
}
