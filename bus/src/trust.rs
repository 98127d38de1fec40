//! Which writers' schemas a reader may trust, and by which schema a service writes its own events.
//!
//! A schema in the registry proves nothing: whoever reaches the registry may have put it there. What counts is
//! built into the program, or was published to `pavane.schemas` with its fingerprint. The table is read again
//! to its end before a stranger or a body is refused, so that a schema that was published a moment ago is known.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pavane_events::{EventType, Service};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::wire::{Contract, catalog};
use crate::{Bus, Error, Row, TableItem, TableReader, Topic};

/// Which records of the log a reader takes for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Those whose schema is built in or published: for sidecars and tools, who act.
    AllowList,
    /// Those whose schema is of that event and that ours can read: for sentinels, whose judgement must be a function
    /// of the log and of the registry's immutable content alone.
    Structural,
}

/// A row of `pavane.schemas`: a service's own form of an event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Published {
    pub(crate) fingerprint: String,
    pub(crate) service: Option<String>,
    pub(crate) event: String,
    pub(crate) schema: String,
    pub(crate) id: Option<u32>,
}

/// The published schemas, as far as they have been read.
#[derive(Default)]
pub(crate) struct Trust {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    table: Option<TableReader>,
    /// When the table was last read to its end.
    read: Option<Instant>,
    rows: BTreeMap<String, Published>,
}

impl Trust {
    /// Whether readers may trust what was written by this contract as this event.
    pub(crate) async fn allows(&self, bus: &Bus, event: EventType, writer: &Contract) -> Result<bool, Error> {
        let fingerprint = writer.fingerprint();
        if catalog::of(event).fingerprint() == fingerprint {
            return Ok(true);
        }
        let mut state = self.state.lock().await;
        if state.rows.contains_key(fingerprint) {
            return Ok(true);
        }
        state.read_on(bus).await?;
        Ok(state.rows.contains_key(fingerprint))
    }

    /// Whether the published schemas say that this id is the schema with this fingerprint.
    pub(crate) async fn vouches(&self, bus: &Bus, id: u32, fingerprint: &str) -> Result<bool, Error> {
        let mut state = self.state.lock().await;
        if !state.rows.contains_key(fingerprint) {
            state.read_on(bus).await?;
        }
        Ok(state.rows.get(fingerprint).is_some_and(|row| row.id == Some(id)))
    }

    /// A service's own form of an event, when it has published one; of several, the newest. What was read longer ago
    /// than `age` is read on first, which is a round trip to the broker and more.
    pub(crate) async fn own_form(
        &self,
        bus: &Bus,
        service: &Service,
        event: EventType,
        age: Duration,
    ) -> Result<Option<Published>, Error> {
        let mut state = self.state.lock().await;
        if state.read.is_none_or(|read| read.elapsed() >= age) {
            state.read_on(bus).await?;
        }
        let is_own = |row: &&Published| {
            row.service.as_deref() == Some(service.as_str()) && row.event == event.as_str()
        };
        Ok(state.rows.values().filter(is_own).max_by_key(|row| row.id).cloned())
    }
}

impl State {
    async fn read_on(&mut self, bus: &Bus) -> Result<(), Error> {
        let table = match &mut self.table {
            Some(table) => table,
            None => self.table.insert(TableReader::open(bus, Topic::Schemas).await?),
        };
        let begun = Instant::now();
        table.look_ahead().await?;
        while let TableItem::Row(row) = table.next().await? {
            take(&mut self.rows, row);
        }
        table.rest()?;
        self.read = Some(begun);
        Ok(())
    }
}

fn take(rows: &mut BTreeMap<String, Published>, row: Row) {
    match row.value.as_deref().map(serde_json::from_slice::<Published>) {
        None => drop(rows.remove(&row.key)),
        Some(Ok(published)) if published.fingerprint == row.key => drop(rows.insert(row.key, published)),
        Some(Ok(_) | Err(_)) => tracing::warn!(
            key = row.key,
            offset = row.offset,
            "a row of the published schemas is not one; publish it again with `pavane schemas push`"
        ),
    }
}
