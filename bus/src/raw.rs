//! A record as the broker handed it over, before anybody has looked into it.
//!
//! Whoever dead-letters a record needs its bytes untouched, so they travel beside the decoded entry.

use pavane_events::Timestamp;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

/// A record as it came from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// The topic that it stands on.
    pub topic: String,
    /// The partition that it stands in.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// When the broker appended it.
    pub at: Timestamp,
    /// Its key, untouched.
    pub key: Option<Vec<u8>>,
    /// Its value, untouched; none for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order, untouched.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Raw {
    /// The value of a header as text: the last of that name, when it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

/// A record with the one thing that is not told to readers: who stamped it.
#[derive(Debug)]
pub(crate) struct Stamped {
    pub(crate) raw: Raw,
    /// Whether the broker stamped it (`LogAppendTime`), not the producer.
    pub(crate) by_broker: bool,
}

impl Stamped {
    pub(crate) fn copy_of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        let stamp = message.timestamp();
        Self {
            by_broker: matches!(stamp, rdkafka::Timestamp::LogAppendTime(_)),
            raw: Raw {
                topic: message.topic().to_owned(),
                partition: message.partition(),
                offset: message.offset(),
                at: Timestamp(stamp.to_millis().unwrap_or(0)),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                headers,
            },
        }
    }
}
