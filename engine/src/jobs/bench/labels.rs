//! How fast labels are made: one core's kernel against the official BLAKE3 crate, and whole windows on all cores.

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::real;
use crate::backend::Backend;
use crate::jobs::control::Cancelled;
use crate::memory::LayerBuffer;
use crate::registration::WindowShape;
use crate::space::label::{LABEL_BYTES, Layer};
use crate::space::seal::LayerObserver;
use crate::space::window::{TILE_BYTES, WindowMaker};
use crate::tree::Outboard;

/// Compressions of a label above the first layer: 256 bytes of parents.
const LABEL_COMPRESSIONS: u64 = 4;
/// Large enough to be no cache's, small enough to be quick.
const ANCHOR_BYTES: usize = 16 << 20;

/// Compressions per second of the official BLAKE3 crate on one core over a large buffer: the anchor of all kernels.
pub fn blake3_compressions_per_second(span: Duration) -> f64 {
    let bytes = vec![0x5a; ANCHOR_BYTES];
    // 16 compressions a chunk, and one for each parent of the tree.
    let chunks = (ANCHOR_BYTES / 1024) as u64;
    let compressions = 16 * chunks + (chunks - 1);
    let rounds = repeat(span, || {
        black_box(blake3::hash(black_box(&bytes)));
    });
    rounds * real(compressions)
}

/// One core's rate of labels above the first layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelRate {
    /// The back end.
    pub backend: &'static str,
    /// Labels per second.
    pub labels_per_second: f64,
    /// Compressions per second, four a label.
    pub compressions_per_second: f64,
    /// Bytes of a layer; the larger, the more reads of parents miss the caches.
    pub window_bytes: u64,
}

/// Measures the label kernel alone on the calling thread, over a layer of `log2_labels`.
pub fn measure_kernel(
    backend: &'static dyn Backend,
    log2_labels: u8,
    span: Duration,
) -> Result<KernelRate, io::Error> {
    let window_bytes = LABEL_BYTES << log2_labels;
    let mut previous = LayerBuffer::new(window_bytes)?;
    let key = [0x48; 32];
    backend.first_layer(&Layer::derive(&key, 1, log2_labels), 0, &mut previous);
    let layer = Layer::derive(&key, 2, log2_labels);
    let mut tile = LayerBuffer::new(TILE_BYTES.min(window_bytes))?;
    let tile_labels = tile.len() / LABEL_BYTES;
    let mut first = 0;
    let tiles = repeat(span, || {
        backend.next_layer(&layer, &previous, first, &mut tile);
        black_box(&tile[..]);
        let next = first as usize + tile_labels;
        first = if next * LABEL_BYTES < window_bytes { u32::try_from(next).unwrap_or(0) } else { 0 };
    });
    let labels_per_second = tiles * real(tile_labels as u64);
    Ok(KernelRate {
        backend: backend.name(),
        labels_per_second,
        compressions_per_second: labels_per_second * real(LABEL_COMPRESSIONS),
        window_bytes: window_bytes as u64,
    })
}

/// The rate of making whole windows, hashing of all layers included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowRate {
    /// The back end.
    pub backend: &'static str,
    /// Threads that worked.
    pub threads: usize,
    /// Bytes of a window.
    pub window_bytes: u64,
    /// Layers of a window.
    pub layers: u8,
    /// Time of one window, from the times of its layers.
    pub window_seconds: f64,
    /// Bytes of finished windows per second.
    pub bytes_per_second: f64,
}

/// Measures layers of one window for about `span` (at least three layers), and computes a whole window's time.
pub fn measure_windows(
    shape: WindowShape,
    backend: &'static dyn Backend,
    pool: &Arc<rayon::ThreadPool>,
    span: Duration,
) -> Result<WindowRate, io::Error> {
    let mut maker = WindowMaker::new(shape, backend, Arc::clone(pool))?;
    let started = Instant::now();
    let mut clock = LayerClock { since: started, seconds: Vec::new() };
    let layers = shape.layers();
    let enough = std::cell::Cell::new(0);
    let proceed = || {
        enough.set(enough.get() + 1);
        if enough.get() > 3 && started.elapsed() >= span { Err(Cancelled) } else { Ok(()) }
    };
    // Being cut short is what was asked for: the layers seen until then are the measurement.
    let _ = maker.replay(&[0x48; 32], &mut clock, &proceed);
    let (first, next) = clock.first_and_next();
    let window_seconds = first + f64::from(layers - 1) * next;
    Ok(WindowRate {
        backend: backend.name(),
        threads: pool.current_num_threads(),
        window_bytes: shape.bytes(),
        layers,
        window_seconds,
        bytes_per_second: real(shape.bytes()) / window_seconds,
    })
}

/// Notes how long each layer took.
struct LayerClock {
    since: Instant,
    seconds: Vec<f64>,
}

impl LayerClock {
    /// Time of layer 1, and the median time of the others.
    fn first_and_next(mut self) -> (f64, f64) {
        let first = self.seconds.first().copied().unwrap_or(f64::INFINITY);
        let others = self.seconds.get_mut(1..).unwrap_or_default();
        others.sort_by(f64::total_cmp);
        (first, others.get(others.len() / 2).copied().unwrap_or(first))
    }
}

impl LayerObserver for LayerClock {
    fn layer(&mut self, _: u32, _: &[u8], _: &Outboard) {
        self.seconds.push(self.since.elapsed().as_secs_f64());
        self.since = Instant::now();
    }
}

/// Calls `work` for about `span` and says how often it was done in a second; the first call warms up and is not counted.
pub(super) fn repeat(span: Duration, mut work: impl FnMut()) -> f64 {
    work();
    let started = Instant::now();
    let mut rounds = 0;
    while rounds == 0 || started.elapsed() < span {
        work();
        rounds += 1;
    }
    real(rounds) / started.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_its_first_layer_and_the_median_of_the_others() {
        let clock = LayerClock { since: Instant::now(), seconds: vec![1.0, 4.0, 9.0, 5.0] };
        assert_eq!(clock.first_and_next(), (1.0, 5.0));
    }

    #[test]
    fn rates_are_positive_and_finite() {
        let span = Duration::from_millis(1);
        let backend = crate::backend::select(crate::backend::Choice::Portable).expect("always present");
        let kernel = measure_kernel(backend, 10, span).expect("memory");
        let anchor = blake3_compressions_per_second(span);
        assert!(kernel.labels_per_second.is_finite() && kernel.labels_per_second > 0.0);
        assert!(anchor.is_finite() && anchor > 0.0);
        assert_eq!(kernel.window_bytes, 32 << 10);
    }
}
