//! WGSL kernels of holdfast and their CPU twins.
