use std::convert::Infallible;
use std::sync::Mutex;

use super::*;
use crate::backend::{Choice, select};
use crate::reference;

/// Keeps a window's bytes in memory.
struct Keep {
    bytes: Mutex<Vec<u8>>,
    buffers: Mutex<usize>,
}

impl TileSink for Keep {
    type Error = usize;

    /// Fails with the number of tiles taken once there are no buffers left.
    fn take(&self, length: usize) -> Result<AlignedBuffer, usize> {
        let mut buffers = self.buffers.lock().expect("no panic");
        if *buffers == 0 {
            return Err(0);
        }
        *buffers -= 1;
        Ok(AlignedBuffer::zeroed(length).expect("memory"))
    }

    fn put(&self, offset: u64, buffer: AlignedBuffer) {
        let start = usize::try_from(offset).expect("fits");
        self.bytes.lock().expect("no panic")[start..start + buffer.len()].copy_from_slice(&buffer);
    }
}

/// All layers by the reference alone.
fn reference_layers(shape: WindowShape, key: &[u8; 32]) -> Vec<Vec<u8>> {
    let mut layers: Vec<Vec<u8>> = Vec::new();
    for number in 1..=u32::from(shape.layers()) {
        let layer = Layer::derive(key, number, shape.log2_labels());
        let bytes = match layers.last() {
            None => reference::first_layer(&layer),
            Some(previous) => reference::next_layer(&layer, previous),
        };
        layers.push(bytes);
    }
    layers
}

fn maker(shape: WindowShape, threads: usize) -> WindowMaker {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let backend = select(Choice::Auto).expect("portable exists");
    WindowMaker::new(shape, backend, Arc::new(pool)).expect("memory")
}

fn make(shape: WindowShape, threads: usize, key: &[u8; 32]) -> (Vec<u8>, MadeWindow) {
    let bytes = usize::try_from(shape.bytes()).expect("small");
    let keep = Keep { bytes: Mutex::new(vec![0; bytes]), buffers: Mutex::new(usize::MAX) };
    let made = maker(shape, threads).make(key, &keep, &|| Ok(())).expect("never refused");
    (keep.bytes.into_inner().expect("no panic"), made)
}

#[test]
fn a_window_is_the_reference_s_window() {
    // k = 10: less than a tile; 12: less than a tile, several runs; 16: two tiles, one for each thread.
    for (k, layers) in [(10, 2), (10, 5), (12, 4), (16, 3)] {
        let shape = WindowShape::new(k, layers).expect("in range");
        let want = reference_layers(shape, &[k; 32]);
        for threads in [1, 2, 3] {
            let (bytes, made) = make(shape, threads, &[k; 32]);
            assert!(bytes == want[usize::from(layers) - 1], "k = {k}, {layers} layers, {threads} threads");
            let roots: Vec<_> = want.iter().map(|layer| *blake3::hash(layer).as_bytes()).collect();
            assert_eq!(made.layer_roots, roots);
            assert_eq!(made.outboard, Outboard::of(&bytes));
        }
    }
}

#[test]
fn windows_made_one_after_another_do_not_touch_each_other() {
    let shape = WindowShape::new(11, 4).expect("in range");
    let mut maker = maker(shape, 2);
    for key in [[1; 32], [2; 32], [1; 32]] {
        let keep = Keep { bytes: Mutex::new(vec![0; 1 << 16]), buffers: Mutex::new(1) };
        let made = maker.make(&key, &keep, &|| Ok(())).expect("never refused");
        assert_eq!(made, make(shape, 1, &key).1);
    }
}

struct Collect(Vec<(u32, Vec<u8>, [u8; 32])>);
impl LayerObserver for Collect {
    fn layer(&mut self, number: u32, bytes: &[u8], outboard: &Outboard) {
        self.0.push((number, bytes.to_vec(), outboard.root()));
    }
}

#[test]
fn a_replay_shows_every_layer() {
    let shape = WindowShape::new(10, 4).expect("in range");
    let mut seen = Collect(Vec::new());
    let roots = maker(shape, 2).replay::<Infallible>(&[7; 32], &mut seen, &|| Ok(())).expect("infallible");
    assert_eq!(roots, make(shape, 2, &[7; 32]).1.layer_roots);
    let want = reference_layers(shape, &[7; 32]);
    for (place, (number, bytes, root)) in seen.0.iter().enumerate() {
        assert_eq!(*number as usize, place + 1);
        assert!(*bytes == want[place]);
        assert_eq!(*root, roots[place]);
    }
    assert_eq!(seen.0.len(), 4);
}

#[test]
fn a_sink_without_buffers_and_a_refused_layer_end_the_work() {
    let shape = WindowShape::new(16, 3).expect("in range");
    let keep = Keep { bytes: Mutex::new(vec![0; 1 << 21]), buffers: Mutex::new(1) };
    assert_eq!(
        maker(shape, 2).make(&[0; 32], &keep, &|| Ok(())).err(),
        Some(0),
        "the second tile has no buffer"
    );
    let calls = Mutex::new(0);
    let refuse_third = || {
        let mut calls = calls.lock().expect("no panic");
        *calls += 1;
        if *calls == 3 { Err(33) } else { Ok(()) }
    };
    assert_eq!(maker(shape, 2).make(&[0; 32], &keep, &refuse_third).err(), Some(33));
}
