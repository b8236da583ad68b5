//! Any sequence of commits, against a map.

use std::collections::BTreeMap;

use bytes::Bytes;
use holdfast_service::index::{Changes, IndexError, KeyRange, Table};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::stores::Store;

const SEQUENCES: u32 = 40;

type Model = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// One step of a commit.
#[derive(Clone, Debug)]
enum Step {
    Put(Table, Vec<u8>, Vec<u8>),
    Delete(Table, Vec<u8>),
    /// A check of the value that is there, which holds.
    CheckTrue(Table, Vec<u8>),
    /// A check of a value that may be there.
    Check(Table, Vec<u8>, Option<Vec<u8>>),
}

/// Few and short, so that they meet.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0), Just(97), Just(255)], 0..3)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0), Just(255)], 0..2)
}

fn table() -> impl Strategy<Value = Table> {
    prop_oneof![Just(Table::Files), Just(Table::Pieces)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (table(), key(), value()).prop_map(|(table, key, value)| Step::Put(table, key, value)),
        2 => (table(), key()).prop_map(|(table, key)| Step::Delete(table, key)),
        2 => (table(), key()).prop_map(|(table, key)| Step::CheckTrue(table, key)),
        1 => (table(), key(), proptest::option::of(value()))
            .prop_map(|(table, key, value)| Step::Check(table, key, value)),
    ]
}

/// The commit of some steps, and what it makes of a map: `None` if it is refused.
fn commit(steps: &[Step], before: &Model) -> (Changes, Option<Model>) {
    let (mut changes, mut after, mut refused) = (Changes::new(), before.clone(), false);
    for step in steps.iter().cloned() {
        match step {
            Step::Put(table, key, value) => {
                changes.put(table, key.clone(), value.clone());
                after.insert((table, key), value);
            }
            Step::Delete(table, key) => {
                changes.delete(table, key.clone());
                after.remove(&(table, key));
            }
            Step::CheckTrue(table, key) => {
                let found = before.get(&(table, key.clone())).cloned();
                changes.check(table, key, found.map(Bytes::from));
            }
            Step::Check(table, key, expected) => {
                refused |= before.get(&(table, key.clone())) != expected.as_ref();
                changes.check(table, key, expected.map(Bytes::from));
            }
        }
    }
    (changes, (!refused).then_some(after))
}

fn scanned(model: &Model, table: Table, range: &KeyRange, limit: usize) -> Vec<(Bytes, Bytes)> {
    let inside = |key: &[u8]| key >= range.start() && range.end().is_none_or(|end| key < end);
    let mut entries: Vec<(Bytes, Bytes)> = model
        .iter()
        .filter(|((of, key), _)| *of == table && inside(key))
        .map(|((_, key), value)| (Bytes::from(key.clone()), Bytes::from(value.clone())))
        .collect();
    if range.is_descending() {
        entries.reverse();
    }
    entries.truncate(limit);
    entries
}

pub(crate) async fn any_sequence_of_commits_does_what_a_map_does(store: &Store) {
    let index = store.index();
    let mut runner = TestRunner::new(Config::default());
    let sequences = vec((vec(step(), 0..6), table(), key(), key(), any::<bool>(), 0..5_usize), 1..12);
    // Sequences go on where the last one ended.
    let mut model = Model::new();
    let (mut made, mut refused) = (0, 0);
    for _ in 0..SEQUENCES {
        let sequence = sequences.new_tree(&mut runner).expect("a sequence").current();
        for (steps, table, start, end, descending, limit) in sequence {
            let (changes, after) = commit(&steps, &model);
            match (index.commit(changes).await, after) {
                (Ok(()), Some(after)) => {
                    model = after;
                    made += 1;
                }
                (Err(IndexError::Conflict { .. }), None) => refused += 1,
                (outcome, after) => panic!("{steps:?}\non {model:?}\nwas {outcome:?}, not {after:?}"),
            }
            let mut range = KeyRange::new(start.clone(), end);
            if descending {
                range = range.descending();
            }
            let found = index.scan(table, &range, limit).await.expect("scans");
            assert_eq!(found, scanned(&model, table, &range, limit), "{range:?} {limit}");
            let found = index.get(table, &start).await.expect("reads");
            assert_eq!(found.as_deref(), model.get(&(table, start)).map(Vec::as_slice));
        }
        let all = index.scan(Table::Files, &KeyRange::all(), 100).await.expect("scans");
        assert_eq!(all, scanned(&model, Table::Files, &KeyRange::all(), 100));
    }
    assert!(made > 50 && refused > 10, "{made} made, {refused} refused: the steps do not test much");
}
