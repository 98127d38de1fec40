//! What stands in a request to say an event: in the query, or in a JSON object. [`cloud`](super::cloud) reads the rest.
//!
//! | field | meaning |
//! |---|---|
//! | `event` | the short name of an event that services say, e.g. `Ready` |
//! | `rollout` | the rollout that it is about |
//! | `version` | the version that it is about; the one that runs unless given |
//! | `causation` | the id of the event that led to this one |
//! | `id` | the event's own id, under which the request may come again; a fresh one unless given |
//! | `ack` | `broker` or `local`: whose answer is waited for; in the query alone |
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
    /// The time and the subject that the service gives; by default those of the door.
    pub(super) time: Option<String>,
    pub(super) subject: Option<String>,
    /// JSON, as it was sent.
    pub(super) data: String,
    pub(super) traceparent: Option<String>,
}

impl Given {
    /// All that makes this request another one than one with the same id: FNV-1a, which stays as it is for ever.
    pub(super) fn digest(&self) -> u64 {
        let text = |name: Option<&str>| name.map(str::to_owned).unwrap_or_default();
        let parts = [
            self.event.as_str().to_owned(),
            text(self.rollout.as_ref().map(RolloutId::as_str)),
            text(self.version.as_ref().map(Version::as_str)),
            text(self.causation.as_ref().map(EventId::as_str)),
            text(self.time.as_deref()),
            text(self.subject.as_deref()),
            self.data.clone(),
        ];
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

/// What the query asks of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whether the answer is to come when the journal has it.
    pub(super) local: bool,
    /// Whether the query says which event it is.
    pub(super) event: bool,
}

/// Reads what a query asks of the answer.
pub(super) fn asked(query: Option<&str>) -> Result<Asked, Vec<Finding>> {
    let written = written(query)?;
    let local = match written.ack.as_deref() {
        None | Some("broker") => false,
        Some("local") => true,
        Some(other) => {
            let message = format!("`ack` is {other:?}");
            return Err(vec![finding("/ack", &message, "`broker` or `local`")]);
        }
    };
    Ok(Asked { local, event: written.event.is_some() })
}

fn written(query: Option<&str>) -> Result<Written, Vec<Finding>> {
    let uri = axum::http::Uri::try_from(format!("/?{}", query.unwrap_or_default())).ok();
    let written = uri.and_then(|uri| axum::extract::Query::<Written>::try_from_uri(&uri).ok());
    written.map(|axum::extract::Query(written)| written).ok_or_else(|| {
        let known =
            "event, rollout, version, causation, id and ack are known in the query, each at most once";
        vec![finding("", "the query cannot be read", known)]
    })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    event: Option<String>,
    rollout: Option<String>,
    version: Option<String>,
    causation: Option<String>,
    id: Option<String>,
    ack: Option<String>,
    data: Option<Box<RawValue>>,
}

/// Reads a request; or else says everything that is wrong with it.
pub(super) fn read(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Given, Vec<Finding>> {
    let mut findings = Vec::new();
    let from_query = written(query)?;
    let (written, data) = if from_query.event.is_some() {
        (from_query, String::from_utf8_lossy(body).into_owned())
    } else {
        let Written { rollout, version, causation, id, .. } = &from_query;
        if [rollout, version, causation, id].iter().any(|field| field.is_some()) {
            let help = "put it beside `event`, into the query or into the body";
            return Err(vec![finding("/event", "the query says more than `ack` and names no event", help)]);
        }
        let written: Written = serde_json::from_slice(body)
            .map_err(|error| vec![finding("", &format!("the body cannot be read: {error}"), "")])?;
        if written.ack.is_some() {
            return Err(vec![finding("/ack", "`ack` stands in the body", "put it into the query")]);
        }
        let data = written.data.as_ref().map(|data| data.get().to_owned()).unwrap_or_default();
        (written, data)
    };
    let event = event("/event", written.event.as_deref(), &mut findings);
    let given = Given {
        event: event.unwrap_or(EventType::Ready),
        rollout: named("/rollout", written.rollout, &mut findings),
        version: named("/version", written.version, &mut findings),
        causation: named("/causation", written.causation, &mut findings),
        id: id(headers, written.id, &mut findings),
        time: None,
        subject: None,
        data: if data.trim().is_empty() { "{}".to_owned() } else { data },
        traceparent: header(headers, "traceparent"),
    };
    if findings.is_empty() { Ok(given) } else { Err(findings) }
}

/// The id of an event: its own, or the key of the request. Both may be given when they are the same.
pub(super) fn id(headers: &HeaderMap, own: Option<String>, findings: &mut Vec<Finding>) -> Option<EventId> {
    let key = header(headers, "idempotency-key").map(|key| key.trim_matches('"').to_owned());
    if let (Some(own), Some(key)) = (&own, &key)
        && own != key
    {
        let message = format!("the event's id is {own:?} and the header idempotency-key is {key:?}");
        findings.push(finding("/id", &message, "give one of them, or the same twice"));
    }
    named("/id", own.or(key), findings)
}

/// The event of a name that stands at `pointer`.
pub(super) fn event(pointer: &str, name: Option<&str>, findings: &mut Vec<Finding>) -> Option<EventType> {
    let event = name.and_then(EventType::from_short).filter(|event| event.speaker() == Speaker::Service);
    if event.is_none() {
        let said = EventType::ALL.iter().filter(|event| event.speaker() == Speaker::Service);
        let names: Vec<_> = said.map(|event| event.as_str()).collect();
        let message = match name {
            Some(name) => format!("{name:?} is not an event that a service says"),
            None => "the event is missing".to_owned(),
        };
        findings.push(finding(pointer, &message, &format!("one of {}", names.join(", "))));
    }
    event
}

pub(super) fn named<T: FromStr<Err: std::fmt::Display>>(
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

pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

pub(super) fn finding(pointer: &str, message: &str, help: &str) -> Finding {
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

    #[test]
    fn the_query_says_whose_answer_is_waited_for_wherever_the_event_stands() {
        let body = br#"{"event":"Ready"}"#;
        assert_eq!(asked(None).unwrap(), Asked { local: false, event: false });
        assert_eq!(asked(Some("ack=local")).unwrap(), Asked { local: true, event: false });
        assert_eq!(asked(Some("event=Ready&ack=broker")).unwrap(), Asked { local: false, event: true });
        assert_eq!(read(Some("ack=local"), &HeaderMap::new(), body).unwrap().event, EventType::Ready);
        assert_eq!(asked(Some("ack=disk")).unwrap_err()[0].pointer, "/ack");
        for (query, body) in
            [("id=x", &body[..]), ("ack=local&rollout=r", body), ("", br#"{"event":"Ready","ack":"local"}"#)]
        {
            assert_eq!(read(Some(query), &HeaderMap::new(), body).unwrap_err().len(), 1, "{query}");
        }
    }

    #[test]
    fn a_key_is_the_id_and_two_that_differ_are_refused() {
        let with =
            |key: &str| HeaderMap::from_iter([("idempotency-key".parse().unwrap(), key.parse().unwrap())]);
        let body = br#"{"event":"Ready"}"#;
        for key in ["k-1", "\"k-1\""] {
            assert_eq!(read(None, &with(key), body).unwrap().id.unwrap().as_str(), "k-1");
        }
        let own = br#"{"event":"Ready","id":"k-1"}"#;
        assert!(read(None, &with("k-1"), own).is_ok());
        assert_eq!(read(None, &with("k-2"), own).unwrap_err()[0].pointer, "/id");
    }

    #[test]
    fn what_differs_has_another_digest() {
        let digest = |body: &str| read(None, &HeaderMap::new(), body.as_bytes()).unwrap().digest();
        let one = digest(r#"{"event":"Ready","id":"a","data":{"detail":"x"}}"#);
        assert_eq!(
            one,
            digest(r#"{"id":"b","event":"Ready","data":{"detail":"x"}}"#),
            "the id is the key itself"
        );
        for other in [r#"{"event":"Ready"}"#, r#"{"event":"Drained","data":{"detail":"x"}}"#] {
            assert_ne!(one, digest(other));
        }
    }
}
