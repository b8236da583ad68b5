//! An exchange behind a real server, workers of this process, and fills.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdfast_engine::accelerator::processor::Processor;
use holdfast_engine::accelerator::{Accelerator, Devices, ProcessorRole};
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::{FillError, FillReport, fill};
use holdfast_engine::jobs::progress::{Snapshot, Watcher};
use holdfast_engine::registration::Registration;
use holdfast_partition::io::IoChoice;
use holdfast_partition::partition_file::PartitionFile;
use holdfast_service::connect::Connector;
use holdfast_service::listen::{ListenError, Listener, Settings};
use holdfast_service::operation::metrics::{Metrics, WorkerWindowLabels};
use holdfast_service::workers::worker::{Retry, Worker, WorkerError, WorkerSummary, endpoint};
use holdfast_service::workers::{Exchange, ExchangeSettings, WorkerReport, serve};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::partition::{contents, options_with, real_file, registration};

/// Two MiB and two parts a window.
pub(crate) const K: u8 = 16;
pub(crate) const LAYERS: u8 = 3;
/// Whatever is waited for comes long before that.
const PATIENCE: Duration = Duration::from_secs(120);

/// A worker that runs.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    pub(crate) ended: JoinHandle<(WorkerSummary, Result<(), WorkerError>)>,
}

/// An exchange that is served.
pub(crate) struct Scene {
    pub(crate) runtime: Runtime,
    pub(crate) exchange: Arc<Exchange>,
    metrics: Arc<Metrics>,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    _served: JoinHandle<Result<(), ListenError>>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.exchange.close();
        self.stop.cancel();
    }
}

impl Scene {
    pub(crate) fn new(settings: ExchangeSettings) -> Scene {
        Scene::at(SocketAddr::from(([127, 0, 0, 1], 0)), settings)
    }

    pub(crate) fn at(address: SocketAddr, settings: ExchangeSettings) -> Scene {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let backend = select(Choice::Auto).expect("portable exists");
        let metrics = Arc::new(Metrics::new());
        let exchange = Exchange::new(settings, backend, Arc::clone(&metrics)).expect("settings in range");
        let listen = Settings { shutdown_grace_ms: 0, ..Settings::at(address) };
        let listener = runtime.block_on(Listener::bind(&listen)).expect("binds");
        let address = listener.address();
        let stop = CancellationToken::new();
        let _served = runtime.spawn(serve(listener, Arc::clone(&exchange), stop.clone()));
        Scene { runtime, exchange, metrics, address, stop, _served }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A worker with these makers, one in each slot.
    pub(crate) fn worker(&self, name: &str, slots: Vec<Arc<dyn Accelerator>>) -> Running {
        self.worker_at(&self.url(), name, slots)
    }

    pub(crate) fn worker_at(&self, url: &str, name: &str, slots: Vec<Arc<dyn Accelerator>>) -> Running {
        let stop = CancellationToken::new();
        let retry = Retry { first: Duration::from_millis(5), longest: Duration::from_millis(50) };
        let engine = endpoint(url).expect("an address");
        let (name, connector) = (name.to_owned(), Connector::plain());
        let worker = Worker { engine, connector, name, slots, window_bytes_maximum: 1 << 30, retry };
        Running { stop: stop.clone(), ended: self.runtime.spawn(worker.run(stop)) }
    }

    /// Waits until so many slots of a worker are connected.
    pub(crate) fn await_slots(&self, name: &str, slots: usize) {
        until("slots are connected", || {
            self.report_of(name).is_some_and(|worker| worker.devices.len() == slots)
        });
    }

    pub(crate) fn report_of(&self, name: &str) -> Option<WorkerReport> {
        self.exchange.report().workers.into_iter().find(|worker| worker.name == name)
    }

    /// Windows that metrics have with this outcome.
    pub(crate) fn windows_counted(&self, outcome: &'static str) -> u64 {
        self.metrics.worker_windows.get_or_create(&WorkerWindowLabels { outcome }).get()
    }

    /// Tells a worker to stop and returns how it ended.
    pub(crate) fn end(&self, worker: Running) -> (WorkerSummary, Result<(), WorkerError>) {
        worker.stop.cancel();
        self.ended(worker)
    }

    /// How a worker ended by itself.
    pub(crate) fn ended(&self, worker: Running) -> (WorkerSummary, Result<(), WorkerError>) {
        self.runtime.block_on(worker.ended).expect("no panic")
    }

    /// Workers alone, and the processor for what they fail at.
    pub(crate) fn devices(&self) -> Devices {
        Devices { accelerators: self.exchange.accelerators(), processor: ProcessorRole::TakesOver }
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// One thread of the processor.
pub(crate) fn processor() -> Arc<dyn Accelerator> {
    processor_for(1 << 30)
}

/// The same, for windows of so many bytes at most.
pub(crate) fn processor_for(window_bytes_maximum: u64) -> Arc<dyn Accelerator> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let backend = select(Choice::Auto).expect("portable exists");
    Arc::new(Processor::new(backend, Arc::new(pool), window_bytes_maximum))
}

/// What was said during a fill.
#[derive(Default)]
pub(crate) struct Notices(pub(crate) Mutex<Vec<String>>);

impl Watcher for Notices {
    fn report(&self, _: &Snapshot) {}

    fn notice(&self, message: &str) {
        self.0.lock().expect("no panic").push(message.to_owned());
    }
}

/// A real file of six windows, filled.
pub(crate) struct Filled {
    _directory: tempfile::TempDir,
    pub(crate) file: PartitionFile,
    pub(crate) report: FillReport,
    pub(crate) notices: Vec<String>,
}

pub(crate) fn fill_with(registration: &Registration, devices: Devices) -> Filled {
    let (_directory, file) = real_file(registration, IoChoice::Pread);
    let notices = Notices::default();
    let report = fill(&file, &options_with(devices), &Control::default(), &notices).expect("fills");
    Filled { _directory, file, report, notices: notices.0.into_inner().expect("no panic") }
}

pub(crate) fn fill_until_cancelled(devices: Devices, control: &Control) -> FillError {
    let (_directory, file) = real_file(&registration(K, LAYERS), IoChoice::Pread);
    fill(&file, &options_with(devices), control, &()).expect_err("it is cancelled")
}

/// Fails unless bytes, trees and records are those that the processor makes.
pub(crate) fn assert_as_by_the_processor(filled: &Filled, registration: &Registration) {
    let own = fill_with(registration, Devices::default());
    assert!(contents(&filled.file) == contents(&own.file));
}
