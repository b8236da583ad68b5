use holdfast_engine::recorder::{Recorder, Simulation};
use holdfast_engine::signature::Signer;
use std::net::SocketAddr;

use super::super::tests::{at, endpoint, hotkey, refusal, script, settings, validator};
use super::*;
use crate::chain::{Chain, Driver, Event, Happened, NetworkRefusal, Script};

type FileDriver = Driver<FileRecorder, NetworkFile>;

fn driver(directory: &Path, script: Script) -> FileDriver {
    Driver::in_directory(directory, SimulationSettings::default(), settings(), script).unwrap()
}

fn stake(height: u64) -> crate::chain::Scripted {
    at(height, Event::SetStake { hotkey: hotkey("miner"), stake_rao: height })
}

fn miners_stake(chain: &FileChain) -> u64 {
    chain.network().unwrap().metagraph().neuron_of(&hotkey("miner")).unwrap().stake_rao
}

#[test]
fn a_directory_without_a_chain_is_no_chain() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(FileChain::open(folder.path()), Err(ChainError::Recorder(_))));
    FileRecorder::open_or_create(folder.path().join(RECORDER_FILE), SimulationSettings::default()).unwrap();
    assert!(matches!(FileChain::open(folder.path()), Err(ChainError::File(error)) if error.is_missing()));
    let deep = folder.path().join("a/b");
    drop(driver(&deep, script(vec![])));
    FileChain::open(&deep).unwrap();
}

/// Settings and neurons of a chain never change because somebody starts a driver with others.
#[test]
fn a_chain_that_exists_is_kept_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = driver(folder.path(), script(vec![stake(2), stake(5)]));
    for _ in 0..3 {
        first.step().unwrap();
    }
    let before = first.chain().network().unwrap();
    drop(first);
    let other = Script { neurons: vec![validator("other", 1)], events: vec![stake(2), stake(5)] };
    let second = driver(folder.path(), other);
    assert_eq!(second.chain().network().unwrap(), before);
    assert_eq!(second.step().unwrap().height, 4);
    assert_eq!(miners_stake(second.chain()), 2);
    second.step().unwrap();
    assert_eq!(miners_stake(second.chain()), 5);
}

#[test]
fn a_directory_has_one_driver() {
    let folder = tempfile::tempdir().unwrap();
    let first = driver(folder.path(), script(vec![]));
    let second =
        Driver::in_directory(folder.path(), SimulationSettings::default(), settings(), script(vec![]));
    assert!(matches!(second, Err(ChainError::Driven { .. })));
    drop(first);
    driver(folder.path(), script(vec![]));
}

/// The process ends after the history of a new network and before the network: neurons would be registered twice in it.
#[test]
fn a_network_that_did_not_come_to_be_leaves_no_history() {
    let folder = tempfile::tempdir().unwrap();
    drop(driver(folder.path(), script(vec![])));
    fs::remove_file(folder.path().join(NETWORK_FILE)).unwrap();
    let driver = driver(folder.path(), script(vec![]));
    assert_eq!(driver.chain().history().unwrap().len(), 3);
}

/// A network laid beside a recorder that has blocks already, as `holdfast allocate` leaves one.
#[test]
fn a_network_begins_at_the_height_that_its_recorder_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(RECORDER_FILE);
    FileRecorder::open_or_create(path, SimulationSettings::default()).unwrap().advance(16).unwrap();
    let driver = driver(folder.path(), script(vec![stake(3), stake(17)]));
    let metagraph = driver.chain().network().unwrap().metagraph();
    assert_eq!((metagraph.height, metagraph.neurons[0].registered_at), (16, 16));
    driver.step().unwrap();
    assert_eq!(miners_stake(driver.chain()), 17);
}

/// The driver ends between the two files: the block is there, what it changed is not.
#[test]
fn a_driver_that_ended_between_the_files_catches_up() {
    let folder = tempfile::tempdir().unwrap();
    let events = vec![stake(2), stake(3), at(3, Event::Reorganise { depth: 1 }), stake(4)];
    let first = driver(folder.path(), script(events.clone()));
    first.step().unwrap();
    FileRecorder::open(folder.path().join(RECORDER_FILE)).unwrap().advance(2).unwrap();
    drop(first);

    let chain = FileChain::open(folder.path()).unwrap();
    let (height, metagraph) = (chain.ledger().unwrap().height(), chain.network().unwrap().metagraph());
    assert_eq!((height, metagraph.height, miners_stake(&chain)), (3, 1, 0), "it says of which block it is");

    let hash = chain.ledger().unwrap().beacon(2);
    let second = driver(folder.path(), script(events));
    assert_eq!(second.step().unwrap().height, 4);
    assert_eq!(miners_stake(&chain), 4);
    assert_eq!(chain.ledger().unwrap().beacon(2), hash, "no block is replaced twice");
    let history = chain.history().unwrap();
    let history = history.iter().skip(3).map(|happening| (happening.height, &happening.happened));
    let kinds: Vec<_> = history
        .map(|(height, happened)| match happened {
            Happened::CaughtUp { first_height } => (height, Some(*first_height)),
            _ => (height, None),
        })
        .collect();
    assert_eq!(kinds, [(3, Some(2)), (2, None), (3, None), (3, None), (4, None)]);
}

/// The process ends after it has added to the history and before that counts; a line may be cut short too.
#[test]
fn history_that_never_came_to_count_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let driver = driver(folder.path(), script(vec![stake(1), stake(2)]));
    driver.step().unwrap();
    let history = driver.chain().history().unwrap();
    let path = folder.path().join(HISTORY_FILE);
    let good = fs::read_to_string(&path).unwrap();
    for left_behind in ["{\"height\": 2, \"happ", "\n\n", "{}\n{}\n", good.as_str()] {
        fs::write(&path, format!("{good}{left_behind}")).unwrap();
        assert_eq!(driver.chain().history().unwrap(), history, "{left_behind:?}");
    }
    driver.step().unwrap();
    let happened = driver.chain().history().unwrap();
    assert_eq!(happened[..history.len()], history);
    assert_eq!(happened.len(), history.len() + 1);
    assert!(fs::read_to_string(&path).unwrap().starts_with(&good));
}

#[test]
fn history_that_lacks_what_counts_is_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let driver = driver(folder.path(), script(vec![stake(1), stake(2)]));
    driver.step().unwrap();
    let path = folder.path().join(HISTORY_FILE);
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..good.len() - 1]).unwrap();
    for result in [driver.chain().history().map(drop), driver.step().map(drop)] {
        let error = result.unwrap_err();
        assert!(matches!(error, ChainError::Unusable { .. }), "{error}");
        assert!(error.to_string().contains("history_bytes"), "{error}");
    }
    assert_eq!(
        fs::read(&path).unwrap().len(),
        good.len() - 1,
        "nothing is written over what is not understood"
    );
    fs::write(&path, good).unwrap();
    driver.step().unwrap();
    assert_eq!(miners_stake(driver.chain()), 2, "and goes on when it is put right");
}

/// An editor that is in the middle of saving, or a mistake of its user.
#[tokio::test]
async fn a_file_that_cannot_be_used_leaves_the_last_that_could() {
    let folder = tempfile::tempdir().unwrap();
    let driver = driver(folder.path(), script(vec![]));
    driver.step().unwrap();
    let chain = FileChain::open(folder.path()).unwrap();
    let metagraph = chain.metagraph().await.unwrap();
    let path = folder.path().join(NETWORK_FILE);
    let good = fs::read_to_string(&path).unwrap();
    let miner = Signer::development("miner");
    let half = &good[..good.len() / 2];
    for (bad, told) in [
        (half.to_owned(), "EOF"),
        (String::new(), "EOF"),
        (good.replace("holdfast-network", "another"), "its format is \"another\""),
        (good.replace("\"version\": 1", "\"version\": 2"), "its version is 2"),
        (good.replace("stake_rao", "stake"), "unknown field `stake`"),
        (good.replace("\"uid\": 1", "\"uid\": 0"), "uid 0 is there twice"),
        (good.replace("\"uid\": 1", "\"uid\": 4"), "uid 4 is none of the network's 4"),
        (good.replace("\"registered_at\": 0", "\"registered_at\": 2"), "registered after block 1"),
        (good.replace(&hotkey("birch").to_ss58(), &hotkey("amber").to_ss58()), "is there twice"),
        (good.replace(&hotkey("birch").to_ss58(), "birch"), "not an SS58 address"),
    ] {
        assert_ne!(bad, good, "{told}");
        fs::write(&path, &bad).unwrap();
        assert_eq!(chain.metagraph().await.unwrap(), metagraph, "{told}");
        let trouble = chain.trouble().unwrap();
        assert!(trouble.contains(told) && trouble.contains(NETWORK_FILE), "{trouble}");
        for failed in [chain.announce(&miner, endpoint(5)).await.map(drop), driver.step().map(drop)] {
            assert!(matches!(failed, Err(ChainError::Unusable { .. })), "{failed:?}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), bad, "what somebody is editing is not written over");
        assert!(matches!(FileChain::open(folder.path()), Err(ChainError::Unusable { .. })));
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(chain.metagraph().await.unwrap(), metagraph);
    assert!(chain.trouble().is_some_and(|trouble| trouble.contains("cannot read")));
    fs::write(&path, &good).unwrap();
    assert_eq!(chain.metagraph().await.unwrap(), metagraph);
    assert_eq!(chain.trouble(), None, "all is well again");
}

/// Equal length and, on a coarse clock, equal times: content is what counts.
#[tokio::test]
async fn what_somebody_edits_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        r#"{{"format": "holdfast-network", "version": 1, "network": {{"neurons": [
            {{"uid": 7, "hotkey": "{b}", "coldkey": "{b}", "stake_rao": 10, "validator_permit": false}},
            {{"uid": 3, "hotkey": "{a}", "coldkey": "{a}", "stake_rao": 20, "validator_permit": true,
              "endpoint": "[::1]:8091"}}]}}}}"#,
        a = hotkey("a"),
        b = hotkey("b")
    );
    FileRecorder::open_or_create(folder.path().join(RECORDER_FILE), SimulationSettings::default()).unwrap();
    let path = folder.path().join(NETWORK_FILE);
    fs::write(&path, &text).unwrap();
    let chain = FileChain::open(folder.path()).unwrap();
    let metagraph = chain.metagraph().await.unwrap();
    let uids: Vec<_> = metagraph.neurons.iter().map(|neuron| neuron.uid).collect();
    assert_eq!(uids, [3, 7], "in order, however they were written");
    assert_eq!(metagraph.neurons[0].endpoint, Some("[::1]:8091".parse::<SocketAddr>().unwrap()));
    let times = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, text.replace("\"stake_rao\": 20", "\"stake_rao\": 30")).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(times).unwrap();
    assert_eq!(chain.metagraph().await.unwrap().neurons[0].stake_rao, 30);
    chain.announce(&Signer::development("a"), endpoint(4)).await.unwrap();
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept.contains("\"stake_rao\": 30") && kept.contains("127.0.0.1:4"), "{kept}");
    assert_eq!(chain.history().unwrap().len(), 1, "the call; how the file came to be is not known");
}

/// Handles as processes have them: a driver that makes blocks, and hotkeys that call meanwhile. Nothing is lost.
#[test]
fn processes_that_change_a_chain_at_once_lose_nothing_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let driver = driver(folder.path(), script((1..=20).map(stake).collect()));
    let call = |name: &'static str| {
        let chain = FileChain::open(folder.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for port in 1..=10 {
            runtime.block_on(chain.announce(&Signer::development(name), endpoint(port))).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for name in ["amber", "birch", "miner", "miner"] {
            scope.spawn(move || call(name));
        }
        for _ in 0..20 {
            driver.step().unwrap();
        }
    });
    let history = driver.chain().history().unwrap();
    let calls = history.iter().filter(|happening| matches!(happening.happened, Happened::Announced(_)));
    assert_eq!((history.len(), calls.count()), (3 + 20 + 40, 40));
    assert!(history.is_sorted_by_key(|happening| happening.height));
    let head = driver.chain().ledger().unwrap();
    assert_eq!((head.height(), miners_stake(driver.chain())), (20, 20));
    let next = driver.chain().network().unwrap().next_call(&hotkey("miner")).unwrap();
    assert_eq!(next.number, 20);
}

/// A change that is refused leaves both files as they are.
#[tokio::test]
async fn a_refused_call_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let driver = driver(folder.path(), script(vec![]));
    let bytes = || [NETWORK_FILE, HISTORY_FILE].map(|name| fs::read(folder.path().join(name)).unwrap());
    let before = bytes();
    let refused = driver.chain().set_weights(&Signer::development("amber"), &[], 0).await;
    assert_eq!(refusal(refused), NetworkRefusal::NoWeights);
    assert_eq!(bytes(), before);
}

/// What is recorded through the chain's recorder is in the file that other processes have.
#[test]
fn the_recorder_of_a_chain_is_shared_too() {
    let folder = tempfile::tempdir().unwrap();
    let driver = driver(folder.path(), script(vec![]));
    driver.step().unwrap();
    let other = FileChain::open(folder.path()).unwrap();
    assert_eq!(other.recorder().record_object(&[7; 32]).unwrap(), 1);
    let path = folder.path().join(RECORDER_FILE);
    let heights = [
        driver.chain().recorder().object_height(&[7; 32]),
        FileRecorder::open(path).unwrap().object_height(&[7; 32]),
    ];
    assert_eq!(heights.map(Result::unwrap), [Some(1), Some(1)]);
}

fn document(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let text = fs::read_to_string(&path).unwrap_or_default();
    (path, text)
}

#[test]
fn the_schema_in_the_documentation_is_that_of_the_types() {
    let (path, _) = document("network-json-v1.schema.json");
    let schema = format!("{:#}\n", schemars::schema_for!(Document).as_value());
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        schema,
        "HOLDFAST_BLESS=1 cargo test -p holdfast-service writes it anew"
    );
}

/// Who copies the guide's examples must get what the guide says.
#[test]
fn the_examples_of_the_guide_are_a_script_and_a_network() {
    let (_, guide) = document("guide/network-json.md");
    let example = |language: &str| {
        let (_, rest) = guide.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0
    };
    let network = parse(example("json").as_bytes(), Path::new("the guide")).unwrap().network;
    assert_eq!((network.height(), network.metagraph().neurons.len()), (17, 1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.toml");
    fs::write(&path, example("toml")).unwrap();
    let script = Script::read(&path).unwrap();
    assert_eq!((script.neurons.len(), script.events.len()), (2, 4));
    let driver = Driver::in_memory(SimulationSettings::default(), settings(), script).unwrap();
    for _ in 0..60 {
        driver.step().unwrap();
    }
    let history = driver.chain().history().unwrap();
    assert_eq!(history.len(), 6);
    assert!(!history.iter().any(|happening| matches!(happening.happened, Happened::Refused { .. })));
}
