//! The log as it stands on the broker: every entry of the domain in order, read along while the rollout dances.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pavane_bus::{Bus, Error, Item, Policy, Reader};
use pavane_events::{Body, Domain, Entry, Record, RolloutId};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::wait;

/// How long the next pulse may take: a sentinel that has nothing to watch pulses every 30 s.
const PULSES: Duration = Duration::from_mins(1);

/// How soon the log is read on after the broker could not be asked.
const AGAIN: Duration = Duration::from_millis(200);

/// A domain's log, read along. It stops when dropped.
#[derive(Debug)]
pub struct Log {
    domain: Domain,
    read: watch::Receiver<Read>,
    reading: JoinHandle<()>,
}

/// What was read, and why no more can be.
#[derive(Clone, Debug, Default)]
struct Read {
    entries: Arc<Vec<Entry>>,
    end: Option<String>,
}

impl Log {
    /// Begins at the beginning of the log.
    pub async fn open(bus: &Bus, domain: &Domain) -> Result<Self> {
        let reader = bus.reader(domain, Policy::Structural).await.context("failed to read the log")?;
        let (sender, read) = watch::channel(Read::default());
        Ok(Self { domain: domain.clone(), read, reading: tokio::spawn(follow(reader, sender)) })
    }

    /// The domain whose log it is.
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }

    /// What was read so far.
    pub fn entries(&self) -> Arc<Vec<Entry>> {
        Arc::clone(&self.read.borrow().entries)
    }

    /// The records about a rollout so far, in order.
    pub fn of(&self, rollout: &str) -> Vec<Record> {
        let entries = self.entries();
        entries.iter().filter_map(|entry| record_of(entry, rollout)).cloned().collect()
    }

    /// The records about a rollout with an event of this name, e.g. `RolloutStalled`, in order. A record whose
    /// identity stands further up does not count, as for every reader: who dies before it has noted that the broker
    /// has its event sends it again.
    pub fn said(&self, rollout: &str, event: &str) -> Vec<Record> {
        let mut records = self.of(rollout);
        let mut identities = BTreeSet::new();
        records.retain(|record| {
            let envelope = &record.event.envelope;
            event_of(record) == event && identities.insert((envelope.source.clone(), envelope.id.clone()))
        });
        records
    }

    /// Waits for what is looked for; the error lists the log.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&[Entry]) -> Option<T>,
    ) -> Result<T> {
        let found = wait::until(what, limit, async || {
            let Read { entries, end } = self.read.borrow().clone();
            look(&entries).map(Ok).or(end.map(Err))
        });
        match found.await.with_context(|| format!("on the log stands:\n{}", self.text()))? {
            Ok(found) => Ok(found),
            Err(end) => bail!("waited for {what}, and the log cannot be read on: {end}"),
        }
    }

    /// Waits until a service (or, with none, anybody else) has said an event about a rollout.
    pub async fn wait_said(
        &self,
        rollout: &str,
        service: Option<&str>,
        event: &str,
        limit: Duration,
    ) -> Result<Record> {
        let what = format!("{}.{event} of {rollout}", service.unwrap_or("*"));
        let fits = |record: &Record| {
            event_of(record) == event && (service.is_none() || service_of(record) == service)
        };
        self.wait_record(rollout, &what, limit, |record| fits(record).then(|| record.clone())).await
    }

    /// Waits for the first record about a rollout in which something is found.
    pub async fn wait_record<T>(
        &self,
        rollout: &str,
        what: &str,
        limit: Duration,
        look: impl Fn(&Record) -> Option<T>,
    ) -> Result<T> {
        let about = |entries: &[Entry]| entries.iter().find_map(|entry| look(record_of(entry, rollout)?));
        self.wait_for(what, limit, about).await
    }

    /// Waits for a sentinel's pulse after an offset: whoever reads the log has by then had the time to act on it.
    pub async fn wait_pulse_after(&self, offset: i64) -> Result<()> {
        self.wait_for("a pulse", PULSES, |entries| find_pulse(entries, offset)).await
    }

    /// The log in lines.
    pub fn text(&self) -> String {
        self.entries().iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// The name of a record's event, e.g. `RolloutStalled`.
pub fn event_of(record: &Record) -> &'static str {
    record.event.body.event_type().as_str()
}

/// The service that a record is said by; none for what a person or a sentinel says.
pub fn service_of(record: &Record) -> Option<&str> {
    record.event.envelope.service.as_ref().map(pavane_events::Service::as_str)
}

fn record_of<'a>(entry: &'a Entry, rollout: &str) -> Option<&'a Record> {
    match entry {
        Entry::Event(record) => {
            let about = record.event.envelope.rollout.as_ref().map(RolloutId::as_str);
            (about == Some(rollout)).then_some(record)
        }
        Entry::Unreadable(_) => None,
    }
}

fn find_pulse(entries: &[Entry], after: i64) -> Option<()> {
    let fits = |entry: &Entry| match entry {
        Entry::Event(record) => record.offset > after && matches!(record.event.body, Body::Pulse(_)),
        Entry::Unreadable(_) => false,
    };
    entries.iter().any(fits).then_some(())
}

async fn follow(mut reader: Reader, sender: watch::Sender<Read>) {
    loop {
        match reader.next().await {
            Ok(Item::Entry { entry, .. }) => {
                sender.send_modify(|read| Arc::make_mut(&mut read.entries).push(entry));
            }
            Ok(Item::CaughtUp { .. }) => {}
            Err(error @ (Error::Stopped { .. } | Error::Thread { .. } | Error::Client { .. })) => {
                sender.send_modify(|read| read.end = Some(format!("failed to {error}")));
                return;
            }
            // a broker that is away comes back: the same record is offered again
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

fn line(entry: &Entry) -> String {
    match entry {
        Entry::Event(record) => {
            let envelope = &record.event.envelope;
            let rollout = envelope.rollout.as_ref().map_or("-", RolloutId::as_str);
            let (at, offset, who) =
                (record.at.0 % 1_000_000, record.offset, service_of(record).unwrap_or("-"));
            format!("{offset:>5} {at:>6} {rollout} {who} {}", record_text(record))
        }
        Entry::Unreadable(bad) => format!("{:>5} {:>6} unreadable {bad:?}", bad.offset, bad.at.0 % 1_000_000),
    }
}

/// A plan is long and known: only what is said beside it is shown.
fn record_text(record: &Record) -> String {
    if let Body::RolloutStarted(body) = &record.event.body {
        return format!("RolloutStarted {}", body.choreography);
    }
    format!("{:?}", record.event.body)
}
