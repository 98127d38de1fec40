//! Where the sentinel's alerts arrive: the demo's on-call phone. It takes nothing whose signature does not hold.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::narrator::Narrator;
use crate::failure::Failure;

/// How far a delivery's timestamp may be from this machine's clock.
const SKEW: Duration = Duration::from_mins(5);

/// One alert as it came in, its signature verified.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// `webhook-id`: the same on every retry.
    pub delivery: String,
    /// What it says.
    pub alert: Alert,
}

/// One alert of an Alertmanager webhook of version 4, as far as the demo shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Alert {
    /// `firing` or `resolved`.
    pub status: String,
    /// What it is about.
    #[serde(default)]
    pub labels: Labels,
    /// What to know.
    #[serde(default)]
    pub annotations: Annotations,
}

/// What an alert is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Labels {
    /// The kind of alert, e.g. `RolloutStalled`.
    pub alertname: String,
    /// The rollout.
    pub rollout: String,
    /// The step.
    pub step: String,
    /// The service that owes the event.
    pub service: String,
    /// The team that owns the step.
    pub owner: String,
    /// Why.
    pub cause: String,
    /// How loudly it is told.
    pub severity: String,
}

/// What to know about an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Annotations {
    /// In one line.
    pub summary: String,
    /// In more.
    pub description: String,
    /// Where to read what to do.
    pub runbook_url: String,
}

/// The receiver. It stops when dropped.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    secret: String,
    arrivals: watch::Receiver<Vec<Arrival>>,
    refused: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

#[derive(Clone, Debug)]
struct Shared {
    key: Arc<Vec<u8>>,
    narrator: Arc<Narrator>,
    arrivals: watch::Sender<Vec<Arrival>>,
    refused: Arc<Mutex<Vec<String>>>,
}

#[derive(Deserialize)]
struct Body {
    alerts: Vec<Alert>,
}

impl Receiver {
    /// Starts a receiver on loopback, with a secret of its own.
    pub async fn start(narrator: Arc<Narrator>) -> Result<Self, Failure> {
        let key: Vec<u8> =
            [uuid::Uuid::now_v7(), uuid::Uuid::now_v7()].iter().flat_map(|half| *half.as_bytes()).collect();
        let secret = format!("whsec_{}", STANDARD.encode(&key));
        let (sender, arrivals) = watch::channel(Vec::new());
        let refused = Arc::default();
        let shared = Shared { key: Arc::new(key), narrator, arrivals: sender, refused: Arc::clone(&refused) };
        let app = Router::new().route("/alerts", post(take)).with_state(shared);
        let (url, server) = super::serve(app).await?;
        Ok(Self { url: format!("{url}/alerts"), secret, arrivals, refused, server })
    }

    /// Where alerts are to be sent.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The secret that they must be signed with.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// All alerts so far, and a way to wait for more.
    pub fn arrivals(&self) -> watch::Receiver<Vec<Arrival>> {
        self.arrivals.clone()
    }

    /// Why deliveries were refused; empty when every signature held.
    pub fn refused(&self) -> Vec<String> {
        self.refused.lock().expect("no holder panics").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let at = Instant::now();
    match verified(&shared.key, &headers, &body, SystemTime::now()) {
        Ok((delivery, alerts)) => {
            let known = shared.arrivals.borrow().iter().any(|arrival| arrival.delivery == delivery);
            if !known {
                for alert in &alerts {
                    shared.narrator.alert(alert);
                }
                let arrivals =
                    alerts.into_iter().map(|alert| Arrival { at, delivery: delivery.clone(), alert });
                shared.arrivals.send_modify(|all| all.extend(arrivals));
            }
            StatusCode::OK
        }
        Err(why) => {
            shared.refused.lock().expect("no holder panics").push(why);
            StatusCode::UNAUTHORIZED
        }
    }
}

/// Checks a delivery as Standard Webhooks says; returns its id and its alerts.
fn verified(
    key: &[u8],
    headers: &HeaderMap,
    body: &[u8],
    clock: SystemTime,
) -> Result<(String, Vec<Alert>), String> {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| format!("no readable header {name}"))
    };
    let (id, stamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let seconds = stamp.parse().map_err(|_| format!("{stamp} is no timestamp"))?;
    let sent = UNIX_EPOCH + Duration::from_secs(seconds);
    let apart = clock.duration_since(sent).unwrap_or_else(|error| error.duration());
    if apart > SKEW {
        return Err(format!("the timestamp is {} s off", apart.as_secs()));
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in [id.as_bytes(), b".", stamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    let mut signatures = header("webhook-signature")?.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    let holds = |signature: &str| {
        STANDARD.decode(signature).is_ok_and(|bytes| mac.clone().verify_slice(&bytes).is_ok())
    };
    if !signatures.any(holds) {
        return Err("no signature fits the secret".to_owned());
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| format!("the body: {error}"))?;
    Ok((id.to_owned(), body.alerts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        br#"{"alerts":[{"status":"firing","labels":{"alertname":"RolloutStalled","team":"x"}}]}"#;

    #[test]
    fn a_delivery_is_taken_only_with_the_signature_of_its_own_bytes() {
        let clock = UNIX_EPOCH + Duration::from_secs(1_000);
        let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
        mac.update(b"msg_1.1000.");
        mac.update(BODY);
        let mut headers = HeaderMap::new();
        let signature = format!("v1,AAAA v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        for (name, value) in
            [("webhook-id", "msg_1"), ("webhook-timestamp", "1000"), ("webhook-signature", &signature)]
        {
            headers.insert(name, value.parse().unwrap());
        }
        let (id, alerts) = verified(b"key", &headers, BODY, clock).unwrap();
        assert_eq!((id.as_str(), alerts[0].labels.alertname.as_str()), ("msg_1", "RolloutStalled"));
        assert!(verified(b"other", &headers, BODY, clock).is_err());
        assert!(verified(b"key", &headers, b"{\"alerts\":[]}", clock).is_err());
        assert!(verified(b"key", &headers, BODY, clock + Duration::from_secs(301)).is_err());
    }
}
