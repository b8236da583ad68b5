//! Judging an export from itself alone.

use std::num::NonZeroU64;

use holdfast_engine::account::Account;
use holdfast_engine::beacon::audit_limit;
use holdfast_engine::receipt::{
    ANCHOR_BLOCKS, ChainFailure, ChainKey, ChainReport, ChainVerifier, ObjectNumber, Subject, VoidReason,
};
use holdfast_engine::recorder::Recorder;
use holdfast_engine::rejection::{Class, Rejection};
use serde::Serialize;

use super::compare::compare;
use super::recorder::Partition;
use super::timely::TimelyPairs;
use super::{
    AuditRates, EventRow, ExportError, ExportReader, ExportSettings, ExportedRecorder, ReceiptRow, Table,
};

/// What who verifies an export knows from elsewhere.
#[derive(Clone, Copy, Default)]
pub struct Trusted<'a> {
    /// A recorder of the chain: without it, blocks and what is recorded are the export's word.
    pub recorder: Option<&'a dyn Recorder>,
    /// How often the network audits, instead of what the export says.
    pub audits: Option<AuditRates>,
}

/// What an export shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// The network.
    #[serde(with = "hex::serde")]
    pub network: [u8; 32],
    /// Whose export it is.
    pub validator: Account,
    /// Parquet files.
    pub files: u64,
    /// Rows of events.
    pub events: u64,
    /// Rows of records of objects.
    pub records: u64,
    /// Partitions.
    pub partitions: u64,
    /// Rounds with an anchor.
    pub anchors: u64,
    /// Lowest and highest block.
    pub heights: Option<(u64, u64)>,
    /// The rates by which missing rounds were looked for; without any, none were.
    pub audits: Option<AuditRates>,
    /// Whether a recorder of the chain had the same blocks, partitions, records and anchors.
    pub compared_with_recorder: bool,
    /// Answers that were anchored and of which there is no receipt: of rounds that are not concluded, or receipts were left out.
    pub anchored_without_receipt: u64,
    /// The chains. `recorder_asked` says that the export was asked in a recorder's stead.
    #[serde(flatten)]
    pub chains: ChainReport,
}

/// Verifies everything that an export has: that columns say what the bytes say, that receipts are signed, linked and those of
/// their rounds, which of them count, which were anchored in time, and which rounds have none.
///
/// Memory is that of blocks, partitions and records, and a few dozen bytes a receipt; pairs of anchors are read round by round.
///
/// # Errors
/// `Rejected` if the export contradicts itself or what is trusted, `File`, `Recorder`.
pub fn verify_export(reader: &ExportReader, trusted: Trusted<'_>) -> Result<ExportReport, ExportError> {
    let settings = reader.settings();
    let recorder = ExportedRecorder::read(reader)?;
    if let Some(chain) = trusted.recorder {
        compare(&recorder, chain)?.map_err(|rejection| ExportError::rejected(reader.root(), rejection))?;
    }
    let audits = trusted.audits.or(settings.audits);
    let verifier = verifier(&recorder, audits)
        .map_err(|rejection| ExportError::rejected(reader.root().join(Table::Records.name()), rejection))?;
    let (chains, matched) = verify_receipts(reader, &recorder, verifier)?;
    let mut events = 0;
    for rows in reader.rows::<EventRow>() {
        events += rows?.len() as u64;
    }
    let pairs = recorder.anchors.iter().map(|anchor| anchor.count).sum::<u64>();
    Ok(ExportReport {
        network: settings.network,
        validator: settings.validator,
        files: Table::ALL.iter().map(|table| reader.counts(*table).0).sum(),
        events,
        records: recorder.records().len() as u64,
        partitions: recorder.partitions().count() as u64,
        anchors: recorder.anchors.iter().count() as u64,
        heights: recorder.heights(),
        audits,
        compared_with_recorder: trusted.recorder.is_some(),
        anchored_without_receipt: pairs.saturating_sub(matched),
        chains,
    })
}

/// A verifier that knows all that the export has, and expects a chain for every partition and object.
fn verifier(recorder: &ExportedRecorder, audits: Option<AuditRates>) -> Result<ChainVerifier<'_>, Rejection> {
    let ExportSettings { network, validator, finality_blocks, .. } = *recorder.settings();
    let mut verifier = ChainVerifier::new(network)
        .with_recorder(recorder, ANCHOR_BLOCKS)
        .with_objects(recorder.records())?;
    if let (Some(audits), Some((_, last))) = (audits, recorder.heights()) {
        // A round whose block is not final may have its receipt yet to come.
        let through = last.saturating_sub(finality_blocks.get());
        verifier = verifier.with_audits(audit_limit(NonZeroU64::from(audits.one_in_blocks)), through);
        if let Some(one_in_objects) = audits.one_in_objects {
            verifier = verifier.with_object_lottery(NonZeroU64::from(one_in_objects));
        }
    }
    for Partition { entry, .. } in
        recorder.partitions().filter(|partition| !partition.entry.batches.is_empty())
    {
        let subject = Subject::Partition(entry.partition_id);
        verifier = verifier.expect_chain(ChainKey { validator, miner: entry.intent.miner, subject });
    }
    for signed in recorder.records() {
        let subject = Subject::Object(ObjectNumber::of(&signed.record.digest()));
        verifier = verifier.expect_chain(ChainKey { validator, miner: signed.record.miner, subject });
    }
    Ok(verifier)
}

/// The report on all chains, and how many receipts are of answers that were anchored.
fn verify_receipts(
    reader: &ExportReader,
    recorder: &ExportedRecorder,
    mut verifier: ChainVerifier<'_>,
) -> Result<(ChainReport, u64), ExportError> {
    let mut pairs = TimelyPairs::new(reader, &recorder.anchors);
    let mut matched = 0;
    let refuse = |error| chain_failed(reader, error);
    for rows in reader.rows::<ReceiptRow>() {
        for row in rows? {
            let body = &row.receipt.body;
            let proof = pairs.prove(body.height, &body.challenge_seed)?;
            if let Some(proof) = &proof {
                verifier.add_anchored(proof).map_err(refuse)?;
            }
            let standing = verifier.push(&row.receipt.encode()).map_err(refuse)?;
            // One that is not of the challenge of its round may name the seed of any.
            let seed_is_open = matches!(
                standing.void,
                Some(
                    VoidReason::WrongSeed
                        | VoidReason::UnknownRecord
                        | VoidReason::NotRecorded
                        | VoidReason::TooEarly
                )
            );
            matched += u64::from(proof.is_some() && !seed_is_open);
            verifier.forget_anchored();
        }
    }
    Ok((verifier.finish().map_err(refuse)?, matched))
}

fn chain_failed(reader: &ExportReader, error: ChainFailure) -> ExportError {
    let (number, rejection) = match error {
        ChainFailure::Receipt { number, rejection: Rejection { class, detail } } => {
            (Some(number), class.because(format!("receipt {number}: {detail}")))
        }
        ChainFailure::Header { rejection } | ChainFailure::Proof { rejection } => (None, rejection),
        ChainFailure::Recorder(error) => return error.into(),
        // Nothing is read here but rows, which are read already.
        ChainFailure::Read(error) => (None, Class::Malformed.because(error.to_string())),
    };
    let place = number.map(|number| reader.place_of(Table::Receipts, number));
    ExportError::rejected(place.unwrap_or_else(|| reader.root().to_owned()), rejection)
}
