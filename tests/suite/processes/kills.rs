//! `kill -9` of a miner, a validator and an owner in the middle of what they do.

use serde_json::{Value, json};

use crate::network::{Network, account, cid_of};
use crate::process::wait_for;
use crate::proxy::{Fault, Way};

const FILE_BYTES: usize = 3_000_000;
/// Of an upload: far from its beginning and its end.
const MIDDLE_BYTES: u64 = 500_000;
/// Of an answer to challenges: it has begun.
const ANSWER_BYTES: u64 = 1_000;

#[test]
fn a_miner_that_is_killed_while_it_stores_and_answers_keeps_what_it_acknowledged() {
    let mut network = Network::start(4);
    let before = network.put("before", FILE_BYTES, "2-of-3");

    network.set_all(Some(Fault::HoldAfter(Way::In, MIDDLE_BYTES)));
    let putting = network.begin_put("meanwhile", FILE_BYTES, "2-of-3");
    let victim = network.wait_until_one_is_struck();
    network.kill_miner(victim);
    network.miners[victim].proxy.set(None);
    network.start_miner(victim);
    let meanwhile = cid_of(&putting.end().json());

    for kill in 0..3 {
        network.set_all(Some(Fault::HoldAfter(Way::Out, ANSWER_BYTES)));
        let victim = network.wait_until_one_is_struck();
        network.kill_miner(victim);
        network.miners[victim].proxy.set(None);
        network.start_miner(victim);
        let accepted = network.rounds_of(victim).accepted;
        let what = format!("kill {kill}: rounds go on");
        network.wait_for_rounds(victim, &what, |rounds| rounds.countersigned > accepted);
    }
    network.get_and_compare(&before, "before");
    network.get_and_compare(&meanwhile, "meanwhile");
}

#[test]
fn a_validator_that_is_killed_while_it_audits_and_repairs_goes_on_and_forks_no_chain() {
    let mut network = Network::start(4);
    let cid = network.put("file", FILE_BYTES, "2-of-3");
    let holders = holders(&network, &cid);
    let lost = holders[0];

    for kill in 0..2 {
        network.set_all(Some(Fault::HoldAfter(Way::Out, ANSWER_BYTES)));
        let asked = network.wait_until_one_is_struck();
        network.kill_validator();
        network.set_all(None);
        network.start_validator();
        let accepted = network.rounds_of(asked).accepted;
        let what = format!("kill {kill}: rounds go on");
        network.wait_for_rounds(asked, &what, |rounds| rounds.countersigned > accepted);
    }

    // A holder is gone for good, and said to be so.
    network.kill_miner(lost);
    network.set_all(Some(Fault::HoldAfter(Way::In, MIDDLE_BYTES)));
    network.kill_chain();
    let gone = json!({ "height": network.height() + 2, "event": { "deregister": { "hotkey": network.miners[lost].name } } });
    network.start_chain(&json!({ "events": [gone] }));
    network.wait_until_one_is_struck();
    network.kill_validator();
    network.set_all(None);
    network.start_validator();
    wait_for("the piece is made anew", || {
        let pieces = network.owner(&["audit", &cid]);
        let pieces: Value = serde_json::from_str(&pieces.stdout).ok()?;
        let pieces = pieces["pieces"].as_array()?.clone();
        let all = pieces.iter().all(|piece| piece["accepted"] == true);
        (all && pieces.iter().any(|piece| piece["generation"].as_u64() > Some(0))).then_some(())
    });
    network.get_and_compare(&cid, "file");
    for number in (0..4).filter(|number| *number != lost) {
        assert_eq!(network.rounds_of(number).rejected, 0, "nobody else is to blame");
    }
}

#[test]
fn an_owner_that_is_killed_in_a_put_and_in_a_get_goes_on_from_there() {
    const LARGE_BYTES: usize = 10 << 20;
    /// A window of a transfer, which the part file gets at once.
    const WINDOW_BYTES: u64 = 4 << 20;
    /// Slow enough to be killed.
    const DELAY: std::time::Duration = std::time::Duration::from_millis(10);
    let network = Network::start(3);
    network.set_all(Some(Fault::HoldAfter(Way::In, MIDDLE_BYTES)));
    let putting = network.begin_put("large", LARGE_BYTES, "replicate-2");
    let held_up = network.wait_until_one_is_struck();
    putting.kill();
    let listed = network.owner(&["ls"]).json();
    assert_eq!(listed["files"], json!([]));
    let cid = listed["interrupted"][0].as_str().expect("an interrupted put").to_owned();
    let resumed = network.owner(&["put", "--resume", &cid]).json();
    assert_eq!(resumed["cid"].as_str(), Some(&*cid));
    // What the first process had sent comes now, behind the rest, and changes nothing.
    network.miners[held_up].proxy.set(None);

    network.set_all(Some(Fault::Delay(DELAY)));
    let getting = network.begin_get(&cid, "large.back");
    let part = network.path(&format!(".large.back.{cid}.part"));
    let kept = wait_for("a window has come", || {
        let length_bytes = std::fs::metadata(&part).ok()?.len();
        (length_bytes >= WINDOW_BYTES).then_some(length_bytes)
    });
    getting.kill();
    network.set_all(None);
    assert!(!network.path("large.back").exists(), "it appears when it is whole");
    let told = network.get_and_compare(&cid, "large");
    // What is gone on with are whole groups of 1 MiB, each of which is known when the next one has begun.
    assert!(told["resumed_bytes"].as_u64() >= Some(kept - (2 << 20)), "{told}");
    assert!(!part.exists());
}

/// The numbers of the miners that have the pieces of a file.
fn holders(network: &Network, cid: &str) -> Vec<usize> {
    let audited = network.owner(&["audit", cid]).json();
    let pieces = audited["pieces"].as_array().expect("pieces");
    let number = |piece: &Value| {
        let address = piece["miner"].as_str().expect("an address");
        let is_it = |miner: &crate::network::Miner| account(&miner.name).to_ss58() == address;
        network.miners.iter().position(is_it).expect("a miner")
    };
    pieces.iter().map(number).collect()
}
