//! Notices that no sentinel is heard while a rollout is open: then nobody would tell of a stall.
//!
//! A sentinel says a pulse to the log every few seconds while a rollout is open. A sidecar that cannot read the log hears
//! none either, and says that it is blind instead.

use std::time::Duration;

use pavane_events::RolloutId;
use reqwest::Client;
use serde_json::json;
use tokio::time::Instant;

use crate::config::Config;

/// How long the webhook may take, how often it is tried, and how long apart.
const PATIENCE: Duration = Duration::from_secs(5);
const TRIES: u32 = 5;
const APART: Duration = Duration::from_secs(2);

/// The watch for sentinels.
#[derive(Debug)]
pub(crate) struct Vigil {
    limit: Duration,
    /// Since when no sentinel has been heard although one should be.
    silent: Option<Instant>,
    missing: bool,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// No sentinel has been heard for so long.
    Missing(Duration),
    /// One is heard again, or none is needed.
    Back,
}

impl Vigil {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self { limit, silent: None, missing: false }
    }

    /// A sentinel has been heard.
    pub(crate) const fn heard(&mut self, now: Instant) {
        if self.silent.is_some() {
            self.silent = Some(now);
        }
    }

    /// Looks at the time; `wanted` while a rollout is open and the log can be read to its end.
    pub(crate) fn look(&mut self, now: Instant, wanted: bool) -> Option<Change> {
        self.silent = if wanted { self.silent.or(Some(now)) } else { None };
        let silence = self.silent.map(|since| now.saturating_duration_since(since));
        let missing = silence.filter(|silence| *silence >= self.limit);
        match (missing, std::mem::replace(&mut self.missing, missing.is_some())) {
            (Some(silence), false) => Some(Change::Missing(silence)),
            (None, true) => Some(Change::Back),
            (Some(_), true) | (None, false) => None,
        }
    }
}

/// Tells somebody who does not depend on sentinels.
pub(crate) async fn tell(client: Client, url: String, body: serde_json::Value) {
    for _ in 0..TRIES {
        let sent = client.post(&url).timeout(PATIENCE).json(&body).send().await;
        match sent.and_then(reqwest::Response::error_for_status) {
            Ok(_) => return,
            Err(error) => {
                tracing::error!(error = %error.without_url(), "failed to tell that no sentinel is heard");
            }
        }
        tokio::time::sleep(APART).await;
    }
}

/// What is told.
pub(crate) fn message(config: &Config, rollout: Option<&RolloutId>, silence: Duration) -> serde_json::Value {
    json!({
        "event": "SentinelMissing",
        "domain": config.domain,
        "service": config.service,
        "instance": config.instance,
        "rollout": rollout,
        "silent_ms": u64::try_from(silence.as_millis()).unwrap_or(u64::MAX),
        "detail": "a rollout is open and no sentinel says that it watches; start one, or hold the domain",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentinel_is_missed_once_after_the_time_and_only_while_it_is_wanted() {
        let (mut vigil, begin) = (Vigil::new(Duration::from_mins(2)), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(vigil.look(at(0), false), None);
        assert_eq!(vigil.look(at(1_000), true), None, "it counts from when a rollout is open");
        vigil.heard(at(1_060));
        assert_eq!(vigil.look(at(1_179), true), None);
        assert_eq!(vigil.look(at(1_180), true), Some(Change::Missing(Duration::from_mins(2))));
        assert_eq!(vigil.look(at(1_181), true), None, "told once");
        vigil.heard(at(1_182));
        assert_eq!(vigil.look(at(1_182), true), Some(Change::Back));
        assert_eq!(vigil.look(at(2_000), false), None);
        assert_eq!(vigil.look(at(2_001), true), None, "blindness is no silence");
    }
}
