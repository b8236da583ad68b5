//! The processor as an accelerator, for those whose windows all are made for somebody else.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Accelerator, AcceleratorReport, CommitSlots, Fault, Interruption, WindowTarget};
use crate::backend::Backend;
use crate::challenge::SealNode;
use crate::curve::{Fr, G1Projective};
use crate::registration::WindowShape;
use crate::space::seal::answer_examiner;
use crate::space::window::{LayerView, MadeWindow, TILE_BYTES, WindowMaker};

/// Makes one window at a time with the threads of a pool, in two layers of memory. It cannot fail but for want of memory, and is
/// not compared with anything.
pub struct Processor {
    backend: &'static dyn Backend,
    pool: Arc<rayon::ThreadPool>,
    window_bytes_maximum: u64,
    /// For the shape that was asked for last.
    maker: Mutex<Option<WindowMaker>>,
    windows: AtomicU64,
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows = self.windows.load(Ordering::Relaxed);
        f.debug_struct("Processor").field("windows", &windows).finish_non_exhaustive()
    }
}

impl Processor {
    /// For windows of so many bytes at most, twice of which are held.
    pub fn new(
        backend: &'static dyn Backend,
        pool: Arc<rayon::ThreadPool>,
        window_bytes_maximum: u64,
    ) -> Processor {
        Processor { backend, pool, window_bytes_maximum, maker: Mutex::default(), windows: AtomicU64::new(0) }
    }

    fn maker_for<'m>(
        &self,
        maker: &'m mut Option<WindowMaker>,
        shape: WindowShape,
    ) -> Result<&'m mut WindowMaker, Interruption> {
        if maker.as_ref().is_none_or(|maker| maker.shape() != shape) {
            // The memory of the old one first.
            *maker = None;
            let made = WindowMaker::new(shape, self.backend, Arc::clone(&self.pool));
            *maker = Some(made.map_err(|_| Fault::OutOfMemory { bytes: 2 * shape.bytes() })?);
        }
        maker.as_mut().ok_or(Interruption::Stopped)
    }
}

impl Accelerator for Processor {
    fn id(&self) -> &str {
        "processor"
    }

    fn session(&self) -> u64 {
        1
    }

    fn window_slots(&self, shape: WindowShape) -> Result<usize, String> {
        let (bytes, most) = (shape.bytes(), self.window_bytes_maximum);
        if bytes > most {
            return Err(format!("a window of {bytes} bytes, and it is to make none of more than {most}"));
        }
        Ok(1)
    }

    fn make_window(
        &self,
        shape: WindowShape,
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        self.window_slots(shape).map_err(|message| Fault::Refused { message })?;
        let mut maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner);
        let maker = self.maker_for(&mut maker, shape)?;
        let proceed = || if target.proceed() { Ok(()) } else { Err(Interruption::Stopped) };
        let made = maker
            .make_in_memory(window_key, &proceed, &mut |layer| show(&layer, target, shape, window_key))?;
        for (tile, bytes) in maker.last_made().chunks(TILE_BYTES).enumerate() {
            let mut buffer = target.take(bytes.len()).ok_or(Interruption::Stopped)?;
            buffer.copy_from_slice(bytes);
            target.put((tile * TILE_BYTES) as u64, buffer);
        }
        self.windows.fetch_add(1, Ordering::Relaxed);
        Ok(made)
    }

    fn commit_slots(&self) -> Result<CommitSlots, String> {
        Err("the processor commits by itself".to_owned())
    }

    fn commit(&self, _: &[&[u8]], _: &[Fr]) -> Result<Vec<G1Projective>, Fault> {
        Err(Fault::Refused { message: "the processor commits by itself".to_owned() })
    }

    fn taint(&self, _: u64, _: Fault) {}

    fn recover(&self, _: &dyn Fn() -> bool) -> bool {
        true
    }

    fn report(&self) -> AcceleratorReport {
        AcceleratorReport {
            id: self.id().to_owned(),
            name: self.backend.name().to_owned(),
            windows: self.windows.load(Ordering::Relaxed),
            ..AcceleratorReport::default()
        }
    }
}

/// Shows the target's examiner, if it has one, what it asks for of a layer.
fn show(
    layer: &LayerView<'_>,
    target: &dyn WindowTarget,
    shape: WindowShape,
    window_key: &[u8; 32],
) -> Result<(), Interruption> {
    let Some(examiner) = target.examiner() else { return Ok(()) };
    let root = layer.outboard.root();
    let mut open = |nodes: &[SealNode]| {
        let opening = |node: &SealNode| layer.open(*node).ok_or(Interruption::Stopped);
        nodes.iter().map(opening).collect::<Result<Vec<_>, _>>().map(|openings| openings.concat())
    };
    answer_examiner(examiner, (shape, window_key), (layer.number, &root), &mut open)
}
