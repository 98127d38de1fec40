//! A receiver of alerts: keeps each delivery and checks its signature as Standard Webhooks says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::task::JoinHandle;

use crate::wait;

/// How far a delivery's timestamp may be from this machine's clock.
const SKEW: Duration = Duration::from_mins(5);

/// One delivery as it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// `webhook-id`: the same on every retry of one alert.
    pub id: String,
    /// The body, an Alertmanager webhook of version 4.
    pub body: Value,
    /// What was answered.
    pub answered: u16,
    /// When it came, by this machine's clock.
    pub arrived: SystemTime,
}

/// A receiver at `/alerts` on loopback. It stops when dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    secret: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    secret: String,
    deliveries: Mutex<Vec<Delivery>>,
    refused: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<StatusCode>>,
}

impl Receiver {
    /// Starts a receiver that takes what is signed with `secret`, written `whsec_…`.
    pub async fn start(secret: &str) -> Result<Self> {
        let shared = Arc::new(Shared {
            secret: secret.to_owned(),
            deliveries: Mutex::default(),
            refused: Mutex::default(),
            answers: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("failed to listen")?;
        let address = listener.local_addr().context("failed to read the own address")?;
        let app = Router::new().route("/alerts", post(take)).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("a server on a bound socket serves until it is dropped");
        });
        Ok(Self { address, secret: secret.to_owned(), shared, server })
    }

    /// Where alerts are to be sent.
    pub fn url(&self) -> String {
        format!("http://{}/alerts", self.address)
    }

    /// The secret that deliveries must be signed with.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Answers the next deliveries with these codes instead of 200, one each.
    pub fn answer_next(&self, codes: impl IntoIterator<Item = StatusCode>) {
        self.shared.answers.lock().expect("no holder panics").extend(codes);
    }

    /// All deliveries whose signature held, in the order in which they came.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.deliveries.lock().expect("no holder panics").clone()
    }

    /// Why deliveries were refused; empty when every signature held.
    pub fn refused(&self) -> Vec<String> {
        self.shared.refused.lock().expect("no holder panics").clone()
    }

    /// Waits for a delivery that pleases; the error lists what came instead.
    pub async fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        pleases: impl Fn(&Delivery) -> bool,
    ) -> Result<Delivery> {
        let found = wait::until(what, limit, async || {
            self.deliveries().into_iter().find(|delivery| pleases(delivery))
        });
        found.await.with_context(|| format!("came: {:#?}; refused: {:?}", self.deliveries(), self.refused()))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let arrived = SystemTime::now();
    match verify(&shared.secret, &headers, &body, arrived).and_then(|id| {
        let body = serde_json::from_slice(&body).context("failed to read the body as JSON")?;
        Ok((id, body))
    }) {
        Ok((id, body)) => {
            let code = shared.answers.lock().expect("no holder panics").pop_front().unwrap_or(StatusCode::OK);
            let delivery = Delivery { id, body, answered: code.as_u16(), arrived };
            shared.deliveries.lock().expect("no holder panics").push(delivery);
            code
        }
        Err(error) => {
            shared.refused.lock().expect("no holder panics").push(format!("{error:#}"));
            StatusCode::UNAUTHORIZED
        }
    }
}

/// Checks one delivery and returns its id.
fn verify(secret: &str, headers: &HeaderMap, body: &[u8], clock: SystemTime) -> Result<String> {
    let header = |name: &str| -> Result<&str> {
        let value = headers.get(name).with_context(|| format!("failed to find the header {name}"))?;
        value.to_str().with_context(|| format!("failed to read the header {name}"))
    };
    let (id, stamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let sent = UNIX_EPOCH + Duration::from_secs(stamp.parse().context("failed to read the timestamp")?);
    let apart = clock.duration_since(sent).or_else(|_| sent.duration_since(clock)).unwrap_or(Duration::MAX);
    ensure!(apart <= SKEW, "the timestamp {stamp} is {} s off", apart.as_secs());
    let encoded = secret.strip_prefix("whsec_").context("failed to find whsec_ before the secret")?;
    let key = STANDARD.decode(encoded).context("failed to read the secret as base64")?;
    ensure!((24..=64).contains(&key.len()), "the secret has {} bytes, 24 to 64 are allowed", key.len());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    for part in [id.as_bytes(), b".", stamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    for signature in header("webhook-signature")?.split(' ').filter_map(|one| one.strip_prefix("v1,")) {
        let signature = STANDARD.decode(signature).context("failed to read the signature as base64")?;
        if mac.clone().verify_slice(&signature).is_ok() {
            return Ok(id.to_owned());
        }
    }
    bail!("no signature fits the secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const STAMP: u64 = 1_614_265_330;

    fn headers(signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap());
        headers.insert("webhook-timestamp", STAMP.to_string().parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    }

    #[test]
    fn the_published_example_verifies_and_nothing_else_does() {
        let good = "v1,aGVsbG8= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let clock = UNIX_EPOCH + Duration::from_secs(STAMP + 10);
        assert_eq!(verify(SECRET, &headers(good), BODY, clock).unwrap(), "msg_p5jXN8AQM9LWM0D4loKWxJek");
        assert!(verify(SECRET, &headers(good), b"{}", clock).is_err());
        assert!(verify(SECRET, &headers("v1,aGVsbG8="), BODY, clock).is_err());
        assert!(verify(SECRET, &headers(good), BODY, clock + Duration::from_secs(301)).is_err());
    }

    #[tokio::test]
    async fn an_unsigned_delivery_is_refused_and_remembered() {
        let receiver = Receiver::start(SECRET).await.unwrap();
        let answer = reqwest::Client::new().post(receiver.url()).body("{}").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401);
        assert!(receiver.deliveries().is_empty());
        assert_eq!(receiver.refused().len(), 1);
    }
}
