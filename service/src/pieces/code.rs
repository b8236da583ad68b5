//! The code over buffers in memory: any k of n shards give the others (pieces-v1 §4).

use reed_solomon_simd::engine::DefaultEngine;
use reed_solomon_simd::rate::{HighRateDecoder, HighRateEncoder, RateDecoder, RateEncoder};

use super::Policy;

/// What bounds memory: all shards of what is coded at once have about so many bytes.
const BATCH_BYTES: u64 = 4 << 20;
/// Stripes that are coded at once at most: the decoder's tables cost about a millisecond a call, whatever it decodes.
const BATCH_STRIPES_MAX: u64 = 64;

/// Why the code's calls cannot fail.
const CHECKED: &str = "counts are the policy's and lengths are equal multiples of 64";

/// The code of one policy. Shards are buffers of equal lengths, multiples of 64 bytes, first the k of data.
pub(super) struct Code {
    data_shards: usize,
    shards: usize,
    /// Kept for its working memory.
    encoder: Option<HighRateEncoder<DefaultEngine>>,
    decoder: Option<HighRateDecoder<DefaultEngine>>,
}

impl Code {
    pub(super) fn new(policy: Policy) -> Code {
        let (data_shards, shards) = (policy.data_shards().into(), policy.shards().into());
        Code { data_shards, shards, encoder: None, decoder: None }
    }

    /// Whether all shards are the bytes of the segment: replicas.
    pub(super) fn shards_are_equal(&self) -> bool {
        self.data_shards == 1
    }

    /// How many whole stripes are coded at once.
    pub(super) fn batch_stripes(&self) -> u64 {
        (BATCH_BYTES / (self.shards as u64 * super::PART_BYTES)).clamp(1, BATCH_STRIPES_MAX)
    }

    /// Buffers for all shards, empty.
    pub(super) fn buffers(&self) -> Vec<Vec<u8>> {
        vec![Vec::new(); self.shards]
    }

    /// Makes the parity shards from the data shards.
    pub(super) fn extend(&mut self, shards: &mut [Vec<u8>]) {
        let (data, parity) = shards.split_at_mut(self.data_shards);
        let length = data[0].len();
        if self.shards_are_equal() {
            parity.iter_mut().for_each(|copy| copy.clone_from(&data[0]));
            return;
        }
        if parity.is_empty() {
            return;
        }
        let encoder = match &mut self.encoder {
            Some(encoder) => {
                encoder.reset(data.len(), parity.len(), length).expect(CHECKED);
                encoder
            }
            none => none.insert(
                HighRateEncoder::new(data.len(), parity.len(), length, DefaultEngine::new(), None)
                    .expect(CHECKED),
            ),
        };
        for shard in data.iter() {
            encoder.add_original_shard(shard).expect(CHECKED);
        }
        let encoded = encoder.encode().expect(CHECKED);
        for (shard, made) in parity.iter_mut().zip(encoded.recovery_iter()) {
            shard.clear();
            shard.extend_from_slice(made);
        }
    }

    /// Makes the data shards that are not among the k of `known`; the others' buffers are not looked at.
    pub(super) fn restore(&mut self, shards: &mut [Vec<u8>], known: &[usize]) {
        if self.shards_are_equal() {
            if known[0] != 0 {
                let copy = std::mem::take(&mut shards[known[0]]);
                shards[0].clone_from(&copy);
                shards[known[0]] = copy;
            }
            return;
        }
        if known.iter().all(|&shard| shard < self.data_shards) {
            return;
        }
        let (data, parity) = (self.data_shards, self.shards - self.data_shards);
        let length = shards[known[0]].len();
        let decoder = match &mut self.decoder {
            Some(decoder) => {
                decoder.reset(data, parity, length).expect(CHECKED);
                decoder
            }
            none => none.insert(
                HighRateDecoder::new(data, parity, length, DefaultEngine::new(), None).expect(CHECKED),
            ),
        };
        for &shard in known {
            match shard.checked_sub(data) {
                None => decoder.add_original_shard(shard, &shards[shard]).expect(CHECKED),
                Some(parity) => decoder.add_recovery_shard(parity, &shards[shard]).expect(CHECKED),
            }
        }
        let restored = decoder.decode().expect(CHECKED);
        for (shard, made) in restored.restored_original_iter() {
            shards[shard].clear();
            shards[shard].extend_from_slice(made);
        }
    }
}
