//! Every kernel and variant of one device: known answers, then rates; and the outputs of all of them against each other.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use holdfast_engine::accelerator::Fault;
use holdfast_engine::backend::gpu::{Checks, Device, DeviceOptions};
use holdfast_engine::registration::WindowShape;
use holdfast_shaders::registry::{KERNELS, Kernel, Variant};

use super::Subject;
use super::cases::{self, Case};
use super::comparison::{Compared, Timing, Trouble, compare_whole, time};
use super::contents::Contents;
use crate::report::{Figure, Outcome, Row, Section};

/// What is known of a device's kernels.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) known_answers: Vec<Row>,
    rates: Vec<(Row, Option<Key>)>,
    pub(crate) seconds: KernelSeconds,
    /// Rate of the default variant of `label` over the best one of `gather`, at the largest layer.
    pub(crate) label_share_of_gather: Option<f64>,
}

/// What was timed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kernel: &'static str,
    variant: &'static str,
    size: String,
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}, {}", self.kernel, self.variant, self.size)
    }
}

/// Seconds of a dispatch.
#[derive(Debug, Default)]
pub(crate) struct KernelSeconds(BTreeMap<Key, f64>);

impl KernelSeconds {
    /// The default variant of a kernel.
    fn default_of(&self, kernel: &'static str, size: &str) -> Option<f64> {
        let variant = KERNELS.iter().find(|known| known.name == kernel)?.variants.first()?.name;
        self.0.get(&Key { kernel, variant, size: size.to_owned() }).copied()
    }

    /// The rate of `label` in per cent of the best one of `gather`.
    fn share_of_gather(&self, label_seconds: f64, size: &str) -> Option<f64> {
        let gather = self.0.iter().filter(|(key, _)| key.kernel == "gather" && key.size == size);
        let best = gather.map(|(_, &seconds)| seconds).min_by(f64::total_cmp)?;
        Some(100.0 * best / label_seconds)
    }

    /// What the kernels of a window take one after another, if layers of its size were timed.
    pub(crate) fn of_window(&self, shape: WindowShape) -> Option<f64> {
        let size = cases::layer_size(shape.log2_labels());
        let layers = f64::from(shape.layers());
        let first = self.default_of("label_first_layer", &size)?;
        let labels = self.default_of("label", &size)? * (layers - 1.0);
        let trees = self.default_of("subtree", &size)? * layers;
        Some(first + labels + trees)
    }
}

/// Outputs of the timed cases, by kernel and size, and where each came from first.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    first: BTreeMap<String, ([u8; 32], String)>,
    compared_variants: u64,
    compared_adapters: u64,
    differences: Vec<String>,
}

impl Digests {
    /// Compares an output of an adapter with the first of its kind.
    fn compare(&mut self, case: String, adapter: &str, who: &str, digest: [u8; 32]) {
        let who = format!("{adapter} {who}");
        let Some((first, of)) = self.first.get(&case) else {
            self.first.insert(case, (digest, who));
            return;
        };
        if of.starts_with(&format!("{adapter} ")) {
            self.compared_variants += 1;
        } else {
            self.compared_adapters += 1;
        }
        if *first != digest {
            self.differences.push(format!("{case}: {who} differs from {of}"));
        }
    }

    /// How all adapters agree.
    pub(crate) fn section(&self, adapters: usize) -> Section {
        let row = |name: &str, compared: u64| match self.differences.is_empty() {
            true => {
                let figures = vec![Figure::count("whole outputs compared", compared, "")];
                Row { name: name.into(), outcome: Outcome::Ran { figures } }
            }
            false => Row { name: name.into(), outcome: Outcome::Failed { why: self.differences.join("; ") } },
        };
        let absent = |name: &str, why: &str| Row::absent(name, why);
        let (variants, others) = ("variants of one adapter", "adapters against each other");
        let rows = match adapters {
            0 => vec![absent(variants, "no adapter is used"), absent(others, "no adapter is used")],
            1 => vec![row(variants, self.compared_variants), absent(others, "only one adapter is used")],
            _ => vec![row(variants, self.compared_variants), row(others, self.compared_adapters)],
        };
        Section { name: "outputs of kernels against each other".into(), rows }
    }
}

/// Known answers and rates of all kernels.
pub(crate) fn measure(subject: &Subject, contents: &mut Contents, digests: &mut Digests) -> Measured {
    let mut bench = Bench { subject, device: None };
    let mut measured = Measured::default();
    for kernel in KERNELS {
        for variant in kernel.variants {
            let name = format!("{} {}", kernel.name, variant.name);
            if let Some(why) = bench.left_out(variant) {
                measured.known_answers.push(Row::absent(name.clone(), why));
                measured.rates.push((Row::absent(name, why), None));
                continue;
            }
            let compared = bench.compare((kernel, variant), contents, digests);
            measured.known_answers.push(Row::of(name, compared.map(figures)));
            for case in cases::timed(kernel, variant, &subject.scale, contents) {
                let key = Key { kernel: kernel.name, variant: variant.name, size: case.size.clone() };
                let timed = bench.time((kernel, variant), &case, digests);
                if let Ok((seconds, _)) = &timed {
                    measured.seconds.0.insert(key.clone(), *seconds);
                }
                let row = match timed {
                    // What a small device cannot hold is no fault of it; it is opened anew for the next case.
                    Err(why @ (Trouble::TooLarge { .. } | Trouble::Device(Fault::OutOfMemory { .. }))) => {
                        Row::absent(key.to_string(), why.to_string())
                    }
                    timed => Row::of(key.to_string(), timed.map(|(_, figures)| figures)),
                };
                measured.rates.push((row, Some(key)));
            }
        }
    }
    measured.note_shares_of_gather();
    let largest = subject.scale.log2_labels.iter().max().map(|&k| cases::layer_size(k)).unwrap_or_default();
    measured.label_share_of_gather = measured
        .seconds
        .default_of("label", &largest)
        .and_then(|own| measured.seconds.share_of_gather(own, &largest));
    measured
}

impl Measured {
    /// The loads alone as a bound: both kernels move the same bytes. Known once all kernels were timed.
    fn note_shares_of_gather(&mut self) {
        for (row, key) in &mut self.rates {
            if let (Outcome::Ran { figures }, Some(key)) = (&mut row.outcome, key)
                && key.kernel == "label"
                && let Some(&own) = self.seconds.0.get(key)
                && let Some(share) = self.seconds.share_of_gather(own, &key.size)
            {
                figures.push(Figure::new("share of gather", share, "%"));
            }
        }
    }

    /// The rows of rates.
    pub(crate) fn rate_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rates).into_iter().map(|(row, _)| row).collect()
    }
}

fn figures(compared: Compared) -> Vec<Figure> {
    vec![
        Figure::count("compared", compared.items, "items"),
        Figure::count("changes caught", compared.changes_caught, ""),
    ]
}

fn rate_figures(case: &Case, timing: &Timing, ready_seconds: f64) -> Vec<Figure> {
    let per_second = f64::from(case.items) / timing.seconds;
    let mut figures: Vec<_> =
        case.rates.iter().map(|&(per_item, unit)| Figure::new("rate", per_item * per_second, unit)).collect();
    figures.push(Figure::new("dispatch", timing.seconds * 1e3, "ms"));
    figures.push(Figure::new("compiled and run once in", ready_seconds + timing.first_seconds, "s"));
    figures.push(Figure::count("compared", timing.samples, "items"));
    figures
}

/// One device, opened anew after a fault.
struct Bench<'s> {
    subject: &'s Subject,
    device: Option<Device>,
}

impl Bench<'_> {
    /// Why a variant is not tried.
    fn left_out(&self, variant: &Variant) -> Option<&'static str> {
        if variant.needs_int64 && !self.subject.adapter.has_64_bit_integers {
            Some("the adapter's shaders have no 64-bit integers")
        } else if variant.name.contains("unrolled") && !self.subject.scale.has_unrolled {
            Some("left out of quick runs on software adapters, which compile it for very long")
        } else {
            None
        }
    }

    fn device(&mut self) -> Result<&Device, Fault> {
        let is_sound = self.device.as_ref().is_some_and(|device| device.sound().is_ok());
        if !is_sound {
            self.device = None;
        }
        match &mut self.device {
            Some(device) => Ok(device),
            none => Ok(none.insert(Device::open(&self.subject.adapter, options())?)),
        }
    }

    /// Known answers of all small cases.
    fn compare(
        &mut self,
        (kernel, variant): (&'static Kernel, &'static Variant),
        contents: &mut Contents,
        digests: &mut Digests,
    ) -> Result<Compared, Trouble> {
        let adapter = &self.subject.adapter;
        let device = self.device()?;
        let pipeline = device.pipeline(kernel, variant)?;
        let mut all = Compared::default();
        for (number, case) in cases::small(kernel, variant, contents).into_iter().enumerate() {
            let (compared, digest) = compare_whole(device, &pipeline, &case)?;
            all.items += compared.items;
            all.changes_caught += compared.changes_caught;
            let id = format!("{} known answers {number}, {} lanes", kernel.name, variant.lanes);
            digests.compare(id, &adapter.id, variant.name, digest);
        }
        Ok(all)
    }

    /// Seconds of a dispatch over a case, and all that is said of it.
    fn time(
        &mut self,
        (kernel, variant): (&'static Kernel, &'static Variant),
        case: &Case,
        digests: &mut Digests,
    ) -> Result<(f64, Vec<Figure>), Trouble> {
        let Subject { adapter, scale } = self.subject;
        let device = self.device()?;
        let most = adapter.binding_bytes_maximum;
        if let Some(bytes) = case.buffer_bytes().find(|&bytes| bytes > most) {
            return Err(Trouble::TooLarge { bytes, most });
        }
        let began = Instant::now();
        let pipeline = device.pipeline(kernel, variant)?;
        let ready_seconds = began.elapsed().as_secs_f64();
        let timing = time((device, &pipeline), case, scale.submission, scale.repeats)?;
        let id = format!("{}, {} of {} items, {} lanes", kernel.name, case.size, case.items, variant.lanes);
        digests.compare(id, &adapter.id, variant.name, timing.digest);
        Ok((timing.seconds, rate_figures(case, &timing, ready_seconds)))
    }
}

fn options() -> DeviceOptions {
    // Without the checks, as jobs run kernels.
    DeviceOptions { checks: Checks::Off, ..DeviceOptions::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::real;

    #[test]
    fn outputs_that_differ_are_named_and_fail() {
        let mut digests = Digests::default();
        digests.compare("label".into(), "a", "x", [1; 32]);
        digests.compare("label".into(), "a", "y", [1; 32]);
        digests.compare("label".into(), "b", "x", [1; 32]);
        let ran = |compared| Outcome::Ran {
            figures: vec![Figure::new("whole outputs compared", real(compared), "")],
        };
        assert!(digests.section(2).rows.iter().all(|row| row.outcome == ran(1)));
        assert!(matches!(digests.section(1).rows[1].outcome, Outcome::Absent { .. }));
        assert!(matches!(digests.section(0).rows[0].outcome, Outcome::Absent { .. }));
        digests.compare("label".into(), "b", "y", [2; 32]);
        let text = format!("{:?}", digests.section(2));
        assert!(text.contains("Failed") && text.contains("label: b y differs from a x"), "{text}");
    }

    #[test]
    fn a_window_takes_its_layers_and_their_trees() {
        let mut seconds = KernelSeconds::default();
        let shape = WindowShape::new(12, 3).unwrap();
        assert_eq!(seconds.of_window(shape), None);
        for (name, time) in [("label_first_layer", 1.0), ("label", 10.0), ("subtree", 100.0)] {
            let variant = KERNELS.iter().find(|kernel| kernel.name == name).unwrap().variants[0].name;
            seconds.0.insert(Key { kernel: name, variant, size: cases::layer_size(12) }, time);
        }
        assert_eq!(seconds.of_window(shape), Some(321.0));
    }

    #[test]
    fn the_best_variant_of_gather_of_the_same_size_is_the_bound() {
        let mut seconds = KernelSeconds::default();
        assert_eq!(seconds.share_of_gather(4.0, "a"), None);
        for (variant, size, time) in [("x", "a", 3.0), ("y", "a", 2.0), ("x", "b", 1.0)] {
            seconds.0.insert(Key { kernel: "gather", variant, size: size.into() }, time);
        }
        assert_eq!(seconds.share_of_gather(4.0, "a"), Some(50.0));
    }
}
