//! A collector of traces: takes OTLP over HTTP from every process and keeps each span with who told it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;
use tokio::task::JoinHandle;

use crate::wait;

/// One span, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The attributes of the process that told it, e.g. `service.name`.
    pub teller: BTreeMap<String, String>,
    /// The span's name.
    pub name: String,
    /// The trace that it belongs to, in hexadecimal.
    pub trace: String,
    /// Its own id, in hexadecimal.
    pub id: String,
    /// The id of its parent; empty for a root.
    pub parent: String,
    /// Its kind: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// What it is linked to: trace and span, in hexadecimal.
    pub links: Vec<(String, String)>,
}

/// A collector at `/v1/traces` on loopback. It stops when dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    kept: Kept,
    server: JoinHandle<()>,
}

type Kept = Arc<Mutex<Vec<Told>>>;

impl Collector {
    /// Starts a collector.
    pub async fn start() -> Result<Self> {
        let kept = Kept::default();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("failed to listen")?;
        let address = listener.local_addr().context("failed to read the own address")?;
        let app = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&kept));
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("a server on a bound socket serves until it is dropped");
        });
        Ok(Self { address, kept, server })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` must say.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every span that was told so far.
    pub fn spans(&self) -> Vec<Told> {
        self.kept.lock().expect("no holder panics").clone()
    }

    /// The spans of one trace.
    pub fn trace(&self, trace: &str) -> Vec<Told> {
        self.spans().into_iter().filter(|span| span.trace == trace).collect()
    }

    /// Waits until the spans of one trace please; the error lists them.
    pub async fn wait_for(
        &self,
        what: &str,
        trace: &str,
        limit: Duration,
        pleases: impl Fn(&[Told]) -> bool,
    ) -> Result<Vec<Told>> {
        let pleasing = wait::until(what, limit, async || Some(self.trace(trace)).filter(|all| pleases(all)));
        pleasing.await.with_context(|| {
            let lines: Vec<String> = self.spans().iter().map(Told::line).collect();
            format!("of the trace {trace}; told was:\n{}", lines.join("\n"))
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Told {
    /// An attribute of the span; empty when it has none of that name.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// An attribute of the process that told it; empty when it has none of that name.
    pub fn teller(&self, name: &str) -> &str {
        self.teller.get(name).map_or("", String::as_str)
    }

    /// The span in a line.
    pub fn line(&self) -> String {
        let Self { name, trace, id, parent, links, .. } = self;
        let (service, instance) = (self.teller("service.name"), self.teller("service.instance.id"));
        let links: Vec<&str> = links.iter().map(|(_, span)| span.as_str()).collect();
        format!("{service}/{instance}: {name} [{trace} {id} under {parent:?} links {links:?}]")
    }
}

async fn take(State(kept): State<Kept>, body: Bytes) -> Response {
    match ExportTraceServiceRequest::decode(body) {
        Ok(request) => {
            let told = request.resource_spans.into_iter().flat_map(told);
            kept.lock().expect("no holder panics").extend(told);
            // an empty message says that all was taken
            ([(header::CONTENT_TYPE, "application/x-protobuf")], Vec::new()).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

fn told(batch: ResourceSpans) -> Vec<Told> {
    let teller = batch.resource.map(|resource| words(resource.attributes)).unwrap_or_default();
    let spans = batch.scope_spans.into_iter().flat_map(|scope| scope.spans);
    spans.map(|span| one(teller.clone(), span)).collect()
}

fn one(teller: BTreeMap<String, String>, span: Span) -> Told {
    let links = span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect();
    Told {
        teller,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind,
        attributes: words(span.attributes),
        links,
        name: span.name,
    }
}

fn words(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|pair| (pair.key, word(pair.value))).collect()
}

fn word(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    pavane_events::identity::hex(bytes)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::ScopeSpans;

    use super::*;

    #[tokio::test]
    async fn a_span_is_kept_with_its_teller_and_rubbish_is_refused() {
        let collector = Collector::start().await.unwrap();
        let text = |text: &str| Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
        let name = KeyValue { key: "service.name".to_owned(), value: text("pavane"), ..Default::default() };
        let span =
            Span { name: "send".to_owned(), trace_id: vec![1; 16], span_id: vec![2; 8], ..Span::default() };
        let resource = Some(Resource { attributes: vec![name], ..Resource::default() });
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let batch = ResourceSpans { resource, scope_spans, ..ResourceSpans::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![batch] };
        let url = format!("{}/v1/traces", collector.endpoint());
        let post = async |body: Vec<u8>| reqwest::Client::new().post(&url).body(body).send().await.unwrap();
        assert_eq!(post(request.encode_to_vec()).await.status().as_u16(), 200);
        assert_eq!(post(b"rubbish".to_vec()).await.status().as_u16(), 400);
        let spans = collector.trace(&"01".repeat(16));
        assert_eq!(spans.len(), 1);
        assert_eq!((spans[0].teller("service.name"), spans[0].id.as_str()), ("pavane", "0202020202020202"));
    }
}
