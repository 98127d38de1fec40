//! What is counted about the log: names of the OpenTelemetry messaging conventions, and a few of our own.
//!
//! No rollout, version or free text ever becomes a label: labels are topics, operations and classes of errors.

use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry::{KeyValue, global};
use pavane_events::UnreadableReason;

/// The instruments of one connection; made after the process has set up its meters.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    duration: Histogram<f64>,
    sent: Counter<u64>,
    consumed: Counter<u64>,
    unreadable: Counter<u64>,
    skipped: Counter<u64>,
    tampered: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = global::meter("pavane-bus");
        Self {
            duration: meter
                .f64_histogram("messaging.client.operation.duration")
                .with_unit("s")
                .with_description("From handing a record over to the broker's answer.")
                .build(),
            sent: meter
                .u64_counter("messaging.client.sent.messages")
                .with_description("Records that the broker answered for, or that failed.")
                .build(),
            consumed: meter
                .u64_counter("messaging.client.consumed.messages")
                .with_description("Records that were handed to a reader.")
                .build(),
            unreadable: meter
                .u64_counter("pavane_records_unreadable")
                .with_description("Records that could not be read, by the class of the defect.")
                .build(),
            skipped: meter
                .u64_counter("pavane_records_skipped")
                .with_description("Records of other domains in the same partition.")
                .build(),
            tampered: tampered(&meter),
        }
    }

    pub(crate) fn sent(&self, topic: &str, took: Duration, error: Option<&'static str>) {
        let mut labels = labels(topic, "send");
        labels.extend(error.map(|error| KeyValue::new("error.type", error)));
        self.duration.record(took.as_secs_f64(), &labels);
        self.sent.add(1, &labels);
    }

    pub(crate) fn consumed(&self, topic: &str) {
        self.consumed.add(1, &labels(topic, "poll"));
    }

    pub(crate) fn skipped(&self, topic: &str) {
        self.skipped.add(1, &labels(topic, "poll"));
    }

    pub(crate) fn tampered(&self) {
        self.tampered.add(1, &[]);
    }

    pub(crate) fn unreadable(&self, topic: &str, reason: UnreadableReason) {
        let mut labels = labels(topic, "poll");
        labels.push(KeyValue::new("reason", reason.as_str()));
        self.unreadable.add(1, &labels);
    }
}

/// Begins at 0: of a series that begins with its first event nobody sees that it grew.
fn tampered(meter: &Meter) -> Counter<u64> {
    let tampered = meter.u64_counter("pavane.registry.tamper").with_description(
        "How often the registry served another schema than the one that is known under an id.",
    );
    let tampered = tampered.build();
    tampered.add(0, &[]);
    tampered
}

fn labels(topic: &str, operation: &'static str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.destination.name", topic.to_owned()),
        KeyValue::new("messaging.operation.name", operation),
    ]
}
