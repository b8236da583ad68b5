//! One opened device: its kernels, buffers and submissions, with every failure as a [`Fault`].
//!
//! wgpu reports trouble in four ways: error scopes, the uncaptured-error handler, the device-lost callback, and results of
//! mapping and polling. All of them end in one place here, and once there was a fault every later call returns it, so a
//! result is only ever handed on when its submission was confirmed and nothing had gone wrong until then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use holdfast_shaders::registry::{Access, Kernel, Variant};

use super::adapter::Adapter;
use super::sabotage::{Sabotage, Trick};
use crate::accelerator::Fault;

/// Copies and mappings begin and end on multiples of this.
const COPY_BYTES: u64 = wgpu::COPY_BUFFER_ALIGNMENT;

/// Whether the kernels check bounds and loops at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checks {
    /// They do not: the build has proven that loops are bounded, and every kernel checks its range. A counter in every loop
    /// costs much on some drivers.
    #[default]
    Off,
    /// They do.
    On,
}

/// How a device is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceOptions {
    /// Run-time checks of the kernels.
    pub checks: Checks,
    /// How long a submission may take before the device counts as hung.
    pub timeout: Duration,
    /// A fault on purpose, for tests.
    pub sabotage: Option<Sabotage>,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        // A dispatch takes a tenth of a second; a driver resets a hung device after two to ten.
        DeviceOptions { checks: Checks::Off, timeout: Duration::from_secs(30), sabotage: None }
    }
}

/// An opened device.
#[derive(Debug)]
pub struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    options: DeviceOptions,
    trouble: Arc<Trouble>,
    /// Whether commitments are possible.
    pub has_64_bit_integers: bool,
}

/// What went wrong first.
#[derive(Debug, Default)]
struct Trouble(Mutex<Option<Fault>>);

impl Trouble {
    fn report(&self, fault: Fault) {
        HAS_FAILED.store(true, Ordering::Relaxed);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
    }

    fn first(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A kernel ready to run; clones share what was compiled.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub(super) kernel: &'static Kernel,
    pub(super) variant: &'static Variant,
    pipeline: wgpu::ComputePipeline,
}

/// Work that was handed to the device.
#[derive(Debug)]
pub struct Submission(wgpu::SubmissionIndex);

impl Device {
    /// Opens a device of the adapter, with its own limits and with 64-bit integers where there are any.
    ///
    /// # Errors
    /// The driver refuses.
    pub fn open(adapter: &Adapter, options: DeviceOptions) -> Result<Device, Fault> {
        let handle = &adapter.handle;
        let features = handle.features() & wgpu::Features::SHADER_INT64;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("holdfast"),
            required_features: features,
            required_limits: handle.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(handle.request_device(&descriptor))
            .map_err(|error| Fault::Refused { message: error.to_string() })?;
        let trouble = Arc::new(Trouble::default());
        let (lost, uncaptured) = (Arc::clone(&trouble), Arc::clone(&trouble));
        device.set_device_lost_callback(move |reason, message| lost.report(loss(reason, &message)));
        // The default handler panics.
        device
            .on_uncaptured_error(Arc::new(move |error: wgpu::Error| uncaptured.report(fault_of(&error, 0))));
        Ok(Device { device, queue, options, trouble, has_64_bit_integers: !features.is_empty() })
    }

    /// Compiles a kernel.
    ///
    /// # Errors
    /// The driver refuses it, or has failed before.
    #[allow(unsafe_code)]
    pub fn pipeline(&self, kernel: &'static Kernel, variant: &'static Variant) -> Result<Pipeline, Fault> {
        let module = wgpu::ShaderModuleDescriptor {
            label: Some(variant.name),
            source: wgpu::ShaderSource::Wgsl(variant.wgsl.into()),
        };
        self.scoped(0, || {
            let module = match self.options.checks {
                Checks::On => self.device.create_shader_module(module),
                // SAFETY: the build of the shaders refuses kernels with loops that are not bounded by a constant or a
                // parameter, and a kernel touches only elements of the range in its parameters, which the callers in this
                // folder keep within the buffers that they bind; the suite runs every kernel with the checks too.
                Checks::Off => unsafe {
                    self.device.create_shader_module_trusted(module, wgpu::ShaderRuntimeChecks::unchecked())
                },
            };
            let entries: Vec<_> =
                (0..).zip(kernel.bindings).map(|(n, binding)| layout_entry(n, binding.access)).collect();
            let layout = self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(kernel.name),
                entries: &entries,
            });
            let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(kernel.name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(kernel.name),
                layout: Some(&layout),
                module: &module,
                entry_point: Some(kernel.name),
                // Kernels write workgroup memory before they read it.
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            });
            Pipeline { kernel, variant, pipeline }
        })
    }

    /// A buffer on the device that kernels read and write, and that copies reach. Its bytes are zero.
    ///
    /// # Errors
    /// The device has not enough memory, or has failed before.
    pub fn storage(&self, bytes: u64) -> Result<wgpu::Buffer, Fault> {
        use wgpu::BufferUsages as Usage;
        self.buffer(bytes, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST)
    }

    /// A buffer in the host's memory into which the device copies results.
    ///
    /// # Errors
    /// As [`Device::storage`].
    pub fn staging(&self, bytes: u64) -> Result<wgpu::Buffer, Fault> {
        self.buffer(bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST)
    }

    fn buffer(&self, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer, Fault> {
        if self.strikes(Trick::Exhaust) {
            return Err(self.taint(Fault::OutOfMemory { bytes }));
        }
        let size = bytes.max(1).next_multiple_of(COPY_BYTES);
        let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        self.scoped(bytes, || self.device.create_buffer(&descriptor))
    }

    /// Writes to a buffer before the next submission: the parts one after another. Their length in all is a multiple of four.
    ///
    /// # Errors
    /// No memory on the host, or the device has failed before.
    pub fn upload(&self, buffer: &wgpu::Buffer, offset: u64, parts: &[&[u8]]) -> Result<(), Fault> {
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        let Some(size) = wgpu::BufferSize::new(bytes) else { return Ok(()) };
        let written = self.scoped(bytes, || {
            let mut view = self.queue.write_buffer_with(buffer, offset, size)?;
            let mut start = 0;
            for part in parts {
                view.slice(start..start + part.len()).copy_from_slice(part);
                start += part.len();
            }
            Some(())
        })?;
        let refused = || Fault::Refused { message: format!("{bytes} bytes cannot be written to a buffer") };
        written.ok_or_else(|| self.taint(refused()))
    }

    /// A list of work that is not handed over yet.
    pub fn begin(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None })
    }

    /// Adds one dispatch: `parameters` are the kernel's uniform, `buffers` the rest of its bindings in order.
    ///
    /// # Errors
    /// The bindings do not fit, or the device has failed before.
    pub fn dispatch(
        &self,
        list: &mut wgpu::CommandEncoder,
        pipeline: &Pipeline,
        parameters: &[u8],
        buffers: &[&wgpu::Buffer],
        invocations: u32,
    ) -> Result<(), Fault> {
        let uniform =
            self.buffer(parameters.len() as u64, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST)?;
        self.upload(&uniform, 0, &[parameters])?;
        self.scoped(0, || {
            let bound = std::iter::once(&uniform).chain(buffers.iter().copied());
            let entries: Vec<_> = (0..)
                .zip(bound)
                .map(|(binding, buffer)| wgpu::BindGroupEntry {
                    binding,
                    resource: buffer.as_entire_binding(),
                })
                .collect();
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(pipeline.kernel.name),
                layout: &pipeline.pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            let mut pass = list.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(pipeline.kernel.name),
                timestamp_writes: None,
            });
            pass.set_pipeline(&pipeline.pipeline);
            pass.set_bind_group(0, &group, &[]);
            let [x, y, z] = pipeline.variant.grid(invocations);
            pass.dispatch_workgroups(x, y, z);
        })
    }

    /// Hands work over.
    ///
    /// # Errors
    /// The device refuses it, or has failed before.
    pub fn submit(&self, list: wgpu::CommandEncoder) -> Result<Submission, Fault> {
        if self.strikes(Trick::Destroy) {
            self.device.destroy();
        }
        self.scoped(0, || Submission(self.queue.submit([list.finish()])))
    }

    /// Waits, asleep, until work is done.
    ///
    /// # Errors
    /// It takes longer than the time-out, or anything has gone wrong until now.
    pub fn wait(&self, submission: &Submission) -> Result<(), Fault> {
        let poll = wgpu::PollType::Wait {
            submission_index: Some(submission.0.clone()),
            timeout: Some(self.options.timeout),
        };
        match self.device.poll(poll) {
            _ if self.strikes(Trick::Hang) => self.trouble.report(self.timed_out()),
            Err(wgpu::PollError::Timeout) => self.trouble.report(self.timed_out()),
            Err(error) => self.report(Fault::Refused { message: error.to_string() }),
            Ok(_) => {}
        }
        self.sound()
    }

    /// Shows the first `bytes` bytes of a staging buffer, once the work that fills it, handed over before, is done.
    ///
    /// # Errors
    /// As [`Device::wait`].
    pub fn read<R>(
        &self,
        staging: &wgpu::Buffer,
        bytes: u64,
        submission: &Submission,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Fault> {
        let slice = staging.slice(..bytes.next_multiple_of(COPY_BYTES));
        let (sender, mapped) = mpsc::channel();
        // Fails only when the receiver below is gone, and then nobody waits for it.
        slice.map_async(wgpu::MapMode::Read, move |result| drop(sender.send(result)));
        self.wait(submission)?;
        // Another thread's wait may be about to call back.
        let outcome = mapped.recv_timeout(self.options.timeout);
        let refused = |message: String| Fault::Refused { message };
        outcome
            .map_err(|_| self.timed_out())
            .and_then(|mapped| mapped.map_err(|error| refused(error.to_string())))
            .inspect_err(|fault| self.report(fault.clone()))?;
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        let seen = {
            let view = slice.get_mapped_range().map_err(|error| refused(error.to_string()))?;
            if self.strikes(Trick::Corrupt) {
                look(&corrupted(&view[..length]))
            } else {
                look(&view[..length])
            }
        };
        staging.unmap();
        self.sound()?;
        Ok(seen)
    }

    /// Whether nothing has gone wrong until now.
    ///
    /// # Errors
    /// What went wrong first.
    pub fn sound(&self) -> Result<(), Fault> {
        self.trouble.first().map_or(Ok(()), Err)
    }

    /// Notes a fault that was found by looking at results: from now on every call fails. Returns what went wrong first.
    pub fn taint(&self, fault: Fault) -> Fault {
        self.report(fault.clone());
        self.trouble.first().unwrap_or(fault)
    }

    fn timed_out(&self) -> Fault {
        Fault::TimedOut { seconds: self.options.timeout.as_secs_f64() }
    }

    fn strikes(&self, trick: Trick) -> bool {
        self.options.sabotage.as_ref().is_some_and(|sabotage| sabotage.strikes(trick))
    }

    /// Runs a call that can only fail through error scopes.
    fn scoped<R>(&self, bytes: u64, call: impl FnOnce() -> R) -> Result<R, Fault> {
        self.sound()?;
        let scopes =
            [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory]
                .map(|filter| self.device.push_error_scope(filter));
        let result = call();
        for scope in scopes.into_iter().rev() {
            if let Some(error) = pollster::block_on(scope.pop()) {
                self.report(fault_of(&error, bytes));
            }
        }
        self.sound().map(|()| result)
    }

    /// Notes a fault. A lost device refuses calls for reasons of all kinds, and says that it is lost only once the submissions
    /// before have ended, so that is waited for: the cause comes before its consequences.
    fn report(&self, fault: Fault) {
        if matches!(fault, Fault::Refused { .. }) {
            let rest = wgpu::PollType::Wait { submission_index: None, timeout: Some(self.options.timeout) };
            let _ = self.device.poll(rest);
        }
        self.trouble.report(fault);
    }
}

impl Drop for Device {
    /// wgpu waits without end for the work of a queue that it drops. A device that did not answer in time is left behind instead.
    fn drop(&mut self) {
        if matches!(self.trouble.first(), Some(Fault::TimedOut { .. })) {
            std::mem::forget((self.device.clone(), self.queue.clone()));
        }
    }
}

/// Whether any device of this process failed.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// Ends the process with this code if a device failed. Threads of its driver may still be at work: nobody waits for those of a
/// device that is lost or hangs, and the clean-up of libraries at the end of a process would take memory away under them.
#[allow(unsafe_code)]
pub(crate) fn end_process_if_one_failed(code: u8) {
    if HAS_FAILED.load(Ordering::Relaxed) {
        // SAFETY: it ends this process and touches no memory of it.
        unsafe { libc::_exit(code.into()) }
    }
}

/// wgpu gives a device up that has no memory for a submission, too.
fn loss(reason: wgpu::DeviceLostReason, message: &str) -> Fault {
    if message.to_ascii_lowercase().contains("memory") {
        Fault::OutOfMemory { bytes: 0 }
    } else {
        Fault::Lost { why: format!("{reason:?} {message}").trim_end().to_owned() }
    }
}

/// With one wrong bit in every 32 bytes.
fn corrupted(bytes: &[u8]) -> Vec<u8> {
    let mut corrupted = bytes.to_vec();
    corrupted.iter_mut().step_by(32).for_each(|byte| *byte ^= 1);
    corrupted
}

fn fault_of(error: &wgpu::Error, bytes: u64) -> Fault {
    match error {
        wgpu::Error::OutOfMemory { .. } => Fault::OutOfMemory { bytes },
        wgpu::Error::Validation { .. } | wgpu::Error::Internal { .. } => {
            Fault::Refused { message: error.to_string() }
        }
    }
}

fn layout_entry(binding: u32, access: Access) -> wgpu::BindGroupLayoutEntry {
    let ty = match access {
        Access::Uniform => wgpu::BufferBindingType::Uniform,
        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}
