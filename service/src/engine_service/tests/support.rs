//! An engine on a socket, over directories that were allocated and not filled.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use holdfast_engine::policy::Policy;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::engine_service::{EngineError, Ready, Settings, run};
use crate::local::allocation::NamedAccount;
use crate::local::fixture::{allocated, console};
use crate::proto::engine_client::EngineClient;
use crate::proto::{self, JobKind, JobState, SubmitRequest};

pub(super) const MINER: &str = "miner";
/// However slow the machine is.
pub(super) const LONG: Duration = Duration::from_secs(300);

/// What outlives an engine's process.
pub(super) struct Ground {
    _folder: TempDir,
    pub(super) settings: Settings,
}

impl Ground {
    /// Directories of these names, each with some 120 windows of 32 KiB for one validator.
    pub(super) fn new(names: &[&str]) -> Ground {
        let folder = tempfile::tempdir().expect("a directory");
        let directories: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
        let miner = NamedAccount::parse(MINER, &console()).expect("a name");
        for directory in &directories {
            allocated(directory, &miner, &[("alice", 1_000_000_000)], (&Policy::test(), 8 << 20));
        }
        let mut settings = Settings::of(directories, SocketAddr::from(([127, 0, 0, 1], 0)));
        settings.machine.threads = Some(1);
        Ground { _folder: folder, settings }
    }

    pub(super) fn directory(&self, place: usize) -> String {
        self.settings.directories[place].display().to_string()
    }

    pub(super) async fn start(&self) -> Running {
        let settings = self.settings.clone();
        let ((stop, stopped), (tell, told)) = (oneshot::channel::<()>(), oneshot::channel());
        let served = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            run(&settings, shutdown, |ready| tell.send(ready.clone()).expect("the test waits")).await
        });
        let Ready { address, metrics, .. } = told.await.expect("serves");
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let channel = endpoint.connect().await.expect("connects");
        Running { client: EngineClient::new(channel.clone()), channel, endpoint, metrics, stop, served }
    }

    /// A request for a job in the first directory.
    pub(super) fn job(&self, id: &str, kind: JobKind) -> SubmitRequest {
        SubmitRequest {
            request_id: id.to_owned(),
            kind: kind.into(),
            directory: self.directory(0),
            ..SubmitRequest::default()
        }
    }
}

/// An engine that serves, and one who talks to it.
pub(super) struct Running {
    pub(super) client: EngineClient<Channel>,
    pub(super) channel: Channel,
    endpoint: Endpoint,
    pub(super) metrics: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), EngineError>>,
}

impl Running {
    pub(super) async fn submit(&mut self, request: SubmitRequest) -> Result<proto::Job, Status> {
        Ok(self.client.submit(request).await?.into_inner())
    }

    /// Watches a job until it ends, or until a state is such.
    pub(super) async fn watch_until(&mut self, id: &str, reached: impl Fn(&JobState) -> bool) -> JobState {
        let request = proto::WatchRequest { request_id: id.to_owned() };
        let mut states = self.client.watch(request).await.expect("is watched").into_inner();
        let watching = async {
            let mut last = JobState::default();
            while let Some(state) = states.message().await.expect("goes on") {
                last = state;
                if reached(&last) {
                    break;
                }
            }
            last
        };
        tokio::time::timeout(LONG, watching).await.expect("in time")
    }

    pub(super) async fn watch_to_end(&mut self, id: &str) -> JobState {
        self.watch_until(id, |_| false).await
    }

    /// Submits a job that must succeed, and gives its report.
    pub(super) async fn done(&mut self, request: SubmitRequest) -> serde_json::Value {
        let id = request.request_id.clone();
        self.submit(request).await.expect("is taken");
        let state = self.watch_to_end(&id).await;
        assert_eq!(state.status(), proto::JobStatus::Done, "{state:?}");
        serde_json::from_str(&state.report_json).expect("a report")
    }

    /// Somebody on a connection of their own, for whom so many bytes are on the way and no more until they are taken.
    pub(super) async fn slow_caller(&self, bytes: u32) -> EngineClient<Channel> {
        let endpoint = self.endpoint.clone().initial_stream_window_size(bytes);
        EngineClient::new(endpoint.connect().await.expect("connects"))
    }

    /// Stops the engine as a signal does.
    pub(super) async fn stop(self) {
        let Running { client, channel, stop, served, .. } = self;
        stop.send(()).expect("still runs");
        drop((client, channel));
        let ended = tokio::time::timeout(LONG, served).await.expect("ends in time");
        ended.expect("no panic").expect("a clean end");
    }
}
