//! Hooks that tell by themselves when they are done: `POST /v1/hooks/RUN`, with the token that the run was given.

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
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use super::answer;

/// The most that is read of a result, in bytes.
const LONGEST: usize = 64 * 1024;

/// The runs whose result may come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Callbacks(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    /// The token of a run.
    runs: BTreeMap<String, String>,
    facts: Option<UnboundedSender<Input>>,
}

impl Callbacks {
    /// Results are told to the engine from here on.
    pub(crate) fn open(&self, facts: UnboundedSender<Input>) {
        self.inside().facts = Some(facts);
    }

    /// Expects a result of a run; the token that it must come with is the same for all calls of the run.
    pub(crate) fn expect(&self, run: &str) -> String {
        let mut inside = self.inside();
        // Each holds 74 random bits.
        let fresh = || format!("{}{}", Uuid::now_v7().simple(), Uuid::now_v7().simple());
        inside.runs.entry(run.to_owned()).or_insert_with(fresh).clone()
    }

    /// Expects none any more.
    pub(crate) fn forget(&self, run: &str) {
        self.inside().runs.remove(run);
    }

    /// The routes.
    pub(crate) fn router(self) -> Router {
        let router = Router::new().route("/v1/hooks/{run}", post(told));
        router.layer(DefaultBodyLimit::max(LONGEST)).with_state(self)
    }

    fn take(&self, run: &str, token: &str, body: &str) -> Result<(), (StatusCode, &'static str)> {
        let mut inside = self.inside();
        let Some(known) = inside.runs.get(run) else {
            return Err((StatusCode::NOT_FOUND, "no such run is awaited: it is over, or was never begun"));
        };
        if !is_same(known, token) {
            let detail = "the token is not the run's; send `authorization: Bearer` and what came as `pavane-callback-token`";
            return Err((StatusCode::UNAUTHORIZED, detail));
        }
        let outcome = answer::of_callback(body).ok_or((
            StatusCode::UNPROCESSABLE_ENTITY,
            "the body is no result; send e.g. `{\"status\":\"SUCCESS\"}`",
        ))?;
        let lasting = matches!(outcome, HookOutcome::InProgress { .. });
        let Some(facts) = &inside.facts else {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "the sidecar has not begun yet"));
        };
        // The receiver goes only when the sidecar ends.
        drop(facts.send(Input::HookReported { run: run.to_owned(), outcome }));
        if !lasting {
            inside.runs.remove(run);
        }
        Ok(())
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    match callbacks.take(&run, bearer.unwrap_or_default(), &String::from_utf8_lossy(&body)) {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "run": run }))).into_response(),
        Err((status, detail)) => Problem::new(status, detail).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn a_result_is_taken_once_and_only_with_the_token_of_its_run() {
        let (callbacks, (facts, mut told)) = (Callbacks::default(), unbounded_channel());
        callbacks.open(facts);
        let token = callbacks.expect("r-1");
        assert_eq!(callbacks.expect("r-1"), token, "the same for all calls of a run");
        assert_ne!(callbacks.expect("r-2"), token);
        let status =
            |run, token: &str, body| callbacks.take(run, token, body).map_err(|(status, _)| status.as_u16());
        let done = r#"{"status":"SUCCESS"}"#;
        assert_eq!(status("r-1", "", done), Err(401));
        assert_eq!(status("r-2", &token, done), Err(401));
        assert_eq!(status("r-3", &token, done), Err(404));
        assert_eq!(status("r-1", &token, "done"), Err(422));
        assert_eq!(status("r-1", &token, r#"{"status":"IN_PROGRESS"}"#), Ok(()));
        assert_eq!(status("r-1", &token, done), Ok(()));
        assert_eq!(status("r-1", &token, done), Err(404), "a second time");
        assert!(matches!(
            told.try_recv(),
            Ok(Input::HookReported { outcome: HookOutcome::InProgress { .. }, .. })
        ));
        let expected = Input::HookReported { run: "r-1".to_owned(), outcome: HookOutcome::Done };
        assert_eq!(told.try_recv().ok(), Some(expected));
        assert!(told.try_recv().is_err());
    }
}
