//! Blocks, finality, reorganisations, and who hears of them.

use super::*;

#[tokio::test]
async fn a_chain_begins_with_one_block_and_grows_by_its_driver() {
    for stage in Stage::all(&script(vec![])) {
        let chain = &stage.chain;
        let first = chain.head().await.unwrap();
        assert_eq!((first.height, first.finalized_height), (0, None), "{}", stage.name);
        let made = stage.steps(FINALITY_BLOCKS + 2);
        let head = chain.head().await.unwrap();
        assert_eq!((made, head.height), (head, 10), "{}", stage.name);
        assert_eq!(head.finalized_height, Some(2));
        assert!(head.is_final(2) && !head.is_final(3));
        assert_eq!(chain.block_hash(10).await.unwrap(), Some(head.hash));
        assert_eq!(chain.block_hash(0).await.unwrap(), Some(first.hash));
        assert_eq!(chain.block_hash(11).await.unwrap(), None);
    }
}

/// Beacons decide challenges, so a node that saw other hashes than the recorder would ask for other chunks.
#[tokio::test]
async fn block_hashes_are_the_recorders_beacons() {
    for stage in Stage::all(&script(vec![at(3, Event::Reorganise { depth: 1 })])) {
        stage.steps(4);
        let recorder = stage.chain.recorder();
        for height in 0..6 {
            let hash = stage.chain.block_hash(height).await.unwrap();
            assert_eq!(hash, recorder.beacon(height).unwrap(), "{} {height}", stage.name);
        }
        let head = stage.chain.head().await.unwrap();
        assert_eq!(Some(head.finalized_height), recorder.finalized_height().ok());
    }
}

#[tokio::test]
async fn a_reorganisation_replaces_the_blocks_below_its_own_and_no_others() {
    for stage in Stage::all(&script(vec![at(6, Event::Reorganise { depth: 2 })])) {
        stage.steps(5);
        let hashes = async || {
            let mut hashes = vec![];
            for height in 0..=5 {
                hashes.push(stage.chain.block_hash(height).await.unwrap().unwrap());
            }
            hashes
        };
        let (before, head) = (hashes().await, stage.steps(1));
        let after = hashes().await;
        assert_eq!(head.height, 6, "{}", stage.name);
        assert_eq!(before[..4], after[..4]);
        assert!(before[4] != after[4] && before[5] != after[5]);
    }
}

/// What is final stays, whatever a script says, and the chain goes on.
#[tokio::test]
async fn final_blocks_and_the_first_are_not_replaced() {
    let events = vec![
        at(2, Event::Reorganise { depth: 2 }),
        at(12, Event::Reorganise { depth: FINALITY_BLOCKS }),
        at(13, Event::Reorganise { depth: FINALITY_BLOCKS - 1 }),
    ];
    for stage in Stage::all(&script(events)) {
        assert_eq!(stage.steps(13).height, 13, "{}", stage.name);
        let refused = |happening: &Happening| matches!(happening.happened, Happened::Refused { .. });
        let history = stage.driver.history();
        let heights = history.iter().filter(|happening| refused(happening)).map(|happening| happening.height);
        assert_eq!(heights.collect::<Vec<_>>(), [2, 12], "{}", stage.name);
        assert!(history.contains(&Happening {
            height: 13,
            happened: Happened::Scripted(Event::Reorganise { depth: FINALITY_BLOCKS - 1 })
        }));
    }
}

/// A validator that takes "F blocks ago" for final would sign over blocks that are replaced here.
#[tokio::test]
async fn while_finality_stalls_old_blocks_can_be_replaced() {
    let events = vec![
        at(10, Event::StallFinality),
        at(40, Event::Reorganise { depth: 36 }),
        at(41, Event::Reorganise { depth: 38 }),
        at(42, Event::ResumeFinality),
    ];
    for stage in Stage::all(&script(events)) {
        assert_eq!(stage.steps(10).finalized_height, Some(2), "{}", stage.name);
        let old = stage.chain.block_hash(4).await.unwrap();
        assert_eq!(stage.steps(29).finalized_height, Some(2));
        assert!(!stage.chain.recorder().is_final(30).unwrap());
        stage.steps(1);
        assert_ne!(stage.chain.block_hash(4).await.unwrap(), old);
        let third = stage.chain.block_hash(3).await.unwrap();
        assert_eq!(stage.steps(2).finalized_height, Some(42 - FINALITY_BLOCKS));
        assert_ne!(stage.chain.block_hash(3).await.unwrap(), third, "38 blocks below 41");
    }
}

#[tokio::test]
async fn heads_are_told_to_all_who_follow() {
    for stage in Stage::all(&script(vec![])) {
        let mut receivers = [stage.chain.heads(), stage.chain.heads()];
        for receiver in &mut receivers {
            assert_eq!(receiver.borrow_and_update().height, 0, "{}", stage.name);
        }
        let head = stage.steps(2);
        for receiver in &mut receivers {
            let told = receiver.wait_for(|told| told.height == 2).await.unwrap();
            assert_eq!(*told, head, "{}", stage.name);
        }
    }
}

/// A block that takes the place of one of the same height is a new head.
#[tokio::test]
async fn a_head_that_is_replaced_is_told() {
    let driver = Driver::in_memory(SimulationSettings::default(), settings(), script(vec![])).unwrap();
    let old = driver.step().unwrap();
    let mut heads = driver.chain().heads();
    heads.borrow_and_update();
    holdfast_engine::recorder::Simulation::reorganise(driver.chain().simulation(), 1).unwrap();
    let new = driver.chain().head().await.unwrap();
    assert!(new.height == old.height && new.hash != old.hash);
    assert!(heads.has_changed().unwrap());
    assert_eq!(*heads.borrow_and_update(), new);
    assert_eq!(driver.chain().head().await.unwrap(), new);
    assert!(!heads.has_changed().unwrap(), "an equal head is no news");
}

/// Whoever follows must learn that nothing will come any more.
#[tokio::test]
async fn who_follows_a_chain_that_is_dropped_is_told_so() {
    for Stage { name, chain, driver, _folder } in Stage::all(&script(vec![])) {
        let mut heads = chain.heads();
        drop((chain, driver));
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), heads.changed()).await;
        assert!(ended.expect("the sender is gone soon").is_err(), "{name}");
    }
}

/// Blocks come by the clock, each once, and the order of the script is kept at any speed.
#[tokio::test]
async fn a_driver_that_runs_makes_block_after_block() {
    let events =
        (1..=5).map(|height| at(height, Event::SetStake { hotkey: hotkey("miner"), stake_rao: height }));
    let driver = Driver::in_memory(SimulationSettings::default(), settings(), script(events.collect()));
    let driver = Arc::new(driver.unwrap());
    let (sender, mut made) = tokio::sync::mpsc::unbounded_channel();
    let run = Arc::clone(&driver).run(std::time::Duration::from_millis(1), move |head| {
        // Nobody listens after the fifth block.
        let _ = sender.send(head.height);
    });
    let run = tokio::spawn(run);
    for height in 1..=5 {
        assert_eq!(made.recv().await, Some(height));
    }
    run.abort();
    let stakes: Vec<_> = (driver.chain().history().unwrap().into_iter().skip(3).take(5))
        .map(|happening| match happening.happened {
            Happened::Scripted(Event::SetStake { stake_rao, .. }) => (happening.height, stake_rao),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(stakes, [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
}
