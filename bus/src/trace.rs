//! One rollout is one trace: the span of each append, and the W3C context that travels in the headers.
//!
//! The trace id derives from the rollout's id. So a span that already belongs to the rollout is the parent;
//! any other is only linked, and the parent is the rollout's root. Without an exporter the root's context
//! travels, so that whoever traces next stands in the right trace still.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use pavane_events::{Envelope, EventType, RolloutId, identity};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::Error;
use crate::producer::Appended;

/// The context of a rollout's root span, as if it had come from elsewhere.
pub fn rollout_context(rollout: &RolloutId) -> SpanContext {
    let trace = TraceId::from_bytes(identity::trace_id(rollout));
    let root = SpanId::from_bytes(identity::root_span_id(rollout));
    SpanContext::new(trace, root, TraceFlags::SAMPLED, true, TraceState::default())
}

/// Reads a `traceparent`; none when it is not one.
pub fn parse_traceparent(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version.len() != 2 || version == "ff" || trace.len() != 32 || span.len() != 16 || flags.len() != 2 {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

/// Writes a span's context as a `traceparent`.
pub fn traceparent(context: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags())
}

/// What an append is traced by: its span, and the two headers.
#[derive(Debug)]
pub(crate) struct SendTrace {
    pub(crate) span: Span,
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
}

impl SendTrace {
    /// Carries an append out inside its span, and writes into the span how it ended.
    pub(crate) async fn around(
        self,
        sending: impl Future<Output = Result<Appended, Error>>,
    ) -> Result<Appended, Error> {
        let result = sending.instrument(self.span.clone()).await;
        match &result {
            Ok(appended) => drop(self.span.record("messaging.kafka.offset", appended.offset)),
            Err(error) => {
                self.span.record("error.type", error.class());
                self.span.record("otel.status_code", "ERROR");
                self.span.record("otel.status_description", tracing::field::display(error));
            }
        }
        result
    }
}

/// Opens the span of an append to `topic` in the trace that it belongs to.
pub(crate) fn send(topic: &str, partition: i32, envelope: &Envelope, event: EventType) -> SendTrace {
    let span = span_of(topic, partition, envelope, event);
    let around = Span::current().context().span().span_context().clone();
    let (parent, link) = lineage(envelope, &around);
    // Both fail only where no tracer listens, and then there is no span to place.
    if let Some(parent) = &parent
        && span.set_parent(Context::new().with_remote_span_context(parent.clone())).is_ok()
        && let Some(link) = link
    {
        span.add_link(link);
    }
    let own = span.context().span().span_context().clone();
    let carried = if own.is_valid() { Some(own) } else { parent };
    let tracestate = carried.as_ref().map(|context| context.trace_state().header());
    SendTrace {
        span,
        traceparent: carried.as_ref().map(traceparent).or_else(|| envelope.traceparent.clone()),
        tracestate: tracestate.filter(|state| !state.is_empty()),
    }
}

/// The parent of the span, and the context that is only linked. A rollout's parent is in the rollout's trace.
fn lineage(envelope: &Envelope, around: &SpanContext) -> (Option<SpanContext>, Option<SpanContext>) {
    let stated = envelope.traceparent.as_deref().and_then(parse_traceparent);
    let around = around.is_valid().then(|| around.clone());
    let Some(rollout) = &envelope.rollout else { return (around.or(stated), None) };
    let root = rollout_context(rollout);
    let belongs = |context: &SpanContext| context.trace_id() == root.trace_id();
    match (around, stated) {
        (Some(around), _) if belongs(&around) => (Some(around), None),
        (around, Some(stated)) if belongs(&stated) => (Some(stated), around),
        (around, stated) => (Some(root), around.or(stated)),
    }
}

fn span_of(topic: &str, partition: i32, envelope: &Envelope, event: EventType) -> Span {
    tracing::info_span!(
        "send",
        "otel.name" = format!("send {topic}"),
        "otel.kind" = "producer",
        "messaging.system" = "kafka",
        "messaging.operation.name" = "send",
        "messaging.operation.type" = "send",
        "messaging.destination.name" = topic,
        "messaging.destination.partition.id" = partition.to_string(),
        "messaging.kafka.message.key" = envelope.domain.as_str(),
        "messaging.kafka.offset" = tracing::field::Empty,
        "messaging.message.id" = envelope.id.as_str(),
        "messaging.message.conversation_id" = envelope.rollout.as_ref().map(RolloutId::as_str),
        "cloudevents.event_id" = envelope.id.as_str(),
        "cloudevents.event_source" = envelope.source.as_str(),
        "cloudevents.event_spec_version" = "1.0",
        "cloudevents.event_type" = event.full_name(),
        "pavane.rollout.id" = envelope.rollout.as_ref().map(RolloutId::as_str),
        "error.type" = tracing::field::Empty,
        "otel.status_code" = tracing::field::Empty,
        "otel.status_description" = tracing::field::Empty,
    )
}

#[cfg(test)]
mod tests {
    use pavane_events::{Domain, EventId, Source};

    use super::*;

    #[test]
    fn a_traceparent_leads_back_to_its_context() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(&parse_traceparent(text).expect("valid")), text);
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-zzf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse_traceparent(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_rollout_is_one_trace_whoever_speaks() {
        let root = rollout_context(&RolloutId::new("r-1").expect("a name"));
        let other =
            parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").expect("valid");
        let mut envelope = envelope();
        assert_eq!(lineage(&envelope, &SpanContext::NONE), (Some(root.clone()), None));
        assert_eq!(lineage(&envelope, &other), (Some(root.clone()), Some(other.clone())));
        let inside = SpanContext::new(
            root.trace_id(),
            other.span_id(),
            TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        );
        assert_eq!(lineage(&envelope, &inside), (Some(inside.clone()), None));
        envelope.traceparent = Some(traceparent(&inside));
        assert_eq!(lineage(&envelope, &other), (Some(inside), Some(other.clone())));
        envelope.rollout = None;
        envelope.traceparent = None;
        assert_eq!(lineage(&envelope, &other), (Some(other), None));
    }

    #[test]
    fn without_a_tracer_the_root_of_the_rollout_travels() {
        let trace = send("pavane.lifecycle", 3, &envelope(), EventType::Ready);
        let root = rollout_context(&RolloutId::new("r-1").expect("a name"));
        assert_eq!(trace.traceparent, Some(traceparent(&root)));
        assert_eq!(trace.tracestate, None);
    }

    fn envelope() -> Envelope {
        let mut envelope = Envelope::new(
            Domain::new("shop").expect("a name"),
            Source::new("/pavane/shop/tool").expect("a name"),
            EventId::new("e-1").expect("a name"),
        );
        envelope.rollout = Some(RolloutId::new("r-1").expect("a name"));
        envelope
    }
}
