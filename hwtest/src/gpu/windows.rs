//! Windows made to memory: with one, two and three under way at once, and by the processor alone.

use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::accelerator::{Accelerator, Fault};
use holdfast_engine::backend::gpu::{Gpu, GpuOptions};
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::jobs::bench::{measure_accelerator_windows, measure_windows};

use super::Subject;
use super::figures::Reached;
use super::kernels::KernelSeconds;
use crate::process::Clocks;
use crate::report::{Figure, Row, Section};

/// Slots that are tried.
const SLOTS: [usize; 3] = [1, 2, 3];

/// A row for each number of slots, and one for the processor.
pub(crate) fn section(subject: &Subject, seconds: &KernelSeconds, reached: &mut Reached) -> Section {
    let shape = subject.scale.shape();
    let mut rows: Vec<Row> = SLOTS.map(|slots| row(subject, slots, seconds, reached)).into();
    rows.push(Row::of("processor alone, all cores", processor(subject)));
    let size = super::byte_size(shape.bytes());
    let what = format!("windows of {size}, {} layers, to memory, with all checks", shape.layers());
    subject.section(&what, rows)
}

fn row(subject: &Subject, slots: usize, seconds: &KernelSeconds, reached: &mut Reached) -> Row {
    let name = if slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") };
    match measure(subject, slots) {
        Err(fault) => Row::of(name, Err(fault)),
        Ok(Err(why)) => Row::absent(name, why),
        Ok(Ok((rate, cores))) => {
            let mut figures = vec![Figure::new("rate", rate * 1e-9, "GB/s")];
            // On a software adapter the processor computes, and nothing of it is idle.
            if !subject.is_software() {
                figures.push(Figure::new("processor", cores, "cores"));
                let shape = subject.scale.shape();
                let window_seconds = crate::report::real(shape.bytes()) / rate;
                let busy = seconds.of_window(shape).map(|kernels| kernels / window_seconds);
                figures.extend(
                    busy.map(|busy| Figure::new("kernels, timed alone, over wall time", 100.0 * busy, "%")),
                );
                reached.windows(rate, cores, busy);
            }
            Row::of(name, Ok::<_, Fault>(figures))
        }
    }
}

/// Bytes a second and cores used; or why there cannot be so many windows at once.
fn measure(subject: &Subject, slots: usize) -> Result<Result<(f64, f64), String>, Fault> {
    let options = GpuOptions { window_slots_maximum: slots, ..subject.options(None) };
    let gpu = Gpu::open(subject.adapter.clone(), options)?;
    let shape = subject.scale.shape();
    match gpu.window_slots(shape) {
        Err(why) => return Ok(Err(why)),
        Ok(granted) if granted < slots => {
            return Ok(Err(format!("the memory of the device allows {granted} at once")));
        }
        Ok(_) => {}
    }
    // Buffers are made, and pieces have found their size, before the clocks start.
    measure_accelerator_windows(&gpu, shape, Duration::ZERO)?;
    let clocks = Clocks::start();
    let rate = measure_accelerator_windows(&gpu, shape, subject.scale.span)?;
    let cores = clocks.cores_used();
    Ok(rate.map(|rate| (rate, cores)).ok_or_else(|| "the device cannot make this shape".to_owned()))
}

fn processor(subject: &Subject) -> Result<Vec<Figure>, String> {
    let backend = select(Choice::Auto).map_err(|error| error.to_string())?;
    let pool = rayon::ThreadPoolBuilder::new().build().map_err(|error| error.to_string())?;
    let rate = measure_windows(subject.scale.shape(), backend, &Arc::new(pool), subject.scale.span);
    let rate = rate.map_err(|error| error.to_string())?;
    Ok(vec![
        Figure::new("rate", rate.bytes_per_second * 1e-9, "GB/s"),
        Figure::count("threads", rate.threads as u64, ""),
    ])
}
