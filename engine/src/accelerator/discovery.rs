//! The accelerators of this machine, for builds with and without support for them.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::Accelerator;

/// Which accelerators somebody wants, and how they may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only these, by id; empty: all.
    pub ids: Vec<String>,
    /// Software adapters too, which are for tests.
    pub allow_software: bool,
    /// Memory that may be taken on each device.
    pub memory_bytes: Option<u64>,
    /// Where tables may be kept that take long to compute.
    pub cache_directory: Option<PathBuf>,
}

/// An adapter of this machine, used or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Names it in the same way at every start.
    pub id: String,
    /// What the driver calls it.
    pub name: String,
    /// The driver.
    pub driver: String,
    /// `discrete`, `integrated`, `virtual`, `software`.
    pub kind: String,
    /// Whether it can compute commitments, which take 64-bit integers.
    pub can_commit: bool,
    /// The longest layer of a window that it can hold.
    pub layer_bytes_maximum: u64,
    /// Why it is not used, if so.
    pub unused_because: Option<String>,
}

/// What was opened, and why the rest was not.
#[derive(Debug, Default)]
pub struct Opened {
    /// Ready for work: they have given known answers.
    pub accelerators: Vec<Arc<dyn Accelerator>>,
    /// Id and reason of each adapter that is not to be used.
    pub unused: Vec<(String, String)>,
    /// Id and fault of each adapter that was to be used and failed when it was opened.
    pub failed: Vec<(String, String)>,
    /// Ids that were asked for and that no adapter has.
    pub unknown: Vec<String>,
}

/// Why this build has no accelerators at all; `None` if it can have some.
pub fn absent_from_build() -> Option<&'static str> {
    if cfg!(feature = "gpu") {
        None
    } else {
        Some("this build leaves graphics processors out (cargo feature gpu)")
    }
}

/// The end of a command that may have used accelerators: if one of them failed, the process ends here and now with this code, as
/// its driver may never let it end otherwise, or crash on the way. Whatever was to be written must have been written.
pub fn end_process_if_one_failed(code: u8) {
    #[cfg(feature = "gpu")]
    crate::backend::gpu::end_process_if_one_failed(code);
    #[cfg(not(feature = "gpu"))]
    let _ = code;
}

/// Every adapter, those to prefer first.
#[cfg(not(feature = "gpu"))]
pub fn survey(_: &Wanted) -> Vec<Found> {
    Vec::new()
}

/// Opens every adapter that is wanted and can be used.
#[cfg(not(feature = "gpu"))]
pub fn open(wanted: &Wanted) -> Opened {
    Opened { unknown: wanted.ids.clone(), ..Opened::default() }
}

#[cfg(feature = "gpu")]
pub use with_gpu::{open, survey};

#[cfg(feature = "gpu")]
mod with_gpu {
    use super::{Arc, Found, Opened, Wanted};
    use crate::backend::gpu::adapter::{self, Adapter, Selection};
    use crate::backend::gpu::{Gpu, GpuOptions};

    fn adapters(wanted: &Wanted) -> (Selection, Vec<Adapter>) {
        let allow_software = wanted.allow_software || Selection::from_environment().allow_software;
        let selection = Selection { ids: wanted.ids.clone(), allow_software };
        let adapters = adapter::survey(&selection);
        (selection, adapters)
    }

    /// Every adapter, those to prefer first.
    pub fn survey(wanted: &Wanted) -> Vec<Found> {
        let found = |adapter: Adapter| Found {
            can_commit: adapter.has_64_bit_integers,
            kind: adapter.kind.to_string(),
            layer_bytes_maximum: adapter.binding_bytes_maximum,
            id: adapter.id,
            name: adapter.name,
            driver: adapter.driver,
            unused_because: adapter.unused_because,
        };
        adapters(wanted).1.into_iter().map(found).collect()
    }

    /// Opens every adapter that is wanted and can be used.
    pub fn open(wanted: &Wanted) -> Opened {
        let (selection, adapters) = adapters(wanted);
        let unknown = adapter::unknown_ids(&selection, &adapters).into_iter().map(str::to_owned).collect();
        let mut opened = Opened { unknown, ..Opened::default() };
        for adapter in adapters {
            let id = adapter.id.clone();
            if let Some(why) = adapter.unused_because {
                opened.unused.push((id, why));
                continue;
            }
            let options = GpuOptions {
                memory_bytes: wanted.memory_bytes,
                cache_directory: wanted.cache_directory.clone(),
                ..GpuOptions::default()
            };
            match Gpu::open(adapter, options) {
                Ok(gpu) => opened.accelerators.push(Arc::new(gpu)),
                Err(fault) => opened.failed.push((id, format!("it failed when it was opened: {fault}"))),
            }
        }
        opened
    }
}
