//! Windows that workers make.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_engine::accelerator::{Devices, Interruption, ProcessorRole, WindowTarget};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::FillError;
use holdfast_engine::registration::WindowShape;
use holdfast_partition::io::AlignedBuffer;
use holdfast_service::proto::engine_client::EngineClient;
use holdfast_service::proto::{WorkerEvent, WorkerOffer, WorkerPing};
use holdfast_service::wire::status::class_of;
use holdfast_service::workers::ExchangeSettings;
use tonic::{Code, Status};

use crate::lies::Liar;
use crate::partition::{WINDOWS, registration};
use crate::scene::{
    K, LAYERS, Scene, assert_as_by_the_processor, fill_until_cancelled, fill_with, processor, processor_for,
    until,
};

#[test]
fn windows_of_workers_are_the_processor_s_and_no_more_than_allowed_are_made_at_once() {
    let scene = Scene::new(ExchangeSettings { windows_in_flight: 2, ..ExchangeSettings::default() });
    let first = scene.worker("first", vec![processor(), processor()]);
    let second = scene.worker("second", vec![processor(), processor()]);
    scene.await_slots("first", 2);
    scene.await_slots("second", 2);
    let registration = registration(K, LAYERS);
    let filled = fill_with(&registration, scene.devices());
    assert_eq!(
        (filled.report.windows_filled, filled.report.windows_accelerated, filled.report.windows_redone),
        (WINDOWS, WINDOWS, 0)
    );
    assert_as_by_the_processor(&filled, &registration);
    let report = scene.exchange.report();
    assert_eq!(report.workers.iter().map(|worker| worker.windows).sum::<u64>(), WINDOWS);
    assert!(report.windows_in_flight_maximum <= 2, "{report:?}");
    assert_eq!(report.windows_in_flight, 0, "what was claimed is free again");
    let summaries = [first, second].map(|worker| scene.end(worker));
    assert_eq!(summaries.iter().map(|(summary, _)| summary.windows).sum::<u64>(), WINDOWS);
    assert!(summaries.iter().all(|(_, ended)| ended.is_ok()), "{summaries:?}");
}

#[test]
fn windows_smaller_than_a_part_and_of_two_layers_are_right() {
    let scene = Scene::new(ExchangeSettings::default());
    let worker = scene.worker("small", vec![processor()]);
    let registration = registration(10, 2);
    let filled = fill_with(&registration, scene.devices());
    assert_eq!(filled.report.windows_accelerated, WINDOWS);
    assert_as_by_the_processor(&filled, &registration);
    scene.end(worker).1.expect("told to stop");
}

/// A fill beside which no worker ever comes is the processor's, and one that comes late takes its share or none.
#[test]
fn the_processor_does_not_wait_for_workers() {
    let scene = Scene::new(ExchangeSettings::default());
    let devices = Devices { processor: ProcessorRole::Shares, ..scene.devices() };
    let filled = fill_with(&registration(K, LAYERS), devices);
    assert_eq!((filled.report.windows_filled, filled.report.windows_accelerated), (WINDOWS, 0));
}

#[test]
fn a_worker_that_was_there_before_its_engine_and_one_that_lost_it_come_back() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("an address");
    let elsewhere = Scene::new(ExchangeSettings::default());
    let worker = elsewhere.worker_at(&format!("http://{free}"), "early", vec![processor()]);
    let registration = registration(K, LAYERS);
    for _ in 0..2 {
        let scene = Scene::at(free, ExchangeSettings::default());
        let filled = fill_with(&registration, scene.devices());
        assert_eq!(filled.report.windows_accelerated, WINDOWS);
        drop(scene);
    }
    let (summary, ended) = elsewhere.end(worker);
    ended.expect("told to stop");
    assert_eq!(summary.windows, 2 * WINDOWS);
    assert!(summary.connections_lost >= 1, "{summary:?}");
}

#[test]
fn a_cancelled_fill_takes_its_window_back_and_the_worker_makes_others() {
    let scene = Scene::new(ExchangeSettings::default());
    let worker = scene.worker("patient", vec![processor()]);
    scene.await_slots("patient", 1);
    let control = Control::default();
    std::thread::scope(|threads| {
        let fill = threads.spawn(|| fill_until_cancelled(scene.devices(), &control));
        until("a window is under way", || scene.exchange.report().windows_in_flight > 0);
        control.cancel();
        assert!(matches!(fill.join().expect("no panic"), FillError::Cancelled(_)));
    });
    let registration = registration(K, LAYERS);
    let filled = fill_with(&registration, scene.devices());
    assert_eq!(filled.report.windows_accelerated, WINDOWS);
    assert_as_by_the_processor(&filled, &registration);
    let report = scene.report_of("patient").expect("is known");
    assert_eq!((report.windows_lost, report.dismissed_because), (0, None));
    assert!(report.windows_withdrawn <= 1, "{}: one was under way", report.windows_withdrawn);
    scene.end(worker).1.expect("told to stop");
}

/// Takes parts slowly: each only once the worker is ahead.
struct SlowTarget<'t> {
    sent: &'t AtomicU64,
    taken: AtomicU64,
    most_ahead: AtomicU64,
    parts: u64,
}

impl WindowTarget for SlowTarget<'_> {
    fn proceed(&self) -> bool {
        true
    }

    fn take(&self, length: usize) -> Option<AlignedBuffer> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let due = (taken + 4).min(self.parts);
        until("the worker is ahead", || self.sent.load(Ordering::Relaxed) >= due);
        let ahead = self.sent.load(Ordering::Relaxed) - taken;
        self.most_ahead.fetch_max(ahead, Ordering::Relaxed);
        AlignedBuffer::zeroed(length).ok()
    }

    fn put(&self, _: u64, _: AlignedBuffer) {}
}

/// 64 parts of 1 MiB that the worker has at hand at once, and a disk that takes them slowly: few are ever on the way.
#[test]
fn a_slow_disk_holds_the_worker_up_and_not_the_memory() {
    let scene = Scene::new(ExchangeSettings { labels_per_layer: 1, ..ExchangeSettings::default() });
    let liar = Arc::new(Liar::new(|_, _| (), |bytes| bytes[0] ^= 1));
    let worker = scene.worker("fast", vec![liar.clone()]);
    scene.await_slots("fast", 1);
    let slot = scene.exchange.accelerators().remove(0);
    let shape = WindowShape::new(21, 2).expect("in range");
    slot.window_slots(shape).expect("room");
    assert!(slot.recover(&|| true));
    let parts = shape.bytes() >> 20;
    let (taken, most_ahead) = (AtomicU64::new(0), AtomicU64::new(0));
    let target = SlowTarget { sent: &liar.parts, taken, most_ahead, parts };
    let outcome = slot.make_window(shape, &[1; 32], &target);
    assert!(matches!(outcome, Err(Interruption::Fault(_))), "every part was spoilt: {outcome:?}");
    let ahead = target.most_ahead.load(Ordering::Relaxed);
    assert_eq!(target.taken.load(Ordering::Relaxed), parts);
    assert!((4..=16).contains(&ahead), "{ahead} parts of {parts}");
    drop(worker);
}

fn offer(name: &str) -> WorkerEvent {
    let offer = WorkerOffer { name: name.to_owned(), device: "test".into(), window_bytes_maximum: 1 << 30 };
    WorkerEvent { offer: Some(offer), ..WorkerEvent::default() }
}

#[test]
fn offers_that_are_none_are_refused_and_so_are_too_many() {
    let scene = Scene::new(ExchangeSettings { slots: 1, silence_ms: 60_000, ..ExchangeSettings::default() });
    let call = |first: WorkerEvent| {
        scene.runtime.block_on(async {
            let mut client = EngineClient::connect(scene.url()).await.expect("connects");
            let (events, outgoing) = tokio::sync::mpsc::channel(1);
            events.send(first).await.expect("room");
            let stream = tokio_stream::wrappers::ReceiverStream::new(outgoing);
            client.work(stream).await.map(|orders| (events, orders.into_inner()))
        })
    };
    let refused = |first: WorkerEvent| -> Status { call(first).map(drop).expect_err("refused") };
    let malformed = refused(WorkerEvent { ping: Some(WorkerPing {}), ..WorkerEvent::default() });
    assert_eq!(class_of(&malformed).map(|class| class.name()), Some("malformed"));
    assert_eq!(refused(offer("two words")).code(), Code::InvalidArgument);
    let (events, mut orders) = call(offer("one")).expect("the first one");
    let terms = scene.runtime.block_on(orders.message()).expect("terms").expect("terms").terms;
    assert_eq!(terms.map(|terms| terms.ping_ms), Some(5_000));
    assert_eq!(refused(offer("another")).code(), Code::ResourceExhausted);
    // Leaving makes room.
    drop((events, orders));
    until("the slot is free", || call(offer("another")).is_ok());
}

/// A worker is only asked for windows that it can make.
#[test]
fn larger_windows_than_a_worker_can_make_are_the_processor_s() {
    let scene = Scene::new(ExchangeSettings::default());
    let worker = scene.worker("small", vec![processor_for(32 << 10)]);
    scene.await_slots("small", 1);
    let devices = Devices { processor: ProcessorRole::Shares, ..scene.devices() };
    let filled = fill_with(&registration(K, LAYERS), devices);
    assert_eq!((filled.report.windows_filled, filled.report.windows_accelerated), (WINDOWS, 0));
    let (summary, ended) = scene.end(worker);
    ended.expect("told to stop");
    assert_eq!((summary.windows, summary.windows_unfinished), (0, 0));
}
