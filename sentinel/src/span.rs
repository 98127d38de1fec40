//! The sentinel's spans, all in the one trace of their rollout: what it read, what it decided and from what,
//! whom it told.

use std::collections::BTreeMap;

use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use pavane_bus::Raw;
use pavane_events::{Body, Entry, EventId, Record, Speaker};
use pavane_sentinel_engine::{Alert, Draft};
use pavane_telemetry::{hang_under, link_of, opentelemetry, rollout_context};
use serde_json::Value;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// How many hops are remembered for links.
const KEPT: usize = 4096;

/// Which hop wrote the records that were read last, to link decisions to what they rest on.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    by_offset: BTreeMap<i64, (EventId, SpanContext)>,
}

impl Trail {
    /// Remembers the hop that wrote a record.
    pub(crate) fn follow(&mut self, entry: &Entry) {
        let Entry::Event(record) = entry else { return };
        let envelope = &record.event.envelope;
        let Some(hop) = envelope.traceparent.as_deref().and_then(link_of) else { return };
        self.by_offset.insert(record.offset, (envelope.id.clone(), hop));
        if self.by_offset.len() > KEPT {
            self.by_offset.pop_first();
        }
    }

    /// The hops that wrote what a decision rests on: the record it follows from, those it cites, those it quotes.
    fn hops(&self, draft: &Draft) -> Vec<SpanContext> {
        let mut hops: Vec<_> = cited(&draft.body)
            .into_iter()
            .filter_map(|offset| Some(self.by_offset.get(&offset)?.1.clone()))
            .collect();
        if let Some(cause) = &draft.causation {
            let newest = self.by_offset.values().rev().find(|(id, _)| id == cause);
            hops.extend(newest.map(|(_, hop)| hop.clone()));
        }
        hops
    }
}

/// The span of reading one record of a rollout; none for the log's own bookkeeping.
pub(crate) fn process(record: &Record, raw: &Raw) -> Span {
    let (envelope, event) = (&record.event.envelope, record.event.body.event_type());
    let Some(rollout) = envelope.rollout.as_ref().filter(|_| event.speaker() != Speaker::Control) else {
        return Span::none();
    };
    let span = info_span!(
        "process",
        "otel.name" = format!("process {}", raw.topic),
        "otel.kind" = "consumer",
        "messaging.system" = "kafka",
        "messaging.operation.name" = "process",
        "messaging.operation.type" = "process",
        "messaging.destination.name" = raw.topic,
        "messaging.destination.partition.id" = raw.partition.to_string(),
        "messaging.kafka.offset" = raw.offset,
        "messaging.message.id" = %envelope.id,
        "messaging.message.conversation_id" = %rollout,
        "cloudevents.event_id" = %envelope.id,
        "cloudevents.event_source" = %envelope.source,
        "cloudevents.event_type" = event.full_name(),
        "pavane.rollout.id" = %rollout,
    );
    let own = rollout_context(rollout);
    let hop = envelope.traceparent.as_deref().and_then(link_of);
    let same_trace = |hop: &&SpanContext| hop.trace_id() == own.span().span_context().trace_id();
    let parent = match hop.as_ref().filter(same_trace) {
        Some(hop) => opentelemetry::Context::new().with_remote_span_context(hop.clone()),
        None => own.clone(),
    };
    hang_under(&span, parent);
    if let Some(hop) = hop {
        span.add_link(hop);
    }
    span
}

/// The span of a decision, under the rollout's root, with a link to every record that it rests on.
pub(crate) fn decide(draft: &Draft, trail: &Trail) -> Span {
    let Some(rollout) = &draft.rollout else { return Span::none() };
    let what = if let Body::Proposed(proposed) = &draft.body {
        format!("propose {}", proposed.kind.as_str())
    } else {
        format!("say {}", draft.body.event_type())
    };
    let span = info_span!(
        "decide",
        "otel.name" = what,
        "otel.kind" = "internal",
        "pavane.rollout.id" = %rollout,
        "pavane.step.id" = named(&draft.body, "step"),
        "pavane.phase.id" = named(&draft.body, "phase"),
    );
    hang_under(&span, rollout_context(rollout));
    // The record whose reading led to it, and those that it names.
    let reading = Span::current().context().span().span_context().clone();
    for hop in std::iter::once(reading).chain(trail.hops(draft)).filter(SpanContext::is_valid) {
        span.add_link(hop);
    }
    span
}

/// The span of bringing an alert to a receiver.
pub(crate) fn deliver(alert: &Alert, receiver: &str) -> Span {
    let label = |name: &str| alert.labels.get(name).map(String::as_str);
    let rollout = label("rollout").and_then(|id| pavane_events::RolloutId::new(id).ok());
    let span = info_span!(
        "deliver",
        "otel.name" = format!("deliver {}", label("alertname").unwrap_or("alert")),
        "otel.kind" = "client",
        "pavane.rollout.id" = rollout.as_ref().map(pavane_events::RolloutId::as_str),
        "pavane.step.id" = label("step"),
        "pavane.alert.id" = %alert.id,
        "pavane.alert.status" = alert.status.as_str(),
        "pavane.receiver" = receiver,
    );
    if let Some(rollout) = &rollout {
        hang_under(&span, rollout_context(rollout));
    }
    span
}

/// A body as a map of its fields: what cites and quotes has the same field names in every event that does.
fn fields(body: &Body) -> Value {
    serde_json::to_value(body).unwrap_or_default()
}

/// The offsets that a decision names as its ground.
fn cited(body: &Body) -> Vec<i64> {
    let fields = fields(body);
    let named = ["accepted", "cites", "decision"].into_iter().filter_map(|name| fields[name].as_i64());
    let evidence = fields["evidence"].as_array().into_iter().flatten();
    // A heartbeat's offset is one of another topic.
    let on_the_log = evidence.filter(|seen| seen["kind"] != "heartbeat");
    named.chain(on_the_log.filter_map(|seen| seen["offset"].as_i64())).collect()
}

/// The step or the phase that a body is about.
fn named(body: &Body, what: &str) -> Option<String> {
    fields(body)[what].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
    use pavane_events::control::Proposed;
    use pavane_events::service::DeploymentComplete;
    use pavane_events::{
        Domain, Envelope, Event, Evidence, EvidenceKind, PhaseId, RolloutId, Source, StepId, Timestamp,
    };
    use pavane_telemetry::opentelemetry::trace::TracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const FOREIGN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn rollout() -> RolloutId {
        RolloutId::new("r-1").expect("a name")
    }

    fn root() -> SpanContext {
        rollout_context(&rollout()).span().span_context().clone()
    }

    fn record(offset: i64, traceparent: &str) -> (Record, Raw) {
        let source = Source::new("/pavane/shop/users/users-0").expect("a source");
        let id = EventId::new(format!("e-{offset}")).expect("a name");
        let mut envelope = Envelope::new(Domain::new("shop").expect("a name"), source, id);
        envelope.rollout = Some(rollout());
        envelope.traceparent = Some(traceparent.to_owned());
        let event = Event { envelope, body: DeploymentComplete::default().into() };
        let (topic, partition, at) = ("pavane.lifecycle".to_owned(), 3, Timestamp(1));
        let raw = Raw { topic, partition, offset, at, key: None, value: None, headers: Vec::new() };
        (Record { offset, at, event }, raw)
    }

    /// The spans that were told while `act` ran.
    fn told(act: impl FnOnce()) -> Vec<SpanData> {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        exporter.get_finished_spans().expect("spans")
    }

    fn links(span: &SpanData) -> Vec<String> {
        span.links.iter().map(|link| link.span_context.span_id().to_string()).collect()
    }

    #[test]
    fn reading_a_record_follows_the_hop_that_wrote_it() {
        let hop = format!("00-{}-b7ad6b7169203331-01", root().trace_id());
        let (record, raw) = record(7, &hop);
        let spans = told(|| drop(process(&record, &raw)));
        assert_eq!(spans[0].name, "process pavane.lifecycle");
        assert_eq!(spans[0].span_context.trace_id(), root().trace_id());
        assert_eq!(spans[0].parent_span_id.to_string(), "b7ad6b7169203331");
        assert_eq!(links(&spans[0]), ["b7ad6b7169203331"]);
    }

    #[test]
    fn a_record_of_another_trace_is_read_in_the_trace_of_its_rollout() {
        let (record, raw) = record(7, FOREIGN);
        let spans = told(|| drop(process(&record, &raw)));
        assert_eq!(spans[0].span_context.trace_id(), root().trace_id());
        assert_eq!(spans[0].parent_span_id, root().span_id());
        assert_eq!(links(&spans[0]), ["b7ad6b7169203331"]);
    }

    #[test]
    fn a_decision_stands_under_the_root_and_links_to_all_that_it_rests_on() {
        let mut trail = Trail::default();
        let ((ground, _), (read, raw)) = (record(7, FOREIGN), record(8, FOREIGN));
        trail.follow(&Entry::Event(ground));
        let body = Proposed { cites: Some(7), ..Proposed::default() }.into();
        let draft = Draft { id: None, rollout: Some(rollout()), causation: None, service: None, body };
        let spans = told(|| process(&read, &raw).in_scope(|| drop(decide(&draft, &trail))));
        let [decision, reading] = &spans[..] else { panic!("two spans") };
        assert_eq!(decision.name, "propose Unknown");
        assert_eq!(decision.parent_span_id, root().span_id());
        let reading = reading.span_context.span_id().to_string();
        assert_eq!(links(decision), [reading.as_str(), "b7ad6b7169203331"]);
    }

    #[test]
    fn a_decision_names_the_records_of_the_log_that_it_rests_on() {
        let seen = |kind, offset| Evidence { kind, offset: Some(offset), ..Evidence::default() };
        let body = Body::from(Proposed {
            step: Some(StepId::new("users").expect("a name")),
            phase: Some(PhaseId::new("canary").expect("a name")),
            cites: Some(7),
            evidence: vec![seen(EvidenceKind::Heartbeat, 900), seen(EvidenceKind::Failure, 8)],
            ..Proposed::default()
        });
        assert_eq!(cited(&body), [7, 8]);
        assert_eq!(named(&body, "step").as_deref(), Some("users"));
        assert_eq!(named(&body, "phase").as_deref(), Some("canary"));
    }
}
