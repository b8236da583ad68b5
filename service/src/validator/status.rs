//! What a validator tells of itself: rounds, scores, evidence.

use holdfast_engine::account::Account;
use serde::Serialize;

use super::ValidatorError;
use super::evidence::evidence;
use super::node::Node;
use super::node::monitor::Sign;
use super::store::{EvidenceRow, Part};
use crate::scoring::{MinerScore, MinerWeight};

/// Evidence that is told at most.
const EVIDENCE_MAX: usize = 100;

/// The status page.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Who it is.
    pub validator: Account,
    /// The network, in hex.
    pub network: String,
    /// The newest block that it knows.
    pub height: u64,
    /// The newest block that can no longer change.
    pub finalized_height: Option<u64>,
    /// Whether this process runs the rounds.
    pub in_charge: bool,
    /// The last round that was scored.
    pub scored_height: Option<u64>,
    /// Rounds that are neither closed nor void.
    pub open_rounds: Vec<OpenRound>,
    /// What each miner is worth, by account.
    pub miners: Vec<MinerStatus>,
    /// Equivocations that are known.
    pub evidence: Vec<EvidenceRow>,
}

/// A round that is not over.
#[derive(Clone, Debug, Serialize)]
pub struct OpenRound {
    /// Its height.
    pub height: u64,
    /// Which questions.
    pub part: Part,
    /// Whether miners are being asked.
    pub asking: bool,
}

/// One miner.
#[derive(Clone, Debug, Serialize)]
pub struct MinerStatus {
    /// Its score.
    #[serde(flatten)]
    pub score: MinerScore,
    /// The share of income that it may expect, from 0 to 1.
    pub share: f64,
    /// What would be set on the chain now.
    pub weight: u16,
    /// Its last sign of life.
    pub sign: Option<Sign>,
}

impl Node {
    /// What there is to tell now.
    ///
    /// # Errors
    /// Those of the chain and the index.
    pub async fn status(&self) -> Result<Status, ValidatorError> {
        let head = self.chain().head().await?;
        let (scored_height, scores, weights) = {
            let scoring = self.scoring().lock().await;
            (scoring.height(), scoring.scores(head.height), scoring.weights(head.height))
        };
        // Both are by account.
        let miner = |(score, weight): (MinerScore, MinerWeight)| MinerStatus {
            sign: self.sign_of(&score.miner),
            score,
            share: weight.share,
            weight: weight.weight,
        };
        Ok(Status {
            validator: self.account(),
            network: hex::encode(self.correspondent().network()),
            height: head.height,
            finalized_height: head.finalized_height,
            in_charge: self.is_in_charge(),
            scored_height,
            open_rounds: self.open_rounds(),
            miners: scores.into_iter().zip(weights).map(miner).collect(),
            evidence: evidence(&**self.index(), None, EVIDENCE_MAX).await?,
        })
    }
}
