//! `holdfast object verify`: read objects whole.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use holdfast_engine::object::{Address, Verification};
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use super::address;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::objects::{ObjectDirectory, OpenShelf};
use crate::table;

/// Read objects whole and compare them with their roots; --repair mends outboards
#[derive(Args, Debug)]
#[command(after_help = "\
Exit code 1 and `damaged` if something is not as it was stored. Damaged data comes back by storing the same bytes again.")]
pub(crate) struct Arguments {
    /// Directory that holds the objects
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The objects [default: all]
    #[arg(value_name = "CID", value_parser = address)]
    cids: Vec<Address>,
    /// Make outboards anew where the data is sound
    #[arg(long)]
    repair: bool,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let directory = ObjectDirectory::open(&self.dir)?;
        let mode = if self.repair { OpenMode::ReadWrite } else { OpenMode::ReadOnly };
        let mut report = Verified::default();
        if self.cids.is_empty() {
            for shelf in directory.shelves() {
                let shelf = directory.open_shelf(shelf, mode)?;
                for stat in shelf.objects.list().map_err(|error| shelf.failed(error))? {
                    self.verify(&shelf, &stat.cid, &mut report)?;
                }
                let damaged = shelf.objects.store().damaged().map_err(|error| shelf.store_failed(error))?;
                report.unusable.extend(
                    damaged.into_iter().map(|(name, damage)| Unusable {
                        root: name.to_string(),
                        damage: damage.to_string(),
                    }),
                );
            }
        }
        for cid in &self.cids {
            let shelf = directory.find(cid, mode)?;
            self.verify(&shelf, cid, &mut report)?;
        }
        report.damaged = report.objects.iter().filter(|line| !line.sound).count() + report.unusable.len();
        console.report(&report)
    }

    fn verify(&self, shelf: &OpenShelf, cid: &Address, report: &mut Verified) -> Result<(), Failure> {
        let started = Instant::now();
        let verify = || shelf.objects.verify(cid).map_err(|error| shelf.failed(error));
        let mut verification = verify()?;
        let mended = self.repair && verification.data_is_sound && !verification.is_sound();
        if mended {
            shelf.objects.mend_outboard(cid).map_err(|error| shelf.failed(error))?;
            verification = verify()?;
        }
        let (sound, seconds) = (verification.is_sound(), started.elapsed().as_secs_f64());
        report.objects.push(Line { cid: cid.to_string(), sound, mended, seconds, verification });
        Ok(())
    }
}

#[derive(Default, Serialize)]
struct Verified {
    /// Objects that are not as they were stored.
    damaged: usize,
    objects: Vec<Line>,
    /// Objects whose files are not what their entries say.
    unusable: Vec<Unusable>,
}

#[derive(Serialize)]
struct Line {
    cid: String,
    sound: bool,
    mended: bool,
    seconds: f64,
    #[serde(flatten)]
    verification: Verification,
}

#[derive(Serialize)]
struct Unusable {
    root: String,
    damage: String,
}

impl Report for Verified {
    fn text(&self, out: &mut String) {
        for Line { cid, sound, mended, seconds, verification } in &self.objects {
            let what = match (sound, mended) {
                (true, false) => "sound".to_owned(),
                (true, true) => "sound, its outboard was made anew".to_owned(),
                (false, _) if verification.data_is_sound => {
                    format!("DAMAGED outboard, pages {:?}: --repair mends it", verification.damaged_pages)
                }
                (false, _) => {
                    format!("DAMAGED blocks {:?}: store the same bytes again", verification.damaged_blocks)
                }
            };
            let (bytes, time) = (table::bytes(verification.bytes), table::duration(*seconds));
            out.push_str(&format!("{cid}: {bytes} in {time}, {what}\n"));
        }
        for Unusable { root, damage } in &self.unusable {
            out.push_str(&format!("{root}: DAMAGED: {damage}\n"));
        }
        out.push_str(&format!("{} damaged\n", self.damaged));
    }

    fn exit(&self) -> Exit {
        if self.damaged == 0 { Exit::Done } else { Exit::Failed }
    }
}
