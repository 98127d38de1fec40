//! What the sentinel answers: health, readiness, metrics, and how the rollouts stand.

pub(crate) mod alerts;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use pavane_events::{Domain, RolloutId};
use pavane_sentinel_engine::{RolloutView, View};
use pavane_telemetry::{Problem, admin_router};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::happening::{Happening, Question};
use crate::pages;
use crate::partition::Sight;

/// How long a domain's loop may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way to each domain's loop, and how it sees.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) domains: BTreeMap<Domain, (mpsc::Sender<Happening>, watch::Receiver<Sight>)>,
}

#[derive(Deserialize)]
struct Filter {
    domain: Option<String>,
}

#[derive(Serialize)]
struct Rollouts {
    rollouts: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    domain: String,
    #[serde(flatten)]
    rollout: RolloutView,
}

/// All that the sentinel answers.
pub(crate) fn router(doors: Doors, desk: alerts::Desk) -> Router {
    let eyes = doors.clone();
    Router::new()
        .route("/api/v1/rollouts", get(rollouts))
        .route("/api/v1/rollouts/{id}", get(rollout))
        .with_state(doors)
        .route("/docs/verdicts/{page}", get(explained))
        .merge(alerts::router(desk))
        .merge(admin_router(move || eyes.ready()))
        .fallback(nothing)
}

impl Doors {
    /// Ready when every domain is seen; else says which is not, and why.
    fn ready(&self) -> Result<(), String> {
        let unseen = self.domains.iter().filter_map(|(domain, (_, sight))| match &*sight.borrow() {
            Sight::Sighted => None,
            Sight::CatchingUp => Some(format!("{domain} is not seen yet: it is being read to its end")),
            Sight::Blind(cause) => Some(format!("{domain} cannot be seen ({cause})")),
        });
        let unseen: Vec<_> = unseen.collect();
        if unseen.is_empty() { Ok(()) } else { Err(unseen.join("; ")) }
    }

    async fn ask<T>(
        &self,
        domain: &Domain,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Result<T, Problem> {
        let slow = || {
            let detail = format!("domain {domain} does not answer within {PATIENCE:?}; try again");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        };
        let (to, answer) = oneshot::channel();
        let (door, _) = self.domains.get(domain).ok_or_else(slow)?;
        let asked = async {
            door.send(Happening::Asked(question(to))).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten().ok_or_else(slow)
    }
}

async fn rollouts(
    State(doors): State<Doors>,
    Query(filter): Query<Filter>,
) -> Result<Json<Rollouts>, Problem> {
    let wanted = |domain: &&Domain| filter.domain.as_ref().is_none_or(|wanted| wanted == domain.as_str());
    let mut rollouts = Vec::new();
    for domain in doors.domains.keys().filter(wanted) {
        let View { domain, rollouts: found, .. } = doors.ask(domain, Question::Domain).await?;
        rollouts.extend(found.into_iter().map(|rollout| Shown { domain: domain.clone(), rollout }));
    }
    Ok(Json(Rollouts { rollouts }))
}

async fn rollout(State(doors): State<Doors>, Path(id): Path<String>) -> Result<Json<Shown>, Problem> {
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, "no rollout of this id is known; list /api/v1/rollouts");
    let id = RolloutId::new(id).map_err(|_| unknown())?;
    for domain in doors.domains.keys() {
        let found = doors.ask(domain, |to| Question::Rollout(id.clone(), to)).await?;
        if let Some(rollout) = found {
            return Ok(Json(Shown { domain: domain.to_string(), rollout }));
        }
    }
    Err(unknown())
}

/// The page that an alert leads to.
async fn explained(
    Path(name): Path<String>,
) -> Result<([(HeaderName, &'static str); 1], &'static str), Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no cause and no alert of this name");
    let text = pages::page(&name).ok_or_else(unknown)?;
    Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8")], text))
}

async fn nothing(uri: Uri) -> Problem {
    let detail = format!("nothing is answered at {}; see /api/v1/rollouts", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail)
}
