//! The outbox on a disk that fails: what the journal may hold after all keeps its place before what is said later.

use std::path::Path;
use std::sync::{Arc, Mutex};

use pavane_bus::{Appended, Encoded};
use pavane_events::service::Ready;
use pavane_events::{Domain, Envelope, EventId, EventType, Source, Timestamp};

use super::disk::{Disk, Fault};
use crate::journal::{Batch, Journal};
use crate::letter::Content;
use crate::line::Limits;
use crate::outbox::{Outbox, Post, Refusal};

#[tokio::test]
async fn after_a_sync_that_failed_nothing_overtakes_what_may_be_in_the_journal() {
    let disk = Disk::default();
    let (journal, mut recalled) =
        Journal::open_at(Arc::new(disk.clone()), Path::new("model"), "shop/a/a-0").unwrap();
    let outbox = Outbox::new(journal, "b", Limits { events: 100, bytes: 1 << 20 }, &mut recalled);
    let handed_over = Arc::new(Mutex::new(Vec::new()));
    let seen = handed_over.clone();
    outbox.open(Box::new(move |letter| {
        seen.lock().unwrap().push(letter.envelope.sequence);
        Ok(Box::pin(async { Ok(Appended { partition: 0, offset: 0, at: Timestamp(0) }) }))
    }));
    let post = |id: &str| {
        let encoded = Encoded { value: vec![7], dataschema: "urn:x".to_owned() };
        let content = Content::Given { event: EventType::Ready, encoded };
        outbox.post(Post { envelope: envelope(id), content, digest: 1, keyed: false, local: false }).map(drop)
    };
    assert_eq!(post("before"), Ok(()));

    disk.set(Fault::Sync);
    let said = vec![(envelope("own"), Content::Own(Ready::default().into()))];
    assert!(outbox.write(Batch::default(), said).is_err(), "the sync has failed");
    assert_eq!(post("after"), Err(Refusal::Ended));
    assert_eq!(*handed_over.lock().unwrap(), [Some(1)], "a second one may be in the journal");
}

fn envelope(id: &str) -> Envelope {
    let source = Source::new("/pavane/shop/a/a-0").unwrap();
    let mut envelope = Envelope::new(Domain::new("shop").unwrap(), source, EventId::new(id).unwrap());
    envelope.boot = Some("b".to_owned());
    envelope
}
