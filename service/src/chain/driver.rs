//! What makes the blocks of a local chain, and lets the events of a script take place with them.

use std::convert::Infallible;
use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::recorder::{FileRecorder, Ledger, SimulatedRecorder, Simulation, SimulationSettings};
use holdfast_engine::shared_file::SharedFileError;
use tokio::time::MissedTickBehavior;

use super::{
    ChainError, Event, FileChain, Happened, Head, LocalChain, MemoryNetwork, Network, NetworkFile,
    NetworkSettings, NetworkStore, Script, SimulatedChain,
};

/// The empty file whose lock the driver of a directory holds.
pub const DRIVER_FILE: &str = "driver.lock";

/// Makes blocks. A chain has one driver; equal settings, scripts and calls make equal chains, at whatever speed.
#[derive(Debug)]
pub struct Driver<R, N> {
    chain: LocalChain<R, N>,
    script: Script,
    /// Events for the next block, beside the script's.
    scheduled: Mutex<Vec<Event>>,
    /// Of a directory: keeps other drivers out until this is dropped.
    _lock: Option<File>,
}

impl Driver<SimulatedRecorder, MemoryNetwork> {
    /// A driver with its own chain, in memory.
    ///
    /// # Errors
    /// A script whose neurons cannot all be registered.
    pub fn in_memory(
        simulation: SimulationSettings,
        settings: NetworkSettings,
        script: Script,
    ) -> Result<Self, ChainError> {
        Ok(Driver::new(SimulatedChain::in_memory(simulation, settings, &script.neurons)?, script))
    }
}

impl Driver<FileRecorder, NetworkFile> {
    /// A driver of the chain in a directory; it makes what is not there yet. Settings and neurons of a chain that exists stay.
    ///
    /// # Errors
    /// Files that cannot be made or used, a script whose neurons cannot all be registered, and a chain that has a driver.
    pub fn in_directory(
        directory: &Path,
        simulation: SimulationSettings,
        settings: NetworkSettings,
        script: Script,
    ) -> Result<Self, ChainError> {
        let chain = FileChain::open_or_create(directory, simulation, settings, &script.neurons)?;
        let path = directory.join(DRIVER_FILE);
        let failed = |doing, error| SharedFileError::new(doing, &path, error);
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = open.map_err(|error| failed("open", error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Driver { _lock: Some(lock), ..Driver::new(chain, script) }),
            Err(TryLockError::WouldBlock) => Err(ChainError::Driven { directory: directory.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed("lock", error).into()),
        }
    }
}

impl<R: Simulation + Debug + 'static, N: NetworkStore> Driver<R, N> {
    /// A driver of a chain that nobody else drives. Events of the script for blocks that exist are past.
    pub fn new(chain: LocalChain<R, N>, script: Script) -> Driver<R, N> {
        Driver { chain, script, scheduled: Mutex::default(), _lock: None }
    }

    /// The chain.
    pub fn chain(&self) -> &LocalChain<R, N> {
        &self.chain
    }

    /// Lets an event take place with the next block, after those of the script.
    pub fn schedule(&self, event: Event) {
        self.scheduled.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Makes one block with its events. Blocks, as with calls to files: within `spawn_blocking` if in a task.
    ///
    /// The block is there before what it changes in the network is. If the process ends between, the next step makes up for
    /// that before it adds a block; events that were scheduled are then lost.
    pub fn step(&self) -> Result<Head, ChainError> {
        let mut scheduled = self.scheduled.lock().unwrap_or_else(PoisonError::into_inner);
        self.chain.store().change(|network| {
            self.catch_up(network)?;
            self.add_block(network, &scheduled)
        })?;
        scheduled.clear();
        self.chain.refresh()
    }

    /// Makes a block each `block_time` and hands its head to `made`, until it fails or is dropped.
    pub async fn run(
        self: Arc<Self>,
        block_time: Duration,
        mut made: impl FnMut(&Head),
    ) -> Result<Infallible, ChainError> {
        let mut ticks = tokio::time::interval(block_time);
        // After a pause blocks come at their pace again, not all at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let driver = Arc::clone(&self);
            made(&tokio::task::spawn_blocking(move || driver.step()).await??);
        }
    }

    /// Blocks that a driver made before it ended, without what they change.
    fn catch_up(&self, network: &mut Network) -> Result<(), ChainError> {
        let newest = self.chain.simulation().read(Ledger::height)?;
        let first_height = network.height().saturating_add(1);
        if first_height > newest {
            return Ok(());
        }
        network.note(newest, Happened::CaughtUp { first_height });
        for scripted in self.script.events_from(first_height, newest) {
            network.apply(&scripted.event, scripted.height);
        }
        network.close_block(newest);
        Ok(())
    }

    fn add_block(&self, network: &mut Network, scheduled: &[Event]) -> Result<(), ChainError> {
        let next = network.height().saturating_add(1);
        let scripted = self.script.events_from(next, next).into_iter().map(|scripted| &scripted.event);
        let events: Vec<&Event> = scripted.chain(scheduled).collect();
        let (height, refusals) = self.chain.simulation().change(|ledger| {
            let height = ledger.advance(1);
            Ok((height, events.iter().map(|event| change_blocks(ledger, event)).collect::<Vec<_>>()))
        })?;
        for (event, refusal) in events.into_iter().zip(refusals) {
            match refusal {
                None => network.apply(event, height),
                Some(reason) => network.note(height, Happened::Refused { event: event.clone(), reason }),
            }
        }
        network.close_block(height);
        Ok(())
    }
}

/// What an event does to the blocks; says why it cannot.
fn change_blocks(ledger: &mut Ledger, event: &Event) -> Option<String> {
    match event {
        Event::StallFinality => ledger.stall_finality(),
        Event::ResumeFinality => ledger.resume_finality(),
        Event::Reorganise { depth } => {
            let newest = ledger.height();
            let Some(first) = newest.checked_sub(*depth).filter(|first| *first > 0) else {
                return Some(format!(
                    "block 0 stays, and only {} blocks lie between",
                    newest.saturating_sub(1)
                ));
            };
            return ledger.reorganise(first).err().map(|refusal| refusal.to_string());
        }
        Event::Register(_)
        | Event::Deregister { .. }
        | Event::SetStake { .. }
        | Event::SetPermit { .. }
        | Event::SetEndpoint { .. } => {}
    }
    None
}
