//! What buffers hold: words without a pattern, the same in every run.

use std::sync::Arc;

/// Words that several cases share without copying them.
pub(crate) type Words = Arc<Vec<u32>>;

/// Words of a field element.
pub(crate) const ELEMENT_WORDS: usize = 12;
/// The bits of the top word that keep an element below p whatever the others are.
const TOP_WORD_MASK: u32 = 0x0fff_ffff;

/// Streams of words, kept so that large ones are made once.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    words: Words,
}

impl Contents {
    /// So many words; the first are the same for every length.
    pub(crate) fn words(&mut self, count: usize) -> Words {
        if self.words.len() < count {
            self.words = Arc::new(stream("words", count));
        }
        if self.words.len() == count {
            Arc::clone(&self.words)
        } else {
            Arc::new(self.words[..count].to_vec())
        }
    }

    /// Numbers below a power of two.
    pub(crate) fn numbers(&mut self, count: usize, bound: u32) -> Words {
        Arc::new(stream("numbers", count).into_iter().map(|word| word & (bound - 1)).collect())
    }
}

/// Elements of the field, below p. The first are 0, 1, the largest that the mask leaves, and one with a limb of ones: carries
/// that run through all limbs.
pub(crate) fn elements(name: &str, count: usize) -> Words {
    let mut words = stream(name, count * ELEMENT_WORDS);
    let edges = [[0; ELEMENT_WORDS], first_word(1), [u32::MAX; ELEMENT_WORDS], first_word(u32::MAX)];
    for (element, edge) in words.as_chunks_mut::<ELEMENT_WORDS>().0.iter_mut().zip(edges) {
        *element = edge;
    }
    words.iter_mut().skip(ELEMENT_WORDS - 1).step_by(ELEMENT_WORDS).for_each(|top| *top &= TOP_WORD_MASK);
    Arc::new(words)
}

fn first_word(word: u32) -> [u32; ELEMENT_WORDS] {
    std::array::from_fn(|i| if i == 0 { word } else { 0 })
}

fn stream(name: &str, count: usize) -> Vec<u32> {
    let mut words = vec![0; count];
    let mut stream = blake3::Hasher::new().update(b"hwtest ").update(name.as_bytes()).finalize_xof();
    stream.fill(bytemuck::cast_slice_mut(&mut words));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_shaders::twin::field::PRIME;

    #[test]
    fn elements_are_below_p_and_the_first_are_edges() {
        let words = elements("test", 100);
        for element in words.as_chunks::<ELEMENT_WORDS>().0 {
            assert!(element.iter().rev().lt(PRIME.iter().rev()));
        }
        assert_eq!((&words[..12], words[12]), (&[0; 12][..], 1));
    }

    #[test]
    fn shorter_streams_are_the_start_of_longer_ones() {
        let mut contents = Contents::default();
        let (long, short) = (contents.words(100), contents.words(40));
        assert_eq!(long[..40], short[..]);
        assert!(contents.numbers(50, 8).iter().all(|&number| number < 8));
    }
}
