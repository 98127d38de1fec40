//! What the service asks of its sidecar beside saying events: to be drained, to tell how far a deployment has come.
//!
//! | request | what it does |
//! |---|---|
//! | `POST /v1/service/drain` | runs the service's own drain hook until nothing is in flight, then says `Drained` |
//! | `POST /v1/progress` | says `Progress`: which part of a deployment went forward; it moves no deadline |

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use pavane_events::control::Progress;
use pavane_events::service::Drained;
use pavane_events::{Body, Envelope, EventId, RolloutId};
use pavane_sidecar_engine::{Call, HookOutcome};
use pavane_telemetry::Problem;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::Drain;
use crate::door::Door;
use crate::hook::Caller;
use crate::letter::Content;
use crate::outbox::{Answer, Post};

/// The most that a request may hold, in bytes.
const LONGEST: usize = 8 * 1024;
/// The most that a person is told of a part, in bytes.
const DETAIL: usize = 1024;
/// The parts of a deployment that may be told of.
const PARTS: [&str; 3] = ["pull", "schedule", "network"];
/// How many tellings may come at once, and how long each takes to be allowed again.
const BURST: u32 = 10;
const EVERY: Duration = Duration::from_secs(1);
/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait before a drain hook is asked again that could not answer.
const AGAIN: Duration = Duration::from_secs(1);
/// What a drain hook finds for a rollout when none is open.
const NO_ROLLOUT: &str = "none";

/// What answers the service.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) door: Door,
    pub(crate) caller: Caller,
    /// Held while the service is drained; whether it has been, in this boot.
    drained: Arc<tokio::sync::Mutex<bool>>,
    tellings: Arc<Mutex<Allowance>>,
}

/// How many tellings are allowed at present.
#[derive(Debug)]
struct Allowance {
    left: u32,
    since: Instant,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    part: String,
    #[serde(default)]
    detail: String,
    rollout: Option<String>,
}

impl Desk {
    pub(crate) fn new(door: Door, caller: Caller) -> Self {
        let tellings = Allowance { left: BURST, since: Instant::now() };
        Self { door, caller, drained: Arc::default(), tellings: Arc::new(Mutex::new(tellings)) }
    }

    /// The routes.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/v1/service/drain", post(drain))
            .route("/v1/progress", post(progress))
            .layer(DefaultBodyLimit::max(LONGEST))
            .with_state(self)
    }

    /// Drains the service, and says so; at most once in a boot.
    pub(crate) async fn drain_once(&self, drain: &Drain, cut: &CancellationToken) -> Response {
        let mut drained = self.drained.lock().await;
        if *drained {
            return Json(json!({ "again": true })).into_response();
        }
        match self.run_hook(drain, cut).await {
            Ok(()) => {
                *drained = true;
                let detail = "the service's drain hook says that nothing is in flight".to_owned();
                let content = Content::Own(Body::from(Drained { detail }));
                self.say(self.envelope(self.door.shared.rollout()), content).await
            }
            Err(why) => {
                tracing::error!(why, "the service is not drained");
                problem(StatusCode::GATEWAY_TIMEOUT, format!("the service is not drained: {why}"))
            }
        }
    }

    /// Runs the service's drain hook until nothing is in flight; the error says what is.
    async fn run_hook(&self, drain: &Drain, cut: &CancellationToken) -> Result<(), String> {
        let begun = Instant::now();
        let run = Uuid::now_v7().to_string();
        let mut attempt = 1;
        loop {
            let left = drain.timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(format!("work was still in flight after {} s", drain.timeout.as_secs()));
            }
            let call = self.call(&run, attempt, left);
            let wait = match self.caller.ask(&drain.hook, &call, None, cut).await {
                HookOutcome::Done => return Ok(()),
                HookOutcome::InProgress { after } => Duration::from_millis(after.max(0).unsigned_abs()),
                HookOutcome::Retry(failure) => {
                    tracing::warn!(reason = failure.reason, "the drain hook is asked again");
                    attempt += 1;
                    AGAIN
                }
                HookOutcome::Failed(failure) => return Err(failure.reason),
            };
            tokio::select! {
                () = sleep(wait.min(left)) => {}
                () = cut.cancelled() => return Err("the sidecar's own time was over".to_owned()),
            }
        }
    }

    fn call(&self, run: &str, attempt: u32, left: Duration) -> Call {
        let none = || RolloutId::new(NO_ROLLOUT).expect("a name");
        Call {
            ticket: 0,
            reaction: "drain".to_owned(),
            run: run.to_owned(),
            attempt,
            limit: i64::try_from(left.as_millis()).unwrap_or(i64::MAX),
            rollout: self.door.shared.rollout().unwrap_or_else(none),
            epoch: 0,
            step: None,
            from: self.door.shared.version(),
            to: None,
            trigger: None,
        }
    }

    fn envelope(&self, rollout: Option<RolloutId>) -> Envelope {
        let config = &self.door.config;
        let id = EventId::new(Uuid::now_v7().to_string()).expect("a UUID is a name");
        let mut envelope = Envelope::new(config.domain.clone(), self.door.source.clone(), id);
        envelope.subject = Some(format!("service/{}", config.service));
        envelope.rollout = rollout;
        envelope.service = Some(config.service.clone());
        envelope.instance = Some(config.instance.clone());
        envelope.zone.clone_from(&config.zone);
        envelope.boot = Some(self.door.boot.clone());
        envelope.version = self.door.shared.version();
        envelope
    }

    /// Hands an event over and waits until the broker has it.
    async fn say(&self, envelope: Envelope, content: Content) -> Response {
        let id = envelope.id.clone();
        let away = |why: &str| later(StatusCode::SERVICE_UNAVAILABLE, why);
        let post = Post { envelope, content, digest: 0, keyed: false, local: false };
        let Ok(answered) = self.door.outbox.post(post) else {
            return away("Kafka takes no events at present, or the sidecar is stopping");
        };
        match timeout(PATIENCE, answered).await {
            Ok(Ok(Answer::Appended(place))) => {
                let place = json!({ "id": id, "partition": place.partition, "offset": place.offset });
                (StatusCode::CREATED, Json(place)).into_response()
            }
            Ok(Ok(Answer::Kept { .. })) => (StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response(),
            Ok(Ok(Answer::Never(error))) => problem(StatusCode::UNPROCESSABLE_ENTITY, error),
            Ok(Ok(Answer::Full)) => {
                problem(StatusCode::INSUFFICIENT_STORAGE, "the disk under the journal is full")
            }
            Ok(Err(_)) => away("the sidecar is stopping"),
            Err(_) => {
                self.door.outbox.remember(&id);
                away("Kafka has not answered in time; the event is kept and will be sent")
            }
        }
    }

    fn is_allowed(&self) -> bool {
        self.tellings.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let back = now.saturating_duration_since(self.since).as_secs() / EVERY.as_secs();
        if back > 0 {
            self.left = self.left.saturating_add(u32::try_from(back).unwrap_or(u32::MAX)).min(BURST);
            self.since = now;
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

async fn drain(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = desk.door.admits(&headers, &body) {
        return *refusal;
    }
    let Some(drain) = desk.door.config.drain.clone() else {
        let detail = "the sidecar's file has no `drain:`; say how the service is drained there";
        return problem(StatusCode::CONFLICT, detail);
    };
    desk.drain_once(&drain, &CancellationToken::new()).await
}

async fn progress(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = desk.door.admits(&headers, &body) {
        return *refusal;
    }
    let told = match read(&body) {
        Ok(told) => told,
        Err(why) => return problem(StatusCode::UNPROCESSABLE_ENTITY, why),
    };
    let named = match told.rollout.map(RolloutId::new).transpose() {
        Ok(named) => named,
        Err(error) => return problem(StatusCode::UNPROCESSABLE_ENTITY, format!("`rollout`: {error}")),
    };
    let Some(rollout) = named.or_else(|| desk.door.shared.rollout()) else {
        return problem(StatusCode::CONFLICT, "no open rollout owns the service; name one as `rollout`");
    };
    if !desk.is_allowed() {
        return later(
            StatusCode::TOO_MANY_REQUESTS,
            "too many tellings: ten at once and one a second are taken",
        );
    }
    let body = Body::from(Progress { part: told.part, detail: told.detail });
    desk.say(desk.envelope(Some(rollout)), Content::Own(body)).await
}

fn read(body: &[u8]) -> Result<Told, String> {
    let told: Told =
        serde_json::from_slice(body).map_err(|error| format!("the body cannot be read: {error}"))?;
    if !PARTS.contains(&told.part.as_str()) {
        return Err(format!("`part` is {:?}; it is one of {}", told.part, PARTS.join(", ")));
    }
    if told.detail.len() > DETAIL {
        return Err(format!("`detail` is longer than {DETAIL} bytes; shorten it"));
    }
    Ok(told)
}

fn problem(status: StatusCode, detail: impl Into<String>) -> Response {
    Problem::new(status, detail).into_response()
}

fn later(status: StatusCode, detail: &str) -> Response {
    let mut response = problem(status, detail);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_tellings_is_cut_to_one_a_second() {
        let begin = Instant::now();
        let mut allowance = Allowance { left: BURST, since: begin };
        let at = |ms| begin + Duration::from_millis(ms);
        assert_eq!((0..100).filter(|_| allowance.take(at(1))).count(), 10);
        let later = (1..=5_000).filter(|ms| allowance.take(at(*ms))).count();
        assert_eq!(later, 5);
        assert_eq!(
            (0..100).filter(|_| allowance.take(at(3_600_000))).count(),
            10,
            "never more than the burst"
        );
    }

    #[test]
    fn a_part_is_one_of_three_and_its_detail_short() {
        assert_eq!(read(br#"{"part":"pull","detail":"3 of 7 layers"}"#).unwrap().detail, "3 of 7 layers");
        for (body, words) in [
            (r#"{"part":"dance"}"#.to_owned(), "pull, schedule, network"),
            (r#"{"part":"pull","deadline":"1h"}"#.to_owned(), "unknown field `deadline`"),
            (format!(r#"{{"part":"pull","detail":"{}"}}"#, "x".repeat(2_000)), "longer than 1024"),
        ] {
            let error = read(body.as_bytes()).err().unwrap();
            assert!(error.contains(words), "{error}");
        }
    }
}
