//! Callers that ask for much and take little of it.

use std::sync::Arc;
use std::time::Duration;

use tonic::Code;
use tonic::transport::Endpoint;

use super::scene::{Ground, bytes_of, name_of};
use crate::proto::RetrieveRequest;
use crate::proto::miner_client::MinerClient;
use crate::wire::canonical::methods;
use crate::wire::status::advice_of;

/// More than waits on the way, wherever that is.
const OBJECT_BYTES: usize = 7 << 20;
const IDLE_MS: u64 = 500;
/// What is on the way to a caller who takes nothing.
const ON_THE_WAY_BYTES: u32 = 64 << 10;
/// However slow the machine is.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_nobody_takes_ends_with_a_word_that_it_is_not_whole() {
    let mut ground = Ground::new();
    let bytes = bytes_of(OBJECT_BYTES, 1);
    let running = ground.start().await;
    let (alice, mut owner) = (running.peer(&ground, "alice").await, running.peer(&ground, "owner").await);
    owner.store(&alice.sign(&alice.ticket(&owner, &bytes)), &bytes).await.expect("stores");
    drop((alice, owner));
    running.end().await;

    ground.limits.idle_ms = IDLE_MS;
    let running = ground.start().await;
    let mut owner = running.peer(&ground, "owner").await;
    let endpoint = Endpoint::from_shared(format!("http://{}", running.address)).expect("an address");
    let slow = endpoint.initial_stream_window_size(ON_THE_WAY_BYTES).connect().await.expect("connects");
    owner.client = MinerClient::new(slow);
    let idle_holders = Arc::strong_count(&running.miner);
    let mut request = RetrieveRequest { object: Some(name_of(&bytes)), ..RetrieveRequest::default() };
    owner.speaker.ask(methods::MINER_RETRIEVE, owner.miner, &mut request);
    let mut stalled = owner.client.retrieve(request).await.expect("begins").into_inner();
    let mut taken = stalled.message().await.expect("goes on").expect("a group").blocks.len();
    // Who sends holds the miner until it has given up.
    let given_up = async {
        while Arc::strong_count(&running.miner) > idle_holders {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, given_up).await.expect("gives up");
    let status = loop {
        match stalled.message().await {
            Ok(Some(event)) => taken += event.blocks.len(),
            Ok(None) => panic!("{taken} of {OBJECT_BYTES} bytes are taken for the whole"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Aborted, "{status}");
    assert!(status.message().contains("nothing was taken for 0.5 s"), "{status}");
    assert!(advice_of(&status).is_some_and(|advice| advice.contains("as they come")), "{status}");
    assert!(taken < OBJECT_BYTES, "{taken} bytes waited");
}
