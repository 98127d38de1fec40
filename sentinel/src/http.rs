//! What the sentinel answers: health, readiness, metrics, and how the rollouts stand.

pub(crate) mod alerts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use pavane_events::{Domain, RolloutId};
use pavane_sentinel_engine::{Folded, RolloutView, View};
use pavane_telemetry::{Problem, admin_router};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot, watch};

use crate::happening::{Happening, Question};
use crate::pages;
use crate::partition::Sight;

/// How long a domain's loop may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way to each domain's loop, and how it sees.
#[derive(Clone)]
pub(crate) struct Doors {
    domains: BTreeMap<Domain, Door>,
    /// Whoever looks at whole domains: one at a time, since a copy of each is held meanwhile.
    looks: Arc<Mutex<()>>,
}

/// The way to a domain's loop, and how it sees.
type Door = (mpsc::Sender<Happening>, watch::Receiver<Sight>);

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
    pub(crate) fn new(domains: BTreeMap<Domain, Door>) -> Self {
        Self { domains, looks: Arc::default() }
    }

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

    /// Waits for whoever looks at whole domains already.
    async fn look(&self) -> Result<OwnedMutexGuard<()>, Problem> {
        tokio::time::timeout(PATIENCE, Arc::clone(&self.looks).lock_owned()).await.map_err(|_| {
            let detail = "somebody else has all rollouts listed; try again, or ask for one of them";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })
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

/// All rollouts. A loop gives a copy of its domain away and judges on; what is shown of it is made of that, beside.
async fn rollouts(
    State(doors): State<Doors>,
    Query(filter): Query<Filter>,
) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), Problem> {
    let wanted = |domain: &&Domain| filter.domain.as_ref().is_none_or(|wanted| wanted == domain.as_str());
    let look = doors.look().await?;
    let mut domains = Vec::new();
    for domain in doors.domains.keys().filter(wanted) {
        domains.push(doors.ask(domain, Question::Domain).await?);
    }
    let shown = tokio::task::spawn_blocking(move || {
        let shown = listed(domains);
        drop(look);
        shown
    });
    let failed = |error: &dyn std::fmt::Display| {
        let detail = format!("the rollouts were not listed: {error}; try again");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    };
    let shown = shown.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    Ok(([(CONTENT_TYPE, "application/json")], shown))
}

fn listed(domains: Vec<Folded>) -> serde_json::Result<Vec<u8>> {
    let mut rollouts = Vec::new();
    for folded in domains {
        let View { domain, rollouts: found, .. } = folded.view();
        rollouts.extend(found.into_iter().map(|rollout| Shown { domain: domain.clone(), rollout }));
    }
    serde_json::to_vec(&Rollouts { rollouts })
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

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::response::IntoResponse;
    use pavane_choreography::{Expect, Plan, Step};
    use pavane_events::command::RolloutStarted;
    use pavane_events::{
        Entry, Envelope, Event, EventId, EventType, Record, Service, Source, StepId, Timestamp,
    };
    use pavane_sentinel_engine::{Engine, Input};
    use serde_json::Value;

    use super::*;

    fn named(name: &str) -> Domain {
        Domain::new(name).expect("a name")
    }

    /// A domain in which these rollouts have started, one after the other, of the same plan.
    fn engine(domain: &str, rollouts: &[&str]) -> Engine {
        let expect = Expect { service: Service::new("web").expect("a name"), event: EventType::Ready };
        let mut step = Step::new(StepId::new("web").expect("a name"), expect, 60_000, "team");
        step.per_rollout = true;
        let plan = Plan::new("web", "team", vec![step]);
        let mut engine = Engine::new(named(domain), "a".to_owned());
        for (id, offset) in rollouts.iter().zip(0..) {
            let source = Source::new(format!("/pavane/{domain}/ci")).expect("a source");
            let mut envelope = Envelope::new(named(domain), source, EventId::new(*id).expect("a name"));
            envelope.rollout = Some(RolloutId::new(*id).expect("a name"));
            let started = RolloutStarted {
                choreography: plan.name.clone(),
                plan_digest: plan.digest(),
                plan: plan.to_json(),
                rules: 1,
                by: String::new(),
                reason: String::new(),
            };
            let event = Event { envelope, body: started.into() };
            let record = Record { offset, at: Timestamp(offset), event };
            let _ = engine.handle(0, Input::Read(Entry::Event(record)));
        }
        engine
    }

    /// A loop that answers for a domain as long as somebody may ask, and how often it was asked.
    fn house(domains: Vec<(&str, Engine)>) -> Doors {
        let mut doors = BTreeMap::new();
        for (domain, engine) in domains {
            let (to, mut asked) = mpsc::channel(1);
            let (_, sight) = watch::channel(Sight::Sighted);
            doors.insert(named(domain), (to, sight));
            tokio::spawn(async move {
                while let Some(Happening::Asked(question)) = asked.recv().await {
                    match question {
                        Question::Domain(to) => drop(to.send(engine.folded())),
                        Question::Rollout(id, to) => drop(to.send(engine.rollout(&id))),
                    }
                }
            });
        }
        Doors::new(doors)
    }

    async fn list(doors: &Doors, domain: Option<&str>) -> (StatusCode, Value) {
        let filter = Filter { domain: domain.map(str::to_owned) };
        let answer = rollouts(State(doors.clone()), Query(filter)).await.into_response();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    #[tokio::test]
    async fn all_rollouts_of_all_domains_are_listed_as_each_is_shown_by_itself() {
        let doors = house(vec![("bank", engine("bank", &["r1"])), ("shop", engine("shop", &["r2", "r3"]))]);
        let (status, all) = list(&doors, None).await;
        assert_eq!(status, StatusCode::OK);
        let ids = |list: &Value| -> Vec<String> {
            let rollouts = list["rollouts"].as_array().expect("a list").iter();
            rollouts.map(|one| format!("{} {}", one["domain"], one["id"]).replace('"', "")).collect()
        };
        assert_eq!(ids(&all), ["bank r1", "shop r3", "shop r2"], "of each domain the newest first");
        assert_eq!(ids(&list(&doors, Some("shop")).await.1), ["shop r3", "shop r2"]);
        assert_eq!(ids(&list(&doors, Some("forum")).await.1), [""; 0]);
        let Json(alone) = rollout(State(doors.clone()), Path("r3".to_owned())).await.expect("it is known");
        assert_eq!(all["rollouts"][1], serde_json::to_value(alone).expect("a view is JSON"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_be_answered_in_time_is_told_to_try_again() {
        let doors = house(vec![("shop", engine("shop", &["r1"]))]);
        let look = doors.look().await.expect("nobody looks");
        let (status, problem) = list(&doors, None).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "one look at a time");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("try again")), "{problem}");
        drop(look);
        let (to, _never_looked_at) = mpsc::channel(1);
        let (_, sight) = watch::channel(Sight::Sighted);
        let dark = Doors::new(BTreeMap::from([(named("dark"), (to, sight))]));
        assert_eq!(list(&dark, None).await.0, StatusCode::SERVICE_UNAVAILABLE, "a loop that does not answer");
    }
}
