//! `holdfast object ls`.

use std::path::PathBuf;

use clap::Args;
use holdfast_engine::object::ObjectStat;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use crate::audits::audits_of;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::objects::{ObjectDirectory, now};
use crate::table::{self, Table};

/// List objects, with the audits that each can answer
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Directory that holds objects; repeat for several
    #[arg(long = "dir", value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut listed = Listed::default();
        for directory in ObjectDirectory::open_all(&self.dirs)? {
            for shelf in directory.shelves() {
                let shelf = directory.open_shelf(shelf, OpenMode::ReadOnly)?;
                for mut stat in shelf.objects.list().map_err(|error| shelf.failed(error))? {
                    if let Some(record) = shelf.find_record(stat.root)? {
                        stat.audits = audits_of(&record.record);
                    }
                    listed.bytes += stat.bytes;
                    listed.disk_bytes += stat.disk_bytes;
                    let expired = stat.expires_at.is_some_and(|at| at <= now());
                    listed.objects.push(Line { store: shelf.shelf.path.clone(), expired, stat });
                }
                let damaged = shelf.objects.store().damaged().map_err(|error| shelf.store_failed(error))?;
                listed.damaged.extend(damaged.into_iter().map(|(name, damage)| DamagedLine {
                    store: shelf.shelf.path.clone(),
                    root: name.to_string(),
                    damage: damage.to_string(),
                }));
                listed.foreign_files.extend(shelf.foreign);
            }
        }
        console.report(&listed)
    }
}

#[derive(Default, Serialize)]
struct Listed {
    bytes: u64,
    disk_bytes: u64,
    objects: Vec<Line>,
    damaged: Vec<DamagedLine>,
    /// Files in stores that are not the stores'; they are left alone.
    foreign_files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Line {
    store: PathBuf,
    expired: bool,
    #[serde(flatten)]
    stat: ObjectStat,
}

#[derive(Serialize)]
struct DamagedLine {
    store: PathBuf,
    root: String,
    damage: String,
}

impl Report for Listed {
    fn text(&self, out: &mut String) {
        let mut lines = Table::new(&["", ">bytes", "audits", ""]);
        for Line { expired, stat, .. } in &self.objects {
            let note = if *expired { "expired" } else { "" };
            lines.row([stat.cid.to_string(), stat.bytes.to_string(), stat.audits.join(" "), note.to_owned()]);
        }
        for line in &self.damaged {
            lines.row([line.root.clone(), String::new(), String::new(), format!("DAMAGED: {}", line.damage)]);
        }
        lines.write("", out);
        out.push_str(&format!(
            "{} objects, {}, {} on disk\n",
            self.objects.len(),
            table::bytes(self.bytes),
            table::bytes(self.disk_bytes)
        ));
        for path in &self.foreign_files {
            out.push_str(&format!("{} is not ours; left alone\n", path.display()));
        }
    }

    fn exit(&self) -> Exit {
        if self.damaged.is_empty() { Exit::Done } else { Exit::Failed }
    }
}
