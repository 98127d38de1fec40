//! A notification as it is sent: Alertmanager's webhook body, version 4, which every receiver of that kind
//! reads.
//!
//! It is computed from the alert and the configuration alone, so that every attempt of every replica carries
//! the same bytes under the same id.

use std::collections::BTreeMap;

use pavane_events::Timestamp;
use pavane_events::identity::sha256_hex;
use pavane_sentinel_engine::{Alert, AlertStatus};
use serde::Serialize;

/// The longest annotation that is sent, in characters: a receiver's page is no place for a whole log.
const LONGEST: usize = 1500;

/// Go's zero time: an alert that is not over ends there.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// A notification, ready to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The same for every attempt of every replica; receivers tell doubles by it.
    pub(crate) id: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The notification of an alert for one receiver.
    pub(crate) fn new(alert: &Alert, receiver: &str, external_url: &str) -> Self {
        let body = Body::new(alert, receiver, external_url);
        let body = serde_json::to_vec(&body).expect("texts and maps of texts are JSON");
        Self { id: format!("{}.{}", alert.id, alert.status.as_str()), body }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    version: &'static str,
    group_key: String,
    truncated_alerts: u32,
    status: &'static str,
    receiver: &'a str,
    group_labels: BTreeMap<&'a str, &'a str>,
    common_labels: &'a BTreeMap<String, String>,
    common_annotations: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    #[serde(rename = "notification_reason")]
    reason: &'static str,
    alerts: [One<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    status: &'static str,
    labels: &'a BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

impl<'a> Body<'a> {
    fn new(alert: &'a Alert, receiver: &'a str, external_url: &'a str) -> Self {
        let status = alert.status.as_str();
        let group_labels = group(&alert.labels);
        let matchers: Vec<_> = group_labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        Self {
            version: "4",
            group_key: format!("{{}}:{{{}}}", matchers.join(", ")),
            truncated_alerts: 0,
            status,
            receiver,
            group_labels,
            common_labels: &alert.labels,
            common_annotations: annotations(alert),
            external_url,
            reason: match alert.status {
                AlertStatus::Firing => "first notification",
                AlertStatus::Resolved => "all alerts resolved",
            },
            alerts: [One {
                status,
                labels: &alert.labels,
                annotations: annotations(alert),
                starts_at: rfc3339(alert.starts_at),
                ends_at: alert.ends_at.map_or_else(|| NEVER.to_owned(), rfc3339),
                generator_url: generator(&alert.labels, external_url),
                fingerprint: fingerprint(&alert.labels),
            }],
        }
    }
}

/// A moment of the broker as people and JSON write it, in UTC.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_string()
}

/// One page a rollout, not one a step; what is about no rollout is grouped by what it says of which domain.
fn group(labels: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let pick = |names: &[&'static str]| -> BTreeMap<&str, &str> {
        names.iter().filter_map(|&name| Some((name, labels.get(name)?.as_str()))).collect()
    };
    let rollout = pick(&["rollout"]);
    if rollout.is_empty() { pick(&["alertname", "domain", "replica"]) } else { rollout }
}

fn annotations(alert: &Alert) -> BTreeMap<String, String> {
    let cut = |text: &String| match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.clone(),
    };
    let mut annotations: BTreeMap<_, _> =
        alert.annotations.iter().map(|(name, text)| (name.clone(), cut(text))).collect();
    for (name, at) in [("since", alert.since), ("deadline", alert.deadline)] {
        if let Some(at) = at {
            annotations.insert(name.to_owned(), rfc3339(at));
        }
    }
    annotations
}

fn generator(labels: &BTreeMap<String, String>, external_url: &str) -> String {
    let base = external_url.trim_end_matches('/');
    match (base, labels.get("rollout")) {
        ("", _) => String::new(),
        (base, None) => base.to_owned(),
        (base, Some(rollout)) => {
            let step = labels.get("step").map_or_else(String::new, |step| format!("#{step}"));
            format!("{base}/rollouts/{rollout}{step}")
        }
    }
}

/// What tells one alert from another, over its whole life: 16 hexadecimal digits over its sorted labels.
fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let parts: Vec<_> = labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    let text = parts.join("\u{ff}");
    sha256_hex(&text)[..16].to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use pavane_events::EventId;

    use super::*;

    /// A stall as the engine raises it.
    pub(crate) fn stall(id: &str) -> Alert {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Alert {
            id: EventId::new(id).expect("a name"),
            status: AlertStatus::Firing,
            labels: map(&[
                ("alertname", "RolloutStalled"),
                ("domain", "shop"),
                ("rollout", "r-42"),
                ("step", "users"),
                ("service", "user-service"),
                ("cause", "not_finished"),
                ("severity", "page"),
                ("owner", "identity"),
            ]),
            annotations: map(&[
                ("summary", "users-v2: user-service.DeploymentComplete is missing (not_finished)"),
                ("runbook_url", "https://runbooks.example/users-v2"),
            ]),
            since: Some(Timestamp(1_795_269_300_000)),
            deadline: Some(Timestamp(1_795_269_600_000)),
            starts_at: Timestamp(1_795_269_600_250),
            ends_at: None,
        }
    }

    /// The same alert when it is over.
    pub(crate) fn over(mut alert: Alert) -> Alert {
        alert.status = AlertStatus::Resolved;
        alert.ends_at = Some(Timestamp(1_795_269_700_000));
        alert
    }

    #[test]
    fn a_stall_is_told_in_alertmanagers_words() {
        let message = Message::new(&stall("d1"), "platform", "https://pavane.example/");
        assert_eq!(message.id, "d1.firing");
        let body: serde_json::Value = serde_json::from_slice(&message.body).expect("JSON");
        let expected: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/firing.json")).expect("JSON");
        assert_eq!(body, expected, "{body:#}");
    }

    #[test]
    fn the_end_of_a_stall_is_told_under_its_own_id_with_the_same_fingerprint() {
        let (alert, end) = (stall("d1"), over(stall("d1")));
        let message = Message::new(&end, "platform", "");
        assert_eq!(message.id, "d1.resolved");
        let body: serde_json::Value = serde_json::from_slice(&message.body).expect("JSON");
        assert_eq!(
            (&body["status"], &body["notification_reason"]),
            (&"resolved".into(), &"all alerts resolved".into())
        );
        assert_eq!(body["alerts"][0]["endsAt"], "2026-11-21T14:01:40Z");
        assert_eq!(body["alerts"][0]["generatorURL"], "");
        assert_eq!(fingerprint(&alert.labels), fingerprint(&end.labels));
    }

    #[test]
    fn every_replica_computes_the_same_bytes() {
        let build = || Message::new(&stall("d1"), "platform", "https://pavane.example");
        assert_eq!(build(), build());
    }

    #[test]
    fn a_notification_stays_small_whatever_a_hook_has_written() {
        let mut alert = stall("d1");
        for name in ["description", "evidence"] {
            alert.annotations.insert(name.to_owned(), "ü".repeat(100_000));
        }
        assert!(Message::new(&alert, "platform", "").body.len() < 20_000);
    }

    #[test]
    fn labels_do_not_run_into_each_other() {
        let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert_ne!(fingerprint(&map("ab", "c")), fingerprint(&map("a", "bc")));
    }
}
