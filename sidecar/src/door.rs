//! The service's door: `POST /v1/events`, where the service itself says what happened to it.
//!
//! The answer comes when the broker has the event, not before. The door is for the service beside it alone: a
//! request that comes from a web page, or under a name that leads here by a trick of DNS, is refused.

mod given;
mod reply;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use pavane_bus::Error as BusError;
use pavane_events::{Envelope, EventId, Source, Version};
use pavane_telemetry::{Problem, admin_router};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use crate::config::Config;
use crate::letter::Content;
use crate::line::Answer;
use crate::probe;
use crate::question;
use crate::shared::Shared;
use crate::telemetry;
use given::Given;
use reply::{away, created, refused};

/// The most that a request may hold, in bytes.
const LONGEST: usize = 64 * 1024;
/// How long the broker may take to answer for an event.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the service may take to say its version while it waits for the door's answer.
const VERSION_PATIENCE: Duration = Duration::from_secs(1);

/// An event that the service says.
pub(crate) struct Request {
    pub(crate) envelope: Envelope,
    pub(crate) content: Content,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What the door knows.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) config: Arc<Config>,
    pub(crate) boot: String,
    pub(crate) source: Source,
    pub(crate) client: reqwest::Client,
    pub(crate) shared: Arc<Shared>,
    pub(crate) requests: UnboundedSender<Request>,
}

/// The door, with health and metrics beside it.
pub(crate) fn router(door: Door) -> Router {
    let service = probe::router(door.shared.clone());
    let (shared, strict) = (door.shared.clone(), door.config.ready_needs_kafka);
    let ready = move || {
        if strict && !shared.is_sighted() {
            return Err("the log has not been read to its end, or cannot be read".to_owned());
        }
        Ok(())
    };
    Router::new()
        .route("/v1/events", post(say))
        .layer(DefaultBodyLimit::max(LONGEST))
        .with_state(door)
        .merge(service)
        .merge(admin_router(ready))
}

async fn say(
    State(door): State<Door>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let response = match door.say(query.as_deref(), &headers, body).await {
        Ok(response) | Err(response) => response,
    };
    telemetry::asked(response.status().as_u16());
    response
}

impl Door {
    async fn say(
        &self,
        query: Option<&str>,
        headers: &HeaderMap,
        body: Result<Bytes, BytesRejection>,
    ) -> Result<Response, Response> {
        self.check_origin(headers).map_err(|refusal| *refusal)?;
        let body = body.map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                problem(error.status(), format!("the request is larger than {LONGEST} bytes; shorten it"))
            }
            status => problem(status, error.body_text()),
        })?;
        check_media(headers, &body).map_err(|refusal| *refusal)?;
        let given =
            given::read(query, headers, &body).map_err(|findings| refused("read the request", &findings))?;
        let writer = self.shared.writer.get().ok_or_else(|| away(None, "Kafka has not been reached yet"))?;
        if self.shared.is_blocked() {
            return Err(away(None, "Kafka takes no events at present"));
        }
        let encoded = writer.encode_json(&self.config.service, given.event, given.data.as_bytes()).await;
        let encoded = encoded.map_err(|error| {
            if let BusError::Contract(error) = &error {
                return refused(&error.record, &error.findings);
            }
            if error.is_transient() {
                return away(None, &format!("the contract cannot be looked up: {error}"));
            }
            problem(StatusCode::INTERNAL_SERVER_ERROR, format!("failed to {error}"))
        })?;
        let event = given.event;
        let envelope = self.envelope(given).await;
        self.bring(envelope, Content::Given { event, encoded }).await
    }

    /// Hands the event over and waits for the broker.
    async fn bring(&self, envelope: Envelope, content: Content) -> Result<Response, Response> {
        let id = envelope.id.clone();
        let (answer, answered) = oneshot::channel();
        let ended = |_| away(Some(&id), "the sidecar is stopping");
        let request = Request { envelope, content, answer };
        self.requests.send(request).map_err(|_| away(Some(&id), "the sidecar is stopping"))?;
        match timeout(PATIENCE, answered).await {
            Ok(answer) => match answer.map_err(ended)? {
                Ok(appended) => Ok(created(&id, appended.partition, appended.offset)),
                Err(error) => Err(problem(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    format!("the event can never be written: {error}"),
                )),
            },
            Err(_) => Err(away(
                Some(&id),
                "Kafka has not answered in time; the event is kept and will be sent: to be sure, say it again under the same id",
            )),
        }
    }

    async fn envelope(&self, given: Given) -> Envelope {
        let config = &self.config;
        let id =
            given.id.unwrap_or_else(|| EventId::new(Uuid::now_v7().to_string()).expect("a UUID is a name"));
        let mut envelope = Envelope::new(config.domain.clone(), self.source.clone(), id);
        envelope.subject = Some(format!("service/{}", config.service));
        envelope.rollout = given.rollout;
        envelope.causation = given.causation;
        envelope.service = Some(config.service.clone());
        envelope.instance = Some(config.instance.clone());
        envelope.zone.clone_from(&config.zone);
        envelope.boot = Some(self.boot.clone());
        envelope.traceparent = given.traceparent;
        envelope.version = match given.version {
            Some(version) => Some(version),
            None => self.version().await,
        };
        envelope
    }

    /// The version that runs. A service that says something may be too busy to be asked in return.
    async fn version(&self) -> Option<Version> {
        let asked = timeout(VERSION_PATIENCE, question::version(&self.client, &self.config.version)).await;
        asked.ok().and_then(Result::ok).or_else(|| self.shared.version())
    }

    /// A page in a browser names its origin, and reaches a loopback address only under a name or by an address.
    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Box<Response>> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(origin) = text(header::ORIGIN) {
            let detail =
                format!("requests from web pages are refused, and this one names the origin {origin:?}");
            return Err(Box::new(problem(StatusCode::FORBIDDEN, detail)));
        }
        let host = text(header::HOST).unwrap_or_default();
        let name = host_name(host);
        let by_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let known = by_address || name == "localhost" || self.config.hosts.iter().any(|host| host == name);
        if known {
            return Ok(());
        }
        let detail = format!("the host {host:?} is not known here; ask by address, or add it to `hosts`");
        Err(Box::new(problem(StatusCode::FORBIDDEN, detail)))
    }
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        Some(_) | None => host,
    }
}

/// A body is JSON and says so: what a web page can send without asking first is not.
fn check_media(headers: &HeaderMap, body: &Bytes) -> Result<(), Box<Response>> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if body.is_empty() || media.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("the body is {media:?}; send `content-type: application/json`");
    Err(Box::new(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)))
}

fn problem(status: StatusCode, detail: impl Into<String>) -> Response {
    Problem::new(status, detail).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_without_its_port() {
        for (host, name) in [
            ("127.0.0.1:3650", "127.0.0.1"),
            ("localhost", "localhost"),
            ("[::1]:3650", "[::1]"),
            ("[::1]", "[::1]"),
            ("evil.example:80", "evil.example"),
            ("", ""),
        ] {
            assert_eq!(host_name(host), name);
        }
    }
}
