//! `holdfast keys sign`.

use clap::Args;
use serde::Serialize;

use super::{MessageArguments, warn_if_exposed};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::identity::KeyArguments;

/// Sign a message, to show that a key is yours
#[derive(Args, Debug)]
#[command(after_help = "\
Prints the signature in hex. It is an sr25519 signature in Substrate's context, which `bittensor-wallet` and Substrate's other tools \
verify. Messages of exactly 32 bytes are refused: they could be a digest of a challenge or a payment. Sign only what you have read. \
Example:
  holdfast keys sign --wallet miner --hotkey disk1 --message \"I own uid 7, 2026-10-01\"")]
pub(super) struct Arguments {
    #[command(flatten)]
    message: MessageArguments,
    #[command(flatten)]
    key: KeyArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let message = self.message.bytes()?;
        let loaded = self.key.files()?.load(&self.key.passwords())?;
        warn_if_exposed(console, loaded.exposed.as_ref());
        let signature = loaded.key.signer().sign_message(&message);
        let signature = signature.map_err(|error| Failure::Usage(error.to_string()))?;
        console.report(&Signed {
            address: loaded.key.account().to_ss58(),
            signature: format!("0x{}", hex::encode(signature.0)),
        })
    }
}

#[derive(Serialize)]
struct Signed {
    address: String,
    signature: String,
}

impl Report for Signed {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("{}\n", self.signature));
    }
}
