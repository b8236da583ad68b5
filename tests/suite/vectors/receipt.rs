//! The worked example of receipt-v1. Its vectors, which need signatures, are those of `chain_attacks`.

use holdfast_engine::receipt::{Body, ObjectNumber, Subject};

use super::files::dump;
use super::plain::derive;
use super::plain_space::{Partition, seed};

const SPACE: u8 = 1;
const POSSESSION: u8 = 3;
const ACCEPTED: u8 = 1;
const MISSED: u8 = 3;
const NETWORK: std::ops::Range<usize> = 72..104;

fn object_number(record_digest: &[u8; 32]) -> u64 {
    let derived = derive("object number", &[record_digest]);
    let first = derived[..8].try_into().expect("8 bytes");
    u64::from_le_bytes(first) | 1 << 63
}

/// §2, field by field.
fn body(
    [kind, outcome]: [u8; 2],
    [height, subject]: [u64; 2],
    parties: &[u8],
    [seed, response, previous]: [[u8; 32]; 3],
) -> Vec<u8> {
    let mut body = b"HFR1".to_vec();
    body.extend([kind, outcome, 0, 0]);
    body.extend(height.to_le_bytes());
    body.extend(subject.to_le_bytes());
    body.extend(parties);
    body.extend([seed, response, previous].as_flattened());
    body
}

/// The body of an answered round of a partition, and of a missed one of an object, each the first of its chain.
struct Example {
    network: [u8; 32],
    space: Vec<u8>,
    object_number: u64,
    object: Vec<u8>,
}

fn example() -> Example {
    let partition = Partition::new(3);
    let challenge = partition.challenge(SPACE, 2);
    let response = derive("response digest", &[&partition.space_response(&challenge)]);
    let field = |range: std::ops::Range<usize>| challenge[range].to_vec();
    let word = |at: usize| u64::from_le_bytes(field(at..at + 8).try_into().expect("8 bytes"));
    let parties = field(104..168);
    let space = body([SPACE, ACCEPTED], [word(8), word(16)], &parties, [seed(&challenge), response, [0; 32]]);
    let object_number = object_number(&[0x77; 32]);
    let object =
        body([POSSESSION, MISSED], [word(8), object_number], &parties, [[0x88; 32], [0; 32], [0; 32]]);
    Example { network: field(NETWORK).try_into().expect("32 bytes"), space, object_number, object }
}

pub(crate) fn worked_example() -> String {
    let Example { network, space, object_number, object } = example();
    let mut text = String::from("```text\n");
    let mut line = |label: &str, bytes: &[u8]| text += &format!("{label}\n{}", dump(bytes));
    let mut show = |label: &str, body: &[u8]| {
        let digest = derive("receipt body", &[&network, body]);
        line(label, body);
        line("body digest", &digest);
        line("what both sign", &derive("receipt signing", &[&digest]));
    };
    show("body: space, accepted, the first of its chain", &space);
    let label = "body: possession, missed, the first of its chain, challenge seed 32 times 0x88";
    show(&format!("object number {object_number}\n{label}"), &object);
    line("header of a chain file", &[b"HFL1\0\0\0\0", &network[..]].concat());
    text + "```\n"
}

#[test]
fn the_worked_example_of_receipts_is_the_engines() {
    let Example { network, space, object_number, object } = example();
    assert_eq!(ObjectNumber::of(&[0x77; 32]).get(), object_number);
    for (bytes, subject) in [(space, Subject::Partition(7)), (object, Subject::of_number(object_number))] {
        let body = Body::decode(&bytes).expect("a body");
        assert_eq!((body.encode().to_vec(), body.key.subject), (bytes.clone(), subject));
        let digest = derive("receipt body", &[&network, &bytes]);
        assert_eq!(body.digest(&network), digest);
        assert_eq!(body.signing_digest(&network), derive("receipt signing", &[&digest]));
    }
}
