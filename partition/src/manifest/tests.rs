use std::path::Path;

use super::*;
use crate::allocate::{DiskSpace, Stake, StakeTable, WindowShape, plan};

/// FileTAO's prototype: its name of a field, ours.
const PROTOTYPE_FIELDS: [(&str, &str); 22] = [
    ("i", "partitions[].index"),
    ("block", "block"),
    ("subtensor", "network.chain_source"),
    ("wallet_name", "miner.wallet_name"),
    ("wallet_hotkey", "miner.hotkey_name"),
    ("netuid", "network.netuid"),
    ("path", "partitions[].path"),
    ("owner", "partitions[].owner"),
    ("validator", "partitions[].validator_hotkey"),
    ("stake", "partitions[].stake"),
    ("size", "partitions[].size_bytes"),
    ("h_size", "partitions[].size"),
    ("threshold", "space.threshold_percent"),
    ("threshold_space", "space.threshold_bytes"),
    ("h_threshold_space", "space.threshold"),
    ("threshold_percent", "space.threshold_percent"),
    ("availble_space", "space.available_bytes"),
    ("h_available_space", "space.available"),
    ("available_percent", "space.available_percent"),
    ("n_chunks", "partitions[].windows"),
    ("chunk_size", "window.window_bytes"),
    ("seed", "partitions[].registration.digest"),
];

fn sample() -> Manifest {
    let stake = |uid, hotkey: &str, stake| Stake { uid, hotkey: hotkey.to_owned(), stake };
    let table = StakeTable::new(vec![stake(0, "5Ea", 900.0), stake(7, "5Eb", 100.5)]).unwrap();
    let disk = DiskSpace { free_bytes: 3 << 30, already_allocated_bytes: 0, threshold: 0.5, max_bytes: None };
    let plan = plan(&table, &disk, &WindowShape { k: 19, layers: 12, minimum_windows: 1 }).unwrap();
    let network =
        Network { name: "simulated".to_owned(), netuid: 21, chain_source: "stakes.json".to_owned() };
    let miner = Miner {
        wallet_name: Some("default".to_owned()),
        hotkey_name: Some("miner".to_owned()),
        hotkey: "5Fm".to_owned(),
    };
    let window = Window { profile: "swift".to_owned(), k: 19, layers: 12, window_bytes: 16 << 20 };
    let space = Space::new(&plan, 0.5, 4 << 30);
    let mut manifest = Manifest::new(4711, network, miner, space, window);
    for (index, share) in (0..).zip(&plan.shares) {
        let path = format!("partition-{index}.holdfast");
        let mut partition = Partition::new(index, path, "5Fm".to_owned(), share, plan.window_cap, 0);
        let mut bytes = [3; 168];
        (bytes[4], bytes[5]) = (19, 12);
        bytes[8..16].copy_from_slice(&plan.window_cap.to_le_bytes());
        partition.registration = Some(Registration {
            partition_id: 40 + index,
            intent_height: 4712,
            beacon: hex::encode([1; 32]),
            bytes: hex::encode(bytes),
            digest: hex::encode([2; 32]),
        });
        manifest.partitions.push(partition);
    }
    manifest
}

#[test]
fn written_and_read_back_it_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Manifest::read(directory.path()).unwrap_err().is_absent());
    let manifest = sample();
    manifest.write(directory.path()).unwrap();
    manifest.write(directory.path()).unwrap();
    assert_eq!(Manifest::read(directory.path()).unwrap(), manifest);
    assert_eq!(manifest.partitions[0].registration.as_ref().unwrap().decode().unwrap()[4], 19);
    assert_eq!((manifest.space.threshold.as_str(), manifest.space.available_percent), ("1.50 GiB", 75.0));
    let names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, [MANIFEST_NAME], "no temporary file is left");
}

#[test]
fn a_failed_write_leaves_the_old_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = sample();
    manifest.write(directory.path()).unwrap();
    fs::create_dir(directory.path().join("partition.json.new")).unwrap();
    let mut changed = manifest.clone();
    changed.block += 1;
    assert!(matches!(changed.write(directory.path()), Err(ManifestError::Write { .. })));
    assert_eq!(Manifest::read(directory.path()).unwrap(), manifest);
}

#[test]
fn other_versions_and_unknown_fields_are_refused() {
    let refused = |from: &str, to: &str| {
        let text = serde_json::to_string(&sample()).unwrap();
        assert!(text.contains(from));
        Manifest::decode(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
    };
    assert!(refused("\"version\":1", "\"version\":2,\"new\":0").contains("manifest version 2"));
    assert!(refused("\"netuid\":21", "\"netuid\":21,\"net\":0").contains("unknown field `net`"));
    assert!(refused("\"netuid\":21,", "").contains("missing field `netuid`"));
    assert!(Manifest::decode(b"{").is_err());
}

#[test]
fn what_contradicts_itself_is_refused_by_field() {
    type Case = (&'static str, fn(&mut Manifest));
    let cases: [Case; 12] = [
        ("partition_file_version is 2", |m| m.partition_file_version = 2),
        ("space.threshold is 1.50 TiB", |m| m.space.threshold = "1.50 TiB".to_owned()),
        ("window is registration: k is 9", |m| m.window.k = 9),
        ("window.window_bytes is 1", |m| m.window.window_bytes = 1),
        ("partitions[1].index is 0", |m| m.partitions[1].index = 0),
        ("partitions[1].owner is 5X", |m| m.partitions[1].owner = "5X".to_owned()),
        ("partitions[1].path is partition-0", |m| m.partitions[1].path = m.partitions[0].path.clone()),
        ("partitions[0].path is ../a", |m| m.partitions[0].path = "../a".to_owned()),
        ("partitions[0].path is ..,", |m| m.partitions[0].path = "..".to_owned()),
        ("partitions[0].windows is", |m| m.partitions[0].windows = u64::MAX),
        ("partitions[0].size_bytes is", |m| m.partitions[0].windows += 1),
        ("partitions[0].registration.bytes is", |m| m.partitions[0].window_cap += 1),
    ];
    for (expected, change) in cases {
        let mut manifest = sample();
        change(&mut manifest);
        let message = manifest.check().unwrap_err().to_string();
        assert!(message.starts_with(expected), "{expected}: {message}");
    }
}

#[test]
fn the_schema_in_the_documentation_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/partition-json-v1.schema.json");
    let schema = format!("{:#}\n", schemars::schema_for!(Manifest).as_value());
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert_eq!(found, schema, "HOLDFAST_BLESS=1 cargo test -p holdfast-partition writes it anew");
}

#[test]
fn every_field_of_the_prototype_has_a_place_and_stands_in_the_guide() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/partition-json.md");
    let guide = fs::read_to_string(guide).unwrap();
    let manifest = serde_json::to_value(sample()).unwrap();
    for (theirs, ours) in PROTOTYPE_FIELDS {
        let pointer = format!("/{}", ours.replace("[]", "/0").replace('.', "/"));
        let value = manifest.pointer(&pointer);
        assert!(value.is_some_and(|value| !value.is_null()), "{theirs}: there is no {ours}");
        assert!(guide.contains(&format!("| `{theirs}` | `{ours}` |")), "{theirs} is not in the guide");
    }
}
