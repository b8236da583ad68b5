//! Having miners commit to their pieces, and checking that they did (commitment-v1 §5): they compute, who has the bytes checks a hundred
//! times faster, and nobody's word is taken.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::possession::Replica;
use holdfast_engine::possession::check::{Accumulator, CheckFailure, StoreCheck};
use holdfast_engine::possession::commitment_table::table_bytes;
use holdfast_engine::possession::points_file::{POINTS_HEADER_BYTES, PointsHeader};
use holdfast_engine::rejection::{Class, Rejection};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::journal::Journal;
use super::segment::{FAULTS_MAX, content};
use super::{PutDirectory, ciphertext_path};
use crate::client::spool::Plan;
use crate::client::upload::make_segment;
use crate::client::{Client, ClientError, Fault, Watch, blocking};
use crate::pieces::{Content, PieceId};
use crate::validator::peers::{Peer, PeerError, Peers};

/// Miners that are told at the same time that a table is wanted.
const ASKED_AT_ONCE: usize = 32;
/// How long miners may take for their tables: this, and so long for each MiB of all pieces. A core makes one in half a second.
const PATIENCE: Duration = Duration::from_secs(600);
const PATIENCE_FOR_MIB: Duration = Duration::from_secs(2);
/// Between two looks whether a table is there; doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What it cost to have pieces committed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CommitCost {
    /// Pieces whose tables were checked.
    pub pieces: u64,
    /// Bytes of those tables, which came from the miners.
    pub table_bytes: u64,
    /// Seconds for going over the pieces once more, to check what comes.
    pub check_seconds: f64,
    /// Seconds in all, most of them waiting for miners.
    pub seconds: f64,
}

/// What came of one piece: the root of its table.
type Checked = (u8, Peer, Result<[u8; 32], PeerError>);

impl Client {
    /// Has all pieces committed to by those who have them. Who does not commit rightly loses its piece to another miner.
    pub(super) async fn commit_pieces(
        &self,
        put: &PutDirectory,
        plan: &Arc<Plan>,
        journal: &mut Journal,
        watch: &Arc<dyn Watch>,
    ) -> Result<CommitCost, ClientError> {
        let started = Instant::now();
        let mib = u32::try_from(plan.moved_bytes() >> 20).unwrap_or(u32::MAX);
        let patience = PATIENCE.saturating_add(PATIENCE_FOR_MIB.saturating_mul(mib));
        let mut cost = CommitCost::default();
        self.want_tables(plan, journal).await;
        for segment in 0..plan.segment_count() {
            self.commit_segment((put, plan, segment), journal, watch, patience, &mut cost).await?;
        }
        cost.seconds = started.elapsed().as_secs_f64();
        Ok(cost)
    }

    /// Lets all miners begin, whichever piece is checked first. What they say is of no interest yet.
    async fn want_tables(&self, plan: &Plan, journal: &Journal) {
        let mut asking = JoinSet::new();
        let shards = plan.manifest.policy().shards();
        let places =
            (0..plan.segment_count()).flat_map(|segment| (0..shards).map(move |shard| (segment, shard)));
        for (segment, shard) in places.filter(|place| journal.table_root(*place).is_none()) {
            let Some(peer) = journal.holder_peer((segment, shard)) else { continue };
            if asking.len() >= ASKED_AT_ONCE {
                asking.join_next().await;
            }
            let (peers, object) = (Arc::clone(&self.peers), content(plan, segment, shard));
            asking.spawn(async move { peers.points(peer, object).await.map(drop) });
        }
        while asking.join_next().await.is_some() {}
    }

    async fn commit_segment(
        &self,
        (put, plan, segment): (&PutDirectory, &Arc<Plan>, u32),
        journal: &mut Journal,
        watch: &Arc<dyn Watch>,
        patience: Duration,
        cost: &mut CommitCost,
    ) -> Result<(), ClientError> {
        let mut faults: BTreeMap<u8, Vec<Fault>> = BTreeMap::new();
        loop {
            let shards = 0..plan.manifest.policy().shards();
            let open: Vec<u8> =
                shards.filter(|shard| journal.table_root((segment, *shard)).is_none()).collect();
            if open.is_empty() {
                return Ok(());
            }
            let started = Instant::now();
            let (path, of) = (ciphertext_path(put), Arc::clone(plan));
            let checks =
                blocking("going over pieces", move || store_checks(&path, &of, segment, &open)).await?;
            cost.check_seconds += started.elapsed().as_secs_f64();
            for (shard, peer, checked) in self.check_tables(plan, segment, checks, journal, patience).await? {
                match checked {
                    Ok(table_root) => {
                        journal.commit((segment, shard), table_root)?;
                        cost.pieces += 1;
                        cost.table_bytes += table_bytes_of(content(plan, segment, shard));
                    }
                    Err(error) => {
                        let piece = PieceId { segment, shard, generation: 0 };
                        let fault = Fault::new(piece, peer.account, &error);
                        watch.fault(&fault);
                        let of_piece = faults.entry(shard).or_default();
                        of_piece.push(fault);
                        if of_piece.len() >= FAULTS_MAX {
                            return Err(ClientError::NotTaken { piece, faults: of_piece.clone() });
                        }
                        journal.refuse((segment, shard), peer.account)?;
                        // It gets no pay for it, so whether it has gone is its own affair.
                        let _ = self.peers.delete(peer, content(plan, segment, shard)).await;
                    }
                }
            }
            self.put_segment(put, plan, segment, journal, watch).await?;
        }
    }

    /// Waits for the tables of pieces of one segment, and checks each as it comes.
    async fn check_tables(
        &self,
        plan: &Plan,
        segment: u32,
        checks: Vec<(u8, StoreCheck)>,
        journal: &Journal,
        patience: Duration,
    ) -> Result<Vec<Checked>, ClientError> {
        let mut checking = JoinSet::new();
        for (shard, check) in checks {
            let Some(peer) = journal.holder_peer((segment, shard)) else { continue };
            let (peers, object) = (Arc::clone(&self.peers), content(plan, segment, shard));
            checking.spawn(async move {
                let checked = check_table(&peers, peer, object, check, patience).await;
                checked.map(|checked| (shard, peer, checked))
            });
        }
        let mut all = Vec::with_capacity(checking.len());
        while let Some(checked) = checking.join_next().await {
            let ended = |error: tokio::task::JoinError| ClientError::Ended {
                doing: "checking a table",
                detail: error.to_string(),
            };
            all.push(checked.map_err(ended)??);
        }
        Ok(all)
    }
}

/// Waits for the table of a piece, and checks it.
async fn check_table(
    peers: &Peers,
    peer: Peer,
    object: Content,
    mut check: StoreCheck,
    patience: Duration,
) -> Result<Result<[u8; 32], PeerError>, ClientError> {
    let points = match wait_for_points(peers, peer, object, patience).await {
        Ok(points) => points,
        Err(error) => return Ok(Err(error)),
    };
    let Peer { account: miner, endpoint } = peer;
    let checked = blocking("checking a table", move || Ok(check_points(&points, object, &mut check))).await?;
    Ok(checked.map_err(|rejection| PeerError::Rejected { miner, endpoint, rejection }))
}

async fn wait_for_points(
    peers: &Peers,
    peer: Peer,
    object: Content,
    patience: Duration,
) -> Result<zeroize::Zeroizing<Vec<u8>>, PeerError> {
    let (until, mut pause) = (Instant::now() + patience, PAUSE.0);
    loop {
        let error = match peers.points(peer, object).await {
            Ok(Some(points)) => return Ok(points),
            Ok(None) => {
                let Peer { account: miner, endpoint } = peer;
                let message = format!("no commitments after {} s", patience.as_secs());
                PeerError::Status { miner, endpoint, status: Box::new(Status::deadline_exceeded(message)) }
            }
            Err(error) if may_pass(&error) => error,
            Err(error) => return Err(error),
        };
        if Instant::now() + pause > until {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(PAUSE.1);
    }
}

/// Whether it is worth asking again.
fn may_pass(error: &PeerError) -> bool {
    let PeerError::Status { status, .. } = error else { return false };
    matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded)
}

/// The root of the table in a points file, if it commits to the bytes of a check.
///
/// Refused: `wrong-record` (of another object), and as [`StoreCheck::check`].
fn check_points(points: &[u8], object: Content, check: &mut StoreCheck) -> Result<[u8; 32], Rejection> {
    let short = || Class::WrongLength.because(format!("a points file of {} bytes", points.len()));
    let (header, table) = points.split_at_checked(POINTS_HEADER_BYTES).ok_or_else(short)?;
    let header = PointsHeader::decode(header)?;
    let replica = Replica::new(object.root, object.length_bytes, 0)?;
    if header.replica != replica {
        return Err(Class::WrongRecord.because("the commitments are those of another object"));
    }
    check.check(&replica, &header.key, table).map_err(|failure| match failure {
        CheckFailure::Refused(rejection) => rejection,
        // Bytes in memory can be read, and this check is asked once.
        other => Class::Malformed.because(other.to_string()),
    })
}

fn table_bytes_of(object: Content) -> u64 {
    Replica::new(object.root, object.length_bytes, 0).map_or(0, |replica| table_bytes(replica.blocks()))
}

/// What is needed to check the tables of some pieces of a segment: one pass over the pieces.
fn store_checks(
    ciphertext: &std::path::Path,
    plan: &Plan,
    segment: u32,
    shards: &[u8],
) -> Result<Vec<(u8, StoreCheck)>, ClientError> {
    let mut accumulators = BTreeMap::new();
    for shard in shards {
        accumulators.insert(*shard, Accumulator::new()?);
    }
    let sink = |shard| CheckSink(accumulators.remove(&shard));
    let made = make_segment(ciphertext, plan, segment, sink)?;
    let check = |(shard, sink): (u8, CheckSink)| Some((shard, sink.0?.finish()));
    Ok(made.into_iter().filter_map(check).collect())
}

/// Goes over the bytes of a piece whose table is to be checked.
struct CheckSink(Option<Accumulator>);

impl Write for CheckSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(accumulator) = &mut self.0 {
            accumulator.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
