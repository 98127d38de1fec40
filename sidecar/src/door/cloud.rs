//! CloudEvents 1.0 over HTTP: an event whole in the body, its attributes in the headers, or several in one body.
//!
//! An attribute that the log has no place for is refused, not dropped. `source` must be there, as the standard says,
//! and the log gets the instance's own: a sidecar speaks for nobody else.

use std::fmt;

use axum::http::HeaderMap;
use pavane_bus::wire::Finding;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::given::{self, Given, finding};

/// What a type of ours begins with; the short name will do.
const NAMESPACE: &str = "io.pavane.lifecycle.v1.";
/// How many events a batch may hold.
const MOST: usize = 100;
/// What stands for no attribute of the record, since it is given there anew: by the contract, or by the trace.
const GIVEN_ANEW: [&str; 2] = ["dataschema", "tracestate"];

/// Reads an event that stands whole in the body.
pub(super) fn structured(headers: &HeaderMap, body: &[u8], domain: &str) -> Result<Given, Vec<Finding>> {
    let members: Members<'_> = serde_json::from_slice(body)
        .map_err(|error| vec![finding("", &format!("the event cannot be read: {error}"), "")])?;
    let (mut attributes, mut data, mut findings) = (Vec::new(), String::new(), Vec::new());
    for (name, value) in members.0 {
        match name.as_str() {
            "data" => value.get().clone_into(&mut data),
            "data_base64" => {
                findings.push(finding("/data_base64", "the data is not JSON", "send it as `data`"));
            }
            _ => match serde_json::from_str::<String>(value.get()) {
                Ok(text) => attributes.push((name, text)),
                Err(_) if value.get() == "null" => {}
                Err(_) => attributes.push((name, value.get().to_owned())),
            },
        }
    }
    event(headers, attributes, data, domain, findings)
}

/// Reads an event whose attributes stand in the headers.
pub(super) fn binary(headers: &HeaderMap, body: &[u8], domain: &str) -> Result<Given, Vec<Finding>> {
    let (mut attributes, mut findings) = (Vec::new(), Vec::new());
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else { continue };
        let text = value.to_str().ok().and_then(decoded);
        match text {
            _ if attributes.iter().any(|(known, _)| known == name) => {
                findings.push(finding(&format!("/{name}"), "it stands there twice", ""));
            }
            Some(text) => attributes.push((name.to_owned(), text)),
            None => {
                let help = "everything but printable ASCII is written as %XX, in UTF-8";
                findings.push(finding(&format!("/{name}"), "the header cannot be read", help));
            }
        }
    }
    event(headers, attributes, String::from_utf8_lossy(body).into_owned(), domain, findings)
}

/// Takes a batch apart.
pub(super) fn batch(body: &[u8]) -> Result<Vec<Box<RawValue>>, Vec<Finding>> {
    let events: Vec<Box<RawValue>> = serde_json::from_slice(body)
        .map_err(|error| vec![finding("", &format!("the batch cannot be read: {error}"), "")])?;
    if events.len() > MOST {
        let message = format!("the batch holds {} events", events.len());
        return Err(vec![finding("", &message, &format!("at most {MOST} go together"))]);
    }
    Ok(events)
}

/// Makes an event of its attributes; or says everything that is wrong with them.
fn event(
    headers: &HeaderMap,
    attributes: Vec<(String, String)>,
    data: String,
    domain: &str,
    mut findings: Vec<Finding>,
) -> Result<Given, Vec<Finding>> {
    let mut attributes = Attributes(attributes);
    check(&mut attributes, domain, &mut findings);
    let name = attributes.take("type");
    let name = name.as_deref().map(|name| name.strip_prefix(NAMESPACE).unwrap_or(name));
    let event = given::event("/type", name, &mut findings);
    let own = attributes.take("id");
    if own.is_none() {
        findings.push(finding("/id", "it is missing", "an id of its own for each event, e.g. a UUID"));
    }
    let id = given::id(headers, own, &mut findings);
    let (long, short) = (attributes.take("correlationid"), attributes.take("pavanerollout"));
    if long.is_some() && short.is_some() && long != short {
        findings.push(finding("/pavanerollout", "it differs from `correlationid`", "give one of them"));
    }
    let time = attributes.take("time");
    if time.as_deref().is_some_and(|time| time.parse::<jiff::Timestamp>().is_err()) {
        findings.push(finding(
            "/time",
            "it is not a time",
            "write it by RFC 3339, e.g. 2026-01-31T12:00:00Z",
        ));
    }
    let subject = attributes.take("subject").filter(|subject| plain(subject, &mut findings));
    let given = Given {
        event: event.unwrap_or(pavane_events::EventType::Ready),
        rollout: given::named("/correlationid", long.or(short), &mut findings),
        version: given::named("/pavaneversion", attributes.take("pavaneversion"), &mut findings),
        causation: given::named("/causationid", attributes.take("causationid"), &mut findings),
        id,
        time,
        subject,
        data: if data.trim().is_empty() { "{}".to_owned() } else { data },
        traceparent: attributes.take("traceparent").or_else(|| given::header(headers, "traceparent")),
    };
    attributes.0.retain(|(name, _)| !GIVEN_ANEW.contains(&name.as_str()));
    for (name, _) in &attributes.0 {
        let message = "the log has no place for this attribute";
        findings.push(finding(&format!("/{name}"), message, "leave it out, or put it into the data"));
    }
    if findings.is_empty() { Ok(given) } else { Err(findings) }
}

/// Checks what the log has another value for, or none.
fn check(attributes: &mut Attributes, domain: &str, findings: &mut Vec<Finding>) {
    let mut wrong = |name: &str, message: &str, help: &str| findings.push(finding(name, message, help));
    if attributes.take("specversion").is_none_or(|version| version != "1.0") {
        wrong("/specversion", "it is not \"1.0\"", "CloudEvents 1.0 is read");
    }
    if attributes.take("source").is_none_or(|source| source.is_empty()) {
        wrong("/source", "it is missing", "any URI reference; the log gets the instance's own");
    }
    if attributes.take("datacontenttype").is_some_and(|media| !is_json(&media)) {
        wrong("/datacontenttype", "the data is not JSON", "send `application/json`");
    }
    if attributes.take("partitionkey").is_some_and(|key| key != domain) {
        wrong("/partitionkey", "it is another domain", &format!("leave it out, or write {domain:?}"));
    }
}

fn plain(subject: &str, findings: &mut Vec<Finding>) -> bool {
    let plain = subject.len() <= 256 && !subject.chars().any(char::is_control);
    if !plain {
        findings.push(finding("/subject", "it is not plain text of 256 bytes at most", ""));
    }
    plain
}

/// Whether a media type is JSON.
fn is_json(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media.ends_with("+json")
}

/// The value of a header, of which each `%XX` is a byte.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok())?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

/// The members of a JSON object, none of them twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom(format_args!("`{name}` stands there twice")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"specversion":"1.0","id":"e-1","source":"/ci","type":"io.pavane.lifecycle.v1.Ready",
        "time":"2026-01-31T12:00:00Z","subject":"service/a","correlationid":"r-1","causationid":"b-1",
        "pavaneversion":"2.0.0","datacontenttype":"application/json","partitionkey":"shop","data":{"detail":"é"}}"#;

    #[test]
    fn an_event_means_the_same_in_the_body_and_in_the_headers() {
        let whole = structured(&HeaderMap::new(), WHOLE.as_bytes(), "shop").unwrap();
        let headers = headers(&[
            ("ce-specversion", "1.0"),
            ("ce-id", "e-1"),
            ("ce-source", "/ci"),
            ("ce-type", "Ready"),
            ("ce-time", "2026-01-31T12:00:00Z"),
            ("ce-subject", "service%2Fa"),
            ("ce-correlationid", "r-1"),
            ("ce-causationid", "b-1"),
            ("ce-pavaneversion", "2.0.0"),
            ("content-type", "application/json"),
        ]);
        let apart = binary(&headers, r#"{"detail":"é"}"#.as_bytes(), "shop").unwrap();
        assert_eq!(whole.digest(), apart.digest());
        assert_eq!((whole.id, whole.subject, whole.rollout), (apart.id, apart.subject, apart.rollout));
        assert_eq!(whole.data, r#"{"detail":"é"}"#);
        assert_eq!(whole.version.unwrap().as_str(), "2.0.0");
    }

    #[test]
    fn whatever_has_no_place_is_refused_by_name() {
        let body = br#"{"specversion":"0.3","source":"","type":"Pulse","colour":"red","data_base64":"eA==","time":"noon",
            "datacontenttype":"text/xml","partitionkey":"other","correlationid":"r-1","pavanerollout":"r-2"}"#;
        let findings = structured(&HeaderMap::new(), body, "shop").unwrap_err();
        let mut pointers: Vec<_> = findings.iter().map(|finding| finding.pointer.as_str()).collect();
        pointers.sort_unstable();
        let wrong = ["colour", "data_base64", "datacontenttype", "id", "partitionkey", "pavanerollout"];
        let wrong: Vec<_> = wrong
            .iter()
            .chain(&["source", "specversion", "time", "type"])
            .map(|name| format!("/{name}"))
            .collect();
        assert_eq!(pointers, wrong);
        for (body, words) in [
            (r#"{"id":"a","id":"b"}"#, "`id` stands there twice"),
            ("[1]", "a JSON object"),
            ("", "cannot be read"),
        ] {
            let findings = structured(&HeaderMap::new(), body.as_bytes(), "shop").unwrap_err();
            assert!(findings[0].message.contains(words), "{findings:?}");
        }
        let bent = headers(&[("ce-subject", "%zz"), ("ce-id", "a"), ("ce-id", "b")]);
        let findings = binary(&bent, b"", "shop").unwrap_err();
        assert!(
            ["/subject", "/id"].iter().all(|name| findings.iter().any(|finding| finding.pointer == *name))
        );
    }

    #[test]
    fn a_batch_is_a_list_of_so_many() {
        assert_eq!(batch(b"[{},{}]").unwrap().len(), 2);
        assert!(batch(b"{}").is_err());
        let long = format!("[{}]", vec!["{}"; MOST + 1].join(","));
        assert!(batch(long.as_bytes()).unwrap_err()[0].message.contains("101 events"));
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }
}
