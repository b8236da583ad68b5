//! Committing: objects that wait for commitments get them.

use holdfast_engine::accelerator::AcceleratorReport;
use holdfast_engine::jobs::commit::CommitReport;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::object::{Address, ObjectStat};
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use crate::local::committing::{Parties, commit_object, forget_commitments, record_without_table};
use crate::local::console::{Console, Report};
use crate::local::failure::Failure;
use crate::local::gpus;
use crate::local::machine::Machine;
use crate::local::objects::{ObjectDirectory, OpenShelf};
use crate::local::progress::Board;
use crate::local::table;

/// Which objects get what.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only this one; all that wait if none is given.
    pub object: Option<Address>,
    /// New commitments for that object, under a new blinding key.
    pub again: bool,
    /// Records without commitments.
    pub no_table: bool,
}

/// Commits to the objects of a directory that are wanted and wait for it. Running it again goes on where it was broken off.
pub fn commit_objects(
    directory: &ObjectDirectory,
    wanted: &Wanted,
    parties: &Parties,
    (machine, control): (&Machine, &Control),
    console: &Console,
) -> Result<Committed, Failure> {
    let board = Board::new(console);
    let mut report = Committed::default();
    for (shelf, waiting) in wanted.waiting(directory)? {
        let total: u64 = waiting.iter().map(|stat| stat.bytes).sum();
        let progress = board.disk(shelf.shelf.path.display().to_string(), total);
        for stat in waiting {
            if wanted.again {
                forget_commitments(directory, &shelf, stat.root)?;
            }
            let committed = if wanted.no_table {
                record_without_table(directory, &shelf, &stat, parties)?
            } else {
                commit_object(directory, &shelf, &stat, parties, (machine, control, &progress as _))?
            };
            let record = &committed.record.record;
            report.objects.push(CommittedObject {
                cid: stat.cid.to_string(),
                blake3_root: stat.root.to_string(),
                commitment_root: record.table_root.map(hex::encode),
                record_digest: hex::encode(record.digest()),
                report: committed.report.unwrap_or_default(),
            });
            progress.finish_partition(stat.bytes);
        }
    }
    report.count = report.objects.len();
    report.accelerators = machine.gpus.reports();
    Ok(report)
}

impl Wanted {
    /// Stores with the objects in them that are to be committed to.
    fn waiting(&self, directory: &ObjectDirectory) -> Result<Vec<(OpenShelf, Vec<ObjectStat>)>, Failure> {
        if let Some(cid) = &self.object {
            let shelf = directory.find(cid, OpenMode::ReadWrite)?;
            let stat = shelf.stat(cid)?;
            let done = !self.again && self.is_done(&shelf, &stat)?;
            return Ok(vec![(shelf, if done { vec![] } else { vec![stat] })]);
        }
        let mut all = Vec::new();
        for shelf in directory.shelves() {
            let shelf = directory.open_shelf(shelf, OpenMode::ReadWrite)?;
            let mut waiting = Vec::new();
            for stat in shelf.objects.list().map_err(|error| shelf.failed(error))? {
                if !self.is_done(&shelf, &stat)? {
                    waiting.push(stat);
                }
            }
            all.push((shelf, waiting));
        }
        Ok(all)
    }

    /// Whether an object has what this run would give it.
    fn is_done(&self, shelf: &OpenShelf, stat: &ObjectStat) -> Result<bool, Failure> {
        let record = shelf.find_record(stat.root)?;
        Ok(record.is_some_and(|signed| self.no_table || signed.record.table_root.is_some()))
    }
}

/// What was committed to.
#[derive(Debug, Default, Serialize)]
pub struct Committed {
    count: usize,
    /// Graphics processors that were opened.
    accelerators: Vec<AcceleratorReport>,
    objects: Vec<CommittedObject>,
}

#[derive(Debug, Serialize)]
struct CommittedObject {
    cid: String,
    blake3_root: String,
    commitment_root: Option<String>,
    record_digest: String,
    #[serde(flatten)]
    report: CommitReport,
}

impl Report for Committed {
    fn text(&self, out: &mut String) {
        for CommittedObject { cid, report, .. } in &self.objects {
            #[allow(clippy::cast_precision_loss)] // a rate for people
            let rate = table::rate(report.bytes as f64 / report.seconds.max(1e-9));
            let kept = match report.blocks_kept {
                0 => String::new(),
                blocks => format!(", {blocks} blocks were done before"),
            };
            out.push_str(&format!(
                "{cid}: {} committed and checked in {}, {rate}{kept}\n",
                table::bytes(report.bytes),
                table::duration(report.seconds)
            ));
        }
        gpus::write_reports(&self.accelerators, out);
        out.push_str(&format!("{} objects committed\n", self.count));
    }
}
