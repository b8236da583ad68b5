//! `holdfast status --chain`: a validator, an owner's files in its care, and its miners by tier.

use std::path::PathBuf;

use clap::Args;
use holdfast_service::chain::{Chain, FileChain};
use holdfast_service::client::OwnedFile;
use serde::Serialize;
use serde_json::Value;

use super::{Owner, PartyArguments, failure};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::{self, Table};

/// A validator that is so many blocks behind the chain does not follow it.
const BEHIND_BLOCKS: u64 = 3;

/// A network instead of disks.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArguments {
    /// Directory of the chain
    #[arg(long, value_name = "DIR", conflicts_with = "dirs")]
    chain: Option<PathBuf>,
    #[command(flatten)]
    parties: PartyArguments,
}

impl NetworkArguments {
    /// Shows it, if there is a chain to look at.
    pub(in crate::cli) fn run(&self, console: &Console) -> Option<Result<Exit, Failure>> {
        self.chain.as_ref().map(|chain| {
            let owner = self.parties.open(chain, console)?;
            let chain = FileChain::open(chain)?;
            console.report(&Seen::look(&owner, &chain)?)
        })
    }
}

#[derive(Serialize)]
struct Seen {
    /// The newest block of the chain.
    chain_height: u64,
    validator: Validator,
    files: Files,
    /// Miners that the validator scores, by tier; the highest first.
    tiers: Vec<Tier>,
}

#[derive(Serialize)]
struct Validator {
    account: String,
    /// The newest block that it knows.
    height: u64,
    finalized_height: Option<u64>,
    /// Whether the process that answers runs the rounds; of several that share an index one does.
    in_charge: bool,
    /// The last round that was scored.
    scored_height: Option<u64>,
    open_rounds: usize,
    /// Equivocations that it knows of.
    equivocations: usize,
}

#[derive(Serialize)]
struct Files {
    count: usize,
    bytes: u64,
    pieces: u64,
    healthy_pieces: u64,
    /// Pieces without commitments.
    uncommitted_pieces: u64,
    /// Fewest spare pieces of any file; absent without one.
    spare_pieces: Option<i32>,
    /// Files that cannot be read now.
    unreadable: usize,
    /// Puts that `holdfast put --resume` goes on with.
    interrupted: usize,
}

#[derive(Serialize)]
struct Tier {
    name: String,
    miners: usize,
    /// Of them, those that did not answer the last time they were asked.
    silent: usize,
    /// Their share of the income, from 0 to 1.
    share: f64,
}

impl Seen {
    fn look(Owner { runtime, client }: &Owner, chain: &FileChain) -> Result<Seen, Failure> {
        let chain_height = runtime.block_on(chain.head())?.height;
        let json = runtime.block_on(client.validator_status()).map_err(failure)?;
        let status: Value = serde_json::from_str(&json).map_err(Failure::json)?;
        let files = runtime.block_on(client.list()).map_err(failure)?;
        let interrupted = client.interrupted_puts().map_err(failure)?.len();
        let length = |field: &str| status[field].as_array().map_or(0, Vec::len);
        Ok(Seen {
            chain_height,
            validator: Validator {
                account: status["validator"].as_str().unwrap_or_default().to_owned(),
                height: status["height"].as_u64().unwrap_or_default(),
                finalized_height: status["finalized_height"].as_u64(),
                in_charge: status["in_charge"] == true,
                scored_height: status["scored_height"].as_u64(),
                open_rounds: length("open_rounds"),
                equivocations: length("evidence"),
            },
            files: Files::of(&files, interrupted),
            tiers: tiers(&status),
        })
    }

    fn is_behind(&self) -> bool {
        self.validator.height.saturating_add(BEHIND_BLOCKS) <= self.chain_height
    }
}

impl Files {
    fn of(files: &[OwnedFile], interrupted: usize) -> Files {
        let summaries = || files.iter().map(|file| &file.summary);
        Files {
            count: files.len(),
            bytes: summaries().map(|file| file.length_bytes).sum(),
            pieces: summaries().map(|file| u64::from(file.pieces)).sum(),
            healthy_pieces: summaries().map(|file| u64::from(file.healthy_pieces)).sum(),
            uncommitted_pieces: summaries().map(|file| u64::from(file.uncommitted_pieces)).sum(),
            spare_pieces: summaries().map(|file| file.spare_pieces).min(),
            unreadable: summaries().filter(|file| file.spare_pieces < 0).count(),
            interrupted,
        }
    }

    fn text(&self, out: &mut String) {
        let Files { count, bytes, pieces, healthy_pieces, uncommitted_pieces, .. } = self;
        let Files { spare_pieces, unreadable, interrupted, .. } = self;
        out.push_str(&format!(
            "{count} files, {}: {healthy_pieces} of {pieces} pieces are healthy",
            table::bytes(*bytes)
        ));
        match spare_pieces {
            Some(spare) => out.push_str(&format!(", {spare} may be lost of the worst segment\n")),
            None => out.push('\n'),
        }
        if *unreadable > 0 {
            out.push_str(&format!(
                "LOST     {unreadable} files cannot be read now; `holdfast ls` shows which\n"
            ));
        }
        if *uncommitted_pieces > 0 {
            out.push_str(&format!(
                "{uncommitted_pieces} of {pieces} pieces have no commitments: audits show chunks of them to the validator. To change that, \
                 put their files (`holdfast ls`) anew with --commit\n"
            ));
        }
        if *interrupted > 0 {
            out.push_str(&format!("{interrupted} puts are not finished; `holdfast ls` shows them\n"));
        }
    }
}

/// Miners by the names of their tiers, in the order of what a miner of each gets.
fn tiers(status: &Value) -> Vec<Tier> {
    let mut tiers: Vec<Tier> = Vec::new();
    for miner in status["miners"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let name = miner["tier"].as_str().unwrap_or_default();
        let place = tiers.iter().position(|tier| tier.name == name).unwrap_or_else(|| {
            tiers.push(Tier { name: name.to_owned(), miners: 0, silent: 0, share: 0.0 });
            tiers.len() - 1
        });
        let Some(tier) = tiers.get_mut(place) else { continue };
        tier.miners += 1;
        tier.silent += usize::from(miner["sign"].is_object() && miner["sign"]["latency_ms"].is_null());
        tier.share += miner["share"].as_f64().unwrap_or_default();
    }
    #[expect(clippy::cast_precision_loss, reason = "miners of a network are few")]
    let each = |tier: &Tier| tier.share / tier.miners.max(1) as f64;
    tiers.sort_by(|a, b| each(b).total_cmp(&each(a)).then_with(|| a.name.cmp(&b.name)));
    tiers
}

impl Report for Seen {
    fn text(&self, out: &mut String) {
        let Validator { account, height, in_charge, open_rounds, equivocations, .. } = &self.validator;
        let charge = if *in_charge { "runs the rounds" } else { "looks on" };
        out.push_str(&format!(
            "{account} at height {height}, {charge}; {open_rounds} open rounds, {equivocations} equivocations known\n"
        ));
        if self.is_behind() {
            out.push_str(&format!("BEHIND   the chain is at height {}\n", self.chain_height));
        }
        self.files.text(out);
        let mut lines = Table::new(&["tier", ">miners", ">silent", ">share"]);
        for tier in &self.tiers {
            let share = format!("{:.1} %", 100.0 * tier.share);
            lines.row([tier.name.clone(), tier.miners.to_string(), tier.silent.to_string(), share]);
        }
        lines.write("  ", out);
    }

    fn exit(&self) -> Exit {
        if self.is_behind() || self.files.unreadable > 0 { Exit::Failed } else { Exit::Done }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_service::proto::FileSummary;

    use super::*;

    #[test]
    fn pieces_without_commitments_are_shown_with_what_to_do() {
        let text = |uncommitted_pieces| {
            let summary =
                FileSummary { pieces: 9, healthy_pieces: 9, uncommitted_pieces, ..Default::default() };
            let mut text = String::new();
            Files::of(&[OwnedFile { summary, name: None }], 0).text(&mut text);
            text
        };
        let shown = text(3);
        assert!(shown.contains("3 of 9 pieces have no commitments") && shown.contains("--commit"), "{shown}");
        assert!(!text(0).contains("commitments"));
    }
}
