//! What burns, who was told, and silences: in the shapes of Alertmanager's API, version 2, so that its tools can ask.
//!
//! Silences are written from this machine alone until there is authentication.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{delete, get};
use axum::{Json, Router};
use pavane_alerts::body::{fingerprint, rfc3339};
use pavane_alerts::{Explanation, Fate, Matcher, Silence};
use pavane_events::{EventId, Timestamp};
use pavane_sentinel_engine::Alert;
use pavane_telemetry::Problem;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::PATIENCE;
use crate::alert::dispatcher::{Followed, Question};
use crate::alert::marks::{Marks, Row, silence_key};
use crate::clock::wall;

/// The way to whoever tells people.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) questions: mpsc::Sender<Question>,
    pub(crate) marks: Arc<Marks>,
}

impl Desk {
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, Problem> {
        let (to, answer) = oneshot::channel();
        let asked = async {
            self.questions.send(question(to)).await.ok()?;
            answer.await.ok()
        };
        let slow = || {
            let detail = format!("no answer within {PATIENCE:?}; try again");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten().ok_or_else(slow)
    }
}

/// The routes about alerts.
pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/api/v2/alerts", get(alerts))
        .route("/api/v2/silences", get(silences).post(silence))
        .route("/api/v2/silence/{id}", delete(unsilence))
        .route("/api/v1/alerts/explain", get(explain))
        .with_state(desk)
}

async fn alerts(State(desk): State<Desk>) -> Result<Json<Vec<Value>>, Problem> {
    let told = desk.ask(Question::Alerts).await?;
    let names = names(&told);
    Ok(Json(told.iter().map(|(alert, fates)| shown(alert, fates, &names)).collect()))
}

/// The names of alerts by their ids.
type Names = BTreeMap<EventId, String>;

fn names(all: &[Followed]) -> Names {
    let name = |(alert, _): &Followed| Some((alert.id.clone(), alert.labels.get("alertname")?.clone()));
    all.iter().filter_map(name).collect()
}

/// An alert as Alertmanager shows it; each receiver with what became of it there.
fn shown(alert: &Alert, fates: &[(String, Fate)], names: &Names) -> Value {
    let by = |wanted: &dyn Fn(&Fate) -> Option<String>| -> Vec<String> {
        let mut by: Vec<_> = fates.iter().filter_map(|(_, fate)| wanted(fate)).collect();
        by.sort();
        by.dedup();
        by
    };
    let silenced = by(&|fate| if let Fate::Silenced(id) = fate { Some(id.clone()) } else { None });
    let inhibited = by(&|fate| if let Fate::Inhibited(id) = fate { Some(id.to_string()) } else { None });
    let state = if silenced.is_empty() && inhibited.is_empty() { "active" } else { "suppressed" };
    let receivers: Vec<Value> =
        fates.iter().map(|(name, fate)| json!({ "name": name, "fate": told(fate, names) })).collect();
    json!({
        "id": alert.id,
        "fingerprint": fingerprint(&alert.labels),
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": rfc3339(alert.starts_at),
        "endsAt": alert.ends_at.map(rfc3339),
        "status": { "state": state, "silencedBy": silenced, "inhibitedBy": inhibited, "mutedBy": [] },
        "receivers": receivers,
    })
}

/// What became of an alert, in words.
fn told(fate: &Fate, names: &Names) -> String {
    match fate {
        Fate::Told => "told".to_owned(),
        Fate::Waits(until) => format!("waits for others of its group until {}", rfc3339(*until)),
        Fate::Silenced(id) => format!("not told: silence {id}"),
        Fate::Inhibited(id) => {
            let name = names.get(id).map_or("another alert", String::as_str);
            format!("not told: {name} says it already (alert {id})")
        }
        Fate::Over => "over before it was told".to_owned(),
        Fate::Spared => {
            "not told: it began before the receiver was known, or more than three days ago".to_owned()
        }
    }
}

async fn silences(State(desk): State<Desk>) -> Result<Json<Vec<Value>>, Problem> {
    let now = wall();
    let silences = desk.ask(Question::Silences).await?;
    Ok(Json(silences.iter().map(|silence| silence.shown(now)).collect()))
}

/// A silence as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<Matcher>,
    starts_at: String,
    ends_at: String,
    created_by: String,
    comment: String,
}

/// The answer to a silence that was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    #[serde(rename = "silenceID")]
    silence_id: String,
}

async fn silence(
    State(desk): State<Desk>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    written: Result<Json<Written>, JsonRejection>,
) -> Result<Json<Given>, Problem> {
    of_this_machine(from, &headers)?;
    let Json(written) = written.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let silence = checked(written, wall())?;
    let silence_id = silence.id.clone();
    desk.marks.note(silence_key(&silence_id), Row::Silenced(silence));
    Ok(Json(Given { silence_id }))
}

async fn unsilence(
    State(desk): State<Desk>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    of_this_machine(from, &headers)?;
    let there = desk.ask(Question::Silences).await?.iter().any(|silence| silence.id == id);
    if !there {
        return Err(Problem::new(StatusCode::NOT_FOUND, "no silence has this id; see /api/v2/silences"));
    }
    desk.marks.erase(silence_key(&id));
    Ok(StatusCode::OK)
}

/// Only programs of this machine write; a page in a browser names another host, and is refused.
fn of_this_machine(from: SocketAddr, headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_local = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    if from.ip().to_canonical().is_loopback() && is_local && !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let detail = "silences are written from the sentinel's own machine; use `pavane alerts silence`";
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

fn checked(written: Written, now: Timestamp) -> Result<Silence, Problem> {
    let refuse = |detail: &str| Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    let moment = |text: &str| text.parse::<jiff::Timestamp>().map(|at| Timestamp(at.as_millisecond()));
    let (Ok(starts_at), Ok(ends_at)) = (moment(&written.starts_at), moment(&written.ends_at)) else {
        return refuse("`startsAt` and `endsAt` are moments in RFC 3339, e.g. 2026-01-31T12:00:00Z");
    };
    let id = written.id.filter(|id| !id.is_empty()).unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let Written { matchers, created_by, comment, .. } = written;
    let silence = Silence { id, matchers, starts_at, ends_at, created_by, comment };
    silence.checked(now).or_else(|error| refuse(&format!("failed to {error}")))
}

async fn explain(
    State(desk): State<Desk>,
    Query(labels): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, Problem> {
    let asked = labels.clone();
    let Explanation { looked_at, receivers } = desk.ask(|to| Question::Way(asked, to)).await?;
    let meant = |alert: &Alert| labels.iter().all(|(name, value)| alert.labels.get(name) == Some(value));
    let burning = desk.ask(Question::Alerts).await?;
    let names = names(&burning);
    let burning = burning.iter().filter(|(alert, _)| meant(alert));
    let burning: Vec<Value> = burning.map(|(alert, fates)| shown(alert, fates, &names)).collect();
    let (now, silences) = (wall(), desk.ask(Question::Silences).await?);
    let silences = silences.iter().filter(|silence| silence.mutes(&labels, now));
    let silences: Vec<&str> = silences.map(|silence| silence.id.as_str()).collect();
    let looks: Vec<Value> = looked_at
        .iter()
        .map(|look| {
            let matchers: Vec<Value> = look
                .matchers
                .iter()
                .map(|(matcher, holds)| json!({ "matcher": matcher.to_string(), "holds": holds }))
                .collect();
            json!({ "depth": look.depth, "receiver": look.receiver, "matchers": matchers, "took": look.took })
        })
        .collect();
    let (receivers, routes) = (json!(receivers), json!(looks));
    Ok(Json(json!({ "receivers": receivers, "routes": routes, "silencedBy": silences, "alerts": burning })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_of_this_machine_write_silences() {
        let elsewhere = Some("https://evil.example");
        for (from, host, origin, is_ours) in [
            ("127.0.0.1:40000", "127.0.0.1:3651", None, true),
            ("[::1]:40000", "[::1]:3651", None, true),
            ("[::ffff:127.0.0.1]:40000", "localhost:3651", None, true),
            ("10.0.0.7:40000", "127.0.0.1:3651", None, false),
            ("192.168.1.9:40000", "sentinel:3651", None, false),
            // a page in a browser of this machine: by a name that leads here, or from elsewhere
            ("127.0.0.1:40000", "evil.example:3651", None, false),
            ("127.0.0.1:40000", "localhost:3651", elsewhere, false),
            ("127.0.0.1:40000", "", None, false),
        ] {
            let value = header::HeaderValue::from_static;
            let mut headers = HeaderMap::from_iter([(header::HOST, value(host))]);
            headers.extend(origin.map(|origin| (header::ORIGIN, value(origin))));
            let found = of_this_machine(from.parse().expect("an address"), &headers);
            assert_eq!(found.is_ok(), is_ours, "{from} {headers:?}");
        }
    }

    #[test]
    fn a_silence_that_is_written_over_http_must_say_all_and_end_later() {
        let now = Timestamp(1_795_269_600_000);
        let written = |ends_at: &str, comment: &str| Written {
            id: None,
            matchers: vec![Matcher::equal("rollout", "r-42")],
            starts_at: "2026-11-21T14:00:00Z".to_owned(),
            ends_at: ends_at.to_owned(),
            created_by: "anna".to_owned(),
            comment: comment.to_owned(),
        };
        let silence = checked(written("2026-11-21T15:00:00Z", "known"), now).expect("it may be written");
        let shown = silence.shown(now);
        assert_eq!(shown["endsAt"], "2026-11-21T15:00:00Z", "{shown}");
        assert_eq!((&shown["createdBy"], &shown["status"]["state"]), (&"anna".into(), &"active".into()));
        assert_eq!(silence.shown(silence.ends_at)["status"]["state"], "expired");
        for (ends_at, comment) in
            [("2026-11-21T13:00:00Z", "known"), ("2026-11-21T15:00:00Z", " "), ("tomorrow", "known")]
        {
            assert!(checked(written(ends_at, comment), now).is_err(), "{ends_at:?} {comment:?}");
        }
    }
}
