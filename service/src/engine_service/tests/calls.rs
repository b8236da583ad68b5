//! What holds for all calls: who the service says that it is, typed refusals, and what the machine has.

use std::net::SocketAddr;

use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use tokio_stream::StreamExt;

use super::support::Ground;
use crate::engine_service::SERVICE;
use crate::operation::page::testing::Scrape;
use crate::proto::{self, JobKind, JobRequest};
use crate::wire::status::{DOMAIN, class_of};
use crate::workers::ExchangeSettings;
use tonic_types::StatusExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_reflection_name_the_service() {
    let ground = Ground::new(&["disk"]);
    let engine = ground.start().await;
    let request = HealthCheckRequest { service: SERVICE.to_owned() };
    let health = HealthClient::new(engine.channel.clone()).check(request).await.expect("answers");
    assert_eq!(health.into_inner().status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = ServerReflectionClient::new(engine.channel.clone())
        .server_reflection_info(tokio_stream::iter([list]))
        .await
        .expect("answers");
    let answer = answers.into_inner().message().await.expect("goes on").expect("an answer");
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
        panic!("{answer:?}");
    };
    assert!(listed.service.iter().any(|service| service.name == SERVICE), "{listed:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_codes_reasons_and_advice() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    let unknown = engine.client.pause(JobRequest { request_id: "?".to_owned() }).await.expect_err("none");
    assert_eq!((unknown.code(), class_of(&unknown)), (Code::NotFound, None));
    engine.submit(ground.job("x", JobKind::Scrub)).await.expect("is taken");
    let taken = engine.submit(ground.job("x", JobKind::Fill)).await.expect_err("other terms");
    assert_eq!(taken.code(), Code::AlreadyExists);
    let details = taken.get_error_details();
    let info = details.error_info().expect("details");
    assert_eq!((info.domain.as_str(), info.reason.as_str()), (DOMAIN, "already-exists"));
    let elsewhere = proto::SubmitRequest { directory: "/".to_owned(), ..ground.job("y", JobKind::Fill) };
    assert_eq!(engine.submit(elsewhere).await.expect_err("not served").code(), Code::InvalidArgument);
    let message = "x".repeat(5 << 20);
    let too_long = proto::SubmitRequest { directory: message, ..ground.job("z", JobKind::Fill) };
    assert_eq!(engine.submit(too_long).await.expect_err("too long").code(), Code::OutOfRange);
    let workers = engine.client.work(tokio_stream::empty()).await.expect_err("takes none");
    assert_eq!(workers.code(), Code::Unimplemented);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_told_as_the_command_tells_them() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    let told = engine.client.devices(proto::DevicesRequest {}).await.expect("answers").into_inner();
    let devices: serde_json::Value = serde_json::from_str(&told.json).expect("JSON");
    assert_eq!(devices["disks"][0]["directory"], ground.directory(0));
    assert!(devices["backends"].as_array().is_some_and(|backends| !backends.is_empty()));
    engine.stop().await;
}

/// A worker that is there is told at once how it is treated, and nothing holds up an engine that stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_taken_if_that_is_said() {
    let mut ground = Ground::new(&["disk"]);
    ground.settings.workers = Some(ExchangeSettings { ping_ms: 1234, ..ExchangeSettings::default() });
    let mut engine = ground.start().await;
    let offer = proto::WorkerOffer { name: "outside".to_owned(), ..proto::WorkerOffer::default() };
    let offer = proto::WorkerEvent { offer: Some(offer), ..proto::WorkerEvent::default() };
    let events = tokio_stream::iter([offer]).chain(tokio_stream::pending());
    let mut orders = engine.client.work(events).await.expect("is taken").into_inner();
    let first = orders.message().await.expect("goes on").expect("an order");
    assert_eq!(first.terms.expect("terms").ping_ms, 1234);
    let told = engine.client.devices(proto::DevicesRequest {}).await.expect("answers").into_inner();
    let devices: serde_json::Value = serde_json::from_str(&told.json).expect("JSON");
    assert_eq!(devices["workers"]["workers"][0]["name"], "outside");
    engine.stop().await;
    assert_eq!(orders.message().await.expect_err("ends").code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_shows_calls_jobs_and_workers() {
    let mut ground = Ground::new(&["disk"]);
    ground.settings.workers = Some(ExchangeSettings::default());
    ground.settings.metrics.address = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut engine = ground.start().await;
    let page = engine.metrics.expect("a page");
    let before = Scrape::of(page).await;
    let figures = ["jobs", "job_bytes_total", "worker_slots"].map(|metric| before.sum(metric));
    assert_eq!(figures, [0.0; 3], "{before:?}");

    engine.submit(ground.job("fill", JobKind::Fill)).await.expect("is taken");
    let filled = engine.watch_to_end("fill").await;
    assert_eq!(filled.status(), proto::JobStatus::Done, "{filled:?}");
    let offer = proto::WorkerOffer { name: "outside".to_owned(), ..proto::WorkerOffer::default() };
    let offer = proto::WorkerEvent { offer: Some(offer), ..proto::WorkerEvent::default() };
    let events = tokio_stream::iter([offer]).chain(tokio_stream::pending());
    let mut orders = engine.client.work(events).await.expect("is taken").into_inner();
    assert!(orders.message().await.expect("goes on").is_some_and(|order| order.terms.is_some()));
    let scrape = Scrape::of(page).await;
    scrape.is_complete_for("engine");
    assert_eq!(scrape.value("jobs{kind=\"fill\",status=\"done\"}"), 1.0);
    assert_eq!((scrape.sum("jobs"), scrape.value("worker_slots")), (1.0, 1.0));
    #[expect(clippy::cast_precision_loss, reason = "a few MiB")]
    let filled_bytes = filled.total_bytes as f64;
    assert_eq!(scrape.value("job_bytes_total"), filled_bytes, "{scrape:?}");
    assert_eq!(scrape.value("calls_total{method=\"holdfast.v1.Engine/Submit\",code=\"ok\"}"), 1.0);
    engine.stop().await;
}
