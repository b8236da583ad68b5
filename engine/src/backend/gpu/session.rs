//! A device from its opening to its first fault.
//!
//! wgpu panics where a driver fails in ways it does not expect, a lost device among them, and opening a device may take for ever
//! after one has hung. Both end here as faults.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::{Arc, Mutex, Once, PoisonError, mpsc};
use std::time::Duration;

use super::adapter::{Adapter, Kind};
use super::commit::Committing;
use super::device::Device;
use super::kernels::Kernels;
use super::pace::Pace;
use super::{GpuOptions, known_answers};
use crate::accelerator::Fault;

/// Opening compiles kernels, which takes some drivers many seconds; this long is too long.
const OPENING_LIMIT: Duration = Duration::from_secs(120);
/// Labels of the largest dispatch; what is computed on the processor comes in small ones.
const LABELS_MAXIMUM: u32 = 1 << 25;
const SOFTWARE_LABELS_MAXIMUM: u32 = 1 << 18;
/// Memory that the known answers take of a device, at most one part in so many.
const KNOWN_ANSWERS_SHARE: u64 = 4;

/// An opened device that has given known answers.
#[derive(Debug)]
pub(super) struct Session {
    /// Counted from 1 over the life of a [`super::Gpu`].
    pub(super) number: u64,
    pub(super) device: Device,
    pub(super) kernels: Kernels,
    pub(super) pace: Pace,
    /// Made when the first commitments are asked for.
    committing: Mutex<Option<Arc<Committing>>>,
}

impl Session {
    /// Opens the device on a thread of its own, which is left behind if it does not come back in time.
    pub(super) fn open(
        adapter: &Adapter,
        options: &GpuOptions,
        memory_bytes: u64,
        number: u64,
    ) -> Result<Arc<Session>, Fault> {
        let (sender, opened) = mpsc::channel();
        let (adapter, options) = (adapter.clone(), options.clone());
        let open = move || {
            let session = guarded(|| Session::open_here(&adapter, &options, memory_bytes, number));
            // Nobody is there any more if it took too long.
            let _ = sender.send(session);
        };
        let thread = std::thread::Builder::new().name("holdfast-gpu-open".to_owned()).spawn(open);
        thread.map_err(|error| Fault::Refused { message: format!("no thread to open it on: {error}") })?;
        let late = Fault::TimedOut { seconds: OPENING_LIMIT.as_secs_f64() };
        opened.recv_timeout(OPENING_LIMIT).unwrap_or(Err(late)).map(Arc::new)
    }

    fn open_here(
        adapter: &Adapter,
        options: &GpuOptions,
        memory_bytes: u64,
        number: u64,
    ) -> Result<Session, Fault> {
        let device = Device::open(adapter, options.device.clone())?;
        let kernels = Kernels::compile(&device)?;
        let most_labels =
            if adapter.kind == Kind::Software { SOFTWARE_LABELS_MAXIMUM } else { LABELS_MAXIMUM };
        let pace = Pace::new(known_answers::DISPATCH_LABELS, most_labels);
        let session = Session { number, device, kernels, pace, committing: Mutex::default() };
        let memory_bytes = (memory_bytes / KNOWN_ANSWERS_SHARE).min(adapter.binding_bytes_maximum);
        known_answers::check(
            (&session.device, &session.kernels, &session.pace),
            known_answers::log2_labels(most_labels, memory_bytes),
        )?;
        Ok(session)
    }

    /// What commitments take, made by the first who asks.
    pub(super) fn committing(
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

thread_local! {
    /// Whether a panic of this thread will be a fault, which is reported as such.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Leaves panics of guarded work to those who report the fault; others are printed as before.
fn quieten_guarded_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                print(panic);
            }
        }));
    });
}

/// Runs work on a device; a panic in there is a fault.
pub(super) fn guarded<R, E: From<Fault>>(work: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
    quieten_guarded_panics();
    let was_guarded = IS_GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Err(E::from(if text.contains("memory") {
            Fault::OutOfMemory { bytes: 0 }
        } else {
            Fault::Lost { why: line }
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_faults_with_what_they_said() {
        let lost: Result<(), Fault> = guarded(|| panic!("Parent device\n  is lost"));
        assert_eq!(lost, Err(Fault::Lost { why: "Parent device is lost".to_owned() }));
        let memory: Result<(), Fault> = guarded(|| panic!("Not enough memory left."));
        assert_eq!(memory, Err(Fault::OutOfMemory { bytes: 0 }));
        assert_eq!(guarded(|| Ok::<_, Fault>(5)), Ok(5));
    }
}
