use proptest::prelude::*;

use super::*;

/// The phrase of Substrate's development keys.
const DEVELOPMENT: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const BOB: &str = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";

fn address(uri: &str) -> String {
    Key::from_uri(uri).unwrap().account().to_ss58()
}

/// As `subkey inspect` prints them (Substrate's documentation); paths of many kinds stand in the fixtures of the wallet test.
#[test]
fn development_keys_are_those_of_substrate() {
    assert_eq!(address(DEVELOPMENT), "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV");
    assert_eq!(address(&format!("{DEVELOPMENT}//Alice")), ALICE);
    assert_eq!(address(&format!("  {} //Bob", DEVELOPMENT.to_uppercase())), BOB);
}

/// A wallet that kept the words of a derived key would open as another key.
#[test]
fn words_and_seed_are_kept_only_where_they_are_the_key() {
    let plain = Key::from_uri(DEVELOPMENT).unwrap();
    assert_eq!(plain.phrase().unwrap().expose_secret(), DEVELOPMENT);
    assert_eq!(Key::from_seed(plain.seed().unwrap().clone()).account(), plain.account());
    for more in ["//Alice", "/soft", "///password"] {
        let derived = Key::from_uri(&format!("{DEVELOPMENT}{more}")).unwrap();
        assert!(derived.phrase().is_none() && derived.seed().is_none(), "{more}");
        assert_ne!(derived.account(), plain.account(), "{more}");
    }
}

#[test]
fn a_secret_taken_out_is_the_same_key() {
    let key = Key::generate(WordCount::Twelve).unwrap();
    let again = Key::from_secret(key.secret().clone()).unwrap();
    assert_eq!(again.account(), key.account());
    assert_eq!(again.signer().account(), key.account());
    assert!(matches!(Key::from_secret(Zeroizing::new([0xff; 64])), Err(KeyError::Secret(NotASecretKey))));
}

#[test]
fn paths_without_names_are_refused() {
    let error = |path: &str| Key::from_uri(&format!("{DEVELOPMENT}{path}")).unwrap_err();
    assert_eq!(error("/"), DerivationError::Empty { number: 1 }.into());
    assert_eq!(error("//a//"), DerivationError::Empty { number: 2 }.into());
    let long = format!("//{}", "x".repeat(256));
    assert_eq!(error(&long), DerivationError::TooLong { number: 1, length: 256 }.into());
    assert_eq!(error("x//a"), MnemonicError::Unknown { number: 12 }.into());
    // Without words, Substrate's tools take the development phrase, which everybody knows.
    assert_eq!(Key::from_uri("//Alice").unwrap_err(), MnemonicError::Words { words: 0 }.into());
}

#[test]
fn secrets_are_not_shown() {
    let key = Key::from_uri(DEVELOPMENT).unwrap();
    let shown = format!("{key:?}");
    assert!(shown.contains("redacted") && shown.contains(&key.account().to_ss58()));
    assert!(!shown.contains("bottom") && !shown.contains(&hex::encode(key.seed().unwrap().as_slice())));
}

proptest! {
    /// Whatever is pasted into `keys import` is a key or an error.
    #[test]
    fn any_text_is_a_key_or_refused(text in "(legal |bottom |//|/|///|é|[a-z0-9]{0,40}){0,20}") {
        let _ = Key::from_uri(&text);
        let _ = Key::from_uri(&format!("{DEVELOPMENT}{text}"));
    }
}
