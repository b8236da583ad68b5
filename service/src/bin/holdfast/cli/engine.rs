//! `holdfast engine`: a machine's disks and devices as a service, and its jobs from elsewhere.

mod devices;
mod job;
mod run;
mod submit;
mod watch;

use clap::{Args, Subcommand};
use holdfast_engine::rejection::Rejection;
use holdfast_service::connect::{Connector, NO_CONNECTION, Stage};
use holdfast_service::engine_service::EngineError;
use holdfast_service::proto::engine_client::EngineClient;
use holdfast_service::wire::status::{advice_of, class_of, reason_of};
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::connect::{self, ConnectArguments};
use crate::console::{Console, Exit};
use crate::failure::Failure;

/// Longest message that is taken: lists of many jobs, and reports.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Serve a machine's disks and devices, and steer its jobs from elsewhere
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Run(run::Arguments),
    Submit(submit::Arguments),
    Watch(watch::Arguments),
    Pause(job::PauseArguments),
    Resume(job::ResumeArguments),
    Cancel(job::CancelArguments),
    Jobs(job::ListArguments),
    Devices(devices::Arguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Run(arguments) => arguments.run(console),
            What::Submit(arguments) => arguments.run(console),
            What::Watch(arguments) => arguments.run(console),
            What::Pause(arguments) => arguments.run(console),
            What::Resume(arguments) => arguments.run(console),
            What::Cancel(arguments) => arguments.run(console),
            What::Jobs(arguments) => arguments.run(console),
            What::Devices(arguments) => arguments.run(console),
        }
    }
}

/// Which engine.
#[derive(Args, Clone, Debug)]
struct EngineArguments {
    /// Where the engine serves
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:7703")]
    engine: String,
    #[command(flatten)]
    connect: ConnectArguments,
}

/// An engine that was connected to, and the thread on which it is talked to.
struct Connected {
    runtime: Runtime,
    client: EngineClient<Channel>,
    connector: Connector,
    url: String,
    stage: Stage,
}

impl EngineArguments {
    fn connect(&self) -> Result<Connected, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::file("start a thread for", "this process", error))?;
        let usage = |why: String| Failure::Usage(format!("--engine {} is no URL: {why}", self.engine));
        let endpoint =
            Endpoint::from_shared(self.engine.clone()).map_err(|error| usage(error.to_string()))?;
        if endpoint.uri().scheme().is_none() {
            return Err(usage("it begins with http:// or https://".to_owned()));
        }
        let connector = self.connect.connector()?;
        let endpoint = connector.secured(endpoint).map_err(connect::failure)?;
        let url = self.engine.clone();
        let channel = runtime.block_on(endpoint.connect()).map_err(|error| {
            refused(&connector.explain(&url, Status::from_error(error.into()), Stage::Fresh))
        })?;
        let client = EngineClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Ok(Connected { runtime, client, connector, url, stage: Stage::Fresh })
    }
}

impl Connected {
    /// What came in place of an answer: from the engine, or of the connection to it.
    fn refused(&self, status: Status) -> Failure {
        refused(&self.connector.explain(&self.url, status, self.stage))
    }
}

/// What an engine answered in place of what was asked, or what became of the connection to it, as a command tells it.
fn refused(status: &Status) -> Failure {
    if let Some(class) = class_of(status) {
        let detail = status.message().trim_start_matches(class.name()).trim_start_matches(": ");
        return Failure::rejected("the engine", Rejection { class, detail: detail.to_owned() });
    }
    let message = status.message().to_owned();
    match status.code() {
        Code::InvalidArgument => Failure::Usage(message),
        Code::NotFound => Failure::NotFound(message),
        _ => Failure::State {
            message: match reason_of(status).as_deref() {
                Some(NO_CONNECTION) => message,
                _ => format!("the engine: {message}"),
            },
            advice: advice_of(status).unwrap_or_else(|| "see the engine's log".to_owned()),
        },
    }
}

/// What ended an engine that ran here.
fn failure(error: EngineError) -> Failure {
    match error {
        EngineError::Failed(failure) => failure,
        EngineError::Rejected(rejection) => Failure::rejected("engine", rejection),
        error => Failure::work("state", "engine", error),
    }
}
