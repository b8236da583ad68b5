//! The kernels as plain Rust in 32-bit words, one file a kernel, step for step what the WGSL does.

pub mod blake3;
pub mod carried;
pub mod columns;
pub mod commit;
pub mod commit_fold;
pub mod copy;
pub mod curve;
pub mod curve_test;
pub mod field;
pub mod field_test;
pub mod gather;
pub mod label;
pub mod label_first_layer;
pub mod layer;
pub mod pick;
pub mod subtree;
pub mod tree;
pub mod tree_fold;
pub mod words;

/// The place of one invocation in a dispatch, as WGSL's built-in values give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// `global_invocation_id`.
    pub global: [u32; 3],
    /// `num_workgroups`.
    pub workgroups: [u32; 3],
    /// The workgroup's size, WGSL `WORKGROUP`.
    pub workgroup: u32,
}

impl Invocation {
    /// The number of the invocation, row by row; WGSL `flat_index`.
    pub fn index(self) -> u32 {
        self.global[1] * (self.workgroups[0] * self.workgroup) + self.global[0]
    }
}

/// All invocations of a dispatch of `workgroups` workgroups of `workgroup` invocations, in no order a kernel may rely on.
pub fn dispatch(workgroup: [u32; 3], workgroups: [u32; 3]) -> impl Iterator<Item = Invocation> {
    let [width, height, depth] = [0, 1, 2].map(|i| workgroup[i] * workgroups[i]);
    let place = move |global| Invocation { global, workgroups, workgroup: workgroup[0] };
    (0..depth).flat_map(move |z| (0..height).flat_map(move |y| (0..width).map(move |x| place([x, y, z]))))
}

/// The place of one workgroup in a dispatch, for kernels whose invocations work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workgroup {
    /// `workgroup_id`.
    pub id: [u32; 3],
    /// `num_workgroups`.
    pub workgroups: [u32; 3],
    /// Its invocations, WGSL `WORKGROUP`.
    pub size: u32,
}

impl Workgroup {
    /// The number of the workgroup, row by row.
    pub fn number(self) -> u32 {
        self.id[1] * self.workgroups[0] + self.id[0]
    }
}

/// All workgroups of a dispatch, in no order a kernel may rely on.
pub fn dispatch_workgroups(workgroup: [u32; 3], workgroups: [u32; 3]) -> impl Iterator<Item = Workgroup> {
    let [columns, rows, _] = workgroups;
    let place = move |id| Workgroup { id, workgroups, size: workgroup[0] };
    (0..rows).flat_map(move |y| (0..columns).map(move |x| place([x, y, 0])))
}
