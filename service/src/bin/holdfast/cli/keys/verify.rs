//! `holdfast keys verify`.

use clap::Args;
use holdfast_engine::account::{Account, AccountSource};
use holdfast_engine::signature::{SIGNATURE_BYTES, Signature, verify_message};
use serde::Serialize;

use super::MessageArguments;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;

/// Check who signed a message
#[derive(Args, Debug)]
#[command(after_help = "\
Takes signatures of `holdfast keys sign`, of `bittensor-wallet`, and of browser wallets, which sign `<Bytes>message</Bytes>`. Exit \
code 2 if the signature is not this address's over this message. Example:
  holdfast keys verify --address 5F… --signature 0x… --message \"I own uid 7, 2026-10-01\"")]
pub(super) struct Arguments {
    #[command(flatten)]
    message: MessageArguments,
    /// Who is said to have signed: an SS58 address or 64 hex digits
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    address: Account,
    /// The signature, 128 hex digits
    #[arg(long, value_name = "HEX", value_parser = signature)]
    signature: Signature,
}

/// Not a development name: a mistyped address would become one.
fn address(word: &str) -> Result<Account, String> {
    match Account::parse(word) {
        Ok((account, AccountSource::Ss58 | AccountSource::Hex)) => Ok(account),
        _ => Err("expected an SS58 address with network number 42 and a good checksum, or 64 hex digits"
            .to_owned()),
    }
}

fn signature(word: &str) -> Result<Signature, String> {
    let mut bytes = [0; SIGNATURE_BYTES];
    hex::decode_to_slice(word.strip_prefix("0x").unwrap_or(word), &mut bytes)
        .map_err(|_| "expected 128 hex digits".to_owned())?;
    Ok(Signature(bytes))
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let message = self.message.bytes()?;
        verify_message(&self.address, &message, &self.signature)
            .map_err(|rejection| Failure::rejected("the message", rejection))?;
        console.report(&Verified { verdict: "accepted", address: self.address.to_ss58() })
    }
}

#[derive(Serialize)]
struct Verified {
    verdict: &'static str,
    address: String,
}

impl Report for Verified {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("signed by {}\n", self.address));
    }
}
