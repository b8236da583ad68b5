//! Connections that are cut, held up, slow, damaged, or played again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use holdfast_service::pieces::Content;
use holdfast_service::validator::peers::{Peer, Peers, parts};

use crate::network::{DEADLINE_MS, Network, OWNER, bytes_of};
use crate::process::wait_for;
use crate::proxy::{Fault, Proxy, Way};

const FILE_BYTES: usize = 3_000_000;
const MIDDLE_BYTES: u64 = 500_000;

#[test]
fn a_miner_that_is_cut_off_is_late_and_no_fraud_and_others_are_not_affected() {
    let network = Network::start(3);
    let (cut_off, others) = (0, [1, 2]);
    for number in 0..3 {
        network.wait_for_rounds(number, "rounds begin", |rounds| rounds.countersigned > 0);
    }
    let slow = Duration::from_millis(u64::from(DEADLINE_MS) + 500);
    for fault in [Fault::Cut, Fault::Stall, Fault::Delay(slow), Fault::HalfClose] {
        let before = network.rounds();
        network.miners[cut_off].proxy.set(Some(fault));
        let missed = before[&network.miners[cut_off].name].missed;
        let what = format!("{fault:?}: rounds are missed");
        let first = network.wait_for_rounds(cut_off, &what, |rounds| rounds.missed > missed);
        let then = network.wait_for_rounds(cut_off, &what, |rounds| rounds.missed > first.missed);
        // One that had been promised when the fault began is a promise that was broken; all others are missed.
        assert_eq!(then.rejected, first.rejected, "{fault:?}: who is cut off is no fraud");
        for other in others {
            let accepted = before[&network.miners[other].name].accepted;
            let what = format!("{fault:?}: others answer");
            network.wait_for_rounds(other, &what, |rounds| rounds.accepted > accepted);
        }
        network.miners[cut_off].proxy.set(None);
        let accepted = network.rounds_of(cut_off).accepted;
        let what = format!("{fault:?} is over: rounds go on");
        network.wait_for_rounds(cut_off, &what, |rounds| rounds.countersigned > accepted);
        for other in others {
            assert_eq!(network.rounds_of(other).rejected, 0, "{fault:?}: others are not affected");
        }
    }
}

#[test]
fn transfers_come_through_cuts_damage_and_silence() {
    let network = Network::start(4);
    let faults: [fn(Way, u64) -> Fault; 3] = [Fault::CutAfter, Fault::DamageAfter, Fault::HoldAfter];
    for (number, fault) in faults.into_iter().enumerate() {
        let name = format!("file-{number}");
        let (on_the_way_in, on_the_way_out) = (fault(Way::In, MIDDLE_BYTES), fault(Way::Out, MIDDLE_BYTES));
        // Who is silent on the way in is waited for, for as long as an upload may stand still.
        let is_silent = matches!(on_the_way_in, Fault::HoldAfter(..));
        network.set_all((!is_silent).then_some(on_the_way_in));
        let cid = network.put(&name, FILE_BYTES, "2-of-3");
        assert!(
            is_silent || network.miners.iter().any(|miner| miner.proxy.has_struck()),
            "{on_the_way_in:?}"
        );
        network.set_all(Some(on_the_way_out));
        network.get_and_compare(&cid, &name);
        network.wait_until_one_is_struck();
        network.set_all(None);
        network.get_and_compare(&cid, &name);
    }
}

/// What fails for a moment with every miner at once fails at the owner's: the same miners take the rest.
#[test]
fn an_upload_goes_on_with_the_same_miners_after_the_owners_network_was_down() {
    let network = Network::start(3);
    for miner in &network.miners {
        miner.proxy.set(Some(Fault::CutAfter(Way::In, MIDDLE_BYTES)));
    }
    let cid = network.put("file", FILE_BYTES, "2-of-3");
    assert!(network.miners.iter().all(|miner| miner.proxy.has_struck()));
    network.set_all(None);
    network.get_and_compare(&cid, "file");
}

/// A connection's bytes are played again: nothing is done twice.
#[test]
fn a_request_that_is_played_again_is_not_obeyed_again() {
    let network = Network::start(1);
    let bytes = Bytes::from(bytes_of("object", 100_000));
    let content = Content { root: *blake3::hash(&bytes).as_bytes(), length_bytes: bytes.len() as u64 };
    let (peers, peer) = (Peers::new(network.correspondent(OWNER)), network.peer(0));
    let store = || {
        let ticket = network.ticket(0, content);
        let (sender, receiver) = parts();
        let sending = async {
            sender.send(bytes.clone()).await.expect("is taken");
            drop(sender);
        };
        let storing = async { tokio::join!(peers.store(peer, &ticket, 0, receiver), sending).0 };
        network.runtime.block_on(storing).expect("is stored");
    };
    let is_kept = || {
        let got = network.runtime.block_on(peers.retrieve(peer, content, 0..content.length_bytes));
        got.is_ok_and(|got| got == bytes)
    };
    store();
    assert!(is_kept());

    // It never arrives, but somebody on the way has it now.
    let on_the_way = Proxy::new();
    on_the_way.lead_to(network.miners[0].proxy.behind());
    on_the_way.swallow();
    let stranded = Peers::new(network.correspondent(OWNER));
    let astray = Peer { endpoint: on_the_way.address, ..peer };
    let deleting = network.runtime.spawn(async move { stranded.delete(astray, content).await.is_ok() });
    let tape = wait_for("a whole request", || {
        let tape = on_the_way.tape();
        let is_whole = |frame: &Frame| frame.kind == DATA && frame.flags & END_STREAM != 0;
        frames(tape.get(PREFACE_BYTES..)?).iter().any(is_whole).then_some(tape)
    });
    deleting.abort();
    assert!(is_kept());

    let miner = network.miners[0].proxy.behind().expect("it runs");
    play(miner, &tape);
    assert!(!is_kept(), "it is obeyed the first time");
    store();
    play(miner, &tape);
    assert!(is_kept(), "it is not obeyed the second time");
}

/// What a connection begins with.
const PREFACE_BYTES: usize = 24;
const FRAME_HEADER_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// A frame of HTTP/2, as far as it matters here.
struct Frame {
    kind: u8,
    flags: u8,
}

/// The frames that are there whole.
fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(FRAME_HEADER_BYTES) {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let Some((_, after)) = rest.split_at_checked(length) else { break };
        frames.push(Frame { kind: header[3], flags: header[4] });
        bytes = after;
    }
    frames
}

/// Says to a node what somebody else has said, and waits until it answers.
fn play(node: SocketAddr, tape: &[u8]) {
    let mut stream = TcpStream::connect(node).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    stream.write_all(tape).expect("is taken");
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !frames(&answer).iter().any(|frame| frame.kind == HEADERS) {
        let read = stream.read(&mut buffer).expect("an answer");
        assert_ne!(read, 0, "the node ended the connection without an answer");
        answer.extend_from_slice(&buffer[..read]);
    }
}
