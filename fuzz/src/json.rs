//! JSON forms: policy and manifest. What is accepted is accepted again when written, and is safe to calculate with.

use holdfast_engine::challenge::SAMPLES_MAX;
use holdfast_engine::policy::Policy;
use holdfast_partition::allocate::{DiskSpace, Stake, StakeTable, WindowShape, plan};
use holdfast_partition::manifest::{Manifest, Miner, Network, Partition, Registration, Space, Window};
use holdfast_tests::partition::{registration, shape};

/// Sample counts of an accepted policy are within the challenge's limits for any shape.
pub(crate) fn policy(bytes: &[u8]) -> bool {
    let Some(policy) = std::str::from_utf8(bytes).ok().and_then(|text| Policy::from_json(text).ok()) else {
        return false;
    };
    for (log2_labels, layers, windows) in [(10, 2, 1), (21, 12, 100), (25, 16, 1 << 20), (30, 64, u64::MAX)] {
        if let Ok(samples) = policy.samples(log2_labels, layers, windows) {
            assert!((1..=SAMPLES_MAX).contains(&samples) && u64::from(samples) <= windows);
        }
    }
    let written = serde_json::to_string(&policy).expect("a policy is JSON");
    assert_eq!(Policy::from_json(&written).ok(), Some(policy));
    true
}

pub(crate) fn policy_seeds() -> Vec<Vec<u8>> {
    [Policy::standard(), Policy::test()].map(|policy| json(&policy)).into()
}

pub(crate) fn manifest(bytes: &[u8]) -> bool {
    Manifest::decode(bytes).is_ok_and(|manifest| {
        assert_eq!(Manifest::decode(&json(&manifest)).ok(), Some(manifest));
        true
    })
}

/// One validator, registered.
pub(crate) fn manifest_seeds() -> Vec<Vec<u8>> {
    let stakes = StakeTable::new(vec![Stake { uid: 0, hotkey: "alice".into(), stake: 900.0 }]);
    let disk = DiskSpace { free_bytes: 3 << 30, already_allocated_bytes: 0, threshold: 0.5, max_bytes: None };
    let windows = WindowShape { k: 19, layers: 12, minimum_windows: 1 };
    let plan = plan(&stakes.expect("one row"), &disk, &windows).expect("space for a window");

    let network = Network { name: "simulated".into(), netuid: 21, chain_source: "stakes.json".into() };
    let miner = Miner { wallet_name: None, hotkey_name: None, hotkey: "bob".into() };
    let window = Window { profile: "swift".into(), k: 19, layers: 12, window_bytes: 16 << 20 };
    let space = Space::new(&plan, 0.5, 4 << 30);
    let mut manifest = Manifest::new(4711, network, miner, space, window);
    let share = &plan.shares[0];
    let mut partition = Partition::new(0, "0.holdfast".into(), "bob".into(), share, plan.window_cap, 0);
    let mut registered = registration(shape(19, 12), 40);
    registered.intent.window_cap = plan.window_cap;
    partition.registration = Some(Registration {
        partition_id: registered.partition_id,
        intent_height: registered.intent_height,
        beacon: hex::encode(registered.beacon),
        bytes: hex::encode(registered.encode()),
        digest: hex::encode(registered.digest()),
    });
    manifest.partitions.push(partition);
    vec![json(&manifest)]
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data is JSON")
}
