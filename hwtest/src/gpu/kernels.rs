//! Every kernel and variant of one device: known answers, then rates; and the outputs of all of them against each other.

use std::collections::BTreeMap;
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
    pub(crate) rates: Vec<Row>,
    pub(crate) seconds: KernelSeconds,
    /// Rate of the default variant of `label` over the best one of `gather`, at the largest layer.
    pub(crate) label_share_of_gather: Option<f64>,
}

/// Seconds of a dispatch by kernel, variant and size.
#[derive(Debug, Default)]
pub(crate) struct KernelSeconds(BTreeMap<(&'static str, &'static str, String), f64>);

impl KernelSeconds {
    /// The default variant of a kernel.
    fn default_of(&self, kernel: &'static str, size: &str) -> Option<f64> {
        let variant = KERNELS.iter().find(|known| known.name == kernel)?.variants.first()?.name;
        self.0.get(&(kernel, variant, size.to_owned())).copied()
    }

    fn best_of(&self, kernel: &str, size: &str) -> Option<f64> {
        let of_kernel = self.0.iter().filter(|(key, _)| key.0 == kernel && key.2 == size);
        of_kernel.map(|(_, &seconds)| seconds).min_by(f64::total_cmp)
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
    let mut timed = Vec::new();
    for (kernel, variant) in
        KERNELS.iter().flat_map(|kernel| kernel.variants.iter().map(move |v| (kernel, v)))
    {
        let name = format!("{} {}", kernel.name, variant.name);
        if let Some(why) = bench.left_out(variant) {
            measured.known_answers.push(Row::absent(name.clone(), why));
            measured.rates.push(Row::absent(name, why));
            continue;
        }
        let compared = bench.compare(kernel, variant, contents);
        measured.known_answers.push(Row::of(name.clone(), compared.map(figures)));
        for case in cases::timed(kernel, variant, &subject.scale, contents) {
            let name = format!("{name}, {}", case.size);
            match bench.time(kernel, variant, &case) {
                Ok((timing, ready_seconds)) => {
                    let id = format!("{}, {}, {} lanes", kernel.name, case.size, variant.lanes);
                    digests.compare(id, &subject.adapter.id, variant.name, timing.digest);
                    let key = (kernel.name, variant.name, case.size.clone());
                    measured.seconds.0.insert(key, timing.seconds);
                    timed.push((
                        name,
                        kernel,
                        case.size.clone(),
                        rate_figures(&case, &timing, ready_seconds),
                    ));
                }
                Err(trouble) => measured.rates.push(Row::of(name, Err(trouble))),
            }
        }
    }
    for (name, kernel, size, mut figures) in timed {
        if kernel.name == "label" {
            figures.extend(share_of_gather(&measured.seconds, &name, &size));
        }
        measured.rates.push(Row { name, outcome: Outcome::Ran { figures } });
    }
    let largest = subject.scale.log2_labels.iter().max().map(|&k| cases::layer_size(k)).unwrap_or_default();
    let seconds = &measured.seconds;
    measured.label_share_of_gather = seconds
        .best_of("gather", &largest)
        .and_then(|gather| Some(100.0 * gather / seconds.default_of("label", &largest)?));
    measured
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

/// The loads alone as a bound: both kernels move the same bytes.
fn share_of_gather(seconds: &KernelSeconds, name: &str, size: &str) -> Option<Figure> {
    let own = seconds.0.iter().find(|(key, _)| format!("{} {}, {}", key.0, key.1, key.2) == name)?.1;
    Some(Figure::new("share of gather", 100.0 * seconds.best_of("gather", size)? / own, "%"))
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

    fn compare(
        &mut self,
        kernel: &'static Kernel,
        variant: &'static Variant,
        contents: &mut Contents,
    ) -> Result<Compared, Trouble> {
        let device = self.device()?;
        let pipeline = device.pipeline(kernel, variant)?;
        let mut all = Compared::default();
        for case in cases::small(kernel, variant, contents) {
            let compared = compare_whole(device, &pipeline, &case)?;
            all.items += compared.items;
            all.changes_caught += compared.changes_caught;
        }
        Ok(all)
    }

    /// The time of a case, and the seconds until its pipeline was there.
    fn time(
        &mut self,
        kernel: &'static Kernel,
        variant: &'static Variant,
        case: &Case,
    ) -> Result<(Timing, f64), Trouble> {
        let (submission, repeats) = (self.subject.scale.submission, self.subject.scale.repeats);
        let device = self.device()?;
        let began = Instant::now();
        let pipeline = device.pipeline(kernel, variant)?;
        let ready_seconds = began.elapsed().as_secs_f64();
        Ok((time((device, &pipeline), case, submission, repeats)?, ready_seconds))
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
            seconds.0.insert((name, variant, cases::layer_size(12)), time);
        }
        assert_eq!(seconds.of_window(shape), Some(321.0));
    }
}
