use super::*;

fn claims(count: u8) -> Vec<Claim> {
    let claim = |i: u8| {
        let signer = Signer::development(["alice", "bob", "carol"][usize::from(i % 3)]);
        Claim { account: signer.account(), digest: [i; 32], signature: signer.sign(&[i; 32]) }
    };
    (0..count).map(claim).collect()
}

/// `//Alice`'s mini secret and key as printed by `subkey inspect //Alice`: seeds expand as Substrate expands them.
#[test]
fn seeds_expand_as_in_substrate() {
    let mut seed = Zeroizing::new([0; 32]);
    let secret = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
    hex::decode_to_slice(secret, seed.as_mut_slice()).unwrap();
    let alice = Signer::from_seed(&seed);
    assert_eq!(alice.account().to_hex(), "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d");
    let signature = alice.sign(&[7; 32]);
    assert_ne!(signature, alice.sign(&[7; 32]), "real keys sign with fresh randomness");
    verify(&alice.account(), &[7; 32], &signature).unwrap();
}

#[test]
fn development_keys_sign_repeatably_and_by_name() {
    let one = Signer::development("miner");
    assert_eq!(one.sign(&[1; 32]), Signer::development("miner").sign(&[1; 32]));
    assert_ne!(one.sign(&[1; 32]), one.sign(&[2; 32]));
    assert_ne!(one.account(), Signer::development("miner2").account());
}

/// Every bit of the signature, the digest and the account counts.
#[test]
fn any_flipped_bit_is_refused() {
    let Claim { account, digest, signature } = claims(1)[0];
    verify(&account, &digest, &signature).unwrap();
    for bit in 0..512 {
        let mut flipped = signature;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verify(&account, &digest, &flipped).unwrap_err().class, Class::BadSignature, "{bit}");
    }
    for bit in 0..256 {
        let (mut other, mut key) = (digest, account);
        other[bit / 8] ^= 1 << (bit % 8);
        key.0[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&account, &other, &signature).is_err() && verify(&key, &digest, &signature).is_err());
    }
}

/// The secret of the identity point is zero: with R = r·B, s = r anybody "signs" for it.
#[test]
fn the_zero_account_cannot_sign() {
    let nobody = Account([0; 32]);
    // R = identity and s = 0 satisfy s·B = R + c·identity for every message.
    let mut forged = [0; SIGNATURE_BYTES];
    forged[63] = 0x80;
    let raw = schnorrkel::Signature::from_bytes(&forged).unwrap();
    let key = PublicKey::from_bytes(&nobody.0).unwrap();
    assert!(
        key.verify(signing_context(b"substrate").bytes(&[5; 32]), &raw).is_ok(),
        "the forgery is a real one"
    );
    assert!(verify(&nobody, &[5; 32], &Signature(forged)).is_err());
    assert!(verify_all(&[Claim { account: nobody, digest: [5; 32], signature: Signature(forged) }]).is_err());
}

#[test]
fn batches_agree_with_single_checks_and_name_the_culprits() {
    assert!(verify_all(&[]).is_ok());
    let mut many = claims(40);
    assert!(verify_all(&many).is_ok());
    many[17].digest[0] ^= 1;
    many[31].signature = Signature::NONE;
    let culprits = verify_all(&many).unwrap_err();
    assert_eq!(culprits.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [17, 31]);
}

/// Two wrong signatures whose errors cancel in a plain sum must not pass together.
#[test]
fn errors_that_cancel_are_caught() {
    let mut pair = claims(2);
    let shift = |signature: &mut Signature, up: bool| {
        let word = u64::from_le_bytes(signature.0[32..40].try_into().unwrap());
        let moved = if up { word.wrapping_add(1) } else { word.wrapping_sub(1) };
        signature.0[32..40].copy_from_slice(&moved.to_le_bytes());
    };
    shift(&mut pair[0].signature, true);
    shift(&mut pair[1].signature, false);
    assert_eq!(verify_all(&pair).unwrap_err().len(), 2);
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", Signer::development("miner"));
    let secret = hex::encode(Context::DEVELOPMENT_SECRET.derive(&[b"miner"]));
    assert!(shown.contains("redacted") && !shown.contains(&secret[..16]));
}

/// `//Alice`'s expanded secret, as `bittensor-wallet` 4.1.1 writes it for that URI.
const ALICE_SECRET_KEY: &str = "33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09\
                                925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011";

#[test]
fn expanded_secret_keys_are_those_of_substrate() {
    let alice = Signer::from_secret_key(&Zeroizing::new(bytes(ALICE_SECRET_KEY))).unwrap();
    assert_eq!(alice.account().to_hex(), "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d");
    verify(&alice.account(), &[7; 32], &alice.sign(&[7; 32])).unwrap();
}

/// A scalar that is not reduced is not taken for another one, and zero is nobody's secret.
#[test]
fn bytes_that_are_no_secret_key_are_refused() {
    for scalar_byte in [0, 0xff] {
        let mut secret = [scalar_byte; SECRET_KEY_BYTES];
        secret[32..].fill(7);
        assert_eq!(Signer::from_secret_key(&Zeroizing::new(secret)).unwrap_err(), NotASecretKey);
    }
}

/// Otherwise whoever gets somebody to sign "a message" gets a signed receipt.
#[test]
fn messages_as_long_as_a_digest_are_not_signed() {
    let signer = Signer::development("miner");
    assert_eq!(signer.sign_message(&[1; 32]), Err(LooksLikeADigest));
    for length in [0, 31, 33, 1000] {
        let message = vec![1; length];
        let signature = signer.sign_message(&message).unwrap();
        verify_message(&signer.account(), &message, &signature).unwrap();
        let other = [message.as_slice(), b"x"].concat();
        let refused = verify_message(&signer.account(), &other, &signature).unwrap_err();
        assert_eq!(refused.class, Class::BadSignature, "{length}");
    }
}

#[test]
fn messages_wrapped_by_browser_wallets_verify() {
    let signer = Signer::development("miner");
    let signature = signer.sign_message(b"<Bytes>hello</Bytes>").unwrap();
    verify_message(&signer.account(), b"hello", &signature).unwrap();
    verify_message(&signer.account(), b"<Bytes>hello</Bytes>", &signature).unwrap();
    assert!(verify_message(&signer.account(), b"<Bytes>hello", &signature).is_err());
    assert!(verify_message(&Account([0; 32]), b"hello", &signature).is_err(), "nobody signs for zero");
}

#[derive(serde::Deserialize)]
struct InteropCase {
    seed: String,
    account: String,
    digest: String,
    signature: String,
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).unwrap();
    bytes
}

/// Keys and signatures of another implementation; the file says which. With the same zero randomness its bytes are ours.
#[test]
fn another_implementation_agrees() {
    let file = include_str!("../../../tests/vectors/sr25519.json");
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    let cases: Vec<InteropCase> = serde_json::from_value(file["cases"].clone()).unwrap();
    assert_eq!(cases.len(), 8);
    for (number, case) in cases.iter().enumerate() {
        let mut signer = Signer::from_seed(&Zeroizing::new(bytes(&case.seed)));
        assert_eq!(signer.account(), Account(bytes(&case.account)));
        let (digest, signature) = (bytes(&case.digest), Signature(bytes(&case.signature)));
        verify(&signer.account(), &digest, &signature).unwrap();
        signer.repeatable = true;
        assert_eq!(signer.sign(&digest) == signature, number == 0, "only case 0 was made without randomness");
    }
}
