//! Exports of real rounds: verified from themselves alone, whoever wrote them and however often it was cut off.

use std::fs;
use std::path::{Path, PathBuf};

use holdfast_engine::receipt::{Body, VoidReason};
use holdfast_engine::signature::{Signature, Signer};

use super::*;
use crate::export::{
    self, EventKind, EventRow, ExportError, ExportReader, ExportReport, Exporter, ReceiptRow as Exported,
    Trusted, verify_export,
};
use crate::validator::export::Export;

/// Two miners of which one gives wrong answers, after some rounds that are final; the first height at which anything was asked.
async fn rounds(export: Option<Exporting>) -> (Scene, Arc<Node>, u64) {
    let mut scene = Scene::new(&[("honest", Behaviour::Honest), ("wrong", Behaviour::Honest)]).await;
    scene.export = export;
    let node = scene.process("one", &scene.index).await;
    let first = scene.step(&node).await.height;
    scene.step(&node).await;
    scene.miners[1].behave(Behaviour::Wrong);
    scene.close_all(&node).await;
    scene.close_all(&node).await;
    (scene, node, first - 1)
}

async fn export(node: &Node, directory: &Path) -> crate::validator::export::Exported {
    let mut export = Export::open(node.export_source(), directory).await.unwrap();
    export.advance().await.unwrap()
}

fn verify(directory: &Path) -> Result<ExportReport, ExportError> {
    verify_export(&ExportReader::open(directory)?, Trusted::default())
}

fn class_of(refused: Result<ExportReport, ExportError>) -> Class {
    match refused {
        Err(ExportError::Rejected { rejection, .. }) => rejection.class,
        other => panic!("{other:?}"),
    }
}

fn receipts(directory: &Path) -> Vec<Exported> {
    let reader = ExportReader::open(directory).unwrap();
    reader.rows::<Exported>().flat_map(Result::unwrap).collect()
}

/// Writes other receipts in place of those that are there.
fn replace_receipts(directory: &Path, mut rows: Vec<Exported>) {
    fs::remove_dir_all(directory.join("receipts")).unwrap();
    (0..).zip(&mut rows).for_each(|(number, row)| row.number = number);
    let settings = *ExportReader::open(directory).unwrap().settings();
    Exporter::open(directory, settings).unwrap().append_receipts(&rows).unwrap();
}

fn copy_of(directory: &Path, name: &str) -> PathBuf {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if from.is_dir() {
                copy(&from, &to);
            } else {
                fs::copy(from, to).unwrap();
            }
        }
    }
    let to = directory.with_file_name(name);
    copy(directory, &to);
    to
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_rounds_are_verified_from_the_export_alone() {
    let (scene, node, first) = rounds(None).await;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("export");
    let written = export(&node, &directory).await;
    let finality_blocks = scene.world.policy.finality_blocks;
    let head = scene.world.height();
    assert_eq!(written.through, Some(head - finality_blocks), "as far as it is final");

    let report = verify(&directory).unwrap();
    assert!(report.chains.void.is_empty(), "{:?}", report.chains.void);
    assert_eq!(report.chains.receipts, written.receipts);
    assert_eq!((report.partitions, report.records), (2, 2));
    assert_eq!(report.chains.chains.len(), 4, "a partition and an object of each miner");
    let last = head - 2 * finality_blocks;
    for chain in &report.chains.chains {
        assert_eq!(chain.heights, Some((first, last)), "{:?}", chain.subject);
        let wrong = chain.miner == scene.miners[1].account();
        assert_eq!(chain.rejected > 0, wrong);
        assert!(chain.accepted_timely_anchored > 0, "its answers were anchored in time");
        assert!(
            chain.missing_rounds.iter().all(|missed| missed.height < first),
            "{:?}",
            chain.missing_rounds
        );
    }
    // Nothing that the chain has is left out.
    let chain = Trusted { recorder: Some(&*scene.world.recorder), audits: None };
    let compared = verify_export(&ExportReader::open(&directory).unwrap(), chain).unwrap();
    assert!(compared.compared_with_recorder);
    // Accepted answers stand for bytes, refused ones have a reason.
    let rows = receipts(&directory);
    assert!(rows.iter().any(|row| row.proven_object_bytes > 0));
    assert!(rows.iter().any(|row| row.rejection.as_ref().is_some_and(|why| why.class == Class::WrongRoot)));
    let reader = ExportReader::open(&directory).unwrap();
    let events: Vec<EventRow> = reader.rows().flat_map(Result::unwrap).collect();
    let has = |kind| events.iter().any(|event| event.kind == kind);
    assert!(
        has(EventKind::ValidatorStarted) && has(EventKind::RoundClosed) && has(EventKind::AnchorRecorded)
    );
}

/// The validator exports by itself, and each of these exports is gone on with: after a kill before the blocks were written, from a
/// directory that was moved, and from a note that is newer than the directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_anywhere_an_export_is_gone_on_with() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("export");
    let exporting = Exporting { directory: directory.clone(), every_blocks: 2 };
    let (scene, node, _) = rounds(Some(exporting)).await;
    let early = verify(&directory).unwrap();
    assert!(early.chains.receipts > 0 && early.chains.void.is_empty(), "written as rounds became final");
    // This process is killed: it tells nobody, and its directory is free.
    drop(node);
    let node = scene.process("one", &scene.index).await;
    let before = copy_of(&directory, "before");

    for _ in 0..3 {
        scene.step(&node).await;
    }
    node.export_last().await;
    let whole = verify(&directory).unwrap();
    assert!(whole.chains.receipts > early.chains.receipts);
    assert!(whole.chains.void.is_empty(), "{:?}", whole.chains.void);

    // Killed between the receipts and the blocks: all but the blocks is there already.
    let killed = copy_of(&directory, "killed");
    let reader = ExportReader::open(&killed).unwrap();
    let blocks = reader.counts(export::Table::Blocks).0;
    let mut files: Vec<PathBuf> = fs::read_dir(killed.join("blocks"))
        .unwrap()
        .flat_map(|day| fs::read_dir(day.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(blocks > 1 && files.len() as u64 == blocks);
    fs::remove_file(files.last().unwrap()).unwrap();
    let written = export(&node, &killed).await;
    assert_eq!(written.receipts, 0);
    assert!(written.blocks > 0);
    assert_eq!(verify(&killed).unwrap().chains, whole.chains);
    // A directory of which nothing is noted, and one that is older than its note.
    assert!(export(&node, &before).await.receipts > 0);
    assert_eq!(verify(&before).unwrap().chains, whole.chains);
    fs::remove_dir_all(&directory).unwrap();
    export(&node, &directory).await;
    assert_eq!(verify(&directory).unwrap().chains, whole.chains);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_removed_and_invented_receipts_are_found() {
    let (scene, node, _) = rounds(None).await;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("export");
    export(&node, &directory).await;
    let rows = receipts(&directory);

    let flipped = copy_of(&directory, "flipped");
    let day = fs::read_dir(flipped.join("receipts")).unwrap().next().unwrap().unwrap().path();
    let file = fs::read_dir(day).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(matches!(
        class_of(verify(&flipped)),
        Class::Malformed | Class::WrongRecord | Class::BadSignature
    ));

    let removed = copy_of(&directory, "removed");
    let mut without = rows.clone();
    without.remove(rows.len() / 2 - 4);
    replace_receipts(&removed, without);
    assert_eq!(class_of(verify(&removed)), Class::BrokenChain);

    // At the end of a chain, for a round that there was not: of a stranger, and of the validator itself.
    let last = rows.last().unwrap().clone();
    let network = scene.world.network;
    let body = Body {
        height: last.receipt.body.height + 1,
        challenge_seed: [7; 32],
        previous: last.receipt.body.digest(&network),
        ..last.receipt.body
    };
    let invent = |signer: &Signer, name: &str| {
        let directory = copy_of(&directory, name);
        let mut receipt = Receipt::issue(body, &network, signer);
        receipt.miner_signature = Signature::NONE;
        replace_receipts(&directory, [&rows[..], &[Exported { receipt, ..last.clone() }]].concat());
        verify(&directory)
    };
    assert_eq!(class_of(invent(&Signer::development("stranger"), "stranger")), Class::BadSignature);
    let report = invent(&scene.world.validator, "own").unwrap();
    assert_eq!(report.chains.void.len(), 1);
    assert!(matches!(report.chains.void[0].reason, VoidReason::WrongSeed | VoidReason::NotFinal));
}
