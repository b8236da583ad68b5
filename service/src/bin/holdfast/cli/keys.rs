//! `holdfast keys`: the keys that nodes and owners sign with, in Bittensor's wallets.

mod import;
mod new;
mod show;
mod sign;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast_service::identity::{ExposedFile, Key, KeyFiles};
use serde::Serialize;

use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;
use crate::identity::KeyArguments;

/// Make, show and use the keys of Bittensor wallets
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    New(new::Arguments),
    Show(show::Arguments),
    Import(import::Arguments),
    Sign(sign::Arguments),
    Verify(verify::Arguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::New(arguments) => arguments.run(console),
            What::Show(arguments) => arguments.run(console),
            What::Import(arguments) => arguments.run(console),
            What::Sign(arguments) => arguments.run(console),
            What::Verify(arguments) => arguments.run(console),
        }
    }
}

/// Where a new key goes, and whether a password protects it.
#[derive(Args, Clone, Debug)]
struct NewKeyArguments {
    #[command(flatten)]
    key: KeyArguments,
    /// Write the key so that whoever reads the file has it, as nodes need it that start unattended
    #[arg(long, conflicts_with = "password_file", help_heading = "Key")]
    no_password: bool,
}

impl NewKeyArguments {
    /// The files; they must not be there yet.
    fn vacant_files(&self) -> Result<KeyFiles, Failure> {
        let files = self.key.files()?;
        files.check_vacant()?;
        Ok(files)
    }

    /// Writes the key and says so; asks for a password first, if there is to be one.
    fn write(&self, files: &KeyFiles, key: &Key, mnemonic: Option<String>) -> Result<Written, Failure> {
        let password = match self.no_password {
            true => None,
            false => Some(self.key.passwords().fresh(files.secret()).map_err(into_failure)?),
        };
        files.create(key, password.as_ref())?;
        Ok(Written {
            address: key.account().to_ss58(),
            public_key: key.account().to_hex(),
            file: files.secret().to_owned(),
            public_file: files.public(),
            sealed: password.is_some(),
            mnemonic,
        })
    }
}

fn into_failure(error: holdfast_service::identity::PasswordError) -> Failure {
    holdfast_service::identity::IdentityError::from(error).into()
}

#[derive(Serialize)]
struct Written {
    address: String,
    public_key: String,
    file: PathBuf,
    public_file: PathBuf,
    /// Whether a password protects the file.
    sealed: bool,
    /// Of new keys only.
    #[serde(skip_serializing_if = "Option::is_none")]
    mnemonic: Option<String>,
}

impl Report for Written {
    fn text(&self, out: &mut String) {
        let protection = if self.sealed { "sealed with the password" } else { "not protected by a password" };
        out.push_str(&format!(
            "address     {}\npublic key  {}\nfile        {} ({protection})\n",
            self.address,
            self.public_key,
            self.file.display()
        ));
        if let Some(mnemonic) = &self.mnemonic {
            out.push_str(&format!(
                "mnemonic    {mnemonic}\n\nThe mnemonic is the key in words: whoever has it has the key, and it brings the key back \
                 when the file is lost.\nWrite it down now and keep it secret; it is shown this once.\n"
            ));
        }
    }
}

/// What is signed.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct MessageArguments {
    /// The message itself
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// File whose bytes are the message
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl MessageArguments {
    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        match (&self.message, &self.file) {
            (Some(text), _) => Ok(text.clone().into_bytes()),
            (None, Some(path)) => files::read(path),
            // The parser wants one of them.
            (None, None) => Ok(Vec::new()),
        }
    }
}

fn warn_if_exposed(console: &Console, exposed: Option<&ExposedFile>) {
    if let Some(exposed) = exposed {
        console.warn(exposed.to_string());
    }
}
