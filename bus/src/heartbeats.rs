//! Reads what sidecars say about themselves: of all domains, or of one instance alone.

use pavane_events::{Domain, Heartbeat, Instance, Timestamp};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::pump::{Pump, Pumped};
use crate::{Bus, Error, Raw, Topic, decode, partition_of};

/// How many of the newest heartbeats of each partition are read first.
const NEWEST: i64 = 5_000;

/// A heartbeat as it stands on its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// What the sidecar says.
    pub heartbeat: Heartbeat,
    /// The partition that it stands in.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// When the broker appended it.
    pub at: Timestamp,
}

/// Reads heartbeats. One that cannot be read is counted and passed over.
pub struct HeartbeatReader {
    bus: Bus,
    pump: Pump,
    partitions: Vec<i32>,
    /// The key of the only instance whose heartbeats are looked into.
    only: Option<Vec<u8>>,
    pending: Option<Raw>,
    /// Whether the client has to be told anew where to read from.
    adrift: bool,
}

/// The key of an instance's heartbeats.
pub(crate) fn key_of(domain: &Domain, instance: &Instance) -> String {
    format!("{domain}/{instance}")
}

impl HeartbeatReader {
    pub(crate) async fn open(bus: &Bus) -> Result<Self, Error> {
        let mut pump = Pump::new(bus, bus.topic(Topic::Heartbeats))?;
        let partitions = pump.partitions().await?;
        let mut starts = Vec::new();
        for partition in 0..partitions {
            let (low, high) = pump.bounds(partition).await?;
            starts.push((partition, low.max(high - NEWEST)));
        }
        pump.start(starts)?;
        let partitions = (0..partitions).collect();
        Ok(Self { bus: bus.clone(), pump, partitions, only: None, pending: None, adrift: false })
    }

    /// Opens the one partition that holds an instance's heartbeats, at its end. What others say there is passed over
    /// by its key alone.
    pub(crate) async fn open_for(bus: &Bus, domain: &Domain, instance: &Instance) -> Result<Self, Error> {
        let mut pump = Pump::new(bus, bus.topic(Topic::Heartbeats))?;
        let key = key_of(domain, instance).into_bytes();
        let partition = partition_of(&key, bus.partitions_of(Topic::Heartbeats));
        let (_, high) = pump.bounds(partition).await?;
        pump.start(vec![(partition, high)])?;
        let (bus, partitions) = (bus.clone(), vec![partition]);
        Ok(Self { bus, pump, partitions, only: Some(key), pending: None, adrift: false })
    }

    /// The next heartbeat. Can be abandoned at any await, and called again after any error.
    pub async fn next(&mut self) -> Result<Beat, Error> {
        if self.adrift {
            self.start_over().await?;
        }
        loop {
            if let Some(raw) = &self.pending {
                let (partition, offset, at) = (raw.partition, raw.offset, raw.at);
                let read = decode::heartbeat(&self.bus, raw).await?;
                self.pending = None;
                if let Some(heartbeat) = read {
                    return Ok(Beat { heartbeat, partition, offset, at });
                }
            }
            match self.pump.next().await? {
                Pumped::Record(stamped) => {
                    self.pending =
                        Some(stamped.raw).filter(|raw| self.only.is_none() || raw.key == self.only);
                }
                Pumped::End(_) => {}
                Pumped::Failed(source) => return Err(self.failed(source)),
            }
        }
    }

    /// Heartbeats that are gone are missed by nobody: it goes on with the oldest that are there.
    async fn start_over(&mut self) -> Result<(), Error> {
        let mut starts = Vec::new();
        for partition in &self.partitions {
            starts.push((*partition, self.pump.bounds(*partition).await?.0));
        }
        self.pump.start(starts)?;
        self.adrift = false;
        Ok(())
    }

    fn failed(&mut self, source: KafkaError) -> Error {
        self.adrift |= source.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset);
        Error::reading(self.pump.topic().to_owned(), source)
    }
}
