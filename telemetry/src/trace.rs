//! One rollout, one trace: whoever knows the rollout's id knows its trace and its root span.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue, global};
use pavane_events::{Domain, RolloutId, Timestamp, identity};

use tracing_opentelemetry::{OpenTelemetrySpanExt, SetParentError};

use crate::ids::with_ids;
use crate::sampler::ROLLOUT;

/// The scope name of all spans.
pub const SCOPE: &str = "pavane";

/// The root span of a rollout. It is told when the rollout has ended, and every other span of the trace has
/// named it as its parent long before.
#[derive(Clone, Debug)]
pub struct RootSpan<'a> {
    /// The rollout.
    pub rollout: &'a RolloutId,
    /// Its domain.
    pub domain: &'a Domain,
    /// The name of its choreography; empty when unknown.
    pub choreography: &'a str,
    /// When `RolloutStarted` was appended.
    pub started: Timestamp,
    /// When its ending was appended.
    pub ended: Timestamp,
    /// How it ended, e.g. `RolloutCompleted`.
    pub outcome: &'a str,
    /// Whether that is a good end; any other gives the span the error status.
    pub good: bool,
}

/// A remote parent for spans of the rollout: its trace and its root span, sampled.
pub fn rollout_context(rollout: &RolloutId) -> Context {
    Context::new().with_remote_span_context(SpanContext::new(
        TraceId::from(u128::from_be_bytes(identity::trace_id(rollout))),
        SpanId::from(u64::from_be_bytes(identity::root_span_id(rollout))),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    ))
}

/// Hangs a span under a context. It must not have been entered yet; nothing happens when traces are off.
pub fn hang_under(span: &tracing::Span, parent: Context) {
    match span.set_parent(parent) {
        // No collector is named, or the filter leaves the span out: there is nothing to hang.
        Ok(()) | Err(SetParentError::LayerNotFound | SetParentError::SpanDisabled) => {}
        Err(error) => tracing::error!(
            target: "pavane_telemetry",
            span = span.metadata().map(tracing::Metadata::name),
            %error,
            "a span was entered before it was hung under its parent; it stands in a trace of its own",
        ),
    }
}

/// The hop that a `traceparent` names, to link to or to go on from; none when it is malformed.
pub fn link_of(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let version = field(parts.next()?, 2)?;
    let trace = TraceId::from(u128::from_str_radix(field(parts.next()?, 32)?, 16).ok()?);
    let span = SpanId::from(u64::from_str_radix(field(parts.next()?, 16)?, 16).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(field(parts.next()?, 2)?, 16).ok()?);
    // A later version may append fields; this one has exactly four.
    let fits = version != "ff" && (version != "00" || parts.next().is_none());
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    (fits && context.is_valid()).then_some(context)
}

/// The `traceparent` of a hop; none when the context is not valid.
pub fn traceparent(context: &SpanContext) -> Option<String> {
    context.is_valid().then(|| {
        let flags = context.trace_flags() & TraceFlags::SAMPLED;
        format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), flags.to_u8())
    })
}

impl RootSpan<'_> {
    /// Tells the span to the exporter; nothing when none is set up.
    pub fn emit(&self) {
        let trace = TraceId::from(u128::from_be_bytes(identity::trace_id(self.rollout)));
        let span = SpanId::from(u64::from_be_bytes(identity::root_span_id(self.rollout)));
        let tracer = global::tracer(SCOPE);
        let builder = tracer
            .span_builder(format!("rollout {}", self.choreography).trim_end().to_owned())
            .with_start_time(wall(self.started))
            .with_attributes([
                KeyValue::new(ROLLOUT, self.rollout.to_string()),
                KeyValue::new("deployment.id", self.rollout.to_string()),
                KeyValue::new("deployment.name", self.choreography.to_owned()),
                KeyValue::new("deployment.status", if self.good { "succeeded" } else { "failed" }),
                KeyValue::new("pavane.domain", self.domain.to_string()),
                KeyValue::new("pavane.rollout.outcome", self.outcome.to_owned()),
            ]);
        let mut root = with_ids(trace, span, || tracer.build_with_context(builder, &Context::new()));
        root.set_status(if self.good { Status::Ok } else { Status::error(self.outcome.to_owned()) });
        root.end_with_timestamp(wall(self.ended));
    }
}

/// A part of a `traceparent`: lower-case hexadecimal of a fixed length.
fn field(text: &str, length: usize) -> Option<&str> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == length && text.bytes().all(hex)).then_some(text)
}

fn wall(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_leads_to_its_hop_and_back() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let hop = link_of(text).expect("well formed");
        assert!(hop.is_remote() && hop.is_sampled());
        assert_eq!(traceparent(&hop).as_deref(), Some(text));
    }

    #[test]
    fn a_malformed_traceparent_is_no_hop() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(link_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_context_of_a_rollout_is_a_function_of_its_id() {
        let rollout = RolloutId::new("r-1").expect("a name");
        let context = rollout_context(&rollout);
        let span = context.span();
        assert_eq!(
            traceparent(span.span_context()).as_deref(),
            Some("00-f1ab13d993ede91a73966f0de7dada63-3101365b38d1b596-01")
        );
    }
}
