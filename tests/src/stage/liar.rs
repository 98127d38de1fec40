//! A registry that lies: it stands in front of the real one, and serves another schema under the ids that it is told. It
//! remembers what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::task::JoinHandle;

/// A registry on loopback that answers as the one behind it does, but for its lies. It stops when dropped.
#[derive(Debug)]
pub struct Liar {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    behind: String,
    client: reqwest::Client,
    lies: Mutex<BTreeMap<u32, String>>,
    asked: Mutex<Vec<String>>,
}

impl Liar {
    /// Stands in front of the registry at this address.
    pub async fn before(registry: &str) -> Result<Self> {
        let (behind, client) = (registry.trim_end_matches('/').to_owned(), reqwest::Client::new());
        let shared = Arc::new(Shared { behind, client, lies: Mutex::default(), asked: Mutex::default() });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("failed to listen")?;
        let address = listener.local_addr().context("failed to read the own address")?;
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("a server on a bound socket serves until it is dropped");
        });
        Ok(Self { address, shared, server })
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far, in order: `PUT /config/shop.Ready`.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("no holder panics").clone()
    }

    /// From here on it serves this schema under the id; the true one again where none is given.
    pub fn lie(&self, id: u32, schema: Option<&str>) {
        let mut lies = self.shared.lies.lock().expect("no holder panics");
        match schema {
            Some(schema) => drop(lies.insert(id, schema.to_owned())),
            None => drop(lies.remove(&id)),
        }
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.asked.lock().expect("no holder panics").push(format!("{method} {}", uri.path()));
    let asked = uri.path().strip_prefix("/schemas/ids/").and_then(|id| id.parse::<u32>().ok());
    let lie = asked.and_then(|id| shared.lies.lock().expect("no holder panics").get(&id).cloned());
    match lie {
        Some(schema) => axum::Json(json!({ "schema": schema })).into_response(),
        None => forward(&shared, method, &uri, &headers, body).await.unwrap_or_else(|error| {
            (StatusCode::BAD_GATEWAY, format!("the registry behind does not answer: {error}")).into_response()
        }),
    }
}

/// What the registry behind answers.
async fn forward(
    shared: &Shared,
    method: Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> reqwest::Result<Response> {
    let mut request = shared.client.request(method, format!("{}{uri}", shared.behind)).body(body);
    for name in [header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await?;
    let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
    let mut response = (status, answer.bytes().await?).into_response();
    if let Some(kind) = kind {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    Ok(response)
}
