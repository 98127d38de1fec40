//! One request to the registry: who we are, how much of an answer is read, and what an error means.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use super::error::{RegistryError, chain};
use crate::RegistryAccess;

/// How long an answer is waited for.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
pub(super) const MAX_ANSWER: usize = 1024 * 1024;
/// The media type of the API.
const MEDIA: &str = "application/vnd.schemaregistry.v1+json";

/// What the registry says when it refuses.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) error_code: i64,
    #[serde(default)]
    pub(super) message: String,
}

/// A client of one registry.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client,
    base: Url,
    access: RegistryAccess,
}

impl Http {
    pub(super) fn new(url: &str, access: &RegistryAccess) -> Result<Self, RegistryError> {
        let base = parse(url)?;
        let client = builder(&base, access)?.timeout(TIMEOUT).build();
        let client = client.map_err(|error| settings(&base, &chain(&error)))?;
        Ok(Self { client, base, access: access.clone() })
    }

    /// The base URL without credentials.
    pub(super) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Asks, and gives the JSON of the answer; none for a 404 in the registry's own words.
    pub(super) async fn ask(
        &self,
        doing: &str,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Option<Value>, RegistryError> {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("parse refuses other URLs").pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url).header(ACCEPT, MEDIA);
        if let Some(token) = &self.access.token {
            request = request.bearer_auth(token);
        } else if let Some(user) = &self.access.user {
            request = request.basic_auth(user, self.access.password.as_ref());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, MEDIA).body(body.to_string());
        }
        let answer = request.send().await.map_err(|error| self.unreachable(doing, &chain(&error)))?;
        let status = answer.status();
        let text = self.text(doing, answer).await?;
        if status.is_success() {
            let value = serde_json::from_slice(&text);
            return value.map(Some).map_err(|error| self.not_a_registry(doing, &format!("no JSON: {error}")));
        }
        let refusal = serde_json::from_slice::<Refusal>(&text).ok();
        match self.judge(doing, status, refusal) {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    async fn text(&self, doing: &str, mut answer: reqwest::Response) -> Result<Vec<u8>, RegistryError> {
        let mut text = Vec::new();
        loop {
            let chunk = answer.chunk().await.map_err(|error| self.unreachable(doing, &chain(&error)))?;
            let Some(chunk) = chunk else { return Ok(text) };
            if text.len() + chunk.len() > MAX_ANSWER {
                return Err(self.not_a_registry(doing, &format!("an answer of more than {MAX_ANSWER} bytes")));
            }
            text.extend_from_slice(&chunk);
        }
    }

    /// What a refusal means; none when it means that there is no such thing.
    pub(super) fn judge(
        &self,
        doing: &str,
        status: StatusCode,
        refusal: Option<Refusal>,
    ) -> Option<RegistryError> {
        let (doing, url) = (doing.to_owned(), self.base().to_owned());
        let code = status.as_u16();
        let message = refusal.as_ref().map_or_else(|| status.to_string(), |refusal| refusal.message.clone());
        if status.is_server_error() || matches!(code, 408 | 425 | 429) {
            return Some(RegistryError::Troubled { doing, url, status: code, message });
        }
        match (code, refusal) {
            (401 | 403, _) => Some(RegistryError::Denied { doing, url, status: code }),
            (404, Some(_)) => None,
            (_, Some(refusal)) => {
                Some(RegistryError::Refused { doing, url, code: refusal.error_code, message })
            }
            (_, None) => {
                Some(self.not_a_registry(&doing, &format!("the answer is {status}, not a registry's")))
            }
        }
    }

    pub(super) fn unreachable(&self, doing: &str, why: &str) -> RegistryError {
        RegistryError::Unreachable {
            doing: doing.to_owned(),
            url: self.base().to_owned(),
            why: why.to_owned(),
        }
    }

    pub(super) fn not_a_registry(&self, doing: &str, why: &str) -> RegistryError {
        RegistryError::NotARegistry {
            doing: doing.to_owned(),
            url: self.base().to_owned(),
            why: why.to_owned(),
        }
    }
}

/// A client builder that goes straight to a loopback address, follows no redirect, and trusts the given authority.
pub(super) fn builder(base: &Url, access: &RegistryAccess) -> Result<ClientBuilder, RegistryError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let refused = || settings(base, &format!("the header {name:?} or its value cannot be sent"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        headers.insert(key, HeaderValue::from_str(value).map_err(|_| refused())?);
    }
    let mut builder = crate::http::client(base.scheme() == "https").default_headers(headers);
    if matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        builder = builder.no_proxy();
    }
    if let Some(path) = &access.ca_file {
        let place = path.display().to_string();
        let pem = std::fs::read(path)
            .map_err(|source| RegistryError::Certificates { path: place.clone(), source })?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| {
            settings(base, &format!("{place} holds no PEM certificates: {}", chain(&error)))
        })?;
        builder = certificates.into_iter().fold(builder, ClientBuilder::add_root_certificate);
    }
    Ok(builder)
}

pub(super) fn parse(url: &str) -> Result<Url, RegistryError> {
    let refused =
        |why: &str| RegistryError::Settings { url: "the registry's address".to_owned(), why: why.to_owned() };
    let base = Url::parse(url)
        .map_err(|error| refused(&format!("it is no URL ({error}); e.g. http://HOST:8081")))?;
    if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
        return Err(refused("it is neither http:// nor https://"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(refused(
            "it holds a user or a password; set registry.user and registry.password instead",
        ));
    }
    Ok(base)
}

pub(super) fn settings(base: &Url, why: &str) -> RegistryError {
    RegistryError::Settings { url: base.to_string(), why: why.to_owned() }
}
