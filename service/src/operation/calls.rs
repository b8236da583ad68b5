//! RPCs as they come and end, counted: by method, by status code, and by class if they were refused.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::service::Routes;
use tonic::{Code, Status};

use super::metrics::{CallLabels, ClassLabels, MethodLabels, Metrics};
use crate::proto;
use crate::wire::status::class_of;

/// The method of what is not ours; health and reflection are among it.
const OTHER: &str = "other";

/// The methods of all our services, as in paths. Callers choose paths freely, and each label is kept for ever.
static METHODS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(proto::DESCRIPTORS).map(|set| set.file).unwrap_or_default();
    let services = files.iter().flat_map(|file| file.service.iter().map(|service| (file.package(), service)));
    let of_service = services.flat_map(|(package, service)| {
        service.method.iter().map(move |method| format!("{package}.{}/{}", service.name(), method.name()))
    });
    of_service.collect()
});

/// The same services, whose calls are counted.
pub(crate) fn counted(services: Routes, metrics: Arc<Metrics>) -> Routes {
    services.into_axum_router().layer(from_fn_with_state(metrics, count)).into()
}

async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let mut call = Call::begin(metrics, METHODS.get(path).map_or(OTHER, String::as_str));
    let response = next.run(request).await;
    // A call that is refused at once has its status before any message.
    call.look(response.headers());
    response.map(|body| Body::new(Counted { body, call }))
}

/// A call under way; one that is dropped before its status is known was given up by its caller.
struct Call {
    metrics: Arc<Metrics>,
    method: &'static str,
    began: Instant,
    status: Option<Status>,
}

impl Call {
    fn begin(metrics: Arc<Metrics>, method: &'static str) -> Call {
        metrics.calls_running.inc();
        Call { metrics, method, began: Instant::now(), status: None }
    }

    fn look(&mut self, headers: &HeaderMap) {
        self.status = Status::from_header_map(headers).or(self.status.take());
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Call { metrics, method, began, status } = self;
        let code = code_name(status.as_ref().map_or(Code::Cancelled, Status::code));
        metrics.calls_running.dec();
        metrics.calls.get_or_create(&CallLabels { method, code }).inc();
        metrics.call_seconds.get_or_create(&MethodLabels { method }).observe(began.elapsed().as_secs_f64());
        if let Some(class) = status.as_ref().and_then(class_of) {
            metrics.calls_refused.get_or_create(&ClassLabels { class: class.name() }).inc();
        }
    }
}

/// A response whose trailers are looked at.
struct Counted {
    body: Body,
    call: Call,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            self.call.look(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// The names of gRPC's documentation.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_choose_no_labels() {
        for known in ["holdfast.v1.Miner/Ping", "holdfast.v1.Validator/History"] {
            assert!(METHODS.contains(known), "{known}");
        }
        for unknown in ["", "holdfast.v1.Miner/", "holdfast.v1.Miner/Pong", "/holdfast.v1.Miner/Ping"] {
            assert!(!METHODS.contains(unknown), "{unknown}");
        }
    }
}
