//! Making one window: all layers with all cores, two layers of memory, the last layer straight into the caller's buffers.
//!
//! A layer is cut into tiles of [`TILE_BYTES`] (one outboard page each, tree-v1 §4) that the threads
//! of a pool make independently; a tile's blocks are hashed while they are still in cache. Layers alternate between two
//! buffers. The last layer never enters them: each of its tiles goes into a buffer of the [`TileSink`], which may block
//! until the disk has taken earlier ones, and that is all the back-pressure there is. The sink is asked on the calling
//! thread, so a slow disk never blocks the pool that other disks share.

use std::io;
use std::sync::Arc;

use holdfast_partition::io::AlignedBuffer;
use rayon::prelude::*;

use crate::backend::Backend;
use crate::challenge::SealNode;
use crate::memory::LayerBuffer;
use crate::registration::WindowShape;
use crate::space::label::{LABEL_BYTES, Layer};
use crate::space::seal::LayerObserver;
use crate::tree::{BLOCK_BYTES, CHUNK_BYTES, ChainingValue, Outboard, PAGE_BLOCKS, block_value};

/// Blocks of a tile.
pub const TILE_BLOCKS: usize = PAGE_BLOCKS;
/// Bytes of a tile: 1 MiB.
pub const TILE_BYTES: usize = TILE_BLOCKS * BLOCK_BYTES;
/// Labels are made and hashed in runs of this many bytes, which fit the innermost caches.
const RUN_BYTES: usize = 4 * BLOCK_BYTES;

/// Where the last layer goes.
pub trait TileSink: Sync {
    /// Why the sink would not take any more.
    type Error;
    /// A buffer of this length for a tile; waits for one. Called on the thread that called [`WindowMaker::make`].
    fn take(&self, length: usize) -> Result<AlignedBuffer, Self::Error>;
    /// A finished tile and its offset in the window. Called on a pool thread.
    fn put(&self, offset: u64, buffer: AlignedBuffer);
}

/// What is known of a window once it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeWindow {
    /// Roots of layers 1 … ℓ.
    pub layer_roots: Vec<[u8; 32]>,
    /// The tree of layer ℓ.
    pub outboard: Outboard,
}

/// A layer and the one before it, while both are in memory.
#[derive(Clone, Copy, Debug)]
pub struct LayerView<'a> {
    /// 1 … ℓ.
    pub number: u32,
    /// All its bytes.
    pub bytes: &'a [u8],
    /// Its tree.
    pub outboard: &'a Outboard,
    /// Bytes and tree of the layer before; layer 1 has none.
    pub before: Option<(&'a [u8], &'a Outboard)>,
}

impl LayerView<'_> {
    /// The opening of the chunk that holds this label; `None` if it is in neither layer.
    pub fn open(&self, node: SealNode) -> Option<Vec<u8>> {
        let (bytes, outboard) = match self.number.checked_sub(node.layer.into()) {
            Some(0) => (self.bytes, self.outboard),
            Some(1) => self.before?,
            _ => return None,
        };
        (node.chunk() * (CHUNK_BYTES as u64) < outboard.length()).then(|| outboard.open(bytes, node.chunk()))
    }
}

/// Makes windows of one shape. Holds the two layer buffers: `2 · 32 · 2^k` bytes.
pub struct WindowMaker {
    shape: WindowShape,
    backend: &'static dyn Backend,
    pool: Arc<rayon::ThreadPool>,
    front: LayerBuffer,
    back: LayerBuffer,
}

impl WindowMaker {
    /// Allocates the layer buffers.
    pub fn new(
        shape: WindowShape,
        backend: &'static dyn Backend,
        pool: Arc<rayon::ThreadPool>,
    ) -> Result<WindowMaker, io::Error> {
        let bytes = usize::try_from(shape.bytes()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let (front, back) = (LayerBuffer::new(bytes)?, LayerBuffer::new(bytes)?);
        Ok(WindowMaker { shape, backend, pool, front, back })
    }

    /// Makes the window with this key; its bytes go to `sink`. `proceed` is asked between layers and may stop the work.
    pub fn make<S: TileSink>(
        &mut self,
        window_key: &[u8; 32],
        sink: &S,
        proceed: &dyn Fn() -> Result<(), S::Error>,
    ) -> Result<MadeWindow, S::Error> {
        let mut layer_roots = Vec::with_capacity(self.shape.layers() as usize);
        for number in 1..u32::from(self.shape.layers()) {
            proceed()?;
            layer_roots.push(self.inner_layer(window_key, number).root());
            std::mem::swap(&mut self.front, &mut self.back);
        }
        proceed()?;
        let outboard = self.last_layer(window_key, sink)?;
        layer_roots.push(outboard.root());
        Ok(MadeWindow { layer_roots, outboard })
    }

    /// The shape of its windows.
    pub fn shape(&self) -> WindowShape {
        self.shape
    }

    /// Makes the window again and shows every layer to `observer`; returns the layer roots and keeps nothing else.
    pub fn replay<E>(
        &mut self,
        window_key: &[u8; 32],
        observer: &mut dyn LayerObserver,
        proceed: &dyn Fn() -> Result<(), E>,
    ) -> Result<Vec<[u8; 32]>, E> {
        let mut observe = |layer: LayerView<'_>| {
            observer.layer(layer.number, layer.bytes, layer.outboard);
            Ok(())
        };
        self.make_in_memory(window_key, proceed, &mut observe).map(|made| made.layer_roots)
    }

    /// Makes the window in the two layer buffers alone, where the last layer stays ([`WindowMaker::last_made`]). `proceed` is
    /// asked before each layer, and `see` sees each; both may stop the work.
    pub fn make_in_memory<E>(
        &mut self,
        window_key: &[u8; 32],
        proceed: &dyn Fn() -> Result<(), E>,
        see: &mut dyn FnMut(LayerView<'_>) -> Result<(), E>,
    ) -> Result<MadeWindow, E> {
        let mut layer_roots = Vec::with_capacity(self.shape.layers() as usize);
        proceed()?;
        let mut outboard = self.inner_layer(window_key, 1);
        let mut before = None;
        for number in 1.. {
            layer_roots.push(outboard.root());
            let view_before = before.as_ref().map(|outboard| (&*self.front, outboard));
            see(LayerView { number, bytes: &self.back, outboard: &outboard, before: view_before })?;
            std::mem::swap(&mut self.front, &mut self.back);
            if number == u32::from(self.shape.layers()) {
                break;
            }
            proceed()?;
            let next = self.inner_layer(window_key, number + 1);
            before = Some(std::mem::replace(&mut outboard, next));
        }
        Ok(MadeWindow { layer_roots, outboard })
    }

    /// The last layer of the window that was made in memory last.
    pub fn last_made(&self) -> &[u8] {
        &self.front
    }

    /// Makes an inner layer from `front` into `back`; returns its tree.
    fn inner_layer(&mut self, window_key: &[u8; 32], number: u32) -> Outboard {
        let maker = self.tile_maker(window_key, number);
        let front: &[u8] = &self.front;
        let back: &mut [u8] = &mut self.back;
        let mut block_values = vec![[0; 32]; back.len() / BLOCK_BYTES];
        self.pool.install(|| {
            let tiles = back.par_chunks_mut(TILE_BYTES).zip(block_values.par_chunks_mut(TILE_BLOCKS));
            tiles.enumerate().for_each(|(tile, (bytes, values))| maker.make(front, tile, bytes, values));
        });
        Outboard::from_block_values(self.shape.bytes(), block_values)
    }

    /// Makes layer ℓ from `front` into the sink's buffers.
    fn last_layer<S: TileSink>(&mut self, window_key: &[u8; 32], sink: &S) -> Result<Outboard, S::Error> {
        let maker = self.tile_maker(window_key, self.shape.layers().into());
        let front: &[u8] = &self.front;
        let mut block_values = vec![[0; 32]; front.len() / BLOCK_BYTES];
        let mut taken = Ok(());
        self.pool.in_place_scope(|scope| {
            for (tile, values) in block_values.chunks_mut(TILE_BLOCKS).enumerate() {
                let mut buffer = match sink.take(values.len() * BLOCK_BYTES) {
                    Ok(buffer) => buffer,
                    Err(error) => {
                        taken = Err(error);
                        break;
                    }
                };
                let maker = &maker;
                scope.spawn(move |_| {
                    maker.make(front, tile, &mut buffer, values);
                    sink.put((tile * TILE_BYTES) as u64, buffer);
                });
            }
        });
        taken.map(|()| Outboard::from_block_values(self.shape.bytes(), block_values))
    }

    fn tile_maker(&self, window_key: &[u8; 32], number: u32) -> TileMaker {
        let layer = Layer::derive(window_key, number, self.shape.log2_labels());
        TileMaker { backend: self.backend, layer, number }
    }
}

/// Makes tiles of one layer.
struct TileMaker {
    backend: &'static dyn Backend,
    layer: Layer,
    number: u32,
}

impl TileMaker {
    /// Makes tile `tile` from the layer before and hashes its blocks.
    fn make(&self, previous: &[u8], tile: usize, bytes: &mut [u8], values: &mut [ChainingValue]) {
        let runs = bytes.chunks_mut(RUN_BYTES).zip(values.chunks_mut(RUN_BYTES / BLOCK_BYTES));
        for (run, (bytes, values)) in runs.enumerate() {
            let offset = tile * TILE_BYTES + run * RUN_BYTES;
            let first = u32::try_from(offset / LABEL_BYTES).expect("k is at most 30");
            if self.number == 1 {
                self.backend.first_layer(&self.layer, first, bytes);
            } else {
                self.backend.next_layer(&self.layer, previous, first, bytes);
            }
            for (block, (bytes, value)) in bytes.chunks(BLOCK_BYTES).zip(values).enumerate() {
                *value = block_value((offset / BLOCK_BYTES + block) as u64, bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests;
