//! Graphics processors, by wgpu: windows and commitments that the processor checks before anybody relies on them.
//!
//! | file | what |
//! | --- | --- |
//! | `adapter.rs` | which adapters there are, their ids, and why some are not used |
//! | `device.rs` | one opened device; every failure is a [`Fault`] |
//! | `kernels.rs` | the compiled kernels of `holdfast-shaders` that jobs use |
//! | `label.rs`, `tree.rs`, `commit.rs` | the kernels, as in every back end's folder |
//! | `window.rs`, `evidence.rs` | one window on the device, and what of it is compared with the processor |
//! | `known_answers.rs` | what a device must get right before it is used |
//! | `pace.rs` | how much to ask at once |
//! | `session.rs` | a device from its opening to its first fault; panics of wgpu are faults |
//! | `sabotage.rs` | faults on purpose, for tests |
//! | `runner.rs` | one kernel over buffers of its own, for tests and measurements |

pub mod adapter;
mod commit;
mod device;
mod evidence;
mod examine;
mod kernels;
mod known_answers;
mod label;
mod pace;
pub mod runner;
mod sabotage;
mod session;
mod tree;
mod window;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use adapter::{Adapter, Selection, survey};
pub(crate) use device::end_process_if_one_failed;
pub use device::{Checks, Device, DeviceOptions, Pipeline};
pub use evidence::LABELS_PER_LAYER;
pub use label::parameters as label_parameters;
pub use pace::Pace;
pub use sabotage::{Sabotage, Trick};

use session::{Session, guarded};
use window::WindowSlot;

use crate::accelerator::health::Health;
use crate::accelerator::{
    Accelerator, AcceleratorReport, CommitSlots, Fault, FaultReport, Interruption, WindowTarget,
};
use crate::curve::{Fr, G1Projective};
use crate::registration::WindowShape;
use crate::space::window::MadeWindow;
use crate::tree::BLOCK_BYTES;

/// Windows under way at once on a device that has the memory: one is computed, one comes back, one waits.
const WINDOW_SLOTS_MAXIMUM: usize = 3;
/// Batches of blocks under way at once.
const COMMIT_SLOTS: usize = 3;
/// The table of multiples takes at most one part in so many of the memory.
const TABLE_SHARE: u64 = 4;
const SOFTWARE_TABLE_BYTES: u64 = 8 << 20;
/// How often a rest looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// How a device is used.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuOptions {
    /// Memory on the device that may be taken; wgpu does not tell how much there is, so the default goes by the kind of device. A
    /// device that runs out of it is tried again with half.
    pub memory_bytes: Option<u64>,
    /// Windows under way at once, if the memory allows.
    pub window_slots_maximum: usize,
    /// Where tables of multiples are kept, which take a while to compute.
    pub cache_directory: Option<PathBuf>,
    /// How it is opened.
    pub device: DeviceOptions,
}

impl Default for GpuOptions {
    fn default() -> Self {
        GpuOptions {
            memory_bytes: None,
            window_slots_maximum: WINDOW_SLOTS_MAXIMUM,
            cache_directory: None,
            device: DeviceOptions::default(),
        }
    }
}

/// One graphics processor as an accelerator.
#[derive(Debug)]
pub struct Gpu {
    adapter: Adapter,
    options: GpuOptions,
    state: Mutex<State>,
    /// Told when a slot becomes free.
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    session: Option<Arc<Session>>,
    /// How often it was opened.
    sessions: u64,
    /// Whether somebody is at it now.
    is_opening: bool,
    health: Health,
    memory_bytes: u64,
    /// Slots of the session that nobody uses.
    idle: Vec<WindowSlot>,
    slots_in_use: usize,
    windows: u64,
    blocks: u64,
}

impl Gpu {
    /// Opens the adapter's device and has it give known answers.
    ///
    /// # Errors
    /// The driver refuses, or an answer is wrong.
    pub fn open(adapter: Adapter, options: GpuOptions) -> Result<Gpu, Fault> {
        let memory_bytes = options.memory_bytes.unwrap_or(default_memory_bytes(adapter.kind));
        let session = Session::open(&adapter, &options, memory_bytes, 1)?;
        let state = State {
            session: Some(session),
            sessions: 1,
            is_opening: false,
            health: Health::default(),
            memory_bytes,
            idle: Vec::new(),
            slots_in_use: 0,
            windows: 0,
            blocks: 0,
        };
        Ok(Gpu { adapter, options, state: Mutex::new(state), freed: Condvar::new() })
    }

    /// The adapter.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Windows of this shape that the memory allows at once, or why there can be none.
    fn slots_of(&self, shape: WindowShape, memory_bytes: u64) -> Result<usize, String> {
        let (layer, longest) = (shape.bytes(), self.adapter.binding_bytes_maximum);
        if layer > longest {
            return Err(format!(
                "a layer of {layer} bytes, and its kernels see {longest} bytes of a buffer at most"
            ));
        }
        let needed = WindowSlot::device_bytes(shape);
        match usize::try_from(memory_bytes / needed).unwrap_or(usize::MAX) {
            0 => Err(format!(
                "a window takes {needed} bytes on the device, of which {memory_bytes} may be used"
            )),
            slots => Ok(slots),
        }
    }

    /// Nothing is to be asked of a device that was given up.
    fn in_use(&self) -> Result<MutexGuard<'_, State>, String> {
        let state = self.lock();
        match state.health.given_up_because() {
            Some(why) => Err(why.to_owned()),
            None => Ok(state),
        }
    }

    /// Width of the table's windows and blocks of a batch, or why there can be no commitments.
    fn commit_plan(&self) -> Result<(u32, usize), String> {
        if !self.adapter.has_64_bit_integers {
            return Err("its shaders have no 64-bit integers".to_owned());
        }
        let longest = self.adapter.binding_bytes_maximum;
        let (share, batch_blocks) = match self.adapter.kind {
            // What is computed on the processor anyway is computed for tests: small tables, small batches.
            adapter::Kind::Software => (SOFTWARE_TABLE_BYTES, 16),
            _ => (self.lock().memory_bytes / TABLE_SHARE, 1024),
        };
        let width = commit::width_bits(share.min(longest));
        width
            .map(|width| (width, batch_blocks))
            .ok_or_else(|| format!("{share} bytes are too few for a table"))
    }

    /// A slot for a window and the session it belongs to; waits until one is free, as long as `proceed` says so.
    fn take_slot(
        &self,
        shape: WindowShape,
        proceed: &dyn Fn() -> bool,
    ) -> Result<(Arc<Session>, WindowSlot), Interruption> {
        let mut state = self.lock();
        loop {
            let session = state.session.clone().ok_or_else(closed)?;
            let slots =
                self.slots_of(shape, state.memory_bytes).map_err(|message| Fault::Refused { message })?;
            if state.slots_in_use < slots {
                state.slots_in_use += 1;
                // Slots for another shape make room.
                state.idle.retain(|slot| slot.shape() == shape);
                let slot = state.idle.pop();
                drop(state);
                let slot = slot.map_or_else(|| guarded(|| WindowSlot::new(&session.device, shape)), Ok);
                return slot.map(|slot| (Arc::clone(&session), slot)).map_err(|fault| {
                    self.free_slot(None);
                    self.close(session.number, &fault);
                    fault.into()
                });
            }
            drop(self.freed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner));
            // A paused job waits in there: not with the lock that other jobs need.
            if !proceed() {
                return Err(Interruption::Stopped);
            }
            state = self.lock();
        }
    }

    /// Gives a slot back, whose buffers are kept if its session still is the device's.
    fn free_slot(&self, slot: Option<(&Arc<Session>, WindowSlot)>) {
        let mut state = self.lock();
        state.slots_in_use -= 1;
        if let Some((session, slot)) = slot
            && state.session.as_ref().is_some_and(|current| Arc::ptr_eq(current, session))
        {
            state.idle.push(slot);
        }
        drop(state);
        self.freed.notify_all();
    }

    /// Closes the session that a fault came from, once however many of its users report it.
    fn close(&self, number: u64, fault: &Fault) {
        let mut state = self.lock();
        let current = state.session.take_if(|session| session.number == number);
        let idle = if current.is_some() { std::mem::take(&mut state.idle) } else { Vec::new() };
        if current.is_some() {
            if matches!(fault, Fault::OutOfMemory { .. }) {
                state.memory_bytes /= 2;
            }
            state.health.note(fault.clone(), Instant::now());
        }
        drop(state);
        self.freed.notify_all();
        dispose((current, idle));
    }

    /// Runs work on the open session; a fault closes it.
    fn with_session<R>(&self, work: impl FnOnce(&Session) -> Result<R, Fault>) -> Result<R, Fault> {
        let session = self.lock().session.clone().ok_or_else(closed)?;
        let outcome = guarded(|| work(&session)).inspect_err(|fault| self.close(session.number, fault));
        dispose(session);
        outcome
    }
}

fn closed() -> Fault {
    Fault::Refused { message: "the device is closed after a fault".to_owned() }
}

/// Drops what may be the last user of a device: wgpu panics if the driver fails at that, and then there is nothing left to save.
fn dispose<T>(last: T) {
    let _ = guarded(|| {
        drop(last);
        Ok::<_, Fault>(())
    });
}

fn default_memory_bytes(kind: adapter::Kind) -> u64 {
    match kind {
        adapter::Kind::Discrete => 7 << 30,
        adapter::Kind::Integrated | adapter::Kind::Virtual | adapter::Kind::Other => 3 << 30,
        adapter::Kind::Software => 1 << 30,
    }
}

impl Accelerator for Gpu {
    fn id(&self) -> &str {
        &self.adapter.id
    }

    fn session(&self) -> u64 {
        self.lock().sessions
    }

    fn window_slots(&self, shape: WindowShape) -> Result<usize, String> {
        let memory_bytes = self.in_use()?.memory_bytes;
        let slots = self.slots_of(shape, memory_bytes)?;
        Ok(slots.min(self.options.window_slots_maximum).max(1))
    }

    fn make_window(
        &self,
        shape: WindowShape,
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        let (session, slot) = self.take_slot(shape, &|| target.proceed())?;
        let made =
            guarded(|| slot.make((&session.device, &session.kernels, &session.pace), window_key, target));
        if let Err(Interruption::Fault(fault)) = &made {
            self.close(session.number, fault);
        }
        self.free_slot(Some((&session, slot)));
        dispose(session);
        if made.is_ok() {
            self.lock().windows += 1;
        }
        made
    }

    fn commit_slots(&self) -> Result<CommitSlots, String> {
        drop(self.in_use()?);
        let (_, batch_blocks) = self.commit_plan()?;
        Ok(CommitSlots { batches: COMMIT_SLOTS, batch_blocks })
    }

    fn commit(&self, blocks: &[&[u8]], blindings: &[Fr]) -> Result<Vec<G1Projective>, Fault> {
        assert_eq!(blocks.len(), blindings.len(), "a blinding a block");
        assert!(blocks.iter().all(|block| block.len() <= BLOCK_BYTES), "blocks of at most 16 KiB");
        let plan = self.commit_plan().map_err(|message| Fault::Refused { message })?;
        let points = self.with_session(|session| {
            let committing = session.committing(plan, self.options.cache_directory.as_deref())?;
            committing.commit(&session.device, blocks, blindings)
        })?;
        self.lock().blocks += blocks.len() as u64;
        Ok(points)
    }

    fn taint(&self, session: u64, fault: Fault) {
        self.close(session, &fault);
    }

    fn recover(&self, proceed: &dyn Fn() -> bool) -> bool {
        loop {
            let mut state = self.lock();
            if state.session.is_some() {
                return true;
            }
            let now = Instant::now();
            let Some(at) = state.health.retry_at(now) else { return false };
            if now < at || state.is_opening {
                let wait = LOOK.min(at.saturating_duration_since(now).max(Duration::from_millis(1)));
                let wait = if state.is_opening { LOOK } else { wait };
                drop(self.freed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner));
                if !proceed() {
                    return false;
                }
                continue;
            }
            state.is_opening = true;
            let (number, memory_bytes) = (state.sessions + 1, state.memory_bytes);
            drop(state);
            let opened = Session::open(&self.adapter, &self.options, memory_bytes, number);
            let mut state = self.lock();
            state.is_opening = false;
            match opened {
                Ok(session) => {
                    state.sessions = number;
                    state.session = Some(session);
                }
                Err(fault) => state.health.note(fault, Instant::now()),
            }
            drop(state);
            self.freed.notify_all();
        }
    }

    fn report(&self) -> AcceleratorReport {
        let state = self.lock();
        AcceleratorReport {
            id: self.adapter.id.clone(),
            name: self.adapter.name.clone(),
            windows: state.windows,
            blocks: state.blocks,
            faults: state.health.faults().map(FaultReport::from).collect(),
            given_up_because: state.health.given_up_because().map(str::to_owned),
        }
    }
}
