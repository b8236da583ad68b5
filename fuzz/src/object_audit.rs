//! Records, challenges and tables of objects, what waits in files, and the responses that are hashed: what is accepted is
//! canonical, and nothing but the honest response is.

use std::convert::Infallible;
use std::sync::LazyLock;

use holdfast_engine::account::Account;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::check::{Accumulator, STORE_CHECK_BYTES, StoreCheck};
use holdfast_engine::possession::chunks::{answer_chunks, verify_chunks};
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::link::{HeldBlock, answer_link, verify_link};
use holdfast_engine::possession::points_file::PointsHeader;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::possession::token::{
    Token, TokenChallenge, TokenMaker, answer_token, token_list, verify_token,
};
use holdfast_engine::signature::Signer;
use holdfast_engine::tree::{BLOCK_BYTES, Outboard};
use holdfast_tests::possession::TestObject;

/// Expansion is tried up to so many samples; more are only slower.
const EXPANDED_SAMPLES: u32 = 4096;

struct Held {
    object: TestObject,
    record: ObjectRecord,
    outboard: Outboard,
    tokens: Vec<Token>,
}

static HELD: LazyLock<Held> = LazyLock::new(|| {
    let object = TestObject::new(BLOCK_BYTES + 100, 1);
    let mut maker = TokenMaker::new(2).expect("randomness");
    maker.update(&object.bytes);
    let tokens = maker.finish();
    let list = token_list(&entries(&tokens)).expect("two tokens");
    let record = ObjectRecord { tokens: Some(list), ..object.record.clone() };
    Held { outboard: Outboard::of(&object.bytes), object, record, tokens }
});

fn entries(tokens: &[Token]) -> Vec<[u8; 32]> {
    tokens.iter().map(Token::entry).collect()
}

fn challenge_of(kind: AuditKind) -> ObjectChallenge {
    let samples = if kind == AuditKind::Whole { 1 } else { 3 };
    let ask = Ask { kind, samples, deadline_ms: 5000, form: Form::Plain };
    ObjectChallenge::of(&HELD.record, Account([6; 32]), ([8; 32], 1000), ask).expect("it answers every kind")
}

fn same(encoded: &[u8], bytes: &[u8]) -> bool {
    assert_eq!(encoded, bytes, "what is accepted is canonical");
    true
}

pub(crate) fn record(bytes: &[u8]) -> bool {
    SignedRecord::decode(bytes).is_ok_and(|record| {
        let _ = record.check_signature();
        same(&record.encode(), bytes)
    })
}

pub(crate) fn record_seeds() -> Vec<Vec<u8>> {
    let checker = Signer::development("checker");
    let bare = ObjectRecord { table_root: None, tokens: None, ..HELD.record.clone() };
    [HELD.record.clone(), bare].map(|record| record.sign(&checker).encode().to_vec()).into()
}

/// Accepted challenges also expand to distinct places that exist.
pub(crate) fn challenge(bytes: &[u8]) -> bool {
    let Ok(challenge) = ObjectChallenge::decode(bytes) else { return false };
    same(&challenge.encode(), bytes);
    if challenge.samples <= EXPANDED_SAMPLES {
        let blocks = challenge.replica.blocks();
        let chunks = challenge.replica.length().div_ceil(1024).max(1);
        let places = [
            (challenge.possession_blocks(), blocks),
            (challenge.link_blocks(), blocks),
            (challenge.chunks(), chunks),
        ];
        for (mut places, count) in places {
            let drawn = places.len();
            assert!(places.iter().all(|place| *place < count));
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), drawn);
        }
    }
    true
}

pub(crate) fn challenge_seeds() -> Vec<Vec<u8>> {
    AuditKind::ALL.map(|kind| challenge_of(kind).encode().to_vec()).into()
}

fn asked_token() -> TokenChallenge {
    TokenChallenge::new(challenge_of(AuditKind::Whole), 1, *HELD.tokens[1].key()).expect("of kind whole")
}

pub(crate) fn token_challenge(bytes: &[u8]) -> bool {
    TokenChallenge::decode(bytes).is_ok_and(|challenge| same(&challenge.encode(), bytes))
}

pub(crate) fn token_challenge_seeds() -> Vec<Vec<u8>> {
    vec![asked_token().encode().to_vec()]
}

pub(crate) fn points_header(bytes: &[u8]) -> bool {
    PointsHeader::decode(bytes).is_ok_and(|header| same(&*header.encode(), bytes))
}

pub(crate) fn points_header_seeds() -> Vec<Vec<u8>> {
    let header = PointsHeader { replica: HELD.record.replica, key: HELD.object.key.clone() };
    vec![header.encode().to_vec()]
}

/// The first byte is the number of blocks.
pub(crate) fn table(bytes: &[u8]) -> bool {
    let Some((blocks, bytes)) = bytes.split_first() else { return false };
    let blocks = u64::from(*blocks);
    CommitmentTable::from_bytes(blocks, bytes.to_vec()).is_ok_and(|table| {
        assert!((0..blocks).all(|block| table.point(block).is_some()));
        assert_eq!(table.point(blocks), None);
        same(table.bytes(), bytes)
    })
}

pub(crate) fn table_seeds() -> Vec<Vec<u8>> {
    vec![[&[2], HELD.object.table.bytes()].concat(), [&[10][..], &[1; 960], &[0; 64]].concat()]
}

pub(crate) fn store_check(bytes: &[u8]) -> bool {
    StoreCheck::decode(bytes).is_ok_and(|check| match check.encode() {
        Some(encoded) => same(&encoded, bytes),
        None => check.is_used(),
    })
}

pub(crate) fn store_check_seeds() -> Vec<Vec<u8>> {
    let mut accumulator = Accumulator::new().expect("randomness");
    accumulator.update(b"bytes");
    let bytes = accumulator.finish().encode().expect("not used").to_vec();
    assert_eq!(bytes.len(), STORE_CHECK_BYTES);
    vec![bytes]
}

static CHUNKS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let open = |chunks: &[u64]| {
        let openings = chunks.iter().map(|chunk| HELD.outboard.open(&HELD.object.bytes, *chunk));
        Ok::<_, Infallible>(openings.collect())
    };
    answer_chunks(&HELD.record, &challenge_of(AuditKind::Chunks), open).expect("honest")
});

pub(crate) fn chunks_response(bytes: &[u8]) -> bool {
    let verdict = verify_chunks(&HELD.record, &challenge_of(AuditKind::Chunks), bytes);
    assert_eq!(verdict.is_ok(), bytes == &**CHUNKS);
    verdict.is_ok()
}

pub(crate) fn chunks_response_seeds() -> Vec<Vec<u8>> {
    vec![CHUNKS.clone()]
}

static LINK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let blocks: Vec<&[u8]> = HELD.object.bytes.chunks(BLOCK_BYTES).collect();
    let held = |block: &u64| {
        let bytes = blocks[usize::try_from(*block).expect("one of two")].to_vec();
        HeldBlock { bytes, path: HELD.outboard.path(*block) }
    };
    let read = |blocks: &[u64]| Ok::<_, Infallible>(blocks.iter().map(held).collect());
    let Held { object, record, .. } = &*HELD;
    answer_link(record, &challenge_of(AuditKind::Link), &object.key, &object.table, read).expect("honest")
});

pub(crate) fn link_response(bytes: &[u8]) -> bool {
    let verdict = verify_link(&HELD.record, &challenge_of(AuditKind::Link), bytes);
    assert_eq!(verdict.is_ok(), bytes == &**LINK);
    verdict.is_ok()
}

pub(crate) fn link_response_seeds() -> Vec<Vec<u8>> {
    vec![LINK.clone()]
}

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    answer_token(&HELD.record, &asked_token(), &HELD.object.bytes[..], |_| true).expect("honest")
});

pub(crate) fn token_response(bytes: &[u8]) -> bool {
    let verdict = verify_token(&HELD.record, &entries(&HELD.tokens), &asked_token(), bytes);
    assert_eq!(verdict.is_ok(), bytes == &**WHOLE);
    verdict.is_ok()
}

pub(crate) fn token_response_seeds() -> Vec<Vec<u8>> {
    vec![WHOLE.clone()]
}
