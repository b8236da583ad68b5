//! `holdfast plan audit`: how many samples and rounds find a loss, and what that costs.

use clap::{Args, ValueEnum};
use holdfast_engine::jobs::bench::{AuditCosts, BenchError, CostKind};
use holdfast_engine::sampling::{Audit, Question, Row};
use serde::Serialize;

use holdfast_service::local::size;

use crate::cli::options::fraction;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::{self, Table};

/// Tell how many samples and rounds find a loss of stored objects, and what they cost
#[derive(Args, Debug)]
#[command(after_help = "\
Whoever loses something loses whole blocks, so shares are of blocks (chunks for --kind chunks). Example:
  holdfast plan audit --size 1TiB --loss 0.01 --rounds 24")]
pub(crate) struct Arguments {
    /// Bytes of the object, or of all objects that are sampled as one
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size: u64,
    /// Share that may not be lost without being noticed, above 0, at most 1
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    loss: f64,
    /// Probability with which the loss must be found
    #[arg(long, value_name = "FRACTION", default_value = "0.99", value_parser = fraction)]
    detection: f64,
    /// Within this many rounds
    #[arg(long, value_name = "N", default_value_t = 1)]
    rounds: u32,
    /// How: possession shows blocks in zero knowledge in 17 KB, compressed the same in 1.6 KB, chunks opened KiBs
    #[arg(long, value_name = "KIND", default_value = "possession")]
    kind: Kind,
    /// Do not measure what an audit takes of this machine's processor, which takes some seconds
    #[arg(long)]
    no_measure: bool,
}

/// The ways of auditing that sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    // No documentation comments: the flag's own help says what they mean.
    Possession,
    Compressed,
    Chunks,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let question = Question {
            audit: match self.kind {
                Kind::Possession => Audit::Possession,
                Kind::Compressed => Audit::PossessionCompressed,
                Kind::Chunks => Audit::Chunks,
            },
            bytes: self.size,
            lost_share: self.loss,
            detection: self.detection,
            rounds: self.rounds,
        };
        let plan = question.plan().map_err(|error| Failure::Usage(error.to_string()))?;
        let costs = (!self.no_measure).then(|| self.kind.measure()).transpose()?;
        let cost = |row: Row| Costed::new(row, costs.as_ref());
        console.report(&Answer {
            bytes: self.size,
            lost_share: self.loss,
            wanted: self.detection,
            rounds: self.rounds,
            audit: plan.audit,
            units: plan.units,
            lost_units: plan.lost_units,
            least: cost(plan.least),
            rows: plan.rows.into_iter().map(cost).collect(),
            costs,
        })
    }
}

impl Kind {
    /// What an audit of this kind takes of a core.
    fn measure(self) -> Result<AuditCosts, Failure> {
        let kind = match self {
            Kind::Possession => CostKind::Possession,
            Kind::Compressed => CostKind::Compressed,
            Kind::Chunks => CostKind::Chunks,
        };
        // Processor time: with one thread it is the time that passes.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.map_err(|error| Failure::Absent(format!("cannot start a thread: {error}")))?;
        pool.install(|| AuditCosts::measure(kind)).map_err(|error| match error {
            BenchError::Table(_) | BenchError::Randomness(_) => Failure::Absent(error.to_string()),
            BenchError::Prove(_) | BenchError::Refused(_) => Failure::work("damaged", "this machine", error),
        })
    }
}

#[derive(Serialize)]
struct Answer {
    bytes: u64,
    lost_share: f64,
    wanted: f64,
    rounds: u32,
    audit: Audit,
    units: u64,
    lost_units: u64,
    least: Costed,
    rows: Vec<Costed>,
    /// What was measured here; absent with --no-measure.
    costs: Option<AuditCosts>,
}

/// A number of samples with what it takes of a core here.
#[derive(Serialize)]
struct Costed {
    #[serde(flatten)]
    row: Row,
    answer_cpu_seconds: Option<f64>,
    /// With many responses verified together.
    verify_cpu_seconds: Option<f64>,
}

impl Costed {
    fn new(row: Row, costs: Option<&AuditCosts>) -> Costed {
        let (answer, verify) = costs.map(|costs| costs.of(row.samples)).unzip();
        Costed { row, answer_cpu_seconds: answer, verify_cpu_seconds: verify }
    }
}

impl Report for Answer {
    fn text(&self, out: &mut String) {
        let Answer { units, lost_units, least, .. } = self;
        out.push_str(&format!(
            "{} are {units} units. To find that {lost_units} of them ({} %) are lost, with {} % within {} round{}:\n  {} samples a round\n\n",
            table::bytes(self.bytes),
            percent(self.lost_share),
            percent(self.wanted),
            self.rounds,
            if self.rounds == 1 { "" } else { "s" },
            least.row.samples,
        ));
        let heads = [
            ">samples",
            ">found in one round",
            ">in all",
            ">rounds needed",
            ">reads",
            ">read",
            ">sent at most",
            ">answering",
            ">verifying",
        ];
        let mut rows = Table::new(&heads[..if self.costs.is_some() { heads.len() } else { heads.len() - 2 }]);
        for row in &self.rows {
            rows.row(cells(row));
        }
        rows.write("  ", out);
        if self.costs.is_some() {
            out.push_str("\nanswering and verifying: processor time of one core of this machine, verified many together\n");
        }
    }
}

fn cells(costed: &Costed) -> Vec<String> {
    let row = &costed.row;
    let measured = [costed.answer_cpu_seconds, costed.verify_cpu_seconds];
    let cells = [
        row.samples.to_string(),
        format!("{} %", percent(row.detection_per_round)),
        format!("{} %", percent(row.detection)),
        row.rounds_needed.map_or("over a million".to_owned(), |rounds| rounds.to_string()),
        row.reads.to_string(),
        table::bytes(row.bytes_read),
        table::bytes(row.bytes_sent),
    ];
    cells.into_iter().chain(measured.into_iter().flatten().map(table::duration)).collect()
}

/// Per cent with as many digits as matter.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if (99.999..100.0).contains(&percent) {
        "over 99.999".to_owned()
    } else if (99.0..100.0).contains(&percent) {
        format!("{percent:.3}")
    } else {
        format!("{percent:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    /// Nothing short of everything is shown as 100 %.
    #[test]
    fn almost_all_is_not_all() {
        let shares = [0.01, 0.99, 0.999_999_99, 1.0];
        assert_eq!(shares.map(percent), ["1.0", "99.000", "over 99.999", "100.0"]);
    }
}
