//! A log in memory with the surface of the real one: append, read in order, the append time given by the caller.
//!
//! Simulations and the shells' tests run on it in virtual time. It does what the broker does and no more: it
//! numbers records and stamps them; it does not drop the second of two equal records.

use pavane_events::{Entry, Event, Record, Timestamp, Unreadable};

/// One domain's partition, in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryLog {
    entries: Vec<Entry>,
}

impl MemoryLog {
    /// An empty log.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Appends an event at this time; returns its offset.
    pub fn append(&mut self, at: Timestamp, event: Event) -> i64 {
        let offset = self.end();
        self.entries.push(Entry::Event(Record { offset, at, event }));
        offset
    }

    /// Appends a record that cannot be read; its offset and time are set here. Returns the offset.
    pub fn append_unreadable(&mut self, at: Timestamp, unreadable: Unreadable) -> i64 {
        let offset = self.end();
        self.entries.push(Entry::Unreadable(Unreadable { offset, at, ..unreadable }));
        offset
    }

    /// All entries from this offset on, in order; none when the offset is the end or beyond it.
    pub fn read(&self, from: i64) -> &[Entry] {
        let from = usize::try_from(from).unwrap_or(0);
        self.entries.get(from..).unwrap_or(&[])
    }

    /// The offset that the next record gets.
    pub fn end(&self) -> i64 {
        i64::try_from(self.entries.len()).expect("a log in memory is shorter than 63 bits")
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::control::Pulse;
    use pavane_events::{Body, Domain, Envelope, EventId, Source};

    use super::*;

    #[test]
    fn what_was_appended_is_read_in_order_with_its_time() {
        let mut log = MemoryLog::new();
        for n in 0..3 {
            assert_eq!(log.append(Timestamp(100 + n), pulse(n)), n);
        }
        assert_eq!(log.end(), 3);
        let read: Vec<_> = log.read(1).iter().map(|entry| (entry.offset(), entry.at())).collect();
        assert_eq!(read, [(1, Timestamp(101)), (2, Timestamp(102))]);
        assert!(log.read(3).is_empty() && log.read(99).is_empty());
        assert_eq!(log.read(-5).len(), 3);
    }

    fn pulse(n: i64) -> Event {
        let id = EventId::new(n.to_string()).expect("a name");
        let source = Source::new("/pavane/shop/sentinel").expect("a name");
        let envelope = Envelope::new(Domain::new("shop").expect("a name"), source, id);
        Event { envelope, body: Body::Pulse(Pulse::default()) }
    }
}
