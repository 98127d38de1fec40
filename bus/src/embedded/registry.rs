//! A small schema registry inside this process: the part of Confluent's API that clients use, held in memory.
//!
//! Not a mock: it parses, compares in both directions and refuses, as the real ones do. Its level is
//! `FULL_TRANSITIVE` until a subject is told otherwise.

mod references;
mod store;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use store::{Offer, Refusal, Store, Version};

/// The media type of the API.
const MEDIA: &str = "application/vnd.schemaregistry.v1+json";
/// The longest body that is taken, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// A registry in memory, on a free port of 127.0.0.1. Dropping it ends it, and with it all that it holds.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    available: AtomicBool,
    /// What it serves under an id instead of what is there.
    lies: Mutex<BTreeMap<String, String>>,
}

impl Registry {
    /// Starts a registry that holds every embedded schema under its subject. Fails when no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let registry = Self::start_empty().await?;
        for one in pavane_schemas::ALL {
            let taken = registry
                .shared
                .store()
                .register(one.subject, &Offer { text: one.schema.to_owned(), ..Offer::default() });
            taken
                .map_err(|refusal| std::io::Error::other(format!("{}: {}", one.subject, refusal.message)))?;
        }
        Ok(registry)
    }

    /// Starts a registry that holds nothing. Fails when no port can be had.
    pub async fn start_empty() -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (store, available) = (Mutex::new(Store::new()), AtomicBool::new(true));
        let shared = Arc::new(Shared { store, available, lies: Mutex::default() });
        let service = router(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "the embedded registry has ended; start the program again");
            }
        });
        Ok(Self { address, shared, task })
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets it answer every request with 503, or again as it should; for seeing what its absence does.
    pub fn set_available(&self, available: bool) {
        self.shared.available.store(available, Ordering::Relaxed);
    }
}

impl Registry {
    /// Lets it serve this text under an id instead of what is there, or what is there again; for seeing what is made of a
    /// registry that lies.
    pub fn lie(&self, id: u32, text: Option<&str>) {
        let mut lies = self.shared.lies.lock().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => drop(lies.insert(id.to_string(), text.to_owned())),
            None => drop(lies.remove(&id.to_string())),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Of = State<Arc<Shared>>;

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(async || answer(Ok(json!({})))))
        .route("/schemas/types", get(async || answer(Ok(json!(["AVRO"])))))
        .route("/schemas/ids/{id}", get(schema))
        .route("/schemas/ids/{id}/schema", get(bare_schema))
        .route("/schemas/ids/{id}/subjects", get(subjects_of))
        .route("/schemas/ids/{id}/versions", get(versions_of))
        .route("/mode", get(async || answer(Ok(json!({ "mode": "READWRITE" })))))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}", post(lookup).delete(delete_subject))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version).delete(delete_version))
        .route("/subjects/{subject}/versions/{version}/schema", get(bare_version))
        .route("/compatibility/subjects/{subject}/versions", post(check_all))
        .route("/compatibility/subjects/{subject}/versions/{version}", post(check_one))
        .route("/config", get(level).put(set_level))
        .route("/config/{subject}", get(level_of).put(set_level_of).delete(drop_level_of))
        .fallback(async || answer(Err(Refusal::new(404, "HTTP 404 Not Found"))))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), gate))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

async fn gate(State(shared): Of, request: Request, next: Next) -> Response {
    if shared.available.load(Ordering::Relaxed) {
        return next.run(request).await;
    }
    answer(Err(Refusal::new(503, "told to be away")))
}

async fn schema(State(shared): Of, Path(id): Path<String>) -> Response {
    let lie = shared.lies.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
    if let Some(text) = lie {
        return answer(Ok(json!({ "schema": text })));
    }
    answer(shared.store().by_id(&id).map(told))
}

/// The schema as it is, without anything around it.
async fn bare_schema(State(shared): Of, Path(id): Path<String>) -> Response {
    bare(shared.store().by_id(&id))
}

async fn bare_version(State(shared): Of, Path((subject, number)): Path<(String, String)>) -> Response {
    bare(shared.store().version(&subject, &number, false).map(|version| version.offer))
}

async fn subjects_of(State(shared): Of, Path(id): Path<String>) -> Response {
    let store = shared.store();
    answer(store.holders(&id).map(|all| json!(all.into_iter().map(|(name, _)| name).collect::<Vec<_>>())))
}

async fn versions_of(State(shared): Of, Path(id): Path<String>) -> Response {
    let one = |(subject, version): (&str, usize)| json!({ "subject": subject, "version": version });
    answer(shared.store().holders(&id).map(|all| all.into_iter().map(one).collect()))
}

async fn subjects(State(shared): Of, Query(query): Query<Value>) -> Response {
    let prefix = query["subjectPrefix"].as_str().unwrap_or_default();
    answer(Ok(json!(shared.store().subjects(prefix, is_set(&query, "deleted")))))
}

async fn delete_subject(
    State(shared): Of,
    Path(subject): Path<String>,
    Query(query): Query<Value>,
) -> Response {
    let deleted = shared.store().delete_subject(&subject, is_set(&query, "permanent"));
    answer(deleted.map(|numbers| json!(numbers)))
}

async fn delete_version(
    State(shared): Of,
    Path((subject, number)): Path<(String, String)>,
    Query(query): Query<Value>,
) -> Response {
    let deleted = shared.store().delete_version(&subject, &number, is_set(&query, "permanent"));
    answer(deleted.map(|number| json!(number)))
}

async fn versions(State(shared): Of, Path(subject): Path<String>, Query(query): Query<Value>) -> Response {
    answer(shared.store().versions(&subject, is_set(&query, "deleted")).map(|numbers| json!(numbers)))
}

async fn version(
    State(shared): Of,
    Path((subject, number)): Path<(String, String)>,
    Query(query): Query<Value>,
) -> Response {
    let store = shared.store();
    let found = store.version(&subject, &number, is_set(&query, "deleted"));
    answer(found.map(|version| described(&subject, &version)))
}

async fn lookup(
    State(shared): Of,
    Path(subject): Path<String>,
    Query(query): Query<Value>,
    body: Bytes,
) -> Response {
    let store = shared.store();
    let deleted = is_set(&query, "deleted");
    let found =
        offered(&body).and_then(|offer| Ok(described(&subject, &store.lookup(&subject, &offer, deleted)?)));
    answer(found)
}

async fn register(State(shared): Of, Path(subject): Path<String>, body: Bytes) -> Response {
    let id = offered(&body).and_then(|offer| shared.store().register(&subject, &offer));
    answer(id.map(|id| json!({ "id": id })))
}

/// Whether a word of the query is set.
fn is_set(query: &Value, name: &str) -> bool {
    query[name] == "true"
}

async fn check_all(
    State(shared): Of,
    Path(subject): Path<String>,
    Query(query): Query<Value>,
    body: Bytes,
) -> Response {
    answer(checked(&shared, &subject, None, &query, &body))
}

async fn check_one(
    State(shared): Of,
    Path((subject, version)): Path<(String, String)>,
    Query(query): Query<Value>,
    body: Bytes,
) -> Response {
    answer(checked(&shared, &subject, Some(&version), &query, &body))
}

fn checked(
    shared: &Shared,
    subject: &str,
    version: Option<&str>,
    query: &Value,
    body: &[u8],
) -> Result<Value, Refusal> {
    let findings = shared.store().check(subject, &offered(body)?, version)?;
    let mut result = json!({ "is_compatible": findings.is_empty() });
    if query["verbose"] == "true" {
        result["messages"] = json!(findings);
    }
    Ok(result)
}

async fn level(State(shared): Of) -> Response {
    answer(shared.store().level(None).map(|level| json!({ "compatibilityLevel": level })))
}

async fn level_of(State(shared): Of, Path(subject): Path<String>, Query(query): Query<Value>) -> Response {
    let store = shared.store();
    let level = if query["defaultToGlobal"] == "true" {
        Ok(store.level_of(&subject))
    } else {
        store.level(Some(&subject))
    };
    answer(level.map(|level| json!({ "compatibilityLevel": level })))
}

async fn set_level(State(shared): Of, body: Bytes) -> Response {
    answer(changed(&shared, None, &body))
}

async fn set_level_of(State(shared): Of, Path(subject): Path<String>, body: Bytes) -> Response {
    answer(changed(&shared, Some(&subject), &body))
}

async fn drop_level_of(State(shared): Of, Path(subject): Path<String>) -> Response {
    answer(shared.store().drop_level(&subject).map(|level| json!({ "compatibilityLevel": level })))
}

fn changed(shared: &Shared, subject: Option<&str>, body: &[u8]) -> Result<Value, Refusal> {
    let level = member(body, "compatibility")
        .ok_or_else(|| Refusal::new(42203, "the body names no compatibility level"))?;
    shared.store().set_level(subject, &level)?;
    Ok(json!({ "compatibility": level }))
}

/// The schema that a body offers. Other types than Avro are refused.
fn offered(body: &[u8]) -> Result<Offer, Refusal> {
    let invalid = |why: &str| Refusal::new(42201, format!("Invalid schema: {why}"));
    let text = member(body, "schema").ok_or_else(|| invalid("the body has no schema"))?;
    if member(body, "schemaType").is_some_and(|kind| kind != "AVRO") {
        return Err(invalid("only AVRO is kept here"));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let references = serde_json::from_value(body["references"].clone());
    let references = if body["references"].is_null() { Ok(Vec::new()) } else { references };
    let references =
        references.map_err(|error| invalid(&format!("its references cannot be read: {error}")))?;
    Ok(Offer { text, references })
}

fn member(body: &[u8], name: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body[name].as_str().map(str::to_owned)
}

fn described(subject: &str, version: &Version<'_>) -> Value {
    let mut told = told(version.offer);
    told["subject"] = subject.into();
    told["version"] = version.number.into();
    told["id"] = version.id.into();
    told
}

fn told(offer: &Offer) -> Value {
    let mut told = json!({ "schema": offer.text });
    if !offer.references.is_empty() {
        told["references"] = json!(offer.references);
    }
    told
}

fn bare(offer: Result<&Offer, Refusal>) -> Response {
    match offer {
        Ok(offer) => ([(header::CONTENT_TYPE, MEDIA)], offer.text.clone()).into_response(),
        Err(refusal) => answer(Err(refusal)),
    }
}

fn answer(result: Result<Value, Refusal>) -> Response {
    let (status, body) = match result {
        Ok(value) => (StatusCode::OK, value),
        Err(Refusal { code, message }) => {
            let status = if code > 999 { code / 100 } else { code };
            let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
            let body = json!({ "error_code": code, "message": message });
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
        }
    };
    (status, [(header::CONTENT_TYPE, MEDIA)], body.to_string()).into_response()
}
