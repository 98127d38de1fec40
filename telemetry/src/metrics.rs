//! The one meter of the process, and its numbers as Prometheus text.
//!
//! No label ever holds a rollout, a version or any other word from a record: the number of series must not
//! depend on what is said on the log.

use std::sync::LazyLock;

use opentelemetry::global;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

use crate::error::Error;

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Metrics {
    registry: Registry,
    meter: Meter,
    _provider: SdkMeterProvider,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .without_target_info()
        .build()
        .expect("a fresh registry holds no other collector");
    let provider = SdkMeterProvider::builder().with_reader(exporter).build();
    // Crates that know OpenTelemetry and not this one count through the global meters.
    global::set_meter_provider(provider.clone());
    Metrics { registry, meter: provider.meter("pavane"), _provider: provider }
});

/// The meter that every instrument of the process is made of.
///
/// The first call makes it, and the global meters with it; instruments made before that count nothing.
/// An instrument `pavane.alerts.delivered` becomes `pavane_alerts_delivered_total`.
pub fn meter() -> &'static Meter {
    &METRICS.meter
}

/// All numbers of the process as Prometheus text.
pub fn text() -> Result<String, Error> {
    Ok(TextEncoder::new().encode_to_string(&METRICS.registry.gather())?)
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::*;

    #[test]
    fn a_counter_is_read_back_as_prometheus_text() {
        let counter = meter().u64_counter("pavane.test.things").with_description("Things.").build();
        counter.add(2, &[KeyValue::new("kind", "good")]);
        counter.add(1, &[KeyValue::new("kind", "good")]);
        let text = text().expect("text");
        assert!(text.contains("pavane_test_things_total{kind=\"good\"} 3"), "{text}");
    }
}
