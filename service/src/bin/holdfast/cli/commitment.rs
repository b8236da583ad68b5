//! `holdfast commitment`: what a validator keeps of one partition, or of one object.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_engine::object::Address;
use holdfast_engine::possession::points_file::PointsHeader;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use super::object::address;
use super::options::{DirArguments, PartitionArguments};
use crate::audits::read_table;
use crate::commit;
use crate::console::{Console, Exit, Report};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::files;
use crate::objects::ObjectDirectory;
use crate::table;

/// Write the commitment of a partition (1 MiB per TiB), or the record of an object (296 bytes)
#[derive(Args, Debug)]
#[command(after_help = "\
The bytes are specified in docs/spec/space-v1.md §7 and docs/spec/commitment-v1.md §6. A points file holds the object's \
blinding key: it is for its checker. Examples:
  holdfast commitment --dir /mnt/disk1 --validator alice --out alice.commitment
  holdfast commitment --dir /mnt/disk1 --object bafk… --out film.commitment --points film.points")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    #[command(flatten)]
    which: Which,
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Of an object: write its points file too, for the checker
    #[arg(long, value_name = "FILE", requires = "object")]
    points: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct Which {
    /// The partition of this validator (address, 64 hex digits, or development name)
    #[arg(long, value_name = "KEY")]
    validator: Option<String>,
    /// The partition with this id
    #[arg(long, value_name = "ID")]
    partition: Option<u64>,
    /// The object with this CID or root
    #[arg(long, value_name = "CID", value_parser = address)]
    object: Option<Address>,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        if let Some(object) = &self.which.object {
            return self.of_object(object, console);
        }
        let Which { validator, partition, .. } = self.which.clone();
        let disks = Disk::open_all(&self.disks.dirs)?;
        let (disk, partition) = PartitionArguments { validator, partition }.find_one(&disks, console)?;
        let commitment =
            commit::commitment(&disks[disk], &disks[disk].manifest.partitions[partition], console)?;
        let bytes = commitment.encode();
        files::write_whole(&self.out, &bytes)?;
        console.report(&Written {
            out: self.out.clone(),
            bytes: bytes.len() as u64,
            partition_id: commitment.registration.partition_id,
            windows: commitment.window_count(),
            partition_root: hex::encode(commitment.partition_root()),
            registration_digest: hex::encode(commitment.registration_digest()),
            height: commitment.last_batch().height,
            signed: !commitment.signature.is_none(),
        })
    }

    fn of_object(&self, cid: &Address, console: &Console) -> Result<Exit, Failure> {
        let directories = ObjectDirectory::open_all(&self.disks.dirs)?;
        let mut found = Err(Failure::NotFound(format!("no directory here has the object {cid}")));
        for directory in &directories {
            match directory.find(cid, OpenMode::ReadOnly) {
                Err(Failure::NotFound(_)) => {}
                shelf => {
                    found = shelf.map(|shelf| (directory, shelf));
                    break;
                }
            }
        }
        let (directory, shelf) = found?;
        let name = shelf.objects.find(cid).map_err(|error| shelf.failed(error))?;
        let signed = shelf.record(name)?;
        if let Some(path) = &self.points {
            let table = read_table(&shelf, name, &signed.record)?;
            let key = directory.secrets().blinding(name)?;
            write_points(path, &PointsHeader { replica: signed.record.replica, key }, table.bytes())?;
        }
        let bytes = signed.encode();
        files::write_whole(&self.out, &bytes)?;
        let record = &signed.record;
        console.report(&RecordWritten {
            out: self.out.clone(),
            points: self.points.clone(),
            bytes: bytes.len() as u64,
            blake3_root: hex::encode(record.replica.object_root()),
            commitment_root: record.table_root.map(hex::encode),
            record_digest: hex::encode(record.digest()),
            object_bytes: record.replica.length(),
            blocks: record.replica.blocks(),
            height: record.height,
            checker: record.checker.to_string(),
            tokens: record.tokens.map_or(0, |tokens| tokens.count()),
            signed: !signed.signature.is_none(),
        })
    }
}

/// Writes a points file for nobody but its owner: it holds the blinding key.
fn write_points(path: &Path, header: &PointsHeader, table: &[u8]) -> Result<(), Failure> {
    let write = |mut file: File| {
        file.write_all(&*header.encode())?;
        file.write_all(table)?;
        file.sync_all()
    };
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(write).map_err(|error| Failure::file("write", path, error))
}

#[derive(Serialize)]
struct Written {
    out: PathBuf,
    bytes: u64,
    partition_id: u64,
    windows: u64,
    partition_root: String,
    registration_digest: String,
    height: u64,
    signed: bool,
}

impl Report for Written {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "{}: {}, partition {} with {} windows, recorded at height {}{}\nroot {}\n",
            self.out.display(),
            table::bytes(self.bytes),
            self.partition_id,
            self.windows,
            self.height,
            if self.signed { "" } else { ", unsigned: the miner's key is not here" },
            self.partition_root
        ));
    }
}

#[derive(Serialize)]
struct RecordWritten {
    out: PathBuf,
    points: Option<PathBuf>,
    bytes: u64,
    blake3_root: String,
    commitment_root: Option<String>,
    record_digest: String,
    object_bytes: u64,
    blocks: u64,
    height: u64,
    checker: String,
    tokens: u64,
    signed: bool,
}

impl Report for RecordWritten {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "{}: record of {} in {} blocks, of height {}, {} tokens{}\nroot {}\ndigest {}\n",
            self.out.display(),
            table::bytes(self.object_bytes),
            self.blocks,
            self.height,
            self.tokens,
            if self.signed { "" } else { ", unsigned: the checker's key is not here" },
            self.blake3_root,
            self.record_digest
        ));
        if let Some(points) = &self.points {
            out.push_str(&format!("{}: the points, with the blinding key\n", points.display()));
        }
    }
}
