//! Reads one domain's entries in order, from wherever it is told to.
//!
//! No group and no committed offset: whoever reads knows where it stands. A record is taken from the queue
//! only when it was handed over, so a registry that is away loses nothing, nor does a call that is abandoned.

use pavane_events::{Domain, Entry, Unreadable, UnreadableReason};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::pump::{Pump, Pumped};
use crate::raw::Stamped;
use crate::route::{Route, route};
use crate::topics::{self, Clock};
use crate::wire::Defect;
use crate::{Bus, Error, Policy, Raw, Topic, decode, partition_of};

/// What a reader yields.
#[expect(clippy::large_enum_variant, reason = "nearly every item is an entry")]
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// What stands at one offset.
    Entry {
        /// The event, or why there is none to be read.
        entry: Entry,
        /// The record as the broker handed it over.
        raw: Raw,
    },
    /// Everything that stood on the log at the start, or when an offset was sought, has been yielded. Comes once.
    CaughtUp {
        /// The offset after the last record at that time.
        end: i64,
    },
}

/// Reads one domain's partition in order.
pub struct Reader {
    bus: Bus,
    domain: Domain,
    policy: Policy,
    partition: i32,
    pump: Pump,
    pending: Option<Stamped>,
    position: i64,
    /// Whether the client was told where to read from.
    started: bool,
    progress: Progress,
    lost: bool,
}

/// How far the reader is on its way to the end that it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// The end has still to be asked for.
    EndUnknown,
    /// On the way to this end.
    Towards(i64),
    /// It has been there.
    CaughtUp,
}

impl Reader {
    pub(crate) async fn open(bus: &Bus, domain: &Domain, policy: Policy) -> Result<Self, Error> {
        let topic = bus.topic(Topic::Lifecycle);
        if bus.clock() == Clock::Theirs && policy == Policy::Structural {
            return Err(topics::theirs(&topic));
        }
        let partition = partition_of(domain.as_str().as_bytes(), bus.partitions());
        let pump = Pump::new(bus, topic)?;
        let (low, high) = pump.bounds(partition).await?;
        Ok(Self {
            bus: bus.clone(),
            domain: domain.clone(),
            policy,
            partition,
            pump,
            pending: None,
            position: low,
            started: false,
            progress: Progress::Towards(high),
            lost: false,
        })
    }

    /// The domain's partition.
    pub const fn partition(&self) -> i32 {
        self.partition
    }

    /// The offset that is read next.
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// Goes on from this offset. [`Item::CaughtUp`] comes again, for the end that the log has then.
    pub fn seek(&mut self, offset: i64) -> Result<(), Error> {
        self.position = offset;
        self.start()?;
        self.pending = None;
        self.progress = Progress::EndUnknown;
        self.lost = false;
        Ok(())
    }

    fn start(&mut self) -> Result<(), Error> {
        self.pump.start(vec![(self.partition, self.position)])?;
        self.started = true;
        Ok(())
    }

    /// Asks the broker for the first offset that the log still holds and the one after its last. Fails within two
    /// seconds when the broker does not answer, which no other call tells from a quiet log.
    pub async fn bounds(&self) -> Result<(i64, i64), Error> {
        self.pump.bounds(self.partition).await
    }

    /// Asks the broker how many partitions the log has by now.
    pub async fn partitions_now(&self) -> Result<i32, Error> {
        self.pump.partitions().await
    }

    /// The next entry of the domain. Can be abandoned at any await, and called again after any error: a record
    /// that could not be judged (the registry was away) is offered again.
    pub async fn next(&mut self) -> Result<Item, Error> {
        if !self.started {
            self.start()?;
        }
        loop {
            if self.lost {
                return Err(self.history_lost());
            }
            if let Some(stamped) = &self.pending {
                self.refuse_foreign_time(stamped)?;
                let entry = self.entry(&stamped.raw).await?;
                self.position = stamped.raw.offset + 1;
                let taken = self.pending.take();
                if let (Some(entry), Some(Stamped { raw, .. })) = (entry, taken) {
                    return Ok(Item::Entry { entry, raw });
                }
            }
            if let Some(end) = self.arrival().await? {
                return Ok(Item::CaughtUp { end });
            }
            match self.pump.next().await? {
                Pumped::Record(stamped) => {
                    self.refuse_what_was_read(stamped.raw.offset)?;
                    self.pending = Some(stamped);
                }
                Pumped::End(_) => {
                    if let Progress::Towards(end) = self.progress {
                        self.progress = Progress::CaughtUp;
                        return Ok(Item::CaughtUp { end });
                    }
                }
                Pumped::Failed(source) => return Err(self.failed(source)),
            }
        }
    }

    /// Gives up the record that could not be judged, which becomes one that cannot be read; none when there is no such
    /// record. It is for who cannot wait for the registry any longer, never for who judges.
    pub fn give_up(&mut self, detail: String) -> Option<Item> {
        let Stamped { raw, .. } = self.pending.take()?;
        self.position = raw.offset + 1;
        let (reason, field) = (UnreadableReason::UnknownSchema, String::new());
        self.bus.metrics().unreadable(&raw.topic, reason);
        let entry = Entry::Unreadable(decode::unreadable(&raw, Defect { reason, field, detail }));
        Some(Item::Entry { entry, raw })
    }

    /// The end, once, when the position has come to it.
    async fn arrival(&mut self) -> Result<Option<i64>, Error> {
        if self.progress == Progress::EndUnknown {
            let (_, high) = self.bounds().await?;
            self.progress = Progress::Towards(high);
        }
        match self.progress {
            Progress::Towards(end) if self.position >= end => {
                self.progress = Progress::CaughtUp;
                Ok(Some(end))
            }
            Progress::Towards(_) | Progress::EndUnknown | Progress::CaughtUp => Ok(None),
        }
    }

    /// The entry of a record; none when it is another domain's.
    async fn entry(&self, raw: &Raw) -> Result<Option<Entry>, Error> {
        let metrics = self.bus.metrics();
        let entry = match route(raw, &self.domain, self.bus.partitions()) {
            Route::Theirs => {
                metrics.skipped(&raw.topic);
                return Ok(None);
            }
            Route::Astray(detail) => {
                let (reason, field) = (UnreadableReason::Misrouted, String::new());
                Entry::Unreadable(decode::unreadable(raw, Defect { reason, field, detail }))
            }
            Route::Ours => decode::entry(&self.bus, raw, self.policy).await?,
        };
        metrics.consumed(&raw.topic);
        if let Entry::Unreadable(Unreadable { reason, .. }) = &entry {
            metrics.unreadable(&raw.topic, *reason);
        }
        Ok(Some(entry))
    }

    /// Offsets only rise, whatever is between them.
    fn refuse_what_was_read(&self, found: i64) -> Result<(), Error> {
        if found >= self.position {
            return Ok(());
        }
        let (topic, partition) = (self.pump.topic().to_owned(), self.partition);
        Err(Error::LogRewound { topic, partition, expected: self.position, found })
    }

    /// A record that carries another time than the broker's is never judged by.
    fn refuse_foreign_time(&self, stamped: &Stamped) -> Result<(), Error> {
        if stamped.by_broker || self.bus.clock() != Clock::Broker {
            return Ok(());
        }
        let Raw { topic, partition, offset, .. } = &stamped.raw;
        Err(Error::TopicConfig {
            topic: format!("{topic}/{partition} at offset {offset}"),
            setting: "message.timestamp.type".to_owned(),
            expected: "LogAppendTime".to_owned(),
            found: "CreateTime".to_owned(),
        })
    }

    fn failed(&mut self, source: KafkaError) -> Error {
        let gone = [RDKafkaErrorCode::AutoOffsetReset, RDKafkaErrorCode::OffsetOutOfRange];
        if source.rdkafka_error_code().is_some_and(|code| gone.contains(&code)) {
            self.lost = true;
            return self.history_lost();
        }
        Error::reading(format!("{}/{}", self.pump.topic(), self.partition), source)
    }

    fn history_lost(&self) -> Error {
        let topic = self.pump.topic().to_owned();
        Error::HistoryLost { topic, partition: self.partition, offset: self.position }
    }
}
