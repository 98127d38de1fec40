//! Hooks that tell by themselves when they are done: `POST /v1/hooks/RUN`, with the token that the run was given.
//!
//! Both outlive the sidecar: the token is in the journal before the hook is called, and the result before it is answered
//! for. What is told while the log is not read to its end yet is kept until it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use pavane_sidecar_engine::{HookOutcome, Input};
use pavane_telemetry::Problem;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use super::{Keeper, answer};
use crate::failpoint::pass;
use crate::journal::Batch;

/// The most that is read of a result, in bytes.
const LONGEST: usize = 64 * 1024;

/// A run whose result may come, as the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Awaited {
    token: String,
    /// What it has told, word for word.
    told: Option<String>,
}

/// The runs whose result may come.
#[derive(Clone, Debug)]
pub(crate) struct Callbacks {
    inside: Arc<Mutex<Inside>>,
    keeper: Keeper,
}

#[derive(Debug, Default)]
struct Inside {
    runs: BTreeMap<String, Awaited>,
    facts: Option<UnboundedSender<Input>>,
    /// Whether the engine knows what the runs belong to.
    delivers: bool,
}

/// Why a result is not taken.
type Untaken = (StatusCode, &'static str);

impl Callbacks {
    /// Begins with what an earlier process expected.
    pub(crate) fn new(keeper: Keeper, runs: BTreeMap<String, Awaited>) -> Self {
        let inside = Inside { runs, ..Inside::default() };
        Self { inside: Arc::new(Mutex::new(inside)), keeper }
    }

    /// Results can be told to the engine by this way.
    pub(crate) fn open(&self, facts: UnboundedSender<Input>) {
        self.inside().facts = Some(facts);
    }

    /// The engine has read the log to its end: it is told what came before, and all that comes.
    pub(crate) fn deliver(&self) {
        let mut inside = self.inside();
        inside.delivers = true;
        for (run, awaited) in &inside.runs {
            if let Some(outcome) = awaited.told.as_deref().and_then(answer::of_callback) {
                inside.tell(run, outcome);
            }
        }
    }

    /// Expects a result of a run; what is to be noted when that is new. The token that it must come with is the same for
    /// all calls of an attempt.
    pub(crate) fn expect(&self, run: &str) -> Option<Awaited> {
        let mut inside = self.inside();
        if inside.runs.contains_key(run) {
            return None;
        }
        // Each holds 74 random bits.
        let token = format!("{}{}", Uuid::now_v7().simple(), Uuid::now_v7().simple());
        let awaited = Awaited { token, told: None };
        inside.runs.insert(run.to_owned(), awaited.clone());
        Some(awaited)
    }

    /// The token of a run that is expected.
    pub(super) fn token(&self, run: &str) -> Option<String> {
        self.inside().runs.get(run).map(|awaited| awaited.token.clone())
    }

    /// Expects none any more; whether one was expected.
    pub(crate) fn forget(&self, run: &str) -> bool {
        self.inside().runs.remove(run).is_some()
    }

    /// The routes.
    pub(crate) fn router(self) -> Router {
        let router = Router::new().route("/v1/hooks/{run}", post(told));
        router.layer(DefaultBodyLimit::max(LONGEST)).with_state(self)
    }

    async fn take(&self, run: &str, token: &str, body: &str) -> Result<(), Untaken> {
        let outcome = self.admit(run, token, body)?;
        if matches!(outcome, HookOutcome::InProgress { .. }) {
            let inside = self.inside();
            if inside.delivers {
                inside.tell(run, outcome);
            }
            return Ok(());
        }
        let awaited = Awaited { token: token.to_owned(), told: Some(body.to_owned()) };
        let note = vec![(run.to_owned(), Some(awaited.clone()))];
        if let Err(why) = self.keeper.keep(Batch { callbacks: note, ..Batch::default() }).await {
            tracing::error!(run, "failed to keep what a hook has told: {why}");
            return Err((
                StatusCode::INSUFFICIENT_STORAGE,
                "the journal cannot keep the result; tell it again",
            ));
        }
        pass("callback taken");
        let mut inside = self.inside();
        if let Some(known) = inside.runs.get_mut(run) {
            *known = awaited;
            if inside.delivers {
                inside.tell(run, outcome);
            }
        }
        Ok(())
    }

    /// Whether a result may be told, and what it says.
    fn admit(&self, run: &str, token: &str, body: &str) -> Result<HookOutcome, Untaken> {
        let inside = self.inside();
        let known = inside.runs.get(run).filter(|known| known.told.is_none());
        let gone = (StatusCode::NOT_FOUND, "no such run is awaited: it is over, or was never begun");
        if !is_same(&known.ok_or(gone)?.token, token) {
            let detail = "the token is not the run's; send `authorization: Bearer` and what came as `pavane-callback-token`";
            return Err((StatusCode::UNAUTHORIZED, detail));
        }
        answer::of_callback(body).ok_or((
            StatusCode::UNPROCESSABLE_ENTITY,
            "the body is no result; send e.g. `{\"status\":\"SUCCESS\"}`",
        ))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn tell(&self, run: &str, outcome: HookOutcome) {
        if let Some(facts) = &self.facts {
            // The receiver goes only when the sidecar ends.
            drop(facts.send(Input::HookReported { run: run.to_owned(), outcome }));
        }
    }
}

/// Compares in a time that does not tell where the two differ.
fn is_same(known: &str, given: &str) -> bool {
    let differs = known.bytes().zip(given.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    known.len() == given.len() && differs == 0
}

async fn told(
    State(callbacks): State<Callbacks>,
    Path(run): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match callbacks.take(&run, bearer.unwrap_or_default(), &String::from_utf8_lossy(&body)).await {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "run": run }))).into_response(),
        Err((status, detail)) => Problem::new(status, detail).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    const DONE: &str = r#"{"status":"SUCCESS"}"#;

    #[tokio::test]
    async fn a_result_is_taken_once_and_only_with_the_token_of_its_run() {
        let (callbacks, _) = callbacks(BTreeMap::new());
        let (facts, mut told) = unbounded_channel();
        callbacks.open(facts);
        callbacks.deliver();
        let token = callbacks.expect("r-1").unwrap().token;
        assert_eq!(callbacks.expect("r-1"), None, "the same for all calls of an attempt");
        assert_ne!(callbacks.expect("r-2").unwrap().token, token);
        for (run, token, body, status) in [
            ("r-1", "", DONE, Err(401)),
            ("r-2", &*token, DONE, Err(401)),
            ("r-3", &token, DONE, Err(404)),
            ("r-1", &token, "done", Err(422)),
            ("r-1", &token, r#"{"status":"IN_PROGRESS"}"#, Ok(())),
            ("r-1", &token, DONE, Ok(())),
            ("r-1", &token, DONE, Err(404)),
        ] {
            let result = callbacks.take(run, token, body).await;
            assert_eq!(result.map_err(|(status, _)| status.as_u16()), status, "{run} {body}");
        }
        assert!(matches!(
            told.try_recv(),
            Ok(Input::HookReported { outcome: HookOutcome::InProgress { .. }, .. })
        ));
        assert_eq!(told.try_recv().ok(), Some(done("r-1")));
        assert!(told.try_recv().is_err());
    }

    #[tokio::test]
    async fn what_was_told_before_the_log_was_read_to_its_end_also_to_an_earlier_process_is_told_then() {
        let (first, kept) = callbacks(BTreeMap::new());
        let token = first.expect("r-1").unwrap().token;
        first.take("r-1", &token, DONE).await.unwrap();
        let [(run, Some(awaited))] = &kept.lock().unwrap()[..] else { panic!("it is kept first") };
        let (second, _) = callbacks([(run.clone(), awaited.clone())].into());
        let (facts, mut told) = unbounded_channel();
        second.open(facts);
        assert!(told.try_recv().is_err(), "nobody would know what it is about");
        second.deliver();
        assert_eq!(told.try_recv().ok(), Some(done("r-1")));
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_not_answered_for() {
        let full = Keeper::by(|_| Err("the disk is full".to_owned()));
        let callbacks = Callbacks::new(full, BTreeMap::new());
        let (facts, mut told) = unbounded_channel();
        callbacks.open(facts);
        callbacks.deliver();
        let token = callbacks.expect("r-1").unwrap().token;
        assert_eq!(callbacks.take("r-1", &token, DONE).await.unwrap_err().0.as_u16(), 507);
        assert!(told.try_recv().is_err(), "it may be told again");
    }

    type Kept = Arc<Mutex<Vec<(String, Option<Awaited>)>>>;

    fn callbacks(runs: BTreeMap<String, Awaited>) -> (Callbacks, Kept) {
        let kept = Kept::default();
        let keeping = kept.clone();
        let keeper = Keeper::by(move |batch| {
            keeping.lock().unwrap().extend(batch.callbacks);
            Ok(())
        });
        (Callbacks::new(keeper, runs), kept)
    }

    fn done(run: &str) -> Input {
        Input::HookReported { run: run.to_owned(), outcome: HookOutcome::Done }
    }
}
