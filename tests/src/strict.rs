//! Receivers that take nothing but what their documents say: Slack's incoming webhooks, PagerDuty's Events API, and one
//! that keeps the bytes as they came.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path.
    pub path: String,
    /// The headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Why it was refused; none where it was taken.
    pub refused: Option<String>,
}

/// A receiver on loopback. It stops when dropped.
#[derive(Debug)]
pub struct Strict {
    base: String,
    requests: Requests,
    server: JoinHandle<()>,
}

type Requests = Arc<Mutex<Vec<Request>>>;

impl Strict {
    /// Starts one: `/slack`, `/v2/enqueue` and `/v2/change/enqueue` are strict, anywhere else takes everything.
    pub async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("failed to listen")?;
        let base = format!("http://{}", listener.local_addr().context("failed to read the own address")?);
        let requests = Requests::default();
        let app = Router::new().fallback(take).with_state(Arc::clone(&requests));
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("a server on a bound socket serves until it is dropped");
        });
        Ok(Self { base, requests, server })
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What came to a path, in order.
    pub fn came(&self, path: &str) -> Vec<Request> {
        let requests = self.requests.lock().expect("no holder panics");
        requests.iter().filter(|request| request.path == path).cloned().collect()
    }
}

impl Request {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("failed to read a body as JSON")
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(
    State(requests): State<Requests>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let checked = match uri.path() {
        "/slack" => json_of(&headers, &body).and_then(|body| slack(&body)),
        "/v2/enqueue" => json_of(&headers, &body).and_then(|body| event(&body, body_len(&body))),
        "/v2/change/enqueue" => json_of(&headers, &body).and_then(|body| change(&body)),
        _ => Ok(()),
    };
    let headers = headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let refused = checked.err().map(|error| format!("{error:#}"));
    let answer = match (&refused, uri.path()) {
        (Some(why), _) => (StatusCode::BAD_REQUEST, why.clone()),
        (None, "/slack") => (StatusCode::OK, "ok".to_owned()),
        (None, path) if path.starts_with("/v2/") => {
            (StatusCode::ACCEPTED, json!({ "status": "success" }).to_string())
        }
        (None, _) => (StatusCode::OK, String::new()),
    };
    let request = Request { path: uri.path().to_owned(), headers: headers.collect(), body, refused };
    requests.lock().expect("no holder panics").push(request);
    answer
}

fn json_of(headers: &HeaderMap, body: &Bytes) -> Result<Value> {
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    ensure!(kind == "application/json", "the content type is {kind:?}");
    serde_json::from_slice(body).context("the body is no JSON")
}

fn body_len(body: &Value) -> usize {
    body.to_string().len()
}

/// Looks at a message as Slack's reference of blocks describes it.
fn slack(body: &Value) -> Result<()> {
    let top = fields(body, "the message", &["text", "blocks"], &["attachments", "thread_ts", "mrkdwn"])?;
    text(&top["text"], "text", 40_000)?;
    let blocks = list(&top["blocks"], "blocks", 50)?;
    for block in blocks {
        match block["type"].as_str() {
            Some("header") => {
                fields(block, "a header", &["type", "text"], &["block_id"])?;
                composed(&block["text"], "plain_text", 150)?;
            }
            Some("section") => section(block)?,
            Some("actions") => {
                fields(block, "actions", &["type", "elements"], &["block_id"])?;
                list(&block["elements"], "elements", 25)?.iter().try_for_each(button)?;
            }
            Some("context") => {
                fields(block, "a context", &["type", "elements"], &["block_id"])?;
                let elements = list(&block["elements"], "elements", 10)?;
                elements.iter().try_for_each(|element| composed(element, "mrkdwn", 3_000))?;
            }
            other => bail!("a block of type {other:?}"),
        }
    }
    Ok(())
}

fn section(block: &Value) -> Result<()> {
    fields(block, "a section", &["type"], &["text", "fields", "block_id", "accessory"])?;
    ensure!(!block["text"].is_null() || !block["fields"].is_null(), "a section has a text or fields");
    if !block["text"].is_null() {
        composed(&block["text"], "mrkdwn", 3_000)?;
    }
    if !block["fields"].is_null() {
        let all = list(&block["fields"], "fields", 10)?;
        all.iter().try_for_each(|one| composed(one, "mrkdwn", 2_000))?;
    }
    Ok(())
}

fn button(element: &Value) -> Result<()> {
    let optional = ["url", "value", "style", "action_id", "confirm", "accessibility_label"];
    fields(element, "a button", &["type", "text"], &optional)?;
    ensure!(element["type"] == "button", "an element of type {}", element["type"]);
    composed(&element["text"], "plain_text", 75)?;
    link(&element["url"], 3_000)
}

fn composed(object: &Value, kind: &str, longest: usize) -> Result<()> {
    fields(object, "a text", &["type", "text"], &["emoji", "verbatim"])?;
    ensure!(object["type"] == kind, "a text of type {} where {kind} belongs", object["type"]);
    text(&object["text"], kind, longest)
}

/// Looks at an event as version 2 of PagerDuty's Events API describes it. The body has so many bytes.
fn event(body: &Value, bytes: usize) -> Result<()> {
    ensure!(bytes <= 512 * 1024, "{bytes} bytes");
    let required = ["routing_key", "event_action"];
    let optional = ["dedup_key", "payload", "images", "links", "client", "client_url"];
    fields(body, "the event", &required, &optional)?;
    key(&body["routing_key"])?;
    text(&body["dedup_key"], "dedup_key", 255)?;
    match body["event_action"].as_str() {
        Some("trigger") => {
            links(&body["links"])?;
            let required = ["summary", "source", "severity"];
            let optional = ["timestamp", "component", "group", "class", "custom_details"];
            let payload = fields(&body["payload"], "the payload", &required, &optional)?;
            text(&payload["summary"], "summary", 1_024)?;
            text(&payload["source"], "source", 1_024)?;
            let known = ["critical", "error", "warning", "info"];
            let severity = payload["severity"].as_str().unwrap_or_default();
            ensure!(known.contains(&severity), "the severity is {severity:?}");
            if let Some(at) = payload.get("timestamp") {
                moment(at)?;
            }
            Ok(())
        }
        Some("acknowledge" | "resolve") => Ok(()),
        other => bail!("the action is {other:?}"),
    }
}

/// Looks at a change event as PagerDuty's Change Events API describes it.
fn change(body: &Value) -> Result<()> {
    fields(body, "the change", &["routing_key", "payload"], &["links", "images"])?;
    key(&body["routing_key"])?;
    links(&body["links"])?;
    let payload =
        fields(&body["payload"], "the payload", &["summary"], &["timestamp", "source", "custom_details"])?;
    text(&payload["summary"], "summary", 1_024)?;
    payload.get("timestamp").map_or(Ok(()), moment)
}

fn key(key: &Value) -> Result<()> {
    let key = key.as_str().unwrap_or_default();
    ensure!(key.len() == 32 && key.bytes().all(|c| c.is_ascii_alphanumeric()), "the routing key is no key");
    Ok(())
}

fn links(links: &Value) -> Result<()> {
    for one in links.as_array().into_iter().flatten() {
        fields(one, "a link", &["href"], &["text"])?;
        link(&one["href"], 3_000)?;
    }
    Ok(())
}

fn link(url: &Value, longest: usize) -> Result<()> {
    text(url, "a link", longest)?;
    let url = url.as_str().unwrap_or_default();
    ensure!(url.starts_with("http://") || url.starts_with("https://"), "{url:?} is no link");
    Ok(())
}

/// A moment as ISO 8601 writes it, e.g. `2026-01-31T12:00:00.5Z`.
fn moment(at: &Value) -> Result<()> {
    let at = at.as_str().unwrap_or_default();
    let shape: String = at.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    ensure!(shape.starts_with("0000-00-00T00:00:00") && shape.ends_with('Z'), "{at:?} is no moment");
    Ok(())
}

fn fields<'a>(
    object: &'a Value,
    what: &str,
    required: &[&str],
    optional: &[&str],
) -> Result<&'a Map<String, Value>> {
    let object = object.as_object().with_context(|| format!("{what} is no object"))?;
    for name in required {
        ensure!(object.contains_key(*name), "{what} lacks `{name}`");
    }
    for name in object.keys() {
        let known = required.iter().chain(optional).any(|known| known == name);
        ensure!(known, "{what} has `{name}`, which is not known");
    }
    Ok(object)
}

fn list<'a>(value: &'a Value, what: &str, longest: usize) -> Result<&'a Vec<Value>> {
    let list = value.as_array().with_context(|| format!("`{what}` is no list"))?;
    ensure!((1..=longest).contains(&list.len()), "`{what}` has {} entries", list.len());
    Ok(list)
}

fn text(value: &Value, what: &str, longest: usize) -> Result<()> {
    let text = value.as_str().with_context(|| format!("`{what}` is no text"))?;
    let length = text.chars().count();
    ensure!((1..=longest).contains(&length), "`{what}` has {length} characters");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_documents_forbid_is_refused() {
        let key = "a".repeat(32);
        let payload = json!({ "summary": "a", "source": "b", "severity": "critical", "timestamp": "2026-01-31T12:00:00Z" });
        let good =
            json!({ "routing_key": key, "event_action": "trigger", "dedup_key": "k", "payload": payload });
        event(&good, 100).unwrap();
        change(&json!({ "routing_key": key, "payload": { "summary": "a" } })).unwrap();
        for (path, value) in [
            ("/event_action", json!("open")),
            ("/routing_key", json!("short")),
            ("/payload/severity", json!("page")),
            ("/payload/summary", json!("")),
            ("/payload/timestamp", json!("today")),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(path).unwrap() = value;
            assert!(event(&bad, 100).is_err(), "{path}");
        }
        assert!(event(&good, 600_000).is_err());
        let header = |text: &str| json!({ "type": "header", "text": { "type": "plain_text", "text": text } });
        let message = |block: Value| slack(&json!({ "text": "a", "blocks": [block] }));
        message(header("a")).unwrap();
        assert!(message(header(&"a".repeat(151))).is_err());
        assert!(message(json!({ "type": "section" })).is_err());
        assert!(slack(&json!({ "text": "a", "blocks": [] })).is_err());
    }
}
