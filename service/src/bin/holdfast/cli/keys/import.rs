//! `holdfast keys import`.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};
use clap::Args;
use holdfast_service::identity::{Key, Seed};
use zeroize::Zeroizing;

use super::NewKeyArguments;
use crate::console::{Console, Exit};
use crate::failure::Failure;
use crate::files;

/// Bring a key back from its mnemonic or its seed
#[derive(Args, Debug)]
#[command(after_help = "\
Takes a mnemonic of 12 to 24 words, optionally with a path and a password as Substrate's tools have it \
(`word word … word//hard/soft///password`), or a seed of 64 hex digits. Never on the command line, where other users would see it. \
Examples:
  holdfast keys import --wallet miner --hotkey disk1 --no-password
  holdfast keys import --wallet miner --coldkey --secret-file words.txt")]
pub(super) struct Arguments {
    /// File with the mnemonic or the seed [default: ask at a terminal, else read standard input]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    place: NewKeyArguments,
}

/// What is read of standard input; a mnemonic has 215 bytes at most.
const INPUT_BYTES_MAXIMUM: u64 = 64 << 10;

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let files = self.place.vacant_files()?;
        let secret = self.read()?;
        let key = parse(secret.expose_secret().trim()).map_err(|reason| Failure::Foreign {
            path: self.secret_file.clone().unwrap_or_else(|| Path::new("standard input").to_owned()),
            expected: "a mnemonic or a seed of 64 hex digits",
            reason,
        })?;
        console.report(&self.place.write(&files, &key, None)?)
    }

    fn read(&self) -> Result<SecretString, Failure> {
        if let Some(path) = &self.secret_file {
            return files::read_secret(path);
        }
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let typed = rpassword::prompt_password("Mnemonic or seed (not shown): ");
            return Ok(typed.map_err(|error| Failure::file("read from", "the terminal", error))?.into());
        }
        let mut text = Zeroizing::new(String::new());
        let read = stdin.lock().take(INPUT_BYTES_MAXIMUM).read_to_string(&mut text);
        read.map_err(|error| Failure::file("read", "standard input", error))?;
        Ok(SecretString::from(text.as_str()))
    }
}

/// 64 hex digits are no mnemonic, so there is no doubt what is meant.
fn parse(text: &str) -> Result<Key, String> {
    let mut seed: Seed = Zeroizing::new([0; 32]);
    let digits = text.strip_prefix("0x").unwrap_or(text);
    match hex::decode_to_slice(digits, seed.as_mut_slice()) {
        Ok(()) => Ok(Key::from_seed(seed)),
        Err(_) => Key::from_uri(text).map_err(|error| error.to_string()),
    }
}
