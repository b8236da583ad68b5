//! The worked example of message-v1, by plain code that follows it.

use holdfast_engine::account::Account;
use holdfast_engine::message::{Header, Ticket, body_digest};

use super::files::dump;
use super::plain::derive;

const METHOD: &str = "holdfast.v1.Miner/Delete";
const NETWORK: [u8; 32] = [0x11; 32];
const SENDER: [u8; 32] = [0x22; 32];
const RECEIVER: [u8; 32] = [0x33; 32];
const TIME_MS: u64 = 1_800_000_000_000;

/// §3: a request to delete the object with root 32 times 0x44 and 9 bytes: presence, count, root, length.
fn canonical() -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(32_u64.to_le_bytes());
    bytes.extend([0x44; 32]);
    bytes.extend(9_u64.to_le_bytes());
    bytes
}

/// §2, field by field.
fn header(sender: [u8; 32], receiver: [u8; 32], nonce: u8, answers: [u8; 32], body: &[u8; 32]) -> Vec<u8> {
    let mut header = b"HFM1\0\0\0\0".to_vec();
    header.extend([NETWORK, sender, receiver].as_flattened());
    header.extend(TIME_MS.to_le_bytes());
    header.extend([nonce; 16]);
    header.extend(answers);
    header.extend(body);
    header
}

fn digest_of_body(canonical: &[u8]) -> [u8; 32] {
    let length = u32::try_from(METHOD.len()).expect("short").to_le_bytes();
    derive("message body", &[&length, METHOD.as_bytes(), canonical])
}

/// §5, field by field; the owner is 32 times 0x66.
fn ticket() -> Vec<u8> {
    let mut ticket = b"HFT1\0\0\0\0".to_vec();
    ticket.extend([NETWORK, SENDER, [0x66; 32], RECEIVER, [0x44; 32]].as_flattened());
    for number in [9, 1_800_003_600, 1_802_592_000_u64] {
        ticket.extend(number.to_le_bytes());
    }
    ticket
}

/// §6: of one pair, seed 32 times 0x88 and digest 32 times 0x99, at height 1,031.
fn witness_statement() -> [u8; 32] {
    let pairs = [[0x88; 32], [0x99; 32]].concat();
    let root = blake3::hash(&pairs);
    derive("witness signing", &[&NETWORK, &1031_u64.to_le_bytes(), &1_u64.to_le_bytes(), root.as_bytes()])
}

struct Example {
    canonical: Vec<u8>,
    body: [u8; 32],
    request: Vec<u8>,
    answer: Vec<u8>,
}

fn example() -> Example {
    let canonical = canonical();
    let body = digest_of_body(&canonical);
    let request = header(SENDER, RECEIVER, 0x55, [0; 32], &body);
    // "7 bytes are free": one number.
    let answers = derive("message header", &[&request]);
    let freed = digest_of_body(&7_u64.to_le_bytes());
    let answer = header(RECEIVER, SENDER, 0x77, answers, &freed);
    Example { canonical, body, request, answer }
}

pub(crate) fn worked_example() -> String {
    let Example { canonical, body, request, answer } = example();
    let ticket = ticket();
    let mut text = String::from("```text\n");
    let mut line = |label: &str, bytes: &[u8]| text += &format!("{label}\n{}", dump(bytes));
    line(&format!("request {METHOD}: canonical body"), &canonical);
    line("body digest", &body);
    line("header of the request, nonce 16 times 0x55", &request);
    line("what the sender signs", &derive("message signing", &[&request]));
    line("header of the answer (7 bytes are free), nonce 16 times 0x77", &answer);
    line("what the answerer signs", &derive("message signing", &[&answer]));
    line("ticket: owner 32 times 0x66, 9 bytes", &ticket);
    line("what the validator signs of it", &derive("ticket signing", &[&ticket]));
    line(
        "witness statement: height 1,031, one pair, seed 32 times 0x88, digest 32 times 0x99",
        &witness_statement(),
    );
    text + "```\n"
}

#[test]
fn the_worked_example_of_messages_is_the_engines() {
    let Example { canonical, body, request, answer } = example();
    assert_eq!(body_digest(METHOD, &canonical), body);
    let decoded = Header::decode(&request).expect("a header");
    assert_eq!((decoded.sender, decoded.receiver), (Account(SENDER), Account(RECEIVER)));
    assert_eq!((&decoded.encode()[..], decoded.body_digest), (&request[..], body));
    assert_eq!(decoded.signing_digest(), derive("message signing", &[&request]));
    let answered = Header::decode(&answer).expect("a header");
    assert_eq!(answered.answers, decoded.digest());
    let decoded = Ticket::decode(&ticket()).expect("a ticket");
    assert_eq!((decoded.length_bytes, decoded.keep_until - decoded.use_until), (9, 2_588_400));
    assert_eq!(decoded.encode()[..], ticket()[..]);
    assert_eq!(decoded.signing_digest(), derive("ticket signing", &[&ticket()]));
}
