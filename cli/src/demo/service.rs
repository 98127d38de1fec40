//! A service that can be rolled out: it knows its version, upgrades and goes back when told, and can be made to hang.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// How long an upgrade takes: long enough to be seen.
const UPGRADE: Duration = Duration::from_millis(700);
/// How long the way back takes.
const REVERT: Duration = Duration::from_millis(400);

/// One service, answering on loopback. It stops when dropped.
#[derive(Debug)]
pub struct Service {
    url: String,
    inner: Shared,
    server: JoinHandle<()>,
}

type Shared = Arc<Mutex<Inner>>;

#[derive(Debug)]
struct Inner {
    version: String,
    before: String,
    next: String,
    hangs: bool,
    hung_at: Option<Instant>,
}

impl Service {
    /// Starts a service that runs `version`.
    ///
    /// | request | answer |
    /// |---|---|
    /// | `GET /version` | the version as text |
    /// | `GET /readyz` | 200 |
    /// | `POST /upgrade` | goes to the version that was laid ready, or hangs |
    /// | `POST /revert` | goes back to the version before the upgrade |
    pub async fn start(version: &str) -> Result<Self, Failure> {
        let inner = Inner {
            version: version.to_owned(),
            before: version.to_owned(),
            next: version.to_owned(),
            hangs: false,
            hung_at: None,
        };
        let inner = Arc::new(Mutex::new(inner));
        let app = Router::new()
            .route("/version", get(async |State(inner): State<Shared>| lock(&inner).version.clone()))
            .route("/readyz", get(async || "ready"))
            .route("/upgrade", post(upgrade))
            .route("/revert", post(revert))
            .with_state(Arc::clone(&inner));
        let (url, server) = super::serve(app).await?;
        Ok(Self { url, inner, server })
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The version that runs.
    pub fn version(&self) -> String {
        lock(&self.inner).version.clone()
    }

    /// Lays a version ready for the next upgrade, as a deploy tool would.
    pub fn lay_ready(&self, version: &str) {
        version.clone_into(&mut lock(&self.inner).next);
    }

    /// From here on an upgrade begins and does not end.
    pub fn hang(&self) {
        lock(&self.inner).hangs = true;
    }

    /// When an upgrade began that does not end.
    pub fn hung_at(&self) -> Option<Instant> {
        lock(&self.inner).hung_at
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(inner: &Shared) -> MutexGuard<'_, Inner> {
    inner.lock().expect("no holder panics")
}

async fn upgrade(State(inner): State<Shared>) -> String {
    if begin(&inner) {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(UPGRADE).await;
    let mut inner = lock(&inner);
    let next = inner.next.clone();
    inner.before = std::mem::replace(&mut inner.version, next);
    inner.version.clone()
}

/// Notes that an upgrade has begun; says whether it is one that does not end.
fn begin(inner: &Shared) -> bool {
    let mut inner = lock(inner);
    if inner.hangs {
        inner.hung_at = Some(Instant::now());
    }
    inner.hangs
}

async fn revert(State(inner): State<Shared>) -> String {
    tokio::time::sleep(REVERT).await;
    let mut inner = lock(&inner);
    let before = inner.before.clone();
    inner.version.clone_from(&before);
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_goes_forward_and_back() {
        let service = Service::start("1.0.0").await.unwrap();
        service.lay_ready("2.0.0");
        let post = async |path: &str| {
            let request = reqwest::Client::new().post(format!("{}{path}", service.url()));
            request.send().await.unwrap().text().await.unwrap()
        };
        assert_eq!(post("/upgrade").await, "2.0.0");
        assert_eq!(service.version(), "2.0.0");
        assert_eq!(post("/revert").await, "1.0.0");
    }

    #[tokio::test]
    async fn a_hanging_upgrade_changes_nothing() {
        let service = Service::start("1.0.0").await.unwrap();
        service.lay_ready("2.0.0");
        service.hang();
        let request = reqwest::Client::new().post(format!("{}/upgrade", service.url()));
        assert!(request.timeout(Duration::from_millis(1_200)).send().await.unwrap_err().is_timeout());
        assert_eq!(service.version(), "1.0.0");
    }
}
