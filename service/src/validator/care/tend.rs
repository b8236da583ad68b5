//! What goes on by itself: records are handed out, released and expired files are deleted, and lost pieces are made anew.
//!
//! All of it follows from the index and from what miners say now, so whatever a killed process left undone is begun again; what it left
//! on a miner without a row in the index expires there.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio_util::sync::CancellationToken;

use super::delete::Silent;
use super::rows::{FILES, FileKey, PieceRow};
use super::stored::StoredFile;
use super::{CareError, Keeper};
use crate::index::KeyRange;
use crate::index::lease::{Acquisition, Lease, acquire};
use crate::operation::metrics::RepairLabels;
use crate::placement::{
    Action, Miner, PlacedPiece, PlacedSegment, PlacementError, SegmentKey, rebalance, repair,
};
use crate::validator::ValidatorError;

/// How often the lease is asked for before it ends.
const LEASE_MS: u64 = 120_000;

/// What was done in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Files whose time was over.
    pub expired_files: u64,
    /// Files that are gone for good, released ones included.
    pub deleted_files: u64,
    /// Pieces that were made anew.
    pub rebuilt_pieces: u64,
    /// Pieces that were moved.
    pub moved_pieces: u64,
    /// What was tried and failed; it is tried again.
    pub failed: u64,
    /// What has to wait for room, operators, or because there is too much to transfer at once.
    pub waiting: u64,
    /// Segments of which too few pieces can be read now.
    pub unreadable_segments: u64,
}

impl Keeper {
    /// Tends to files whenever some blocks have come, until it is told to stop. What fails is tried again.
    pub async fn run(self: Arc<Keeper>, stop: CancellationToken) {
        let mut heads = self.chain.heads();
        heads.mark_changed();
        let mut next_height = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                changed = heads.changed() => if changed.is_err() { break },
            }
            let height = heads.borrow_and_update().height;
            if height < next_height {
                continue;
            }
            next_height = height.saturating_add(self.settings.tend_every_blocks);
            // Whatever is cut off here is as if the process had been killed.
            tokio::select! {
                () = stop.cancelled() => break,
                tended = self.tend() => match tended {
                    Ok(tended) if tended == Tended::default() => {}
                    Ok(tended) => tracing::info!(?tended, "files were tended to"),
                    Err(error) => tracing::error!(%error, "files were not tended to"),
                },
            }
        }
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(lease) = lease
            && let Err(error) = lease.release(&*self.index).await
        {
            tracing::warn!(%error, "the care of files was not laid down; it ends by itself");
        }
    }

    /// Does once what is due, if no other process does.
    ///
    /// # Errors
    /// The index, the chain. What miners fail is counted.
    pub async fn tend(&self) -> Result<Tended, CareError> {
        let mut tended = Tended::default();
        let Some(lease) = self.take_charge().await? else { return Ok(tended) };
        let miners = self.look_at_miners().await?;
        let files = self.tend_each(&mut tended).await?;
        let is_leaving = self.delete_replaced().await?;
        let segments = files.values().map(|file| self.placed_segments(file));
        let segments: Vec<PlacedSegment> = segments.collect::<Result<Vec<_>, _>>()?.concat();
        self.note_care(&segments);
        let mut seed = [0; 32];
        // Without randomness the same miners are drawn each time, which is no harm.
        let _ = getrandom::fill(&mut seed);
        for action in self.plan(&segments, (&miners, is_leaving), &seed, &mut tended)? {
            let (Action::Rebuild { shard, .. } | Action::Move { shard, .. } | Action::Drop { shard, .. }) =
                &action;
            let Some(file) = files.get(&shard.of.file) else { continue };
            match self.act(file, &action, &lease).await {
                Ok(()) if matches!(action, Action::Move { .. }) => tended.moved_pieces += 1,
                Ok(()) => tended.rebuilt_pieces += 1,
                Err(error) => {
                    tracing::warn!(%error, ?action, "a piece was not made anew; it is tried again");
                    tended.failed += 1;
                }
            }
        }
        self.note_tended(&tended);
        Ok(tended)
    }

    /// What is in care.
    fn note_care(&self, segments: &[PlacedSegment]) {
        let (mut pieces, mut bytes, mut in_danger) = (0, 0_u64, 0);
        for segment in segments {
            for piece in &segment.pieces {
                pieces += 1;
                bytes = bytes.saturating_add(segment.piece_bytes);
                in_danger += i64::from(piece.holder.is_none() || piece.failed_audits > 0);
            }
        }
        self.metrics.objects.set(pieces);
        self.metrics.object_bytes.set(bytes.cast_signed());
        self.metrics.pieces_in_danger.set(in_danger);
    }

    fn note_tended(&self, tended: &Tended) {
        let Tended { expired_files, rebuilt_pieces, moved_pieces, failed, .. } = *tended;
        let done = [
            ("rebuilt", rebuilt_pieces),
            ("moved", moved_pieces),
            ("expired", expired_files),
            ("failed", failed),
        ];
        for (action, count) in done.into_iter().filter(|(_, count)| *count > 0) {
            self.metrics.repairs.get_or_create(&RepairLabels { action }).inc_by(count);
        }
    }

    /// What to do about pieces, the most urgent first; moves for balance only if nothing else is to be done, and what was moved before is where
    /// miners say that it is: else they would seem full for as long as it is not deleted.
    fn plan(
        &self,
        segments: &[PlacedSegment],
        (miners, is_leaving): (&[Miner], bool),
        seed: &[u8; 32],
        tended: &mut Tended,
    ) -> Result<Vec<Action>, PlacementError> {
        let now = self.now_seconds();
        let plan = repair(segments, miners, &self.settings.repair, now, seed)?;
        tended.waiting = plan.waiting.len() as u64;
        tended.unreadable_segments = plan.unreadable.len() as u64;
        for unreadable in &plan.unreadable {
            tracing::warn!(?unreadable, "too few pieces of a segment can be read now");
        }
        let is_whole = plan.actions.is_empty() && plan.waiting.is_empty() && plan.unreadable.is_empty();
        match is_whole && !is_leaving {
            true => rebalance(segments, miners, &self.settings.rebalance, now, seed),
            // None if all is whole.
            false => Ok(plan.actions),
        }
    }

    /// Goes through all files; gives those that are to be kept whole, by [`plan_key`].
    async fn tend_each(&self, tended: &mut Tended) -> Result<BTreeMap<[u8; 32], StoredFile>, CareError> {
        let now = self.now_seconds();
        let (mut files, silent) = (BTreeMap::new(), Silent::default());
        let mut pages = FILES.pages(&*self.index, KeyRange::all(), super::PAGE_ROWS);
        while let Some(page) = pages.next().await? {
            for row in FILES.rows(&page)? {
                let is_expired = row.value.expires_at <= now;
                if is_expired && !row.value.releasing {
                    self.end_care(row.key).await?;
                    tended.expired_files += 1;
                }
                if is_expired || row.value.releasing {
                    tended.deleted_files += u64::from(self.delete_pieces(row.key, &silent).await?);
                    continue;
                }
                let file = match StoredFile::read(&*self.index, row.key).await {
                    // It was released meanwhile.
                    Err(CareError::NoSuchFile { .. }) => continue,
                    read => read?,
                };
                let lacking = file.ids().filter_map(|(id, row)| {
                    let held = row.held.as_ref().filter(|held| !held.record_kept)?;
                    // Who is away would hold up all others.
                    self.miners.is_present(&held.miner).then_some(())?;
                    Some(held.signed_record().map(|record| (id, record)))
                });
                let lacking = lacking.collect::<Result<Vec<_>, ValidatorError>>()?;
                self.hand_out(row.key, lacking, &silent).await?;
                files.insert(plan_key(&row.key), file);
            }
        }
        Ok(files)
    }

    /// A file's segments, for planning.
    fn placed_segments(&self, file: &StoredFile) -> Result<Vec<PlacedSegment>, ValidatorError> {
        let (layout, now) = (file.row.layout()?, self.now_seconds());
        let (data_shards, shards) = file.row.needed_and_shards();
        let piece = |row: &PieceRow| {
            let holder = row.held.as_ref().map(|held| held.miner);
            let is_excused = holder.is_some_and(|miner| self.miners.is_excused(&miner, now));
            let missed_audits = if is_excused { 0 } else { row.missed_audits };
            let failed_audits = row.failed_audits.saturating_add(missed_audits);
            PlacedPiece { holder, failed_audits, coming_to: None }
        };
        let segments = (0_u32..).zip(file.pieces.chunks(shards.into()));
        let placed = segments.map(|(segment, rows)| PlacedSegment {
            key: SegmentKey { file: plan_key(&file.key), segment },
            data_shards,
            piece_bytes: layout.segment(segment.into()).map_or(0, |segment| segment.shard_bytes()),
            expires_at: Some(file.row.expires_at),
            pieces: rows.iter().map(piece).collect(),
        });
        Ok(placed.collect())
    }

    /// The lease on the care of files; `None` if another process has it.
    async fn take_charge(&self) -> Result<Option<Lease>, CareError> {
        let now_ms = self.peers.correspondent().clock().now_ms();
        let held = self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(mut lease) = held
            && lease.renew(&*self.index, now_ms, LEASE_MS).await?
        {
            *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease.clone());
            return Ok(Some(lease));
        }
        let name = format!("care of files of {}", self.account());
        let acquired = acquire(&*self.index, &name, &self.settings.process, now_ms, LEASE_MS).await?;
        let lease = match acquired {
            Acquisition::Acquired(lease) => Some(lease),
            Acquisition::Held { .. } => None,
        };
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&lease);
        Ok(lease)
    }
}

/// A file in plans: two owners may have stored the same bytes.
fn plan_key((owner, file): &FileKey) -> [u8; 32] {
    *blake3::hash(&[owner.0, *file].concat()).as_bytes()
}
