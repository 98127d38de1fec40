//! What the wire promises: every schema, every body, every byte that a stranger may send.

mod contract;
mod envelope;
mod hostile;
mod json;
mod resolution;

use std::sync::Arc;

use pavane_bus::wire::{Contract, Headers, headers};
use pavane_events::{Body, Domain, Envelope, Event, EventId, EventType, Source, vocabulary};
use serde::de::DeserializeOwned;

/// Reads a body from plain JSON, as serde does.
struct Plain<'a>(&'a str);

impl vocabulary::Decode for Plain<'_> {
    type Error = serde_json::Error;

    fn decode<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0)
    }
}

fn example(event: EventType) -> &'static str {
    pavane_schemas::ALL.iter().find(|one| one.event == event.as_str()).expect("embedded").example
}

fn body(event: EventType) -> Body {
    Body::decode(event, Plain(example(event))).expect("the example is a body")
}

fn envelope() -> Envelope {
    let name = "name";
    Envelope::new(
        Domain::new("shop").expect(name),
        Source::new("/pavane/shop/user-db/user-db-0").expect(name),
        EventId::new("0199f0a2-7c1e-7d3a-9b55-0c2f6f0f8d11").expect(name),
    )
}

fn event(event_type: EventType) -> Event {
    Event { envelope: envelope(), body: body(event_type) }
}

fn headers_of(event: &Event, dataschema: &str) -> Headers {
    headers::write(&event.envelope, &event.body.event_type().full_name(), dataschema)
}

fn contract(schema: &str) -> Arc<Contract> {
    Arc::new(Contract::parse(schema).expect("a fit schema"))
}
