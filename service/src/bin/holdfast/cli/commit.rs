//! `holdfast commit`: commitments of objects that wait for them.

use std::path::PathBuf;

use clap::Args;
use holdfast_engine::accelerator::AcceleratorReport;
use holdfast_engine::jobs::commit::CommitReport;
use holdfast_engine::object::{Address, ObjectStat};
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use super::object::address;
use super::options::{MachineArguments, PartyArguments};
use crate::audits::read_record;
use crate::committing::{commit_object, forget_commitments, record_without_table, replace_record};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::gpus::{self, GpuArguments};
use crate::interrupt;
use crate::objects::{ObjectDirectory, OpenShelf};
use crate::progress::Board;
use crate::table;

/// Commit to objects that wait for it, and check the commitments; continues where it was interrupted
#[derive(Args, Debug)]
#[command(after_help = "\
Ctrl-C stops cleanly; what is done is kept. A record with tokens or of another checker is taken with --record. Examples:
  holdfast commit --dir /mnt/disk1 --low-priority
  holdfast commit --dir /mnt/disk1 --record film.commitment")]
pub(crate) struct Arguments {
    /// Directory that holds the objects
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Only this object (CID or root) [default: all that wait]
    #[arg(long, value_name = "CID", value_parser = address)]
    object: Option<Address>,
    /// Make the commitments of that object anew, under a new blinding key
    #[arg(long, requires = "object")]
    again: bool,
    /// Only give each object a record, for audits of chunks and tokens; the next run without this flag commits
    #[arg(long, conflicts_with = "again")]
    no_table: bool,
    /// Keep this record of an object in place of the one that is there: it must be of the same bytes and commitments
    #[arg(long, value_name = "FILE", conflicts_with_all = ["object", "again", "no_table"])]
    record: Option<PathBuf>,
    #[command(flatten)]
    parties: PartyArguments,
    #[command(flatten)]
    machine: MachineArguments,
    #[command(flatten)]
    gpus: GpuArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let directory = ObjectDirectory::open(&self.dir)?;
        match &self.record {
            Some(record) => console.report(&keep(&directory, record)?),
            None => self.commit(&directory, console),
        }
    }

    fn commit(&self, directory: &ObjectDirectory, console: &Console) -> Result<Exit, Failure> {
        let parties = self.parties.resolve(directory, console)?;
        let machine = self.machine.resolve_with(self.gpus.resolve()?)?;
        let control = interrupt::control(self.machine.rate_limit);
        let board = Board::new(console);
        let mut report = Committed::default();
        for (shelf, waiting) in self.waiting(directory)? {
            let total: u64 = waiting.iter().map(|stat| stat.bytes).sum();
            let progress = board.disk(shelf.shelf.path.display().to_string(), total);
            for stat in waiting {
                if self.again {
                    forget_commitments(directory, &shelf, stat.root)?;
                }
                let committed = if self.no_table {
                    record_without_table(directory, &shelf, &stat, &parties)?
                } else {
                    let jobs = (&machine, &*control, &progress as _);
                    commit_object(directory, &shelf, &stat, &parties, jobs)?
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
        console.report(&report)
    }

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
}

impl Arguments {
    /// Whether an object has what this run would give it.
    fn is_done(&self, shelf: &OpenShelf, stat: &ObjectStat) -> Result<bool, Failure> {
        let record = shelf.find_record(stat.root)?;
        Ok(record.is_some_and(|signed| self.no_table || signed.record.table_root.is_some()))
    }
}

/// Keeps a record that says the same of an object as the one that is there, but for tokens, checker and height.
fn keep(directory: &ObjectDirectory, path: &std::path::Path) -> Result<Kept, Failure> {
    let signed = read_record(path)?;
    let record = &signed.record;
    signed.check_signature().map_err(|rejection| Failure::rejected(path, rejection))?;
    let cid = Address::Blake3(*record.replica.object_root());
    let shelf = directory.find(&cid, OpenMode::ReadWrite)?;
    let stat = shelf.stat(&cid)?;
    let before = shelf.record(stat.root)?.record;
    let same = before.replica == record.replica
        && before.table_root == record.table_root
        && before.miner == record.miner
        && before.network == record.network;
    if !same {
        let detail = "it is of other bytes, commitments, miner or network than the record that is there";
        let rejection = holdfast_engine::rejection::Class::WrongRecord.because(detail);
        return Err(Failure::rejected(path, rejection));
    }
    replace_record(&shelf, &signed)?;
    Ok(Kept {
        cid: cid.to_string(),
        record_digest: hex::encode(record.digest()),
        tokens: record.tokens.map_or(0, |tokens| tokens.count()),
    })
}

#[derive(Default, Serialize)]
struct Committed {
    count: usize,
    /// Graphics processors that were opened.
    accelerators: Vec<AcceleratorReport>,
    objects: Vec<CommittedObject>,
}

#[derive(Serialize)]
struct CommittedObject {
    cid: String,
    blake3_root: String,
    commitment_root: Option<String>,
    record_digest: String,
    #[serde(flatten)]
    report: CommitReport,
}

#[derive(Serialize)]
struct Kept {
    cid: String,
    record_digest: String,
    tokens: u64,
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

impl Report for Kept {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("{}: record {}, {} tokens\n", self.cid, self.record_digest, self.tokens));
    }
}
