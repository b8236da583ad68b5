//! What the tests here add to the fault-injecting medium.

use std::sync::Arc;

use holdfast_partition::io::FaultyIo;
use holdfast_partition::io::faulty::Faults;

/// SplitMix64: seeds that differ in one bit give streams that have nothing in common.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// An empty disk without faults.
pub(crate) fn new_disk() -> Arc<FaultyIo> {
    Arc::new(FaultyIo::new(Faults::default()))
}

/// A disk as it may be after the power came back, with these faults from then on.
pub(crate) fn after_power_loss(disk: &FaultyIo, random: &mut Random, faults: Faults) -> Arc<FaultyIo> {
    Arc::new(FaultyIo::from_image(disk.power_cut(random.next()), faults))
}
