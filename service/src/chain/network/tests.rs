use holdfast_engine::signature::{Signature, Signer};

use super::super::tests::{at, endpoint, hotkey, neuron, settings, validator};
use super::*;
use crate::chain::Script;

const NETWORK: [u8; 32] = [3; 32];

fn network() -> Network {
    Network::new(settings(), &[validator("amber", 9), neuron("miner")], 0).unwrap()
}

fn call(network: &Network, name: &str) -> CallId {
    network.next_call(&hotkey(name)).unwrap()
}

/// Everything that a signature is to bind is in what is signed: leaving one field out would let a call serve twice.
#[test]
fn a_claim_with_any_field_changed_is_refused() {
    let mut network = network();
    let miner = Signer::development("miner");
    let claim = EndpointClaim::sign(call(&network, "miner"), endpoint(7), &miner, &NETWORK);
    let mut forged = claim;
    forged.endpoint = endpoint(8);
    let unsigned = EndpointClaim { signature: Signature::NONE, ..claim };
    let others = EndpointClaim::sign(claim.call, endpoint(7), &Signer::development("amber"), &NETWORK);
    for wrong in [forged, unsigned, others] {
        let refused = network.announce(&NETWORK, wrong, 1);
        assert!(matches!(refused, Err(NetworkRefusal::Signature(_))), "{refused:?}");
    }
    let elsewhere = network.announce(&[4; 32], claim, 1);
    assert!(matches!(elsewhere, Err(NetworkRefusal::Signature(_))), "of another network");
    let base = claim.signing_digest(&NETWORK);
    let changes: [fn(&mut CallId); 4] = [
        |call| call.uid += 1,
        |call| call.registered_at += 1,
        |call| call.number += 1,
        |call| call.hotkey = Account([1; 32]),
    ];
    for change in changes {
        let mut other = claim;
        change(&mut other.call);
        assert_ne!(other.signing_digest(&NETWORK), base);
    }
    network.announce(&NETWORK, claim, 1).unwrap();
    assert_eq!(network.metagraph().neuron(1).unwrap().endpoint, Some(endpoint(7)));
}

#[test]
fn weights_with_any_field_changed_are_refused() {
    let mut network = network();
    let amber = Signer::development("amber");
    let claim = WeightsClaim::sign(call(&network, "amber"), &[(0, 1), (1, 2)], 5, &amber, &NETWORK);
    let changes: [fn(&mut WeightsClaim); 4] = [
        |claim| claim.weights[0].1 = 9,
        |claim| claim.weights.swap(0, 1),
        |claim| claim.weights.truncate(1),
        |claim| claim.metagraph_height = 6,
    ];
    for change in changes {
        let mut wrong = claim.clone();
        change(&mut wrong);
        let refused = network.set_weights(&NETWORK, wrong, 5);
        assert!(matches!(refused, Err(NetworkRefusal::Signature(_))), "{refused:?}");
    }
    network.set_weights(&NETWORK, claim, 5).unwrap();
}

/// An old endpoint sent again would lead validators astray.
#[test]
fn a_call_is_taken_up_once() {
    let mut network = network();
    let miner = Signer::development("miner");
    let first = EndpointClaim::sign(call(&network, "miner"), endpoint(7), &miner, &NETWORK);
    let second = CallId { number: 1, ..first.call };
    let second = EndpointClaim::sign(second, endpoint(8), &miner, &NETWORK);
    let ahead = NetworkRefusal::OutOfTurn { hotkey: hotkey("miner"), uid: 1, found: 1, expected: 0 };
    assert_eq!(network.announce(&NETWORK, second, 1), Err(ahead));
    network.announce(&NETWORK, first, 1).unwrap();
    let repeated = NetworkRefusal::OutOfTurn { hotkey: hotkey("miner"), uid: 1, found: 0, expected: 1 };
    assert_eq!(network.announce(&NETWORK, first, 1), Err(repeated));
    network.announce(&NETWORK, second, 1).unwrap();
}

/// The count of calls begins anew with a registration, so the registration is part of what is signed.
#[test]
fn a_call_of_an_earlier_registration_is_refused() {
    let mut network = network();
    let miner = Signer::development("miner");
    let old = EndpointClaim::sign(call(&network, "miner"), endpoint(7), &miner, &NETWORK);
    network.apply(&Event::Deregister { hotkey: hotkey("miner") }, 4);
    network.apply(&Event::Register(neuron("miner")), 4);
    assert_eq!(call(&network, "miner").uid, 1, "the same uid again");
    let refused = network.announce(&NETWORK, old, 4);
    assert!(matches!(refused, Err(NetworkRefusal::OutOfTurn { .. })), "{refused:?}");
}

/// Computed from the documented bytes by `blake3` 1.0.11 from PyPI (`derive_key_context`).
#[test]
fn signing_digests_are_those_of_the_guide() {
    let call = CallId { hotkey: Account([2; 32]), uid: 0x0102, registered_at: 3, number: 4 };
    let signature = Signature::NONE;
    let endpoint = EndpointClaim { call, endpoint: "[2001:db8::7]:8091".parse().unwrap(), signature };
    assert_eq!(
        hex::encode(endpoint.signing_digest(&[1; 32])),
        "5b016369ad2383db61c793865b1ce88656d20df264c7d2a901b1418b6ecf0d82"
    );
    let weights = WeightsClaim { call, metagraph_height: 5, weights: vec![(6, 7), (8, 0x0910)], signature };
    assert_eq!(
        hex::encode(weights.signing_digest(&[1; 32])),
        "cef951c9572e91658401857a45c311ada7d67eeb328b30ec0f406c81e02b5c33"
    );
}

#[test]
fn a_full_network_of_validators_replaces_nobody() {
    let names = ["a", "b", "c", "d"].map(|name| validator(name, 1));
    let mut network = Network::new(settings(), &names, 0).unwrap();
    assert_eq!(network.register(&neuron("e"), 1), Err(NetworkRefusal::Full { neurons_max: 4 }));
    network.register(&NewNeuron { uid: Some(3), ..neuron("e") }, 1).unwrap();
    assert_eq!(network.metagraph().neuron(3).unwrap().hotkey, hotkey("e"));
    assert!(Network::new(settings(), &[neuron("a"), neuron("a")], 0).is_err());
}

#[test]
fn scripts_name_accounts_in_any_notation_and_mistakes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Script::read(&path)
    };
    let address = hotkey("miner").to_ss58();
    let text = format!(
        "[[neurons]]\nhotkey = \"amber\"\ncoldkey = \"owner\"\nvalidator_permit = true\n\
         [[events]]\nheight = 3\nevent.register = {{ hotkey = \"{address}\", endpoint = \"127.0.0.1:9\" }}\n\
         [[events]]\nheight = 4\nevent = \"stall_finality\"\n"
    );
    let script = read("script.toml", &text).unwrap();
    let amber = NewNeuron { coldkey: Some(hotkey("owner")), ..validator("amber", 0) };
    let miner = NewNeuron { endpoint: Some(endpoint(9)), ..neuron("miner") };
    let events = vec![at(3, Event::Register(miner)), at(4, Event::StallFinality)];
    assert_eq!(script, Script { neurons: vec![amber], events });
    let mistyped = address.replace(&address[10..12], "zz");
    for (name, text, told) in [
        ("a.json", "{}}".to_owned(), "line 1"),
        ("a.json", r#"{"event": []}"#.to_owned(), "unknown field `event`"),
        ("a.json", format!(r#"{{"neurons": [{{"hotkey": "{mistyped}"}}]}}"#), "wrong checksum"),
        ("a.json", r#"{"neurons": [{"hotkey": ""}]}"#.to_owned(), "empty"),
        ("a.json", r#"{"neurons": [{"hotkey": "a", "stake": 1}]}"#.to_owned(), "unknown field `stake`"),
        ("a.json", r#"{"events": [{"height": 0, "event": "stall_finality"}]}"#.to_owned(), "block 0"),
        ("a.toml", "[[events]]\nheight = 1\nevent = \"explode\"".to_owned(), "explode"),
        ("a.toml", "[[events]]\nheight = -1\nevent = \"stall_finality\"".to_owned(), "-1"),
    ] {
        let told_is = read(name, &text).unwrap_err().to_string();
        assert!(told_is.contains(told) && told_is.contains(name), "{told_is}");
    }
    assert!(matches!(Script::read(&folder.path().join("none")), Err(crate::chain::ChainError::File(_))));
}
