//! What stands on the topic, by domain: read once to start from, then followed, so that it is known what is old.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pavane_bus::{Bus, Error, TableItem, Topic};
use pavane_events::Domain;
use pavane_sentinel_engine::Engine;
use tokio::sync::watch;

use crate::connection::Connection;
use crate::snapshot::form::{Key, Manifest, Snapshot};
use crate::table::Table;

/// How many snapshots of a domain are kept: one more than is needed, in case the newest cannot be read.
const KEPT: usize = 2;

/// What stands on the topic of the domains that are watched.
pub(crate) struct Rack {
    domains: Mutex<BTreeMap<Domain, Standing>>,
    loaded: watch::Sender<bool>,
}

/// The snapshots of a domain, by id: the one that read more of the log is later.
#[derive(Default)]
struct Standing {
    snapshots: BTreeMap<String, Rows>,
    /// Whether the domain has started, and no value is wanted any more.
    started: bool,
}

#[derive(Default)]
struct Rows {
    manifest: Option<Manifest>,
    /// The parts, with their bytes while they may be wanted.
    parts: BTreeMap<usize, Option<Vec<u8>>>,
}

impl Rack {
    pub(crate) fn new(domains: impl IntoIterator<Item = Domain>) -> Self {
        let domains = domains.into_iter().map(|domain| (domain, Standing::default())).collect();
        Self { domains: Mutex::new(domains), loaded: watch::Sender::new(false) }
    }

    /// The snapshots that a domain can start from, the newest first. Waits until all that stands there has been read;
    /// what was taken once is not held here any longer.
    pub(crate) async fn take(&self, domain: &Domain) -> Vec<Snapshot> {
        let mut loaded = self.loaded.subscribe();
        loaded.wait_for(|loaded| *loaded).await.expect("the sender lives in self");
        let mut domains = self.lock();
        let Some(standing) = domains.get_mut(domain) else { return Vec::new() };
        standing.started = true;
        let newest = standing.snapshots.iter_mut().rev();
        newest.filter_map(|(id, rows)| rows.put_together(domain, id)).take(KEPT).collect()
    }

    /// The keys of what is older than what is kept of a domain, each snapshot's manifest first: whoever reads while they
    /// are taken out finds whole ones or none.
    pub(crate) fn stale(&self, domain: &Domain) -> Vec<String> {
        let domains = self.lock();
        let Some(standing) = domains.get(domain) else { return Vec::new() };
        let closed = standing.snapshots.iter().rev().filter(|(_, rows)| rows.manifest.is_some());
        let Some((oldest, _)) = closed.take(KEPT).last() else { return Vec::new() };
        let old = standing.snapshots.range(..oldest.clone());
        let keys = |(id, rows): (&String, &Rows)| {
            let parts = rows.parts.keys().map(|part| Some(*part));
            let all = rows.manifest.is_some().then_some(None).into_iter().chain(parts);
            all.map(|part| Key::text(domain, id, part)).collect::<Vec<_>>()
        };
        old.flat_map(keys).collect()
    }

    /// Takes a row of the topic.
    fn read(&self, key: &str, value: Option<Vec<u8>>) {
        let Some(Key { domain, id, part }) = Key::read(key) else { return };
        let mut domains = self.lock();
        let Some(standing) = domains.get_mut(&domain) else { return };
        let started = standing.started;
        let rows = standing.snapshots.entry(id.clone()).or_default();
        match (part, value) {
            (Some(part), Some(bytes)) => drop(rows.parts.insert(part, (!started).then_some(bytes))),
            (Some(part), None) => drop(rows.parts.remove(&part)),
            (None, value) => {
                let read = value.map(|value| serde_json::from_slice(&value));
                rows.manifest = read.transpose().unwrap_or_else(|error| {
                    tracing::warn!(key, %error, "a snapshot's manifest cannot be read and is passed over");
                    None
                });
            }
        }
        if rows.manifest.is_none() && rows.parts.is_empty() {
            standing.snapshots.remove(&id);
        }
        standing.forget_old();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Domain, Standing>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// Lets go of the bytes of what is older than what is kept: they would only be held to be thrown away.
    fn forget_old(&mut self) {
        let mut whole = 0;
        for rows in self.snapshots.values_mut().rev() {
            if whole >= KEPT {
                rows.parts.values_mut().for_each(|part| *part = None);
            }
            whole += usize::from(rows.is_whole());
        }
    }
}

impl Rows {
    fn is_whole(&self) -> bool {
        let whole = |manifest: &Manifest| {
            self.parts.len() == manifest.parts && self.parts.values().all(Option::is_some)
        };
        self.manifest.as_ref().is_some_and(whole)
    }

    /// The snapshot, if it is whole. Its bytes are not held here any longer.
    fn put_together(&mut self, domain: &Domain, id: &str) -> Option<Snapshot> {
        let manifest = self.manifest.clone().filter(|_| self.is_whole());
        let parts = self.parts.values_mut().filter_map(Option::take);
        let bytes = parts.reduce(|mut all, part| {
            all.extend_from_slice(&part);
            all
        });
        let (domain, id) = (domain.clone(), id.to_owned());
        manifest.map(|manifest| Snapshot { domain, id, manifest, bytes: bytes.unwrap_or_default() })
    }
}

/// The engine of the newest snapshot of a domain from which a log that begins at `low` goes on without a gap, for
/// whoever reads and never speaks. None where there is none.
pub async fn kept(bus: &Bus, domain: &Domain, replica: &str, low: i64) -> Result<Option<Engine>, Error> {
    Ok(all_kept(bus, domain, replica, low).await?.into_iter().next())
}

/// The engines of all snapshots of a domain that [`kept`] chooses from, the newest first.
pub async fn all_kept(bus: &Bus, domain: &Domain, replica: &str, low: i64) -> Result<Vec<Engine>, Error> {
    let rack = Rack::new([domain.clone()]);
    for (key, value) in bus.table(Topic::Snapshots).await?.load().await? {
        rack.read(&key, Some(value));
    }
    rack.loaded.send_replace(true);
    Ok(rack.take(domain).await.iter().filter_map(|snapshot| goes_on(snapshot, replica, low)).collect())
}

fn goes_on(snapshot: &Snapshot, replica: &str, low: i64) -> Option<Engine> {
    match snapshot.open(replica.to_owned()) {
        Ok((engine, _)) => Some(engine).filter(|engine| engine.position() + 1 >= low),
        Err(error) => {
            tracing::warn!(id = snapshot.id, %error, "a snapshot cannot be used and is passed over");
            None
        }
    }
}

/// Reads all rows, then follows them, for as long as the process lives.
pub(crate) async fn follow(connection: Connection, rack: Arc<Rack>) -> anyhow::Result<()> {
    let mut table = Table::new(connection, Topic::Snapshots, "read the snapshots");
    loop {
        match table.next().await? {
            TableItem::Row(row) => rack.read(&row.key, row.value),
            TableItem::CaughtUp => drop(rack.loaded.send_replace(true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::form::tests::{domain, empty};

    fn rack() -> Rack {
        let rack = Rack::new([domain()]);
        rack.loaded.send_replace(true);
        rack
    }

    fn named(n: i64) -> Snapshot {
        let id = format!("{n:019}-x");
        Snapshot { id, ..empty(Vec::new()) }
    }

    #[test]
    fn whoever_only_reads_goes_on_from_what_leaves_no_gap_to_the_rest_of_the_log() {
        let read_nothing = named(1);
        assert!(goes_on(&read_nothing, "cli", 0).is_some());
        assert!(goes_on(&read_nothing, "cli", 1).is_none(), "the record at offset 0 is gone");
        let torn = Snapshot { bytes: b"{}".to_vec(), ..named(2) };
        assert!(goes_on(&torn, "cli", 0).is_none());
    }

    fn put(rack: &Rack, snapshot: &Snapshot, rows: usize) {
        for (key, value) in snapshot.rows().take(rows) {
            rack.read(&key, Some(value));
        }
    }

    async fn taken(rack: &Rack) -> Vec<String> {
        rack.take(&domain()).await.into_iter().map(|snapshot| snapshot.id).collect()
    }

    #[tokio::test]
    async fn the_newest_that_is_closed_comes_first_and_a_torn_one_not_at_all() {
        let rack = rack();
        for n in 1..=4 {
            put(&rack, &named(n), usize::MAX);
        }
        put(&rack, &named(5), 1);
        assert_eq!(taken(&rack).await, [named(4).id, named(3).id]);
        assert!(taken(&rack).await.is_empty(), "nothing is held twice");
    }

    #[tokio::test]
    async fn one_whose_part_is_gone_is_passed_over() {
        let rack = rack();
        put(&rack, &named(1), usize::MAX);
        put(&rack, &named(2), usize::MAX);
        let (part, _) = named(2).rows().next().expect("a part");
        rack.read(&part, None);
        assert_eq!(taken(&rack).await, [named(1).id]);
    }

    #[tokio::test]
    async fn what_is_older_than_what_is_kept_is_named_with_what_was_torn_before_it() {
        let rack = rack();
        put(&rack, &named(1), 1);
        for n in 2..=4 {
            put(&rack, &named(n), usize::MAX);
        }
        put(&rack, &named(5), 1);
        let old = rack.stale(&domain());
        let ids = |n: i64| format!("shop/{}", named(n).id);
        assert_eq!(old, [ids(1) + "/00000", ids(2) + "/manifest", ids(2) + "/00000"]);
        for key in old {
            rack.read(&key, None);
        }
        assert!(rack.stale(&domain()).is_empty(), "what another is writing is left alone");
    }

    #[tokio::test]
    async fn another_domains_rows_and_strange_ones_say_nothing() {
        let rack = rack();
        let other = Snapshot { domain: Domain::new("bank").expect("a name"), ..named(1) };
        put(&rack, &other, usize::MAX);
        rack.read("shop/1/manifest", Some(b"nonsense".to_vec()));
        rack.read("what/ever", None);
        assert!(taken(&rack).await.is_empty());
    }
}
