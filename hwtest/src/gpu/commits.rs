//! Commitments as jobs ask for them, and what one core of the processor does beside.

use holdfast_engine::accelerator::Fault;
use holdfast_engine::backend::gpu::Gpu;
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::jobs::bench::{measure_accelerator_commits, measure_processor_commits};

use super::Subject;
use super::figures::Reached;
use crate::process::Clocks;
use crate::report::{Figure, Row, Section};

/// The device, one core, and their ratio.
pub(crate) fn section(subject: &Subject, reached: &mut Reached) -> Section {
    let device = device(subject);
    let core = select(Choice::Auto).map_err(|error| error.to_string()).and_then(|backend| {
        measure_processor_commits(backend, 1, subject.scale.span).map_err(|e| e.to_string())
    });
    let ratio = match (&device, &core) {
        (Ok(Some((rate, _))), Ok(core)) => Some(rate / core),
        _ => None,
    };
    reached.commit_cores = ratio;
    let megabytes = |rate: f64| Figure::new("rate", rate * 1e-6, "MB/s");
    let device_row = match device {
        Ok(None) => Row::absent("device", "the adapter cannot commit: its shaders have no 64-bit integers"),
        Ok(Some((rate, cores))) => {
            Row::of("device", Ok::<_, Fault>(vec![megabytes(rate), Figure::new("processor", cores, "cores")]))
        }
        Err(fault) => Row::of("device", Err(fault)),
    };
    let ratio_row = match ratio {
        Some(ratio) => Row::of("ratio", Ok::<_, Fault>(vec![Figure::new("device over core", ratio, "")])),
        None => Row::absent("ratio", "one of the two above is not there"),
    };
    let rows = vec![device_row, Row::of("one core", core.map(|rate| vec![megabytes(rate)])), ratio_row];
    subject.section("commitments to blocks of 16 KiB, without their check", rows)
}

/// Bytes a second and cores used, if it can commit.
fn device(subject: &Subject) -> Result<Option<(f64, f64)>, Fault> {
    let gpu = Gpu::open(subject.adapter.clone(), subject.options(None))?;
    // The table is prepared before the clocks start.
    if measure_accelerator_commits(&gpu, std::time::Duration::ZERO)?.is_none() {
        return Ok(None);
    }
    let clocks = Clocks::start();
    let rate = measure_accelerator_commits(&gpu, subject.scale.span)?;
    Ok(rate.map(|rate| (rate, clocks.cores_used())))
}
