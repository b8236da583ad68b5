//! Who runs the rounds: of the processes that share an index the one that holds the lease.

use std::collections::BTreeMap;

use super::{Node, Open, lock, restore};
use crate::export::EventKind;
use crate::index::lease::{self, Acquisition, Lease};
use crate::validator::ValidatorError;
use crate::validator::store::{NUMBERS, OPEN_FROM, Part, ROUNDS, Stage};

impl Node {
    /// Gets or prolongs the lease; false if another process has it.
    pub(super) async fn take_charge(&self) -> Result<bool, ValidatorError> {
        let (now_ms, lease_ms) = (self.peers.correspondent().clock().now_ms(), self.settings.lease_ms);
        let held = lock(&self.lease).clone();
        if let Some(mut held) = held {
            if held.renew(&*self.index, now_ms, lease_ms).await? {
                *lock(&self.lease) = Some(held);
                return Ok(true);
            }
            tracing::warn!("another process has taken over the rounds");
            self.lay_down();
        }
        let name = format!("rounds of {}", self.account());
        match lease::acquire(&*self.index, &name, &self.settings.process, now_ms, lease_ms).await? {
            Acquisition::Held { .. } => Ok(false),
            Acquisition::Acquired(lease) => {
                self.load_open().await?;
                *self.scoring.lock().await = restore(&*self.index, self.settings.scoring.clone()).await?;
                *lock(&self.lease) = Some(lease);
                let height = self.chain.head().await?.height;
                self.note(EventKind::ValidatorStarted, height, "it began to run the rounds").await;
                Ok(true)
            }
        }
    }

    /// Ends all that needs the lease.
    fn lay_down(&self) {
        *lock(&self.lease) = None;
        // The directory is the other process's now. Who is writing to it now ends by itself, and is asked again at the next head.
        if let Ok(mut written) = self.export.try_lock() {
            written.export = None;
        }
        let rounds: Vec<_> = lock(&self.open).keys().copied().collect();
        rounds.into_iter().for_each(|(part, height)| self.forget(part, height));
    }

    /// The lease, for commits that rest on it.
    pub(super) fn in_charge(&self) -> Result<Lease, ValidatorError> {
        lock(&self.lease).clone().ok_or(ValidatorError::NotInCharge { validator: self.account() })
    }

    /// The rounds that an earlier process, or this one before, did not finish.
    async fn load_open(&self) -> Result<(), ValidatorError> {
        let from = NUMBERS.get(&*self.index, &OPEN_FROM.to_owned()).await?.unwrap_or_default();
        let range = ROUNDS.between(&((0, from), 0), &((1, 0), 0));
        let mut pages = ROUNDS.pages(&*self.index, range, 256);
        let mut open = BTreeMap::new();
        while let Some(page) = pages.next().await? {
            for row in ROUNDS.rows(&page)? {
                let ((_, height), part) = row.key;
                let part = Part::ALL.into_iter().find(|known| *known as u8 == part);
                let over = matches!(row.value.stage, Stage::Linked | Stage::Void(_));
                if let Some(part) = part.filter(|_| !over) {
                    let sealing = self.sealing(part, height).await?;
                    open.insert((part, height), Open { beacon: row.value.beacon, asking: None, sealing });
                }
            }
        }
        for partition_id in open.values().flat_map(|open| &open.sealing) {
            self.commitments.set_sealing(*partition_id, true);
        }
        *lock(&self.open) = open;
        Ok(())
    }

    /// The partitions of a round of seal audits, as far as promises are kept.
    async fn sealing(&self, part: Part, height: u64) -> Result<Vec<u64>, ValidatorError> {
        if part != Part::Seals {
            return Ok(Vec::new());
        }
        let answers = self.answers(part, height).await?;
        Ok(answers.iter().flat_map(|(_, row)| &row.findings).map(|finding| finding.subject).collect())
    }

    /// A round is over, or not ours any more.
    pub(super) fn forget(&self, part: Part, height: u64) {
        let Some(open) = lock(&self.open).remove(&(part, height)) else { return };
        if let Some(asking) = open.asking {
            asking.cancel();
        }
        open.sealing.iter().for_each(|partition_id| self.commitments.set_sealing(*partition_id, false));
    }
}
