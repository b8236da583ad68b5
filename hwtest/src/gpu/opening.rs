//! How long it takes until a device can be used: known answers, and the table of multiples, computed or kept.

use std::path::Path;
use std::time::Instant;

use holdfast_engine::accelerator::{Accelerator, Fault};
use holdfast_engine::backend::gpu::{Device, DeviceOptions, Gpu};
use holdfast_engine::curve::Fr;
use holdfast_engine::tree::BLOCK_BYTES;

use super::Subject;
use super::figures::Reached;
use crate::report::{Figure, Row, Section};
use crate::scratch::Scratch;

/// A row for each way of opening.
pub(crate) fn section(subject: &Subject, directory: &Path, reached: &mut Reached) -> Section {
    let mut rows = vec![
        Row::of("device alone", device(subject).map(|seconds| vec![seconds])),
        Row::of("no table kept", open(subject, None).map(Opened::figures)),
    ];
    match Scratch::new(directory, "tables") {
        Err(error) => rows.push(Row::of("table kept", Err(error))),
        Ok(scratch) => {
            rows.push(Row::of(
                "table not kept yet",
                open(subject, Some(scratch.path())).map(Opened::figures),
            ));
            let opened = open(subject, Some(scratch.path()));
            reached.opening_seconds = opened.as_ref().ok().map(|opened| opened.seconds());
            rows.push(Row::of("table kept", opened.map(Opened::figures)));
        }
    }
    subject.section("opening, until commitments can be asked for", rows)
}

fn device(subject: &Subject) -> Result<Figure, Fault> {
    let began = Instant::now();
    Device::open(&subject.adapter, DeviceOptions::default())?;
    Ok(Figure::new("open", began.elapsed().as_secs_f64(), "s"))
}

struct Opened {
    open_seconds: f64,
    /// None: it cannot commit.
    first_commitment_seconds: Option<f64>,
}

impl Opened {
    fn seconds(&self) -> f64 {
        self.open_seconds + self.first_commitment_seconds.unwrap_or(0.0)
    }

    fn figures(self) -> Vec<Figure> {
        let commitment =
            self.first_commitment_seconds.map(|seconds| Figure::new("first commitment", seconds, "s"));
        let figures =
            [Figure::new("open", self.open_seconds, "s"), Figure::new("in all", self.seconds(), "s")];
        figures.into_iter().chain(commitment).collect()
    }
}

fn open(subject: &Subject, cache: Option<&Path>) -> Result<Opened, Fault> {
    let began = Instant::now();
    let gpu = Gpu::open(subject.adapter.clone(), subject.options(cache))?;
    let open_seconds = began.elapsed().as_secs_f64();
    if gpu.commit_slots().is_err() {
        return Ok(Opened { open_seconds, first_commitment_seconds: None });
    }
    let began = Instant::now();
    gpu.commit(&[&[0; BLOCK_BYTES]], &[Fr::from(1_u64)])?;
    Ok(Opened { open_seconds, first_commitment_seconds: Some(began.elapsed().as_secs_f64()) })
}
