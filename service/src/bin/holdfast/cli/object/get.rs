//! `holdfast object get`: read back, every block checked, and decrypt.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use holdfast_engine::object::ObjectReader;
use holdfast_partition::partition_file::OpenMode;
use holdfast_service::encryption::{DecryptionError, Identities};
use serde::Serialize;

use super::ObjectArguments;
use crate::cli::secrecy::DecryptionArguments;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::objects::{ObjectDirectory, OpenShelf, now};
use crate::table;

/// Get a file back; every block is checked before it is written
#[derive(Args, Debug)]
#[command(after_help = "\
Without --identity or --passphrase-file the bytes are given as they are stored. The output appears under its name once it is \
whole. Examples:
  holdfast object get --dir /mnt/disk1 bafk… --identity key.txt --out film.mkv
  holdfast object get --dir /mnt/disk1 bafk… --range 0-1048576 --out start.age")]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: ObjectArguments,
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    decryption: DecryptionArguments,
    /// Only these bytes of what is stored: from A, up to but without B
    #[arg(long, value_name = "A-B", value_parser = range, conflicts_with_all = ["identity", "passphrase_file"])]
    range: Option<Range<u64>>,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let identities = self.decryption.identities()?;
        let directory = ObjectDirectory::open(&self.which.dir)?;
        let shelf = directory.find(&self.which.cid, OpenMode::ReadOnly)?;
        let reader = shelf.objects.open(&self.which.cid, now()).map_err(|error| shelf.failed(error))?;
        let started = Instant::now();
        let written = self.write(&shelf, &reader, identities.as_ref())?;
        console.report(&Got {
            cid: self.which.cid.to_string(),
            out: self.out.clone(),
            bytes: written,
            decrypted: identities.is_some(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Writes beside the output and renames it once it is whole: what was decrypted of a damaged file is never taken for it.
    fn write(
        &self,
        shelf: &OpenShelf,
        reader: &ObjectReader,
        identities: Option<&Identities>,
    ) -> Result<u64, Failure> {
        let mut name = self.out.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let new = self.out.with_file_name(name);
        let failed = |error| Failure::file("write", &self.out, error);
        let file = OpenOptions::new().write(true).create_new(true).open(&new).map_err(failed)?;
        let written = self.fill(file, shelf, reader, identities).and_then(|bytes| {
            std::fs::rename(&new, &self.out).map_err(failed)?;
            Ok(bytes)
        });
        if written.is_err() {
            // The first error is the one to tell.
            let _ = std::fs::remove_file(&new);
        }
        written
    }

    fn fill(
        &self,
        mut file: File,
        shelf: &OpenShelf,
        reader: &ObjectReader,
        identities: Option<&Identities>,
    ) -> Result<u64, Failure> {
        let range = self.range.clone().unwrap_or(0..reader.length());
        let bytes = match identities {
            None => reader.copy(range, &mut file).map_err(|error| shelf.failed(error))?,
            Some(identities) => decrypt(shelf, reader, identities, &mut file, &self.out)?,
        };
        file.sync_all().map_err(|error| Failure::file("write", &self.out, error))?;
        Ok(bytes)
    }
}

/// One thread reads and checks, the other decrypts what has been checked.
fn decrypt(
    shelf: &OpenShelf,
    reader: &ObjectReader,
    identities: &Identities,
    file: &mut File,
    out: &Path,
) -> Result<u64, Failure> {
    let (source, sink) = std::io::pipe().map_err(|error| Failure::file("make", "a pipe", error))?;
    std::thread::scope(|threads| {
        let reading = threads.spawn(move || {
            let mut sink = sink;
            reader.copy(0..reader.length(), &mut sink)
        });
        let mut writer = BufWriter::new(file);
        let decrypted = identities.decrypt(BufReader::new(source), &mut writer);
        let flushed = writer.flush().map_err(|error| Failure::file("write", out, error));
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (decrypted, read) {
            // A reader whose listener went away has nothing to tell.
            (Err(error), Err(holdfast_engine::object::ObjectError::Sink(_)) | Ok(_)) => {
                Err(wrong_key(&shelf.shelf.path, error))
            }
            (_, Err(error)) => Err(shelf.failed(error)),
            (Ok(bytes), Ok(_)) => flushed.map(|()| bytes),
        }
    })
}

fn wrong_key(place: &Path, error: DecryptionError) -> Failure {
    Failure::decryption(place, error)
}

/// `A-B`, A not above B.
pub(in crate::cli) fn range(word: &str) -> Result<Range<u64>, String> {
    let expected = || "expected two numbers such as 0-1024".to_owned();
    let (start, end) = word.split_once('-').ok_or_else(expected)?;
    let (start, end) = (start.parse().map_err(|_| expected())?, end.parse().map_err(|_| expected())?);
    if start <= end { Ok(start..end) } else { Err("it ends before it begins".to_owned()) }
}

#[derive(Serialize)]
struct Got {
    cid: String,
    out: PathBuf,
    bytes: u64,
    decrypted: bool,
    seconds: f64,
}

impl Report for Got {
    fn text(&self, out: &mut String) {
        let what = if self.decrypted { "checked and decrypted" } else { "checked" };
        out.push_str(&format!(
            "{}: {} {what} in {}\n",
            self.out.display(),
            table::bytes(self.bytes),
            table::duration(self.seconds)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_are_two_numbers_in_order() {
        assert_eq!(range("0-0"), Ok(0..0));
        assert_eq!(range("5-1024"), Ok(5..1024));
        for word in ["", "5", "-5", "5-", "9-8", "a-b", "0-18446744073709551616"] {
            assert!(range(word).is_err(), "{word}");
        }
    }
}
