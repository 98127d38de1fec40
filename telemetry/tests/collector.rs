//! Traces as a collector sees them: the program runs in a process of its own, as the environment of a process
//! is what is tested.

use std::io::Write;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use pavane_events::{Domain, RolloutId, Timestamp, identity};
use pavane_telemetry::{RootSpan, Setup, hang_under, link_of, metrics, rollout_context};
use prost::Message;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const FOREIGN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

type Seen = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_is_one_trace_whose_root_is_known_by_its_id() {
    let seen = Seen::default();
    let endpoint = collector(StatusCode::OK, seen.clone()).await;
    let output =
        child(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("OTEL_TRACES_SAMPLER", "always_off")]).await;
    assert!(output.status.success(), "{output:?}");

    let requests = seen.lock().expect("no panic in the collector").clone();
    let resource = requests[0].resource_spans[0].resource.clone().expect("a resource");
    let names: Vec<_> = resource.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert!(names.contains(&"service.name") && names.contains(&"service.instance.id"), "{names:?}");
    let mut spans: Vec<Span> = requests
        .iter()
        .flat_map(|request| &request.resource_spans)
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| scope.spans.clone())
        .collect();
    spans.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["decide", "rollout users-v2"], "a span without a rollout is left to the sampler");

    let rollout = rollout();
    let [decide, root] = &spans[..] else { panic!("two spans") };
    assert_eq!(root.span_id, identity::root_span_id(&rollout));
    assert!(root.parent_span_id.is_empty());
    assert_eq!((root.start_time_unix_nano, root.end_time_unix_nano), (1_000_000_000, 5_000_000_000));
    assert_eq!(decide.parent_span_id, root.span_id);
    assert!(spans.iter().all(|span| span.trace_id == identity::trace_id(&rollout)));
    assert_eq!(identity::hex(&decide.links[0].trace_id), "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_refuses_costs_counted_spans_and_nothing_else() {
    let endpoint = collector(StatusCode::BAD_REQUEST, Seen::default()).await;
    let output = child(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).await;
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the trace collector did not take spans"), "{said}");
    assert!(said.contains("decided step=\"users\"") && !said.contains("decide{"), "{said}");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("pavane_traces_lost_total 3"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_json_where_asked_for_and_go_to_stderr() {
    let output = child(&[("PAVANE_LOG_FORMAT", "json")]).await;
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains("decided")).unwrap_or_else(|| panic!("{said}"));
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&line["level"], &line["step"]), (&"INFO".into(), &"users".into()));
}

/// What the child process does. It blocks on the shutdown, as a binary's main does.
#[test]
#[ignore = "run by the tests above, in a process with another environment"]
fn tell() {
    let setup = Setup {
        service: "pavane-test".to_owned(),
        version: "1.0.0".to_owned(),
        instance: "t-1".to_owned(),
        filter: "info",
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let telemetry = runtime.block_on(async { setup.install() }).expect("telemetry");
    let rollout = rollout();
    runtime.block_on(async {
        let span = tracing::info_span!(target: "pavane_test", "decide", "pavane.rollout.id" = %rollout);
        hang_under(&span, rollout_context(&rollout));
        span.add_link(link_of(FOREIGN).expect("well formed"));
        span.in_scope(|| tracing::info!(target: "pavane_test", step = "users", "decided"));
        tracing::info_span!(target: "pavane_test", "no rollout's").in_scope(|| ());
    });
    let domain = Domain::new("shop").expect("a name");
    let (started, ended) = (Timestamp(1_000), Timestamp(5_000));
    let outcome = "RolloutCompleted";
    let root = RootSpan {
        rollout: &rollout,
        domain: &domain,
        choreography: "users-v2",
        started,
        ended,
        outcome,
        good: true,
    };
    root.emit();
    // Whether the collector took them is said by the exporter itself.
    let _told = telemetry.shutdown();
    let text = metrics::text().expect("text");
    std::io::stdout().write_all(text.as_bytes()).expect("a pipe");
}

fn rollout() -> RolloutId {
    RolloutId::new("r-1").expect("a name")
}

async fn child(env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("a test binary"));
    command.args(["--ignored", "--exact", "tell", "--nocapture"]);
    for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SDK_DISABLED", "PAVANE_LOG", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.envs(env.iter().copied());
    tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("a child")
}

async fn collector(status: StatusCode, seen: Seen) -> String {
    let take = move |State(seen): State<Seen>, body: Bytes| async move {
        seen.lock().expect("no panic").push(ExportTraceServiceRequest::decode(body).expect("OTLP"));
        status
    };
    let router = axum::Router::new().route("/v1/traces", post(take)).with_state(seen);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}
