//! Dead letters as people handle them: listed, shown, said anew, laid to rest.

#[expect(dead_code, reason = "nobody presses Ctrl-C here")]
mod stage;

use std::time::{Duration, Instant};

use pavane_bus::{Bus, Item, Policy, Raw, Reader, Settings, Writer, wire};
use pavane_events::service::Ready;
use pavane_events::{Domain, Entry, Envelope, Event, EventId, EventType, Service, Source, UnreadableReason};
use serde_json::Value;

use crate::stage::{Dev, json, text};

const LIMIT: Duration = Duration::from_mins(2);

#[tokio::test]
async fn a_letter_that_nobody_can_read_is_listed_shown_and_laid_to_rest() {
    let dev = Dev::start();
    let (_bus, writer, _) = log(&dev).await;
    let about = envelope("bad-1");
    let sent = writer.append_encoded(&about, EventType::Ready, b"garbage".to_vec(), "urn:none");
    let offset = sent.await.expect("appended").offset;
    let listed = until_listed(&dev, 1);
    let letter = &listed["letters"][0];
    let id = letter["id"].as_str().expect("text");
    assert!(id.ends_with(&format!("-{offset}")), "{letter}");
    assert_eq!((&letter["event"], &letter["service"]), (&"Ready".into(), &"user-db".into()));
    assert_eq!(letter["reason"], "bad_header");

    let shown = text(&dev.pavane(&["dlq", "show", id]).stdout);
    assert!(shown.contains("67 61 72 62 61 67 65") && shown.contains("  garbage\n"), "{shown}");
    assert!(shown.contains("ce_id: bad-1"), "{shown}");
    let refused = dev.pavane(&["dlq", "replay", id]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("still cannot be read"), "{refused:?}");

    json(&dev.pavane(&["dlq", "drop", id, "--reason", "a test", "--by", "ada", "--output", "json"]), 0);
    assert_eq!(until_listed(&dev, 0)["letters"], Value::Array(Vec::new()));
    let all = json(&dev.pavane(&["dlq", "list", "--all", "--output", "json"]), 0);
    assert_eq!(all["letters"][0]["settled"], "dropped");
    let again = dev.pavane(&["dlq", "drop", id, "--reason", "again"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("was dropped by ada: a test"), "{again:?}");
    assert_eq!(dev.pavane(&["dlq", "show", "nowhere-0-1"]).status.code(), Some(1));
}

#[tokio::test]
async fn a_letter_that_can_be_read_by_now_is_said_anew_once_and_names_the_old_one() {
    let dev = Dev::start();
    let (_bus, writer, mut reader) = log(&dev).await;
    let said = Ready { prerequisite: "schema-v2".to_owned(), detail: String::new() };
    writer
        .append(&Event { envelope: envelope("good-1"), body: said.clone().into() })
        .await
        .expect("appended");
    let raw = next(&mut reader, "good-1").await.1;
    let defect = wire::Defect {
        reason: UnreadableReason::SchemaNotAllowed,
        field: String::new(),
        detail: "nobody was told of the schema".to_owned(),
    };
    let unreadable = wire::unreadable(raw.offset, raw.at, &raw.headers, raw.value.as_deref(), defect);
    writer.dead_letter(&raw, &unreadable).await.expect("set aside");
    let id = until_listed(&dev, 1)["letters"][0]["id"].as_str().expect("text").to_owned();
    let shown = json(&dev.pavane(&["dlq", "show", &id, "--output", "json"]), 0);
    assert_eq!(shown["body"]["prerequisite"], "schema-v2", "{shown}");
    let tried = json(&dev.pavane(&["dlq", "replay", &id, "--dry-run", "--output", "json"]), 0);
    assert_eq!(tried["would_be_said"], "Ready");
    let replayed = json(&dev.pavane(&["dlq", "replay", &id, "--by", "ada", "--output", "json"]), 0);
    let fresh = replayed["said"]["id"].as_str().expect("text");
    let (event, _) = next(&mut reader, fresh).await;
    assert_eq!(event.body, said.into());
    assert_eq!(event.envelope.causation.as_ref().map(EventId::as_str), Some("good-1"));
    assert_eq!(event.envelope.service.as_ref().map(Service::as_str), Some("user-db"));
    assert_eq!(dev.pavane(&["dlq", "replay", &id]).status.code(), Some(1), "once");
    until_listed(&dev, 0);
}

async fn log(dev: &Dev) -> (Bus, Writer, Reader) {
    let settings = Settings::new(dev.address("kafka"), dev.address("registry"));
    let bus = Bus::connect(settings, "test").await.expect("connected");
    let writer = bus.writer().await.expect("a writer");
    let reader = bus.reader(&domain(), Policy::AllowList).await.expect("a reader");
    (bus, writer, reader)
}

/// Reads on to the event with this id.
async fn next(reader: &mut Reader, id: &str) -> (Event, Raw) {
    let reading = async {
        loop {
            if let Item::Entry { entry: Entry::Event(record), raw } = reader.next().await.expect("read")
                && record.event.envelope.id.as_str() == id
            {
                return (record.event, raw);
            }
        }
    };
    tokio::time::timeout(LIMIT, reading).await.expect("in time")
}

/// Waits until so many letters are open; the list.
fn until_listed(dev: &Dev, open: u64) -> Value {
    let begun = Instant::now();
    loop {
        let listed = json(&dev.pavane(&["dlq", "list", "--output", "json"]), 0);
        if listed["open"] == open {
            return listed;
        }
        assert!(begun.elapsed() < LIMIT, "never {open} open: {listed}");
    }
}

fn envelope(id: &str) -> Envelope {
    let mut envelope =
        Envelope::new(domain(), Source::new("/db").expect("a source"), EventId::new(id).expect("a name"));
    envelope.service = Some(Service::new("user-db").expect("a name"));
    envelope
}

fn domain() -> Domain {
    Domain::new("shop").expect("a name")
}
