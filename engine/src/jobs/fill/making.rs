//! Who makes which window: the calling thread with the compute pool, and a thread for every window that an accelerator wants to
//! have under way.

use std::cell::RefCell;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use holdfast_partition::io::AlignedBuffer;
use holdfast_partition::partition_file::SealedWindow;

use super::{FillError, InFlight, Line, Outlets, WindowSink};
use crate::accelerator::shared_work::{AcceleratorShare, SharedWork};
use crate::accelerator::{Accelerator, Fault, Interruption, ProcessorRole, WindowTarget};
use crate::jobs::control::Cancelled;
use crate::space::record::{WindowRecord, layers_root};
use crate::space::window::{MadeWindow, TileSink, WindowMaker};

/// Why a window was not made.
enum Unmade {
    /// The fill ends.
    Ended(FillError),
    /// The accelerator failed; the processor has to make it.
    Fault(Fault),
}

impl<E: Into<FillError>> From<E> for Unmade {
    fn from(error: E) -> Unmade {
        Unmade::Ended(error.into())
    }
}

impl Line<'_> {
    /// Makes these windows. What goes wrong is noted on the line.
    pub(super) fn make_all(&self, todo: &[u64], outlets: &Outlets<'_>) {
        if todo.is_empty() {
            return;
        }
        let slots = self.accelerator_slots(todo.len());
        let work = SharedWork::new(todo.iter().copied(), slots.len());
        std::thread::scope(|threads| {
            for (number, accelerator) in slots.iter().enumerate() {
                let share = work.accelerator(number);
                threads.spawn(move || self.make_on_accelerator(accelerator.as_ref(), &share, outlets));
            }
            if let Err(error) = self.make_on_processor(&work, outlets) {
                self.fail(error);
            }
            work.stop();
        });
    }

    /// Every accelerator as often as it wants windows at once; those that cannot make this shape are named.
    fn accelerator_slots(&self, windows: usize) -> Vec<Arc<dyn Accelerator>> {
        let mut slots = Vec::new();
        for accelerator in &self.options.devices.accelerators {
            match accelerator.window_slots(self.shape) {
                Ok(count) => slots.extend((0..count.min(windows)).map(|_| Arc::clone(accelerator))),
                Err(why) => {
                    self.meter.notice(&format!("{}: not used for this fill: {why}", accelerator.id()))
                }
            }
        }
        slots
    }

    fn make_on_processor(&self, work: &SharedWork<u64>, outlets: &Outlets<'_>) -> Result<(), FillError> {
        let shares = self.options.devices.processor == ProcessorRole::Shares;
        let mut maker = None;
        while let Some(window) = work.next_for_processor(shares) {
            self.begin(window)?;
            let maker = match &mut maker {
                Some(maker) => maker,
                // Two layers of memory, which a fill by accelerators alone does not need.
                none => none.insert(self.processor_maker()?),
            };
            let began = Instant::now();
            let sink = self.sink(window, outlets)?;
            let key = self.registration.window_key(window);
            let made = maker.make(&key, &sink, &|| self.proceed())?;
            let sealed = self.sealed_window(window, &made)?;
            let sealed = sealed.ok_or(FillError::NotReproduced { window })?;
            self.finish(window, sealed, &made, &sink, outlets)?;
            work.processor_took(began.elapsed());
        }
        Ok(())
    }

    fn processor_maker(&self) -> Result<WindowMaker, FillError> {
        WindowMaker::new(self.shape, self.options.backend, Arc::clone(&self.options.pool))
            .map_err(|cause| FillError::Memory { window_bytes: self.shape.bytes(), cause })
    }

    /// Makes windows until none is left, the fill ends, or the accelerator is given up.
    fn make_on_accelerator(
        &self,
        accelerator: &dyn Accelerator,
        share: &AcceleratorShare<'_, u64>,
        outlets: &Outlets<'_>,
    ) {
        self.make_on_accelerator_while_it_can(accelerator, share, outlets);
        accelerator.release();
    }

    fn make_on_accelerator_while_it_can(
        &self,
        accelerator: &dyn Accelerator,
        share: &AcceleratorShare<'_, u64>,
        outlets: &Outlets<'_>,
    ) {
        // Asked while it waits, for which there may be nothing left.
        let proceed = || {
            share.away();
            share.is_work_left() && self.proceed().is_ok()
        };
        while accelerator.recover(&proceed) {
            let Some(window) = share.next() else { return };
            match self.make_one_on_accelerator(accelerator, window, outlets) {
                Ok(()) => {
                    share.done();
                    self.lock().windows_accelerated += 1;
                }
                Err(Unmade::Ended(error)) => return self.fail(error),
                Err(Unmade::Fault(fault)) => {
                    self.lock().windows_redone += 1;
                    self.meter.notice(&format!(
                        "{}: {fault}; window {window} is made again by the processor",
                        accelerator.id()
                    ));
                    share.give_back(window);
                }
            }
        }
    }

    fn make_one_on_accelerator(
        &self,
        accelerator: &dyn Accelerator,
        window: u64,
        outlets: &Outlets<'_>,
    ) -> Result<(), Unmade> {
        self.begin(window)?;
        let sink = self.sink(window, outlets)?;
        let target = Target { line: self, sink: &sink, refusal: RefCell::new(None) };
        let key = self.registration.window_key(window);
        let session = accelerator.session();
        let made =
            accelerator.make_window(self.shape, &key, &target).map_err(
                |interruption| match interruption {
                    Interruption::Stopped => {
                        Unmade::Ended(target.refusal.take().unwrap_or(FillError::Cancelled(Cancelled)))
                    }
                    Interruption::Fault(fault) => Unmade::Fault(fault),
                },
            )?;
        let Some(sealed) = self.sealed_window(window, &made)? else {
            // The processor will tell whether the accelerator or the record is wrong.
            let fault = Fault::Wrong { what: format!("window {window}, whose record says otherwise,") };
            accelerator.taint(session, fault.clone());
            return Err(Unmade::Fault(fault));
        };
        Ok(self.finish(window, sealed, &made, &sink, outlets)?)
    }

    /// Notes that a window is being made. Of one that an accelerator failed at, writes may be outstanding, and they must not come
    /// after those of the second time.
    fn begin(&self, window: u64) -> Result<(), FillError> {
        let mut state = self.lock();
        if !state.in_flight.contains_key(&window) {
            drop(state);
            self.file.begin_filling(window)?;
            self.lock().in_flight.insert(window, InFlight::default());
            return Ok(());
        }
        while state.failure.is_none()
            && state.in_flight.get(&window).is_some_and(|in_flight| in_flight.writes_left > 0)
        {
            state = self.written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn sink<'l>(&'l self, window: u64, outlets: &Outlets<'l>) -> Result<WindowSink<'l>, FillError> {
        Ok(WindowSink {
            line: self,
            window,
            offset: self.file.window_offset(window)?,
            writes: outlets.writes,
        })
    }

    fn finish(
        &self,
        window: u64,
        sealed: SealedWindow,
        made: &MadeWindow,
        sink: &WindowSink<'_>,
        outlets: &Outlets<'_>,
    ) -> Result<(), FillError> {
        sink.put_outboard(made)?;
        self.update_in_flight(window, outlets.written, |in_flight| in_flight.made = Some(sealed));
        Ok(())
    }

    /// The record of a window just made. If it had been recorded before, it must be the same: a commitment to it may
    /// be registered, and only a fault of this machine can make it differ, for which there is `None`.
    fn sealed_window(&self, window: u64, made: &MadeWindow) -> Result<Option<SealedWindow>, FillError> {
        let layer_roots = made.layer_roots.clone();
        let record = WindowRecord {
            shape: self.shape,
            window,
            window_key: self.registration.window_key(window),
            root: made.outboard.root(),
            layers_root: layers_root(&layer_roots),
        };
        let sealed = SealedWindow { index: window, record: record.encode(), layer_roots };
        match self.file.entry(window)?.seal {
            Some(before) if before.record != sealed.record => Ok(None),
            _ => Ok(Some(sealed)),
        }
    }
}

/// An accelerator's way to the writer.
struct Target<'l> {
    line: &'l Line<'l>,
    sink: &'l WindowSink<'l>,
    /// Why nothing more is wanted.
    refusal: RefCell<Option<FillError>>,
}

impl Target<'_> {
    fn noting<R>(&self, result: Result<R, FillError>) -> Option<R> {
        result.map_err(|error| self.refusal.replace(Some(error))).ok()
    }
}

impl WindowTarget for Target<'_> {
    fn proceed(&self) -> bool {
        self.noting(self.line.proceed()).is_some()
    }

    fn take(&self, length: usize) -> Option<AlignedBuffer> {
        self.noting(self.sink.take(length))
    }

    fn put(&self, offset: u64, buffer: AlignedBuffer) {
        self.sink.put(offset, buffer);
    }
}
