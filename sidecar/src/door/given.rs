//! What stands in a request to say an event: in the query, or in a JSON object.
//!
//! | field | meaning |
//! |---|---|
//! | `event` | the short name of an event that services say, e.g. `Ready` |
//! | `rollout` | the rollout that it is about |
//! | `version` | the version that it is about; the one that runs unless given |
//! | `causation` | the id of the event that led to this one |
//! | `id` | the event's own id; a fresh one unless given. Also as the header `idempotency-key` |
//! | `data` | the event's own fields, as its contract says |
//!
//! With `event` in the query, the whole body is `data`.

use std::str::FromStr;

use axum::http::HeaderMap;
use pavane_bus::wire::Finding;
use pavane_events::{EventId, EventType, RolloutId, Speaker, Version};
use serde::Deserialize;
use serde_json::value::RawValue;

/// An event as the service gives it.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) event: EventType,
    pub(super) rollout: Option<RolloutId>,
    pub(super) version: Option<Version>,
    pub(super) causation: Option<EventId>,
    pub(super) id: Option<EventId>,
    /// JSON, as it was sent.
    pub(super) data: String,
    pub(super) traceparent: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    event: Option<String>,
    rollout: Option<String>,
    version: Option<String>,
    causation: Option<String>,
    id: Option<String>,
    data: Option<Box<RawValue>>,
}

/// Reads a request; or else says everything that is wrong with it.
pub(super) fn read(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Given, Vec<Finding>> {
    let mut findings = Vec::new();
    let from_query = axum::http::Uri::try_from(format!("/?{}", query.unwrap_or_default())).ok();
    let from_query = from_query.and_then(|uri| axum::extract::Query::<Written>::try_from_uri(&uri).ok());
    let by_query = query.is_some_and(|query| !query.is_empty());
    let (written, data) = match (by_query, from_query) {
        (true, Some(axum::extract::Query(written))) => (written, String::from_utf8_lossy(body).into_owned()),
        (true, None) => {
            let known = "event, rollout, version, causation and id are known in the query, each at most once";
            return Err(vec![finding("", "the query cannot be read", known)]);
        }
        (false, _) => {
            let written: Written = serde_json::from_slice(body)
                .map_err(|error| vec![finding("", &format!("the body cannot be read: {error}"), "")])?;
            let data = written.data.as_ref().map(|data| data.get().to_owned()).unwrap_or_default();
            (written, data)
        }
    };
    let event = event(written.event.as_deref(), &mut findings);
    let given = Given {
        event: event.unwrap_or(EventType::Ready),
        rollout: named("/rollout", written.rollout, &mut findings),
        version: named("/version", written.version, &mut findings),
        causation: named("/causation", written.causation, &mut findings),
        id: named("/id", written.id.or_else(|| header(headers, "idempotency-key")), &mut findings),
        data: if data.trim().is_empty() { "{}".to_owned() } else { data },
        traceparent: header(headers, "traceparent"),
    };
    if findings.is_empty() { Ok(given) } else { Err(findings) }
}

fn event(name: Option<&str>, findings: &mut Vec<Finding>) -> Option<EventType> {
    let event = name.and_then(EventType::from_short).filter(|event| event.speaker() == Speaker::Service);
    if event.is_none() {
        let said = EventType::ALL.iter().filter(|event| event.speaker() == Speaker::Service);
        let names: Vec<_> = said.map(|event| event.as_str()).collect();
        let message = match name {
            Some(name) => format!("{name:?} is not an event that a service says"),
            None => "the event is missing".to_owned(),
        };
        findings.push(finding("/event", &message, &format!("one of {}", names.join(", "))));
    }
    event
}

fn named<T: FromStr<Err: std::fmt::Display>>(
    pointer: &str,
    text: Option<String>,
    findings: &mut Vec<Finding>,
) -> Option<T> {
    match text?.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            findings.push(finding(pointer, &format!("{error}"), ""));
            None
        }
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn finding(pointer: &str, message: &str, help: &str) -> Finding {
    Finding { pointer: pointer.to_owned(), message: message.to_owned(), help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stands_in_the_body_or_in_the_query() {
        let body = br#"{"event":"Ready","rollout":"r-1","version":"2.0.0","data":{"prerequisite":"x"}}"#;
        let given = read(None, &HeaderMap::new(), body).unwrap();
        assert_eq!((given.event, given.data.as_str()), (EventType::Ready, r#"{"prerequisite":"x"}"#));
        let query = "event=Ready&rollout=r-1&version=2.0.0";
        let given = read(Some(query), &HeaderMap::new(), br#"{"prerequisite":"x"}"#).unwrap();
        assert_eq!((given.event, given.data.as_str()), (EventType::Ready, r#"{"prerequisite":"x"}"#));
        assert_eq!(given.rollout.unwrap().as_str(), "r-1");
        assert_eq!(given.version.unwrap().as_str(), "2.0.0");
        assert_eq!(read(Some("event=Drained"), &HeaderMap::new(), b"").unwrap().data, "{}");
    }

    #[test]
    fn what_stands_twice_in_the_data_is_kept_for_the_contract_to_refuse() {
        let body = br#"{"event":"Ready","data":{"detail":"a","detail":"b"}}"#;
        assert_eq!(read(None, &HeaderMap::new(), body).unwrap().data, r#"{"detail":"a","detail":"b"}"#);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let body = br#"{"event":"RolloutStarted","rollout":"no good","version":"; rm"}"#;
        let findings = read(None, &HeaderMap::new(), body).unwrap_err();
        let pointers: Vec<_> = findings.iter().map(|finding| finding.pointer.as_str()).collect();
        assert_eq!(pointers, ["/event", "/rollout", "/version"]);
        for bad in [&b"{"[..], br#"{"event":"Ready","evnt":1}"#, br#"{"event":"Ready","event":"Ready"}"#, b""]
        {
            assert_eq!(read(None, &HeaderMap::new(), bad).unwrap_err().len(), 1);
        }
    }
}
