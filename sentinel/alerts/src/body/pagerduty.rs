//! Events for whoever is on call: one incident for a group, opened, added to and closed under one key; and changes, which
//! stand beside the incidents of a service.

use pavane_events::identity::sha256_hex;
use pavane_sentinel_engine::AlertStatus;
use serde_json::{Map, Value, json};

use super::template::{Target, TemplateError, Words, escaped};
use super::{LONGEST, annotations, common, link, rfc3339, shortened};
use crate::{Notification, value};

/// Where events go unless the file says otherwise.
pub const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// Where changes go below the address at which events end, instead of its last part.
const EVENTS: &str = "/enqueue";
const CHANGES: &str = "/change/enqueue";
/// PagerDuty takes so many characters in a summary.
const SUMMARY: usize = 1_020;

/// Where changes go, where events go to this address; none where it is no address of the Events API.
pub fn changes_url(url: &str) -> Option<String> {
    Some(format!("{}{CHANGES}", url.strip_suffix(EVENTS)?))
}

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

/// The body of a POST to the Change Events API. `routing_key` is the secret of the integration.
pub fn change(news: &Notification, routing_key: &str, external_url: &str) -> Vec<u8> {
    let said = |name: &str| news.alerts.first().and_then(|alert| alert.annotations.get(name));
    let summary =
        said("summary").map_or_else(String::new, |text| escaped(text, Target::Plain).replace('\n', " "));
    let labels = common(news.alerts.iter().map(|alert| &alert.labels));
    let details: Map<String, Value> = labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .chain(news.alerts.iter().flat_map(|alert| &alert.annotations).filter(|(name, _)| *name != "summary"))
        .map(|(name, text)| (name.clone(), json!(shortened(text, LONGEST))))
        .collect();
    let mut event = json!({
        "routing_key": routing_key,
        "payload": {
            "summary": shortened(&summary, SUMMARY),
            "timestamp": news.alerts.first().map(|alert| rfc3339(alert.starts_at)),
            "source": value(&labels, "domain"),
            "custom_details": details,
        },
    });
    let links = links(news, external_url);
    if !links.is_empty() {
        event["links"] = json!(links);
    }
    serde_json::to_vec(&event).expect("JSON")
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
