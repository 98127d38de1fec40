//! The sidecar's spans, all in the one trace of their rollout: what it reacts to, and the hooks within.

use std::collections::BTreeMap;

use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use pavane_events::{Entry, EventId, EventType, RolloutId, StepId};
use pavane_sidecar_engine::{Call, Job, JobKey, Stage};
use pavane_telemetry::{hang_under, link_of, rollout_context, traceparent};
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// How many records are remembered to be reacted to.
const KEPT: usize = 1024;

/// The spans of the reactions under way, and the hops that wrote what they may react to.
#[derive(Debug)]
pub(crate) struct Spans {
    topic: String,
    partition: i32,
    records: BTreeMap<i64, Hop>,
    open: BTreeMap<JobKey, Span>,
}

#[derive(Debug)]
struct Hop {
    id: EventId,
    event: EventType,
    context: Option<SpanContext>,
}

impl Spans {
    pub(crate) const fn new(topic: String, partition: i32) -> Self {
        Self { topic, partition, records: BTreeMap::new(), open: BTreeMap::new() }
    }

    /// Remembers the hop that wrote a record.
    pub(crate) fn follow(&mut self, entry: &Entry) {
        let Entry::Event(record) = entry else { return };
        let envelope = &record.event.envelope;
        if envelope.rollout.is_none() {
            return;
        }
        let context = envelope.traceparent.as_deref().and_then(link_of);
        let hop = Hop { id: envelope.id.clone(), event: record.event.body.event_type(), context };
        self.records.insert(record.offset, hop);
        if self.records.len() > KEPT {
            self.records.pop_first();
        }
    }

    /// The span of a reaction: opened when it is first heard of, let go when it is over.
    pub(crate) fn of(&mut self, job: &Job) -> Span {
        if let Stage::Over(ending) = job.stage {
            let span = self.open.remove(&job.key).unwrap_or_else(|| self.process(job));
            span.record("pavane.reaction.ending", ending.as_str());
            return span;
        }
        if let Some(span) = self.open.get(&job.key) {
            return span.clone();
        }
        let span = self.process(job);
        self.open.insert(job.key.clone(), span.clone());
        span
    }

    /// The span of one call of a hook, within its reaction, and the context that the hook goes on from.
    pub(crate) fn hook(&self, call: &Call) -> (Span, Option<String>) {
        let key =
            JobKey { rollout: call.rollout.clone(), reaction: call.reaction.clone(), epoch: call.epoch };
        let key = if self.open.contains_key(&key) { key } else { JobKey { epoch: 1, ..key } };
        let parent = self.open.get(&key).and_then(Span::id);
        let span = info_span!(
            parent: parent,
            "hook",
            "otel.name" = format!("hook {}", call.reaction),
            "otel.kind" = "client",
            "pavane.rollout.id" = %call.rollout,
            "pavane.step.id" = call.step.as_ref().map(StepId::as_str),
            "pavane.reaction" = call.reaction,
            "pavane.hook.attempt" = call.attempt,
            "pavane.hook.outcome" = tracing::field::Empty,
        );
        let carried = context_of(&span).or_else(|| traceparent(&root_of(&call.rollout)));
        (span, carried)
    }

    fn process(&self, job: &Job) -> Span {
        let found = self.records.iter().rev().find(|(_, hop)| Some(&hop.id) == job.causation.as_ref());
        let event = found.map(|(_, hop)| hop.event);
        let span = info_span!(
            parent: None,
            "process",
            "otel.name" = format!("process {}", self.topic),
            "otel.kind" = "consumer",
            "messaging.system" = "kafka",
            "messaging.operation.name" = "process",
            "messaging.operation.type" = "process",
            "messaging.destination.name" = self.topic,
            "messaging.destination.partition.id" = self.partition.to_string(),
            "messaging.kafka.offset" = found.map(|(offset, _)| *offset),
            "messaging.message.id" = job.causation.as_ref().map(EventId::as_str),
            "messaging.message.conversation_id" = %job.key.rollout,
            "cloudevents.event_type" = event.map(EventType::full_name),
            "pavane.rollout.id" = %job.key.rollout,
            "pavane.reaction" = job.key.reaction,
            "pavane.reaction.ending" = tracing::field::Empty,
        );
        let hop = found.and_then(|(_, hop)| hop.context.clone());
        let root = rollout_context(&job.key.rollout);
        let same_trace = |hop: &&SpanContext| hop.trace_id() == root.span().span_context().trace_id();
        let parent = match hop.as_ref().filter(same_trace) {
            Some(hop) => opentelemetry::Context::new().with_remote_span_context(hop.clone()),
            None => root.clone(),
        };
        hang_under(&span, parent);
        if let Some(hop) = hop {
            span.add_link(hop);
        }
        span
    }
}

/// The `traceparent` of a span; none when traces are off.
pub(crate) fn context_of(span: &Span) -> Option<String> {
    let context = span.context();
    let context = context.span().span_context().clone();
    traceparent(&context)
}

fn root_of(rollout: &RolloutId) -> SpanContext {
    rollout_context(rollout).span().span_context().clone()
}
