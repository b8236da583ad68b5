use holdfast_engine::receipt::{
    ChainTip, ChainVerifier, Outcome, encode_chain_header, find_equivocation, verify_chain,
};

use super::super::fixture::{Miner, World};
use super::super::plan::{Question, plan};
use super::failing::Failing;
use super::*;
use crate::index::{EmbeddedIndex, lease};

fn index() -> Arc<dyn Index> {
    Arc::new(EmbeddedIndex::in_memory().unwrap())
}

fn chains(index: &Arc<dyn Index>, world: &World) -> Chains {
    Chains::new(Arc::clone(index), world.network, Arc::clone(&world.validator))
}

fn digest(height: u64) -> [u8; 32] {
    *blake3::hash(&height.to_le_bytes()).as_bytes()
}

/// What a round at the newest block would find: one in five missed, one in five wrong.
fn judged(world: &World, miner: &Miner) -> AnswersRow {
    let height = world.height();
    let finding = |question: &Question| {
        let mut finding = Finding::promised(question, None);
        finding.accepted = Some(height % 5 > 1);
        finding.response_digest =
            (!height.is_multiple_of(5)).then(|| super::super::store::Hex32(digest(height)));
        finding
    };
    let findings = plan(&world.terms(), &miner.facts()).questions.iter().map(finding).collect();
    AnswersRow { findings, judged: true, linked: None }
}

async fn keep(index: &dyn Index, height: u64, miner: &Account, row: &AnswersRow) {
    let mut changes = Changes::new();
    ANSWERS.put(&mut changes, &answers_key(height, Part::Samples, miner), row).unwrap();
    index.commit(changes).await.unwrap();
}

/// All receipts of a miner that we signed.
async fn receipts(index: &dyn Index, miner: &Account) -> Vec<Receipt> {
    let rows = RECEIPTS.scan(index, &RECEIPTS.prefix(miner), usize::MAX).await.unwrap();
    rows.into_iter().filter_map(|row| row.value.receipt().unwrap()).collect()
}

/// The miner's side of countersigning: its own ends of chains.
fn countersign(
    miner: &Miner,
    tips: &mut std::collections::HashMap<ChainKey, ChainTip>,
    world: &World,
    shown: &[(u64, Receipt)],
) -> Vec<(u64, Countersigned)> {
    let sign = |(sequence, receipt): &(u64, Receipt)| {
        let key = receipt.body.key;
        let tip = tips.entry(key).or_insert_with(|| ChainTip::new(world.network, key));
        let said = match tip.countersign(receipt, &miner.signer) {
            Ok(signed) if signed.body.outcome == Outcome::Missed => {
                Countersigned::Withheld("missed".to_owned())
            }
            Ok(signed) => Countersigned::Signature(signed.miner_signature),
            Err(rejection) => Countersigned::Withheld(rejection.to_string()),
        };
        (*sequence, said)
    };
    shown.iter().map(sign).collect()
}

#[tokio::test]
async fn rounds_become_a_chain_file_that_a_third_party_takes() {
    let (world, index) = (World::new(), index());
    let miner = world.miner("miner", 4);
    world.settle();
    let chains = chains(&index, &world);
    let first = world.height() + 1;
    for _ in 0..7 {
        let height = world.advance(1);
        keep(&*index, height, &miner.account(), &judged(&world, &miner)).await;
    }
    world.settle();
    let mut tips = std::collections::HashMap::new();
    for height in first..first + 7 {
        let linked = chains.link(None, (height, Part::Samples), &miner.account()).await.unwrap();
        assert_eq!(linked, (height - first, height - first + 1));
        let again = chains.link(None, (height, Part::Samples), &miner.account()).await.unwrap();
        assert_eq!(again, linked, "linking twice links once");
    }
    chains.sign(None, &miner.account()).await.unwrap();
    let shown = chains.to_show(&miner.account()).await.unwrap();
    assert_eq!(shown.len(), 7);
    let said = countersign(&miner, &mut tips, &world, &shown);
    chains.shown(None, &miner.account(), &said).await.unwrap();
    assert!(chains.to_show(&miner.account()).await.unwrap().is_empty());

    let mut file = encode_chain_header(&world.network).to_vec();
    for receipt in receipts(&*index, &miner.account()).await {
        file.extend_from_slice(&receipt.encode());
    }
    let verifier = ChainVerifier::new(world.network).with_recorder(&*world.recorder, 10);
    let report = verify_chain(&file[..], verifier, |_, _| ()).unwrap();
    let [chain] = &report.chains[..] else { panic!("one chain") };
    assert_eq!((chain.receipts, chain.void, report.receipts), (7, 0, 7));
    assert_eq!(chain.accepted + chain.rejected + chain.missed, 7);
    assert!(chain.missed >= 1 && chain.rejected >= 1 && chain.accepted >= 3);
    assert_eq!(chain.accepted_signed_by_both, chain.accepted);
}

/// There are a few histories at a time, so who opens one and reads nothing must not keep it.
#[tokio::test(start_paused = true)]
async fn a_history_that_nobody_reads_ends() {
    let (world, index) = (World::new(), index());
    let miner = world.miner("miner", 4);
    world.settle();
    let chains = chains(&index, &world);
    for _ in 0..4 {
        let height = world.advance(1);
        keep(&*index, height, &miner.account(), &judged(&world, &miner)).await;
        chains.link(None, (height, Part::Samples), &miner.account()).await.unwrap();
    }
    chains.sign(None, &miner.account()).await.unwrap();
    let (sender, mut receiver) = mpsc::channel(1);
    chains.history(None, 0..u64::MAX, &sender).await.unwrap();
    drop(sender);
    assert!(receiver.recv().await.unwrap().is_ok());
    assert!(receiver.recv().await.is_none(), "one waits, and no more came");
}

/// The validator is killed at each commit in turn, before and after it is made, and starts anew from what is in the index. It never
/// signs two bodies for one place, and what it showed to the miner stays.
#[tokio::test]
async fn no_crash_forks_a_chain() {
    for (commit, after) in (1..14).flat_map(|commit| [(commit, false), (commit, true)]) {
        let (world, durable) = (World::new(), index());
        let miner = world.miner("miner", 4);
        world.settle();
        let first = world.height() + 1;
        for _ in 0..4 {
            let height = world.advance(1);
            keep(&*durable, height, &miner.account(), &judged(&world, &miner)).await;
        }
        world.settle();
        let mut tips = std::collections::HashMap::new();
        let mut seen_by_miner: Vec<Receipt> = Vec::new();
        let mut run = async |index: &Arc<dyn Index>| -> Result<(), ValidatorError> {
            let chains = chains(index, &world);
            for height in first..first + 4 {
                chains.link(None, (height, Part::Samples), &miner.account()).await?;
                chains.sign(None, &miner.account()).await?;
                let shown = chains.to_show(&miner.account()).await?;
                seen_by_miner.extend(shown.iter().map(|(_, receipt)| *receipt));
                let said = countersign(&miner, &mut tips, &world, &shown);
                chains.shown(None, &miner.account(), &said).await?;
            }
            Ok(())
        };
        let failing: Arc<dyn Index> = Arc::new(Failing::new(Arc::clone(&durable), commit, after));
        let killed = run(&failing).await;
        assert!(killed.is_err() || commit > 12, "commit {commit} was reached");
        run(&durable).await.unwrap();
        let kept = receipts(&*durable, &miner.account()).await;
        assert_eq!(kept.len(), 4, "killed at commit {commit}");
        let mut verifier = ChainVerifier::new(world.network);
        for receipt in &kept {
            verifier.push(&receipt.encode()).unwrap();
        }
        verifier.finish().unwrap();
        let all = [&seen_by_miner[..], &kept].concat();
        assert!(find_equivocation(&world.network, &all).is_empty(), "killed at commit {commit}");
        let unsigned = kept.iter().filter(|receipt| receipt.miner_signature.is_none());
        assert!(unsigned.clone().all(|receipt| receipt.body.outcome == Outcome::Missed), "commit {commit}");
    }
}

/// Of two processes that share an index the one that lost the lease writes nothing, however far it was.
#[tokio::test]
async fn who_lost_the_lease_links_nothing() {
    let (world, index) = (World::new(), index());
    let miner = world.miner("miner", 4);
    world.settle();
    let height = world.advance(1);
    keep(&*index, height, &miner.account(), &judged(&world, &miner)).await;
    let acquire = async |owner: &str, now_ms| match lease::acquire(&*index, "rounds", owner, now_ms, 10).await
    {
        Ok(lease::Acquisition::Acquired(lease)) => lease,
        other => panic!("{other:?}"),
    };
    let old = acquire("one", 0).await;
    let new = acquire("two", 100).await;
    let chains = chains(&index, &world);
    let place = (height, Part::Samples);
    let refused = chains.link(Some(&old), place, &miner.account()).await;
    assert!(matches!(refused, Err(ValidatorError::NotInCharge { .. })), "{refused:?}");
    let refused = chains.commit(Some(&old), Changes::new()).await;
    assert!(matches!(refused, Err(ValidatorError::NotInCharge { .. })), "{refused:?}");
    assert_eq!(chains.link(Some(&new), place, &miner.account()).await.unwrap(), (0, 1));
}

/// What a miner says of a receipt is checked; a wrong signature is none, and one for a later receipt is not taken early.
#[tokio::test]
async fn a_miner_can_withhold_but_not_forge() {
    let (world, index) = (World::new(), index());
    let miner = world.miner("miner", 4);
    world.settle();
    let chains = chains(&index, &world);
    let account = miner.account();
    for _ in 0..10 {
        let height = world.advance(1);
        keep(&*index, height, &account, &judged(&world, &miner)).await;
        chains.link(None, (height, Part::Samples), &account).await.unwrap();
    }
    chains.sign(None, &account).await.unwrap();
    let shown = chains.to_show(&account).await.unwrap();
    let right = |place: usize| {
        let signed = shown[place].1.countersign(&world.network, &miner.signer);
        Countersigned::Signature(signed.miner_signature)
    };
    let answered = shown.iter().position(|(_, receipt)| receipt.body.outcome != Outcome::Missed).unwrap();
    // Another receipt's signature, and one out of turn.
    let said: Vec<(u64, Countersigned)> =
        (0..=answered).map(|place| (place as u64, right(answered + 1))).collect();
    chains.shown(None, &account, &[(5, right(5))]).await.unwrap();
    chains.shown(None, &account, &said).await.unwrap();
    let rows = RECEIPTS.scan(&*index, &RECEIPTS.prefix(&account), 20).await.unwrap();
    assert!(rows.iter().all(|row| row.value.miner_signature.is_none()));
    assert!(rows[answered].value.withheld.as_ref().unwrap().contains("signature"));
    assert_eq!(chains.to_show(&account).await.unwrap()[0].0, answered as u64 + 1, "the next one");
}

/// What we could not judge, or only promised when we were killed, is no receipt: it is not the miner's fault.
#[tokio::test]
async fn what_was_not_judged_is_no_receipt() {
    let (world, index) = (World::new(), index());
    let miner = world.miner("miner", 4);
    world.settle();
    let chains = chains(&index, &world);
    let height = world.advance(1);
    let mut row = judged(&world, &miner);
    row.findings[0].accepted = None;
    keep(&*index, height, &miner.account(), &row).await;
    assert_eq!(chains.link(None, (height, Part::Samples), &miner.account()).await.unwrap(), (0, 0));
    let height = world.advance(1);
    let row = AnswersRow { judged: false, ..judged(&world, &miner) };
    keep(&*index, height, &miner.account(), &row).await;
    assert_eq!(chains.link(None, (height, Part::Samples), &miner.account()).await.unwrap(), (0, 0));
    // And the chain goes on.
    let height = world.advance(1);
    keep(&*index, height, &miner.account(), &judged(&world, &miner)).await;
    assert_eq!(chains.link(None, (height, Part::Samples), &miner.account()).await.unwrap(), (0, 1));
}
