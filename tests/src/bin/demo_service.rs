//! A service to roll out: it knows its version, upgrades when told, and can be told to misbehave.
//!
//! Environment: `PORT`; `VERSION` (the one it begins with, default `1.0.0`); `NEXT` (the one that an upgrade
//! without a body goes to, default `2.0.0`); `MODE` (`work`, `hang` or `fail`, how upgrades go; default
//! `work`).
//!
//! | request | answer |
//! |---|---|
//! | `GET /version` | the version as text |
//! | `GET /readyz` | 200, or 503 after `{"ready": false}` |
//! | `POST /upgrade` | goes to `{"version": …}` or to `NEXT`; hangs or answers 500 when told to |
//! | `POST /revert` | goes back to the version before the last upgrade |
//! | `POST /mode` | `{"mode": "work" \| "hang" \| "fail", "ready": true, "next": "3.0.0"}`: how it behaves from here on |
//! | `GET /calls` | how often it was upgraded and reverted: `{"upgrades": 1, "reverts": 0}` |

use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// How upgrades go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Work,
    Hang,
    Fail,
}

#[derive(Debug)]
struct Service {
    version: String,
    before: String,
    next: String,
    mode: Mode,
    ready: bool,
    calls: Calls,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Calls {
    upgrades: u32,
    reverts: u32,
}

#[derive(Debug, Default, Deserialize)]
struct Change {
    version: Option<String>,
    mode: Option<Mode>,
    ready: Option<bool>,
    next: Option<String>,
}

type Shared = Arc<Mutex<Service>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let port: u16 =
        std::env::var("PORT").context("failed to read PORT")?.parse().context("PORT is a number")?;
    let service = Arc::new(Mutex::new(from_env()?));
    let app = Router::new()
        .route("/version", get(async |State(service): State<Shared>| lock(&service).version.clone()))
        .route("/readyz", get(readyz))
        .route("/calls", get(async |State(service): State<Shared>| Json(lock(&service).calls)))
        .route("/upgrade", post(upgrade))
        .route("/revert", post(revert))
        .route("/mode", post(mode))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    axum::serve(listener.with_context(|| format!("failed to listen on port {port}"))?, app).await?;
    Ok(())
}

fn from_env() -> Result<Service> {
    let or = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let mode = serde_json::from_value(or("MODE", "work").into()).context("MODE is work, hang or fail")?;
    let version = or("VERSION", "1.0.0");
    Ok(Service {
        before: version.clone(),
        version,
        next: or("NEXT", "2.0.0"),
        mode,
        ready: true,
        calls: Calls::default(),
    })
}

fn lock(service: &Shared) -> MutexGuard<'_, Service> {
    service.lock().expect("no holder panics")
}

async fn readyz(State(service): State<Shared>) -> StatusCode {
    if lock(&service).ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// A body that is no change at all, e.g. the sidecar's own JSON or none, asks for `NEXT`.
fn read(body: &str) -> Change {
    serde_json::from_str(body).unwrap_or_default()
}

async fn upgrade(State(service): State<Shared>, body: String) -> (StatusCode, String) {
    let mode = {
        let mut service = lock(&service);
        service.calls.upgrades += 1;
        service.mode
    };
    match mode {
        Mode::Work => {
            let mut service = lock(&service);
            let version = read(&body).version.unwrap_or_else(|| service.next.clone());
            service.before = std::mem::replace(&mut service.version, version);
            (StatusCode::OK, service.version.clone())
        }
        Mode::Hang => std::future::pending().await,
        Mode::Fail => (StatusCode::INTERNAL_SERVER_ERROR, "told to fail".to_owned()),
    }
}

async fn revert(State(service): State<Shared>) -> String {
    let mut service = lock(&service);
    service.calls.reverts += 1;
    let before = service.before.clone();
    service.version = before;
    service.version.clone()
}

async fn mode(State(service): State<Shared>, Json(change): Json<Change>) -> StatusCode {
    let mut service = lock(&service);
    service.mode = change.mode.unwrap_or(service.mode);
    service.ready = change.ready.unwrap_or(service.ready);
    if let Some(next) = change.next {
        service.next = next;
    }
    StatusCode::NO_CONTENT
}
