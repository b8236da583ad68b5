//! Windows that a worker was to make and did not.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use holdfast_engine::accelerator::{
    Accelerator, AcceleratorReport, CommitSlots, Fault, Interruption, WindowTarget,
};
use holdfast_engine::curve::{Fr, G1Projective};
use holdfast_engine::registration::WindowShape;
use holdfast_engine::space::window::MadeWindow;
use holdfast_partition::io::AlignedBuffer;
use holdfast_service::proto::engine_client::EngineClient;
use holdfast_service::proto::{WorkOrder, WorkerEvent, WorkerLayer, WorkerOffer, WorkerPing};
use holdfast_service::workers::ExchangeSettings;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::partition::{WINDOWS, registration};
use crate::scene::{Filled, K, LAYERS, Scene, assert_as_by_the_processor, fill_with, processor, until};

/// One slot, played by hand.
struct Played {
    events: mpsc::Sender<WorkerEvent>,
    orders: Streaming<WorkOrder>,
}

impl Played {
    async fn open(url: String, name: &str) -> Played {
        let mut client = EngineClient::connect(url).await.expect("connects");
        let (events, outgoing) = mpsc::channel(1);
        let offer =
            WorkerOffer { name: name.to_owned(), device: String::new(), window_bytes_maximum: 1 << 30 };
        events.send(WorkerEvent { offer: Some(offer), ..WorkerEvent::default() }).await.expect("room");
        let orders = client.work(ReceiverStream::new(outgoing)).await.expect("taken in").into_inner();
        let mut played = Played { events, orders };
        assert!(played.next().await.expect("terms").terms.is_some());
        played
    }

    async fn next(&mut self) -> Result<WorkOrder, Status> {
        self.orders.message().await.map(|order| order.expect("the call goes on"))
    }

    /// Waits for an order and says that its first layer is made.
    async fn begin(&mut self) {
        let window = self.next().await.expect("an order").window.expect("a window");
        let layer = WorkerLayer { order: window.order, layer: 1, root: vec![1; 32].into() };
        let event = WorkerEvent { layer: Some(layer), ..WorkerEvent::default() };
        self.events.send(event).await.expect("is listened to");
        assert_eq!(self.next().await.expect("goes on").question.map(|question| question.layer), Some(1));
    }
}

/// Fills while a worker is played that loses its window, and another one makes the rest.
fn fill_beside<F: Future<Output = ()> + Send + 'static>(
    scene: &Scene,
    play: impl FnOnce(Played) -> F,
) -> Filled {
    let played = scene.runtime.block_on(Played::open(scene.url(), "played"));
    let good = scene.worker("good", vec![processor()]);
    scene.await_slots("good", 1);
    let play = scene.runtime.spawn(play(played));
    let registration = registration(K, LAYERS);
    let filled = fill_with(&registration, scene.devices());
    scene.runtime.block_on(play).expect("no panic");
    assert_as_by_the_processor(&filled, &registration);
    assert_eq!((filled.report.windows_accelerated, filled.report.windows_redone), (WINDOWS - 1, 1));
    assert_eq!(filled.notices.len(), 1, "{:?}", filled.notices);
    until("the worker is gone", || scene.report_of("played").is_some_and(|worker| worker.devices.is_empty()));
    let report = scene.report_of("played").expect("is known");
    assert_eq!((report.windows, report.windows_lost, report.dismissed_because), (0, 1, None));
    assert_eq!(["delivered", "lost"].map(|outcome| scene.windows_counted(outcome)), [WINDOWS - 1, 1]);
    scene.end(good).1.expect("told to stop");
    filled
}

#[test]
fn what_a_worker_that_leaves_was_making_goes_back() {
    let scene = Scene::new(ExchangeSettings::default());
    let filled = fill_beside(&scene, |mut played| async move { played.begin().await });
    assert!(filled.notices[0].contains("worker played"), "{:?}", filled.notices);
}

/// It is connected and says nothing.
#[test]
fn what_a_silent_worker_was_making_goes_back() {
    let settings = ExchangeSettings { ping_ms: 50, silence_ms: 3_000, ..ExchangeSettings::default() };
    let scene = Scene::new(settings);
    let filled = fill_beside(&scene, |mut played| async move {
        played.begin().await;
        let told = played.next().await.expect_err("it is sent away");
        assert!(told.message().contains("nothing was heard"), "{told:?}");
    });
    assert!(filled.notices[0].contains("said nothing for 3s"), "{:?}", filled.notices);
}

/// It pings and gets nowhere.
#[test]
fn what_a_worker_does_not_get_done_within_its_lease_goes_back() {
    let settings =
        ExchangeSettings { ping_ms: 50, silence_ms: 60_000, lease_ms: 6_000, ..ExchangeSettings::default() };
    let scene = Scene::new(settings);
    let filled = fill_beside(&scene, |mut played| async move {
        played.begin().await;
        let mut due = tokio::time::interval(Duration::from_millis(50));
        let told = loop {
            tokio::select! {
                order = played.orders.message() => break order.expect_err("it is sent away"),
                _ = due.tick() => {
                    let ping = WorkerEvent { ping: Some(WorkerPing {}), ..WorkerEvent::default() };
                    played.events.send(ping).await.expect("is listened to");
                }
            }
        };
        assert!(told.message().contains("a step took longer"), "{told:?}");
    });
    assert!(filled.notices[0].contains("6 s"), "{:?}", filled.notices);
}

/// Where a fill that was cancelled would have put a window.
struct Ended;

impl WindowTarget for Ended {
    fn proceed(&self) -> bool {
        false
    }
    fn take(&self, _: usize) -> Option<AlignedBuffer> {
        None
    }
    fn put(&self, _: u64, _: AlignedBuffer) {}
}

/// All slots of a fill claim the same worker, one after another. Orders and their withdrawals would come faster than it reads them.
#[test]
fn a_fill_that_has_ended_orders_nothing() {
    let scene = Scene::new(ExchangeSettings::default());
    let mut played = scene.runtime.block_on(Played::open(scene.url(), "played"));
    let shape = WindowShape::new(K, LAYERS).expect("in range");
    for slot in scene.exchange.accelerators() {
        slot.window_slots(shape).expect("room");
        assert!(slot.recover(&|| true), "the worker is free again");
        let outcome = slot.make_window(shape, &[1; 32], &Ended);
        assert!(matches!(outcome, Err(Interruption::Stopped)), "{outcome:?}");
    }
    let report = scene.report_of("played").expect("is known");
    assert_eq!((report.windows_lost, report.windows_withdrawn, report.devices.len()), (0, 0, 1));
    // What the worker hears next is that the engine ends, and no order before.
    scene.exchange.close();
    let told = scene.runtime.block_on(played.next()).expect_err("it is sent away");
    assert!(told.message().contains("the engine ends"), "{told:?}");
}

/// A device whose first window fails, and that is well again afterwards.
#[derive(Debug)]
struct FailsOnce {
    has_failed: AtomicBool,
    inner: Arc<dyn Accelerator>,
}

impl Accelerator for FailsOnce {
    fn id(&self) -> &str {
        "fails-once"
    }
    fn session(&self) -> u64 {
        1
    }
    fn window_slots(&self, shape: WindowShape) -> Result<usize, String> {
        self.inner.window_slots(shape)
    }
    fn make_window(
        &self,
        shape: WindowShape,
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            return Err(Fault::Lost { why: "for the test".into() }.into());
        }
        self.inner.make_window(shape, window_key, target)
    }
    fn commit_slots(&self) -> Result<CommitSlots, String> {
        self.inner.commit_slots()
    }
    fn commit(&self, blocks: &[&[u8]], blindings: &[Fr]) -> Result<Vec<G1Projective>, Fault> {
        self.inner.commit(blocks, blindings)
    }
    fn taint(&self, session: u64, fault: Fault) {
        self.inner.taint(session, fault);
    }
    fn recover(&self, proceed: &dyn Fn() -> bool) -> bool {
        self.inner.recover(proceed)
    }
    fn report(&self) -> AcceleratorReport {
        self.inner.report()
    }
}

#[test]
fn what_a_worker_s_device_fails_at_goes_back_with_its_reason_and_the_worker_comes_back() {
    let scene = Scene::new(ExchangeSettings::default());
    let maker = FailsOnce { has_failed: AtomicBool::new(false), inner: processor() };
    let worker = scene.worker("unlucky", vec![Arc::new(maker)]);
    scene.await_slots("unlucky", 1);
    let registration = registration(K, LAYERS);
    let filled = fill_with(&registration, scene.devices());
    assert_as_by_the_processor(&filled, &registration);
    assert_eq!((filled.report.windows_accelerated, filled.report.windows_redone), (WINDOWS - 1, 1));
    assert!(filled.notices[0].contains("worker unlucky failed: the device was lost: for the test"));
    let (summary, ended) = scene.end(worker);
    ended.expect("told to stop");
    assert_eq!((summary.windows, summary.windows_unfinished, summary.connections_lost), (WINDOWS - 1, 1, 1));
}

/// A real `holdfast worker run`.
fn process(url: &str, name: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_holdfast"))
        .args(["worker", "run", "--engine", url, "--name", name, "--gpu", "off", "--threads", "1", "--json"])
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

#[test]
fn a_worker_that_is_killed_in_the_middle_costs_its_window_and_nothing_else() {
    let scene = Scene::new(ExchangeSettings { labels_per_layer: 64, ..ExchangeSettings::default() });
    // Large enough that the first window is under way for a while.
    let registration = registration(18, 12);
    let mut killed = process(&scene.url(), "killed");
    scene.await_slots("killed", 1);
    let (filled, second) = std::thread::scope(|threads| {
        let fill = threads.spawn(|| fill_with(&registration, scene.devices()));
        until("a window is under way", || scene.exchange.report().windows_in_flight > 0);
        killed.kill().expect("kill -9");
        killed.wait().expect("is gone");
        let second = process(&scene.url(), "second");
        (fill.join().expect("no panic"), second)
    });
    assert_as_by_the_processor(&filled, &registration);
    let report = scene.report_of("killed").expect("is known");
    assert_eq!((report.windows, report.windows_lost, report.dismissed_because), (0, 1, None));
    assert_eq!((filled.report.windows_accelerated, filled.report.windows_redone), (WINDOWS - 1, 1));
    // The other one is told to stop, as by Ctrl-C, and says what it did.
    let pid = i32::try_from(second.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("is told");
    let output = second.wait_with_output().expect("ends");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(output.status.success(), "{said}");
    assert_eq!((said["worker"].as_str(), said["windows"].as_u64()), (Some("second"), Some(WINDOWS - 1)));
}
