//! `GET /v1/service/readyz`: whether the service is well, and if not, which check is not and by how much.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pavane_sidecar_engine::Verdict;
use pavane_sidecar_engine::health::{Condition, Side, Standing};
use pavane_telemetry::Problem;
use serde_json::{Map, Value, json};

use super::watch::Seen;
use crate::shared::Shared;

/// The page on the service's readiness.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/v1/service/readyz", get(ready)).with_state(shared)
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let Some(watched) = shared.watched.get() else {
        let detail = "the sidecar's file has no `ready:`, so nothing is known of the service's readiness";
        return Problem::new(StatusCode::NOT_FOUND, detail).into_response();
    };
    let (status, body) = told(&watched.look());
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn told(seen: &Seen) -> (StatusCode, Value) {
    let (status, word) = match &seen.verdict {
        Verdict::Ready => (StatusCode::OK, "ready"),
        Verdict::Starting(_) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Verdict::Sick(_) => (StatusCode::SERVICE_UNAVAILABLE, "sick"),
    };
    let checks: Vec<Value> = seen.standings.iter().map(check).collect();
    (status, json!({ "status": word, "reason": seen.verdict.reason(), "checks": checks }))
}

/// One check: what is not known of it is left out.
fn check(standing: &Standing) -> Value {
    let mut check = Map::new();
    let mut put = |name: &str, value: Value| check.insert(name.to_owned(), value);
    put("name", json!(standing.check.name));
    put("status", json!(standing.condition.as_str()));
    if standing.condition != Condition::Well {
        put("reason", json!(standing.reason()));
    }
    if let Some(value) = standing.value() {
        put("value", json!(value.get()));
    }
    if let Some((bound, limit)) = standing.check.bound.zip(standing.bound()) {
        let side = match bound.side {
            Side::AtMost => "at_most",
            Side::AtLeast => "at_least",
        };
        put(side, json!(limit.get()));
    }
    if let Some(off) = standing.off_by() {
        put("off_by", json!(off.get()));
    }
    if !standing.check.unit.is_empty() {
        put("unit", json!(standing.check.unit));
    }
    Value::Object(check)
}
