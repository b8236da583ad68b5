//! What a validator counts, and what it finds when somebody looks at its metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use holdfast_engine::receipt::Outcome;
use holdfast_engine::rejection::Class;
use tokio::sync::watch;

use super::Node;
use crate::chain::Head;
use crate::operation::metrics::{ClassLabels, Metrics, ProvenLabels, TierLabels};
use crate::operation::page::Observe;
use crate::validator::evidence::evidence;
use crate::validator::store::{AnswersRow, Finding};

/// Evidence that is counted at most.
const EVIDENCE_COUNTED: usize = 10_000;

/// Questions that were judged.
pub(super) fn note_judged<'f>(metrics: &Metrics, findings: impl IntoIterator<Item = &'f Finding>) {
    for finding in findings {
        let (Ok(kind), Some(outcome)) = (finding.round_kind(), finding.outcome()) else { continue };
        metrics.note_round(kind.name(), outcome);
        if let Some(latency_ms) = finding.latency_ms {
            metrics.note_answer(kind, f64::from(latency_ms) / 1000.0);
        }
        let is_of = |class: &&Class| finding.class.as_deref() == Some(class.name());
        if let (Outcome::Rejected, Some(class)) = (outcome, Class::ALL.iter().find(is_of)) {
            metrics.verdicts_rejected.get_or_create(&ClassLabels { class: class.name() }).inc();
        }
    }
}

/// What was shown in a round that is closed.
pub(super) fn note_proven<'r>(metrics: &Metrics, answers: impl Iterator<Item = &'r AnswersRow>) {
    let (mut space, mut objects) = (0_u64, 0_u64);
    let worth = answers.flat_map(AnswersRow::worth);
    for (finding, object_bytes) in worth.filter(|(finding, _)| finding.accepted == Some(true)) {
        space = space.saturating_add(finding.proven_space_bytes);
        objects = objects.saturating_add(object_bytes);
    }
    for (of, bytes) in [("space", space), ("objects", objects)] {
        metrics.proven_bytes.get_or_create(&ProvenLabels { of }).set(bytes.cast_signed());
    }
}

/// Looks at chain, scores and evidence.
pub struct Observer {
    node: Arc<Node>,
    heads: watch::Receiver<Head>,
}

impl Observer {
    /// Of this validator.
    pub fn of(node: &Arc<Node>) -> Observer {
        Observer { node: Arc::clone(node), heads: node.chain().heads() }
    }
}

#[async_trait]
impl Observe for Observer {
    async fn observe(&self, metrics: &Metrics) {
        let head = *self.heads.borrow();
        metrics.note_head(head);
        metrics.in_charge.set(i64::from(self.node.is_in_charge()));
        let scores = self.node.scoring().lock().await.scores(head.height);
        let mut tiers: BTreeMap<String, i64> = BTreeMap::new();
        for score in scores {
            *tiers.entry(score.tier).or_default() += 1;
        }
        // A tier that nobody is in any more is not shown as it was.
        metrics.miners.clear();
        for (tier, miners) in tiers {
            metrics.miners.get_or_create(&TierLabels { tier }).set(miners);
        }
        match evidence(&**self.node.index(), None, EVIDENCE_COUNTED).await {
            Ok(rows) => {
                metrics.equivocations.set(i64::try_from(rows.len()).unwrap_or(i64::MAX));
            }
            Err(error) => tracing::warn!(%error, "evidence could not be counted for the metrics"),
        }
    }
}
