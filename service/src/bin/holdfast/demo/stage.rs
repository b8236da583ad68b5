//! Where the demo plays: a directory, a policy, the binary itself, and the voice that tells what happens.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use holdfast_engine::backend;
use holdfast_engine::jobs::answer;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::policy::Policy;
use holdfast_engine::recorder::FileRecorder;
use holdfast_engine::registration::Profile;
use holdfast_partition::allocate::StakeTable;
use holdfast_partition::io::IoChoice;

use super::place::Place;
use super::{MINER, STAKES, Wishes};
use crate::allocation::{FileSystem, NamedAccount, Shares, Site, apply, propose};
use crate::cli::{simulation_settings, write_partitions};
use crate::console::{Console, print};
use crate::disks::{Disk, RECORDER_NAME};
use crate::failure::Failure;
use crate::gpus::Gpus;
use crate::interrupt;
use crate::machine::Machine;
use crate::table;

/// About so many windows, so that audits have something to choose from.
const WINDOWS_WANTED: u64 = 64;
/// Windows below this are all overhead, above that the demo would wait for one.
const WINDOW_BYTES: std::ops::RangeInclusive<u64> = (32 << 10)..=(16 << 20);
/// Four partitions' headers and journals, and room to share.
const BYTES_MINIMUM: u64 = 16 << 20;

/// The scene of the demo.
pub(super) struct Stage<'c> {
    pub(super) console: &'c Console,
    pub(super) directory: PathBuf,
    pub(super) keep: bool,
    pub(super) policy: Policy,
    pub(super) machine: Machine,
    pub(super) miner: NamedAccount,
    control: Arc<Control>,
    bytes: u64,
    place: Place,
}

impl<'c> Stage<'c> {
    /// Makes the directory.
    pub(super) fn set(wishes: &Wishes, console: &'c Console) -> Result<Stage<'c>, Failure> {
        if wishes.bytes < BYTES_MINIMUM {
            let least = table::bytes(BYTES_MINIMUM);
            return Err(Failure::Usage(format!("--size is below {least}, too little for four partitions")));
        }
        let place = Place::open(wishes.dir.as_deref(), wishes.keep)?;
        let directory = place.directory.clone();
        let free = FileSystem::of(&directory)?.free_bytes;
        if free < wishes.bytes {
            return Err(Failure::State {
                message: format!(
                    "{} has {} free, the demo takes {}",
                    directory.display(),
                    table::bytes(free),
                    table::bytes(wishes.bytes)
                ),
                advice: "choose a smaller --size, or another disk with --dir".to_owned(),
            });
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build();
        let pool = pool.map_err(|error| Failure::Absent(format!("cannot start {cores} threads: {error}")))?;
        let machine = Machine {
            backend: backend::select(backend::Choice::Auto)
                .map_err(|error| Failure::Absent(error.to_string()))?,
            gpus: Gpus::off(),
            io: IoChoice::Auto,
            pool: Arc::new(pool),
            queue_depth: 8,
            answer_depth: answer::QUEUE_DEPTH,
            staging_bytes: 32 << 20,
        };
        let stage = Stage {
            console,
            directory,
            keep: wishes.keep,
            policy: Policy {
                name: "demo".to_owned(),
                min_samples: 8,
                audit_one_in_blocks: 5,
                ..Policy::test()
            },
            machine,
            miner: NamedAccount::parse(MINER, console)?,
            control: interrupt::control(None),
            bytes: wishes.bytes,
            place,
        };
        stage.say(&format!(
            "holdfast demo: {} in {}, back end {}, {cores} cores",
            table::bytes(stage.bytes),
            stage.directory.display(),
            stage.machine.backend.name()
        ));
        Ok(stage)
    }

    /// Plans, registers and reserves the partitions.
    pub(super) fn allocate(&self) -> Result<Disk, Failure> {
        let stakes = StakeTable::from_json(STAKES.as_bytes())
            .map_err(|error| Failure::work("state", "demo", error))?;
        let window = (self.bytes / WINDOWS_WANTED).next_power_of_two() / 2;
        let shares = Shares {
            stakes,
            threshold: 1.0,
            max_bytes: Some(self.bytes),
            window_bytes: Some(window.clamp(*WINDOW_BYTES.start(), *WINDOW_BYTES.end())),
            profile: Some(Profile::Standard),
            object_reserve: 0.0,
        };
        let proposal = propose(&self.directory, &shares)?;
        let mut lines = String::new();
        write_partitions(&proposal.partitions, &mut lines);
        self.say(lines.trim_end());
        let shape = proposal.shape;
        self.say(&format!(
            "  windows of {} with {} layers; the real default is {} (this demo wants to end)",
            table::bytes(shape.bytes()),
            shape.layers(),
            table::bytes(1 << 30)
        ));
        let recorder = self.directory.join(RECORDER_NAME);
        let site = Site { miner: &self.miner, netuid: 0, wallet: None, hotkey: None, recorder };
        let chain = FileRecorder::open_or_create(&site.recorder, simulation_settings(0, &self.policy))?;
        let disk = apply(proposal, &site, &chain, self.console)?;
        self.say("  registered: ids and keys follow from a block nobody knew when the intents were signed");
        Ok(disk)
    }

    /// This program as another process, on the demo's directory.
    pub(super) fn command(&self, words: &str) -> Result<Command, Failure> {
        let program =
            std::env::current_exe().map_err(|error| Failure::file("find", "this program", error))?;
        let mut command = Command::new(program);
        command.args(words.split_whitespace()).arg("--dir").arg(&self.directory);
        Ok(command)
    }

    /// A heading; the play ends here when it was interrupted, and what it wrote is cleared away.
    pub(super) fn chapter(&self, heading: &str) -> Result<(), Failure> {
        self.checkpoint()?;
        let bold = std::io::stdout().is_terminal() && !self.console.json();
        self.say(&if bold { format!("\n\x1b[1m{heading}\x1b[0m") } else { format!("\n{heading}") });
        Ok(())
    }

    /// What interruptions cancel.
    pub(super) fn control(&self) -> &Control {
        &self.control
    }

    /// Fails once the play was interrupted.
    pub(super) fn checkpoint(&self) -> Result<(), Failure> {
        Ok(self.control.checkpoint()?)
    }

    /// A line of the story.
    pub(super) fn say(&self, line: &str) {
        say(self.console, line);
    }

    /// Deletes what the demo wrote, unless it is to be kept.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        self.place.clear()
    }
}

/// A line of the story: to standard output, or beside a JSON report to standard error.
pub(super) fn say(console: &Console, line: &str) {
    if console.json() {
        let _ = writeln!(std::io::stderr(), "{line}");
    } else {
        // A reader that has gone away has heard enough.
        let _ = print(&format!("{line}\n"));
    }
}
