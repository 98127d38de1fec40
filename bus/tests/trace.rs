//! One rollout is one trace, from the span of an append to the header of the record.

mod said;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::{SpanKind, TraceContextExt, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use pavane_bus::embedded;
use pavane_bus::trace::{parse_traceparent, rollout_context};
use pavane_bus::{Bus, Item, Policy};
use pavane_events::{Entry, RolloutId};
use said::{domain, ready};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

#[tokio::test]
async fn the_span_of_an_append_is_in_the_rollouts_trace_and_links_what_was_around_it() {
    let told = Told::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(told.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let world = embedded::start().await.expect("started");
    let bus = Bus::connect(world.settings(), "test").await.expect("connected");
    let writer = bus.writer().await.expect("a writer");

    let around = tracing::info_span!("something else");
    let outside = around.context().span().span_context().clone();
    let event = ready("shop", 0);
    writer.append(&event).instrument(around).await.expect("appended");

    let mut reader = bus.reader(&domain("shop"), Policy::AllowList).await.expect("a reader");
    let item = tokio::time::timeout(Duration::from_secs(20), reader.next()).await.expect("in time");
    let Item::Entry { entry: Entry::Event(record), .. } = item.expect("read") else {
        panic!("it was appended")
    };
    let carried = record.event.envelope.traceparent.as_deref().and_then(parse_traceparent).expect("carried");

    let spans = told.0.lock().expect("sound").clone();
    let span = spans.iter().find(|span| span.name == "send pavane.lifecycle").expect("a span of the append");
    let root = rollout_context(&RolloutId::new("r-1").expect("a name"));
    assert_eq!(span.span_context.trace_id(), root.trace_id());
    assert_eq!(span.parent_span_id, root.span_id());
    assert_eq!(span.span_kind, SpanKind::Producer);
    assert_eq!((carried.trace_id(), carried.span_id()), (root.trace_id(), span.span_context.span_id()));
    let links: Vec<_> = span.links.iter().map(|link| link.span_context.span_id()).collect();
    assert_eq!(links, [outside.span_id()]);
    for (key, value) in [
        ("messaging.system", "kafka"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.name", "pavane.lifecycle"),
        ("messaging.message.conversation_id", "r-1"),
        ("messaging.kafka.offset", "0"),
        ("cloudevents.event_type", "io.pavane.lifecycle.v1.Ready"),
    ] {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        assert_eq!(found.map(|attribute| attribute.value.to_string()).as_deref(), Some(value), "{key}");
    }
}

/// Keeps the spans that were ended.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().expect("sound").extend(batch);
        Ok(())
    }
}
