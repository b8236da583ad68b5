//! With keys that come from no password: deriving one takes seconds, which `tests/suite/wallets.rs` does with files of
//! `bittensor-wallet`.

use super::super::key_file::{KeyFile, KeyFileError, OpenKey};
use super::*;

fn key(byte: u8) -> SealKey {
    SealKey(XSalsa20Poly1305::new(&[byte; 32].into()))
}

fn parse(file: &[u8]) -> Sealed {
    match KeyFile::parse(file).unwrap() {
        KeyFile::Sealed(sealed) => sealed,
        KeyFile::Open(_) => panic!("the tag says sealed"),
    }
}

/// The first vector of NaCl's `secretbox` (tests/secretbox.c), whose key and nonce the paper "Cryptography in NaCl" gives: the order
/// of nonce, authenticator and ciphertext is theirs.
#[test]
fn a_box_of_nacl_opens() {
    let bytes = |text: &str| hex::decode(text).unwrap();
    let nacl_key = bytes("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
    let nonce = bytes("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
    let boxed = bytes(
        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48\
         c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e\
         88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5",
    );
    let message = "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db6\
                   6cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc\
                   76897040e082f937763848645e0705";
    let file = [TAG, &nonce, &boxed].concat();
    let seal = SealKey(XSalsa20Poly1305::new(nacl_key.as_slice().into()));
    assert_eq!(hex::encode(&*parse(&file).open(&seal).unwrap()), message);
}

/// Every byte counts, and another key is told as a wrong password.
#[test]
fn what_was_sealed_opens_with_its_key_alone() {
    for message in [b"".as_slice(), b"a key file"] {
        let file = key(1).seal(message).unwrap();
        assert_eq!(file.len(), 5 + 24 + 16 + message.len());
        assert_eq!(parse(&file).open(&key(1)).unwrap().as_slice(), message);
        assert_eq!(parse(&file).open(&key(2)).unwrap_err(), SealError::WrongPassword);
        for place in TAG.len()..file.len() {
            let mut damaged = file.clone();
            damaged[place] ^= 1;
            assert_eq!(parse(&damaged).open(&key(1)).unwrap_err(), SealError::WrongPassword, "byte {place}");
        }
    }
}

/// One nonce for two files would give both away.
#[test]
fn nonces_are_fresh() {
    assert_ne!(key(1).seal(b"same").unwrap(), key(1).seal(b"same").unwrap());
}

#[test]
fn files_that_end_too_early_are_told() {
    let file = key(1).seal(b"").unwrap();
    for length in TAG.len()..file.len() {
        let error = KeyFile::parse(&file[..length]).unwrap_err();
        assert_eq!(error, KeyFileError::Seal(SealError::TooShort { bytes: length }));
    }
}

/// A box in a box, or words in it, is no key; and neither is repeated.
#[test]
fn only_an_open_key_file_may_be_sealed() {
    for inside in [key(1).seal(b"{}").unwrap(), b"legal winner".to_vec()] {
        let sealed = parse(&key(1).seal(&inside).unwrap());
        assert!(matches!(OpenKey::unseal(&sealed, &key(1)), Err(KeyFileError::NotJson { line: 1, .. })));
    }
    assert_eq!(format!("{:?}", key(1)), "SealKey(redacted)");
}
