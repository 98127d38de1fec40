//! Logs, traces and metrics of every program here, and the three pages that operators ask for.
//!
//! It never decides anything and never fails the program that it tells of: a collector that is away costs
//! spans, which are counted, and nothing else.
//!
//! | room | what is in it |
//! |---|---|
//! | [`setup`] | turns the environment (`PAVANE_LOG`, `OTEL_*`) into logs on stderr and an exporter |
//! | [`trace`] | one rollout, one trace: its context, its links, its root span |
//! | [`metrics`] | the one meter and the text that `/metrics` answers |
//! | [`admin`] | `/healthz`, `/readyz`, `/metrics`, and refusals as `application/problem+json` |

pub mod admin;
pub mod error;
mod export;
mod ids;
pub mod metrics;
mod sampler;
pub mod setup;
pub mod trace;

pub use admin::{Problem, admin_router, admin_router_with};
pub use error::Error;
pub use metrics::meter;
pub use opentelemetry;
pub use setup::{Setup, Telemetry};
pub use trace::{RootSpan, hang_under, link_of, rollout_context, traceparent};
