//! space-v1.

use holdfast_engine::backend::Backend;
use holdfast_engine::commitment::Commitment;
use holdfast_engine::registration::{Intent, Registration};
use holdfast_engine::space::label::Layer;
use holdfast_engine::space::record::WindowRecord;
use holdfast_engine::tree;
use serde_json::{Value, json};

use super::edits::{apply, case, insert, original, overwrite, remove};
use super::files::{assert_verdict, back_ends, bytes, cases, digest, dump, name, number, read};
use super::plain::derive;
use super::plain_space::{
    BATCH_HEIGHT, INTENT_HEIGHT, K, Partition, batch, edge_constants, join, layer_key, parents,
};

const FILE: &str = "tests/vectors/space-v1.json";
/// Where the batches and the table of a commitment with one batch begin.
const BATCHES: usize = 240;
const TABLE: usize = 288;

pub(crate) fn vectors() -> Value {
    let partition = Partition::new(3);
    let layers = |w: usize| {
        let window = &partition.windows[w];
        (1..=3u8).map(move |layer| {
            let key = layer_key(&window.key, layer);
            let (a, c) = edge_constants(&key)[41];
            json!({
                "name": format!("layer {layer} of window {w}"),
                "k": K,
                "window_key": hex::encode(window.key),
                "layer": layer,
                "layer_key": hex::encode(key),
                "last_edge_constants": [a, c],
                "parents_of_1000": parents(&key, 1000),
                "label_0": hex::encode(&window.layers[usize::from(layer) - 1][..32]),
                "root": hex::encode(tree::root(&window.layers[usize::from(layer) - 1])),
            })
        })
    };
    let record = |w: u64| {
        json!({
            "name": format!("window {w}"),
            "layer_roots": hex::encode(partition.windows[w as usize].layer_roots()),
            "record": hex::encode(partition.record(w)),
        })
    };
    json!({
        "registration": [{
            "name": "a registration",
            "intent": hex::encode(&partition.intent),
            "intent_signing_digest": hex::encode(derive("intent signing", &[&partition.intent])),
            "registration": hex::encode(&partition.registration),
            "registration_digest": hex::encode(partition.registration_digest()),
            "window_keys": partition.windows.iter().map(|window| hex::encode(window.key)).collect::<Vec<_>>(),
        }],
        "layer": layers(0).chain(layers(1)).collect::<Vec<_>>(),
        "window_record": (0..2).map(record).collect::<Vec<_>>(),
        "decode_window_record": record_defects(),
        "commitment": commitments(&partition),
        "decode_commitment": commitment_defects(&partition),
    })
}

fn record_defects() -> Vec<Value> {
    let of = "window 0";
    vec![
        case("another tag", of, &[overwrite(0, b"HFW2")], "malformed"),
        case("k = 9", of, &[overwrite(4, &[9])], "malformed"),
        case("k = 31", of, &[overwrite(4, &[31])], "malformed"),
        case("one layer", of, &[overwrite(5, &[1])], "malformed"),
        case("65 layers", of, &[overwrite(5, &[65])], "malformed"),
        case("a zero field", of, &[overwrite(7, &[1])], "malformed"),
        case("the first byte of the padding", of, &[overwrite(112, &[1])], "malformed"),
        case("the last byte of the padding", of, &[overwrite(1023, &[1])], "malformed"),
        case("a byte too few", of, &[remove(1023, 1)], "wrong-length"),
        case("a byte too many", of, &[insert(1024, &[0])], "wrong-length"),
    ]
}

/// The commitment after a second batch: it had one window first, at another height.
fn grown(partition: &Partition, first_root: &[u8; 32]) -> Vec<u8> {
    let plain = partition.commitment();
    let first = batch(1, BATCH_HEIGHT - 1, first_root);
    join(&[&plain[..4], &2u32.to_le_bytes(), &plain[8..BATCHES], &first, &plain[BATCHES..]])
}

fn commitments(partition: &Partition) -> Vec<Value> {
    let case = |name: &str, commitment: Vec<u8>| {
        json!({
            "name": name,
            "commitment": hex::encode(commitment),
            "partition_root": hex::encode(partition.partition_root()),
            "signing_digest": hex::encode(partition.commitment_signing_digest()),
        })
    };
    let first_root = tree::root(&partition.record(0));
    vec![case("one batch", partition.commitment()), case("grown", grown(partition, &first_root))]
}

fn commitment_defects(partition: &Partition) -> Vec<Value> {
    let of = "one batch";
    let one = |name: &str, edit: Value, rejection: &str| case(name, of, &[edit], rejection);
    // A change of the table together with the root that then is right, so that nothing else refuses it.
    let in_table = |name: &str, at: usize, new: &[u8]| {
        let mut table = partition.table();
        table[at..at + new.len()].copy_from_slice(new);
        let edits = [overwrite(TABLE + at, new), overwrite(BATCHES + 16, &tree::root(&table))];
        case(name, of, &edits, "wrong-record")
    };
    let record = partition.record(0);
    let end = TABLE + 2048;
    let two = overwrite(4, &2u32.to_le_bytes());
    let before = |name: &str, end: u64, height: u64, root: [u8; 32]| {
        case(name, of, &[insert(BATCHES, &batch(end, height, &root)), two.clone()], "wrong-record")
    };
    let first_root = tree::root(&record);
    vec![
        one("another tag", overwrite(0, b"HFC2"), "malformed"),
        one("no batches", overwrite(4, &[0]), "malformed"),
        one("4,097 batches", overwrite(4, &4097u32.to_le_bytes()), "malformed"),
        one("a batch that is not there", two.clone(), "wrong-length"),
        one("a record too few", remove(end - 1024, 1024), "wrong-length"),
        one("a byte too many", insert(end, &[0]), "wrong-length"),
        one(
            "2^54 windows, whose table would have 2^64 bytes",
            overwrite(BATCHES, &(1u64 << 54).to_le_bytes()),
            "wrong-length",
        ),
        one("padding of a record", overwrite(end - 1, &[1]), "malformed"),
        one(
            "a bit of the partition root",
            overwrite(BATCHES + 16, &[partition.partition_root()[0] ^ 1]),
            "wrong-record",
        ),
        one(
            "a batch at the height of the intent",
            overwrite(BATCHES + 8, &INTENT_HEIGHT.to_le_bytes()),
            "wrong-record",
        ),
        one("another registration beacon", overwrite(8 + 136, &[0]), "wrong-record"),
        in_table("k of a record", 4, &[11]),
        in_table("layers of a record", 5, &[4]),
        in_table("index of a record", 1024 + 8, &[0]),
        in_table("window key of a record", 16, &[record[16] ^ 1]),
        in_table("one root twice", 1024 + 48, &record[48..80]),
        in_table("one layers root twice", 1024 + 80, &record[80..112]),
        before("a batch of no windows", 0, BATCH_HEIGHT - 1, first_root),
        before("a batch above the cap", 6, BATCH_HEIGHT - 1, first_root),
        before("a batch that changes nothing", 2, BATCH_HEIGHT - 1, partition.partition_root()),
        before("two batches at one height", 1, BATCH_HEIGHT, first_root),
        before("a window exchanged after its batch", 1, BATCH_HEIGHT - 1, [0; 32]),
    ]
}

pub(crate) fn worked_example() -> String {
    let partition = Partition::new(3);
    let window = &partition.windows[0];
    let key = layer_key(&window.key, 2);
    let mut text = String::from("```text\n");
    let mut line = |label: &str, bytes: &[u8]| text += &format!("{label}\n{}", dump(bytes));
    line(
        "intent: k = 10, l = 3, cap 5, genesis digest 32 times 0x11, netuid 29, ordinal 1",
        &partition.intent,
    );
    line(
        "registration, the rest: partition 7, intent height 1,000, beacon 32 times 0x44",
        &partition.registration[120..],
    );
    line("registration digest", &partition.registration_digest());
    line("window key 0", &window.key);
    line("layer key 2 of window 0", &key);
    line("label 0 of layer 1", &window.layers[0][..32]);
    line("label 1000 of layer 2", &window.layers[1][32_000..32_032]);
    line("layer roots of window 0", &window.layer_roots());
    line("record of window 0, bytes 0 ... 111", &partition.record(0)[..112]);
    line("partition root of windows 0 and 1", &partition.partition_root());
    line("what the miner signs", &partition.commitment_signing_digest());
    text += &format!("\nparents of label 1000 of layer 2: {:?}\n", parents(&key, 1000));
    text += &format!("commitment with one batch: {} bytes\n", partition.commitment().len());
    text + "```\n"
}

#[test]
fn registrations() {
    for case in cases(&read(FILE), "registration") {
        let registration = Registration::decode(&bytes(&case["registration"])).expect("valid");
        assert_eq!(registration.encode().to_vec(), bytes(&case["registration"]));
        assert_eq!(registration.digest(), digest(&case["registration_digest"]));
        let intent = Intent::decode(&bytes(&case["intent"])).expect("valid");
        assert_eq!((intent, intent.encode().to_vec()), (registration.intent, bytes(&case["intent"])));
        assert_eq!(intent.signing_digest(), digest(&case["intent_signing_digest"]));
        for (window, key) in (0..).zip(cases(case, "window_keys")) {
            assert_eq!(registration.window_key(window), digest(key));
        }
    }
}

/// A layer made by a back end from the one before.
fn make(backend: &dyn Backend, layer: &Layer, previous: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = vec![0; 32 << K];
    match previous {
        None => backend.first_layer(layer, 0, &mut bytes),
        Some(previous) => backend.next_layer(layer, previous, 0, &mut bytes),
    }
    bytes
}

#[test]
fn layers_on_every_back_end() {
    for backend in back_ends() {
        let mut previous: Option<Vec<u8>> = None;
        for case in cases(&read(FILE), "layer") {
            let number = u32::try_from(number(&case["layer"])).expect("small");
            let layer = Layer::derive(&digest(&case["window_key"]), number, K);
            let (a, c) = layer.edges.constants[6][5];
            assert_eq!(layer.key, digest(&case["layer_key"]), "{}", name(case));
            assert_eq!(json!([a, c]), case["last_edge_constants"], "{}", name(case));
            assert_eq!(json!(layer.edges.parents(1000)), case["parents_of_1000"], "{}", name(case));
            let made = make(backend, &layer, previous.as_deref().filter(|_| number > 1));
            assert_eq!(made[..32], bytes(&case["label_0"]), "{} on {}", name(case), backend.name());
            assert_eq!(tree::root(&made), digest(&case["root"]), "{} on {}", name(case), backend.name());
            previous = Some(made);
        }
    }
}

#[test]
fn window_records() {
    let vectors = read(FILE);
    for case in cases(&vectors, "window_record") {
        let record = WindowRecord::decode(&bytes(&case["record"])).expect("valid");
        assert_eq!(record.encode().to_vec(), bytes(&case["record"]), "{}", name(case));
        let roots = bytes(&case["layer_roots"]);
        assert_eq!(record.layers_root, tree::root(&roots), "{}", name(case));
        assert_eq!(Some(&record.root), roots.as_chunks().0.last(), "{}", name(case));
    }
    for case in cases(&vectors, "decode_window_record") {
        assert_verdict(
            case,
            WindowRecord::decode(&apply(case, &bytes(&original(&vectors, "window_record", case)["record"]))),
        );
    }
}

#[test]
fn commitments_are_read_and_written() {
    let vectors = read(FILE);
    for case in cases(&vectors, "commitment") {
        let commitment = Commitment::decode(&bytes(&case["commitment"])).expect("valid");
        assert_eq!(commitment.encode(), bytes(&case["commitment"]), "{}", name(case));
        assert_eq!(commitment.partition_root(), digest(&case["partition_root"]), "{}", name(case));
        assert_eq!(commitment.signing_digest(), digest(&case["signing_digest"]), "{}", name(case));
    }
    for case in cases(&vectors, "decode_commitment") {
        assert_verdict(
            case,
            Commitment::decode(&apply(case, &bytes(&original(&vectors, "commitment", case)["commitment"]))),
        );
    }
}
