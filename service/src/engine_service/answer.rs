//! Answers to challenges, from the machine's disks, in parts that callers take at their own rate.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::possession::record::SignedRecord;

use super::outlet::{Outlet, Stream};
use super::turns::Turn;
use super::{Engine, EngineError, blocking};
use crate::local::answering::{answer_partition, find_object, find_partition};
use crate::local::audits::AnyChallenge;
use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::objects::ObjectDirectory;
use crate::proto::{AnswerRequest, Part};
use crate::wire::parts::parts;

/// Parts that wait for a caller to take them.
const WAITING: usize = 2;

/// Ends work on an answer that nobody waits for any more.
struct EndWithCaller(Arc<Control>);

impl Drop for EndWithCaller {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The response, which the verifier's own checks have passed. Its turn is over when the last part is taken, so that no more
/// responses are in memory than may be answered at once.
pub(super) async fn answer(
    engine: &Arc<Engine>,
    request: AnswerRequest,
) -> Result<Stream<Part>, EngineError> {
    let challenge = AnyChallenge::decode(&request.challenge)?;
    let record = match &request.record[..] {
        [] => None,
        bytes => Some(SignedRecord::decode(bytes)?),
    };
    let turn = engine.answers.turn().await?;
    let control = Arc::new(Control::default());
    let ending = EndWithCaller(Arc::clone(&control));
    let (working, held) = (Arc::clone(engine), Arc::clone(&turn));
    let computing = blocking(move || {
        let response = compute(&working, &challenge, record.as_ref(), !request.no_openings, &control);
        drop(held);
        Ok(response?)
    });
    let response = tokio::select! {
        response = computing => response?,
        () = engine.stop.cancelled() => return Err(EngineError::stopping()),
    };
    drop(ending);
    let (outlet, stream) = Outlet::new(WAITING, engine.limits.idle(), engine.stop.clone());
    tokio::spawn(deliver(response.into(), outlet, turn));
    Ok(stream)
}

/// Until all is taken, or nothing was for too long. So long its turn lasts.
async fn deliver(response: Bytes, outlet: Outlet<Part>, _turn: Turn) {
    let sending = async {
        for part in parts(response) {
            outlet.room().await?.send(Ok(part));
        }
        Ok(())
    };
    if let Err(error) = sending.await {
        outlet.fail(error);
    }
}

fn compute(
    engine: &Engine,
    challenge: &AnyChallenge,
    record: Option<&SignedRecord>,
    with_openings: bool,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let machine = &engine.machine;
    match (challenge, challenge.of_object()) {
        (_, Some(of_object)) => {
            let directories = ObjectDirectory::open_all(&engine.directories)?;
            let held = find_object(&directories, of_object, record)?;
            machine.pool.install(|| held.answer(challenge, machine.backend, with_openings, |_| true))
        }
        (AnyChallenge::Partition(challenge), None) => {
            // A directory that was not allocated may have objects, and has no partition.
            let found = engine.directories.iter().map(|directory| Disk::find(directory));
            let disks: Vec<Disk> = found.filter_map(Result::transpose).collect::<Result<_, _>>()?;
            let (disk, partition) = find_partition(&disks, challenge)?;
            answer_partition(disk, partition, challenge, machine, control)
        }
        (_, None) => Err(Failure::Usage("not a challenge that can be answered".to_owned())),
    }
}
