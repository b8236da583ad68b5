//! Beginning: which blocks have a round, and what is asked in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::recorder::Recorder;

use super::Node;
use crate::chain::{Head, Metagraph};
use crate::validator::ValidatorError;
use crate::validator::collect::Ask;
use crate::validator::commitments::{Recorded, Withdrawn};
use crate::validator::holdings::Held;
use crate::validator::plan::{MinerFacts, MinerPlan, PlanTerms, Question, plan};
use crate::validator::store::{Part, ROUNDS, round_key};

impl Node {
    /// Begins the rounds of the newest blocks that have not begun.
    pub(super) async fn ask(self: &Arc<Node>, head: Head) -> Result<(), ValidatorError> {
        let first = (head.height + 1).saturating_sub(self.settings.asked_within_blocks.max(1));
        for height in first..=head.height {
            let Some(beacon) = self.chain.block_hash(height).await? else { continue };
            if self.settings.policy.is_audit_height(&beacon) && !self.has_begun(height, &beacon).await? {
                self.begin(height, beacon).await?;
            }
        }
        Ok(())
    }

    async fn has_begun(&self, height: u64, beacon: &[u8; 32]) -> Result<bool, ValidatorError> {
        for part in Part::ALL {
            let row = ROUNDS.get(&*self.index, &round_key(height, part)).await?;
            if row.is_some_and(|row| row.beacon == *beacon) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Plans a round and starts to ask.
    async fn begin(self: &Arc<Node>, height: u64, beacon: [u8; 32]) -> Result<(), ValidatorError> {
        let metagraph = self.chain.metagraph().await?;
        let facts = self.facts(height, &metagraph).await?;
        let node = Arc::clone(self);
        let plans = self.blocking("planning a round", move || node.plan(height, beacon, &facts)).await?;
        for left_out in plans.iter().flat_map(|plan| &plan.left_out) {
            tracing::warn!(height, subject = %left_out.subject, why = %left_out.rejection, "not asked for");
        }
        let endpoint = |miner: &Account| metagraph.neuron_of(miner).and_then(|neuron| neuron.endpoint);
        let asks = |questions: fn(&MinerPlan) -> &[Question]| {
            let asked = plans.iter().filter(|plan| !questions(plan).is_empty());
            let ask = |plan: &MinerPlan| Ask {
                miner: plan.miner,
                endpoint: endpoint(&plan.miner),
                height,
                questions: questions(plan).into(),
            };
            asked.map(ask).collect::<Vec<_>>()
        };
        self.start(height, Part::Samples, beacon, asks(|plan| &plan.questions)).await?;
        self.start(height, Part::Seals, beacon, asks(|plan| &plan.seals)).await
    }

    fn plan(&self, height: u64, beacon: [u8; 32], facts: &[MinerFacts]) -> Vec<MinerPlan> {
        let terms = PlanTerms {
            policy: &self.settings.policy,
            network: self.peers.correspondent().network(),
            validator: self.account(),
            height,
            beacon,
            form: self.settings.form,
            reseal_one_in: self.settings.reseal_one_in,
            link_one_in: self.settings.link_one_in,
        };
        self.judge.on_all_threads(facts, |facts| plan(&terms, facts))
    }

    /// What is known of every miner that takes part and holds anything for us, in the order of their accounts.
    async fn facts(&self, height: u64, metagraph: &Metagraph) -> Result<Vec<MinerFacts>, ValidatorError> {
        let mut facts: BTreeMap<Account, MinerFacts> = BTreeMap::new();
        let of = |miner: Account| MinerFacts {
            miner,
            partitions: Vec::new(),
            records: Vec::new(),
            doubted: BTreeSet::new(),
        };
        let takes_part = |miner: &Account| metagraph.neuron_of(miner).is_some() && *miner != self.account();
        let finality_blocks = self.settings.policy.finality_blocks;
        for recorded in self.recorded().await?.iter().filter(|recorded| takes_part(&recorded.miner())) {
            let miner = facts.entry(recorded.miner()).or_insert_with(|| of(recorded.miner()));
            miner.partitions.push(self.commitments.facts(recorded, height, finality_blocks));
        }
        for miner in self.holdings.miners().await?.into_iter().filter(takes_part) {
            let Held { records, doubted } = self.holdings.held(&miner).await?;
            let of_miner = facts.entry(miner).or_insert_with(|| of(miner));
            (of_miner.records, of_miner.doubted) = (records, doubted);
        }
        Ok(facts.into_values().collect())
    }

    /// Our partitions that were withdrawn from a height on.
    pub(super) async fn withdrawn(&self, since: u64) -> Result<Vec<Withdrawn>, ValidatorError> {
        let account = self.account();
        let read = move |recorder: &dyn Recorder| Recorded::withdrawn(recorder, &account, since);
        self.recorder("reading withdrawals", read).await
    }

    /// Our partitions as the chain has them.
    pub(super) async fn recorded(&self) -> Result<Vec<Recorded>, ValidatorError> {
        let account = self.account();
        self.recorder("reading partitions", move |recorder| Recorded::read(recorder, &account)).await
    }
}
