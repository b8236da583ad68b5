//! Audits of an object through the socket of a real engine: what it answers is what the command answers on the same directory.

use holdfast_service::proto::engine_client::EngineClient;
use holdfast_service::proto::{
    AnswerRequest, VerifyCase, VerifyCommitment, VerifyRequest, VerifyResponse, VerifyTerms,
};
use tonic::Code;
use tonic::transport::Channel;

use crate::Process;
use crate::support::Place;

const BEACON: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
/// 40 blocks and a bit.
const OBJECT_BYTES: usize = 40 * 16_384 + 5;
/// Header, T and z of a possession response: drawn anew each time. What follows opens the table.
const PLAIN_PROOF_BYTES: usize = 17_104;
const COMPRESSED_PROOF_BYTES: usize = 1_584;
/// What names the challenge.
const HEADER_BYTES: usize = 48;

/// Kinds of audits: the file ending, the words of the command, and how many bytes after the header are drawn anew.
const KINDS: [(&str, &str, usize); 4] = [
    ("plain", "possession", PLAIN_PROOF_BYTES),
    ("short", "possession --compressed --samples 41", COMPRESSED_PROOF_BYTES),
    ("chunks", "chunks", HEADER_BYTES),
    ("link", "link --samples 41", HEADER_BYTES),
];

/// An object with its record `c`, challenges `q.*` of every kind, and the command's answers `r.*`.
fn asked() -> Place {
    let place = Place::new();
    let bytes: Vec<u8> = (0..OBJECT_BYTES).map(|i| (i * 31 + i / 251).to_le_bytes()[0]).collect();
    place.write("file", bytes);
    let put = place.run("object put --dir store file --no-encrypt --json").expect(0).json();
    let cid = put["cid"].as_str().expect("a CID");
    place.run(&format!("commitment --dir store --object {cid} --out c --points p")).expect(0);
    place.run("token make --input file --commitment c --count 1 --out t --dir store").expect(0);
    place.run("token use --tokens t --commitment c --out q.whole").expect(0);
    for (ending, kind, _) in KINDS {
        let words = format!("challenge {kind} --commitment c --beacon {BEACON} --out q.{ending}");
        place.run(&words).expect(0);
    }
    for ending in KINDS.map(|(ending, ..)| ending).into_iter().chain(["whole"]) {
        place.run(&format!("prove --dir store --challenge q.{ending} --out r.{ending}")).expect(0);
    }
    place
}

/// The answer through the socket, put together from its parts.
async fn answer(
    engine: &mut EngineClient<Channel>,
    request: AnswerRequest,
) -> Result<Vec<u8>, tonic::Status> {
    let mut parts = engine.answer(request).await?.into_inner();
    let mut response = Vec::new();
    while let Some(part) = parts.message().await? {
        assert_eq!(part.offset_bytes, response.len() as u64);
        response.extend_from_slice(&part.bytes);
    }
    Ok(response)
}

/// Verdicts on responses under one record.
async fn verify(
    engine: &mut EngineClient<Channel>,
    record: &[u8],
    cases: &[(Vec<u8>, Vec<u8>)],
) -> VerifyResponse {
    let digest = *blake3::hash(record).as_bytes();
    let terms = VerifyTerms { policy: "default".to_owned(), deadline_ms: 0 };
    let commitment = VerifyCommitment { bytes: record.to_vec().into(), last: true };
    let mut messages = vec![
        VerifyRequest { terms: Some(terms), ..VerifyRequest::default() },
        VerifyRequest { commitment: Some(commitment), ..VerifyRequest::default() },
    ];
    messages.extend(cases.iter().map(|(challenge, response)| VerifyRequest {
        case: Some(VerifyCase {
            challenge: challenge.clone().into(),
            commitment_digest: digest.to_vec().into(),
            response: response.clone().into(),
        }),
        ..VerifyRequest::default()
    }));
    engine.verify(tokio_stream::iter(messages)).await.expect("verdicts").into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_answered_for_as_by_the_command_and_judged() {
    let place = asked();
    let process = Process::serving(&place, "store");
    let mut engine = EngineClient::connect(process.url.clone()).await.expect("connects");
    let mut cases = Vec::new();
    for (ending, _, drawn_bytes) in KINDS.into_iter().chain([("whole", "", HEADER_BYTES)]) {
        let (challenge, expected) = (place.read(&format!("q.{ending}")), place.read(&format!("r.{ending}")));
        let request = AnswerRequest { challenge: challenge.clone().into(), ..AnswerRequest::default() };
        let answered = answer(&mut engine, request).await.expect("answers");
        assert_eq!(answered.len(), expected.len(), "{ending}");
        assert!(answered[..HEADER_BYTES] == expected[..HEADER_BYTES], "{ending}: the header");
        assert!(answered[drawn_bytes..] == expected[drawn_bytes..], "{ending}: what follows from the object");
        if drawn_bytes > HEADER_BYTES {
            // Two proofs under one mask would give the bytes away.
            let drawn = HEADER_BYTES..drawn_bytes;
            assert!(answered[drawn.clone()] != expected[drawn], "{ending}: masks are drawn anew");
        }
        cases.push((challenge, answered));
    }
    // The engine has no list of the record's tokens, so it cannot judge the last kind.
    let (record, objects) = (place.read("c"), KINDS.len());
    let verdicts = verify(&mut engine, &record, &cases[..objects]).await.verdicts;
    let classes: Vec<&str> = verdicts.iter().map(|verdict| verdict.class.as_str()).collect();
    assert_eq!(classes, [""; KINDS.len()], "{verdicts:?}");
    place.write("r.whole", &cases[objects].1);
    place.run("token verify --commitment c --challenge q.whole --response r.whole --tokens t").expect(0);

    for (_, response) in &mut cases {
        let last = response.len() - 1;
        response[last] ^= 1;
    }
    let verdicts = verify(&mut engine, &record, &cases[..objects]).await.verdicts;
    assert!(verdicts.iter().all(|verdict| !verdict.accepted && !verdict.class.is_empty()), "{verdicts:?}");
}

/// A verifier that keeps the table asks for no openings; one whose record is not the kept one gives its own; nobody is answered for
/// under another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openings_may_be_left_out_and_a_record_may_come_along() {
    let place = asked();
    let process = Process::serving(&place, "store");
    let mut engine = EngineClient::connect(process.url.clone()).await.expect("connects");
    let challenge = place.read("q.short");
    let short =
        AnswerRequest { challenge: challenge.clone().into(), no_openings: true, ..AnswerRequest::default() };
    let answered = answer(&mut engine, short).await.expect("answers");
    assert_eq!(answered.len(), COMPRESSED_PROOF_BYTES);
    place.write("r.short", &answered);
    place.run("verify --commitment c --challenge q.short --response r.short --points p").expect(0);

    // Another checker's record of the same object.
    place.run("check --commitment c --points p file --sign carol --out c.carol").expect(0);
    let words = format!("challenge chunks --commitment c.carol --beacon {BEACON} --out q.carol");
    place.run(&words).expect(0);
    let challenge = place.read("q.carol");
    let under = |record: Vec<u8>| AnswerRequest {
        challenge: challenge.clone().into(),
        record: record.into(),
        ..AnswerRequest::default()
    };
    let refused = answer(&mut engine, under(Vec::new())).await.expect_err("another record is kept");
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    let answered = answer(&mut engine, under(place.read("c.carol"))).await.expect("answers");
    let verdicts = verify(&mut engine, &place.read("c.carol"), &[(challenge.clone(), answered)]).await;
    assert!(verdicts.verdicts[0].accepted, "{verdicts:?}");
}
