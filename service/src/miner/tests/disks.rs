//! The index against the disks, and directories that move.

use holdfast_engine::jobs::control::Control;

use super::scene::{Ground, Peer, bytes_of, names_under};
use crate::index::{EmbeddedIndex, EmbeddedSettings, Index, KeyRange, Table};
use crate::local::failure::Failure;
use crate::local::moving::move_directory;
use crate::miner::reindex;

async fn store(running: &super::scene::Running, ground: &Ground, bytes: &[u8], validator: &str) {
    let validator = running.peer(ground, validator).await;
    let mut owner: Peer = running.peer(ground, "owner").await;
    let ticket = validator.sign(&validator.ticket(&owner, bytes));
    owner.store(&ticket, bytes).await.expect("stores");
}

async fn rows(index: &dyn Index) -> Vec<(bytes::Bytes, bytes::Bytes)> {
    index.scan(Table::Objects, &KeyRange::all(), 1000).await.expect("reads")
}

#[tokio::test]
async fn the_index_comes_back_from_the_disks_alone_and_says_what_is_missing() {
    let ground = Ground::new();
    let running = ground.start().await;
    for seed in 0..5 {
        store(&running, &ground, &bytes_of(10_000, seed), if seed < 3 { "alice" } else { "bob" }).await;
    }
    running.end().await;
    let path = ground.folder.path().join("index");
    let open = async |path: &std::path::Path| {
        EmbeddedIndex::open(path, EmbeddedSettings::default()).await.expect("an index")
    };
    let index = open(&path).await;
    let before = rows(&index).await;
    assert_eq!(before.len(), 5);
    let directories = vec![ground.disk_path()];
    let same = reindex(directories.clone(), &index).await.expect("reindexes");
    assert_eq!((same.objects, same.added, same.missing.len()), (5, 0, 0));
    let fresh = open(&ground.folder.path().join("fresh")).await;
    let anew = reindex(directories.clone(), &fresh).await.expect("reindexes");
    assert_eq!((anew.objects, anew.added), (5, 5));
    assert_eq!(rows(&fresh).await, before);
    // An object that somebody deleted under us.
    let disk = ground.disk();
    let gone = blake3::hash(&bytes_of(10_000, 0)).to_hex().to_string();
    for partition in &disk.manifest.partitions {
        let _ = std::fs::remove_dir_all(crate::local::objects::store_path(&disk, partition).join(&gone));
    }
    let lacking = reindex(directories.clone(), &index).await.expect("reindexes");
    assert_eq!((lacking.objects, lacking.missing.len()), (4, 1));
    assert_eq!(lacking.missing[0].1.to_string(), gone);
    assert_eq!(reindex(directories, &index).await.expect("reindexes").missing, [], "told once");
}

#[tokio::test]
async fn a_directory_moves_whole_and_the_old_one_is_no_miners_any_more() {
    let mut ground = Ground::new();
    let bytes = bytes_of(100_000, 1);
    let running = ground.start().await;
    store(&running, &ground, &bytes, "alice").await;
    let other = ground.folder.path().join("other");
    let control = Control::default();
    running.end().await;
    let cancelled = Control::default();
    cancelled.cancel();
    let stopped = move_directory(&ground.disk_path(), &other, &cancelled);
    assert!(matches!(stopped, Err(Failure::Cancelled(_))));
    // What an earlier run left half done, and one file that a bad disk changed.
    std::fs::write(other.join("recorder.json"), b"something else").expect("writes");
    let moved = move_directory(&ground.disk_path(), &other, &control).expect("moves");
    assert!(moved.files > 4 && moved.bytes_written > 0);
    let names = names_under(&other);
    assert!(names.contains(&"partition.json".to_owned()) && names.contains(&".holdfast.lock".to_owned()));
    assert!(!names_under(&ground.disk_path()).contains(&"partition.json".to_owned()));
    let again = move_directory(&ground.disk_path(), &other, &control);
    assert!(matches!(again, Err(Failure::NotAllocated(_))), "it is moved already");
    ground.disk_name = "other";
    let running = ground.start().await;
    let mut owner = running.peer(&ground, "owner").await;
    assert_eq!(owner.retrieve(&bytes, 0, 0).await.expect("is there"), bytes);
    let mut alice = running.peer(&ground, "alice").await;
    alice.commitment().await.expect("its windows came along");
}
