//! What can go wrong when a program begins to tell of itself.

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A log filter that cannot be read.
    #[error(
        "read the log filter {variable}={value:?}: {source}; write it as `info` or `warn,pavane_bus=debug`"
    )]
    Filter {
        /// The environment variable.
        variable: &'static str,
        /// What stands in it.
        value: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A log format that does not exist.
    #[error("read the log format PAVANE_LOG_FORMAT={value:?}: use `text` or `json`")]
    Format {
        /// What stands in the variable.
        value: String,
    },
    /// Something else in this process has taken the logs.
    #[error("install the log subscriber: {0}; telemetry is set up once in a process")]
    Installed(#[from] tracing_subscriber::util::TryInitError),
    /// The metrics could not be written as text.
    #[error("write the metrics as text: {0}")]
    Encode(#[from] prometheus::Error),
    /// The spans that were left did not reach the collector in time.
    #[error("deliver the last spans to the collector: {0}; look at OTEL_EXPORTER_OTLP_ENDPOINT")]
    Shutdown(#[from] opentelemetry_sdk::error::OTelSdkError),
}
