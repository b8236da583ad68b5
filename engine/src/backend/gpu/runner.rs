//! One kernel over buffers of its own: for tests of kernels and for measurements, where nothing has to overlap.

use std::time::{Duration, Instant};

use holdfast_shaders::registry::Access;

use super::device::{Device, Pipeline};
use crate::accelerator::Fault;

/// Bytes that are handed over at once.
const UPLOAD_BYTES: usize = 64 << 20;

/// What a storage buffer begins with.
#[derive(Clone, Copy, Debug)]
pub enum Contents<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// So many zeros.
    Zeros(u64),
}

/// Buffers of one kernel on the device, ready for any number of dispatches.
#[derive(Debug)]
pub struct Run<'d> {
    device: &'d Device,
    pipeline: Pipeline,
    buffers: Vec<wgpu::Buffer>,
}

impl<'d> Run<'d> {
    /// Places the contents of the kernel's bindings after its parameters.
    ///
    /// # Errors
    /// The device fails. Panics unless there is one for each of those bindings.
    pub fn new(device: &'d Device, pipeline: Pipeline, contents: &[Contents<'_>]) -> Result<Run<'d>, Fault> {
        assert_eq!(contents.len() + 1, pipeline.kernel.bindings.len(), "{}", pipeline.kernel.name);
        let place = |contents: &Contents<'_>| match contents {
            Contents::Zeros(bytes) => device.storage(*bytes),
            Contents::Bytes(bytes) => {
                let buffer = device.storage(bytes.len() as u64)?;
                for (part, piece) in (0..).zip(bytes.chunks(UPLOAD_BYTES)) {
                    let padding = &[0; 3][..piece.len().next_multiple_of(4) - piece.len()];
                    device.upload(&buffer, part * UPLOAD_BYTES as u64, &[piece, padding])?;
                    // Each submission lets the driver give its copy of the bytes back.
                    device.wait(&device.submit(device.begin())?)?;
                }
                Ok(buffer)
            }
        };
        let buffers = contents.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Run { device, pipeline, buffers })
    }

    /// One dispatch for every set of parameters, in order and in one submission, each over `items` items. Returns the time from
    /// handing over to the end.
    ///
    /// # Errors
    /// The device fails.
    pub fn dispatch(&self, parameters: &[&[u8]], items: u32) -> Result<Duration, Fault> {
        let buffers: Vec<_> = self.buffers.iter().collect();
        let mut list = self.device.begin();
        for parameters in parameters {
            let invocations = items * self.pipeline.variant.lanes;
            self.device.dispatch(&mut list, &self.pipeline, parameters, &buffers, invocations)?;
        }
        let began = Instant::now();
        let submission = self.device.submit(list)?;
        self.device.wait(&submission)?;
        Ok(began.elapsed())
    }

    /// What the written buffers hold now, in the order of their bindings.
    ///
    /// # Errors
    /// The device fails.
    pub fn written(&self) -> Result<Vec<Vec<u8>>, Fault> {
        let bindings = self.pipeline.kernel.bindings.iter().skip(1);
        let written = bindings.zip(&self.buffers).filter(|(binding, _)| binding.access == Access::ReadWrite);
        written.map(|(_, buffer)| read_whole(self.device, buffer)).collect()
    }
}

/// The bytes of a buffer of the device.
pub(super) fn read_whole(device: &Device, buffer: &wgpu::Buffer) -> Result<Vec<u8>, Fault> {
    let staging = device.staging(buffer.size())?;
    let mut list = device.begin();
    list.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
    let submission = device.submit(list)?;
    device.read(&staging, buffer.size(), &submission, <[u8]>::to_vec)
}
