//! `holdfast commit`: commitments of objects that wait for them.

use std::path::PathBuf;

use clap::Args;
use holdfast_engine::object::Address;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use super::object::address;
use super::options::{MachineArguments, PartyArguments};
use crate::audits::read_record;
use crate::committing::replace_record;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::gpus::GpuArguments;
use crate::interrupt;
use crate::jobs::commit::{Wanted, commit_objects};
use crate::objects::ObjectDirectory;

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
        let wanted = Wanted { object: self.object, again: self.again, no_table: self.no_table };
        console.report(&commit_objects(directory, &wanted, &parties, (&machine, &control), console)?)
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

#[derive(Serialize)]
struct Kept {
    cid: String,
    record_digest: String,
    tokens: u64,
}

impl Report for Kept {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("{}: record {}, {} tokens\n", self.cid, self.record_digest, self.tokens));
    }
}
