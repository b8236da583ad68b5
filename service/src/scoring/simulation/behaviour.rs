//! How a simulated miner answers.

use holdfast_engine::account::Account;
use holdfast_engine::signature::Signer;

use super::BLOCKS_PER_DAY;
use super::population::{Population, SimulatedMiner};
use super::random::Random;
use crate::scoring::outcome::{MinerOutcome, Outcome, OutcomeKind, Registration};

/// Bytes read for a sample of windows: a block and a page of its outboard.
const SPACE_SAMPLE_BYTES: u64 = 18 << 10;
/// For a sample of objects: a block.
const OBJECT_SAMPLE_BYTES: u64 = 16 << 10;
/// Asked for in a retrieval audit.
const RETRIEVAL_BYTES: u64 = 16 << 20;

/// One hotkey of a simulated miner.
pub(super) struct Hotkey<'a> {
    pub(super) account: Account,
    /// Which miner of the population.
    pub(super) miner: usize,
    uid: u16,
    behaviour: &'a SimulatedMiner,
    space_bytes: u64,
    object_bytes: u64,
    /// Share that several who pretend to one disk do not have.
    pretended_share: f64,
}

impl Population {
    /// All hotkeys, with their places on the chain.
    pub(super) fn hotkeys(&self) -> Vec<Hotkey<'_>> {
        let mut hotkeys = Vec::new();
        let mut uids = 0_u16..;
        for (miner, behaviour) in self.miners.iter().enumerate() {
            for (number, uid) in (0..behaviour.uids).zip(&mut uids) {
                hotkeys.push(Hotkey::new(behaviour, miner, number, uid));
            }
        }
        hotkeys
    }
}

impl<'a> Hotkey<'a> {
    fn new(behaviour: &'a SimulatedMiner, miner: usize, number: u32, uid: u16) -> Hotkey<'a> {
        let parts = if behaviour.pretends { 1 } else { u64::from(behaviour.uids) };
        let pretended_share = if behaviour.pretends { 1.0 - 1.0 / f64::from(behaviour.uids) } else { 0.0 };
        Hotkey {
            account: Signer::development(&format!("{miner}/{number}")).account(),
            miner,
            uid,
            behaviour,
            space_bytes: behaviour.space_bytes / parts,
            object_bytes: behaviour.object_bytes / parts,
            pretended_share,
        }
    }

    /// Whether it has a place on the chain.
    fn takes_part(&self, day: f64) -> bool {
        day >= self.behaviour.joins_day
    }

    fn registration(&self, height: u64) -> Registration {
        let registered_at = match self.behaviour.registers_anew_days {
            Some(days) => height - height % blocks(days).max(1),
            None => 0,
        };
        Registration { miner: self.account, uid: self.uid, registered_at }
    }

    /// Share of its bytes that it does not have on a day.
    fn lost_share(&self, day: f64) -> f64 {
        let behaviour = self.behaviour;
        (behaviour.lost_share + behaviour.lost_share_a_day * day).max(self.pretended_share).min(1.0)
    }

    /// What it answers in the round at a height.
    pub(super) fn answer(
        &self,
        height: u64,
        seed: u64,
        population: &Population,
        out: &mut Vec<MinerOutcome>,
    ) {
        let day = height as f64 / BLOCKS_PER_DAY as f64;
        if !self.takes_part(day) {
            return;
        }
        let random = &mut Random::new(seed, &self.account.0, height);
        let gone = self.behaviour.absent_days.is_some_and(|[from, to]| day >= from && day < to);
        let asked = Asked { hotkey: self, height, gone, deadline_ms: population.deadline_ms };
        let has = 1.0 - self.lost_share(day);
        let samples = u64::from(population.space_samples);
        let right = random.happens(power(has, population.space_samples));
        out.push(asked.outcome(OutcomeKind::Space, samples * SPACE_SAMPLE_BYTES, right, random));
        if self.object_bytes > 0 {
            let samples = u64::from(population.object_samples);
            let right = random.happens(power(has, population.object_samples));
            out.push(asked.outcome(OutcomeKind::Possession, samples * OBJECT_SAMPLE_BYTES, right, random));
            if random.happens(population.retrieval_probability) {
                let right = !self.behaviour.withholds && random.happens(has);
                out.push(asked.outcome(OutcomeKind::Retrieval, RETRIEVAL_BYTES, right, random));
            }
        }
        out.push(asked.outcome(OutcomeKind::Ping, 0, true, random));
    }
}

/// The circumstances of a question.
struct Asked<'a> {
    hotkey: &'a Hotkey<'a>,
    height: u64,
    gone: bool,
    deadline_ms: u32,
}

impl Asked<'_> {
    fn outcome(&self, kind: OutcomeKind, bytes_read: u64, right: bool, random: &mut Random) -> MinerOutcome {
        let hotkey = self.hotkey;
        let latency_ms = latency_ms(hotkey.behaviour, bytes_read, random);
        let silent = random.happens(hotkey.behaviour.miss_probability);
        let outcome = if self.gone || silent || latency_ms > self.deadline_ms {
            Outcome::Missed
        } else if right {
            Outcome::Accepted
        } else {
            Outcome::Rejected
        };
        let Registration { miner, uid, registered_at } = hotkey.registration(self.height);
        MinerOutcome {
            miner,
            uid,
            registered_at,
            kind,
            outcome,
            latency_ms: (outcome != Outcome::Missed).then_some(latency_ms),
            bytes_read,
            proven_space_bytes: if kind == OutcomeKind::Space { hotkey.space_bytes } else { 0 },
            proven_object_bytes: if kind == OutcomeKind::Possession { hotkey.object_bytes } else { 0 },
        }
    }
}

/// Three quarters to five quarters of the usual time, thrice that once in a hundred times, and reading.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
fn latency_ms(behaviour: &SimulatedMiner, bytes_read: u64, random: &mut Random) -> u32 {
    let usual = f64::from(behaviour.latency_ms) * (0.75 + 0.25 * (random.unit() + random.unit()));
    let slowness = if random.happens(0.01) { 3.0 } else { 1.0 };
    let reading_ms = bytes_read as f64 * 1000.0 / behaviour.bytes_per_second as f64;
    (usual * slowness + reading_ms) as u32
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
fn blocks(days: f64) -> u64 {
    (days * BLOCKS_PER_DAY as f64) as u64
}

/// `base` to a whole power, the same on every machine.
fn power(base: f64, exponent: u32) -> f64 {
    (0..exponent).fold(1.0, |power, _| power * base)
}
