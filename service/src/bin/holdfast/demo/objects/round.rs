//! One round over the windows of a partition and the file beside them.

use std::time::Instant;

use holdfast_engine::audit_round::{AuditRound, RoundTerms};
use holdfast_engine::possession::challenge::Form;
use serde::Serialize;

use super::{Scene, wrong};
use crate::answering::answer_partition;
use crate::audits::{AnyChallenge, Kept, verify_object};
use crate::commit;
use crate::failure::Failure;
use crate::judging::verify_response;
use crate::table;

/// What the round asked for, and what it took.
#[derive(Debug, Serialize)]
pub(super) struct Round {
    samples: u32,
    window_bytes: u64,
    window_samples: u32,
    object_bytes: u64,
    object_samples: u32,
    answer_seconds: f64,
    verify_seconds: f64,
}

/// A round as the policy asks for it, answered and verified.
pub(super) fn play(scene: &Scene<'_>) -> Result<Round, Failure> {
    let disk = scene.directory.disk.as_ref().ok_or_else(|| wrong("the demo has no partition"))?;
    let partition = &disk.manifest.partitions[0];
    let commitment = commit::commitment(disk, partition, scene.stage.console)?;
    let recorded = scene.record.record.height.max(commitment.last_batch().height);
    let (beacon, height) = scene.next_beacon(recorded)?;
    let terms = RoundTerms {
        commitment: Some(&commitment),
        validator: commitment.registration.intent.validator,
        records: std::slice::from_ref(&scene.record),
        beacon,
        height,
        samples: None,
        form: Form::Plain,
    };
    let refused = |rejection| Failure::rejected("an honest round", rejection);
    let round = AuditRound::new(&terms, &scene.stage.policy).map_err(refused)?;
    let (Some(space), [of_object]) = (&round.space, round.objects.as_slice()) else {
        return Err(wrong("a round asked for one of both only"));
    };
    let of_object = AnyChallenge::Object(of_object.clone());

    let (machine, clock) = (&scene.stage.machine, Instant::now());
    let windows = answer_partition(disk, partition, space, machine, scene.stage.control())?;
    let object = scene.answer(&of_object)?;
    let answer_seconds = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    verify_response(machine.backend, &commitment, space, &windows).map_err(refused)?;
    verify_object(&scene.record.record, &of_object, Kept::default(), &object).map_err(refused)?;
    let verify_seconds = clock.elapsed().as_secs_f64();

    let told = Round {
        samples: round.samples,
        window_bytes: round.holdings.window_bytes,
        window_samples: round.split.windows,
        object_bytes: round.holdings.object_bytes(),
        object_samples: round.samples - round.split.windows,
        answer_seconds,
        verify_seconds,
    };
    scene.stage.say(&format!(
        "  one round over both, by bytes: {} of {} samples fall on {} of windows, {} on {} of the file; answered in {}, \
         verified in {}: accepted",
        told.window_samples,
        told.samples,
        table::bytes(told.window_bytes),
        told.object_samples,
        table::bytes(told.object_bytes),
        table::duration(answer_seconds),
        table::duration(verify_seconds)
    ));
    Ok(told)
}
