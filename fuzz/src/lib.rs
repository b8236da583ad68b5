//! Fuzz targets. Each takes any bytes and must neither panic nor break the law stated beside it.
//!
//! `fuzz/run.sh SECONDS` runs them under libFuzzer; `cargo test` runs them over their seeds and over damaged seeds.

mod back_ends;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: the module's, and the seeds' folder.
    pub name: &'static str,
    /// What the fuzzer calls.
    pub run: fn(&[u8]),
    /// Valid inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[Target { name: "back_ends", run: back_ends::run, seeds: back_ends::seeds }];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_hold_on_their_seeds_and_on_damaged_seeds() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{} has no seeds", target.name);
            for seed in seeds {
                (target.run)(&seed);
                for damaged in damage(&seed) {
                    (target.run)(&damaged);
                }
            }
        }
    }

    /// Cut short, too long, and one byte wrong, at places spread over the seed and all over its head.
    fn damage(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let places = (0..seed.len().min(256)).chain((256..seed.len()).step_by(211));
        let at = places.flat_map(|place| {
            let mut flipped = seed.to_vec();
            flipped[place] ^= 0xff;
            [flipped, seed[..place].to_vec()]
        });
        at.chain([[seed, &[0]].concat()])
    }
}
