//! pieces-v1 as plainly as it is written: the code by its formula over the field, ChaCha20 by RFC 8439, byte by byte. Shares nothing
//! with the service or the crates that it uses.

use super::plain::derive;

/// Bytes of a part of a whole stripe.
const PART: usize = 16_384;
const POLYNOMIAL: u32 = 0x1_002d;
const BASIS: [u16; 16] = [
    0x0001, 0xacca, 0x3c0e, 0x163e, 0xc582, 0xed2e, 0x914c, 0x4012, 0x6c98, 0x10d8, 0x6a72, 0xb900, 0xfdb8,
    0xfb34, 0xff38, 0x991e,
];

/// GF(2^16); an element is its sixteen coordinates in the basis.
pub(crate) struct Field {
    coordinates: Vec<u16>,
}

impl Field {
    pub(crate) fn new() -> Field {
        let mut coordinates = vec![0; 1 << 16];
        for element in 0..=u16::MAX {
            coordinates[usize::from(polynomial(element))] = element;
        }
        Field { coordinates }
    }

    pub(crate) fn multiply(&self, a: u16, b: u16) -> u16 {
        let (a, b) = (u32::from(polynomial(a)), u32::from(polynomial(b)));
        let mut product = 0u32;
        for bit in (0..16).rev() {
            product <<= 1;
            if product >> 16 != 0 {
                product ^= POLYNOMIAL;
            }
            if b >> bit & 1 != 0 {
                product ^= a;
            }
        }
        self.coordinates[product as usize]
    }

    /// a^(2^16 − 2).
    fn inverse(&self, a: u16) -> u16 {
        let (mut power, mut inverse) = (a, 1);
        for _ in 1..16 {
            power = self.multiply(power, power);
            inverse = self.multiply(inverse, power);
        }
        inverse
    }

    /// What data shard `j` counts in parity shard `i`.
    pub(crate) fn coefficient(&self, i: usize, j: usize, parity: usize) -> u16 {
        let m = parity.next_power_of_two();
        let point = (m + j) as u16;
        let mut vanishing = point;
        for _ in 0..m.trailing_zeros() {
            vanishing ^= self.multiply(vanishing, vanishing);
        }
        self.multiply(vanishing, self.inverse(point ^ i as u16))
    }

    /// The parity shards of data shards.
    pub(crate) fn parity(&self, data: &[Vec<u8>], shards: usize) -> Vec<Vec<u8>> {
        if data.len() == 1 {
            return vec![data[0].clone(); shards - 1];
        }
        let parity = shards - data.len();
        (0..parity)
            .map(|i| {
                let mut shard = vec![0; data[0].len()];
                for (j, data) in data.iter().enumerate() {
                    let coefficient = self.coefficient(i, j, parity);
                    for (sum, data) in shard.chunks_mut(64).zip(data.chunks(64)) {
                        for t in 0..32 {
                            let element = u16::from(data[t]) | u16::from(data[32 + t]) << 8;
                            let [low, high] = self.multiply(coefficient, element).to_le_bytes();
                            sum[t] ^= low;
                            sum[32 + t] ^= high;
                        }
                    }
                }
                shard
            })
            .collect()
    }
}

/// The polynomial of an element, bit b for x^b.
fn polynomial(element: u16) -> u16 {
    (0..16).filter(|bit| element >> bit & 1 != 0).fold(0, |sum, bit| sum ^ BASIS[bit])
}

/// A coding.
#[derive(Clone, Copy)]
pub(crate) struct Coding {
    pub(crate) segment_bytes: u64,
    pub(crate) k: u8,
    pub(crate) n: u8,
}

/// The shards of a segment.
pub(crate) fn shards(field: &Field, segment: &[u8], coding: Coding) -> Vec<Vec<u8>> {
    let k = usize::from(coding.k);
    let mut data = vec![Vec::new(); k];
    for stripe in segment.chunks(k * PART) {
        let part = stripe.len().div_ceil(k).next_multiple_of(64);
        let mut padded = stripe.to_vec();
        padded.resize(k * part, 0);
        for (shard, part) in data.iter_mut().zip(padded.chunks(part)) {
            shard.extend_from_slice(part);
        }
    }
    let parity = field.parity(&data, coding.n.into());
    data.into_iter().chain(parity).collect()
}

/// The key of a piece's layer.
pub(crate) fn layer_key(
    secret: &[u8; 32],
    coding: Coding,
    segment: u32,
    shard: u8,
    generation: u32,
) -> [u8; 32] {
    let policy = [&coding.segment_bytes.to_le_bytes()[..], &[coding.k, coding.n]].concat();
    let piece = [&segment.to_le_bytes()[..], &[shard], &generation.to_le_bytes()].concat();
    derive("piece layer", &[secret, &policy, &piece])
}

/// The shard with the layer, or the other way round.
pub(crate) fn covered(key: &[u8; 32], bytes: &[u8]) -> Vec<u8> {
    let blocks = bytes.chunks(64).zip(0..);
    blocks
        .flat_map(|(block, counter)| {
            block.iter().zip(chacha20(key, counter)).map(|(a, b)| a ^ b).collect::<Vec<_>>()
        })
        .collect()
}

/// A block of ChaCha20's keystream with a nonce of zeros (RFC 8439 §2.3).
pub(crate) fn chacha20(key: &[u8; 32], counter: u32) -> [u8; 64] {
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let mut start = [0u32; 16];
    for (word_, bytes) in start.iter_mut().zip(b"expand 32-byte k".chunks(4).chain(key.chunks(4))) {
        *word_ = word(bytes);
    }
    start[12] = counter;
    let mut state = start;
    for round in 0..20 {
        let diagonal = if round % 2 == 0 { 0 } else { 1 };
        for column in 0..4 {
            let at = |row: usize| 4 * row + (column + diagonal * row) % 4;
            let [a, b, c, d] = [at(0), at(1), at(2), at(3)];
            for (x, y, z, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
                state[x] = state[x].wrapping_add(state[y]);
                state[z] = (state[z] ^ state[x]).rotate_left(turn);
            }
        }
    }
    let mut block = [0; 64];
    for ((bytes, state), start) in block.chunks_mut(4).zip(state).zip(start) {
        bytes.copy_from_slice(&state.wrapping_add(start).to_le_bytes());
    }
    block
}

/// Test vectors 1 and 2 of RFC 8439, appendix A.1: a key and a nonce of zeros.
#[test]
fn chacha20_is_the_rfcs() {
    let first = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7\
                 da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586";
    assert_eq!(hex::encode(chacha20(&[0; 32], 0)), first);
    let second = "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed\
                  29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f";
    assert_eq!(hex::encode(chacha20(&[0; 32], 1)), second);
}

/// The laws of a field, on a walk through it.
#[test]
fn the_field_is_one() {
    let field = Field::new();
    let walk: Vec<u16> = (1..60).map(|step: u16| step.wrapping_mul(40_503)).collect();
    for triple in walk.windows(3) {
        let [a, b, c] = triple else { panic!("three") };
        assert_eq!(field.multiply(field.multiply(*a, *b), *c), field.multiply(*a, field.multiply(*b, *c)));
        assert_eq!(field.multiply(*a, b ^ c), field.multiply(*a, *b) ^ field.multiply(*a, *c));
        assert_eq!(field.multiply(*a, field.inverse(*a)), 1);
        assert_eq!(field.multiply(*a, 1), *a);
    }
}
