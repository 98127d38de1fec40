//! The service's door: `POST /v1/events`, where the service itself says what happened to it.
//!
//! The answer comes when the broker has the event, or when the journal has it where `ack=local` asks for that. The door
//! is for the service beside it alone: a request that comes from a web page, or under a name that leads here by a trick
//! of DNS, is refused. When too much comes at a time the door reads on later; what it has taken it never drops.

mod cloud;
mod given;
mod listen;
mod reply;
mod serve;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use pavane_bus::{Encoded, Error as BusError, Writer};
use pavane_events::{Envelope, EventId, Source, Version};
use pavane_sidecar_engine::AUTHORITY;
use pavane_telemetry::admin_router_with;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::config::Config;
use crate::letter::Content;
use crate::outbox::{Answer, Outbox, Post};
use crate::probe;
use crate::question;
use crate::service::Desk;
use crate::shared::Shared;
use crate::telemetry;
use crate::twin;
use given::{Asked, Given};
use reply::Reply;
pub(crate) use serve::Room;

/// The most that an event may hold, and a batch of them, in bytes.
const LONGEST: usize = 64 * 1024;
const LONGEST_BATCH: usize = 1024 * 1024;
/// How long a request may take to arrive, once the door reads it.
const READING: Duration = Duration::from_secs(10);
/// How many requests the door reads and encodes at a time; the others wait in their connections.
pub(crate) const AT_A_TIME: usize = 32;
/// How long the broker may take to answer for an event.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the service may take to say its version while it waits for the door's answer.
const VERSION_PATIENCE: Duration = Duration::from_secs(1);

/// What the door knows.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) config: Arc<Config>,
    pub(crate) boot: String,
    pub(crate) source: Source,
    pub(crate) client: reqwest::Client,
    pub(crate) shared: Arc<Shared>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) intake: Arc<Semaphore>,
    pub(crate) room: Room,
}

/// How the event stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Structured,
    Binary,
    Batch,
}

/// An event in the line, until its answer.
struct Waiting {
    id: EventId,
    answer: oneshot::Receiver<Answer>,
}

/// The door, with health and metrics beside it; `near` where only this user can reach it.
fn router(door: Door, desk: Desk, near: bool) -> Router {
    let service = probe::router(door.shared.clone());
    let (shared, strict) = (door.shared.clone(), door.config.ready_needs_kafka);
    let ready = move || {
        if let Some(twin) = shared.twin() {
            return Err(twin::complaint(&twin));
        }
        shared.blindness().filter(|_| strict).map_or(Ok(()), Err)
    };
    let shared = door.shared.clone();
    let more = move || {
        let paused =
            if shared.is_strained() { "paused: it holds more memory than `limits.memory`\n" } else { "" };
        let blind = shared.blindness().map(|why| format!("blind: {why}\n")).unwrap_or_default();
        format!("rollback authority: {AUTHORITY}\n{paused}{blind}")
    };
    let say = move |State(door): State<Door>, request: Request| async move {
        let response = match door.say(request, near).await {
            Ok(response) => response,
            Err(reply) => reply.into_response(),
        };
        telemetry::asked(response.status().as_u16());
        response
    };
    let pages = Router::new().route("/v1/events", post(say)).with_state(door);
    pages
        .merge(service)
        .merge(desk.caller.callbacks.clone().router())
        .merge(desk.router())
        .merge(admin_router_with(ready, more))
        .fallback(reply::no_page)
        .method_not_allowed_fallback(reply::no_page)
}

impl Door {
    /// What bounds how many requests are read at a time.
    pub(crate) fn intake() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(AT_A_TIME))
    }

    async fn say(&self, request: Request, near: bool) -> Result<Response, Reply> {
        let (Parts { uri, headers, .. }, body) = request.into_parts();
        if !near {
            self.check_origin(&headers)?;
        }
        let form = form(&headers)?;
        let asked =
            given::asked(uri.query()).map_err(|findings| Reply::findings("read the request", &findings))?;
        let reading = self.intake.acquire().await;
        let body = read(body, form).await?;
        if form == Form::Batch {
            return self.say_all(asked, &headers, &body, Instant::now() + PATIENCE).await;
        }
        if !body.is_empty() && media(&headers).is_empty() {
            return Err(unsupported("", "application/json"));
        }
        let domain = self.config.domain.as_str();
        let given = match form {
            Form::Binary => cloud::binary(&headers, &body, domain),
            Form::Structured => cloud::structured(&headers, &body, domain),
            Form::Plain | Form::Batch => given::read(uri.query(), &headers, &body),
        };
        let given = given.map_err(|findings| Reply::findings("read the request", &findings))?;
        let waiting = self.bring(given, asked, Instant::now() + PATIENCE).await?;
        drop(reading);
        Ok(self.wait(waiting, Instant::now() + PATIENCE).await.into_response())
    }

    /// Brings each event of a batch into the line, in their order, and then waits for all.
    async fn say_all(
        &self,
        asked: Asked,
        headers: &HeaderMap,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<Response, Reply> {
        let wrong = |findings: Vec<_>| Reply::findings("read the request", &findings);
        if asked.event || headers.contains_key("idempotency-key") {
            let help = "each event of a batch has its own type and id";
            return Err(wrong(vec![given::finding("", "the request says more than its batch", help)]));
        }
        let mut brought = Vec::new();
        for event in cloud::batch(body).map_err(wrong)? {
            let event = event.get().as_bytes();
            brought.push(match cloud::structured(headers, event, self.config.domain.as_str()) {
                _ if event.len() > LONGEST => Err(too_large(LONGEST)),
                Ok(given) => self.bring(given, asked, deadline).await,
                Err(findings) => Err(wrong(findings)),
            });
        }
        let mut replies = Vec::new();
        for brought in brought {
            replies.push(match brought {
                Ok(waiting) => self.wait(waiting, deadline).await,
                Err(reply) => reply,
            });
        }
        Ok(reply::batch(replies))
    }

    /// Brings an event into the line.
    async fn bring(&self, given: Given, asked: Asked, deadline: Instant) -> Result<Waiting, Reply> {
        if let Some(twin) = self.shared.twin() {
            return Err(Reply::problem(StatusCode::CONFLICT, twin::complaint(&twin)));
        }
        if self.shared.is_strained() {
            telemetry::turned_away("memory");
            let detail = "the sidecar holds more memory than `limits.memory` lets it and takes in nothing until what waits has left; say it again later";
            return Err(Reply::away(None, detail));
        }
        let Asked { local, .. } = asked;
        let writer = self.shared.writer.get();
        let writer = writer.ok_or_else(|| Reply::away(None, "Kafka has not been reached yet"))?;
        let (keyed, digest, event) = (given.id.is_some(), given.digest(), given.event);
        if keyed && !local && timeout_at(deadline, self.shared.caught_up.cancelled()).await.is_err() {
            let detail = "the log is still being read for what was said under this id; say it again later";
            return Err(Reply::away(given.id.as_ref(), detail));
        }
        let encoded = self.encode(writer, &given).await?;
        let envelope = self.envelope(given).await;
        let id = envelope.id.clone();
        let content = Content::Given { event, encoded };
        let post = Post { envelope, content, digest, keyed, local };
        let answer = self.outbox.post(post).map_err(Reply::refused)?;
        Ok(Waiting { id, answer })
    }

    /// Waits for the broker, or for the journal.
    async fn wait(&self, waiting: Waiting, deadline: Instant) -> Reply {
        let Waiting { id, answer } = waiting;
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => Reply::answered(answer),
            Ok(Err(_)) => Reply::away(Some(&id), "the sidecar is stopping"),
            Err(_) => {
                let kept = if self.outbox.remember(&id) { "is kept and" } else { "is not kept safely, but" };
                let detail = format!(
                    "Kafka has not answered in time; the event {kept} will be sent: to be sure, say it again under the same id"
                );
                Reply::away(Some(&id), &detail)
            }
        }
    }

    /// Encodes the data by its contract; while the broker does not answer, by the contract that is known.
    async fn encode(&self, writer: &Writer, given: &Given) -> Result<Encoded, Reply> {
        let (service, event, data) = (&self.config.service, given.event, given.data.as_bytes());
        let encoded = if self.outbox.is_slow() {
            writer.encode_json_as_known(service, event, data).await
        } else {
            match writer.encode_json(service, event, data).await {
                Err(error) if error.is_transient() => writer.encode_json_as_known(service, event, data).await,
                encoded => encoded,
            }
        };
        encoded.map_err(|error| {
            if let BusError::Contract(error) = &error {
                return Reply::findings(&error.record, &error.findings);
            }
            if error.is_transient() {
                return Reply::away(
                    None,
                    &format!("the contract cannot be looked up: {error}; say it again later"),
                );
            }
            Reply::problem(StatusCode::INTERNAL_SERVER_ERROR, format!("failed to {error}"))
        })
    }

    async fn envelope(&self, given: Given) -> Envelope {
        let config = &self.config;
        let id =
            given.id.unwrap_or_else(|| EventId::new(Uuid::now_v7().to_string()).expect("a UUID is a name"));
        let mut envelope = Envelope::new(config.domain.clone(), self.source.clone(), id);
        envelope.time = given.time;
        envelope.subject = given.subject.or_else(|| Some(format!("service/{}", config.service)));
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

    /// Whether a request may be for the service beside it alone; the error is the refusal.
    pub(crate) fn admits(&self, headers: &HeaderMap, body: &Bytes) -> Result<(), Box<Response>> {
        self.check_origin(headers).map_err(|refusal| Box::new(refusal.into_response()))?;
        if body.is_empty() || media(headers).eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        Err(Box::new(unsupported(media(headers), "application/json").into_response()))
    }

    /// A page in a browser names its origin, and reaches a loopback address only under a name or by an address.
    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Reply> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(origin) = text(header::ORIGIN) {
            let detail =
                format!("requests from web pages are refused, and this one names the origin {origin:?}");
            return Err(Reply::problem(StatusCode::FORBIDDEN, detail));
        }
        let host = text(header::HOST).unwrap_or_default();
        let name = host_name(host);
        let by_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let known = by_address || name == "localhost" || self.config.hosts.iter().any(|host| host == name);
        if known {
            return Ok(());
        }
        let detail = format!("the host {host:?} is not known here; ask by address, or add it to `hosts`");
        Err(Reply::problem(StatusCode::FORBIDDEN, detail))
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
fn form(headers: &HeaderMap) -> Result<Form, Reply> {
    let media = media(headers);
    match media.to_ascii_lowercase().as_str() {
        "application/cloudevents+json" => Ok(Form::Structured),
        "application/cloudevents-batch+json" => Ok(Form::Batch),
        "application/json" | "" if headers.contains_key("ce-specversion") => Ok(Form::Binary),
        "application/json" | "" => Ok(Form::Plain),
        _ => Err(unsupported(
            media,
            "application/json`, `application/cloudevents+json` or `application/cloudevents-batch+json",
        )),
    }
}

fn media(headers: &HeaderMap) -> &str {
    let media = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("unreadable"));
    media.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

/// Reads a body that is no longer, and takes no longer, than it may.
async fn read(body: Body, form: Form) -> Result<Bytes, Reply> {
    let limit = if form == Form::Batch { LONGEST_BATCH } else { LONGEST };
    match timeout(READING, to_bytes(body, limit)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if is_limit(&error) => Err(too_large(limit)),
        Ok(Err(error)) => {
            Err(Reply::problem(StatusCode::BAD_REQUEST, format!("the body does not arrive whole: {error}")))
        }
        Err(_) => Err(Reply::problem(
            StatusCode::REQUEST_TIMEOUT,
            "the body has not arrived within 10 s; send it at once",
        )),
    }
}

fn is_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("length limit"))
}

fn too_large(limit: usize) -> Reply {
    Reply::problem(StatusCode::PAYLOAD_TOO_LARGE, format!("it is larger than {limit} bytes; shorten it"))
}

fn unsupported(media: &str, wanted: &str) -> Reply {
    let detail = format!("the body is {media:?}; send `content-type: {wanted}`");
    Reply::problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
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

    #[test]
    fn the_form_of_a_request_is_told_from_its_headers() {
        let form_of = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            form(&headers).map_err(|reply| reply.status.as_u16())
        };
        let json = ("content-type", "application/json; charset=utf-8");
        assert_eq!(form_of(&[json]), Ok(Form::Plain));
        assert_eq!(form_of(&[]), Ok(Form::Plain));
        assert_eq!(form_of(&[json, ("ce-specversion", "1.0")]), Ok(Form::Binary));
        assert_eq!(form_of(&[("content-type", "Application/CloudEvents+JSON")]), Ok(Form::Structured));
        assert_eq!(form_of(&[("content-type", "application/cloudevents-batch+json")]), Ok(Form::Batch));
        assert_eq!(form_of(&[("content-type", "text/plain"), ("ce-specversion", "1.0")]), Err(415));
    }
}
