use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::file::Contents;
use super::*;
use crate::possession::challenge::{Ask, Form};
use crate::possession::fixture::{self, class, record};
use crate::possession::secret_file::SecretFileError;
use crate::receipt::Round;
use crate::signature::Signer;

/// An object of this length with three tokens, and its record.
fn sealed(length: usize) -> (Vec<u8>, Vec<Token>, ObjectRecord) {
    let object = fixture::bytes(length);
    let mut maker = TokenMaker::new(3).unwrap();
    object.chunks(1000).for_each(|bytes| maker.update(bytes));
    let tokens = maker.finish();
    let record = ObjectRecord { tokens: Some(token_list(&entries(&tokens)).unwrap()), ..record(length) };
    (object, tokens, record)
}

fn entries(tokens: &[Token]) -> Vec<[u8; 32]> {
    tokens.iter().map(Token::entry).collect()
}

fn challenge(record: &ObjectRecord, token: u64, key: [u8; 32]) -> TokenChallenge {
    let ask = Ask { kind: AuditKind::Whole, samples: 1, deadline_ms: 5000, form: Form::Plain };
    let validator = Signer::development("validator").account();
    let challenge = ObjectChallenge::of(record, validator, ([3; 32], 108), ask).unwrap();
    TokenChallenge::new(challenge, token, key).unwrap()
}

fn answer(record: &ObjectRecord, challenge: &TokenChallenge, object: &[u8]) -> Vec<u8> {
    answer_token(record, challenge, object, |_| true).unwrap()
}

/// For objects around the sizes of a chunk and of what is read at once; progress adds up to the object.
#[test]
fn honest_answers_pass() {
    for length in [0, 1, 1024, 1025, READ_BYTES + 1] {
        let (object, tokens, record) = sealed(length);
        for (number, token) in (0..).zip(&tokens) {
            let challenge = challenge(&record, number, *token.key());
            let mut done = 0;
            let progress = |bytes| {
                done += bytes;
                true
            };
            let response = answer_token(&record, &challenge, &object[..], progress).unwrap();
            assert_eq!((response.len(), done), (80, length as u64));
            assert_eq!(verify_token(&record, &entries(&tokens), &challenge, &response), Ok(()));
            let keyed = blake3::keyed_hash(token.key(), &object);
            assert_eq!(response[48..], *keyed.as_bytes(), "the specification's D");
        }
    }
}

/// A wrong digest, of another token, of another kind of list; bytes around the digest changed.
#[test]
fn wrong_answers_are_refused() {
    let (object, tokens, record) = sealed(5000);
    let list = entries(&tokens);
    let asked = challenge(&record, 1, *tokens[1].key());
    let right = answer(&record, &asked, &object);
    for place in [0, 4, 5, 8, 12, 16, 48, 79] {
        let mut wrong = right.clone();
        wrong[place] ^= 1;
        assert!(verify_token(&record, &list, &asked, &wrong).is_err(), "byte {place}");
    }
    let refused = |list: &[[u8; 32]], asked: &TokenChallenge, response: &[u8]| {
        class(verify_token(&record, list, asked, response))
    };
    assert_eq!(refused(&list, &asked, &right[..79]), Some(Class::WrongLength));
    assert_eq!(refused(&list, &asked, &[&right[..], &[0]].concat()), Some(Class::WrongLength));
    // The key of one token, shown as that of another.
    let confused = challenge(&record, 2, *tokens[1].key());
    assert_eq!(refused(&list, &confused, &answer(&record, &confused, &object)), Some(Class::WrongProof));
    assert_eq!(refused(&list, &confused, &right), Some(Class::WrongChallenge));
    let mut others = list.clone();
    others.swap(0, 2);
    assert_eq!(refused(&others, &asked, &right), Some(Class::WrongRecord));
    assert_eq!(refused(&[], &asked, &right), Some(Class::WrongRecord));
    let outside = challenge(&record, 3, *tokens[1].key());
    assert_eq!(refused(&list, &outside, &right), Some(Class::WrongChallenge));
}

/// A miner whose disk lost a bit, or that holds too little or too much, learns it before it answers.
#[test]
fn damaged_bytes_are_noticed_before_the_answer_leaves() {
    let (mut object, tokens, record) = sealed(5000);
    let asked = challenge(&record, 0, *tokens[0].key());
    object[4999] ^= 1;
    for bytes in [&object[..], &object[..4999], &[&object[..], &[0]].concat()] {
        let failure = answer_token(&record, &asked, bytes, |_| true).unwrap_err();
        assert!(matches!(failure, AnswerFailure::Wrong(refused) if refused.class == Class::WrongRoot));
    }
}

/// Reading takes hours; who asked may be gone after the first part, and nothing may be read for nobody.
#[test]
fn reading_stops_when_nobody_waits() {
    let (object, tokens, record) = sealed(3 * READ_BYTES + 1);
    let asked = challenge(&record, 0, *tokens[0].key());
    let mut told = 0;
    let stopping = |bytes| {
        told += bytes;
        false
    };
    let failure = answer_token(&record, &asked, &object[..], stopping).unwrap_err();
    assert!(matches!(failure, AnswerFailure::Source(error) if error.kind() == ErrorKind::ConnectionAborted));
    assert_eq!(told, READ_BYTES as u64);
}

#[test]
fn token_challenges_go_round_and_are_bound_whole() {
    let (_, tokens, record) = sealed(10);
    let asked = challenge(&record, 1, *tokens[1].key());
    let bytes = asked.encode();
    assert_eq!((bytes.len(), &bytes[248..256]), (288, &[1, 0, 0, 0, 0, 0, 0, 0][..]));
    assert_eq!(bytes[256..], *tokens[1].key());
    assert_eq!(TokenChallenge::decode(&bytes), Ok(asked.clone()));
    assert_eq!(class(TokenChallenge::decode(&bytes[1..])), Some(Class::WrongLength));
    for place in 248..288 {
        let mut other = bytes;
        other[place] ^= 1;
        assert_ne!(TokenChallenge::decode(&other).unwrap().digest(), asked.digest());
    }
    let mut of_chunks = bytes;
    of_chunks[4] = 4;
    assert_eq!(class(TokenChallenge::decode(&of_chunks)), Some(Class::WrongChallenge));
}

/// Keys are used once each, also when the file is opened anew, and then no more.
#[test]
fn tokens_are_taken_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("object.tokens");
    let (_, tokens, record) = sealed(10);
    let file = TokenFile::create(&path, record.digest(), tokens.clone()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(file.entries().unwrap(), entries(&tokens));
    assert_eq!((file.unused().unwrap(), file.record_digest().unwrap()), (3, record.digest()));
    assert!(
        TokenFile::create(&path, record.digest(), tokens.clone()).is_err(),
        "it would forget what is used"
    );
    for (number, token) in (0..).zip(&tokens) {
        let taken = TokenFile::open(&path).unwrap().take().unwrap();
        assert_eq!(taken, (number, token.clone()));
    }
    assert!(matches!(file.take(), Err(TokenFileError::Exhausted { count: 3, .. })));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Many threads take from one file: no two get the same token.
#[test]
fn no_token_is_taken_twice_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("object.tokens");
    let mut maker = TokenMaker::new(16).unwrap();
    maker.update(b"object");
    TokenFile::create(&path, [1; 32], maker.finish()).unwrap();
    let take = || (0..4).map(|_| TokenFile::open(&path).unwrap().take().unwrap().0).collect::<Vec<_>>();
    let mut taken: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    taken.sort_unstable();
    assert_eq!(taken, (0..16).collect::<Vec<_>>());
}

/// A mark that cannot be made durable keeps the key in. What a crash may have left beside the file is in the way of it.
#[test]
fn no_key_leaves_before_its_mark() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("object.tokens");
    let (_, tokens, record) = sealed(10);
    let file = TokenFile::create(&path, record.digest(), tokens).unwrap();
    // A folder where the new file should be written.
    let blocked = directory.path().join("object.tokens.new");
    fs::create_dir(&blocked).unwrap();
    assert!(matches!(file.take(), Err(TokenFileError::File(SecretFileError::File { doing: "replace", .. }))));
    assert_eq!(file.unused().unwrap(), 3);
    fs::remove_dir(&blocked).unwrap();
    fs::write(&blocked, b"left by a crash").unwrap();
    assert_eq!(file.take().unwrap().0, 0);
}

/// One changed bit anywhere, and lengths: a token file is taken whole or not at all.
#[test]
fn damaged_token_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("object.tokens");
    let (_, tokens, record) = sealed(10);
    TokenFile::create(&path, record.digest(), tokens).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 48 + 3 * 72 + 32);
    assert!(Contents::decode(&bytes).is_ok());
    for place in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[place] ^= 0x80;
        assert!(Contents::decode(&wrong).is_err(), "byte {place}");
    }
    for length in 0..bytes.len() {
        assert_eq!(class(Contents::decode(&bytes[..length])), Some(Class::WrongLength), "{length} bytes");
    }
    // What its own hash vouches for is checked all the same.
    for (place, value) in [(4, 2), (48, 2), (49, 2), (55, 2), (47, 0xff)] {
        let mut wrong = bytes[..bytes.len() - 32].to_vec();
        wrong[place] = value;
        wrong.extend_from_slice(&tree::root(&wrong));
        assert_eq!(class(Contents::decode(&wrong)), Some(Class::Malformed), "byte {place}");
    }
    fs::write(&path, &bytes[1..]).unwrap();
    assert!(matches!(TokenFile::open(&path), Err(TokenFileError::File(SecretFileError::Unusable { .. }))));
}

#[test]
fn tokens_are_not_shown() {
    let (_, tokens, _) = sealed(10);
    assert_eq!(format!("{:?}", tokens[0]), "Token(redacted)");
    assert_ne!(tokens[0].key(), tokens[1].key());
}

/// A round is answered once: if what is promised did not name the token, the answer to one key would do for all of a height.
#[test]
fn what_is_promised_names_the_token() {
    let (_, tokens, record) = sealed(100);
    let [one, other] = [0, 1].map(|number| challenge(&record, number, *tokens[0].key()));
    let [first, second] = [&one, &other].map(Round::from);
    assert_eq!(first.challenge_digest, one.digest());
    assert_ne!(first.challenge_digest, second.challenge_digest);
    assert_eq!(Round { challenge_digest: first.challenge_digest, ..second }, first, "one round all the same");
}
