//! `holdfast token make`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use holdfast_engine::jobs::progress::Meter;
use holdfast_engine::object::Address;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::possession::token::{Token, TokenFile, TokenMaker, token_list};
use holdfast_engine::rejection::Class;
use holdfast_engine::tree::RootHasher;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use crate::allocation::NamedAccount;
use crate::audits::read_record;
use crate::committing::{OWNER, record_in_next_block, replace_record, sign};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;
use crate::objects::ObjectDirectory;
use crate::progress::Board;
use crate::table;

/// Make tokens from the bytes of an object, and put their root into its record
#[derive(Args, Debug)]
#[command(after_help = "\
For who holds the bytes as they are stored. The token file is secret: whoever sees a key can answer it without the object. The \
record in --commitment is replaced by one with the tokens; the miner must have it too, by --dir or by \
`holdfast commit --record`. Example:
  holdfast token make --input film.age --commitment film.commitment --count 100 --out film.tokens --dir /mnt/disk1")]
pub(crate) struct Arguments {
    /// The bytes as they are stored
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The object's record; it is replaced
    #[arg(long, value_name = "FILE")]
    commitment: PathBuf,
    /// How many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    count: u32,
    /// Where to keep the tokens; a new file of mode 0600
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Who signs the record: its checker
    #[arg(long, value_name = "KEY", default_value = OWNER)]
    checker: String,
    /// Keep the new record with the object in this directory as well, and record it there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Bytes that are read at once: each token takes them while they are in cache.
const READ_BYTES: usize = 1 << 20;

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let before = read_record(&self.commitment)?.record;
        let checker = self.checker(&before, console)?;
        if self.out.exists() {
            return Err(Failure::file("create", &self.out, ErrorKind::AlreadyExists.into()));
        }
        let directory = self.dir.as_deref().map(ObjectDirectory::open).transpose()?;
        let started = Instant::now();
        let tokens = self.make(&before, console)?;
        let seconds = started.elapsed().as_secs_f64();
        let entries: Vec<[u8; 32]> = tokens.iter().map(Token::entry).collect();
        let list = token_list(&entries).map_err(|rejection| Failure::rejected(&self.out, rejection))?;
        let mut record = ObjectRecord { tokens: Some(list), ..before };
        if let Some(directory) = &directory {
            record_in_next_block(&mut record, directory)?;
        }
        let signed = sign(record, &checker);
        TokenFile::create(&self.out, signed.record.digest(), tokens)?;
        if let Some(directory) = &directory {
            keep(directory, &signed)?;
        }
        files::write_whole(&self.commitment, &signed.encode())?;
        console.report(&Made {
            out: self.out.clone(),
            commitment: self.commitment.clone(),
            tokens: list.count(),
            token_root: hex::encode(list.root()),
            record_digest: hex::encode(signed.record.digest()),
            kept_in: self.dir.clone(),
            seconds,
        })
    }

    /// Only the checker of a record can sign another one without checking all again.
    fn checker(&self, record: &ObjectRecord, console: &Console) -> Result<NamedAccount, Failure> {
        let checker = NamedAccount::parse(&self.checker, console)?;
        if checker.account == record.checker && checker.signer().is_some() {
            return Ok(checker);
        }
        Err(Failure::State {
            message: format!("the record was checked by {}, for whom we cannot sign", record.checker),
            advice: "name its checker with --checker, or become it: holdfast check --sign".to_owned(),
        })
    }

    /// One pass over the bytes.
    fn make(&self, record: &ObjectRecord, console: &Console) -> Result<Vec<Token>, Failure> {
        let failed = |error| Failure::file("read", &self.input, error);
        let mut input = File::open(&self.input).map_err(failed)?;
        let total_bytes = input.metadata().map_err(failed)?.len();
        let place = self.input.display().to_string();
        let progress = Board::new(console).disk(place.clone(), total_bytes);
        let meter = Meter::new(&progress, "token make", place, 0, total_bytes);
        let maker = TokenMaker::new(self.count as usize);
        let mut maker =
            maker.map_err(|error| Failure::Absent(format!("no randomness from the system: {error}")))?;
        let mut hasher = RootHasher::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let bytes = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            rayon::join(|| maker.update(bytes), || hasher.update(bytes));
            meter.add(bytes.len() as u64);
        }
        if hasher.root() != *record.replica.object_root() {
            let rejection = Class::WrongRoot.because("the record is of other bytes than these");
            return Err(Failure::rejected(&self.input, rejection));
        }
        Ok(maker.finish())
    }
}

fn keep(directory: &ObjectDirectory, signed: &SignedRecord) -> Result<(), Failure> {
    let cid = Address::Blake3(*signed.record.replica.object_root());
    replace_record(&directory.find(&cid, OpenMode::ReadWrite)?, signed)
}

#[derive(Serialize)]
struct Made {
    out: PathBuf,
    commitment: PathBuf,
    tokens: u64,
    token_root: String,
    record_digest: String,
    kept_in: Option<PathBuf>,
    seconds: f64,
}

impl Report for Made {
    fn text(&self, out: &mut String) {
        let display = |path: &Path| path.display().to_string();
        out.push_str(&format!(
            "{}: {} tokens in {}; keep it secret\n{}: the record with their root, {}\n",
            display(&self.out),
            self.tokens,
            table::duration(self.seconds),
            display(&self.commitment),
            self.record_digest
        ));
        if self.kept_in.is_none() {
            let path = display(&self.commitment);
            out.push_str(&format!("next, at the miner's: holdfast commit --dir … --record {path}\n"));
        }
    }
}
