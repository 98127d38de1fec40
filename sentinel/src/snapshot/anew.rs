//! A domain begins anew, because a person says that what stood on its log does not count: the way out of a log that lies.

use std::collections::BTreeMap;

use pavane_bus::{Appended, Bus, Error, Topic, partition_of};
use pavane_events::{Domain, Event};
use pavane_sentinel_engine::Engine;

use crate::clock::wall;
use crate::snapshot::form::Key;
use crate::snapshot::{Manifest, Snapshot};
use crate::witness::Witness;

/// Begins a domain anew after an event that is appended for it: every sentinel that starts from then on knows nothing of
/// what stands above it. All older snapshots are taken out. No sentinel of the domain should run meanwhile: one that does
/// writes what it knows again.
pub async fn begin_anew(bus: &Bus, domain: &Domain, event: &Event) -> Result<Appended, Error> {
    let writer = bus.writer().await?;
    let old = bus.table(Topic::Snapshots).await?.load().await?;
    let appended = writer.append(event).await?;
    for (key, value) in empty(bus, domain, event, appended).rows() {
        writer.put(Topic::Snapshots, &key, Some(value)).await?;
    }
    for key in keys_of(&old, domain) {
        writer.put(Topic::Snapshots, key, None).await?;
    }
    Ok(appended)
}

/// The snapshot of a domain of which nothing is known, with the event as its witness.
fn empty(bus: &Bus, domain: &Domain, event: &Event, appended: Appended) -> Snapshot {
    let envelope = &event.envelope;
    let last = Witness { offset: appended.offset, at: appended.at, id: Some(envelope.id.clone()) };
    let partition = partition_of(domain.as_str().as_bytes(), bus.partitions());
    let (partitions, parts, sha256) = (bus.partitions(), 0, String::new());
    let replica = envelope.source.to_string();
    let manifest = Manifest { last, partition, partitions, parts, sha256, replica, at: wall() };
    let engine = Engine::begun_after(domain.clone(), manifest.replica.clone(), appended.offset);
    Snapshot::new(domain.clone(), &engine.snapshot(), Vec::new(), manifest)
}

/// The keys of a domain, manifests first: whoever reads meanwhile finds whole snapshots or none.
fn keys_of<'a>(rows: &'a BTreeMap<String, Vec<u8>>, domain: &Domain) -> Vec<&'a str> {
    let ours = |key: &&str| Key::read(key).is_some_and(|key| key.domain == *domain);
    let mut keys: Vec<&str> = rows.keys().map(String::as_str).filter(ours).collect();
    keys.sort_by_key(|key| Key::read(key).is_some_and(|key| key.part.is_some()));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::form::tests::{domain, empty};

    #[test]
    fn what_is_taken_out_is_the_domains_alone_manifests_first() {
        let other = Snapshot { domain: Domain::new("bank").expect("a name"), ..empty(Vec::new()) };
        let snapshots = [empty(Vec::new()), empty(Vec::new()), other];
        let rows: BTreeMap<String, Vec<u8>> = snapshots.iter().flat_map(Snapshot::rows).collect();
        let keys = keys_of(&rows, &domain());
        assert_eq!((rows.len(), keys.len()), (6, 4));
        assert!(keys[..2].iter().all(|key| key.ends_with("/manifest")), "{keys:?}");
        assert!(keys.iter().all(|key| key.starts_with("shop/")), "{keys:?}");
    }
}
