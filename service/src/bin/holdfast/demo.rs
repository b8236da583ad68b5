//! The whole story on real files, told as it happens: plan, fill, kill, resume, audit, cheat, corrupt, repair, verify; and the
//! same of a user's file.

mod audits;
mod cheats;
mod filling;
mod network;
mod objects;
mod place;
mod repair;
mod stage;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table;

pub(crate) use network::{NetworkWishes, run as run_network};
use stage::Stage;

/// Who is staked with how much in the demo.
const STAKES: &str = include_str!("demo/stakes.json");
/// The demo's miner, a development name.
const MINER: &str = "demo-miner";
/// Rounds of audits.
const ROUNDS: u64 = 3;

/// What the demo was asked to do.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// Disk space to use.
    pub(crate) bytes: u64,
    /// Where; else in a temporary directory.
    pub(crate) dir: Option<PathBuf>,
    /// Whether files stay.
    pub(crate) keep: bool,
}

/// Everything the demo found out, for `--json`.
#[derive(Serialize)]
struct DemoReport {
    directory: PathBuf,
    kept: bool,
    seconds: f64,
    filling: filling::Filling,
    audits: audits::Audits,
    cheats: Vec<cheats::Cheat>,
    repair: repair::Repair,
    receipts: audits::ReceiptsVerified,
    objects: objects::ObjectStory,
}

/// Tells and does everything.
pub(crate) fn run(wishes: &Wishes, console: &Console) -> Result<Exit, Failure> {
    let started = Instant::now();
    let stage = Stage::set(wishes, console)?;
    let outcome = play(&stage, started);
    // Cleaned up whether or not the play went well.
    let cleaned = stage.clear();
    let report = outcome?;
    cleaned?;
    console.report(&report)
}

fn play(stage: &Stage<'_>, started: Instant) -> Result<DemoReport, Failure> {
    stage.chapter("1. Plan: disk space is divided among validators by stake")?;
    let disk = stage.allocate()?;
    stage.chapter(
        "2. Fill: every window is computed and written; a kill in the middle costs next to nothing",
    )?;
    let filling = filling::fill_with_a_kill(stage, &disk)?;
    stage.chapter("3. Audits: random chunks, chosen by a beacon nobody could know, within a deadline")?;
    let mut round = audits::Rounds::new(stage, &disk)?;
    let audits = round.play(ROUNDS)?;
    stage.chapter("4. Cheats: what a miner without the bytes can send, and what becomes of it")?;
    let cheats = cheats::play(stage, &mut round)?;
    stage.chapter("5. Corruption: a few bytes of a real file go bad; scrub finds and repairs them")?;
    let repair = repair::play(stage, &disk, &round)?;
    stage.chapter("6. Receipts: what both sides signed is verified offline")?;
    let receipts = round.verify_receipts()?;
    stage.chapter("7. Objects: a user's file, encrypted, proven without being fetched, damaged, mended")?;
    let objects = objects::play(stage)?;
    Ok(DemoReport {
        directory: disk.directory.clone(),
        kept: stage.keep,
        seconds: started.elapsed().as_secs_f64(),
        filling,
        audits,
        cheats,
        repair,
        receipts,
        objects,
    })
}

impl Report for DemoReport {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("\nDone in {}.", table::duration(self.seconds)));
        if self.kept {
            let dir = self.directory.display();
            out.push_str(&format!(" The files are kept; try: holdfast status --dir {dir}\n"));
        } else {
            out.push_str(" All files are deleted (--keep keeps them).\n");
        }
    }
}
