//! The calls: convert, do, convert.

use std::sync::Arc;

use serde::Serialize;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::jobs::Terms;
use super::outlet::Stream;
use super::{Engine, EngineError, answer, blocking, verify, watch};
use crate::local::console::json_text;
use crate::local::devices::Devices;
use crate::proto::{self, engine_server};
use crate::workers::{self, ExchangeReport};

/// Serves an engine.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Engine>);

/// What there is to work with.
#[derive(Serialize)]
struct Survey {
    #[serde(flatten)]
    devices: Devices,
    /// Absent if none are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<ExchangeReport>,
}

#[async_trait]
impl engine_server::Engine for Service {
    type WatchStream = Stream<proto::JobState>;
    type AnswerStream = Stream<proto::Part>;
    type WorkStream = Stream<proto::WorkOrder>;

    async fn submit(&self, request: Request<proto::SubmitRequest>) -> Result<Response<proto::Job>, Status> {
        let (id, terms) = Terms::read(request.into_inner())?;
        Ok(Response::new(self.0.jobs.submit(id, terms).await?.into()))
    }

    async fn watch(
        &self,
        request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let Engine { jobs, limits, stop, .. } = &*self.0;
        let states = jobs.watch(&request.into_inner().request_id)?;
        Ok(Response::new(watch::states(states, limits.idle(), stop.clone())))
    }

    async fn pause(&self, request: Request<proto::JobRequest>) -> Result<Response<proto::Job>, Status> {
        Ok(Response::new(self.0.jobs.pause(&request.into_inner().request_id).await?.into()))
    }

    async fn resume(&self, request: Request<proto::JobRequest>) -> Result<Response<proto::Job>, Status> {
        Ok(Response::new(self.0.jobs.resume(&request.into_inner().request_id).await?.into()))
    }

    async fn cancel(&self, request: Request<proto::JobRequest>) -> Result<Response<proto::Job>, Status> {
        Ok(Response::new(self.0.jobs.cancel(&request.into_inner().request_id).await?.into()))
    }

    async fn list_jobs(
        &self,
        _: Request<proto::ListJobsRequest>,
    ) -> Result<Response<proto::ListJobsResponse>, Status> {
        let without_report = |mut job: proto::Job| {
            if let Some(state) = &mut job.state {
                state.report_json.clear();
            }
            job
        };
        let jobs = self.0.jobs.list().into_iter().map(|job| without_report(job.into())).collect();
        Ok(Response::new(proto::ListJobsResponse { jobs }))
    }

    async fn devices(
        &self,
        _: Request<proto::DevicesRequest>,
    ) -> Result<Response<proto::DevicesResponse>, Status> {
        let turn = self.0.surveys.turn().await?;
        let directories = self.0.directories.clone();
        let workers = self.0.workers.clone();
        let json = blocking(move || {
            let devices = Devices::survey(&directories, false)?;
            let json = json_text(&Survey { devices, workers: workers.map(|workers| workers.report()) })?;
            drop(turn);
            Ok(json)
        });
        Ok(Response::new(proto::DevicesResponse { json: json.await? }))
    }

    async fn answer(
        &self,
        request: Request<proto::AnswerRequest>,
    ) -> Result<Response<Self::AnswerStream>, Status> {
        Ok(Response::new(answer::answer(&self.0, request.into_inner()).await?))
    }

    async fn verify(
        &self,
        request: Request<Streaming<proto::VerifyRequest>>,
    ) -> Result<Response<proto::VerifyResponse>, Status> {
        Ok(Response::new(verify::verify(&self.0, request.into_inner()).await?))
    }

    async fn work(
        &self,
        request: Request<Streaming<proto::WorkerEvent>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        let exchange = self.0.workers.as_ref().ok_or_else(EngineError::no_workers)?;
        Ok(Response::new(workers::work(exchange, request.into_inner()).await?))
    }
}
