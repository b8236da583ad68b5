//! One kernel on one device against its twin: small ranges whole, large ones at samples, and changes that must be seen.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytemuck::cast_slice;
use holdfast_engine::accelerator::Fault;
use holdfast_engine::backend::gpu::runner::{Contents, Run};
use holdfast_engine::backend::gpu::{Device, Pipeline};

use super::cases::{Case, Range, UNTOUCHED};

/// Items beyond a range for which there are invocations too; what they would write must stay as it was.
const SPARE: u32 = 300;
/// Items of a large case that are compared.
const SAMPLES: u32 = 300;

/// Why a kernel is not to be trusted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// The device failed.
    Device(Fault),
    /// No kernel sees so much of a buffer.
    TooLarge { bytes: u64, most: u64 },
    /// An item is not the twin's.
    Differs { size: String, item: usize },
    /// A change that must show did not: the comparison is worth nothing.
    NotCaught { size: String, change: &'static str },
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Device(fault)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Device(fault) => write!(formatter, "{fault}"),
            Trouble::TooLarge { bytes, most } => {
                write!(formatter, "a buffer of {bytes} bytes, of which a kernel sees {most}")
            }
            Trouble::Differs { size, item } => {
                write!(formatter, "item {item} differs from the twin ({size})")
            }
            Trouble::NotCaught { size, change } => write!(formatter, "{change} was not noticed ({size})"),
        }
    }
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Compared {
    pub(crate) items: u64,
    pub(crate) changes_caught: u64,
}

/// Every item of the case but the last two, in two ranges that fill no workgroup, with what lies outside; then two changes. Also
/// returns BLAKE3 of all that came back.
pub(crate) fn compare_whole(
    device: &Device,
    pipeline: &Pipeline,
    case: &Case,
) -> Result<(Compared, [u8; 32]), Trouble> {
    let first = case.items / 2 + 3;
    let ranges = [Range { first: 0, count: first }, Range { first, count: case.items - first - 2 }];
    let mut compared = Compared::default();
    let mut hasher = blake3::Hasher::new();
    let untouched = vec![UNTOUCHED; case.output_words()];
    for range in ranges {
        let found = run(device, pipeline, case, range, None)?;
        let mut expected = untouched.clone();
        case.write(range, 0..range.count, &mut expected);
        same(case, &found, &expected)?;
        hasher.update(cast_slice(&found));
        compared.items += u64::from(range.count);
    }
    compared.changes_caught = catch_changes(device, pipeline, case)?;
    Ok((compared, *hasher.finalize().as_bytes()))
}

/// Negative controls: the device is given another byte than the twin, and a byte of what comes back is changed.
fn catch_changes(device: &Device, pipeline: &Pipeline, case: &Case) -> Result<u64, Trouble> {
    let mut expected = vec![UNTOUCHED; case.output_words()];
    case.write(case.whole(), 0..case.items, &mut expected);
    let not_caught = |change| Trouble::NotCaught { size: case.size.clone(), change };
    let found = run(device, pipeline, case, case.whole(), Some(Change))?;
    if same(case, &found, &expected).is_ok() {
        return Err(not_caught("a changed byte of what the device is given"));
    }
    let mut found = expected.clone();
    let place = found.len() / 2;
    found[place] ^= 1 << 31;
    if same(case, &found, &expected).is_ok() {
        return Err(not_caught("a changed byte of what comes back"));
    }
    Ok(2)
}

/// The change of [`Case::control`].
struct Change;

/// What one dispatch leaves in the output.
fn run(
    device: &Device,
    pipeline: &Pipeline,
    case: &Case,
    range: Range,
    change: Option<Change>,
) -> Result<Vec<u32>, Fault> {
    let mut parameters = case.parameters(range);
    let mut inputs = case.inputs.clone();
    match (change, case.control) {
        (None, _) => {}
        (Some(Change), None) => parameters[0] ^= 1,
        (Some(Change), Some((input, word))) => Arc::make_mut(&mut inputs[input])[word] ^= 1,
    }
    inputs.push(Arc::new(vec![UNTOUCHED; case.output_words()]));
    let contents: Vec<_> = inputs.iter().map(|words| Contents::Bytes(cast_slice(words))).collect();
    let run = Run::new(device, pipeline.clone(), &contents)?;
    run.dispatch(&[&parameters], range.count + SPARE)?;
    output(&run)
}

fn output(run: &Run<'_>) -> Result<Vec<u32>, Fault> {
    let written = run.written()?;
    let bytes = written.first().map_or(&[][..], Vec::as_slice);
    Ok(bytemuck::pod_collect_to_vec(bytes))
}

fn same(case: &Case, found: &[u32], expected: &[u32]) -> Result<(), Trouble> {
    let differs = |item| Trouble::Differs { size: case.size.clone(), item };
    if found.len() != expected.len() {
        return Err(differs(found.len().min(expected.len()) / case.unit_words));
    }
    let place = found.iter().zip(expected).position(|(found, expected)| found != expected);
    place.map_or(Ok(()), |word| Err(differs(word / case.unit_words)))
}

/// How long a case takes, and what came out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timing {
    /// Seconds of one dispatch over the whole case, from the fastest submission.
    pub(crate) seconds: f64,
    /// Seconds of the first one.
    pub(crate) first_seconds: f64,
    /// Items compared with the twin.
    pub(crate) samples: u64,
    /// BLAKE3 of the whole output, to compare variants and devices.
    pub(crate) digest: [u8; 32],
}

/// Times a case: dispatches one after another in submissions of about so long, after one that warms up. Compares samples.
pub(crate) fn time(
    (device, pipeline): (&Device, &Pipeline),
    case: &Case,
    submission: Duration,
    repeats: usize,
) -> Result<Timing, Trouble> {
    let mut contents: Vec<_> = case.inputs.iter().map(|words| Contents::Bytes(cast_slice(words))).collect();
    contents.push(Contents::Zeros(4 * case.output_words() as u64));
    let run = Run::new(device, pipeline.clone(), &contents)?;
    let parameters = case.parameters(case.whole());
    let began = Instant::now();
    run.dispatch(&[&parameters], case.items)?;
    let first_seconds = began.elapsed().as_secs_f64();
    let once = run.dispatch(&[&parameters], case.items)?;
    let times = (submission.as_secs_f64() / once.as_secs_f64().max(1e-6)).clamp(1.0, 500.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 1 … 500
    let list = vec![&parameters[..]; times as usize];
    let mut seconds = f64::INFINITY;
    for _ in 0..repeats {
        let took = run.dispatch(&list, case.items)?.as_secs_f64();
        seconds = seconds.min(took / crate::report::real(list.len() as u64));
    }
    let found = output(&run)?;
    let samples = compare_samples(case, &found)?;
    Ok(Timing { seconds, first_seconds, samples, digest: *blake3::hash(cast_slice(&found)).as_bytes() })
}

/// The first, the last, and items all over the case, by an odd stride.
fn compare_samples(case: &Case, found: &[u32]) -> Result<u64, Trouble> {
    let mut expected = vec![0; case.output_words()];
    if found.len() != expected.len() {
        return Err(Trouble::Differs { size: case.size.clone(), item: found.len() / case.unit_words });
    }
    let stride = (case.items / SAMPLES).max(1) | 1;
    let samples: Vec<u32> = (0..case.items).step_by(stride as usize).chain([case.items - 1]).collect();
    case.write(case.whole(), samples.iter().copied(), &mut expected);
    for &item in &samples {
        let unit = item as usize * case.unit_words..(item as usize + 1) * case.unit_words;
        if found[unit.clone()] != expected[unit] {
            return Err(Trouble::Differs { size: case.size.clone(), item: item as usize });
        }
    }
    Ok(samples.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::cases;
    use crate::gpu::contents;
    use holdfast_engine::backend::gpu::{DeviceOptions, Sabotage, Selection, Trick, survey};
    use holdfast_shaders::registry::{COPY, KERNELS};

    #[test]
    fn a_changed_bit_is_found_where_it_is() {
        let case = &cases::small(&COPY, &COPY.variants[0], &mut contents::Contents::default())[0];
        let mut expected = vec![0; case.output_words()];
        case.write(case.whole(), 0..case.items, &mut expected);
        assert_eq!(same(case, &expected, &expected), Ok(()));
        assert!(compare_samples(case, &expected).is_ok_and(|samples| samples > 100));
        let mut found = expected.clone();
        let last = found.len() - 1;
        found[last] ^= 1 << 31;
        let item = case.items as usize - 1;
        let differs = Err(Trouble::Differs { size: case.size.clone(), item });
        assert_eq!(same(case, &found, &expected), differs);
        assert_eq!(compare_samples(case, &found).map(|_| ()), differs, "the last item is a sample");
        assert!(same(case, &expected[1..], &expected).is_err());
    }

    /// A device that corrupts what it gives back is seen by both comparisons, and one that does not is not accused.
    #[test]
    fn a_device_that_lies_is_caught() {
        let Some(adapter) = survey(&Selection::from_environment()).into_iter().find(|a| a.is_used()) else {
            let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
            assert!(!required.split(',').any(|name| name == "gpu"), "gpu is required: ABSENT(no adapter)");
            return eprintln!("gpu ABSENT(no adapter)");
        };
        let sabotage = Sabotage::new(Trick::Corrupt);
        let options = DeviceOptions { sabotage: Some(sabotage.clone()), ..DeviceOptions::default() };
        let device = Device::open(&adapter, options).unwrap();
        let pipeline = device.pipeline(&COPY, &COPY.variants[0]).unwrap();
        let case = &cases::small(&COPY, &COPY.variants[0], &mut contents::Contents::default())[0];
        let whole = || compare_whole(&device, &pipeline, case).map(|(compared, _)| compared.changes_caught);
        let timed = || time((&device, &pipeline), case, Duration::ZERO, 1).map(|timing| timing.samples > 100);
        assert_eq!((whole(), timed()), (Ok(2), Ok(true)));
        let differs = Trouble::Differs { size: case.size.clone(), item: 0 };
        sabotage.strike_after(0);
        assert_eq!(whole(), Err(differs.clone()));
        sabotage.strike_after(0);
        assert_eq!(timed(), Err(differs));
    }

    /// What the negative control changes matters: the twin, given the change, writes something else.
    #[test]
    fn the_twin_tells_the_control_s_change_too() {
        for kernel in KERNELS {
            for mut case in cases::small(kernel, &kernel.variants[0], &mut contents::Contents::default()) {
                let Some((input, word)) = case.control else { continue };
                let written = |case: &Case| {
                    let mut output = vec![UNTOUCHED; case.output_words()];
                    case.write(case.whole(), 0..case.items, &mut output);
                    output
                };
                let before = written(&case);
                Arc::make_mut(&mut case.inputs[input])[word] ^= 1;
                assert!(written(&case) != before, "{} {}", kernel.name, case.size);
            }
        }
    }
}
