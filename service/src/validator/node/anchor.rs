//! Anchoring: what was promised in a round, on the chain in time.

use holdfast_engine::receipt::{ANCHOR_BLOCKS, AnchoredPairs};
use holdfast_engine::recorder::{Recorder, RecorderError, Refusal};

use super::Node;
use crate::chain::Head;
use crate::export::EventKind;
use crate::validator::ValidatorError;
use crate::validator::anchored::{self, Kept};
use crate::validator::events::Event;
use crate::validator::receipts::Chains;
use crate::validator::store::{AnchorRow, Part, ROUNDS, Stage, round_key};

impl Node {
    /// Anchors all promises of a height, once.
    pub(super) async fn anchor(&self, height: u64, head: Head) -> Result<(), ValidatorError> {
        let Some(row) = ROUNDS.get(&*self.index, &round_key(height, Part::Samples)).await? else {
            return Ok(());
        };
        let kept = matches!(row.stage, Stage::Promised | Stage::Judged);
        if !kept || row.anchor.is_some() || head.height > height + ANCHOR_BLOCKS {
            return Ok(());
        }
        let pairs = self.pairs_to_anchor(height, row.beacon).await?;
        let signer = self.peers.correspondent().signer();
        let claim = pairs.claim(height, &self.peers.correspondent().network(), signer);
        let recorded_at = self.recorder("anchoring a round", move |recorder| {
            match recorder.record_anchor(&claim) {
                Ok(recorded_at) => Ok(Some(recorded_at)),
                // Ours, if we were cut off between recording and noting it; else it was of a block that was replaced.
                Err(RecorderError::Refused(Refusal::RepeatedAnchor { .. })) => {
                    let anchor = recorder.anchor(height, &claim.validator)?;
                    Ok(anchor.filter(|anchor| anchor.root == claim.root).map(|anchor| anchor.recorded_at))
                }
                Err(error) => Err(error.into()),
            }
        });
        let recorded_at = recorded_at.await?;
        if recorded_at.is_none() {
            tracing::warn!(
                height,
                "another anchor stands for this round: its digests cannot be shown in time"
            );
        }
        if recorded_at.is_some() {
            self.metrics.anchors_recorded.inc();
        }
        let anchor = AnchorRow { root: pairs.root(), count: pairs.count(), recorded_at };
        self.change_round(Part::Samples, height, |row| row.anchor = Some(anchor)).await?;
        if let Some(recorded_at) = recorded_at {
            let message = format!("the {} answers of the round at height {height}", anchor.count);
            let event = Event::new(EventKind::AnchorRecorded, head.height, message);
            let event = event.with("round", height).with("count", anchor.count);
            self.events.note([event.with("recorded_at", recorded_at)]).await;
        }
        Ok(())
    }

    /// What is anchored of a round: what was kept for it, if it was tried before, or else all promises of now, kept.
    async fn pairs_to_anchor(&self, height: u64, beacon: [u8; 32]) -> Result<AnchoredPairs, ValidatorError> {
        let before = anchored::kept(&*self.index, height).await?;
        if let Some(kept) = before.as_ref().filter(|kept| kept.beacon == beacon) {
            return Ok(kept.pairs.clone());
        }
        let mut answers = self.answers(Part::Samples, height).await?;
        answers.extend(self.answers(Part::Seals, height).await?);
        let pairs = Chains::pairs(answers.iter().map(|(_, row)| row));
        let pairs = pairs.map_err(|rejection| ValidatorError::Damaged {
            what: "promises of a round",
            detail: rejection.to_string(),
        })?;
        // What stands on the chain for a block that was replaced can still be shown.
        let validator = self.account();
        let look = move |recorder: &dyn Recorder| Ok(recorder.anchor(height, &validator)?);
        let standing = self.recorder("looking for an anchor", look).await?;
        let stands =
            before.is_some_and(|kept| standing.is_some_and(|anchor| anchor.root == kept.pairs.root()));
        if !stands {
            let kept = Kept { beacon, pairs: pairs.clone() };
            anchored::keep(&self.chains, &self.in_charge()?, height, &kept).await?;
        }
        Ok(pairs)
    }
}
