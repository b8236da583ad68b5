//! `holdfast keys show`.

use std::path::PathBuf;

use clap::Args;
use holdfast_service::identity::Secrecy;
use serde::Serialize;

use super::warn_if_exposed;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::identity::KeyArguments;

/// Show a key's address and public key, and how its secret is kept; never the secret
#[derive(Args, Debug)]
#[command(after_help = "\
A sealed key needs its password here only when the file with its public key is missing. Examples:
  holdfast keys show --wallet miner --hotkey disk1
  holdfast keys show --key-file /etc/holdfast/hotkey --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    key: KeyArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let files = self.key.files()?;
        let description = files.describe(&self.key.passwords())?;
        warn_if_exposed(console, description.exposed.as_ref());
        console.report(&Shown {
            address: description.account.to_ss58(),
            public_key: description.account.to_hex(),
            file: files.secret().to_owned(),
            public_file: files.public(),
            secret: match description.secrecy {
                Secrecy::Absent => "absent",
                Secrecy::Open => "open",
                Secrecy::Sealed => "sealed",
            },
        })
    }
}

#[derive(Serialize)]
struct Shown {
    address: String,
    public_key: String,
    file: PathBuf,
    public_file: PathBuf,
    /// `absent`, `open` or `sealed`.
    secret: &'static str,
}

impl Report for Shown {
    fn text(&self, out: &mut String) {
        let secret = match self.secret {
            "absent" => "not here, the public key alone",
            "open" => "not protected by a password",
            _ => "sealed with a password",
        };
        out.push_str(&format!(
            "address     {}\npublic key  {}\nfile        {}\nsecret      {secret}\n",
            self.address,
            self.public_key,
            self.file.display()
        ));
    }
}
