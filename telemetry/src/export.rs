//! Hands spans to a collector, and counts what the collector did not take.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::metrics::Counter;
use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::metrics::meter;

/// Spans that a collector did not take.
struct SpansLost<'a> {
    count: usize,
    error: &'a dyn fmt::Display,
}

impl SpansLost<'_> {
    fn emit(&self) {
        static LOST: LazyLock<Counter<u64>> = LazyLock::new(|| {
            let counter = meter().u64_counter("pavane.traces.lost");
            counter.with_description("Spans that the collector did not take.").build()
        });
        LOST.add(self.count as u64, &[]);
        tracing::warn!(
            target: "pavane_telemetry",
            spans = self.count,
            error = %self.error,
            "the trace collector did not take spans; look at OTEL_EXPORTER_OTLP_ENDPOINT",
        );
    }
}

/// The OTLP exporter, watched: what it loses is said and counted.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Otlp,
}

impl Watched {
    /// An exporter over HTTP whose address, headers and time-out come from `OTEL_EXPORTER_OTLP_*`.
    pub(crate) fn from_env() -> Result<Self, opentelemetry_otlp::ExporterBuildError> {
        Ok(Self { inner: Otlp::builder().with_http().build()? })
    }
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let result = self.inner.export(batch).await;
        if let Err(error) = &result {
            SpansLost { count, error }.emit();
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
