//! The same body in an envelope of CloudEvents 1.0, structured mode.

use serde::Serialize;

use super::rfc3339;
use super::webhook::Body;
use crate::Notification;

/// The type of the events.
pub const TYPE: &str = "io.pavane.alerts.v1.Notification";
/// The content type of the body.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The body. `source` is what speaks, e.g. `/pavane/sentinel`; `external_url` is where links lead.
pub fn body(news: &Notification, source: &str, external_url: &str) -> Vec<u8> {
    let moments = news.alerts.iter().map(|alert| alert.ends_at.unwrap_or(alert.starts_at));
    let event = Event {
        specversion: "1.0",
        id: &news.id,
        source,
        r#type: TYPE,
        subject: &news.group,
        time: moments.max().map(rfc3339),
        datacontenttype: "application/json",
        data: Body::new(news, external_url),
    };
    serde_json::to_vec(&event).expect("texts and maps of texts are JSON")
}

#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: &'static str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    datacontenttype: &'static str,
    data: Body<'a>,
}
