//! Parts of a file from whoever holds its pieces: any k of a segment do, and who fails or dawdles is replaced by the next.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::account::Account;
use tokio::task::JoinSet;

use super::{ClientError, Fault, Watch, blocking};
use crate::pieces::{Content, Manifest, PART_BYTES, PieceId, PieceSource};
use crate::validator::peers::{Peer, Peers};

/// Bytes of all data shards' parts of a window, about.
const WINDOW_BYTES: u64 = 16 << 20;
/// Bytes of one piece's part of a window: whole groups of blocks, so that no outboard page is sent twice.
const PIECE_PART_BYTES: Range<u64> = (1 << 20)..(4 << 20);
/// If a window takes so long, one more piece is asked for, and the first k count.
const DAWDLING: Duration = Duration::from_secs(2);

/// Where the pieces of a file are.
pub(super) struct Sources {
    pub(super) manifest: Manifest,
    /// Who has which, by segment: the best first.
    pub(super) holders: HashMap<u32, Vec<(PieceId, Peer)>>,
    peers: Arc<Peers>,
    watch: Arc<dyn Watch>,
    loads: Mutex<HashMap<Account, Load>>,
}

/// How it goes with a miner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Load {
    /// What it failed.
    faults: u32,
    /// What it is doing for us.
    asked: u32,
}

/// A range of a segment, small enough for memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) segment: u32,
    pub(super) range: Range<u64>,
}

impl Sources {
    pub(super) fn new(
        manifest: Manifest,
        holders: HashMap<u32, Vec<(PieceId, Peer)>>,
        peers: Arc<Peers>,
        watch: Arc<dyn Watch>,
    ) -> Sources {
        Sources { manifest, holders, peers, watch, loads: Mutex::default() }
    }

    /// The windows of a range of the ciphertext, in order.
    pub(super) fn windows(&self, range: &Range<u64>) -> Vec<Window> {
        let data_shards = u64::from(self.manifest.policy().data_shards());
        let part = (WINDOW_BYTES / data_shards).clamp(PIECE_PART_BYTES.start, PIECE_PART_BYTES.end);
        let step = part / PART_BYTES * PART_BYTES * data_shards;
        let mut windows = Vec::new();
        for (segment, of_segment) in self.manifest.segments_over(range) {
            let mut start = of_segment.start;
            while start < of_segment.end {
                let end = ((start / step + 1) * step).min(of_segment.end);
                // A manifest has at most 2^32 segments.
                windows
                    .push(Window { segment: u32::try_from(segment).unwrap_or(u32::MAX), range: start..end });
                start = end;
            }
        }
        windows
    }

    /// So many bytes came, in order.
    pub(super) fn note_moved(&self, bytes: u64) {
        self.watch.moved(bytes);
    }

    /// The bytes of a window.
    pub(super) async fn fetch(self: &Arc<Self>, window: Window) -> Result<Vec<u8>, ClientError> {
        let Window { segment, range } = window;
        let needed = usize::from(self.manifest.policy().data_shards());
        let mut left = self.in_order(segment);
        let (mut got, mut faults) = (BTreeMap::new(), Vec::new());
        let mut asking = JoinSet::new();
        while asking.len() < needed && self.ask_next(&mut left, &mut asking, segment, &range) {}
        while got.len() < needed {
            let next = tokio::select! {
                next = asking.join_next() => next,
                () = tokio::time::sleep(DAWDLING), if !left.is_empty() => {
                    self.ask_next(&mut left, &mut asking, segment, &range);
                    continue;
                }
            };
            match next {
                None => {
                    let needed = self.manifest.policy().data_shards();
                    return Err(ClientError::Unreadable { segment, needed, found: got.len(), faults });
                }
                Some(Ok(Asked { id, result: Ok(bytes) })) => drop(got.insert(id.shard, (id, bytes))),
                Some(Ok(Asked { result: Err(fault), .. })) => {
                    self.watch.fault(&fault);
                    faults.push(fault);
                    self.ask_next(&mut left, &mut asking, segment, &range);
                }
                Some(Err(error)) => {
                    let detail = error.to_string();
                    return Err(ClientError::Ended { doing: "fetching a piece", detail });
                }
            }
        }
        let pieces = got.into_values().collect();
        let sources = Arc::clone(self);
        blocking("putting pieces together", move || sources.decode(segment, range, pieces)).await
    }

    /// Starts to fetch what a window needs of the next piece; false if there is none.
    fn ask_next(
        self: &Arc<Self>,
        left: &mut Vec<(PieceId, Peer)>,
        asking: &mut JoinSet<Asked>,
        segment: u32,
        range: &Range<u64>,
    ) -> bool {
        let Some((id, peer)) = left.pop() else { return false };
        let Some(layout) = self.manifest.layout().segment(segment.into()) else { return false };
        let Some((_, piece)) = self.manifest.piece(id.segment, id.shard) else { return false };
        let Some(holder) = piece.holder else { return false };
        let object = Content { root: holder.root, length_bytes: layout.shard_bytes() };
        let (part, sources) = (layout.piece_range(range), Arc::clone(self));
        self.change_load(peer.account, |load| load.asked += 1);
        asking.spawn(async move {
            let result = sources.peers.retrieve(peer, object, part).await;
            sources.change_load(peer.account, |load| {
                load.asked = load.asked.saturating_sub(1);
                load.faults += u32::from(result.is_err());
            });
            Asked { id, result: result.map_err(|error| Fault::new(id, peer.account, &error)) }
        });
        true
    }

    /// Holders of a segment's pieces, the one to ask first at the end: who has failed least and has least to do; data shards, which need no
    /// decoding, before others; then as the validator says.
    fn in_order(&self, segment: u32) -> Vec<(PieceId, Peer)> {
        let data_shards = self.manifest.policy().data_shards();
        let mut holders = self.holders.get(&segment).cloned().unwrap_or_default();
        let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        let rank = |(id, peer): &(PieceId, Peer)| {
            let load = loads.get(&peer.account).copied().unwrap_or_default();
            // Of replicas each is as good as the first.
            let is_parity = data_shards > 1 && id.shard >= data_shards;
            (load.faults, is_parity, load.asked)
        };
        holders.sort_by_key(rank);
        holders.reverse();
        holders
    }

    fn change_load(&self, miner: Account, change: impl FnOnce(&mut Load)) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        change(loads.entry(miner).or_default());
    }

    fn decode(
        &self,
        segment: u32,
        range: Range<u64>,
        pieces: Vec<(PieceId, Vec<u8>)>,
    ) -> Result<Vec<u8>, ClientError> {
        let Some(code) = self.manifest.code(segment) else { return Ok(Vec::new()) };
        let sources = pieces.into_iter().map(|(piece, reader)| PieceSource { piece, reader });
        Ok(code.decode_parts(range, sources.collect())?)
    }
}

/// What came of one request.
struct Asked {
    id: PieceId,
    result: Result<Vec<u8>, Fault>,
}
