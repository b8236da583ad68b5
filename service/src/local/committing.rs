//! From stored objects to audited ones: commitments, the store-time check, the signed record, and what the recorder records.

use std::path::{Path, PathBuf};

use holdfast_engine::jobs::commit::{CommitOptions, CommitReport, commit};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::progress::Watcher;
use holdfast_engine::object::{Address, ObjectStat};
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::commit::Committer;
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::recorder::{FileRecorder, Recorder, Simulation, SimulationSettings};
use holdfast_engine::signature::Signature;
use holdfast_partition::objects::{Beside, ObjectFile, ObjectName};

use crate::local::allocation::NamedAccount;
use crate::local::console::Console;
use crate::local::disks::RECORDER_NAME;
use crate::local::failure::Failure;
use crate::local::gpus::Work;
use crate::local::machine::Machine;
use crate::local::objects::{ObjectDirectory, OpenShelf, now, replica};

/// The checker of objects that somebody stores on a disk of their own.
pub const OWNER: &str = "owner";
/// The miner of a directory that was not allocated.
const MINER: &str = "miner";

/// Who signs records, and for whom.
#[derive(Debug)]
pub struct Parties {
    /// Who checked the commitments against the bytes.
    pub checker: NamedAccount,
    /// Who keeps the bytes.
    pub miner: NamedAccount,
}

impl Parties {
    /// As named; else the owner, and the miner that the directory was allocated for.
    pub fn resolve(
        checker: &str,
        miner: Option<&str>,
        directory: &ObjectDirectory,
        console: &Console,
    ) -> Result<Parties, Failure> {
        let of_disk = directory.disk.as_ref().map(|disk| disk.manifest.miner.hotkey.as_str());
        let miner = miner.or(of_disk).unwrap_or(MINER);
        Ok(Parties {
            checker: NamedAccount::parse(checker, console)?,
            miner: NamedAccount::parse(miner, console)?,
        })
    }
}

/// An object that is committed.
#[derive(Debug)]
pub struct Committed {
    /// Its record, signed if the checker's key is here.
    pub record: SignedRecord,
    /// What it took; `None` if it was committed before.
    pub report: Option<CommitReport>,
}

/// Commits to an object, checks the commitments against its bytes, and records that. The store is open for writing. What an
/// earlier run left undone is carried on.
pub fn commit_object(
    directory: &ObjectDirectory,
    shelf: &OpenShelf,
    stat: &ObjectStat,
    parties: &Parties,
    (machine, control, watcher): (&Machine, &Control, &dyn Watcher),
) -> Result<Committed, Failure> {
    if let Some(record) = shelf.find_record(stat.root)?.filter(|signed| signed.record.table_root.is_some()) {
        return Ok(Committed { record, report: None });
    }
    let (table, report) = commit_table(directory, shelf, stat, (machine, control, watcher))?;
    let record = new_record(directory, replica(stat)?, Some(table.root()), parties)?;
    write_beside(shelf, stat.root, Beside::Record, &record.encode())?;
    forget_partial(&partial_path(directory, stat.root))?;
    Ok(Committed { record, report: Some(report) })
}

/// Commits to an object, checks the commitments against its bytes, and keeps the table beside it. What an earlier run left
/// undone is carried on.
pub fn commit_table(
    directory: &ObjectDirectory,
    shelf: &OpenShelf,
    stat: &ObjectStat,
    (machine, control, watcher): (&Machine, &Control, &dyn Watcher),
) -> Result<(CommitmentTable, CommitReport), Failure> {
    let replica = replica(stat)?;
    let key = directory.secrets().blinding_or_make(stat.root)?;
    let object = shelf.objects.open(&Address::Blake3(stat.root.0), now());
    let object = object.map_err(|error| shelf.failed(error))?;
    let partial = partial_path(directory, stat.root);
    let place = stat.cid.to_string();
    let devices = machine.gpus.devices(Work::Commitments, stat.bytes, |message| watcher.notice(message))?;
    let computed = machine.pool.install(|| {
        let committer = Committer::for_blocks(machine.backend, replica.blocks())
            .map_err(|error| Failure::Absent(error.to_string()))?
            .with_devices(devices);
        let (committer, place) = (&committer, place.as_str());
        let (object, replica, key, partial) = (&object, &replica, &key, partial.as_path());
        let options = CommitOptions { object, replica, key, committer, partial, place };
        commit(&options, control, watcher).map_err(|error| Failure::commit(partial, error))
    });
    let (table, report) = computed?;
    write_beside(shelf, stat.root, Beside::Table, table.bytes())?;
    Ok((table, report))
}

/// Gives an object a record without commitments: of its bytes and nothing else, for audits that need no more.
pub fn record_without_table(
    directory: &ObjectDirectory,
    shelf: &OpenShelf,
    stat: &ObjectStat,
    parties: &Parties,
) -> Result<Committed, Failure> {
    let record = new_record(directory, replica(stat)?, None, parties)?;
    write_beside(shelf, stat.root, Beside::Record, &record.encode())?;
    Ok(Committed { record, report: None })
}

/// Keeps another record of an object in place of the one that is there: with tokens, or of another checker.
pub fn replace_record(shelf: &OpenShelf, record: &SignedRecord) -> Result<(), Failure> {
    let name = ObjectName(*record.record.replica.object_root());
    write_beside(shelf, name, Beside::Record, &record.encode())
}

/// Forgets what belongs to an object that is gone.
pub fn forget(directory: &ObjectDirectory, name: ObjectName) -> Result<(), Failure> {
    forget_partial(&partial_path(directory, name))?;
    directory.secrets().forget(name)
}

/// Forgets the commitments of an object, so that the next run makes new ones under a new key.
pub fn forget_commitments(
    directory: &ObjectDirectory,
    shelf: &OpenShelf,
    name: ObjectName,
) -> Result<(), Failure> {
    forget(directory, name)?;
    let path = shelf.objects.store().file_path(name, ObjectFile::Record);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("delete", path, error))
        }
        _ => Ok(()),
    }
}

/// A record of an object that was checked, recorded in the next block of the recorder, if there is one.
pub fn new_record(
    directory: &ObjectDirectory,
    replica: Replica,
    table_root: Option<[u8; 32]>,
    parties: &Parties,
) -> Result<SignedRecord, Failure> {
    let mut record = ObjectRecord {
        replica,
        height: 0,
        network: SimulationSettings::default().network,
        miner: parties.miner.account,
        checker: parties.checker.account,
        table_root,
        tokens: None,
    };
    record_in_next_block(&mut record, directory)?;
    Ok(sign(record, &parties.checker))
}

/// Gives a record the height at which it is recorded, and the network.
pub fn record_in_next_block(record: &mut ObjectRecord, directory: &ObjectDirectory) -> Result<(), Failure> {
    let Some(recorder) = recorder(directory)? else { return Ok(()) };
    record.network = recorder.network()?;
    recorder.change(|ledger| {
        record.height = ledger.advance(1);
        Ok(ledger.record_object(&record.digest()))
    })?;
    Ok(())
}

/// Signed if the checker's key is at hand.
pub fn sign(record: ObjectRecord, checker: &NamedAccount) -> SignedRecord {
    match checker.signer() {
        Some(signer) => record.sign(signer),
        None => SignedRecord { record, signature: Signature::NONE },
    }
}

/// The recorder of the directory's network, if it has one.
fn recorder(directory: &ObjectDirectory) -> Result<Option<FileRecorder>, Failure> {
    if let Some(disk) = &directory.disk {
        return disk.recorder().map(Some);
    }
    let path = directory.directory.join(RECORDER_NAME);
    if path.exists() { Ok(Some(FileRecorder::open(path)?)) } else { Ok(None) }
}

fn write_beside(shelf: &OpenShelf, name: ObjectName, beside: Beside, bytes: &[u8]) -> Result<(), Failure> {
    let written = shelf.objects.store().write_beside(name, beside, |out| out.write(bytes));
    written.map_err(|error| shelf.store_failed(error))
}

fn partial_path(directory: &ObjectDirectory, name: ObjectName) -> PathBuf {
    directory.directory.join(format!(".holdfast-commit-{name}"))
}

fn forget_partial(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("delete", path, error))
        }
        _ => Ok(()),
    }
}
