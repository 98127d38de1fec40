//! What the door answers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pavane_bus::wire::Finding;
use pavane_events::EventId;
use pavane_telemetry::Problem;
use serde_json::{Value, json};

/// When to ask again, in seconds.
const RETRY_AFTER: &str = "2";

/// The broker has the event.
pub(super) fn created(id: &EventId, partition: i32, offset: i64) -> Response {
    (StatusCode::CREATED, Json(json!({ "id": id, "partition": partition, "offset": offset }))).into_response()
}

/// The request does not fit what it must fit: every finding with its JSON pointer.
pub(super) fn refused(what: &str, findings: &[Finding]) -> Response {
    let errors: Vec<Value> = findings
        .iter()
        .map(
            |finding| json!({ "pointer": finding.pointer, "message": finding.message, "help": finding.help }),
        )
        .collect();
    let detail = format!("{what}: {} thing(s) to mend", findings.len());
    extended(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail), "errors", errors.into())
}

/// The broker or the registry is away. With an id, the event may still come to the log under it.
pub(super) fn away(id: Option<&EventId>, detail: &str) -> Response {
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    let mut response = match id {
        Some(id) => extended(problem, "id", json!(id)),
        None => problem.into_response(),
    };
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    response
}

/// A problem with one member more.
fn extended(problem: Problem, name: &str, value: Value) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = serde_json::to_value(problem).unwrap_or_default();
    if let Some(members) = body.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    let media = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, media)], Json(body).into_response().into_body()).into_response()
}
