//! The schema registry: a transporter of schemas, asked by their id or by their content, never for "the latest".
//!
//! Fetching by id goes through `schema_registry_converter`'s low-level call. Its encoders and decoders keep any
//! error but 502 and 503 for ever, so one bad moment of the registry would poison an id until the restart; here
//! nothing is kept but what was fetched. The calls that it lacks (lookup by content, compatibility) are our own.

mod cache;
pub mod error;
mod http;
pub mod push;
mod shelf;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use schema_registry_converter::async_impl::schema_registry::{SrSettings, get_schema_by_id};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, RegisteredSchema, SchemaType};
use serde_json::{Value, json};

use crate::Settings;
use crate::wire::{Contract, Defect, SchemaRefused};
use cache::{Cache, Found};
pub use error::RegistryError;
use error::chain;
use http::{Http, Refusal};
pub use push::{PushOutcome, PushRequest, Pushed, Pusher, push};
use shelf::Shelf;

/// How long after a failure what is kept is looked at before the registry is asked again.
const AWAY: Duration = Duration::from_secs(5);

/// A connection to one registry; cheap to clone, and clones share what was fetched.
#[derive(Clone, Debug)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: Http,
    fetch: SrSettings,
    cache: Cache,
    shelf: Option<Shelf>,
    away: Mutex<Option<Instant>>,
    /// The fingerprints of the schemas that the registry gave these ids for.
    pins: Mutex<BTreeMap<u32, String>>,
}

/// What the registry says about a schema before it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Whether it would take it.
    pub compatible: bool,
    /// Its reasons, where it gives any; Apicurio gives none.
    pub messages: Vec<String>,
}

impl Registry {
    /// Makes a client; nothing is asked yet. Refuses an address, headers or certificates that cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, RegistryError> {
        let (url, access) = (&settings.registry, &settings.registry_access);
        let http = Http::new(url, access)?;
        let mut fetch = SrSettings::new_builder(http.base().to_owned());
        fetch.set_timeout(http::TIMEOUT);
        if let Some(token) = &access.token {
            fetch.set_token_authorization(token);
        } else if let Some(user) = &access.user {
            fetch.set_basic_authorization(user, access.password.as_deref());
        }
        let base = http::parse(url)?;
        let fetch = fetch.build_with(http::builder(&base, access)?);
        let fetch = fetch.map_err(|error| http::settings(&base, &error.to_string()))?;
        let shelf = settings.schema_folder.clone().map(Shelf::new);
        let (cache, away, pins) = (Cache::default(), Mutex::new(None), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { http, fetch, cache, shelf, away, pins }) })
    }

    /// The base URL, without credentials.
    pub fn url(&self) -> &str {
        self.inner.http.base()
    }

    /// What stands behind a schema id: a contract, or what is wrong with a record that carries the id.
    ///
    /// What was fetched is kept for ever, a failure not at all. An id that the registry does not know is asked for
    /// once more after five seconds before it counts as unknown, because registries of several nodes lag; then it
    /// is unknown for five seconds. Nothing is lost when the call is abandoned while it waits.
    pub async fn contract(&self, id: u32) -> Result<Result<Arc<Contract>, Defect>, RegistryError> {
        let cache = &self.inner.cache;
        loop {
            if let Some(found) = cache.get(id, Instant::now()) {
                return Ok(found);
            }
            let wait = {
                let _one_at_a_time = cache.fetching.lock().await;
                match cache.get(id, Instant::now()) {
                    Some(found) => return Ok(found),
                    None => cache.put(id, self.fetch(id).await?, Instant::now()),
                }
            };
            if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// What [`Self::contract`] says; while the registry is away, the schema with this fingerprint where one is
    /// compiled in or kept. It is the error of the registry where none is.
    pub(crate) async fn contract_or_kept(
        &self,
        id: u32,
        fingerprint: Option<&str>,
    ) -> Result<Result<Arc<Contract>, Defect>, RegistryError> {
        let Some((kept, fingerprint)) = self.inner.shelf.as_ref().zip(fingerprint) else {
            return self.contract(id).await;
        };
        if let Some(found) = self.inner.cache.get(id, Instant::now()) {
            return Ok(found);
        }
        if self.is_away()
            && let Some(contract) = kept.find(fingerprint)
        {
            return Ok(Ok(Arc::new(contract)));
        }
        match self.contract(id).await {
            Err(error) if error.is_transient() => {
                self.set_away(Some(Instant::now()));
                let contract = kept.find(fingerprint).ok_or(error)?;
                tracing::warn!(id, fingerprint, "the registry is away; reading by the schema that is kept");
                Ok(Ok(Arc::new(contract)))
            }
            answer => {
                self.set_away(None);
                answer
            }
        }
    }

    fn is_away(&self) -> bool {
        let away = *self.inner.away.lock().unwrap_or_else(PoisonError::into_inner);
        away.is_some_and(|since| since.elapsed() < AWAY)
    }

    fn set_away(&self, since: Option<Instant>) {
        *self.inner.away.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    async fn fetch(&self, id: u32) -> Result<Found, RegistryError> {
        match get_schema_by_id(id, &self.inner.fetch).await {
            Ok(registered) => {
                let found = fit(&registered);
                if let (Some(shelf), Found::Contract(contract)) = (&self.inner.shelf, &found) {
                    shelf.keep(contract.fingerprint(), &registered.schema);
                }
                Ok(found)
            }
            Err(error) => self.judge(&format!("fetch the schema with id {id}"), &error),
        }
    }

    /// The id of a schema under a subject, by its content; none when it is not registered there. While the registry is
    /// away, the id that it gave before, where there is a folder to keep it.
    pub async fn id_of(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryError> {
        let doing = format!("look up the schema of {subject}");
        let kept = || self.inner.shelf.as_ref().and_then(|shelf| shelf.id_of(self.url(), schema));
        if self.is_away()
            && let Some(id) = kept()
        {
            return Ok(Some(id));
        }
        let asked = self.post(&doing, &["subjects", subject], &[], &content(schema)).await;
        let found = asked.and_then(|answer| match answer {
            Some(answer) if !holds(&answer, schema) => {
                Err(RegistryError::OtherSchema { doing: doing.clone(), url: self.url().to_owned() })
            }
            Some(answer) => self.id(&doing, &answer).map(Some),
            None => Ok(None),
        });
        let id = match found {
            Err(error) if error.is_transient() || error.makes_no_sense() => {
                let id = kept().ok_or(error)?;
                self.set_away(Some(Instant::now()));
                tracing::warn!(subject, id, "the registry is away; writing under the ids that are kept");
                return Ok(Some(id));
            }
            found => found?,
        };
        if let Some(id) = id {
            self.pin(id, schema);
        }
        if let (Some(shelf), Some(id)) = (&self.inner.shelf, id) {
            shelf.keep_id(self.url(), schema, id);
        }
        Ok(id)
    }

    /// Remembers the schema that the registry gave an id for.
    fn pin(&self, id: u32, schema: &str) {
        if let Ok(contract) = Contract::parse_to_read(schema) {
            let mut pins = self.inner.pins.lock().unwrap_or_else(PoisonError::into_inner);
            pins.insert(id, contract.fingerprint().to_owned());
        }
    }

    /// Whether the registry gave this id for the schema with this fingerprint.
    pub(crate) fn is_pinned(&self, id: u32, fingerprint: &str) -> bool {
        let pins = self.inner.pins.lock().unwrap_or_else(PoisonError::into_inner);
        pins.get(&id).is_some_and(|pinned| pinned == fingerprint)
    }

    /// Forgets what was fetched for an id, so that the registry is asked for it again.
    pub(crate) fn forget(&self, id: u32) {
        self.inner.cache.forget(id);
    }

    /// That something else is served under an id than what is known to be there.
    pub(crate) fn tampered(&self, id: u32, named: &str, served: &str) -> RegistryError {
        let url = self.url().to_owned();
        RegistryError::Tampered { url, id, named: named.to_owned(), served: served.to_owned() }
    }

    /// Registers a schema under a subject; gives its id. The same content gives the same id again.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let doing = format!("register the schema of {subject}");
        let answer = self.post(&doing, &["subjects", subject, "versions"], &[], &content(schema)).await;
        match answer {
            Ok(Some(answer)) => self.id(&doing, &answer),
            Ok(None) => Err(self.inner.http.not_a_registry(&doing, "it knows no way to register a schema")),
            Err(RegistryError::Refused { code, message, url, .. }) if code / 100 == 409 || code == 409 => {
                Err(RegistryError::Incompatible { subject: subject.to_owned(), url, message })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the registry would take a schema, judged against all versions of the subject. A subject that does
    /// not exist takes any.
    pub async fn check(&self, subject: &str, schema: &str) -> Result<Check, RegistryError> {
        let doing = format!("check the schema of {subject}");
        let path = ["compatibility", "subjects", subject, "versions"];
        let Some(answer) = self.post(&doing, &path, &[("verbose", "true")], &content(schema)).await? else {
            return Ok(Check { compatible: true, messages: Vec::new() });
        };
        let Some(compatible) = answer["is_compatible"].as_bool() else {
            return Err(self.inner.http.not_a_registry(&doing, "the answer has no is_compatible"));
        };
        let messages = answer["messages"].as_array().into_iter().flatten();
        let messages = messages.filter_map(|message| message.as_str().map(str::to_owned)).collect();
        Ok(Check { compatible, messages })
    }

    /// The compatibility level of a subject, e.g. `FULL_TRANSITIVE`; none where only the registry's own holds.
    pub async fn compatibility(&self, subject: &str) -> Result<Option<String>, RegistryError> {
        let doing = format!("read the compatibility level of {subject}");
        let answer = self.inner.http.ask(&doing, Method::GET, &["config", subject], &[], None).await?;
        let level = answer.as_ref().map(|answer| &answer["compatibilityLevel"]);
        Ok(level.and_then(|level| level.as_str().map(str::to_owned)))
    }

    /// Sets the compatibility level of a subject. Some registries check nothing until one is set.
    pub async fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryError> {
        let doing = format!("set the compatibility level of {subject} to {level}");
        let body = json!({ "compatibility": level });
        let answer = self.inner.http.ask(&doing, Method::PUT, &["config", subject], &[], Some(&body)).await?;
        answer
            .map(drop)
            .ok_or_else(|| self.inner.http.not_a_registry(&doing, "it knows no compatibility levels"))
    }

    /// The names of all subjects.
    pub async fn subjects(&self) -> Result<Vec<String>, RegistryError> {
        let doing = "list the subjects";
        let listed = self.inner.http.ask(doing, Method::GET, &["subjects"], &[], None).await?;
        let Some(listed) = listed.as_ref().and_then(Value::as_array) else {
            return Err(self.inner.http.not_a_registry(doing, "the answer is no list"));
        };
        Ok(listed.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }

    /// The numbers and texts of all versions of a subject, oldest first; none for a subject that does not exist.
    pub async fn versions(&self, subject: &str) -> Result<Vec<(i64, String)>, RegistryError> {
        let doing = format!("list the versions of {subject}");
        let path = ["subjects", subject, "versions"];
        let listed = self.inner.http.ask(&doing, Method::GET, &path, &[], None).await?;
        let numbers =
            listed.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_i64);
        let mut texts = Vec::new();
        for number in numbers {
            let path = ["subjects", subject, "versions", &number.to_string()];
            let version = self.inner.http.ask(&doing, Method::GET, &path, &[], None).await?;
            let text = version.and_then(|version| version["schema"].as_str().map(str::to_owned));
            texts.extend(text.map(|text| (number, text)));
        }
        Ok(texts)
    }

    async fn post(
        &self,
        doing: &str,
        path: &[&str],
        query: &[(&str, &str)],
        body: &Value,
    ) -> Result<Option<Value>, RegistryError> {
        self.inner.http.ask(doing, Method::POST, path, query, Some(body)).await
    }

    fn id(&self, doing: &str, answer: &Value) -> Result<u32, RegistryError> {
        let id = answer["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| self.inner.http.not_a_registry(doing, "the answer has no id of 32 bits"))
    }

    /// What an error of the library means: that there is no such id, or that the registry could not be asked.
    fn judge(&self, doing: &str, error: &SRCError) -> Result<Found, RegistryError> {
        let http = &self.inner.http;
        let Some(raw) = std::error::Error::source(error).and_then(|source| source.downcast_ref::<RawError>())
        else {
            return Err(http.unreachable(doing, &chain(error)));
        };
        let status = status_of(error).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let said = (raw.error_code != 0)
            .then(|| Refusal { error_code: i64::from(raw.error_code), message: raw.message.clone() });
        http.judge(doing, status, said).map_or(Ok(Found::Nothing), Err)
    }
}

/// The HTTP status, which the library tells in its text alone.
fn status_of(error: &SRCError) -> Option<StatusCode> {
    let (_, status) = error.error.rsplit_once("with status ")?;
    StatusCode::from_bytes(status.get(..3)?.as_bytes()).ok()
}

/// Whether an answer is about the schema that was asked for, as far as it says.
fn holds(answer: &Value, schema: &str) -> bool {
    let fingerprint =
        |text: &str| Contract::parse_to_read(text).ok().map(|contract| contract.fingerprint().to_owned());
    answer["schema"].as_str().is_none_or(|text| text == schema || fingerprint(text) == fingerprint(schema))
}

fn content(schema: &str) -> Value {
    json!({ "schema": schema, "schemaType": "AVRO" })
}

fn fit(registered: &RegisteredSchema) -> Found {
    let parsed = if registered.schema_type != SchemaType::Avro {
        let found = format!("{:?}", registered.schema_type).to_uppercase();
        Err(SchemaRefused::NotAvro { found })
    } else if registered.references.is_empty() {
        Contract::parse_to_read(&registered.schema)
    } else {
        Err(SchemaRefused::References)
    };
    match parsed {
        Ok(contract) => Found::Contract(Arc::new(contract)),
        Err(refused) => Found::Refused(Arc::new(refused)),
    }
}
