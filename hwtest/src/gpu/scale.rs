//! How much is measured: what keeps a real device busy takes software Vulkan minutes.

use std::time::Duration;

use holdfast_engine::backend::gpu::adapter::Kind;
use holdfast_engine::registration::WindowShape;

/// Sizes and times for one adapter.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    /// k of the layers over which the kernels of labels and trees are timed.
    pub(crate) log2_labels: &'static [u8],
    /// A timed submission repeats its dispatch until it takes about this long.
    pub(crate) submission: Duration,
    /// Timed submissions, of which the fastest counts.
    pub(crate) repeats: usize,
    /// Blocks of a timed dispatch of commitments.
    pub(crate) commit_blocks: u32,
    /// Widths of the windows of commitments; the kernels' variants are timed at the last.
    pub(crate) commit_widths_bits: &'static [u32],
    /// Elements and rounds of a timed dispatch of the field, points and rounds of the curve.
    pub(crate) field: (u32, u32),
    pub(crate) curve: (u32, u32),
    /// Whether variants with unrolled loops, which some drivers compile for half a minute, are tried.
    pub(crate) has_unrolled: bool,
    /// Windows of the fills, as k and layers.
    pub(crate) window: (u8, u8),
    /// Windows that are filled to disk, if there is room.
    pub(crate) windows: u64,
    /// How long rates of windows and commitments are measured.
    pub(crate) span: Duration,
}

impl Scale {
    pub(crate) fn of(kind: Kind, quick: bool) -> Scale {
        match (kind, quick) {
            (Kind::Software, true) => SOFTWARE_QUICK,
            (Kind::Software, false) => SOFTWARE,
            (Kind::Discrete, true) => QUICK,
            (Kind::Discrete, false) => FULL,
            (Kind::Integrated | Kind::Virtual | Kind::Other, _) => MODEST,
        }
    }

    pub(crate) fn shape(&self) -> WindowShape {
        let (log2_labels, layers) = self.window;
        WindowShape::new(log2_labels, layers).expect("the shapes below are in range")
    }
}

/// Windows of 1 GiB and the layers of profile `standard`; small layers fit the caches of large devices, large ones do not.
const FULL: Scale = Scale {
    log2_labels: &[21, 25],
    submission: Duration::from_millis(100),
    repeats: 5,
    commit_blocks: 1024,
    commit_widths_bits: &[8, 10, 14, 12],
    field: (1 << 18, 1000),
    curve: (1 << 18, 64),
    has_unrolled: true,
    window: (25, 16),
    windows: 16,
    span: Duration::from_secs(8),
};

const QUICK: Scale = Scale {
    log2_labels: &[21],
    repeats: 3,
    commit_widths_bits: &[12],
    window: (21, 16),
    span: Duration::from_secs(2),
    ..FULL
};

/// Single dispatches of weak devices stay below the second or two after which a watchdog resets them.
const MODEST: Scale = Scale {
    commit_blocks: 64,
    field: (1 << 16, 500),
    curve: (1 << 16, 16),
    windows: 8,
    span: Duration::from_secs(4),
    ..QUICK
};

/// As little as shows whether everything runs.
const SOFTWARE: Scale = Scale {
    log2_labels: &[12, 15],
    submission: Duration::from_millis(10),
    repeats: 2,
    commit_blocks: 4,
    commit_widths_bits: &[8, 6],
    field: (1 << 10, 16),
    curve: (1 << 8, 4),
    has_unrolled: true,
    window: (14, 4),
    windows: 4,
    span: Duration::from_millis(300),
};

const SOFTWARE_QUICK: Scale = Scale {
    log2_labels: &[12],
    repeats: 1,
    commit_blocks: 2,
    commit_widths_bits: &[6],
    has_unrolled: false,
    windows: 3,
    span: Duration::from_millis(100),
    ..SOFTWARE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_one() {
        let kinds = [Kind::Software, Kind::Integrated, Kind::Discrete];
        for (kind, quick) in kinds.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
            let scale = Scale::of(kind, quick);
            assert_eq!(scale.shape().log2_labels(), scale.window.0);
            assert!(!scale.log2_labels.is_empty() && !scale.commit_widths_bits.is_empty());
        }
    }
}
