//! Every metric, declared once with its name, meaning and labels, in the text format of Prometheus (OpenMetrics).

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// What every name begins with.
pub const PREFIX: &str = "holdfast";

/// A method and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// `holdfast.v1.Miner/Ping`.
    pub method: String,
    /// The status code of gRPC, in snake case.
    pub code: &'static str,
}

/// A method.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MethodLabels {
    /// `holdfast.v1.Miner/Ping`.
    pub method: String,
}

/// A kind of round and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RoundLabels {
    /// `space`, `seal`, `possession`, `chunks`, `link`, `whole`, `retrieval`, `ping`.
    pub kind: &'static str,
    /// How it ended.
    pub outcome: OutcomeLabel,
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum OutcomeLabel {
    /// Right and in time.
    Accepted,
    /// In time and wrong.
    Rejected,
    /// Not in time.
    Missed,
}

/// The class of a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClassLabels {
    /// As in challenge-v1 §8.
    pub class: &'static str,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DirectoryLabels {
    /// Its directory.
    pub directory: String,
}

/// What bytes are proven of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProvenLabels {
    /// `space` or `objects`.
    pub of: &'static str,
}

/// A tier.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TierLabels {
    /// Its name in the scoring configuration.
    pub tier: String,
}

/// A job's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct JobLabels {
    /// `fill`, `scrub`, `resize`, `commit`, `seal_audit`.
    pub kind: &'static str,
    /// `waiting`, `running`, `paused`, `done`, `failed`, `cancelled`.
    pub status: &'static str,
}

/// What was done about a piece.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RepairLabels {
    /// `rebuilt`, `moved`, `expired`, `failed`.
    pub action: &'static str,
}

type Seconds = Family<MethodLabels, Histogram, fn() -> Histogram>;

macro_rules! metrics {
    ($($(#[$unit:meta])? $field:ident: $kind:ty = $help:literal;)*) => {
        /// All metrics of a node. Each keeps those that concern it; the others stay at zero, or without a label absent.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub $field: $kind,)*
        }

        /// Name (without prefix, and without what the format appends) and meaning of every metric, as registered.
        pub const NAMES: &[(&str, &str)] = &[$((stringify!($field), $help)),*];

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
                    registry.register(stringify!($field), $help, $field.clone());
                )*
                Metrics { registry, $($field),* }
            }
        }
    };
}

metrics! {
    calls: Family<CallLabels, Counter> = "RPCs that ended, by method and status code";
    call_seconds: Seconds = "Seconds from a request to the end of its answer";
    calls_running: Gauge = "RPCs that are being answered";
    calls_refused: Family<ClassLabels, Counter> = "Requests refused before they were looked at, by class";
    chain_height: Gauge = "Height of the newest block";
    chain_finalized_height: Gauge = "Height of the newest block that can no longer change";
    chain_failures: Counter = "Calls to the chain that failed";
    rounds: Family<RoundLabels, Counter> = "Audits by kind and outcome: asked by a validator, answered by a miner";
    round_answer_seconds: Family<RoundKindLabels, Histogram, fn() -> Histogram> = "Seconds to the promise of an answer";
    verdicts_rejected: Family<ClassLabels, Counter> = "Responses that a validator refused, by class";
    verify_seconds: Histogram = "Seconds to judge all responses of a round";
    receipts_signed: Counter = "Receipts signed";
    anchors_recorded: Counter = "Rounds whose promises were anchored";
    equivocations: Counter = "Pieces of evidence of equivocation kept";
    proven_bytes: Family<ProvenLabels, Gauge> = "Bytes shown in the last round";
    weights_set: Counter = "Times that weights were set";
    miners: Family<TierLabels, Gauge> = "Miners by tier";
    allocated_windows: Family<DirectoryLabels, Gauge> = "Windows allocated";
    filled_windows: Family<DirectoryLabels, Gauge> = "Windows filled and recorded";
    disk_free_bytes: Family<DirectoryLabels, Gauge> = "Bytes free on the disk";
    objects: Gauge = "Objects kept, or in care";
    object_bytes: Gauge = "Bytes of the objects";
    received_bytes: Counter = "Bytes of objects taken in";
    sent_bytes: Counter = "Bytes of objects handed out";
    jobs: Family<JobLabels, Gauge> = "Jobs of the engine by kind and state";
    job_bytes: Counter = "Bytes that jobs have worked on";
    repairs: Family<RepairLabels, Counter> = "What was done about pieces that were in danger";
    pieces_in_danger: Gauge = "Pieces whose last audit failed or whose miner is gone";
}

/// A kind of round.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RoundKindLabels {
    /// As in [`RoundLabels`].
    pub kind: &'static str,
}

/// How each kind of metric begins.
trait Fresh {
    fn fresh() -> Self;
}

impl Fresh for Counter {
    fn fresh() -> Counter {
        Counter::default()
    }
}

impl Fresh for Gauge {
    fn fresh() -> Gauge {
        Gauge::default()
    }
}

impl Fresh for Histogram {
    fn fresh() -> Histogram {
        seconds()
    }
}

impl<L: Clone + std::hash::Hash + Eq> Fresh for Family<L, Counter> {
    fn fresh() -> Self {
        Family::default()
    }
}

impl<L: Clone + std::hash::Hash + Eq> Fresh for Family<L, Gauge> {
    fn fresh() -> Self {
        Family::default()
    }
}

impl<L: Clone + std::hash::Hash + Eq> Fresh for Family<L, Histogram, fn() -> Histogram> {
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
