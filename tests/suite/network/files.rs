//! What owners do with files.

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use holdfast_service::client::{Client, ClientError, Fault, GetOptions, PutOptions, Stored, Watch};
use holdfast_service::pieces::Policy;
use holdfast_service::validator::care::CareSettings;

use super::scene::Scene;

/// Bytes of a segment.
pub(crate) const SEGMENT_BYTES: u64 = 4 << 20;

/// Remembers what miners did wrong.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn take(&self) -> Vec<Fault> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl Watch for Faults {
    fn fault(&self, fault: &Fault) {
        self.0.lock().expect("no panic").push(fault.clone());
    }
}

/// Options of a put without encryption, so that lengths are exact.
pub(crate) fn options(policy: &str, segment_bytes: u64) -> PutOptions {
    let policy: Policy = policy.parse().expect("a policy");
    PutOptions {
        name: "a file".to_owned(),
        policy: policy.with_segments_of(segment_bytes).expect("a policy"),
        recipients: None,
        commit: false,
        tokens: 0,
        keep_seconds: 86_400,
        watch: Arc::new(()),
    }
}

pub(crate) async fn try_put(
    owner: &Client,
    bytes: &[u8],
    options: PutOptions,
) -> Result<Stored, ClientError> {
    owner.put(Cursor::new(bytes.to_vec()), options).await
}

pub(crate) async fn put(owner: &Client, bytes: &[u8], policy: &str) -> Stored {
    try_put(owner, bytes, options(policy, SEGMENT_BYTES)).await.expect("stores")
}

/// The file, and what went wrong on the way.
pub(crate) async fn get(owner: &Client, file: &[u8; 32]) -> (Result<Vec<u8>, ClientError>, Vec<Fault>) {
    let faults = Arc::new(Faults::default());
    let asked = GetOptions { identities: None, watch: Arc::clone(&faults) as _ };
    let got = owner.get_to(file, Vec::new(), asked).await;
    (got.map(|(bytes, _)| bytes), faults.take())
}

/// Takes a file back, and lets the time pass until its pieces are deleted.
pub(crate) async fn release(scene: &Scene, owner: &str, file: &[u8; 32]) {
    scene.owner(owner).remove(file).await.expect("is released");
    pass_questions(scene).await;
}

/// Nobody is asked any more about what is not audited now: it is deleted.
pub(crate) async fn pass_questions(scene: &Scene) {
    scene.clock.advance_ms(CareSettings::default().question_seconds * 1_000);
    scene.keeper.tend().await.expect("tends");
}
