//! Every kernel with buffers of a size, its parameters, and its twin: what is compared, and what is timed.

mod blake3;
mod curve;

use std::fmt;

use bytemuck::Pod;
use holdfast_shaders::registry::{Kernel, Variant};
use holdfast_shaders::twin::Invocation;

use super::contents::{Contents, Words};
use super::scale::Scale;

/// What a buffer holds where no kernel may write.
pub(crate) const UNTOUCHED: u32 = 0xdead_beef;

/// The items `first …` of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// A kernel with everything bound.
pub(crate) struct Case {
    /// What distinguishes it from other cases of the kernel.
    pub(crate) size: String,
    /// What the read bindings hold, in their order.
    pub(crate) inputs: Vec<Words>,
    /// Items of the whole range, each of which writes one unit of the output.
    pub(crate) items: u32,
    /// Words of a unit.
    pub(crate) unit_words: usize,
    /// What the negative control changes: a word of an input that an item in the middle reads; `None`: the parameters' first byte.
    pub(crate) control: Option<(usize, usize)>,
    /// What a second has of these, from what an item has, and the unit.
    pub(crate) rates: Vec<(f64, &'static str)>,
    parameters: Box<dyn Fn(Range) -> Vec<u8>>,
    twin: Twin,
}

/// Writes the unit of an item, counted within the range.
type Twin = Box<dyn Fn(u32, Range, &[Words], &mut [u32])>;

impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Case")
            .field("size", &self.size)
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}

impl Case {
    pub(crate) fn parameters(&self, range: Range) -> Vec<u8> {
        (self.parameters)(range)
    }

    pub(crate) fn whole(&self) -> Range {
        Range { first: 0, count: self.items }
    }

    /// Bytes of each of its buffers.
    pub(crate) fn buffer_bytes(&self) -> impl Iterator<Item = u64> {
        self.inputs.iter().map(|words| words.len()).chain([self.output_words()]).map(|words| 4 * words as u64)
    }

    /// Words of the output.
    pub(crate) fn output_words(&self) -> usize {
        self.items as usize * self.unit_words
    }

    /// Has the twin write the units of these items of the whole range.
    pub(crate) fn write(&self, range: Range, items: impl Iterator<Item = u32>, output: &mut [u32]) {
        for item in items {
            (self.twin)(item, range, &self.inputs, output);
        }
    }
}

/// The place of an invocation of a one-dimensional dispatch; the twins ask for no more.
fn invocation(index: u32) -> Invocation {
    Invocation { global: [index, 0, 0], workgroups: [u32::MAX, 1, 1], workgroup: 1 }
}

fn bytes(parameters: impl Pod) -> Vec<u8> {
    bytemuck::bytes_of(&parameters).to_vec()
}

/// What cases over layers of 2^k labels are called.
pub(crate) fn layer_size(log2_labels: u8) -> String {
    format!("{} layer", super::byte_size(32 << log2_labels))
}

/// A small case for known answers. Several for kernels that compute differently at different parameters.
pub(crate) fn small(kernel: &Kernel, variant: &Variant, contents: &mut Contents) -> Vec<Case> {
    match kernel.name {
        "commit" => [4, 5, 12].map(|width_bits| curve::commit(curve::short(width_bits), 9, contents)).into(),
        "commit_fold" => [4, 5, 12].map(|width_bits| curve::commit_fold(curve::short(width_bits), 70)).into(),
        "field_test" => {
            (0..curve::FIELD_OPERATIONS).map(|operation| curve::field_test(810, 3, operation)).collect()
        }
        "curve_test" => {
            (0..curve::CURVE_OPERATIONS).map(|operation| curve::curve_test(150, 3, operation)).collect()
        }
        _ => blake3::case(kernel, variant, 10, contents).into_iter().collect(),
    }
}

/// The cases that are timed.
pub(crate) fn timed(kernel: &Kernel, variant: &Variant, scale: &Scale, contents: &mut Contents) -> Vec<Case> {
    let is_default = kernel.variants.first().is_some_and(|first| first.name == variant.name);
    // Every width for the default variant, the last one for all.
    let widths = if is_default {
        scale.commit_widths_bits
    } else {
        &scale.commit_widths_bits[scale.commit_widths_bits.len() - 1..]
    };
    let shapes = widths.iter().filter_map(|&width_bits| curve::production(width_bits));
    match kernel.name {
        "commit" => shapes.map(|shape| curve::commit(shape, scale.commit_blocks, contents)).collect(),
        "commit_fold" => shapes.map(|shape| curve::commit_fold(shape, scale.commit_blocks)).collect(),
        "field_test" => vec![curve::field_test(scale.field.0, scale.field.1, 0)],
        "curve_test" => vec![curve::curve_test(scale.curve.0, scale.curve.1, 0)],
        _ => scale.log2_labels.iter().filter_map(|&k| blake3::case(kernel, variant, k, contents)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_engine::backend::gpu::adapter::Kind;
    use holdfast_shaders::registry::KERNELS;

    /// A kernel that is added and forgotten here would be passed over in silence.
    #[test]
    fn every_kernel_has_cases_whose_buffers_fit_its_bindings() {
        let mut contents = Contents::default();
        let scale = Scale::of(Kind::Software, true);
        for kernel in KERNELS {
            for variant in kernel.variants {
                let cases =
                    [small(kernel, variant, &mut contents), timed(kernel, variant, &scale, &mut contents)];
                for case in
                    cases.iter().inspect(|cases| assert!(!cases.is_empty(), "{}", kernel.name)).flatten()
                {
                    assert_eq!(case.inputs.len() + 2, kernel.bindings.len(), "{}", kernel.name);
                    assert_eq!(
                        case.unit_words * 4,
                        kernel.bindings.last().unwrap().unit_bytes,
                        "{}",
                        kernel.name
                    );
                    assert_eq!(case.parameters(case.whole()).len(), kernel.bindings[0].unit_bytes);
                    let mut output = vec![UNTOUCHED; case.output_words()];
                    case.write(case.whole(), [0, case.items - 1].into_iter(), &mut output);
                    let last = output.len() - case.unit_words;
                    assert!(output[..case.unit_words] != vec![UNTOUCHED; case.unit_words], "{}", kernel.name);
                    assert!(output[last..] != vec![UNTOUCHED; case.unit_words], "{}", kernel.name);
                }
            }
        }
    }
}
