//! Rounds for tests.

use holdfast_engine::account::Account;

use super::{MinerOutcome, MinerScore, Outcome, OutcomeKind, RoundResults, Scoring, ScoringConfig};

pub(super) const TIB: u64 = 1 << 40;

/// The accepted outcome of a space audit of a TiB by miner `uid`.
pub(super) fn space(uid: u16) -> MinerOutcome {
    MinerOutcome {
        miner: account(uid),
        uid,
        registered_at: 0,
        kind: OutcomeKind::Space,
        outcome: Outcome::Accepted,
        latency_ms: Some(100),
        bytes_read: 0,
        proven_space_bytes: TIB,
        proven_object_bytes: 0,
    }
}

/// The accepted outcome of a possession audit of a TiB.
pub(super) fn possession(uid: u16) -> MinerOutcome {
    let (kind, proven_object_bytes) = (OutcomeKind::Possession, TIB);
    MinerOutcome { kind, proven_space_bytes: 0, proven_object_bytes, ..space(uid) }
}

/// An accepted outcome of some kind that says nothing of bytes.
pub(super) fn of_kind(uid: u16, kind: OutcomeKind) -> MinerOutcome {
    MinerOutcome { kind, proven_space_bytes: 0, ..space(uid) }
}

pub(super) fn rejected(outcome: MinerOutcome) -> MinerOutcome {
    MinerOutcome { outcome: Outcome::Rejected, ..outcome }
}

pub(super) fn missed(outcome: MinerOutcome) -> MinerOutcome {
    MinerOutcome { outcome: Outcome::Missed, latency_ms: None, ..outcome }
}

pub(super) fn account(uid: u16) -> Account {
    let mut key = [7; 32];
    key[..2].copy_from_slice(&uid.to_be_bytes());
    Account(key)
}

pub(super) fn scoring() -> Scoring {
    Scoring::new(ScoringConfig::standard()).expect("the standard configuration is right")
}

/// Records the same round many times, 75 blocks apart; gives the last height.
pub(super) fn repeat(scoring: &mut Scoring, rounds: u64, outcomes: &[MinerOutcome]) -> u64 {
    for _ in 0..rounds {
        let height = scoring.height().map_or(0, |height| height + 75);
        scoring.record(&RoundResults { height, outcomes: outcomes.to_vec() }).expect("a later round");
    }
    scoring.height().expect("a round")
}

/// What miner `uid` is worth at the last height.
pub(super) fn score(scoring: &Scoring, uid: u16) -> MinerScore {
    let scores = scoring.scores(scoring.height().unwrap_or(0));
    scores.into_iter().find(|score| score.uid == uid).expect("a known miner")
}
