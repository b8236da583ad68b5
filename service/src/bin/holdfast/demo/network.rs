//! The network, told as it happens: a simulated chain, three validators, and six miners of which one is honest and fast,
//! and owners that store files. Real files, real sockets; every block is made when all have done what the last one asked for.

mod miner;
mod mischief;
mod owners;
mod stage;
mod validator;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use holdfast_service::operation::logging::{FILTER_VARIABLE, LogFormat, set_up};
use holdfast_service::validator::status::{MinerStatus, Status};
use serde::Serialize;
use serde_json::Value;

use super::place::Place;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::interrupt;
use crate::table::{self, Table};
use miner::{Conduct, DemoMiner};
use owners::{DemoOwner, FileOutcome, store_all};
use stage::{Stage, VALIDATORS, account};
use validator::DemoValidator;

/// Blocks after which a round is final, judged, anchored, scored and countersigned.
const SETTLING_BLOCKS: u64 = 6;
/// Scores are shown every so many rounds.
const SHOWN_EVERY: u64 = 5;

/// Letters of the bar of a miner that gets everything.
const BAR: u8 = 60;

/// What the network demo was asked to do.
#[derive(Debug)]
pub(crate) struct NetworkWishes {
    /// Where; else in a temporary directory.
    pub(crate) dir: Option<PathBuf>,
    /// Whether files stay.
    pub(crate) keep: bool,
    /// Rounds of audits.
    pub(crate) rounds: u64,
}

/// What came of it, for `--json`.
#[derive(Serialize)]
struct NetworkReport {
    directory: PathBuf,
    kept: bool,
    seconds: f64,
    rounds: u64,
    #[serde(flatten)]
    outcome: Outcome,
}

/// What became of miners, files and receipts.
#[derive(Serialize)]
struct Outcome {
    miners: Vec<MinerOutcome>,
    files: Vec<FileOutcome>,
    receipts: Vec<VerifiedReceipts>,
}

/// One miner, as the validators see it.
#[derive(Serialize)]
struct MinerOutcome {
    name: &'static str,
    conduct: &'static str,
    /// By validator: tier, service from 0 to 1, share of income from 0 to 1.
    scores: BTreeMap<&'static str, ScoreSeen>,
    mean_share: f64,
}

#[derive(Serialize)]
struct ScoreSeen {
    tier: String,
    service: f64,
    share: f64,
}

/// The export of one validator, verified by another process from it alone.
#[derive(Serialize)]
struct VerifiedReceipts {
    validator: &'static str,
    directory: PathBuf,
    receipts: u64,
    report: Value,
}

/// Tells and does everything.
pub(crate) fn run(wishes: &NetworkWishes, console: &Console) -> Result<Exit, Failure> {
    let started = Instant::now();
    if std::env::var_os(FILTER_VARIABLE).is_some() {
        // Fails only if somebody logs already.
        let _ = set_up(LogFormat::Human);
    }
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| Failure::file("start", "the runtime", error))?;
    let stage = Stage::set(Place::open(wishes.dir.as_deref(), wishes.keep)?, console)?;
    let outcome = runtime.block_on(play(&stage, wishes));
    runtime.shutdown_background();
    // Cleaned up whether or not the play went well.
    let cleaned = stage.clear();
    let outcome = outcome?;
    cleaned?;
    console.report(&NetworkReport {
        directory: stage.directory().to_owned(),
        kept: wishes.keep,
        seconds: started.elapsed().as_secs_f64(),
        rounds: wishes.rounds,
        outcome,
    })
}

async fn play(stage: &Stage<'_>, wishes: &NetworkWishes) -> Result<Outcome, Failure> {
    let control = interrupt::control(None);
    let mut miners = settle(stage).await?;
    let mut validators = Vec::new();
    for (name, _) in VALIDATORS {
        validators.push(DemoValidator::open(name, stage).await?);
    }
    stage.say("\n2. Owners store files: encrypted before anything leaves, in pieces, with miners that a validator chooses");
    let owners = store_all(stage, &validators).await?;
    for miner in &miners {
        let lost = miner.lose_objects()?;
        if lost > 0 {
            stage.say(&format!("  {} loses all that it keeps of them: {lost} pieces", miner.conduct.name()));
        }
    }
    // Windows count from their seal audit on.
    for _ in 0..SETTLING_BLOCKS {
        control.checkpoint()?;
        next_block(stage, &miners, &validators).await?;
    }
    stage.say("\n3. Rounds: every block draws samples that nobody could know; 1 s to promise an answer");
    let rounds = wishes.rounds;
    for round in 1..=rounds {
        control.checkpoint()?;
        live_and_die(stage, &mut miners, round, rounds).await?;
        next_block(stage, &miners, &validators).await?;
        if round % SHOWN_EVERY == 0 || round == rounds {
            stage.say(&format!("  after {round} rounds"));
            show(stage, &statuses(&validators).await?);
        }
    }
    stage.say(
        "\n4. Owners get their files back: every block is checked, and who fails is replaced by the next",
    );
    let files = get_back(stage, &owners, &validators).await?;
    stage.say("\n5. Receipts: both sides sign what is final; it is exported, and `holdfast chain verify` checks it, by another process, from the export alone");
    for _ in 0..SETTLING_BLOCKS {
        control.checkpoint()?;
        next_block(stage, &miners, &validators).await?;
    }
    for miner in &mut miners {
        miner.stop().await;
    }
    let miners = outcomes(&statuses(&validators).await?);
    let mut receipts = Vec::new();
    for validator in &validators {
        receipts.push(verify(stage, validator).await?);
    }
    Ok(Outcome { miners, files, receipts })
}

async fn get_back(
    stage: &Stage<'_>,
    owners: &[DemoOwner],
    validators: &[DemoValidator],
) -> Result<Vec<FileOutcome>, Failure> {
    let mut files = Vec::new();
    for owner in owners {
        files.push(owner.get_back(stage, validators).await?);
    }
    Ok(files)
}

/// Miners with filled disks, that serve and are known to the chain.
async fn settle(stage: &Stage<'_>) -> Result<Vec<DemoMiner>, Failure> {
    stage.say("1. Six miners divide their disks among three validators by stake, fill them, and commit to what they hold");
    let recorder = stage.recorder()?;
    let prepared = tokio::task::block_in_place(|| {
        Conduct::ALL.map(|conduct| DemoMiner::prepare(conduct, stage, &recorder))
    });
    let mut miners = prepared.into_iter().collect::<Result<Vec<_>, _>>()?;
    for miner in &mut miners {
        miner.start(stage).await?;
        let lost = miner.lose()?;
        let lost = if lost == 0 { String::new() } else { format!(" ({lost} windows are gone)") };
        stage.say(&format!("  {:8} {}{lost}", miner.conduct.name(), miner.conduct.story()));
    }
    for _ in 0..=stage.policy.finality_blocks {
        stage.block(&miners).await?;
    }
    Ok(miners)
}

/// One of them is gone for a third of the time.
async fn live_and_die(
    stage: &Stage<'_>,
    miners: &mut [DemoMiner],
    round: u64,
    rounds: u64,
) -> Result<(), Failure> {
    for miner in miners.iter_mut().filter(|miner| miner.conduct == Conduct::Mortal) {
        if round == rounds / 3 + 1 && miner.is_alive() {
            stage.say(&format!("  round {round}: {} dies", miner.conduct.name()));
            miner.stop().await;
        }
        if round == 2 * rounds / 3 + 1 && !miner.is_alive() {
            stage.say(&format!(
                "  round {round}: {} comes back, with the files that it had",
                miner.conduct.name()
            ));
            miner.start(stage).await?;
        }
    }
    Ok(())
}

async fn next_block(
    stage: &Stage<'_>,
    miners: &[DemoMiner],
    validators: &[DemoValidator],
) -> Result<(), Failure> {
    let head = stage.block(miners).await?;
    let [alpha, beta, gamma] = validators else { return Ok(()) };
    tokio::try_join!(alpha.follow(head), beta.follow(head), gamma.follow(head))?;
    Ok(())
}

async fn statuses(validators: &[DemoValidator]) -> Result<Vec<(&'static str, Status)>, Failure> {
    let mut statuses = Vec::new();
    for validator in validators {
        statuses.push((validator.name, validator.status().await?));
    }
    Ok(statuses)
}

fn seen(status: &Status, conduct: Conduct) -> Option<&MinerStatus> {
    let miner = account(conduct.name());
    status.miners.iter().find(|seen| seen.score.miner == miner)
}

fn show(stage: &Stage<'_>, statuses: &[(&'static str, Status)]) {
    let heads: Vec<String> = statuses.iter().map(|(name, _)| format!("{name}: tier, share")).collect();
    let mut lines =
        Table::new(&["miner"].into_iter().chain(heads.iter().map(String::as_str)).collect::<Vec<_>>());
    for conduct in Conduct::ALL {
        let cell = |(_, status): &(&str, Status)| match seen(status, conduct) {
            Some(miner) => format!("{}, {:.1} %", miner.score.tier, 100.0 * miner.share),
            None => "unknown".to_owned(),
        };
        lines.row([conduct.name().to_owned()].into_iter().chain(statuses.iter().map(cell)));
    }
    let mut text = String::new();
    lines.write("    ", &mut text);
    stage.say(text.trim_end());
}

#[expect(clippy::cast_precision_loss, reason = "three validators")]
fn outcomes(statuses: &[(&'static str, Status)]) -> Vec<MinerOutcome> {
    let outcome = |conduct: Conduct| {
        let score = |(name, status): &(&'static str, Status)| {
            let miner = seen(status, conduct)?;
            let (tier, service) = (miner.score.tier.clone(), miner.score.service);
            Some((*name, ScoreSeen { tier, service, share: miner.share }))
        };
        let scores: BTreeMap<&'static str, ScoreSeen> = statuses.iter().filter_map(score).collect();
        let mean_share = scores.values().map(|score| score.share).sum::<f64>() / statuses.len().max(1) as f64;
        MinerOutcome { name: conduct.name(), conduct: conduct.story(), scores, mean_share }
    };
    Conduct::ALL.map(outcome).into()
}

/// `holdfast chain verify` as another process, which has the export and nothing else.
async fn verify(stage: &Stage<'_>, validator: &DemoValidator) -> Result<VerifiedReceipts, Failure> {
    let (directory, receipts) = validator.export().await?;
    let program = std::env::current_exe().map_err(|error| Failure::file("find", "this program", error))?;
    let output = Command::new(program).args(["chain", "verify", "--json"]).arg(&directory).output();
    let output = output.map_err(|error| Failure::file("start", "holdfast chain verify", error))?;
    let report: Value = serde_json::from_slice(&output.stdout).map_err(Failure::json)?;
    if !output.status.success() {
        return Err(Failure::State {
            message: format!("the receipts of {} were refused: {report}", validator.name),
            advice: format!("look at {} with --keep", validator.directory().display()),
        });
    }
    let sum = |field: &str| -> u64 {
        let chains = report["chains"].as_array().into_iter().flatten();
        chains.filter_map(|chain| chain[field].as_u64()).sum()
    };
    stage.say(&format!(
        "  {:6} {receipts} receipts are whole, rightly signed and of the rounds that the chain had: {} accepted (the miner signed {}), {} rejected, {} missed, {} void",
        validator.name,
        sum("accepted"),
        sum("accepted_signed_by_both"),
        sum("rejected"),
        sum("missed"),
        sum("void"),
    ));
    Ok(VerifiedReceipts { validator: validator.name, directory, receipts, report })
}

impl Report for NetworkReport {
    fn text(&self, out: &mut String) {
        out.push_str("\nWhat each miner is worth, as a share of all weights\n");
        let mut lines = Table::new(&["miner", "", "share"]);
        for miner in &self.outcome.miners {
            let bar: String = (0..BAR)
                .filter(|place| f64::from(*place) < miner.mean_share * f64::from(BAR))
                .map(|_| '#')
                .collect();
            let share = format!("{:5.1} %  {bar}", 100.0 * miner.mean_share);
            lines.row([miner.name.to_owned(), miner.conduct.to_owned(), share]);
        }
        lines.write("  ", out);
        out.push_str(&format!("\nDone in {}.", table::duration(self.seconds)));
        if self.kept {
            let dir = self.directory.display();
            out.push_str(&format!(" The files are kept; try: holdfast chain show {dir}/chain\n"));
        } else {
            out.push_str(" All files are deleted (--keep keeps them).\n");
        }
    }
}
