//! Whole audits by commands: too early, stopped, and as they should be.

use serde_json::{Value, json};

use crate::network::{Network, cid_of};
use crate::process::wait_for;
use crate::proxy::Fault;

const FILE_BYTES: usize = 300_000;
/// A put names a height 20 blocks ahead in its records, and they are settled when the network's finality has passed as well.
const SETTLING_BLOCKS: u64 = 30;

/// The pieces of a report: how each ended, which token was spent and how many are left.
fn pieces(report: &Value) -> Vec<[Value; 3]> {
    let pieces = report["pieces"].as_array().expect("pieces");
    let of = |piece: &Value| ["outcome", "spent_token", "unused_tokens"].map(|field| piece[field].clone());
    pieces.iter().map(of).collect()
}

#[test]
fn a_whole_audit_spends_tokens_on_miners_that_can_answer_and_ends_at_ctrl_c() {
    let network = Network::start(2);
    let coding = ["--coding", "replicate-2", "--tokens", "1"];
    let cid = cid_of(&network.begin_put_with("file", FILE_BYTES, &coding).end().json());
    let policy = network.text("policy.json");
    let whole = ["audit", &cid, "--whole", "--policy", &policy];
    let not_asked = [json!("not-asked"), json!(null), json!(1)];
    let early = network.owner(&whole).json_with_code(1);
    assert_eq!(pieces(&early), [not_asked.clone(), not_asked.clone()], "{early}");

    let settled = network.height() + SETTLING_BLOCKS;
    wait_for("records are settled", || (network.height() >= settled).then_some(()));
    network.set_all(Some(Fault::Stall));
    let waiting = network.spawn_owner(&whole);
    waiting.says("asking miners for every byte");
    waiting.interrupt();
    let stopped = waiting.end().json_with_code(1);
    assert_eq!(stopped["stopped"], true);
    assert!(pieces(&stopped).iter().all(|piece| piece[..2] == not_asked[..2]), "{stopped}");

    network.set_all(None);
    let audited = network.owner(&whole).json();
    let accepted = [json!("accepted"), json!(0), json!(0)];
    assert_eq!(pieces(&audited), [accepted.clone(), accepted], "{audited}");
}
