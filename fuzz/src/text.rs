//! What people write: stake tables, accounts, byte sizes. What is accepted is within the stated ranges.

use holdfast_engine::account::Account;
use holdfast_partition::allocate::StakeTable;
use holdfast_partition::size::{format_bytes, parse_bytes};

pub(crate) fn stakes_json(bytes: &[u8]) -> bool {
    StakeTable::from_json(bytes).is_ok_and(|table| check(&table))
}

pub(crate) fn stakes_csv(bytes: &[u8]) -> bool {
    StakeTable::from_csv(bytes).is_ok_and(|table| check(&table))
}

/// Validators are distinct and every stake can be added up.
fn check(table: &StakeTable) -> bool {
    let mut keys: Vec<_> = table.iter().map(|row| row.hotkey.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), table.len());
    assert!(table.iter().all(|row| row.stake.is_finite() && row.stake >= 0.0));
    true
}

pub(crate) fn stakes_json_seeds() -> Vec<Vec<u8>> {
    vec![br#"[{"uid":0,"hotkey":"alice","stake":900.0},{"uid":1,"hotkey":"bob","stake":0}]"#.into()]
}

pub(crate) fn stakes_csv_seeds() -> Vec<Vec<u8>> {
    vec![b"uid,hotkey,stake\n0,alice,900.0\n1,bob,0\n".into()]
}

/// An account's own notations lead back to it.
pub(crate) fn account(bytes: &[u8]) -> bool {
    let parsed = std::str::from_utf8(bytes).ok().and_then(|text| Account::parse(text).ok());
    parsed.is_some_and(|(account, _)| {
        for notation in [account.to_ss58(), account.to_hex()] {
            assert_eq!(Account::parse(&notation).map(|(account, _)| account), Ok(account));
        }
        true
    })
}

pub(crate) fn account_seeds() -> Vec<Vec<u8>> {
    let account = Account([7; 32]);
    vec![account.to_ss58().into(), account.to_hex().into(), b"alice".into()]
}

/// A size that is read can be written and read again.
pub(crate) fn size(bytes: &[u8]) -> bool {
    let size = std::str::from_utf8(bytes).ok().and_then(|text| parse_bytes(text).ok());
    size.is_some_and(|size| {
        assert!(parse_bytes(&format_bytes(size)).is_ok(), "{}", format_bytes(size));
        true
    })
}

pub(crate) fn size_seeds() -> Vec<Vec<u8>> {
    ["16MiB", "1.5 TB", "4096"].map(Vec::from).into()
}
