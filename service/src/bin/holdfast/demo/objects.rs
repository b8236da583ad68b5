//! Chapter 7: a file of a user beside the windows, audited without being fetched, damaged, and mended.

mod round;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use holdfast_engine::object::{Address, ObjectStat, PutTerms};
use holdfast_engine::possession::batch::verify_possession_batch;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::possession::token::{Token, TokenChallenge, TokenFile, TokenMaker, token_list};
use holdfast_engine::possession::verify::PossessionCase;
use holdfast_engine::recorder::{FileRecorder, Recorder, Simulation};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signer;
use holdfast_engine::tree::BLOCK_BYTES;
use holdfast_partition::objects::ObjectFile;
use holdfast_partition::partition_file::OpenMode;
use holdfast_service::encryption::{OwnerKey, Recipients};
use serde::Serialize;

use super::stage::Stage;
use crate::audits::{AnyChallenge, HeldObject, Kept, verify_object};
use crate::committing::{OWNER, Parties, commit_object, record_in_next_block, replace_record, sign};
use crate::failure::Failure;
use crate::objects::{ObjectDirectory, OpenShelf, make_room, mend, now, object_disk_bytes};
use crate::table;

/// Bytes of the file: 256 blocks, committed to in seconds on a slow core.
const FILE_BYTES: usize = 4 << 20;
const TOKENS: usize = 3;
/// Audits that are verified together, plain and compressed.
const BATCH: (usize, usize) = (24, 8);
/// The block that is lost.
const LOST_BLOCK: u64 = 100;

/// What the chapter found out.
#[derive(Debug, Serialize)]
pub(super) struct ObjectStory {
    cid: String,
    file_bytes: usize,
    bytes: u64,
    blocks: u64,
    windows_given_up: u64,
    commit_seconds: f64,
    check_seconds: f64,
    audits: Vec<Audit>,
    round: round::Round,
    batch: Together,
    loss: Loss,
}

/// One audit.
#[derive(Debug, Serialize)]
struct Audit {
    kind: &'static str,
    compressed: bool,
    samples: usize,
    response_bytes: usize,
    answer_seconds: f64,
    verify_seconds: f64,
}

/// Many responses in one equation.
#[derive(Debug, Serialize)]
struct Together {
    responses: usize,
    seconds: f64,
    one_by_one_seconds: f64,
}

/// A block that was lost, and what came of it.
#[derive(Debug, Serialize)]
struct Loss {
    block: u64,
    /// What the miner's own check says.
    own_check: String,
    cheats: Vec<Cheat>,
    mended_blocks: u64,
    accepted_again: bool,
}

/// What a miner without the block sends.
#[derive(Debug, Serialize)]
struct Cheat {
    attempt: &'static str,
    class: &'static str,
}

/// The stored object, as miner and validator see it.
struct Scene<'s> {
    stage: &'s Stage<'s>,
    directory: &'s ObjectDirectory,
    recorder: FileRecorder,
    record: SignedRecord,
    tokens: TokenFile,
    /// What the owner keeps: the ciphertext.
    copy: PathBuf,
}

/// Stores, audits, loses, fails, mends, passes.
pub(super) fn play(stage: &Stage<'_>) -> Result<ObjectStory, Failure> {
    let mut directory = ObjectDirectory::open(&stage.directory)?;
    let shelf = directory.beside(0).ok_or(Failure::NotFound("the demo has no partition".to_owned()))?;
    let shelf = directory.open_or_create(shelf)?;
    let needed = object_disk_bytes(FILE_BYTES as u64 + 16 * 1024);
    let room = make_room(&mut directory, &shelf, needed, false, stage.console)?;
    let windows_given_up = room.map_or(0, |room| room.windows_given_up);
    let (stat, copy) = store(stage, &shelf)?;
    let parties = Parties::resolve(OWNER, None, &directory, stage.console)?;
    let jobs = (&stage.machine, stage.control(), &() as _);
    let committed = commit_object(&directory, &shelf, &stat, &parties, jobs)?;
    let report = committed.report.unwrap_or_default();
    stage.say(&format!(
        "  committed to {} blocks in {} ({}), checked against the bytes in {}; the record has 296 bytes",
        stat.blocks,
        table::duration(report.commit_seconds),
        table::rate(stat.bytes as f64 / report.commit_seconds.max(1e-9)),
        table::duration(report.check_seconds)
    ));
    let (record, tokens) = seal(&directory, &shelf, committed.record.record, &parties, &copy)?;
    drop(shelf);
    let recorder = match &directory.disk {
        Some(disk) => disk.recorder()?,
        None => return Err(Failure::NotAllocated(stage.directory.clone())),
    };
    let scene = Scene { stage, directory: &directory, recorder, record, tokens, copy };
    let audits = scene.audit_every_way()?;
    let round = round::play(&scene)?;
    let batch = scene.audit_together()?;
    let loss = scene.lose_and_mend(&stat)?;
    Ok(ObjectStory {
        cid: stat.cid.to_string(),
        file_bytes: FILE_BYTES,
        bytes: stat.bytes,
        blocks: stat.blocks,
        windows_given_up,
        commit_seconds: report.commit_seconds,
        check_seconds: report.check_seconds,
        audits,
        round,
        batch,
        loss,
    })
}

/// The owner encrypts; the miner stores what it cannot read. Gives the owner's copy of the ciphertext too.
fn store(stage: &Stage<'_>, shelf: &OpenShelf) -> Result<(ObjectStat, PathBuf), Failure> {
    let file: Vec<u8> = (0..FILE_BYTES).map(|i| (i * 31 + i / 251).to_le_bytes()[0]).collect();
    let key = OwnerKey::generate();
    let place = &shelf.shelf.path;
    let recipients =
        Recipients::of_keys([key.recipient().as_str()]).map_err(|error| Failure::encryption(place, error))?;
    let encrypted =
        recipients.encrypting(file.as_slice()).map_err(|error| Failure::encryption(place, error))?;
    let terms = PutTerms { now: now(), ..PutTerms::default() };
    let started = Instant::now();
    let stat = shelf.objects.put(encrypted, &terms).map_err(|error| shelf.failed(error))?.stat;
    stage.say(&format!(
        "  a file of {} is encrypted by its owner and stored durably in {}: {}",
        table::bytes(FILE_BYTES as u64),
        table::duration(started.elapsed().as_secs_f64()),
        stat.cid
    ));
    let copy = stage.directory.join("owner.age");
    let reader = shelf.objects.open(&stat.cid, terms.now).map_err(|error| shelf.failed(error))?;
    let mut out = std::fs::File::create(&copy).map_err(|error| Failure::file("create", &copy, error))?;
    reader.copy(0..stat.bytes, &mut out).map_err(|error| shelf.failed(error))?;
    Ok((stat, copy))
}

/// The owner makes tokens of its copy, and the record gets their root.
fn seal(
    directory: &ObjectDirectory,
    shelf: &OpenShelf,
    record: ObjectRecord,
    parties: &Parties,
    copy: &Path,
) -> Result<(SignedRecord, TokenFile), Failure> {
    let bytes = std::fs::read(copy).map_err(|error| Failure::file("read", copy, error))?;
    let maker = TokenMaker::new(TOKENS);
    let mut maker =
        maker.map_err(|error| Failure::Absent(format!("no randomness from the system: {error}")))?;
    maker.update(&bytes);
    let tokens = maker.finish();
    let entries: Vec<[u8; 32]> = tokens.iter().map(Token::entry).collect();
    let list = token_list(&entries).map_err(|rejection| Failure::rejected(copy, rejection))?;
    let mut record = ObjectRecord { tokens: Some(list), ..record };
    record_in_next_block(&mut record, directory)?;
    let signed = sign(record, &parties.checker);
    replace_record(shelf, &signed)?;
    let tokens = TokenFile::create(copy.with_file_name("owner.tokens"), signed.record.digest(), tokens)?;
    Ok((signed, tokens))
}

impl Scene<'_> {
    /// A challenge at a height that nobody knew the beacon of.
    fn challenge(&self, kind: AuditKind, samples: u32, form: Form) -> Result<ObjectChallenge, Failure> {
        let record = &self.record.record;
        let (beacon, height) = self.next_beacon(record.height)?;
        let deadline_ms = self.stage.policy.objects.deadline_ms(kind);
        let ask = Ask { kind, samples, deadline_ms, form };
        let validator = Signer::development("demo-validator").account();
        let challenge = ObjectChallenge::of(record, validator, (beacon, height), ask);
        challenge.map_err(|rejection| Failure::rejected("a challenge", rejection))
    }

    /// Beacon and height of the next block at which what was recorded at `recorded` is final.
    fn next_beacon(&self, recorded: u64) -> Result<([u8; 32], u64), Failure> {
        let earliest = recorded + self.stage.policy.finality_blocks;
        let height = loop {
            let height = self.recorder.advance(1)?;
            if height >= earliest {
                break height;
            }
        };
        Ok((self.recorder.beacon(height)?.unwrap_or_default(), height))
    }

    fn answer(&self, challenge: &AnyChallenge) -> Result<Vec<u8>, Failure> {
        let of_object = challenge.of_object().ok_or(Failure::NotFound("no object is asked".to_owned()))?;
        let held = HeldObject::find(self.directory, of_object, None)?;
        let held = held.ok_or(Failure::NotFound("the object is gone".to_owned()))?;
        let machine = &self.stage.machine;
        machine.pool.install(|| held.answer(challenge, machine.backend, true, |_| true))
    }

    /// An honest round: answered, verified, accepted.
    fn audit(&self, challenge: &AnyChallenge, samples: usize) -> Result<Audit, Failure> {
        let clock = Instant::now();
        let response = self.answer(challenge)?;
        let answer_seconds = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let entries = self.tokens.entries()?;
        let kept = Kept { table: None, tokens: Some(&entries) };
        verify_object(&self.record.record, challenge, kept, &response)
            .map_err(|rejection| Failure::rejected("an honest answer", rejection))?;
        let verify_seconds = clock.elapsed().as_secs_f64();
        let compressed = challenge.of_object().is_some_and(|challenge| challenge.form == Form::Compressed);
        let (kind, response_bytes) = (challenge.kind(), response.len());
        Ok(Audit { kind, compressed, samples, response_bytes, answer_seconds, verify_seconds })
    }

    fn audit_every_way(&self) -> Result<Vec<Audit>, Failure> {
        let mut audits = Vec::new();
        for (kind, form, what) in [
            (AuditKind::Possession, Form::Plain, "20 whole blocks, in zero knowledge"),
            (AuditKind::Possession, Form::Compressed, "the same, compressed"),
            (AuditKind::Chunks, Form::Plain, "20 random KiBs and the last"),
        ] {
            let challenge = AnyChallenge::Object(self.challenge(kind, 20, form)?);
            audits.push(self.tell(what, self.audit(&challenge, 20)?));
        }
        let challenge = self.challenge(AuditKind::Whole, 1, Form::Plain)?;
        let (number, token) = self.tokens.take()?;
        let challenge = TokenChallenge::new(challenge, number, *token.key())
            .map_err(|rejection| Failure::rejected("a token", rejection))?;
        let audit = self.audit(&AnyChallenge::Token(challenge), 1)?;
        audits.push(self.tell("a sealed token: every byte is read, and the token is used up", audit));
        Ok(audits)
    }

    fn tell(&self, what: &str, audit: Audit) -> Audit {
        self.stage.say(&format!(
            "  {what}: {} in {}, verified in {}: accepted",
            table::bytes(audit.response_bytes as u64),
            table::duration(audit.answer_seconds),
            table::duration(audit.verify_seconds)
        ));
        audit
    }

    fn audit_together(&self) -> Result<Together, Failure> {
        let forms = [(Form::Plain, BATCH.0), (Form::Compressed, BATCH.1)];
        let mut round = Vec::new();
        for (form, count) in forms {
            for _ in 0..count {
                let challenge = self.challenge(AuditKind::Possession, 20, form)?;
                let response = self.answer(&AnyChallenge::Object(challenge.clone()))?;
                round.push((challenge, response));
            }
        }
        let record = &self.record.record;
        let clock = Instant::now();
        for (challenge, response) in &round {
            verify_object(record, &AnyChallenge::Object(challenge.clone()), Kept::default(), response)
                .map_err(|rejection| Failure::rejected("an honest answer", rejection))?;
        }
        let one_by_one_seconds = clock.elapsed().as_secs_f64();
        let case = |(challenge, response)| PossessionCase { record, challenge, table: None, response };
        let cases: Vec<PossessionCase<'_>> =
            round.iter().map(|(challenge, response)| case((challenge, response.as_slice()))).collect();
        let clock = Instant::now();
        let verdicts = verify_possession_batch(Generators::standard(), &cases)
            .map_err(|error| Failure::Absent(format!("no randomness from the system: {error}")))?;
        let seconds = clock.elapsed().as_secs_f64();
        for verdict in verdicts {
            verdict.map_err(|rejection| Failure::rejected("an honest answer in a batch", rejection))?;
        }
        self.stage.say(&format!(
            "  {} responses in one equation: verified in {}, one by one in {}",
            cases.len(),
            table::duration(seconds),
            table::duration(one_by_one_seconds)
        ));
        Ok(Together { responses: cases.len(), seconds, one_by_one_seconds })
    }

    fn lose_and_mend(&self, stat: &ObjectStat) -> Result<Loss, Failure> {
        let all = u32::try_from(stat.blocks).unwrap_or(u32::MAX);
        let challenge = self.challenge(AuditKind::Possession, all, Form::Plain)?;
        let honest = self.answer(&AnyChallenge::Object(challenge))?;
        self.lose_a_block(stat)?;
        let challenge = AnyChallenge::Object(self.challenge(AuditKind::Possession, all, Form::Plain)?);
        let own_check = match self.answer(&challenge) {
            Err(failure) if failure.kind() == "damaged" => failure.to_string(),
            Err(other) => return Err(other),
            Ok(_) => return Err(wrong("the loss of a block was not noticed")),
        };
        self.stage.say(&format!("  the miner's own check: {own_check}"));
        let cheats = self.cheat(&challenge, honest)?;
        let shelf = self.directory.find(&stat.cid, OpenMode::ReadWrite)?;
        let mended_blocks = mend(&shelf, stat, &self.copy)?;
        drop(shelf);
        let audit = self.audit(&challenge, stat.blocks.try_into().unwrap_or(usize::MAX))?;
        let what = format!("{mended_blocks} block mended from the owner's copy; all {all} blocks asked for");
        self.tell(&what, audit);
        Ok(Loss { block: LOST_BLOCK, own_check, cheats, mended_blocks, accepted_again: true })
    }

    /// Overwrites a block of the real file with zeros.
    fn lose_a_block(&self, stat: &ObjectStat) -> Result<(), Failure> {
        let shelf = self.directory.find(&Address::Blake3(stat.root.0), OpenMode::ReadOnly)?;
        let path = shelf.objects.store().file_path(stat.root, ObjectFile::Data);
        let failed = |error| Failure::file("write to", &path, error);
        let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        let zeros = vec![0; BLOCK_BYTES];
        file.write_all_at(&zeros, LOST_BLOCK * BLOCK_BYTES as u64).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        self.stage.say(&format!("  block {LOST_BLOCK} of the stored file is overwritten with zeros"));
        Ok(())
    }

    /// What can be sent without the block; every attempt must be rejected, and with its class.
    fn cheat(&self, challenge: &AnyChallenge, honest: Vec<u8>) -> Result<Vec<Cheat>, Failure> {
        const POINT: std::ops::Range<usize> = 48..144;
        let renamed = |mut response: Vec<u8>| {
            response[16..48].copy_from_slice(&challenge.digest());
            response
        };
        let mut point_of_zeros = renamed(honest.clone());
        point_of_zeros[POINT].fill(0);
        let mut shortened = renamed(honest.clone());
        shortened.truncate(honest.len() - 1);
        let attempts = [
            ("it sends the answer of an earlier height again", honest.clone(), Class::WrongChallenge),
            ("it puts the new challenge's name on it", renamed(honest), Class::WrongProof),
            ("it makes the points up", point_of_zeros, Class::WrongPoint),
            ("it leaves something out", shortened, Class::WrongLength),
        ];
        let mut cheats = Vec::new();
        for (attempt, response, expected) in attempts {
            let verdict = verify_object(&self.record.record, challenge, Kept::default(), &response);
            match verdict {
                Err(rejection) if rejection.class == expected => {
                    let detail = &rejection.detail;
                    self.stage.say(&format!("  {attempt}\n    REJECTED  {expected}: {detail}"));
                    cheats.push(Cheat { attempt, class: expected.name() });
                }
                other => return Err(wrong(&format!("a cheat was misjudged ({attempt}): {other:?}"))),
            }
        }
        Ok(cheats)
    }
}

fn wrong(message: &str) -> Failure {
    Failure::State {
        message: message.to_owned(),
        advice: "this must never happen: please report it".to_owned(),
    }
}
