//! The Python client package against nodes that run: `clients/python/tests/test_nodes.py`, told where they are.

use std::path::PathBuf;
use std::process::Command;

use holdfast_service::pieces::Content;
use holdfast_service::proto;
use serde_json::json;

use crate::network::{Network, OWNER, VALIDATOR, account, bytes_of};

#[test]
fn the_python_client_talks_to_a_miner_and_a_validator_that_run() {
    let Some(python) = python() else { return };
    let network = Network::start(3);
    network.put("file", 300_000, "2-of-3");
    let object = bytes_of("object", 700_000);
    std::fs::write(network.path("object"), &object).expect("writes");
    let content = Content { root: *blake3::hash(&object).as_bytes(), length_bytes: object.len() as u64 };
    let proto::Ticket { ticket, signature } = network.ticket(0, content);
    let nodes = json!({
        "network": hex::encode(network.network()),
        "owner": OWNER,
        "miner": { "endpoint": network.peer(0).endpoint, "account": network.peer(0).account.to_ss58() },
        "validator": { "endpoint": network.validator_endpoint(), "account": account(VALIDATOR).to_ss58() },
        "object": network.path("object"),
        "ticket": hex::encode(&ticket),
        "ticket_signature": hex::encode(&signature),
    });
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../clients/python");
    let output = Command::new(python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_nodes.py"])
        .current_dir(package)
        .env("HOLDFAST_NODES", nodes.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains("skipped"), "{told}");
}

fn python() -> Option<PathBuf> {
    let named = std::env::var_os("HOLDFAST_PYTHON").map(PathBuf::from);
    if named.is_none() {
        let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
        let why = "HOLDFAST_PYTHON names no Python with clients/python";
        assert!(!required.split(',').any(|name| name == "python"), "python is required: ABSENT({why})");
        eprintln!("python ABSENT({why})");
    }
    named
}
