//! Which adapters are used, and what is said of the others.

use holdfast_engine::backend::gpu::adapter::{Kind, unknown_ids};
use holdfast_engine::backend::gpu::{Selection, survey};

/// With the allowance of the environment the software adapter of CI is used, without it never.
#[test]
fn software_is_never_picked_silently() {
    for adapter in survey(&Selection::default()) {
        if adapter.kind == Kind::Software {
            let why = adapter.unused_because.expect("a reason");
            assert!(why.contains("--allow-software-gpu"), "{why}");
        }
    }
}

#[test]
fn ids_are_distinct_stable_and_select() {
    let all = survey(&Selection { allow_software: true, ids: vec![] });
    let ids: Vec<_> = all.iter().map(|adapter| adapter.id.clone()).collect();
    let again: Vec<_> = survey(&Selection::default()).into_iter().map(|adapter| adapter.id).collect();
    assert_eq!(ids, again);
    for (place, id) in ids.iter().enumerate() {
        assert!(!id.is_empty() && !ids[..place].contains(id), "{ids:?}");
        let selection = Selection { ids: vec![id.clone()], allow_software: true };
        let chosen = survey(&selection);
        let used: Vec<_> = chosen.iter().filter(|adapter| adapter.is_used()).map(|a| &a.id).collect();
        assert_eq!(used, [id]);
        assert!(unknown_ids(&selection, &chosen).is_empty());
    }
}

#[test]
fn ids_that_no_adapter_has_are_named() {
    let selection = Selection { ids: vec!["ffff:ff:1f.7".into()], allow_software: true };
    let adapters = survey(&selection);
    assert_eq!(unknown_ids(&selection, &adapters), ["ffff:ff:1f.7"]);
    assert!(adapters.iter().all(|adapter| !adapter.is_used()));
}
