//! Reads the dead letters, and what became of each.
//!
//! The topic forgets by age and size, so nothing can be taken out of it: a letter that was replayed or dropped is
//! settled by a second row of the same id, without a value, which says what was done, by whom and why.

use std::collections::BTreeMap;

use pavane_events::{Event, Timestamp};

use crate::pump::{Pump, Pumped};
use crate::wire::{Defect, Encoded};
use crate::{Bus, Error, Policy, Raw, Topic, decode};

/// What begins the name of a header that is the row's own.
pub(crate) const OWN: &str = "pavane_dlq_";
/// The header that settles a letter.
const SETTLED: &str = "pavane_dlq_settled";

/// One row of the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterRow {
    /// A record that could not be used.
    Letter(Box<DeadLetter>),
    /// What became of one.
    Settled {
        /// The letter's id.
        id: String,
        /// What was done with it.
        settlement: Settlement,
    },
}

/// A record that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// `<topic>-<partition>-<offset>` of the record.
    pub id: String,
    /// Why it could not be used: a word of a closed list.
    pub reason: String,
    /// Why, for a person.
    pub error: String,
    /// When it was set aside.
    pub aside_at: Timestamp,
    /// The record as it stood there.
    pub raw: Raw,
}

/// What was done with a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// `replayed` or `dropped`.
    pub how: String,
    /// By whom.
    pub by: String,
    /// Why, or the id of the event that was said in its place.
    pub detail: String,
}

/// Reads the rows of the dead letters from the first that the topic holds to the end that it had at the start.
pub struct LetterReader {
    pump: Pump,
    ends: BTreeMap<i32, i64>,
}

impl LetterReader {
    pub(crate) async fn open(bus: &Bus) -> Result<Self, Error> {
        let mut pump = Pump::new(bus, bus.topic(Topic::DeadLetters))?;
        let (mut starts, mut ends) = (Vec::new(), BTreeMap::new());
        for partition in 0..pump.partitions().await? {
            let (low, high) = pump.bounds(partition).await?;
            if low < high {
                starts.push((partition, low));
                ends.insert(partition, high);
            }
        }
        pump.start(starts)?;
        Ok(Self { pump, ends })
    }

    /// The next row; none at the end.
    pub async fn next(&mut self) -> Result<Option<LetterRow>, Error> {
        while !self.ends.is_empty() {
            match self.pump.next().await? {
                Pumped::Record(stamped) => {
                    let raw = stamped.raw;
                    if self.ends.get(&raw.partition).is_some_and(|end| raw.offset + 1 >= *end) {
                        self.ends.remove(&raw.partition);
                    }
                    return Ok(Some(row(&raw)));
                }
                Pumped::End(partition) => drop(self.ends.remove(&partition)),
                Pumped::Failed(source) => {
                    return Err(Error::reading(self.pump.topic().to_owned(), source));
                }
            }
        }
        Ok(None)
    }
}

impl DeadLetter {
    /// Looks at the record again as a sidecar would: the event, and its value as it can be appended anew; or why it still
    /// cannot be read.
    pub async fn read_again(&self, bus: &Bus) -> Result<Result<(Event, Encoded), Defect>, Error> {
        let key = self.raw.header("ce_partitionkey").map(|domain| domain.as_bytes().to_vec());
        let raw = Raw { key, ..self.raw.clone() };
        let event = decode::event(bus, &raw, Policy::AllowList).await?;
        Ok(event.map(|event| {
            let dataschema = raw.header("ce_dataschema").unwrap_or_default().to_owned();
            (event, Encoded { value: raw.value.unwrap_or_default(), dataschema })
        }))
    }
}

impl Settlement {
    pub(crate) fn headers(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
        vec![
            header(SETTLED, &self.how),
            header("pavane_dlq_by", &self.by),
            header("pavane_dlq_detail", &self.detail),
        ]
    }
}

fn row(raw: &Raw) -> LetterRow {
    let text = |name: &str| raw.header(name).unwrap_or_default().to_owned();
    let id = raw.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    if raw.value.is_none() && raw.header(SETTLED).is_some() {
        let settlement =
            Settlement { how: text(SETTLED), by: text("pavane_dlq_by"), detail: text("pavane_dlq_detail") };
        return LetterRow::Settled { id, settlement };
    }
    let number = |name: &str| text(name).parse::<i64>().unwrap_or(-1);
    let original = Raw {
        topic: text("pavane_dlq_topic"),
        partition: i32::try_from(number("pavane_dlq_partition")).unwrap_or(-1),
        offset: number("pavane_dlq_offset"),
        at: Timestamp(number("pavane_dlq_time")),
        key: None,
        value: raw.value.clone(),
        headers: raw.headers.iter().filter(|(name, _)| !name.starts_with(OWN)).cloned().collect(),
    };
    let (reason, error) = (text("pavane_dlq_reason"), text("pavane_dlq_error"));
    LetterRow::Letter(Box::new(DeadLetter { id, reason, error, aside_at: raw.at, raw: original }))
}
