//! `holdfast keys new`.

use age::secrecy::ExposeSecret;
use clap::Args;
use holdfast_service::identity::{Key, WordCount};

use super::NewKeyArguments;
use crate::console::{Console, Exit};
use crate::failure::Failure;

/// Make a key, and print its address and mnemonic once
#[derive(Args, Debug)]
#[command(after_help = "\
Writes what `btcli` and Bittensor's Python packages read, with mode 0600; a key that exists is never overwritten. Without \
--no-password the file is sealed with a password, and each command that needs the key takes some seconds and 512 MiB to open it. Examples:
  holdfast keys new --wallet miner --hotkey disk1 --no-password
  holdfast keys new --wallet miner --coldkey --words 24")]
pub(super) struct Arguments {
    /// Words of the mnemonic: 12 or 24
    #[arg(long, value_name = "N", default_value = "12", value_parser = word_count)]
    words: WordCount,
    #[command(flatten)]
    place: NewKeyArguments,
}

fn word_count(word: &str) -> Result<WordCount, String> {
    match word {
        "12" => Ok(WordCount::Twelve),
        "24" => Ok(WordCount::TwentyFour),
        _ => Err("expected 12 or 24".to_owned()),
    }
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let files = self.place.vacant_files()?;
        let key = Key::generate(self.words);
        let key = key.map_err(|error| Failure::Absent(format!("no randomness from the system: {error}")))?;
        let mnemonic = key.phrase().map(|phrase| phrase.expose_secret().to_owned());
        console.report(&self.place.write(&files, &key, mnemonic)?)
    }
}
