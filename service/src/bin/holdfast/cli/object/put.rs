//! `holdfast object put`: encrypt, store, commit, check.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{ArgGroup, Args};
use holdfast_engine::object::{ObjectStat, Put, PutTerms};
use holdfast_partition::objects::Outcome;
use holdfast_service::encryption::{EncryptionError, Recipients};
use serde::Serialize;

use crate::audits::audits_of;
use crate::cli::options::{MachineArguments, PartyArguments, expiry, find_partitions};
use crate::cli::secrecy::RecipientArguments;
use crate::committing::{Committed, commit_object};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::gpus::GpuArguments;
use crate::interrupt;
use crate::objects::{ObjectDirectory, OpenShelf, RoomMade, Shelf, make_room, mend, now, object_disk_bytes};
use crate::progress::Board;
use crate::table;

/// Store a file: encrypted, durable, committed to, and the commitments checked
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("secrecy").required(true).multiple(true))]
#[command(after_help = "\
Encryption is age's: any age tool decrypts what `object get` gives without --identity. Encrypting anew gives other bytes, so \
every copy has its own CID. In an allocated directory the object takes the place of windows if there is no room; their trim \
is recorded first. Examples:
  holdfast object put --dir /mnt/disk1 --recipient age1… film.mkv
  holdfast object put --dir /mnt/disk1 --no-encrypt public.iso --later")]
pub(crate) struct Arguments {
    /// Directory to store it in; made if it is not there
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    secrecy: RecipientArguments,
    /// In an allocated directory: in the space of this validator's partition [default: the largest]
    #[arg(long, value_name = "KEY")]
    validator: Option<String>,
    /// Fail if windows would have to give way
    #[arg(long)]
    keep_windows: bool,
    /// Let it expire after this time (90s, 12h, 30d)
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    expires_in: Option<u64>,
    /// Leave committing to `holdfast commit`
    #[arg(long)]
    later: bool,
    #[command(flatten)]
    parties: PartyArguments,
    #[command(flatten)]
    machine: MachineArguments,
    #[command(flatten)]
    gpus: GpuArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let recipients = self.secrecy.recipients(&self.file)?;
        let mut source = Source::open(&self.file)?;
        make_directory(&self.dir)?;
        let mut directory = ObjectDirectory::open(&self.dir)?;
        let parties = self.parties.resolve(&directory, console)?;
        let shelf = self.shelf(&directory, console)?;
        let shelf = directory.open_or_create(shelf)?;
        let room = self.make_room(&mut directory, &shelf, &source, recipients.as_ref(), console)?;
        let started = Instant::now();
        let put = self.store(&shelf, recipients.as_ref(), &mut source)?;
        let mended_blocks = match put.outcome {
            Outcome::Stored => 0,
            Outcome::AlreadyThere => mend(&shelf, &put.stat, &self.file)?,
        };
        let mut report = Stored::new(&self.dir, &put, room);
        (report.file_bytes, report.encrypted) = (source.bytes, recipients.is_some());
        report.mended_blocks = mended_blocks;
        report.store_seconds = started.elapsed().as_secs_f64();
        if !self.later {
            let machine = self.machine.resolve_with(self.gpus.resolve()?)?;
            let control = interrupt::control(self.machine.rate_limit);
            let progress = Board::new(console).disk(put.stat.cid.to_string(), put.stat.bytes);
            let jobs = (&machine, &*control, &progress as _);
            let committed = commit_object(&directory, &shelf, &put.stat, &parties, jobs)?;
            report.add(&shelf.stat(&put.stat.cid)?, &committed);
        }
        console.report(&report)
    }

    /// The store to put it in.
    fn shelf(&self, directory: &ObjectDirectory, console: &Console) -> Result<Shelf, Failure> {
        let partitions = directory.disk.as_ref().map_or(&[][..], |disk| &disk.manifest.partitions);
        let place = match (&self.validator, &directory.disk) {
            (Some(_), None) => return Err(Failure::NotAllocated(self.dir.clone())),
            (Some(validator), Some(disk)) => {
                let disks = std::slice::from_ref(disk);
                find_partitions(disks, std::slice::from_ref(validator), &[], console)?
                    .first()
                    .map(|(_, place)| *place)
            }
            // The first of the largest.
            (None, _) => partitions
                .iter()
                .enumerate()
                .max_by_key(|(place, partition)| (partition.size_bytes, std::cmp::Reverse(*place)))
                .map(|(place, _)| place),
        };
        Ok(place.and_then(|place| directory.beside(place)).unwrap_or_else(|| directory.plain()))
    }

    /// Lets windows give way, if it takes that.
    fn make_room(
        &self,
        directory: &mut ObjectDirectory,
        shelf: &OpenShelf,
        source: &Source,
        recipients: Option<&Recipients>,
        console: &Console,
    ) -> Result<Option<RoomMade>, Failure> {
        if shelf.shelf.partition.is_none() {
            return Ok(None);
        }
        let Some(length) = source.length else {
            let file = self.file.display();
            return Err(Failure::Usage(format!(
                "{file} is not a regular file: nobody can tell how many windows have to give way to it"
            )));
        };
        let most = stored_bytes_at_most(length, recipients);
        make_room(directory, shelf, object_disk_bytes(most), self.keep_windows, console)
    }

    fn store(
        &self,
        shelf: &OpenShelf,
        recipients: Option<&Recipients>,
        source: &mut Source,
    ) -> Result<Put, Failure> {
        let now = now();
        let expires_at = self.expires_in.map(|seconds| now.saturating_add(seconds));
        let declared_bytes = source.length.filter(|_| recipients.is_none());
        let terms = PutTerms { declared_bytes, expected: None, now, expires_at, ticket: None };
        let stored = match recipients {
            None => shelf.objects.put(source, &terms),
            Some(recipients) => {
                let encrypted = recipients.encrypting(source);
                let encrypted = encrypted.map_err(|error| Failure::encryption(&self.file, error))?;
                shelf.objects.put(encrypted, &terms)
            }
        };
        stored.map_err(|error| match error {
            holdfast_engine::object::ObjectError::Source(source) => {
                Failure::encryption(&self.file, EncryptionError::Source(source))
            }
            other => shelf.failed(other),
        })
    }
}

/// The file, and how much of it was read.
struct Source {
    file: File,
    /// Absent if it is not a regular file.
    length: Option<u64>,
    bytes: u64,
}

impl Source {
    fn open(path: &Path) -> Result<Source, Failure> {
        let failed = |error| Failure::file("read", path, error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Failure::Usage(format!("{} is a directory", path.display())));
        }
        let length = metadata.is_file().then_some(metadata.len());
        Ok(Source { file, length, bytes: 0 })
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Failure::file("create", path, error))
        }
        _ => Ok(()),
    }
}

/// Bytes of a file's encryption at most: 16 for each 64 KiB, and a header with a stanza for each recipient.
fn stored_bytes_at_most(length: u64, recipients: Option<&Recipients>) -> u64 {
    const CHUNK_BYTES: u64 = 64 * 1024;
    const TAG_BYTES: u64 = 16;
    const HEADER_BYTES: u64 = 1024;
    const STANZA_BYTES: u64 = 256;
    let stanzas = match recipients {
        None => return length,
        Some(Recipients::Keys(keys)) => keys.len() as u64,
        Some(Recipients::Passphrase(_)) => 1,
    };
    length
        .saturating_add((length / CHUNK_BYTES + 1) * TAG_BYTES)
        .saturating_add(HEADER_BYTES + stanzas * STANZA_BYTES)
}

#[derive(Serialize)]
struct Stored {
    cid: String,
    cid_sha256: String,
    blake3_root: String,
    /// Root of the commitment table; absent until it is committed.
    commitment_root: Option<String>,
    record_digest: Option<String>,
    /// Bytes that are stored: the ciphertext.
    bytes: u64,
    blocks: u64,
    disk_bytes: u64,
    /// Bytes of the file.
    file_bytes: u64,
    encrypted: bool,
    already_there: bool,
    /// Blocks of an object that was there already which were damaged, and are right again.
    mended_blocks: u64,
    /// Kinds of audits that it can answer.
    audits: Vec<&'static str>,
    expires_at: Option<u64>,
    /// Windows that gave way to it.
    windows: Option<RoomMade>,
    store_seconds: f64,
    commit_seconds: Option<f64>,
    check_seconds: Option<f64>,
    directory: PathBuf,
}

impl Stored {
    fn new(directory: &Path, Put { stat, outcome }: &Put, windows: Option<RoomMade>) -> Stored {
        Stored {
            cid: stat.cid.to_string(),
            cid_sha256: stat.cid_sha256.to_string(),
            blake3_root: stat.root.to_string(),
            commitment_root: None,
            record_digest: None,
            bytes: stat.bytes,
            blocks: stat.blocks.max(1),
            disk_bytes: stat.disk_bytes,
            file_bytes: 0,
            encrypted: false,
            mended_blocks: 0,
            already_there: *outcome == Outcome::AlreadyThere,
            audits: stat.audits.clone(),
            expires_at: stat.expires_at,
            windows,
            store_seconds: 0.0,
            commit_seconds: None,
            check_seconds: None,
            directory: directory.to_owned(),
        }
    }

    fn add(&mut self, stat: &ObjectStat, committed: &Committed) {
        let record = &committed.record.record;
        self.commitment_root = record.table_root.map(hex::encode);
        self.record_digest = Some(hex::encode(record.digest()));
        self.audits = audits_of(record);
        self.disk_bytes = stat.disk_bytes;
        self.commit_seconds = committed.report.map(|report| report.commit_seconds);
        self.check_seconds = committed.report.map(|report| report.check_seconds);
    }
}

impl Report for Stored {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "{}\n  root {}\n  {}{}, {} blocks, stored in {}\n",
            self.cid,
            self.blake3_root,
            table::bytes(self.bytes),
            if self.encrypted { " encrypted" } else { ", not encrypted" },
            self.blocks,
            table::duration(self.store_seconds)
        ));
        if self.already_there {
            out.push_str(&format!("  it was there already; {} damaged blocks mended\n", self.mended_blocks));
        }
        if let Some(room) = &self.windows {
            out.push_str(&format!(
                "  {} windows of {} gave way; {} are left\n",
                room.windows_given_up, room.validator, room.windows
            ));
        }
        match (&self.commitment_root, self.commit_seconds, self.check_seconds) {
            (None, _, _) => out.push_str("  not committed yet: run `holdfast commit`\n"),
            (Some(root), Some(commit), Some(check)) => out.push_str(&format!(
                "  commitments {root}, made in {}, checked in {}\n",
                table::duration(commit),
                table::duration(check)
            )),
            (Some(root), _, _) => out.push_str(&format!("  commitments {root}, made before\n")),
        }
    }
}
