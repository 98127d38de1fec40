//! Reads a topic that keeps the newest row of each key: to the end first, then along with it.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::Timestamp;
use rdkafka::error::RDKafkaErrorCode;

use crate::pump::{Pump, Pumped};
use crate::{Bus, Error, Topic};

/// What a table yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableItem {
    /// A row was put, or taken out.
    Row(Row),
    /// Every row that stood there at the start has been yielded. Comes once.
    CaughtUp,
}

/// A row of a table as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key.
    pub key: String,
    /// The value; none when the row was taken out.
    pub value: Option<Vec<u8>>,
    /// When the broker appended it.
    pub at: Timestamp,
    /// The partition that it stands in.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
}

/// Reads a topic that keeps the newest row of each key.
pub struct TableReader {
    pump: Pump,
    /// The partitions that still have rows from before the start, with the end that each has to come to.
    behind: BTreeMap<i32, i64>,
    positions: BTreeMap<i32, i64>,
    /// The first offset that each partition had when it was measured.
    lows: BTreeMap<i32, i64>,
    told: bool,
    /// Whether the client has yet to be told where to read from.
    adrift: bool,
}

impl TableReader {
    pub(crate) async fn open(bus: &Bus, topic: Topic) -> Result<Self, Error> {
        let pump = Pump::new(bus, bus.topic(topic))?;
        let positions = (0..pump.partitions().await?).map(|partition| (partition, 0)).collect();
        let (behind, lows) = (BTreeMap::new(), BTreeMap::new());
        let mut table = Self { pump, behind, positions, lows, told: false, adrift: true };
        table.measure().await?;
        Ok(table)
    }

    /// The next row, or that the rows from before the start have all been yielded. Can be abandoned at any await.
    pub async fn next(&mut self) -> Result<TableItem, Error> {
        loop {
            if self.behind.is_empty() && !self.told {
                self.told = true;
                return Ok(TableItem::CaughtUp);
            }
            if self.adrift {
                self.start().await?;
            }
            match self.pump.next().await? {
                Pumped::Record(stamped) => {
                    let raw = stamped.raw;
                    self.passed(raw.partition, raw.offset + 1);
                    let key =
                        raw.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                    let (at, partition, offset) = (raw.at, raw.partition, raw.offset);
                    return Ok(TableItem::Row(Row { key, value: raw.value, at, partition, offset }));
                }
                Pumped::End(partition) => {
                    if let Some(end) = self.behind.remove(&partition) {
                        self.positions.insert(partition, end);
                    }
                }
                Pumped::Failed(source) => {
                    let partitions: BTreeSet<_> = self.positions.keys().collect();
                    let topic = format!("{} (partitions {partitions:?})", self.pump.topic());
                    if source.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) {
                        self.start_over();
                    }
                    return Err(Error::reading(topic, source));
                }
            }
        }
    }

    /// Asks for the end that the table has by now: [`TableItem::CaughtUp`] comes again when it is reached.
    pub async fn look_ahead(&mut self) -> Result<(), Error> {
        self.measure().await?;
        self.told = false;
        self.adrift |= !self.behind.is_empty();
        Ok(())
    }

    /// Has the broker asked for no more rows until the table is read on. A question for rows waits there for half a second
    /// when there are none, and what is asked behind it on the same connection, such as where the end is, waits with it.
    pub(crate) fn rest(&mut self) -> Result<(), Error> {
        if !self.adrift {
            self.pump.start(Vec::new())?;
            self.adrift = true;
        }
        Ok(())
    }

    /// Reads the whole table from its beginning to the end that it has by now: the newest row of each key.
    pub async fn load(&mut self) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        self.start_over();
        self.look_ahead().await?;
        let mut table = BTreeMap::new();
        while let TableItem::Row(row) = self.next().await? {
            match row.value {
                Some(value) => drop(table.insert(row.key, value)),
                None => drop(table.remove(&row.key)),
            }
        }
        Ok(table)
    }

    /// Finds out how far behind the end each partition is.
    async fn measure(&mut self) -> Result<(), Error> {
        let partitions: Vec<(i32, i64)> = self.positions.iter().map(|(p, at)| (*p, *at)).collect();
        for (partition, position) in partitions {
            let (low, high) = self.pump.bounds(partition).await?;
            self.lows.insert(partition, low);
            if position < high && low < high {
                self.behind.insert(partition, high);
            }
        }
        Ok(())
    }

    fn passed(&mut self, partition: i32, position: i64) {
        self.positions.insert(partition, position);
        if self.behind.get(&partition).is_some_and(|end| position >= *end) {
            self.behind.remove(&partition);
        }
    }

    /// The rows that were to be read next are gone, compacted or expired: the table is read from its beginning,
    /// which repeats rows and loses none.
    fn start_over(&mut self) {
        self.positions.values_mut().for_each(|position| *position = 0);
        self.lows.clear();
        self.adrift = true;
    }

    async fn start(&mut self) -> Result<(), Error> {
        if self.lows.len() < self.positions.len() {
            self.measure().await?;
        }
        let from = |(partition, position): (&i32, &i64)| (*partition, (*position).max(self.lows[partition]));
        self.pump.start(self.positions.iter().map(from).collect())?;
        self.adrift = false;
        Ok(())
    }
}
