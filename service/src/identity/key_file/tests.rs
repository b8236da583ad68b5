use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::identity::key::Seed;

const PHRASE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

fn phrase_key() -> Key {
    Key::from_uri(PHRASE).unwrap()
}

fn seed_key(byte: u8) -> Key {
    let seed: Seed = Zeroizing::new([byte; 32]);
    Key::from_seed(seed)
}

fn parse(value: &Value) -> Result<OpenKey, KeyFileError> {
    match KeyFile::parse(value.to_string().as_bytes())? {
        KeyFile::Open(open) => Ok(open),
        KeyFile::Sealed(_) => panic!("JSON is not sealed"),
    }
}

fn written(key: &Key) -> Value {
    serde_json::from_slice(&encode(key)).unwrap()
}

#[test]
fn keys_of_every_origin_come_back() {
    let secret = Key::from_secret(seed_key(1).secret().clone()).unwrap();
    for (key, fields) in [(phrase_key(), 6), (seed_key(1), 5), (secret, 4)] {
        let value = written(&key);
        assert_eq!(value.as_object().unwrap().len(), fields);
        let open = parse(&value).unwrap();
        let back = open.key.unwrap();
        assert_eq!((open.account, back.account()), (key.account(), key.account()));
        assert_eq!(back.secret().as_slice(), key.secret().as_slice());
        let phrase = |key: &Key| key.phrase().map(|phrase| phrase.expose_secret().to_owned());
        assert_eq!(phrase(&back), phrase(&key));
    }
    let public: Value = serde_json::from_slice(&encode_public(phrase_key().account())).unwrap();
    assert!(parse(&public).unwrap().key.is_none());
}

/// Files of older versions and other tools: `null` for what is not known, fields that we do not know, hex without `0x`.
#[test]
fn fields_may_be_missing_null_or_unknown() {
    let full = written(&phrase_key());
    for secret in ["privateKey", "secretSeed", "secretPhrase"] {
        for address in ["ss58Address", "publicKey", "accountId"] {
            let mut value = json!({"accountId": null, "publicKey": null, "privateKey": null, "secretPhrase": null,
                "secretSeed": null, "ss58Address": null, "cryptoType": null, "createdBy": {"tool": 1}});
            value[secret] = full[secret].clone();
            value[address] = full[address].as_str().unwrap().trim_start_matches("0x").into();
            let open = parse(&value).unwrap();
            assert_eq!(open.account, phrase_key().account());
            assert_eq!(open.key.unwrap().account(), open.account, "{secret}");
        }
    }
    let alone = parse(&json!({ "secretPhrase": PHRASE, "cryptoType": 1 })).unwrap();
    assert_eq!(alone.account, phrase_key().account());
}

/// `bittensor-wallet` takes the secret and forgets the address: the node would sign as somebody else than it shows.
#[test]
fn every_field_must_be_of_the_same_key() {
    let (full, other) = (written(&phrase_key()), written(&seed_key(9)));
    for field in ["ss58Address", "publicKey", "accountId", "privateKey", "secretSeed"] {
        let mut mixed = full.clone();
        mixed[field] = other[field].clone();
        let error = parse(&mixed).unwrap_err();
        assert!(matches!(error, KeyFileError::Contradiction { .. }), "{field}: {error}");
    }
    let mut mixed = other;
    mixed["secretPhrase"] = PHRASE.into();
    let expected = KeyFileError::Contradiction {
        field: "secretPhrase",
        found: phrase_key().account(),
        expected: seed_key(9).account(),
    };
    assert_eq!(parse(&mixed).unwrap_err(), expected);
}

#[test]
fn wrong_fields_are_named() {
    let mut wrong = Vec::new();
    for (field, value) in [
        ("ss58Address", "alice"),
        // A Polkadot address of a key is not a Bittensor address of it.
        ("ss58Address", "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"),
        ("publicKey", "0x00"),
        ("accountId", "0xgg"),
        ("privateKey", "0x1234"),
        ("secretSeed", ""),
    ] {
        match parse(&json!({ field: value })).unwrap_err() {
            KeyFileError::Field { field: named, .. } => wrong.push((field, named)),
            other => panic!("{field}: {other}"),
        }
    }
    assert!(wrong.iter().all(|(field, named)| field == named), "{wrong:?}");
    assert!(matches!(
        parse(&json!({"secretPhrase": "zoo"})).unwrap_err(),
        KeyFileError::Secret { field: "secretPhrase", .. }
    ));
    assert_eq!(parse(&json!({})).unwrap_err(), KeyFileError::NoKey);
    assert_eq!(parse(&json!({"cryptoType": 0})).unwrap_err(), KeyFileError::CryptoType { crypto_type: 0 });
}

/// The JSON parser's own messages repeat values: a secret in the wrong field would end up in a log.
#[test]
fn errors_repeat_nothing_that_could_be_secret() {
    for text in [
        r#"{"cryptoType": "legal winner"}"#,
        r#"{"secretSeed": {"legal": "winner"}}"#,
        r#"{"secretPhrase": "legal winner"}"#,
        r#"{"secretSeed": "legal winner"}"#,
        r#"["legal winner"]"#,
        r#""legal winner""#,
        "legal winner",
    ] {
        let error = KeyFile::parse(text.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("legal"), "{error:?}");
    }
}

#[test]
fn other_forms_are_told_apart() {
    assert_eq!(KeyFile::parse(b"").unwrap_err(), KeyFileError::NotJson { line: 1, column: 0 });
    let former = |bytes: &[u8]| match KeyFile::parse(bytes).unwrap_err() {
        KeyFileError::FormerEncryption { method } => method,
        other => panic!("{other}"),
    };
    assert_eq!(former(b"gAAAAABh0fake"), "Fernet");
    assert_eq!(former(b"$ANSIBLE_VAULT;1.1;AES256\n33"), "Ansible Vault");
    assert_eq!(KeyFile::parse(&vec![b' '; KEY_FILE_BYTES_MAXIMUM + 1]).unwrap_err(), KeyFileError::TooLarge);
    let two = br#"{"publicKey": null, "publicKey": null}"#;
    assert!(matches!(KeyFile::parse(two), Err(KeyFileError::NotJson { .. })), "which of two fields counts?");
}

proptest! {
    /// Any bytes, also behind the tags of encrypted files.
    #[test]
    fn any_bytes_are_a_key_file_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), tag in 0usize..4) {
        let prefix: &[u8] = [b"".as_slice(), TAG, b"$ANSIBLE_VAULT", b"{\"secretSeed\":\""][tag];
        bytes.splice(..0, prefix.iter().copied());
        let _ = KeyFile::parse(&bytes);
    }

    /// Any values in the right fields.
    #[test]
    fn any_fields_are_a_key_file_or_refused(
        fields in prop::collection::btree_map(
            prop::sample::select(&["accountId", "publicKey", "ss58Address", "privateKey", "secretSeed", "secretPhrase"][..]),
            "(0x)?([0-9a-f]{64}){0,2}|5[1-9A-Za-z]{47}|[a-z ]{0,20}", 0..6),
        crypto_type in prop::option::of(0u64..3),
    ) {
        let mut value = json!(fields);
        value["cryptoType"] = json!(crypto_type);
        if let Ok(open) = parse(&value) {
            prop_assert!(open.key.is_none_or(|key| key.account() == open.account));
        }
    }

    /// Every account's address is read back as this account.
    #[test]
    fn addresses_come_back(bytes: [u8; 32]) {
        let account = Account(bytes);
        let value: Value = serde_json::from_slice(&encode_public(account)).unwrap();
        prop_assert_eq!(parse(&json!({"ss58Address": value["ss58Address"]})).unwrap().account, account);
        prop_assert_eq!(parse(&value).unwrap().account, account);
    }
}
