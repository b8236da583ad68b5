//! Who takes part, and what hotkeys call.

use super::*;

/// uid, hotkey and the block since which that is so.
async fn seats(chain: &Arc<dyn Chain>) -> Vec<(u16, Account, u64)> {
    let neurons = chain.metagraph().await.unwrap().neurons;
    neurons.iter().map(|neuron| (neuron.uid, neuron.hotkey, neuron.registered_at)).collect()
}

#[tokio::test]
async fn events_change_the_metagraph_with_their_block() {
    let miner = hotkey("miner");
    let events = vec![
        at(2, Event::SetStake { hotkey: hotkey("amber"), stake_rao: u64::MAX }),
        at(2, Event::SetPermit { hotkey: hotkey("birch"), validator_permit: false }),
        at(3, Event::SetEndpoint { hotkey: miner, endpoint: Some(endpoint(7)) }),
        at(4, Event::SetEndpoint { hotkey: miner, endpoint: None }),
        at(4, Event::SetStake { hotkey: hotkey("nobody"), stake_rao: 1 }),
    ];
    for stage in Stage::all(&script(events)) {
        let name = stage.name;
        let look = async || stage.chain.metagraph().await.unwrap();
        let first = look().await;
        assert_eq!((first.height, first.neurons.len()), (0, 3), "{name}");
        assert_eq!(first.neuron(0).unwrap().coldkey, hotkey("amber"), "{name}");
        stage.steps(1);
        let unchanged = look().await;
        assert_eq!((unchanged.height, unchanged.neurons), (1, first.neurons), "{name}");
        stage.steps(1);
        let second = look().await;
        assert_eq!(second.height, 2);
        assert_eq!(second.neuron_of(&hotkey("amber")).unwrap().stake_rao, u64::MAX, "{name}");
        assert!(!second.neuron_of(&hotkey("birch")).unwrap().validator_permit, "{name}");
        stage.steps(1);
        assert_eq!(look().await.neuron_of(&miner).unwrap().endpoint, Some(endpoint(7)), "{name}");
        stage.steps(1);
        assert_eq!(look().await.neuron_of(&miner).unwrap().endpoint, None, "{name}");
        let last = stage.driver.history().pop().unwrap();
        assert!(matches!(last, Happening { height: 4, happened: Happened::Refused { .. } }), "{last:?}");
    }
}

/// A new hotkey under an old uid must not inherit anything: FileTAO's newcomers kept their predecessor's score.
#[tokio::test]
async fn uids_are_reused_and_nothing_passes_on() {
    let newcomer = NewNeuron { uid: Some(2), ..neuron("newcomer") };
    for stage in Stage::all(&script(vec![at(3, Event::Register(newcomer))])) {
        let (chain, name) = (&stage.chain, stage.name);
        let amber = Signer::development("amber");
        chain.announce(&Signer::development("miner"), endpoint(9)).await.unwrap();
        stage.steps(2);
        let seen = chain.metagraph().await.unwrap().height;
        stage.steps(1);
        let metagraph = chain.metagraph().await.unwrap();
        let seat = metagraph.neuron(2).unwrap();
        assert_eq!((seat.hotkey, seat.registered_at), (hotkey("newcomer"), 3), "{name}");
        assert_eq!((seat.endpoint, seat.stake_rao), (None, 0), "{name}");
        assert_eq!(metagraph.neuron_of(&hotkey("miner")), None, "{name}");
        let stale = chain.set_weights(&amber, &[(1, 5), (2, 9)], seen).await;
        let replaced = NetworkRefusal::Replaced { uid: 2, registered_at: 3, metagraph_height: seen };
        assert_eq!(refusal(stale), replaced, "{name}");
        chain.set_weights(&amber, &[(1, 5), (2, 9)], metagraph.height).await.unwrap();
        let gone = chain.announce(&Signer::development("miner"), endpoint(9)).await;
        assert_eq!(refusal(gone), NetworkRefusal::NotRegistered { hotkey: hotkey("miner") }, "{name}");
        let registered =
            Happened::Registered { uid: 2, hotkey: hotkey("newcomer"), replaced: Some(hotkey("miner")) };
        assert!(stage.driver.history().iter().any(|happening| happening.happened == registered), "{name}");
    }
}

#[tokio::test]
async fn seats_are_given_in_order_and_taken_from_whom_the_network_can_spare() {
    let events = vec![
        at(1, Event::Deregister { hotkey: hotkey("birch") }),
        at(2, Event::Register(NewNeuron { stake_rao: 7, ..neuron("a") })),
        at(3, Event::Register(NewNeuron { stake_rao: 7, ..neuron("b") })),
        at(4, Event::Register(neuron("c"))), // full: "miner" has no stake
        at(5, Event::Register(neuron("a"))), // again
        at(6, Event::Register(NewNeuron { uid: Some(4), ..neuron("d") })),
    ];
    for stage in Stage::all(&script(events)) {
        stage.steps(6);
        let expected = [(0, "amber", 0), (1, "a", 2), (2, "c", 4), (3, "b", 3)]
            .map(|(uid, name, since)| (uid, hotkey(name), since));
        assert_eq!(seats(&stage.chain).await, expected, "{}", stage.name);
        let refused = stage.driver.history().into_iter().filter_map(|happening| match happening.happened {
            Happened::Refused { reason, .. } => Some(reason),
            _ => None,
        });
        let (again, outside) = (
            NetworkRefusal::RegisteredAlready { hotkey: hotkey("a"), uid: 1 },
            NetworkRefusal::NoSuchUid { uid: 4, neurons_max: 4 },
        );
        assert_eq!(refused.collect::<Vec<_>>(), [again.to_string(), outside.to_string()]);
    }
}

#[tokio::test]
async fn announcing_says_where_a_hotkey_is_and_in_which_block() {
    for stage in Stage::all(&script(vec![])) {
        let (chain, name) = (&stage.chain, stage.name);
        stage.steps(2);
        let miner = Signer::development("miner");
        let included = chain.announce(&miner, endpoint(8091)).await.unwrap();
        let head = chain.head().await.unwrap();
        assert_eq!(included, Inclusion { height: 2, block_hash: head.hash }, "{name}");
        let six: SocketAddr = "[2001:db8::7]:8091".parse().unwrap();
        chain.announce(&miner, six).await.unwrap();
        assert_eq!(chain.metagraph().await.unwrap().neuron(2).unwrap().endpoint, Some(six), "{name}");
        for nowhere in ["0.0.0.0:8091", "192.0.2.1:0", "[::]:1", "224.0.0.1:5"] {
            let endpoint = nowhere.parse().unwrap();
            let refused = chain.announce(&miner, endpoint).await;
            assert_eq!(refusal(refused), NetworkRefusal::Endpoint { endpoint }, "{name}");
        }
        let stranger = Signer::development("stranger");
        let refused = chain.announce(&stranger, endpoint(1)).await;
        assert_eq!(refusal(refused), NetworkRefusal::NotRegistered { hotkey: stranger.account() }, "{name}");
        let network = chain.recorder().network().unwrap();
        let said: Vec<_> = (stage.driver.history().into_iter())
            .filter_map(|happening| match happening.happened {
                Happened::Announced(claim) => Some(claim),
                _ => None,
            })
            .collect();
        assert_eq!(said.iter().map(|claim| claim.call.number).collect::<Vec<_>>(), [0, 1], "{name}");
        assert!(said.iter().all(|claim| claim.verify(&network).is_ok()), "who said what stays checkable");
    }
}

#[tokio::test]
async fn weights_are_set_in_place_of_those_before_and_not_too_often() {
    for stage in Stage::all(&script(vec![])) {
        let (chain, name) = (&stage.chain, stage.name);
        let (amber, account) = (Signer::development("amber"), hotkey("amber"));
        assert_eq!(chain.weights(&account).await.unwrap(), None, "{name}");
        stage.steps(1);
        chain.set_weights(&amber, &[(2, u16::MAX), (0, 0)], 1).await.unwrap();
        let set = WeightsSet { set_at: 1, weights: vec![(2, u16::MAX), (0, 0)] };
        assert_eq!(chain.weights(&account).await.unwrap(), Some(set), "{name}");
        for height in [1, 2, 3] {
            let again = chain.set_weights(&amber, &[(1, 1)], height).await;
            assert_eq!(
                refusal(again),
                NetworkRefusal::TooSoon { set_at: 1, next_height: 4, height },
                "{name}"
            );
            stage.steps(1);
        }
        let included = chain.set_weights(&amber, &[(1, 1)], 4).await.unwrap();
        assert_eq!(included.height, 4, "{name}");
        let set = WeightsSet { set_at: 4, weights: vec![(1, 1)] };
        assert_eq!(chain.weights(&account).await.unwrap(), Some(set), "{name}");
        assert_eq!(chain.weights(&hotkey("birch")).await.unwrap(), None, "{name}");
        assert_eq!(chain.weights(&hotkey("stranger")).await.unwrap(), None, "{name}");
    }
}

#[tokio::test]
async fn weights_that_cannot_count_are_refused_and_change_nothing() {
    let lost = at(2, Event::SetPermit { hotkey: hotkey("birch"), validator_permit: false });
    for stage in Stage::all(&script(vec![lost])) {
        let (chain, name) = (&stage.chain, stage.name);
        stage.steps(2);
        let miner = chain.set_weights(&Signer::development("miner"), &[(0, 1)], 2).await;
        assert_eq!(refusal(miner), NetworkRefusal::NoPermit { hotkey: hotkey("miner"), uid: 2 }, "{name}");
        let birch = chain.set_weights(&Signer::development("birch"), &[(0, 1)], 2).await;
        assert_eq!(refusal(birch), NetworkRefusal::NoPermit { hotkey: hotkey("birch"), uid: 1 }, "{name}");
        let amber = Signer::development("amber");
        for (weights, expected) in [
            (&[][..], NetworkRefusal::NoWeights),
            (&[(0, 1), (3, 1)], NetworkRefusal::UnknownUid { uid: 3 }),
            (&[(0, 1), (u16::MAX, 1)], NetworkRefusal::UnknownUid { uid: u16::MAX }),
            (&[(0, 1), (2, 1), (0, 1)], NetworkRefusal::RepeatedUid { uid: 0 }),
        ] {
            assert_eq!(refusal(chain.set_weights(&amber, weights, 2).await), expected, "{name}");
        }
        assert_eq!(chain.weights(&amber.account()).await.unwrap(), None, "{name}");
        let calls = |happening: &Happening| matches!(happening.happened, Happened::WeightsSet(_));
        assert!(!stage.driver.history().iter().any(calls), "{name}");
    }
}

/// Calls of one hotkey from many tasks overtake each other between signing and inclusion. Each is signed anew until it is taken
/// up, and none is lost or taken up twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_overtake_each_other_are_all_taken_up() {
    for stage in Stage::all(&script(vec![])) {
        let calls: Vec<_> = (1..=6)
            .map(|port| {
                let chain = Arc::clone(&stage.chain);
                tokio::spawn(
                    async move { chain.announce(&Signer::development("miner"), endpoint(port)).await },
                )
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        let claims: Vec<_> = (stage.driver.history().into_iter())
            .filter_map(|happening| match happening.happened {
                Happened::Announced(claim) => Some((claim.call.number, claim.endpoint.port())),
                _ => None,
            })
            .collect();
        let (numbers, mut ports): (Vec<_>, Vec<_>) = claims.into_iter().unzip();
        ports.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5], "{}", stage.name);
        assert_eq!(ports, [1, 2, 3, 4, 5, 6], "{}", stage.name);
    }
}

/// What was scheduled by hand comes after the script's events of the same block.
#[tokio::test]
async fn scheduled_events_come_with_the_next_block_once() {
    let stake = |stake_rao| Event::SetStake { hotkey: hotkey("miner"), stake_rao };
    for stage in Stage::all(&script(vec![at(2, stake(1))])) {
        stage.steps(1);
        stage.driver.schedule(stake(2));
        let look = async || stage.chain.metagraph().await.unwrap().neuron(2).unwrap().stake_rao;
        assert_eq!(look().await, 0, "{}", stage.name);
        stage.steps(1);
        assert_eq!(look().await, 2, "{}", stage.name);
        stage.steps(3);
        assert_eq!(stage.driver.history().len(), 3 + 2, "{}", stage.name);
    }
}
