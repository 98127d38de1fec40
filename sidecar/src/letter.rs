//! An event on its way to the broker, in the form in which it survives a crash.

use pavane_bus::Encoded;
use pavane_events::vocabulary::Decode;
use pavane_events::{Body, Envelope, EventId, EventType, Instance, RolloutId, Service, Version, Zone};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// About how much memory the envelope of a letter takes.
const ENVELOPE: usize = 1_024;

/// An event on its way to the broker. It keeps its id, however often it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Letter {
    /// Its place in the line, from 1, over restarts too.
    pub(crate) number: u64,
    pub(crate) envelope: Envelope,
    pub(crate) content: Content,
    /// What the request that it came by said, in short: none when it cannot be repeated by a key.
    pub(crate) digest: Option<u64>,
}

/// What is said: by the sidecar itself, or by the service in its own form of the event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Own(Body),
    Given { event: EventType, encoded: Encoded },
}

/// A letter as the journal holds it.
#[derive(Serialize, Deserialize)]
struct Written {
    event: String,
    id: String,
    source: String,
    domain: String,
    time: Option<String>,
    subject: Option<String>,
    rollout: Option<String>,
    causation: Option<String>,
    service: Option<String>,
    instance: Option<String>,
    #[serde(default)]
    zone: Option<String>,
    version: Option<String>,
    boot: Option<String>,
    sequence: Option<i64>,
    traceparent: Option<String>,
    body: Option<Value>,
    value: Option<Vec<u8>>,
    dataschema: Option<String>,
    #[serde(default)]
    digest: Option<u64>,
}

impl Letter {
    /// The type of the event.
    pub(crate) const fn event(&self) -> EventType {
        match &self.content {
            Content::Own(body) => body.event_type(),
            Content::Given { event, .. } => *event,
        }
    }

    /// The letter as the journal holds it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let envelope = &self.envelope;
        let text = |name: Option<&str>| name.map(str::to_owned);
        let (body, given) = match &self.content {
            Content::Own(body) => (serde_json::to_value(body).ok(), None),
            Content::Given { encoded, .. } => (None, Some(encoded)),
        };
        let written = Written {
            event: self.event().to_string(),
            id: envelope.id.to_string(),
            source: envelope.source.to_string(),
            domain: envelope.domain.to_string(),
            time: envelope.time.clone(),
            subject: envelope.subject.clone(),
            rollout: text(envelope.rollout.as_ref().map(RolloutId::as_str)),
            causation: text(envelope.causation.as_ref().map(EventId::as_str)),
            service: text(envelope.service.as_ref().map(Service::as_str)),
            instance: text(envelope.instance.as_ref().map(Instance::as_str)),
            zone: text(envelope.zone.as_ref().map(Zone::as_str)),
            version: text(envelope.version.as_ref().map(Version::as_str)),
            boot: envelope.boot.clone(),
            sequence: envelope.sequence,
            traceparent: envelope.traceparent.clone(),
            body,
            value: given.map(|encoded| encoded.value.clone()),
            dataschema: given.map(|encoded| encoded.dataschema.clone()),
            digest: self.digest,
        };
        serde_json::to_vec(&written).expect("a letter has no map with keys that are not text")
    }

    /// Reads a letter back; or says why it cannot.
    pub(crate) fn from_bytes(number: u64, bytes: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let (content, digest) = (content(&written)?, written.digest);
        Ok(Self { number, envelope: envelope(written).map_err(|error| error.to_string())?, content, digest })
    }
}

/// How much of the line's room a letter takes, in bytes: about what it takes of memory.
pub(crate) fn weight(content: &Content) -> usize {
    match content {
        Content::Own(_) => ENVELOPE,
        Content::Given { encoded, .. } => ENVELOPE + encoded.value.len(),
    }
}

fn content(written: &Written) -> Result<Content, String> {
    let event = EventType::from_short(&written.event).ok_or(format!("no event {:?}", written.event))?;
    match (&written.body, &written.value, &written.dataschema) {
        (Some(body), None, None) => {
            let body = Body::decode(event, Json(body.clone())).map_err(|error| error.to_string())?;
            Ok(Content::Own(body))
        }
        (None, Some(value), Some(dataschema)) => {
            let encoded = Encoded { value: value.clone(), dataschema: dataschema.clone() };
            Ok(Content::Given { event, encoded })
        }
        _ => Err("it has neither a body nor a value, or both".to_owned()),
    }
}

fn envelope(written: Written) -> Result<Envelope, pavane_events::name::NameError> {
    let mut envelope = Envelope::new(written.domain.parse()?, written.source.parse()?, written.id.parse()?);
    envelope.time = written.time;
    envelope.subject = written.subject;
    envelope.rollout = written.rollout.map(TryInto::try_into).transpose()?;
    envelope.causation = written.causation.map(TryInto::try_into).transpose()?;
    envelope.service = written.service.map(TryInto::try_into).transpose()?;
    envelope.instance = written.instance.map(TryInto::try_into).transpose()?;
    envelope.zone = written.zone.map(TryInto::try_into).transpose()?;
    envelope.version = written.version.map(TryInto::try_into).transpose()?;
    envelope.boot = written.boot;
    envelope.sequence = written.sequence;
    envelope.traceparent = written.traceparent;
    Ok(envelope)
}

/// A body in JSON.
struct Json(Value);

impl Decode for Json {
    type Error = serde_json::Error;

    fn decode<T: DeserializeOwned>(self) -> Result<T, Self::Error> {
        serde_json::from_value(self.0)
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::service::DeploymentStarted;
    use pavane_events::{Domain, Source};

    use super::*;

    #[test]
    fn a_letter_is_read_back_as_it_was_written() {
        let mut envelope = Envelope::new(
            Domain::new("shop").unwrap(),
            Source::new("/pavane/shop/a/a-0").unwrap(),
            EventId::new("b-1").unwrap(),
        );
        envelope.rollout = Some(RolloutId::new("r-1").unwrap());
        envelope.zone = Some(Zone::new("eu").unwrap());
        envelope.version = Some(Version::new("1.0.0").unwrap());
        envelope.sequence = Some(7);
        let from = Some(Version::new("1.0.0").unwrap());
        let own = Content::Own(DeploymentStarted { from, to: None }.into());
        let encoded = Encoded { value: vec![0, 0, 0, 0, 9, 255], dataschema: "urn:x".to_owned() };
        let given = Content::Given { event: EventType::Ready, encoded };
        for content in [own, given] {
            let letter = Letter { number: 3, envelope: envelope.clone(), content, digest: Some(u64::MAX) };
            assert_eq!(Letter::from_bytes(3, &letter.to_bytes()), Ok(letter));
        }
    }

    #[test]
    fn a_torn_letter_is_no_letter() {
        assert!(Letter::from_bytes(1, b"{\"event\":\"Ready\"").is_err());
    }
}
