//! Retrieval audits: some blocks of a stored object are fetched as its owner would fetch them, and checked against its root.
//!
//! They show that a miner hands out what it holds. Nobody else can check them, so they have no receipt; they enter the score.

use std::ops::Range;
use std::time::Duration;

use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::receipt::Outcome;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::tree::{BLOCK_BYTES, PAGE_BLOCKS, Page, block_count, block_value, verify_page};
use tokio_stream::StreamExt;

use super::peers::{Peer, Peers};
use crate::proto::{ObjectName, RetrieveEvent, RetrieveRequest};
use crate::wire::canonical::methods;

/// Blocks that are fetched at most: 256 KiB.
const BLOCKS_MAX: u64 = 16;
/// Who has not handed out the blocks in this time has missed the audit.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What came of a retrieval audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieval {
    /// How it ended: wrong bytes are rejected, and no bytes missed.
    pub outcome: Outcome,
    /// Milliseconds to the last block, if all came.
    pub latency_ms: Option<u32>,
    /// Bytes that were asked for.
    pub bytes: u64,
    /// What was wrong.
    pub fault: Option<Rejection>,
}

/// Blocks of an object to fetch, within one group, drawn by these random bits; none of an empty object.
pub fn draw_blocks(length_bytes: u64, random: u64) -> Range<u64> {
    let blocks = block_count(length_bytes);
    if blocks == 0 {
        return 0..0;
    }
    let start = random % blocks;
    let group_end = (start / PAGE_BLOCKS as u64 + 1) * PAGE_BLOCKS as u64;
    start..(start + BLOCKS_MAX).min(group_end).min(blocks)
}

/// Checks blocks that came against the root of the object: exactly those that were asked for, which are of one group.
///
/// Refused: `malformed`, `wrong-length`, `wrong-root`.
pub fn check_blocks(
    event: &RetrieveEvent,
    root: &[u8; 32],
    length_bytes: u64,
    blocks: &Range<u64>,
) -> Result<(), Rejection> {
    let block_bytes = BLOCK_BYTES as u64;
    let group = blocks.start / PAGE_BLOCKS as u64;
    let (start, end) = (blocks.start * block_bytes, (blocks.end * block_bytes).min(length_bytes));
    if event.group != group || event.offset_bytes != start {
        let found = (event.group, event.offset_bytes);
        let detail = format!(
            "group {} from byte {} on; group {group} from byte {start} was asked for",
            found.0, found.1
        );
        return Err(Class::Malformed.because(detail));
    }
    if event.blocks.len() as u64 != end.saturating_sub(start) {
        let (found, expected) = (event.blocks.len(), end.saturating_sub(start));
        return Err(Class::WrongLength.because(format!("{found} bytes of blocks, not {expected}")));
    }
    if block_count(length_bytes) == 1 {
        let is_root = *blake3::hash(&event.blocks).as_bytes() == *root;
        return if is_root {
            Ok(())
        } else {
            Err(Class::WrongRoot.because("the only block has another hash"))
        };
    }
    let page: &Page = event.page[..]
        .try_into()
        .map_err(|_| Class::WrongLength.because(format!("an outboard page of {} bytes", event.page.len())))?;
    let values = verify_page(page, group, length_bytes, root)?;
    let first = usize::try_from(blocks.start % PAGE_BLOCKS as u64).unwrap_or(PAGE_BLOCKS);
    for ((number, bytes), value) in
        (blocks.start..).zip(event.blocks.chunks(BLOCK_BYTES)).zip(values.iter().skip(first))
    {
        if block_value(number, bytes) != *value {
            return Err(Class::WrongRoot.because(format!("block {number} has another value than its page")));
        }
    }
    Ok(())
}

/// Fetches these blocks of an object and checks them.
pub async fn audit(peers: &Peers, peer: Peer, record: &ObjectRecord, blocks: Range<u64>) -> Retrieval {
    let (root, length_bytes) = (record.replica.object_root(), record.replica.length());
    let offset_bytes = blocks.start * BLOCK_BYTES as u64;
    let bytes = (blocks.end * BLOCK_BYTES as u64).min(length_bytes).saturating_sub(offset_bytes);
    let started = tokio::time::Instant::now();
    let mut request = RetrieveRequest {
        object: Some(ObjectName { root: root.to_vec().into(), length_bytes }),
        offset_bytes,
        length_bytes: bytes,
        seal: None,
    };
    peers.correspondent().ask(methods::MINER_RETRIEVE, peer.account, &mut request);
    let mut client = peers.miner(peer);
    let reading = async {
        let mut events = client.retrieve(request).await?.into_inner();
        events.next().await.transpose()
    };
    let missed = |detail: String| (Outcome::Missed, None, Some(Class::Late.because(detail)));
    let (outcome, latency_ms, fault) = match tokio::time::timeout(TIMEOUT, reading).await {
        Err(_) => missed(format!("no blocks within {} s", TIMEOUT.as_secs())),
        Ok(Err(status)) => missed(format!("the miner answers {:?}", status.code())),
        Ok(Ok(None)) => missed("the miner ended the stream".to_owned()),
        Ok(Ok(Some(event))) => match check_blocks(&event, root, length_bytes, &blocks) {
            Ok(()) => {
                let latency_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
                (Outcome::Accepted, Some(latency_ms), None)
            }
            Err(rejection) => (Outcome::Rejected, None, Some(rejection)),
        },
    };
    Retrieval { outcome, latency_ms, bytes, fault }
}

#[cfg(test)]
mod tests;
