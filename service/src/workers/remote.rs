//! Workers as a fill sees them: accelerators that make whole windows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_engine::accelerator::{
    Accelerator, AcceleratorReport, CommitSlots, Fault, FaultReport, Interruption, WindowTarget,
};
use holdfast_engine::curve::{Fr, G1Projective};
use holdfast_engine::registration::WindowShape;
use holdfast_engine::rejection::Class;
use holdfast_engine::space::window::MadeWindow;

use super::claim::{Claim, LOOK};
use super::exchange::Exchange;

/// Faults that are kept for a report.
const FAULTS_KEPT: usize = 64;

/// Room for one window of one fill, made by whichever worker is free.
#[derive(Debug)]
pub(super) struct RemoteSlot {
    exchange: Arc<Exchange>,
    /// Of the fill, once it has asked whether such windows can be made.
    window_bytes: AtomicU64,
    /// The slot of the worker that was claimed last.
    slot: AtomicU64,
    claim: Mutex<Option<Claim>>,
    done: Mutex<Done>,
}

#[derive(Debug, Default)]
struct Done {
    windows: u64,
    faults: Vec<FaultReport>,
}

impl RemoteSlot {
    pub(super) fn new(exchange: Arc<Exchange>) -> RemoteSlot {
        RemoteSlot {
            exchange,
            window_bytes: AtomicU64::new(0),
            slot: AtomicU64::new(0),
            claim: Mutex::default(),
            done: Mutex::default(),
        }
    }

    fn claim(&self) -> MutexGuard<'_, Option<Claim>> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, outcome: &Result<MadeWindow, Interruption>) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(_) => done.windows += 1,
            Err(Interruption::Fault(fault)) if done.faults.len() < FAULTS_KEPT => {
                done.faults.push(FaultReport::from(fault));
            }
            Err(_) => {}
        }
    }
}

impl Accelerator for RemoteSlot {
    fn id(&self) -> &str {
        "workers"
    }

    fn session(&self) -> u64 {
        self.slot.load(Ordering::Relaxed)
    }

    fn window_slots(&self, shape: WindowShape) -> Result<usize, String> {
        self.window_bytes.store(shape.bytes(), Ordering::Relaxed);
        Ok(1)
    }

    fn make_window(
        &self,
        shape: WindowShape,
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        // Given back as soon as the window is made, so that other fills get their turn.
        let claim = self.claim().take();
        let claim = claim.ok_or_else(|| Fault::Refused { message: "no worker was claimed".to_owned() })?;
        let outcome = claim.make(shape, window_key, target);
        self.note(&outcome);
        outcome
    }

    fn commit_slots(&self) -> Result<CommitSlots, String> {
        Err("workers make windows only".to_owned())
    }

    fn commit(&self, _: &[&[u8]], _: &[Fr]) -> Result<Vec<G1Projective>, Fault> {
        Err(Fault::Refused { message: "workers make windows only".to_owned() })
    }

    fn taint(&self, session: u64, fault: Fault) {
        if let Some(worker) = self.exchange.worker_of(session) {
            self.exchange.dismiss(&worker, &Class::WrongRecord.because(fault.to_string()));
        }
    }

    /// Waits until a worker is free and claims it.
    fn recover(&self, proceed: &dyn Fn() -> bool) -> bool {
        loop {
            if self.exchange.is_closed() {
                return false;
            }
            let mut claim = self.claim();
            let window_bytes = self.window_bytes.load(Ordering::Relaxed);
            *claim = claim.take().filter(|claim| claim.slot().is_some());
            if claim.is_none() {
                *claim = Claim::take(&self.exchange, window_bytes);
            }
            if let Some(slot) = claim.as_ref().and_then(Claim::slot) {
                self.slot.store(slot, Ordering::Relaxed);
                return true;
            }
            drop(claim);
            self.exchange.wait(LOOK);
            // A paused fill waits in there.
            if !proceed() {
                return false;
            }
        }
    }

    fn release(&self) {
        *self.claim() = None;
    }

    fn report(&self) -> AcceleratorReport {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        AcceleratorReport {
            id: self.id().to_owned(),
            name: "a worker".to_owned(),
            windows: done.windows,
            faults: done.faults.clone(),
            ..AcceleratorReport::default()
        }
    }
}
