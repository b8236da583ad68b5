//! `holdfast object stat`.

use clap::Args;
use holdfast_engine::object::ObjectStat;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use super::ObjectArguments;
use crate::audits::audits_of;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::objects::ObjectDirectory;
use crate::table;

/// Show what is known of an object: addresses, size, expiry, audits, record
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    which: ObjectArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let directory = ObjectDirectory::open(&self.which.dir)?;
        let shelf = directory.find(&self.which.cid, OpenMode::ReadOnly)?;
        let stat = shelf.stat(&self.which.cid)?;
        let record = shelf.find_record(stat.root)?;
        console.report(&Stat::new(stat, record.as_ref()))
    }
}

#[derive(Serialize)]
struct Stat {
    blake3_root: String,
    #[serde(flatten)]
    stat: ObjectStat,
    commitment_root: Option<String>,
    record: Option<Record>,
}

/// What the record says.
#[derive(Serialize)]
struct Record {
    digest: String,
    height: u64,
    miner: String,
    checker: String,
    tokens: u64,
    signed: bool,
}

impl Stat {
    fn new(mut stat: ObjectStat, signed: Option<&SignedRecord>) -> Stat {
        stat.blocks = stat.blocks.max(1);
        if let Some(SignedRecord { record, .. }) = signed {
            stat.audits = audits_of(record);
        }
        Stat {
            blake3_root: stat.root.to_string(),
            commitment_root: signed.and_then(|signed| signed.record.table_root).map(hex::encode),
            record: signed.map(|SignedRecord { record, signature }| Record {
                digest: hex::encode(record.digest()),
                height: record.height,
                miner: record.miner.to_string(),
                checker: record.checker.to_string(),
                tokens: record.tokens.map_or(0, |tokens| tokens.count()),
                signed: !signature.is_none(),
            }),
            stat,
        }
    }
}

impl Report for Stat {
    fn text(&self, out: &mut String) {
        let ObjectStat { cid, cid_sha256, root, bytes, blocks, disk_bytes, audits, .. } = &self.stat;
        out.push_str(&format!(
            "{cid}\n  also {cid_sha256}\n  root {root}\n  {} in {blocks} blocks, {} on disk\n  can answer {}\n",
            table::bytes(*bytes),
            table::bytes(*disk_bytes),
            audits.join(", ")
        ));
        if let Some(at) = self.stat.expires_at {
            out.push_str(&format!("  expires at {at} (seconds since 1970)\n"));
        }
        match (&self.record, &self.commitment_root) {
            (Some(record), Some(root)) => out.push_str(&format!(
                "  commitments {root}\n  record {} of height {}, checked by {}, {} tokens\n",
                record.digest, record.height, record.checker, record.tokens
            )),
            _ => out.push_str("  not committed yet: run `holdfast commit`\n"),
        }
    }
}
