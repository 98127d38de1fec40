//! Events for whoever is on call: one incident for a group, opened, added to and closed under one key.

use pavane_events::identity::sha256_hex;
use pavane_sentinel_engine::AlertStatus;
use serde_json::{Value, json};

use super::template::{TemplateError, Words};
use super::{annotations, common, link, rfc3339, shortened};
use crate::{Notification, value};

/// Where events go unless the file says otherwise.
pub const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// PagerDuty takes so many characters in a summary.
const SUMMARY: usize = 1_020;

/// The body of a POST to the Events API. `routing_key` is the secret of the integration.
pub fn body(
    news: &Notification,
    words: &Words,
    routing_key: &str,
    external_url: &str,
) -> Result<Vec<u8>, TemplateError> {
    let dedup_key = format!("pavane-{}", &sha256_hex(&news.group)[..32]);
    let event = match news.status() {
        AlertStatus::Resolved => {
            json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key })
        }
        AlertStatus::Firing => json!({
            "routing_key": routing_key,
            "event_action": "trigger",
            "dedup_key": dedup_key,
            "client": "pavane",
            "client_url": external_url,
            "links": links(news, external_url),
            "payload": payload(news, words, external_url)?,
        }),
    };
    Ok(serde_json::to_vec(&event).expect("JSON"))
}

fn payload(news: &Notification, words: &Words, external_url: &str) -> Result<Value, TemplateError> {
    let labels = common(news.alerts.iter().map(|alert| &alert.labels));
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    let first = news.alerts.first();
    let details: Vec<Value> = news.alerts.iter().map(|alert| {
        json!({ "status": alert.status.as_str(), "labels": alert.labels, "annotations": annotations(alert, external_url) })
    }).collect();
    Ok(json!({
        "summary": shortened(&words.title(news, external_url)?, SUMMARY),
        "source": or(value(&labels, "service"), &or(value(&labels, "domain"), "pavane")),
        "severity": if news.alerts.iter().any(|alert| value(&alert.labels, "severity") == "page") { "critical" } else { "warning" },
        "timestamp": first.map(|alert| rfc3339(alert.starts_at)),
        "component": value(&labels, "step"),
        "group": value(&labels, "domain"),
        "class": value(&labels, "cause"),
        "custom_details": { "text": words.text(news, external_url)?, "alerts": details, "truncated": news.truncated },
    }))
}

fn links(news: &Notification, external_url: &str) -> Vec<Value> {
    let runbook = |alert: &pavane_sentinel_engine::Alert| {
        let href = alert.annotations.get("runbook_url")?.clone();
        Some(json!({ "href": href, "text": "Runbook" }))
    };
    let shown = |alert: &pavane_sentinel_engine::Alert| {
        let href = link(&alert.labels, external_url);
        (!href.is_empty()).then(|| json!({ "href": href, "text": "Rollout" }))
    };
    let page = |alert: &pavane_sentinel_engine::Alert| {
        let href = annotations(alert, external_url).remove("page_url")?;
        Some(json!({ "href": href, "text": "What it means" }))
    };
    let listed = news.alerts.iter().take(5);
    let mut links: Vec<Value> =
        listed.flat_map(|alert| [runbook(alert), page(alert), shown(alert)]).flatten().collect();
    links.dedup();
    links
}
