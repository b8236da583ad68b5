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
//! | `sabotage.rs` | faults on purpose, for tests |
//! | `runner.rs` | one kernel over buffers of its own, for tests and measurements |

pub mod adapter;
mod commit;
mod device;
mod evidence;
mod kernels;
mod known_answers;
mod label;
mod pace;
pub mod runner;
mod sabotage;
mod tree;
mod window;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use adapter::{Adapter, Selection, survey};
pub use device::{Checks, Device, DeviceOptions, Pipeline};
pub use evidence::LABELS_PER_LAYER;
pub use label::parameters as label_parameters;
pub use pace::Pace;
pub use sabotage::{Sabotage, Trick};

use commit::Committing;
use kernels::Kernels;
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
    health: Health,
    memory_bytes: u64,
    /// Slots of the session that nobody uses.
    idle: Vec<WindowSlot>,
    slots_in_use: usize,
    windows: u64,
    blocks: u64,
}

/// A device from its opening to its first fault.
#[derive(Debug)]
struct Session {
    device: Device,
    kernels: Kernels,
    pace: Pace,
    /// Made when the first commitments are asked for.
    committing: Mutex<Option<Arc<Committing>>>,
}

impl Session {
    fn open(adapter: &Adapter, options: &GpuOptions) -> Result<Session, Fault> {
        let device = Device::open(adapter, options.device.clone())?;
        let kernels = Kernels::compile(&device)?;
        // A dispatch of the least number keeps any device busy.
        let most_labels = if adapter.kind == adapter::Kind::Software { 1 << 18 } else { 1 << 25 };
        let pace = Pace::new(known_answers::DISPATCH_LABELS, most_labels);
        let session = Session { device, kernels, pace, committing: Mutex::default() };
        known_answers::check(&session.device, &session.kernels, &session.pace, most_labels)?;
        Ok(session)
    }

    fn committing(
        &self,
        plan: (u32, usize),
        cache_directory: Option<&Path>,
    ) -> Result<Arc<Committing>, Fault> {
        // Held while it is prepared, so that only one thread does it.
        let mut committing = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = &*committing {
            return Ok(Arc::clone(prepared));
        }
        let prepared = Arc::new(Committing::prepare(&self.device, plan, cache_directory)?);
        Ok(Arc::clone(committing.insert(prepared)))
    }
}

impl Gpu {
    /// Opens the adapter's device and has it give known answers.
    ///
    /// # Errors
    /// The driver refuses, or an answer is wrong.
    pub fn open(adapter: Adapter, options: GpuOptions) -> Result<Gpu, Fault> {
        let memory_bytes = options.memory_bytes.unwrap_or(default_memory_bytes(adapter.kind));
        let session = Session::open(&adapter, &options)?;
        let state = State {
            session: Some(Arc::new(session)),
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
            slots => Ok(slots.min(self.options.window_slots_maximum).max(1)),
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

    /// A slot for a window and the session it belongs to; waits until one is free.
    fn take_slot(&self, shape: WindowShape) -> Result<(Arc<Session>, WindowSlot), Fault> {
        let mut state = self.lock();
        loop {
            let session = state
                .session
                .clone()
                .ok_or_else(|| Fault::Refused { message: "the device is closed after a fault".to_owned() })?;
            let slots =
                self.slots_of(shape, state.memory_bytes).map_err(|message| Fault::Refused { message })?;
            if state.slots_in_use < slots {
                state.slots_in_use += 1;
                // Slots for another shape make room.
                state.idle.retain(|slot| slot.shape() == shape);
                let slot = state.idle.pop();
                drop(state);
                let slot = slot.map_or_else(|| WindowSlot::new(&session.device, shape), Ok);
                return slot.map(|slot| (session, slot)).inspect_err(|_| self.free_slot(None));
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
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
    fn close(&self, session: Option<&Arc<Session>>, fault: &Fault) {
        let mut state = self.lock();
        let is_current = match (&state.session, session) {
            (Some(current), Some(session)) => Arc::ptr_eq(current, session),
            (current, None) => current.is_some(),
            (None, Some(_)) => false,
        };
        if is_current {
            state.session = None;
            state.idle.clear();
            if matches!(fault, Fault::OutOfMemory { .. }) {
                state.memory_bytes /= 2;
            }
            state.health.note(fault.clone(), Instant::now());
        }
        drop(state);
        self.freed.notify_all();
    }

    /// Runs work on the open session; a fault closes it.
    fn with_session<R>(&self, work: impl FnOnce(&Session) -> Result<R, Fault>) -> Result<R, Fault> {
        let session = self.lock().session.clone();
        let session = session
            .ok_or_else(|| Fault::Refused { message: "the device is closed after a fault".to_owned() })?;
        work(&session).inspect_err(|fault| self.close(Some(&session), fault))
    }
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

    fn window_slots(&self, shape: WindowShape) -> Result<usize, String> {
        self.slots_of(shape, self.lock().memory_bytes)
    }

    fn make_window(
        &self,
        shape: WindowShape,
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        let before = self.lock().session.clone();
        let (session, slot) =
            self.take_slot(shape).inspect_err(|fault| self.close(before.as_ref(), fault))?;
        let made = slot.make((&session.device, &session.kernels, &session.pace), window_key, target);
        if let Err(Interruption::Fault(fault)) = &made {
            self.close(Some(&session), fault);
        }
        self.free_slot(Some((&session, slot)));
        let made = made?;
        self.lock().windows += 1;
        Ok(made)
    }

    fn commit_slots(&self) -> Result<CommitSlots, String> {
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

    fn taint(&self, fault: Fault) {
        self.close(None, &fault);
    }

    fn recover(&self, proceed: &dyn Fn() -> bool) -> bool {
        loop {
            let mut state = self.lock();
            if state.session.is_some() {
                // Another thread has opened it.
                return true;
            }
            let now = Instant::now();
            let Some(at) = state.health.retry_at(now) else { return false };
            if now < at {
                let wait = LOOK.min(at - now);
                drop(self.freed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner));
                if !proceed() {
                    return false;
                }
                continue;
            }
            // Held while it opens, so that only one thread does it.
            match Session::open(&self.adapter, &self.options) {
                Ok(session) => state.session = Some(Arc::new(session)),
                Err(fault) => state.health.note(fault, Instant::now()),
            }
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
