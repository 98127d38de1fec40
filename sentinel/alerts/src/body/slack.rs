//! A message for a channel: a title, the text, what it is about, and a button.

use serde_json::{Value, json};

use super::template::{Target, TemplateError, Words, escaped};
use super::{common, link, shortened};
use crate::{Notification, value};

/// Slack takes so many characters in a header, and in a section.
const HEADER: usize = 149;
const SECTION: usize = 2_900;

/// The body of a POST to an incoming webhook.
pub fn body(news: &Notification, words: &Words, external_url: &str) -> Result<Vec<u8>, TemplateError> {
    let (title, text) = (words.title(news, external_url)?, words.text(news, external_url)?);
    let labels = common(news.alerts.iter().map(|alert| &alert.labels));
    let field = |name: &&str| {
        let text = escaped(value(&labels, name), Target::Slack);
        (!text.is_empty()).then(|| json!({ "type": "mrkdwn", "text": format!("*{name}*\n{text}") }))
    };
    let fields: Vec<Value> =
        ["domain", "rollout", "step", "service", "cause", "owner"].iter().filter_map(field).collect();
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": shortened(&title, HEADER) } }),
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": shortened(&text, SECTION) } }),
    ];
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    let url = link(&labels, external_url);
    if !url.is_empty() {
        let button =
            json!({ "type": "button", "text": { "type": "plain_text", "text": "Open" }, "url": url });
        blocks.push(json!({ "type": "actions", "elements": [button] }));
    }
    let context = json!({ "type": "mrkdwn", "text": format!("pavane · {}", news.reason.as_str()) });
    blocks.push(json!({ "type": "context", "elements": [context] }));
    Ok(serde_json::to_vec(&json!({ "text": title, "blocks": blocks })).expect("JSON"))
}
