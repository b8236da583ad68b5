//! Asking: from the questions of a round to what was found, in the index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_engine::account::Account;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::counting::note_judged;
use super::{Node, Open, lock};
use crate::index::Changes;
use crate::validator::ValidatorError;
use crate::validator::collect::{Answer, Ask, Body, News, Promise, collect};
use crate::validator::judge::{Case, Verdict};
use crate::validator::plan::{Against, Question};
use crate::validator::store::{
    ANSWERS, AnswersRow, Finding, Part, ROUNDS, RoundRow, Stage, answers_key, round_key,
};

/// How often it is looked whether memory is short, while no miner has ended.
const LOOK_AT_MEMORY: Duration = Duration::from_millis(250);
/// A commit has about so many bytes of answers, and one miner's more: far below what an index takes.
const COMMIT_BYTES: usize = 4 << 20;

/// A round that is being asked.
struct Asking {
    node: Arc<Node>,
    part: Part,
    height: u64,
    questions: BTreeMap<Account, Arc<[Question]>>,
    promises: BTreeMap<Account, Vec<Option<Promise>>>,
    /// Not judged, with the place of the question. They hold memory.
    waiting: Vec<(Account, usize, Body)>,
    verdicts: BTreeMap<(Account, usize), Verdict>,
    /// Ended and not kept.
    ended: Vec<(Account, Vec<Answer>)>,
    judged: BTreeSet<Account>,
}

impl Node {
    /// Begins one part of a round, in a task. What was kept of a replaced block of this height goes.
    pub(super) async fn start(
        self: &Arc<Node>,
        height: u64,
        part: Part,
        beacon: [u8; 32],
        asks: Vec<Ask>,
    ) -> Result<(), ValidatorError> {
        if asks.is_empty() {
            return Ok(());
        }
        let questions = || asks.iter().flat_map(|ask| &*ask.questions);
        let records = questions().filter_map(|question| match &question.against {
            Against::Object(record) => Some(Arc::clone(record)),
            _ => None,
        });
        let keeping = (&self.chains, &self.in_charge()?);
        self.audited.keep(keeping, &*self.index, self.chain.recorder(), records.collect()).await?;
        let mut changes = Changes::new();
        let answers = ANSWERS.prefix(&((1_u8, height), part as u8));
        for row in ANSWERS.scan(&*self.index, &answers, usize::MAX).await? {
            ANSWERS.delete(&mut changes, &row.key);
        }
        let asked_at_ms = self.peers.correspondent().clock().now_ms();
        let (stage, anchor, witnesses, closed_at_ms) = (Stage::Asking, None, Vec::new(), None);
        let row = RoundRow { beacon, asked_at_ms, stage, anchor, witnesses, closed_at_ms };
        ROUNDS.put(&mut changes, &round_key(height, part), &row)?;
        self.chains.commit(Some(&self.in_charge()?), changes).await?;

        self.forget(part, height);
        let cancel = CancellationToken::new();
        let seals = questions().filter(|question| question.batch.is_some());
        let sealing: Vec<u64> = seals.map(|question| question.round().key.subject.number()).collect();
        sealing.iter().for_each(|partition_id| self.commitments.set_sealing(*partition_id, true));
        let open = Open { beacon, asking: Some(cancel.clone()), sealing };
        lock(&self.open).insert((part, height), open);
        tracing::info!(height, ?part, miners = asks.len(), "asking");
        let node = Arc::clone(self);
        self.tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => return,
                ended = node.run_round(height, part, &asks) => if let Err(error) = ended {
                    tracing::error!(height, ?part, %error, "a round was not asked to its end");
                }
            }
            if let Some(open) = lock(&node.open).get_mut(&(part, height)).filter(|open| open.beacon == beacon)
            {
                open.asking = None;
            }
        });
        Ok(())
    }

    async fn run_round(
        self: &Arc<Node>,
        height: u64,
        part: Part,
        asks: &[Ask],
    ) -> Result<(), ValidatorError> {
        let (sender, mut news) = mpsc::unbounded_channel();
        let asked_at = Instant::now();
        // Dropped with this future, so that a round that is void asks no more.
        let mut collecting = tokio::task::JoinSet::new();
        for ask in asks.iter().cloned() {
            let (node, sender) = (Arc::clone(self), sender.clone());
            collecting.spawn(async move { collect(&node.peers, ask, node.budget(part), sender).await });
        }
        drop(sender);
        let questions = asks.iter().map(|ask| (ask.miner, Arc::clone(&ask.questions))).collect();
        let mut asking = Asking {
            node: Arc::clone(self),
            part,
            height,
            questions,
            promises: BTreeMap::new(),
            waiting: Vec::new(),
            verdicts: BTreeMap::new(),
            ended: Vec::new(),
            judged: BTreeSet::new(),
        };
        loop {
            match tokio::time::timeout(LOOK_AT_MEMORY, news.recv()).await {
                Ok(Some(news)) => asking.take(news).await?,
                Ok(None) => break,
                Err(_) => asking.judge_if_full().await?,
            }
        }
        if part == Part::Samples {
            self.metrics.round_collect_seconds.observe(asked_at.elapsed().as_secs_f64());
        }
        asking.judge().await?;
        self.change_round(part, height, |row| row.stage = Stage::Judged).await
    }
}

impl Asking {
    async fn take(&mut self, news: News) -> Result<(), ValidatorError> {
        match news {
            News::Promised { miner, promises } => {
                self.promises.insert(miner, promises);
                if self.promises.len() == self.questions.len() {
                    self.keep_promises().await?;
                }
            }
            News::Answered { miner, place, body } => {
                self.waiting.push((miner, place, body));
                self.judge_if_full().await?;
            }
            News::Ended { miner, answers } => {
                self.ended.push((miner, answers));
                // Seal audits of others may take days; samples are judged together, which costs less.
                if self.part == Part::Seals {
                    self.judge().await?;
                }
            }
        }
        Ok(())
    }

    /// Judges before the round has ended if there is a batch's worth, or others wait for the memory.
    async fn judge_if_full(&mut self) -> Result<(), ValidatorError> {
        let bytes: usize = self.waiting.iter().map(|(_, _, body)| body.bytes.len()).sum();
        let short = self.node.budget(self.part).is_short();
        let full = bytes >= self.node.settings.judged_bytes || (short && bytes > 0);
        if full { self.judge().await } else { Ok(()) }
    }

    /// All promises of the round are known: they are kept before anything is anchored, witnessed or judged to its end.
    async fn keep_promises(&mut self) -> Result<(), ValidatorError> {
        let unjudged = self.questions.keys().filter(|miner| !self.judged.contains(miner));
        let row = |miner| AnswersRow { findings: self.findings(miner), judged: false, linked: None };
        let rows = unjudged.map(|miner| (*miner, row(miner))).collect();
        self.keep(rows).await?;
        self.node.change_round(self.part, self.height, |row| row.stage = Stage::Promised).await?;
        if self.part == Part::Samples {
            self.node.ask_witnesses(self.height, self.promised());
        }
        Ok(())
    }

    /// The questions that were promised an answer, with the promises.
    fn promised(&self) -> Vec<(Question, Promise)> {
        let of = |(miner, questions): (&Account, &Arc<[Question]>)| {
            let promises = self.promises.get(miner).cloned().unwrap_or_default();
            let promised = questions.iter().cloned().zip(promises);
            promised.filter_map(|(question, promise)| Some((question, promise?))).collect::<Vec<_>>()
        };
        self.questions.iter().flat_map(of).collect()
    }

    /// What is known of a miner's questions from its promises alone.
    fn findings(&self, miner: &Account) -> Vec<Finding> {
        let promises = self.promises.get(miner).map(Vec::as_slice).unwrap_or_default();
        let questions = self.questions.get(miner).map(|questions| &**questions).unwrap_or_default();
        let promise = |place: usize| promises.get(place).copied().flatten();
        questions
            .iter()
            .enumerate()
            .map(|(place, question)| Finding::promised(question, promise(place)))
            .collect()
    }

    /// Judges the bodies that came, in one go, and keeps what was found of the miners that have ended.
    async fn judge(&mut self) -> Result<(), ValidatorError> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut cases = Vec::with_capacity(waiting.len());
        for (miner, place, body) in &waiting {
            let questions = self.questions.get(miner).map(|questions| &**questions).unwrap_or_default();
            let Some(question) = questions.get(*place) else { continue };
            cases.push(((*miner, *place), Case { question: question.clone(), response: body.bytes.clone() }));
        }
        let metrics = &self.node.metrics;
        let (places, cases): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let began = Instant::now();
        let verdicts = self.node.judge.judge(cases).await?;
        metrics.verify_seconds.observe(began.elapsed().as_secs_f64());
        self.verdicts.extend(places.into_iter().zip(verdicts));
        // The memory of the bodies is free from here on.
        drop(waiting);
        self.keep_ended().await
    }

    /// Keeps what was found of the miners that have ended: all bodies of theirs came before.
    async fn keep_ended(&mut self) -> Result<(), ValidatorError> {
        let ended = std::mem::take(&mut self.ended);
        let mut rows = Vec::with_capacity(ended.len());
        for (miner, answers) in &ended {
            let mut findings = self.findings(miner);
            for (place, (finding, answer)) in findings.iter_mut().zip(answers).enumerate() {
                conclude(finding, answer, || self.verdicts.remove(&(*miner, place)));
            }
            rows.push((*miner, AnswersRow { findings, judged: true, linked: None }));
        }
        note_judged(&self.node.metrics, rows.iter().flat_map(|(_, row)| &row.findings));
        self.keep(rows).await?;
        self.judged.extend(ended.into_iter().map(|(miner, _)| miner));
        Ok(())
    }

    /// Keeps answers, in as many commits as they take.
    async fn keep(&self, rows: Vec<(Account, AnswersRow)>) -> Result<(), ValidatorError> {
        let lease = self.node.in_charge()?;
        let mut changes = Changes::new();
        for (miner, row) in rows {
            ANSWERS.put(&mut changes, &answers_key(self.height, self.part, &miner), &row)?;
            if changes.size_bytes() >= COMMIT_BYTES {
                self.node.chains.commit(Some(&lease), std::mem::take(&mut changes)).await?;
            }
        }
        match changes.is_empty() {
            true => Ok(()),
            false => self.node.chains.commit(Some(&lease), changes).await,
        }
    }
}

/// How a question ended: by the verdict if there was a body, else by what is missing.
fn conclude(finding: &mut Finding, answer: &Answer, verdict: impl FnOnce() -> Option<Verdict>) {
    if !answer.came {
        return finding.conclude(Some(false), answer.fault.as_ref());
    }
    match verdict() {
        Some(Verdict::Right) => finding.conclude(Some(true), None),
        Some(Verdict::Wrong(rejection)) => finding.conclude(Some(false), Some(&rejection)),
        Some(Verdict::Unknown(why)) => {
            tracing::error!(subject = finding.subject, why, "a response could not be judged");
            finding.conclude(None, None);
        }
        None => finding.conclude(None, None),
    }
}
