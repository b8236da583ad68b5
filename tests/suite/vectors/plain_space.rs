//! space-v1 and challenge-v1 as plainly as they are written; see `plain.rs`.

use blake3::hazmat::HasherExt;

use super::plain::{Draws, derive, opening};

/// Bytes put together by hand.
pub(crate) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// A partition of two windows with 2^10 labels a layer.
pub(crate) struct Partition {
    pub(crate) layers: u8,
    pub(crate) intent: Vec<u8>,
    pub(crate) registration: Vec<u8>,
    pub(crate) windows: Vec<Window>,
}

pub(crate) const K: u8 = 10;
pub(crate) const INTENT_HEIGHT: u64 = 1_000;
pub(crate) const BATCH_HEIGHT: u64 = 1_020;
pub(crate) const FINALITY_BLOCKS: u64 = 10;
const WINDOWS: u64 = 2;

pub(crate) struct Window {
    pub(crate) key: [u8; 32],
    /// Bytes of layers 1 … ℓ.
    pub(crate) layers: Vec<Vec<u8>>,
}

pub(crate) fn layer_key(window_key: &[u8; 32], layer: u8) -> [u8; 32] {
    derive("space layer key", &[window_key, &u32::from(layer).to_le_bytes()])
}

/// Edge constants `(a, c)` in the order t, r.
pub(crate) fn edge_constants(layer_key: &[u8; 32]) -> Vec<(u32, u32)> {
    let mut bytes = [0; 336];
    blake3::Hasher::new_derive_key("holdfast v1 space edges")
        .update(layer_key)
        .finalize_xof()
        .fill(&mut bytes);
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    bytes.chunks(8).map(|pair| (word(&pair[..4]) | 1, word(&pair[4..]))).collect()
}

/// The eight parents of node `v`, itself first.
pub(crate) fn parents(layer_key: &[u8; 32], v: u32) -> Vec<u32> {
    let constants = edge_constants(layer_key);
    let mut parents = vec![v];
    for t in 0..7 {
        let mut x = v;
        for (a, c) in &constants[6 * t..6 * t + 6] {
            x = ((u64::from(*a) * u64::from(x) + u64::from(*c)) % (1 << K)) as u32;
            x ^= x >> u32::from(K).div_ceil(3);
        }
        parents.push(x);
    }
    parents
}

fn chunkcv(key: &[u8; 32], counter: u64, message: &[u8]) -> [u8; 32] {
    blake3::Hasher::new_keyed(key).set_input_offset(counter * 1024).update(message).finalize_non_root()
}

fn next_layer(key: &[u8; 32], previous: Option<&Vec<u8>>) -> Vec<u8> {
    let label = |v: u32| {
        let message = match previous {
            None => vec![0; 32],
            Some(labels) => {
                parents(key, v).iter().flat_map(|&p| labels[p as usize * 32..][..32].to_vec()).collect()
            }
        };
        chunkcv(key, u64::from(v), &message)
    };
    (0..1 << K).flat_map(label).collect()
}

impl Partition {
    /// An honest one of ℓ layers.
    pub(crate) fn new(layers: u8) -> Partition {
        Partition::with(layers, |_, _| ())
    }

    /// `change` may alter a layer before the next one is made of it.
    pub(crate) fn with(layers: u8, change: impl Fn(u8, &mut Vec<u8>)) -> Partition {
        let network = derive("network", &[&[0x11; 32], &29u16.to_le_bytes()]);
        let intent = join(&[
            b"HFI1",
            &[K, layers, 0, 0],
            &5u64.to_le_bytes(),
            &network,
            &[0x22; 32],
            &[0x33; 32],
            &1u64.to_le_bytes(),
        ]);
        let registration = join(&[&intent, &7u64.to_le_bytes(), &INTENT_HEIGHT.to_le_bytes(), &[0x44; 32]]);
        let window = |w: u64| {
            let key = derive("space window key", &[&registration, &w.to_le_bytes()]);
            let mut made: Vec<Vec<u8>> = Vec::new();
            for layer in 1..=layers {
                let mut bytes = next_layer(&layer_key(&key, layer), made.last());
                change(layer, &mut bytes);
                made.push(bytes);
            }
            Window { key, layers: made }
        };
        let windows = (0..WINDOWS).map(window).collect();
        Partition { layers, intent, registration, windows }
    }

    pub(crate) fn registration_digest(&self) -> [u8; 32] {
        derive("registration", &[&self.registration])
    }

    pub(crate) fn record(&self, w: u64) -> Vec<u8> {
        let window = &self.windows[w as usize];
        let roots = window.layer_roots();
        join(&[
            b"HFW1",
            &[K, self.layers, 0, 0],
            &w.to_le_bytes(),
            &window.key,
            &roots[roots.len() - 32..],
            &hash(&roots),
            &[0; 912],
        ])
    }

    pub(crate) fn table(&self) -> Vec<u8> {
        (0..WINDOWS).flat_map(|w| self.record(w)).collect()
    }

    pub(crate) fn partition_root(&self) -> [u8; 32] {
        hash(&self.table())
    }

    pub(crate) fn commitment(&self) -> Vec<u8> {
        join(&[
            b"HFC1",
            &1u32.to_le_bytes(),
            &self.registration,
            &[0; 64],
            &batch(WINDOWS, BATCH_HEIGHT, &self.partition_root()),
            &self.table(),
        ])
    }

    pub(crate) fn commitment_signing_digest(&self) -> [u8; 32] {
        let parts: [&[u8]; 3] = [&self.registration_digest(), &WINDOWS.to_le_bytes(), &self.partition_root()];
        derive("commitment signing", &parts)
    }

    /// A challenge of kind 1 or 2 with q samples.
    pub(crate) fn challenge(&self, kind: u8, q: u32) -> Vec<u8> {
        join(&[
            b"HFQ1",
            &[kind, K, self.layers, 0],
            &1_031u64.to_le_bytes(),
            &self.registration[120..128],
            &0u64.to_le_bytes(),
            &WINDOWS.to_le_bytes(),
            &[0x55; 32],
            &self.intent[16..48],
            &self.intent[80..112],
            &self.intent[48..80],
            &self.registration_digest(),
            &self.partition_root(),
            &q.to_le_bytes(),
            &5_000u32.to_le_bytes(),
        ])
    }

    /// The space response to a challenge of this partition.
    pub(crate) fn space_response(&self, challenge: &[u8]) -> Vec<u8> {
        let mut response = header(challenge);
        for (w, chunk) in space_samples(challenge) {
            let window = &self.windows[w as usize];
            response.extend(opening(&window.layers[window.layers.len() - 1], chunk));
        }
        response
    }

    /// The seal response to a challenge of this partition.
    pub(crate) fn seal_response(&self, challenge: &[u8]) -> Vec<u8> {
        let mut response = header(challenge);
        for w in windows(challenge) {
            let window = &self.windows[w as usize];
            response.extend(window.layer_roots());
            for (layer, v) in seal_nodes(challenge, w) {
                let open =
                    |layer: u8, v: u32| opening(&window.layers[usize::from(layer) - 1], u64::from(v) / 32);
                response.extend(open(layer, v));
                if layer > 1 {
                    let parents = parents(&layer_key(&window.key, layer), v);
                    response.extend(parents.into_iter().flat_map(|p| open(layer - 1, p)));
                }
            }
        }
        response
    }
}

impl Window {
    /// Roots of layers 1 … ℓ, joined.
    pub(crate) fn layer_roots(&self) -> Vec<u8> {
        self.layers.iter().flat_map(|bytes| hash(bytes)).collect()
    }
}

pub(crate) fn batch(end: u64, height: u64, root: &[u8; 32]) -> Vec<u8> {
    join(&[&end.to_le_bytes(), &height.to_le_bytes(), root])
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
}

pub(crate) fn seed(challenge: &[u8]) -> [u8; 32] {
    derive("challenge seed", &[&challenge[..232]])
}

pub(crate) fn challenge_digest(challenge: &[u8]) -> [u8; 32] {
    derive("challenge digest", &[challenge])
}

pub(crate) fn windows(challenge: &[u8]) -> Vec<u64> {
    let (first, count, q) = (u64_at(challenge, 24), u64_at(challenge, 32), u32_at(challenge, 232));
    let drawn = Draws::new("space windows", &[&seed(challenge)]).shuffled(count, q as usize);
    drawn.into_iter().map(|w| first + w).collect()
}

/// (window, chunk) in order.
pub(crate) fn space_samples(challenge: &[u8]) -> Vec<(u64, u64)> {
    let mut chunks = Draws::new("space chunks", &[&seed(challenge)]);
    windows(challenge).into_iter().map(|w| (w, chunks.below(1 << (challenge[5] - 5)))).collect()
}

/// (layer, node) in order.
pub(crate) fn seal_nodes(challenge: &[u8], window: u64) -> Vec<(u8, u32)> {
    let (k, layers) = (challenge[5], challenge[6]);
    let mut draws = Draws::new("seal nodes", &[&seed(challenge), &window.to_le_bytes()]);
    let mut nodes = Vec::new();
    for layer in 1..=layers {
        let count = if layer >= layers - 1 { 2 } else { 1 };
        nodes.extend(draws.shuffled(1 << k, count).into_iter().map(|v| (layer, v as u32)));
    }
    nodes
}

fn header(challenge: &[u8]) -> Vec<u8> {
    join(&[b"HFA1", &[challenge[4], 0, 0, 0], &challenge[232..236], &[0; 4], &challenge_digest(challenge)])
}
