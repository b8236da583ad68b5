//! Audits of possession answered with points that the miner chose. FileTAO read the generators and the commitment out of the answer, so
//! that whoever had nothing could choose both.

use holdfast_engine::curve::{Fr, G1Affine};
use holdfast_engine::possession::challenge::{AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::commitment_table::{CommitmentTable, chunks_of};
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::points::encode_point;
use holdfast_engine::possession::response::response_bytes_without_openings;
use holdfast_engine::reference::possession::{
    Proof, SCALARS, Statement, compress, encode_compressed_proof, encode_proof, prove, response_header,
    verify,
};
use holdfast_engine::rejection::Class;
use holdfast_service::local::audits::AnyChallenge;

use super::conduct::bodies;
use super::pair::{POSSESSION, Pair, SPACE, rejected};
use super::scene::ACCEPTED;
use super::station::{Conduct, Honest};

/// Gives other answers about possession than the real miner, made of the challenge and the honest answer.
fn proving(make: impl Fn(&ObjectChallenge, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> impl Conduct {
    bodies(move |asked, honest| match &asked.challenge {
        AnyChallenge::Object(challenge) if challenge.kind == AuditKind::Possession => {
            Some(make(challenge, honest))
        }
        _ => Some(honest.to_vec()),
    })
}

/// Commitments to nothing that can be opened to it, one for each block of the object.
#[derive(Clone)]
struct Chosen {
    points: Vec<G1Affine>,
    /// The proof about those that are asked for.
    prove: fn(&Statement) -> Proof,
}

impl Chosen {
    fn new(challenge: &ObjectChallenge, point: G1Affine, prove: fn(&Statement) -> Proof) -> Chosen {
        let blocks = usize::try_from(challenge.replica.blocks()).expect("small");
        Chosen { points: vec![point; blocks], prove }
    }

    /// The response but for what shows the commitments. With the commitments of this table it is right.
    fn proof(&self, challenge: &ObjectChallenge) -> Vec<u8> {
        let statement = Statement::new(challenge, &self.points);
        let proof = (self.prove)(&statement);
        assert!(verify(&statement, &proof), "only who chose the points is wrong");
        let encoded = match challenge.form {
            Form::Plain => encode_proof(&proof),
            Form::Compressed => encode_compressed_proof(&compress(&statement, &proof)),
        };
        [response_header(challenge, statement.blocks.len(), true), encoded].concat()
    }

    /// What shows the commitments in a table of its own.
    fn shown(&self, challenge: &ObjectChallenge) -> Vec<u8> {
        let table = CommitmentTable::of_points(&self.points);
        let chunks = chunks_of(&challenge.possession_blocks());
        chunks.into_iter().flat_map(|chunk| table.open(chunk)).collect()
    }
}

/// What shows the registered commitments, out of the honest answer.
fn registered<'h>(challenge: &ObjectChallenge, honest: &'h [u8]) -> &'h [u8] {
    &honest[response_bytes_without_openings(challenge.form)..]
}

type Answer = fn(&Chosen, &ObjectChallenge, &[u8]) -> Vec<u8>;

/// A round for each way of handing in a proof about chosen points, each of which is refused for its own reason.
async fn are_refused(choose: fn(&ObjectChallenge) -> Chosen, cases: &[(&str, Class, Answer)]) {
    let pair = Pair::committed().await;
    let found = pair.round(Honest).await;
    assert_eq!((found[SPACE], found[POSSESSION]), (ACCEPTED, ACCEPTED), "it has what it committed to");
    for (what, class, answer) in cases.iter().copied() {
        let cheating = proving(move |challenge, honest| answer(&choose(challenge), challenge, honest));
        let found = pair.round(cheating).await;
        assert_eq!((found[SPACE], found[POSSESSION]), (ACCEPTED, rejected(class)), "{what}");
    }
    // Its windows were right all the while, so it loses a part.
    pair.is_worth_less().await;
}

const OWN_TABLE: Answer = |chosen, challenge, _| [chosen.proof(challenge), chosen.shown(challenge)].concat();
const REGISTERED_TABLE: Answer =
    |chosen, challenge, honest| [&chosen.proof(challenge), registered(challenge, honest)].concat();

/// A2: commitments, T and z are nothing, for which every equation holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn points_at_infinity_prove_nothing() {
    let infinity = |challenge: &ObjectChallenge| {
        let nothing = |_: &Statement| Proof { t: G1Affine::default(), z: vec![Fr::from(0u8); SCALARS + 1] };
        Chosen::new(challenge, G1Affine::default(), nothing)
    };
    let cases: [(&str, Class, Answer); 2] = [
        ("in a table of its own", Class::WrongRoot, OWN_TABLE),
        ("in place of T and z", Class::WrongPoint, REGISTERED_TABLE),
    ];
    are_refused(infinity, &cases).await;
}

/// A3: every commitment is one that the miner knows how to open to anything, and the proof about them is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn points_with_known_logarithms_prove_nothing() {
    const LOGARITHM: u64 = 7;
    let known = |challenge: &ObjectChallenge| {
        let point = *Generators::standard().blinding() * Fr::from(LOGARITHM);
        let opened = |statement: &Statement| {
            let blocks = statement.blocks.len();
            let masks: Vec<Fr> = (1..).map(Fr::from).take(SCALARS + 1).collect();
            prove(statement, &vec![&[][..]; blocks], &vec![Fr::from(LOGARITHM); blocks], &masks)
        };
        Chosen::new(challenge, point.into(), opened)
    };
    let with_generators: Answer = |chosen, challenge, honest| {
        let generators = Generators::standard().all().iter().flat_map(encode_point);
        REGISTERED_TABLE(chosen, challenge, honest).into_iter().chain(generators).collect()
    };
    let cases: [(&str, Class, Answer); 3] = [
        ("in a table of its own", Class::WrongRoot, OWN_TABLE),
        ("in place of those that were registered", Class::WrongProof, REGISTERED_TABLE),
        ("with generators to go with it", Class::WrongLength, with_generators),
    ];
    are_refused(known, &cases).await;
}
