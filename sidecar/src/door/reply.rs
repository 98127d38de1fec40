//! What the door answers.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pavane_bus::wire::Finding;
use pavane_events::EventId;
use pavane_telemetry::Problem;
use serde_json::{Value, json};

use crate::outbox::{Answer, Receipt, Refusal};

/// When to ask again, in seconds.
const RETRY_AFTER: &str = "2";

/// An answer for one event.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    body: Value,
}

impl Reply {
    /// A refusal: what is wrong, and the next step.
    pub(super) fn problem(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, body: serde_json::to_value(Problem::new(status, detail)).unwrap_or_default() }
    }

    /// The request does not fit what it must fit: every finding with its JSON pointer.
    pub(super) fn findings(what: &str, findings: &[Finding]) -> Self {
        let errors: Vec<Value> = findings
            .iter()
            .map(|finding| json!({ "pointer": finding.pointer, "message": finding.message, "help": finding.help }))
            .collect();
        let detail = format!("{what}: {} thing(s) to mend", findings.len());
        Self::problem(StatusCode::UNPROCESSABLE_ENTITY, detail).with("errors", errors.into())
    }

    /// The broker or the registry is away. With an id, the event may still come to the log under it.
    pub(super) fn away(id: Option<&EventId>, detail: &str) -> Self {
        let reply = Self::problem(StatusCode::SERVICE_UNAVAILABLE, detail);
        match id {
            Some(id) => reply.with("id", json!(id)),
            None => reply,
        }
    }

    /// The event has its answer.
    pub(super) fn answered(answer: Answer) -> Self {
        match answer {
            Answer::Appended(receipt) => {
                let Receipt { id, sequence, partition, offset, .. } = receipt;
                let body = json!({ "id": id, "sequence": sequence, "ack": "broker", "partition": partition, "offset": offset });
                Self { status: StatusCode::CREATED, body }
            }
            Answer::Kept { id, sequence } => {
                let body = json!({ "id": id, "sequence": sequence, "ack": "local" });
                Self { status: StatusCode::ACCEPTED, body }
            }
            Answer::Never(error) => Self::problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("the event can never be written: {error}"),
            ),
            Answer::Full => Self::refused(Refusal::Full),
        }
    }

    /// The event was not taken.
    pub(super) fn refused(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Crowded { well: true } => Self::problem(
                StatusCode::TOO_MANY_REQUESTS,
                "more events wait for Kafka than `outbox` lets in; none is dropped, so say this one again later",
            ),
            Refusal::Crowded { well: false } => Self::problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "Kafka takes no events at present, and as many wait as `outbox` lets in; say this one again later",
            ),
            Refusal::Away => Self::away(
                None,
                "Kafka takes no events at present; say it again later, or with `ack=local` to have it kept here",
            ),
            Refusal::Full => Self::problem(
                StatusCode::INSUFFICIENT_STORAGE,
                "the disk under the sidecar's journal is full and the event is not kept; make room, or say it with `ack=broker`",
            ),
            Refusal::Conflict => Self::problem(
                StatusCode::CONFLICT,
                "an event with other content was said under this key; take a new key for a new event",
            ),
            Refusal::Ended => Self::away(None, "the sidecar is stopping; say it again once it runs"),
        }
    }

    /// As one of several: the status stands in it.
    pub(super) fn item(self) -> Value {
        let status = self.status.as_u16();
        self.with("status", json!(status)).body
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        if let Some(members) = self.body.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if !self.status.is_success() {
            let media = HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(header::CONTENT_TYPE, media);
        }
        if is_passing(self.status) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

/// The answers of a batch, in its order: the status that all have, or 207.
pub(super) fn batch(replies: Vec<Reply>) -> Response {
    let passing = replies.iter().any(|reply| is_passing(reply.status));
    let first = replies.first().map_or(StatusCode::OK, |reply| reply.status);
    let same = replies.iter().all(|reply| reply.status == first);
    let items: Vec<_> = replies.into_iter().map(Reply::item).collect();
    let mut response = (if same { first } else { StatusCode::MULTI_STATUS }, Json(items)).into_response();
    if passing {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    response
}

/// The answer where there is no page, or none that is asked so: what there is.
pub(super) async fn no_page(asked: Request) -> Reply {
    let detail = format!(
        "the sidecar does not answer {} {}; it answers POST /v1/events, POST /v1/progress, POST /v1/service/drain, \
         GET /v1/service/readyz, GET /healthz, GET /readyz and GET /metrics",
        asked.method(),
        asked.uri().path()
    );
    Reply::problem(StatusCode::NOT_FOUND, detail)
}

/// What is otherwise a little later.
fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::INSUFFICIENT_STORAGE
    )
}
