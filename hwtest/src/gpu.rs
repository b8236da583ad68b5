//! Graphics processors: which there are, whether they compute rightly, how fast, and what a whole fill makes of it.
//!
//! | file | what |
//! | --- | --- |
//! | `adapters.rs` | which adapters there are, what they grant, why some are not used |
//! | `scale.rs` | sizes and times |
//! | `cases.rs`, `contents.rs` | every kernel with buffers and its twin |
//! | `comparison.rs` | a kernel on a device against its twin, and its time |
//! | `kernels.rs` | every kernel and variant: known answers and rates |
//! | `opening.rs`, `commits.rs`, `windows.rs` | a device as jobs use it |
//! | `fill.rs` | a partition on a disk |
//! | `figures.rs` | what the project wants to reach, from the rows above |
//! | `soak.rs` | windows and commitments over and over |

mod adapters;
mod cases;
mod commits;
mod comparison;
mod contents;
mod figures;
mod fill;
mod kernels;
mod opening;
mod scale;
mod soak;
mod windows;

use std::path::Path;

use holdfast_engine::backend::gpu::adapter::{Adapter, Kind, Selection, unknown_ids};
use holdfast_engine::backend::gpu::{GpuOptions, survey};

use crate::options::Options;
use crate::report::{Row, Section};
use contents::Contents;
use figures::Reached;
use kernels::Digests;
use scale::Scale;

/// An adapter and how much is asked of it.
#[derive(Debug)]
pub(crate) struct Subject {
    adapter: Adapter,
    scale: Scale,
}

impl Subject {
    fn is_software(&self) -> bool {
        self.adapter.kind == Kind::Software
    }

    /// The name of a section about it.
    fn section(&self, what: &str, rows: Vec<Row>) -> Section {
        let software = if self.is_software() { " (software: correctness only)" } else { "" };
        Section { name: format!("{}{software}: {what}", self.adapter.id), rows }
    }

    /// With tables kept in a folder, or computed each time.
    fn options(&self, cache_directory: Option<&Path>) -> GpuOptions {
        GpuOptions { cache_directory: cache_directory.map(Path::to_path_buf), ..GpuOptions::default() }
    }
}

/// What must be said before the figures of such adapters.
pub(crate) const SOFTWARE_NOTE: &str = "software adapters compute on the processor, with tiny sizes: their rows show \
that everything computes rightly, and their rates say nothing about any graphics processor";

/// All sections about graphics processors, handed over one by one. Returns whether software adapters were used.
pub(crate) fn run(options: &Options, add: &mut dyn FnMut(Section)) -> bool {
    let allow_software = options.allow_software_gpu || Selection::from_environment().allow_software;
    let selection = Selection { ids: options.gpus.clone(), allow_software };
    let all = survey(&selection);
    add(adapters::section(&all, &unknown_ids(&selection, &all)));
    let subject = |adapter: Adapter| Subject { scale: Scale::of(adapter.kind, options.quick), adapter };
    let subjects: Vec<Subject> = all.into_iter().filter(Adapter::is_used).map(subject).collect();
    let (mut contents, mut digests) = (Contents::default(), Digests::default());
    for subject in &subjects {
        let mut reached = Reached::default();
        add(opening::section(subject, &options.dir, &mut reached));
        let mut measured = kernels::measure(subject, &mut contents, &mut digests);
        add(subject.section(
            "known answers (every item against the twin, and two changes that must be seen)",
            std::mem::take(&mut measured.known_answers),
        ));
        add(subject.section(
            "kernels (fastest of a few submissions; samples of the output against the twin)",
            measured.rate_rows(),
        ));
        add(commits::section(subject, &mut reached));
        add(windows::section(subject, &measured.seconds, &mut reached));
        add(fill::section(subject, &options.dir));
        reached.label_share_of_gather = measured.label_share_of_gather;
        add(figures::section(subject, &reached));
    }
    add(digests.section(subjects.len()));
    if let Some(time) = options.soak {
        add(soak::section(&subjects, time));
    }
    subjects.iter().any(Subject::is_software)
}

/// Bytes of a power of two, as people say it.
fn byte_size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = (bytes.max(1).ilog2() / 10).min(4);
    format!("{} {}", bytes >> (10 * step), units[step as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_the_largest_unit() {
        assert_eq!(
            [0, 1023, 1 << 10, 64 << 20, 1 << 30].map(byte_size),
            ["0 B", "1023 B", "1 KiB", "64 MiB", "1 GiB"]
        );
    }
}
