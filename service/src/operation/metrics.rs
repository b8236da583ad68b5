//! Every metric, declared once with its name, meaning and labels, in the text format of Prometheus (OpenMetrics).

mod labels;

use std::sync::atomic::AtomicU64;

use holdfast_engine::receipt::{Outcome, RoundKind};
use holdfast_engine::rejection::Class;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::chain::Head;

pub use labels::{
    AnswerLabels, CallLabels, ClassLabels, DirectoryLabels, JobLabels, MethodLabels, PING, ProvenLabels,
    RETRIEVAL, RepairLabels, RoundKindLabels, RoundLabels, TierLabels, WorkerWindowLabels,
};

/// What every name begins with.
pub const PREFIX: &str = "holdfast";

type Seconds<L> = Family<L, Histogram, fn() -> Histogram>;
type Share = Gauge<f64, AtomicU64>;

/// A metric as the guide lists it.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// Without prefix, and without what the format appends.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Which nodes keep it.
    pub kept_by: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

macro_rules! metrics {
    ($($field:ident: $kind:ty, $kept_by:literal, $meaning:literal;)*) => {
        /// All metrics of a node. Each keeps those that concern it; the others stay at zero, or without a series.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $meaning] pub $field: $kind,)*
        }

        /// Every metric, as registered.
        pub const DECLARED: &[Declared] = &[$(Declared {
            name: stringify!($field),
            kind: <$kind as Fresh>::KIND,
            kept_by: $kept_by,
            meaning: $meaning,
        }),*];

        impl Metrics {
            /// All at zero.
            pub fn new() -> Metrics {
                let mut registry = Registry::with_prefix(PREFIX);
                registry.register(
                    "build",
                    "The running program",
                    Info::new([("version", env!("CARGO_PKG_VERSION"))]),
                );
                $(
                    let $field = <$kind as Fresh>::fresh();
                    registry.register(stringify!($field), $meaning, $field.clone());
                )*
                let metrics = Metrics { registry, $($field),* };
                metrics.begin_series();
                metrics
            }
        }
    };
}

metrics! {
    calls: Family<CallLabels, Counter>, "all", "RPCs that ended, by method and status code";
    call_seconds: Seconds<MethodLabels>, "all", "Seconds from a request to the end of its answer";
    calls_running: Gauge, "all", "RPCs that are being answered";
    calls_refused: Family<ClassLabels, Counter>, "all", "Requests that were refused, by class of the rejection";
    chain_height: Gauge, "miner, validator", "Height of the newest block";
    chain_finalized_height: Gauge, "miner, validator", "Height of the newest block that can no longer change";
    chain_failures: Counter, "miner, validator", "Calls to the chain that failed";
    challenges: Family<AnswerLabels, Counter>, "miner", "Challenges that came to a miner, answered or refused";
    rounds: Family<RoundLabels, Counter>, "miner, validator", "Audits by kind and outcome: judged by a validator, or told to a miner in a receipt";
    round_answer_seconds: Seconds<RoundKindLabels>, "miner, validator", "Seconds from a challenge to the promise of its answer";
    round_collect_seconds: Histogram, "validator", "Seconds from the challenges of a round to the last answer of all miners";
    verdicts_rejected: Family<ClassLabels, Counter>, "validator", "Responses that a validator refused, by class";
    verify_seconds: Histogram, "validator", "Seconds to judge responses that are judged together";
    proven_bytes: Family<ProvenLabels, Gauge>, "validator", "Bytes that miners showed in the last round of a validator";
    receipts_signed: Counter, "miner, validator", "Receipts signed";
    receipts_withheld: Counter, "miner, validator", "Receipts that were shown to a miner and not signed by it";
    anchors_recorded: Counter, "validator", "Rounds whose promises were anchored";
    equivocations: Gauge, "validator", "Pieces of evidence of equivocation kept";
    in_charge: Gauge, "validator", "Whether this process runs the validator's rounds, 0 or 1";
    weights_set: Counter, "validator", "Times that weights were set";
    miners: Family<TierLabels, Gauge>, "validator", "Miners by tier";
    income_share: Share, "miner", "Share of the network's income that a miner may expect, from 0 to 1";
    allocated_windows: Family<DirectoryLabels, Gauge>, "miner", "Windows allocated";
    filled_windows: Family<DirectoryLabels, Gauge>, "miner", "Windows filled and recorded";
    disk_free_bytes: Family<DirectoryLabels, Gauge>, "miner", "Bytes free on the disk";
    objects: Gauge, "miner, validator", "Objects that a miner keeps, or pieces in a validator's care";
    object_bytes: Gauge, "miner, validator", "Bytes of the objects";
    received_bytes: Counter, "miner", "Bytes of objects taken in";
    sent_bytes: Counter, "miner", "Bytes of objects handed out";
    repairs: Family<RepairLabels, Counter>, "validator", "What a validator did about files and pieces";
    pieces_in_danger: Gauge, "validator", "Pieces in care whose last audit failed, or that nobody has";
    index_commits: Counter, "miner, validator", "Commits to the index";
    index_commit_seconds: Histogram, "miner, validator", "Seconds from a commit until it was durable";
    index_failures: Counter, "miner, validator", "Calls to the index that failed";
    jobs: Family<JobLabels, Gauge>, "engine", "Jobs of the engine by kind and state";
    job_bytes: Counter, "engine", "Bytes that jobs of the engine have worked on";
    worker_slots: Gauge, "engine, miner", "Slots of workers that are connected";
    worker_windows: Family<WorkerWindowLabels, Counter>, "engine, miner", "Windows that workers were to make, by outcome";
    worker_bytes: Counter, "engine, miner", "Bytes of the windows of workers that counted";
    workers_dismissed: Counter, "engine, miner", "Workers that were dismissed because of what they sent";
}

/// How each kind of metric begins.
trait Fresh {
    const KIND: &'static str;
    fn fresh() -> Self;
}

impl Fresh for Counter {
    const KIND: &'static str = "counter";

    fn fresh() -> Counter {
        Counter::default()
    }
}

impl Fresh for Gauge {
    const KIND: &'static str = "gauge";

    fn fresh() -> Gauge {
        Gauge::default()
    }
}

impl Fresh for Share {
    const KIND: &'static str = "gauge";

    fn fresh() -> Share {
        Share::default()
    }
}

impl Fresh for Histogram {
    const KIND: &'static str = "histogram";

    fn fresh() -> Histogram {
        seconds()
    }
}

impl<L: Clone + std::hash::Hash + Eq> Fresh for Family<L, Counter> {
    const KIND: &'static str = "counter";

    fn fresh() -> Self {
        Family::default()
    }
}

impl<L: Clone + std::hash::Hash + Eq> Fresh for Family<L, Gauge> {
    const KIND: &'static str = "gauge";

    fn fresh() -> Self {
        Family::default()
    }
}

impl<L: Clone + std::hash::Hash + Eq> Fresh for Family<L, Histogram, fn() -> Histogram> {
    const KIND: &'static str = "histogram";

    fn fresh() -> Self {
        Family::new_with_constructor(seconds as fn() -> Histogram)
    }
}

/// From 100 µs to 27 minutes, each bucket four times the one before.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(1e-4, 4.0, 13))
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Begins all series whose labels are known, so that the first event of each is an increase.
    fn begin_series(&self) {
        for kind in RoundKind::ALL.map(RoundKind::name).into_iter().chain([PING, RETRIEVAL]) {
            for outcome in Outcome::ALL.map(Outcome::name) {
                drop(self.rounds.get_or_create(&RoundLabels { kind, outcome }));
            }
        }
        for kind in RoundKind::ALL.map(RoundKind::name) {
            drop(self.round_answer_seconds.get_or_create(&RoundKindLabels { kind }));
        }
        for class in Class::ALL.iter().map(|class| class.name()) {
            drop(self.calls_refused.get_or_create(&ClassLabels { class }));
            drop(self.verdicts_rejected.get_or_create(&ClassLabels { class }));
        }
        for answer in AnswerLabels::ANSWERS {
            drop(self.challenges.get_or_create(&AnswerLabels { answer }));
        }
        for of in ProvenLabels::OF {
            drop(self.proven_bytes.get_or_create(&ProvenLabels { of }));
        }
        for action in RepairLabels::ACTIONS {
            drop(self.repairs.get_or_create(&RepairLabels { action }));
        }
        for kind in JobLabels::KINDS {
            for status in JobLabels::STATUSES {
                drop(self.jobs.get_or_create(&JobLabels { kind, status }));
            }
        }
        for outcome in WorkerWindowLabels::OUTCOMES {
            drop(self.worker_windows.get_or_create(&WorkerWindowLabels { outcome }));
        }
    }

    /// The newest block. What no block is final of counts as 0.
    pub fn note_head(&self, head: Head) {
        self.chain_height.set(head.height.cast_signed());
        self.chain_finalized_height.set(head.finalized_height.unwrap_or_default().cast_signed());
    }

    /// An audit ended.
    pub fn note_round(&self, kind: &'static str, outcome: Outcome) {
        self.rounds.get_or_create(&RoundLabels { kind, outcome: outcome.name() }).inc();
    }

    /// An answer was promised after so long.
    pub fn note_answer(&self, kind: RoundKind, seconds: f64) {
        self.round_answer_seconds.get_or_create(&RoundKindLabels { kind: kind.name() }).observe(seconds);
    }

    /// The text that Prometheus scrapes.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => unreachable!("writing to a string fails: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
