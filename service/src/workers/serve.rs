//! Workers on an address of their own: of the engine's service `Work` alone, for whoever has an exchange and is no engine.

use std::sync::Arc;

use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::exchange::Exchange;
use super::session::{Orders, work};
use crate::engine_service::SERVICE;
use crate::listen::{ListenError, Listener};
use crate::proto::engine_server::{Engine, EngineServer};
use crate::proto::*;
use crate::wire::status;

/// Serves workers of an exchange until `stop` is cancelled; then sends them away, so that fills go on without them.
///
/// # Errors
/// The server ended by itself.
pub async fn serve(
    listener: Listener,
    exchange: Arc<Exchange>,
    stop: CancellationToken,
) -> Result<(), ListenError> {
    let routes = Routes::new(EngineServer::new(WorkAlone(Arc::clone(&exchange))));
    let closing = async {
        stop.cancelled().await;
        exchange.close();
    };
    let served = listener.serve(routes, &[SERVICE], closing).await;
    // The server may have ended by itself.
    exchange.close();
    served
}

/// An engine that does nothing but give orders to workers.
struct WorkAlone(Arc<Exchange>);

type Nothing<T> = ReceiverStream<Result<T, Status>>;

fn absent<T>() -> Result<Response<T>, Status> {
    let message = "only workers are served here".to_owned();
    let advice = "ask the engine at its own address; a miner's disks are the miner's alone";
    Err(status::refusal(tonic::Code::Unimplemented, message, "only-workers", advice))
}

#[async_trait]
impl Engine for WorkAlone {
    type WatchStream = Nothing<JobState>;
    type AnswerStream = Nothing<Part>;
    type WorkStream = Orders;

    async fn work(
        &self,
        events: Request<Streaming<WorkerEvent>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        work(&self.0, events.into_inner()).await.map(Response::new)
    }

    async fn submit(&self, _: Request<SubmitRequest>) -> Result<Response<Job>, Status> {
        absent()
    }

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        absent()
    }

    async fn pause(&self, _: Request<JobRequest>) -> Result<Response<Job>, Status> {
        absent()
    }

    async fn resume(&self, _: Request<JobRequest>) -> Result<Response<Job>, Status> {
        absent()
    }

    async fn cancel(&self, _: Request<JobRequest>) -> Result<Response<Job>, Status> {
        absent()
    }

    async fn list_jobs(&self, _: Request<ListJobsRequest>) -> Result<Response<ListJobsResponse>, Status> {
        absent()
    }

    async fn devices(&self, _: Request<DevicesRequest>) -> Result<Response<DevicesResponse>, Status> {
        absent()
    }

    async fn answer(&self, _: Request<AnswerRequest>) -> Result<Response<Self::AnswerStream>, Status> {
        absent()
    }

    async fn verify(&self, _: Request<Streaming<VerifyRequest>>) -> Result<Response<VerifyResponse>, Status> {
        absent()
    }
}
