//! The pages that operators and orchestrators ask for.
//!
//! `/healthz` says that the process lives and never depends on Kafka, or an outage would become a restart
//! loop; `/readyz` says whether it can do its work.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::metrics;

/// A refusal as `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of problem, as a URI reference; `about:blank` when the status says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, with the next step.
    pub detail: String,
}

impl Problem {
    /// A problem whose kind is its status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        let media = header::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media);
        response
    }
}

/// Routes `/healthz`, `/readyz` and `/metrics`. `ready` is asked each time and gives the reason when not.
pub fn admin_router<F>(ready: F) -> Router
where
    F: Fn() -> Result<(), String> + Clone + Send + Sync + 'static,
{
    admin_router_with(ready, String::new)
}

/// Routes as [`admin_router`] does; what `more` says each time, lines that each end, stands behind `ready`.
pub fn admin_router_with<F, M>(ready: F, more: M) -> Router
where
    F: Fn() -> Result<(), String> + Clone + Send + Sync + 'static,
    M: Fn() -> String + Clone + Send + Sync + 'static,
{
    let readiness = move || {
        let (answer, more) = (ready(), more());
        async move {
            match answer {
                Ok(()) => format!("ready\n{more}").into_response(),
                Err(reason) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response(),
            }
        }
    };
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(readiness))
        .route("/metrics", get(async || metrics_page()))
}

fn metrics_page() -> Response {
    match metrics::text() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("failed to {error}")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn readiness_is_asked_each_time_and_health_never_depends_on_it() {
        let sighted = Arc::new(AtomicBool::new(false));
        let asked = sighted.clone();
        let ready = move || {
            let sighted = asked.load(Ordering::SeqCst);
            sighted.then_some(()).ok_or_else(|| "the log has not been read to its end".to_owned())
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, admin_router(ready)).await });

        let get = async |path: &str| {
            let mut stream = tokio::net::TcpStream::connect(address).await.expect("connect");
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.expect("send");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("read");
            answer
        };
        assert!(get("/healthz").await.starts_with("HTTP/1.1 200"));
        let blind = get("/readyz").await;
        assert!(blind.starts_with("HTTP/1.1 503") && blind.contains("application/problem+json"), "{blind}");
        assert!(blind.contains("the log has not been read to its end"), "{blind}");
        sighted.store(true, Ordering::SeqCst);
        assert!(get("/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(get("/metrics").await.contains(metrics::CONTENT_TYPE));
    }
}
