#![allow(clippy::cast_possible_truncation, reason = "figures of tests are small")]

mod choosing;
mod rebalancing;
mod repairing;
mod simulation;

use super::*;

const MIB: u64 = 1 << 20;

fn account(number: u32) -> Account {
    let mut account = [0; 32];
    account[..4].copy_from_slice(&(number + 1).to_be_bytes());
    Account(account)
}

/// Operators and miners are different accounts.
fn operator(number: u32) -> Account {
    account(1_000_000 + number)
}

fn candidate(miner: u32, of: u32, free_bytes: u64) -> Candidate {
    Candidate {
        miner: account(miner),
        operator: operator(of),
        used_bytes: 0,
        free_bytes,
        tier: 3,
        latency_ms: 100,
        load_percent: 0,
    }
}

fn present(miner: u32, of: u32, free_bytes: u64) -> Miner {
    Miner { candidate: candidate(miner, of, free_bytes), standing: Standing::Present }
}

fn key(segment: u32) -> SegmentKey {
    SegmentKey { file: [4; 32], segment }
}

/// A segment whose shards are held by these miners, in order.
fn segment(number: u32, data_shards: u8, holders: &[u32]) -> PlacedSegment {
    let piece =
        |&holder: &u32| PlacedPiece { holder: Some(account(holder)), failed_audits: 0, coming_to: None };
    let pieces = holders.iter().map(piece).collect();
    PlacedSegment { key: key(number), data_shards, piece_bytes: MIB, expires_at: None, pieces }
}

fn shard(segment: u32, shard: u8) -> ShardKey {
    ShardKey { of: key(segment), shard }
}
