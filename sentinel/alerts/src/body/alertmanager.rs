//! Alerts as Alertmanager's own API takes them: it groups and routes by itself, so each stands for itself.

use std::collections::BTreeMap;

use pavane_sentinel_engine::Alert;
use serde::Serialize;

use super::{annotations, link, rfc3339};
use crate::Labels;

/// The path of the API below the address of an Alertmanager.
pub const PATH: &str = "/api/v2/alerts";

/// The body. An alert that burns carries no end: Alertmanager lets it lapse after its `resolve_timeout` when it is not sent
/// again.
pub fn body(alerts: &[Alert], external_url: &str) -> Vec<u8> {
    let alerts: Vec<_> = alerts.iter().map(|alert| one(alert, external_url)).collect();
    serde_json::to_vec(&alerts).expect("texts and maps of texts are JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    labels: &'a Labels,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(rename = "generatorURL", skip_serializing_if = "String::is_empty")]
    generator_url: String,
}

fn one<'a>(alert: &'a Alert, external_url: &str) -> One<'a> {
    One {
        labels: &alert.labels,
        annotations: annotations(alert, external_url),
        starts_at: rfc3339(alert.starts_at),
        ends_at: alert.ends_at.map(rfc3339),
        generator_url: link(&alert.labels, external_url),
    }
}
