//! `holdfast token use`.

use std::path::PathBuf;

use clap::Args;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form};
use holdfast_engine::possession::token::{TokenChallenge, TokenFile};
use serde::Serialize;

use crate::allocation::NamedAccount;
use crate::audits::read_record;
use crate::cli::challenge::{ObjectWritten, Question};
use crate::cli::options::{PolicyArguments, hex_digest};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;

/// Use the next token: mark it used, durably, then write the challenge that shows its key
#[derive(Args, Debug)]
#[command(after_help = "\
Example: holdfast token use --tokens film.tokens --commitment film.commitment --out film.challenge")]
pub(crate) struct Arguments {
    /// The token file
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,
    /// The object's record, with the tokens
    #[arg(long, value_name = "FILE")]
    commitment: PathBuf,
    /// The audited block's beacon, 64 hex digits [default: zero: the key is what nobody knew]
    #[arg(long, value_name = "HEX", value_parser = hex_digest)]
    beacon: Option<[u8; 32]>,
    /// The audited block's height [default: the earliest at which the record is final]
    #[arg(long, value_name = "N")]
    height: Option<u64>,
    /// Who asks
    #[arg(long, value_name = "KEY", default_value = "validator")]
    validator: String,
    #[command(flatten)]
    policy: PolicyArguments,
    /// Where to write the challenge
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let policy = self.policy.resolve()?;
        let record = read_record(&self.commitment)?;
        let file = TokenFile::open(&self.tokens)?;
        if file.record_digest()? != record.record.digest() {
            return Err(Failure::State {
                message: format!(
                    "{} is of another record than {}",
                    self.tokens.display(),
                    self.commitment.display()
                ),
                advice: "use the record that `holdfast token make` wrote".to_owned(),
            });
        }
        let kind = AuditKind::Whole;
        let deadline_ms = policy.objects.deadline_ms(kind);
        let ask = Ask { kind, samples: policy.objects.samples(kind), deadline_ms, form: Form::Plain };
        let question = Question {
            commitment: &self.commitment,
            record: &record,
            validator: NamedAccount::parse(&self.validator, console)?,
            beacon: self.beacon.unwrap_or_default(),
            height: self.height,
        };
        let challenge = question.challenge(ask, &policy)?;
        let (number, token) = file.take()?;
        let refused = |rejection| Failure::rejected(&self.commitment, rejection);
        let challenge = TokenChallenge::new(challenge, number, *token.key()).map_err(refused)?;
        files::write_whole(&self.out, &challenge.encode())?;
        console.report(&Used {
            token: number,
            unused: file.unused()?,
            challenge: ObjectWritten::new(&self.out, challenge.challenge(), challenge.digest()),
        })
    }
}

#[derive(Serialize)]
struct Used {
    /// Number of the token.
    token: u64,
    /// Tokens that are left.
    unused: usize,
    #[serde(flatten)]
    challenge: ObjectWritten,
}

impl Report for Used {
    fn text(&self, out: &mut String) {
        self.challenge.text(out);
        out.push_str(&format!("token {} is used now, {} are left\n", self.token, self.unused));
    }
}
