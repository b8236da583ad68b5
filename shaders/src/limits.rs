//! What every kernel stays within, so that any Vulkan, Metal or DX12 device with WebGPU's default limits can run it.

/// Offsets of storage and uniform bindings are multiples of this: the largest minimum that WebGPU lets a device ask for.
pub const BINDING_ALIGNMENT_BYTES: u64 = 256;

/// Bytes of the largest binding that drivers and the API in between take.
pub const BINDING_BYTES_MAX: u64 = (2 << 30) - 1;

/// Workgroups of a dispatch by dimension; larger ranges take two dimensions.
pub const WORKGROUPS_PER_DIMENSION_MAX: u32 = 65_535;

/// Invocations of a workgroup.
pub const WORKGROUP_INVOCATIONS_MAX: u32 = 256;

/// Workgroup memory of a kernel.
pub const WORKGROUP_MEMORY_BYTES_MAX: u32 = 16_384;

/// Storage buffers of a kernel.
pub const STORAGE_BUFFERS_MAX: usize = 8;

/// Loop iterations of one invocation, all loops together, that the host may ask for. Software Vulkan stops every loop
/// of an invocation without an error after 65,535 iterations in total (Mesa's gallivm, `LP_MAX_TGSI_LOOP_ITERATIONS`).
pub const LOOP_ITERATIONS_MAX: u32 = 60_000;

/// `bytes`, rounded up to an offset at which a binding may begin.
pub const fn aligned(bytes: u64) -> u64 {
    bytes.next_multiple_of(BINDING_ALIGNMENT_BYTES)
}

/// How many elements of `unit_bytes` a binding holds at most.
pub const fn units_max(unit_bytes: usize) -> u64 {
    BINDING_BYTES_MAX / unit_bytes as u64
}
