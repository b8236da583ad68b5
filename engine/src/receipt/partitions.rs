//! Which challenges a round of a partition may have had, from what is recorded alone: nobody else chose any of it.

use super::Body;
use crate::challenge::{Challenge, Kind, Terms};
use crate::commitment::{added_windows, settled_batches};
use crate::recorder::{Recorder, RecorderError};

/// Whether the body's challenge seed is one that its round has.
pub(super) fn has_seed(
    recorder: &dyn Recorder,
    network: &[u8; 32],
    body: &Body,
    (partition_id, kind): (u64, Kind),
) -> Result<bool, RecorderError> {
    let Some(entry) = recorder.partition(partition_id)? else { return Ok(false) };
    let Some(registration) = recorder.registration(partition_id)? else { return Ok(false) };
    let Some(beacon) = recorder.beacon(body.height)? else { return Ok(false) };
    let intent = entry.intent;
    let parties = (intent.network, intent.validator, intent.miner);
    let withdrawn = entry.withdrawn_at.is_some_and(|height| height <= body.height);
    if withdrawn || parties != (*network, body.key.validator, body.key.miner) {
        return Ok(false);
    }
    let batches = settled_batches(&entry.batches, body.height, recorder.finality_blocks()?);
    let Some(last) = batches.last() else { return Ok(false) };
    let registration_digest = registration.digest();
    let all = 0..last.end;
    let ranges = match kind {
        Kind::Space => vec![all],
        Kind::Seal => (0..batches.len()).filter_map(|batch| added_windows(batches, batch)).collect(),
    };
    let challenge = |range: std::ops::Range<u64>| {
        Challenge::new(Terms {
            kind,
            shape: intent.shape,
            height: body.height,
            partition_id: entry.partition_id,
            first_window: range.start,
            window_count: range.end - range.start,
            beacon,
            network: *network,
            validator: intent.validator,
            miner: intent.miner,
            registration_digest,
            partition_root: last.partition_root,
            samples: 1, // policy: no part of the seed, like the deadline
            deadline_ms: 0,
        })
    };
    let mut seeds = ranges.into_iter().filter_map(|range| Some(challenge(range).ok()?.seed()));
    Ok(seeds.any(|seed| seed == body.challenge_seed))
}
