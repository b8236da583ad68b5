//! Seal audits: are the windows what the rule makes? Asked, answered and judged in one, or by making windows again.

use std::sync::Arc;
use std::time::Instant;

use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::commitment::Commitment;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::policy::Policy;
use holdfast_engine::recorder::Recorder;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::space::record::layers_root;
use holdfast_engine::space::seal::LayerObserver;
use holdfast_engine::space::window::WindowMaker;
use holdfast_engine::tree::Outboard;
use serde::Serialize;

use crate::local::answering::answer_partition;
use crate::local::commit;
use crate::local::console::{Console, Exit, Report};
use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::judging::{Verdict, check_question, earliest_height, verify_response};
use crate::local::machine::Machine;
use crate::local::table;

/// How windows are audited.
#[derive(Clone, Debug)]
pub struct SealAudit {
    /// How much a validator would ask.
    pub policy: Policy,
    /// What chooses what is asked; the recorder's newest if none is given.
    pub beacon: Option<[u8; 32]>,
    /// Make whole windows again and compare all their roots, in place of challenges.
    pub replay: bool,
    /// How many windows of each partition to make again; all if none is given.
    pub windows: Option<u64>,
}

impl SealAudit {
    /// Audits every batch of every partition of the disks.
    pub fn of_disks(
        &self,
        disks: &[Disk],
        (machine, control): (&Machine, &Control),
        console: &Console,
    ) -> Result<Audited, Failure> {
        let mut report = Audited::default();
        for disk in disks {
            self.audit_disk(disk, (machine, control), console, &mut report)?;
        }
        Ok(report)
    }

    /// Makes windows again from the commitment alone, without the miner, and compares all their roots.
    pub fn of_commitment(
        &self,
        commitment: &Commitment,
        (machine, control): (&Machine, &Control),
    ) -> Result<Audited, Failure> {
        let mut report = Audited::default();
        report.add(self.replay(commitment, self.beacon.unwrap_or_default(), (machine, control))?);
        Ok(report)
    }

    fn audit_disk(
        &self,
        disk: &Disk,
        (machine, control): (&Machine, &Control),
        console: &Console,
        report: &mut Audited,
    ) -> Result<(), Failure> {
        let recorder = disk.recorder()?;
        let beacon = match self.beacon {
            Some(beacon) => beacon,
            None => recorder.beacon(recorder.height()?)?.unwrap_or_default(),
        };
        for partition in &disk.manifest.partitions {
            let commitment = commit::commitment(disk, partition, console)?;
            if self.replay {
                report.add(self.replay(&commitment, beacon, (machine, control))?);
                continue;
            }
            for batch in 0..commitment.batches.len() {
                control.checkpoint()?;
                let Some(challenge) = seal_challenge(&commitment, batch, beacon, &self.policy) else {
                    continue;
                };
                let started = Instant::now();
                let response = answer_partition(disk, partition, &challenge, machine, control)?;
                let answer_seconds = started.elapsed().as_secs_f64();
                let started = Instant::now();
                let verdict = check_question(&commitment, &challenge, &self.policy)
                    .and_then(|in_force| verify_response(machine.backend, &in_force, &challenge, &response));
                report.add(Audit {
                    partition_id: challenge.partition_id,
                    validator: partition.validator_hotkey.clone(),
                    batch: Some(batch),
                    windows: u64::from(challenge.samples),
                    response_bytes: Some(response.len() as u64),
                    answer_seconds,
                    verify_seconds: Some(started.elapsed().as_secs_f64()),
                    verdict: Verdict::new(verdict),
                });
            }
        }
        Ok(())
    }

    fn replay(
        &self,
        commitment: &Commitment,
        beacon: [u8; 32],
        (machine, control): (&Machine, &Control),
    ) -> Result<Audit, Failure> {
        let started = Instant::now();
        let shape = commitment.registration.intent.shape;
        let windows = chosen_windows(commitment, beacon, self.windows);
        let maker = WindowMaker::new(shape, machine.backend, Arc::clone(&machine.pool));
        let mut maker =
            maker.map_err(|error| Failure::file("get memory for", "two layers of a window", error))?;
        let mut verdict = Ok(());
        for &window in &windows {
            verdict = verdict.and(replay_window(commitment, window, &mut maker, control)?);
        }
        Ok(Audit {
            partition_id: commitment.registration.partition_id,
            validator: commitment.registration.intent.validator.to_ss58(),
            batch: None,
            windows: windows.len() as u64,
            response_bytes: None,
            answer_seconds: started.elapsed().as_secs_f64(),
            verify_seconds: None,
            verdict: Verdict::new(verdict),
        })
    }
}

fn seal_challenge(
    commitment: &Commitment,
    batch: usize,
    beacon: [u8; 32],
    policy: &Policy,
) -> Option<Challenge> {
    let windows = commitment.added_windows(batch)?;
    let samples = policy.seal_samples(windows.end - windows.start);
    let height = earliest_height(commitment, policy);
    Challenge::seal(commitment, batch, beacon, height, samples, policy.seal_deadline_ms)
}

/// All windows, or as many as wanted, by the beacon.
fn chosen_windows(commitment: &Commitment, beacon: [u8; 32], wanted: Option<u64>) -> Vec<u64> {
    let all = commitment.window_count();
    match wanted.map(|wanted| wanted.min(all)) {
        Some(wanted) if wanted < all => {
            let samples = u32::try_from(wanted).unwrap_or(u32::MAX);
            let challenge = Challenge::space(commitment, beacon, commitment.last_batch().height, samples, 1);
            debug_assert_eq!(challenge.kind, Kind::Space);
            challenge.windows()
        }
        _ => (0..all).collect(),
    }
}

fn replay_window(
    commitment: &Commitment,
    window: u64,
    maker: &mut WindowMaker,
    control: &Control,
) -> Result<Result<(), Rejection>, Failure> {
    struct Nobody;
    impl LayerObserver for Nobody {
        fn layer(&mut self, _: u32, _: &[u8], _: &Outboard) {}
    }
    let Some(record) = commitment.record(window) else { return Ok(Ok(())) };
    let roots = maker.replay(&record.window_key, &mut Nobody, &|| control.checkpoint())?;
    if layers_root(&roots) != record.layers_root {
        return Ok(Err(
            Class::WrongLayers.because(format!("window {window} has other layer roots than its record"))
        ));
    }
    if roots.last() != Some(&record.root) {
        return Ok(
            Err(Class::WrongRoot.because(format!("window {window} has another root than its record"))),
        );
    }
    Ok(Ok(()))
}

/// What seal audits found.
#[derive(Debug, Serialize)]
pub struct Audited {
    verdict: &'static str,
    /// Class of the first rejection.
    pub class: Option<&'static str>,
    windows_replayed: u64,
    audits: Vec<Audit>,
}

#[derive(Debug, Serialize)]
struct Audit {
    partition_id: u64,
    validator: String,
    /// Which batch; absent for a replay.
    batch: Option<usize>,
    windows: u64,
    response_bytes: Option<u64>,
    answer_seconds: f64,
    verify_seconds: Option<f64>,
    #[serde(flatten)]
    verdict: Verdict,
}

impl Default for Audited {
    fn default() -> Audited {
        Audited { verdict: "accepted", class: None, windows_replayed: 0, audits: Vec::new() }
    }
}

impl Audited {
    fn add(&mut self, audit: Audit) {
        self.windows_replayed += if audit.batch.is_none() { audit.windows } else { 0 };
        self.class = self.class.or(audit.verdict.class);
        self.verdict = if self.class.is_none() { "accepted" } else { "rejected" };
        self.audits.push(audit);
    }
}

impl Report for Audited {
    fn text(&self, out: &mut String) {
        for audit in &self.audits {
            let what = match audit.batch {
                Some(batch) => format!("batch {batch}, {} windows", audit.windows),
                None => format!("{} windows replayed", audit.windows),
            };
            out.push_str(&format!(
                "partition {} ({}), {what}: {}  (made in {}",
                audit.partition_id,
                audit.validator,
                audit.verdict.line(),
                table::duration(audit.answer_seconds)
            ));
            if let (Some(bytes), Some(seconds)) = (audit.response_bytes, audit.verify_seconds) {
                out.push_str(&format!(", {} verified in {}", table::bytes(bytes), table::duration(seconds)));
            }
            out.push_str(")\n");
        }
    }

    fn exit(&self) -> Exit {
        if self.class.is_none() { Exit::Done } else { Exit::Rejected }
    }
}
