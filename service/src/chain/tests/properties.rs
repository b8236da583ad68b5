//! What holds for every script.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const BLOCKS: u64 = 30;

fn any_neuron() -> impl Strategy<Value = NewNeuron> {
    (0..7_u8, 0..50_u64, any::<bool>(), proptest::option::of(0..5_u16)).prop_map(
        |(name, stake_rao, validator_permit, uid)| NewNeuron {
            stake_rao,
            validator_permit,
            uid,
            ..neuron(&format!("neuron-{name}"))
        },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    let hotkey = || (0..7_u8).prop_map(|name| hotkey(&format!("neuron-{name}")));
    prop_oneof![
        3 => any_neuron().prop_map(Event::Register),
        1 => hotkey().prop_map(|hotkey| Event::Deregister { hotkey }),
        1 => (hotkey(), any::<u64>()).prop_map(|(hotkey, stake_rao)| Event::SetStake { hotkey, stake_rao }),
        1 => (hotkey(), any::<bool>())
            .prop_map(|(hotkey, validator_permit)| Event::SetPermit { hotkey, validator_permit }),
        1 => (hotkey(), proptest::option::of(any::<u16>().prop_map(endpoint)))
            .prop_map(|(hotkey, endpoint)| Event::SetEndpoint { hotkey, endpoint }),
        2 => (0..20_u64).prop_map(|depth| Event::Reorganise { depth }),
        1 => Just(Event::StallFinality),
        1 => Just(Event::ResumeFinality),
    ]
}

fn any_script() -> impl Strategy<Value = Script> {
    let scripted = (1..=BLOCKS, any_event()).prop_map(|(height, event)| at(height, event));
    vec(scripted, 0..40).prop_map(|events| Script { neurons: vec![validator("amber", 1)], events })
}

/// All that a node can see of a chain, after each block.
fn play(
    driver: &Driver<impl holdfast_engine::recorder::Simulation + Debug + 'static, impl NetworkStore>,
) -> Vec<String> {
    let look = |_| {
        let head = driver.step().unwrap();
        format!("{head:?} {:?}", driver.chain().network().unwrap().metagraph())
    };
    let mut seen: Vec<String> = (0..BLOCKS).map(look).collect();
    seen.push(format!("{:?}", driver.chain().ledger().unwrap()));
    seen.extend(driver.chain().history().unwrap().iter().map(|happening| format!("{happening:?}")));
    seen
}

fn in_memory(
    script: &Script,
    seed: [u8; 32],
) -> Driver<holdfast_engine::recorder::SimulatedRecorder, MemoryNetwork> {
    let simulation = SimulationSettings { seed, ..SimulationSettings::default() };
    Driver::in_memory(simulation, settings(), script.clone()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn equal_seeds_and_scripts_make_equal_chains(script in any_script(), seed in any::<[u8; 32]>()) {
        let seen = play(&in_memory(&script, seed));
        prop_assert_eq!(&seen, &play(&in_memory(&script, seed)));
        let mut other = seed;
        other[0] ^= 1;
        prop_assert_ne!(&seen, &play(&in_memory(&script, other)), "the seed decides the hashes");
    }

    #[test]
    fn the_order_of_events_in_the_script_matters_within_a_block_only(script in any_script(), seed in any::<[u8; 32]>()) {
        let mut sorted = script.clone();
        sorted.events.sort_by_key(|scripted| scripted.height);
        prop_assert_eq!(play(&in_memory(&script, seed)), play(&in_memory(&sorted, seed)));
    }

    #[test]
    fn seats_stay_in_order(script in any_script()) {
        let driver = in_memory(&script, [0; 32]);
        let mut finalized = None;
        for _ in 0..BLOCKS {
            let head = driver.step().unwrap();
            prop_assert!(finalized <= head.finalized_height, "what is final stays so");
            finalized = head.finalized_height;
            let metagraph = driver.chain().network().unwrap().metagraph();
            prop_assert_eq!(metagraph.height, head.height);
            prop_assert!(metagraph.neurons.is_sorted_by(|a, b| a.uid < b.uid));
            let hotkeys: BTreeSet<_> = metagraph.neurons.iter().map(|neuron| neuron.hotkey).collect();
            prop_assert_eq!(hotkeys.len(), metagraph.neurons.len());
            for neuron in &metagraph.neurons {
                prop_assert!(neuron.uid < settings().neurons_max && neuron.registered_at <= head.height);
                prop_assert_eq!(metagraph.neuron(neuron.uid), Some(neuron));
            }
        }
        let events = driver.chain().history().unwrap().len();
        prop_assert_eq!(events, script.neurons.len() + script.events.len(), "nothing is left out");
    }

    #[test]
    fn scripts_survive_both_notations(script in any_script()) {
        let folder = tempfile::tempdir().unwrap();
        let (json, toml) = (folder.path().join("script.json"), folder.path().join("script.toml"));
        std::fs::write(&json, serde_json::to_vec(&script).unwrap()).unwrap();
        prop_assert_eq!(&Script::read(&json).unwrap(), &script);
        // TOML has integers up to 2^63 - 1.
        if let Ok(text) = toml::to_string(&script) {
            std::fs::write(&toml, text).unwrap();
            prop_assert_eq!(&Script::read(&toml).unwrap(), &script);
        }
    }
}

proptest! {
    // Every block is synced twice.
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_directory_holds_the_same_chain_as_memory_whoever_looks(script in any_script()) {
        let folder = tempfile::tempdir().unwrap();
        let driver =
            Driver::in_directory(folder.path(), SimulationSettings::default(), settings(), script.clone()).unwrap();
        let seen = play(&driver);
        prop_assert_eq!(&seen, &play(&in_memory(&script, [0; 32])));
        let other = FileChain::open(folder.path()).unwrap();
        prop_assert_eq!(other.network().unwrap(), driver.chain().network().unwrap());
        prop_assert_eq!(other.history().unwrap(), driver.chain().history().unwrap());
    }
}
