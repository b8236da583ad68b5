//! Whole audits by commands: too early, stopped, and as they should be.

use std::time::Duration;

use bytes::Bytes;
use holdfast_engine::policy::Policy;
use holdfast_service::connect::Connector;
use holdfast_service::validator::collect::Asker;
use holdfast_service::validator::peers::Peers;
use holdfast_tests::disk::data_file;
use holdfast_tests::tokens::{PieceTokens, token_challenge};
use serde_json::{Value, json};
use tokio_stream::StreamExt;

use crate::network::{Network, OWNER, account, cid_of};
use crate::pipe::Pipe;
use crate::process::{wait_for, wait_in_steps};
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

/// Reading takes hours: a miner that is to end would not before it had read all of an object that somebody asks for.
#[test]
fn a_miner_that_is_told_to_end_reads_no_whole_object_to_its_end() {
    let mut network = Network::start(2);
    let coding = ["--coding", "replicate-2", "--tokens", "1"];
    let put = network.begin_put_with("file", FILE_BYTES, &coding).end().json();
    let settled = network.height() + SETTLING_BLOCKS;
    wait_for("records are settled", || (network.height() >= settled).then_some(()));
    // Its rounds would read, too.
    network.kill_validator();
    let root = put["blake3_root"].as_str().and_then(|root| hex::decode(root).ok());
    let root = root.and_then(|root| root.try_into().ok()).expect("a root");
    let state = network.path("owner.state").join(account(OWNER).to_ss58());
    let tokens = PieceTokens::read(&state, &root, 0);
    let record = &tokens.record.record;
    let holds = |miner: &crate::network::Miner| account(&miner.name) == record.miner;
    let number = network.miners.iter().position(holds).expect("is held");
    let (peers, peer) = (Peers::new(network.correspondent(OWNER), Connector::plain()), network.peer(number));
    let policy = std::fs::read(network.path("policy.json")).expect("reads");
    let policy: Policy = serde_json::from_slice(&policy).expect("a policy");
    let pipe = Pipe::in_place_of(&data_file(&network.path(&format!("{}.disk", network.miners[number].name))));
    let (head, _) = network.runtime.block_on(peers.ping(peer)).expect("answers");
    let head = head.head.expect("a block");
    let block = (head.hash[..].try_into().expect("32 bytes"), head.height);
    let (token, key) = tokens.take();
    let challenge = token_challenge(record, account(OWNER), block, &policy, (token, &key));
    let asked = vec![Bytes::copy_from_slice(&challenge.encode())];
    let asking = network.runtime.spawn(async move {
        let mut events = peers.challenge(&peer.account, peer.endpoint, block.1, asked).await?;
        events.next().await.transpose()
    });
    let mut read = wait_for("the read begins", || pipe.read());
    let pause = Duration::from_millis(1);
    wait_in_steps("it goes on", pause, || (read.give() && read.goes_on()).then_some(()));
    assert!(!asking.is_finished(), "an answer before the end");
    let process = network.miners[number].process.take().expect("it runs");
    process.terminate();
    wait_in_steps("it ends", pause, || (!read.give()).then_some(()));
    assert_eq!(process.end().stdout, "stopped\n");
}
