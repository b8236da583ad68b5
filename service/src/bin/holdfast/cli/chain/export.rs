//! `holdfast chain verify DIRECTORY`: does an export hold what it says?

use std::path::Path;
use std::time::Instant;

use holdfast_engine::policy::Policy;
use holdfast_engine::recorder::{FileRecorder, Ledger, SimulatedRecorder, Simulation};
use holdfast_service::export::{AuditRates, ExportReader, ExportReport, Trusted, verify_export};
use serde::Serialize;

use super::write_chains;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table;

/// Verifies the export in a directory, by itself or against a recorder, with the audit rates of a policy or its own.
pub(super) fn verify(
    directory: &Path,
    recorder: Option<&Path>,
    policy: Option<&Policy>,
    console: &Console,
) -> Result<Exit, Failure> {
    let started = Instant::now();
    let reader = ExportReader::open(directory)?;
    // A copy in memory: the file would be read once for each of many questions.
    let copy = |path| FileRecorder::open(path)?.read(Ledger::clone).map(SimulatedRecorder::from);
    let recorder = recorder.map(copy).transpose()?;
    let audits = policy.map(|policy| AuditRates::of(policy).ok_or_else(no_audits)).transpose()?;
    // Whether objects are drawn by lot at all is no matter of the policy.
    let shared = reader.settings().audits.is_some_and(|own| own.one_in_objects.is_none());
    let audits = audits.map(|rates| if shared { rates.without_lottery() } else { rates });
    let chain = recorder.as_ref().map(|recorder| recorder as _);
    let report = verify_export(&reader, Trusted { recorder: chain, audits })?;
    let seconds = started.elapsed().as_secs_f64();
    console.report(&Verified { verdict: "accepted", seconds, report })
}

fn no_audits() -> Failure {
    Failure::Usage("this policy audits at no block: its audit_one_in_blocks is 0".to_owned())
}

#[derive(Serialize)]
struct Verified {
    verdict: &'static str,
    seconds: f64,
    #[serde(flatten)]
    report: ExportReport,
}

impl Report for Verified {
    fn text(&self, out: &mut String) {
        let ExportReport { files, events, validator, heights, audits, .. } = &self.report;
        let (receipts, time) = (self.report.chains.receipts, table::duration(self.seconds));
        out.push_str(&format!(
            "export of {validator}: {receipts} receipts and {events} events in {files} files\n"
        ));
        out.push_str(&format!("all are whole, rightly signed and agree with one another ({time})\n"));
        let blocks = match heights {
            Some((first, last)) => format!("blocks {first} to {last}"),
            None => "no blocks".to_owned(),
        };
        out.push_str(&match self.report.compared_with_recorder {
            true => format!("{blocks}, and what was recorded, are the recorder's\n"),
            false => {
                format!("{blocks}, and what was recorded, are the export's word: compare with --recorder\n")
            }
        });
        write_chains(&self.report.chains, audits.is_some(), out);
        if audits.is_none() {
            out.push_str(
                "rounds without a receipt were not looked for: say with --policy how often there are any\n",
            );
        }
        let unanswered = self.report.anchored_without_receipt;
        if unanswered > 0 {
            out.push_str(&format!("{unanswered} answers were anchored, and there is no receipt of them\n"));
        }
    }
}
