//! Alertmanager's webhook body, version 4, which every receiver of that kind reads.

use std::collections::BTreeMap;

use pavane_sentinel_engine::Alert;
use serde::Serialize;

use super::{annotations, common, fingerprint, link, rfc3339};
use crate::{Labels, Notification};

/// Go's zero time: an alert that is not over ends there.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The body. `external_url` is where links lead; empty for none.
pub fn body(news: &Notification, external_url: &str) -> Vec<u8> {
    serde_json::to_vec(&Body::new(news, external_url)).expect("texts and maps of texts are JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: usize,
    status: &'static str,
    receiver: &'a str,
    group_labels: &'a Labels,
    common_labels: Labels,
    common_annotations: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    #[serde(rename = "notification_reason")]
    reason: &'static str,
    alerts: Vec<One<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    status: &'static str,
    labels: &'a Labels,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

impl<'a> Body<'a> {
    pub(super) fn new(news: &'a Notification, external_url: &'a str) -> Self {
        let texts: Vec<_> = news.alerts.iter().map(|alert| annotations(alert, external_url)).collect();
        Self {
            version: "4",
            group_key: &news.group,
            truncated_alerts: news.truncated,
            status: news.status().as_str(),
            receiver: &news.receiver,
            group_labels: &news.group_labels,
            common_labels: common(news.alerts.iter().map(|alert| &alert.labels)),
            common_annotations: common(&texts),
            external_url,
            reason: news.reason.as_str(),
            alerts: news.alerts.iter().map(|alert| one(alert, external_url)).collect(),
        }
    }
}

fn one<'a>(alert: &'a Alert, external_url: &str) -> One<'a> {
    One {
        status: alert.status.as_str(),
        labels: &alert.labels,
        annotations: annotations(alert, external_url),
        starts_at: rfc3339(alert.starts_at),
        ends_at: alert.ends_at.map_or_else(|| NEVER.to_owned(), rfc3339),
        generator_url: link(&alert.labels, external_url),
        fingerprint: fingerprint(&alert.labels),
    }
}
