//! The embedded contracts, parsed once: what this program writes by and reads as.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use pavane_events::EventType;
use pavane_schemas::{ALL, Embedded};

use super::contract::Contract;

/// The name of the heartbeat's record.
pub const HEARTBEAT: &str = "Heartbeat";

static CONTRACTS: LazyLock<BTreeMap<&'static str, Contract>> = LazyLock::new(|| {
    apache_avro::util::max_allocation_bytes(8 * 1024 * 1024);
    ALL.iter().map(parse).collect()
});

fn parse(embedded: &Embedded) -> (&'static str, Contract) {
    let contract =
        Contract::parse(embedded.schema).expect("the embedded schemas are fit: a test reads them all");
    (embedded.event, contract)
}

/// The contract by which an event is written and read.
pub fn of(event: EventType) -> &'static Contract {
    named(event.as_str()).expect("every event has an embedded schema: a test compares the lists")
}

/// The text of the embedded schema with this short name; empty when there is none.
pub(crate) fn text(name: &str) -> &'static str {
    ALL.iter().find(|embedded| embedded.event == name).map_or("", |embedded| embedded.schema)
}

/// The contract of the heartbeat.
pub fn heartbeat() -> &'static Contract {
    named(HEARTBEAT).expect("the heartbeat has an embedded schema")
}

/// The contract of the record with this name, without namespace.
pub(crate) fn named(name: &str) -> Option<&'static Contract> {
    CONTRACTS.get(name)
}
