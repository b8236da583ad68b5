//! An owner's commands in a network in which everybody speaks TLS, between processes.

use serde_json::{Value, json};

use crate::network::Network;
use crate::process::Process;

const FILE_BYTES: usize = 300_000;

/// The CIDs of what is in care.
fn listed(network: &Network) -> Vec<Value> {
    let listed = network.owner(&["ls"]).json();
    let files = listed["files"].as_array().expect("files");
    files.iter().map(|file| file["cid"].clone()).collect()
}

/// What is told by a command that fails.
fn refusal(process: Process) -> String {
    let told = process.end().failure();
    told["message"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[test]
fn files_are_put_listed_got_and_removed_over_tls() {
    let network = Network::encrypted(3);
    let cid = network.put("file", FILE_BYTES, "2-of-3");
    assert_eq!(listed(&network), [json!(cid)]);
    network.get_and_compare(&cid, "file");

    // Nobody is spoken to in plain text, nor under an authority that vouches for nobody here.
    let plain = refusal(network.spawn_owner_with(&["ls"], &[]));
    assert!(plain.contains("--tls-ca"), "{plain}");
    let stranger = network.authority_of_nobody();
    let foreign = refusal(network.spawn_owner_with(&["ls"], &["--tls-ca", &stranger]));
    assert!(foreign.contains("--tls-ca"), "{foreign}");
    // By seals alone any certificate does.
    network.spawn_owner_with(&["ls"], &["--tls-by-seals"]).end().json();

    let removed = network.owner(&["rm", &cid, "--yes"]).json();
    assert_eq!((&removed["deleted_pieces"], &removed["pending_pieces"]), (&json!(0), &json!(3)));
    assert!(listed(&network).is_empty());
    network.begin_get(&cid, "nothing").end().failure();
}
