//! One rollout, one trace: what the command line, the sentinels and every sidecar tell of it hangs together.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use pavane_events::{RolloutId, identity};
use pavane_tests::real::Services;
use pavane_tests::stage::collector::{Collector, Told};
use pavane_tests::stage::dancer::Dancer;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage, script};
use serde_json::json;

/// Who takes part in act 1.
const DANCERS: [&str; 4] = ["user-db", "user-service", "messaging", "matchmaking"];

/// The kinds of spans as OTLP numbers them.
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_is_one_trace_with_one_root_and_every_hop_linked() {
    let test = "a_rollout_is_one_trace_with_one_root_and_every_hop_linked";
    let Some(services) = Services::get(test).await else { return };
    let collector = Collector::start().await.unwrap();
    let stage = Stage::set("trace", script::DOMAIN, &services).await.unwrap().traced_by(&collector);
    let rollout = completes(&stage).await.unwrap();
    check(&collector, &rollout).await.unwrap();
}

/// Act 1 of the demo, watched by two sentinels.
async fn completes(stage: &Stage) -> Result<String> {
    let mut dancers = BTreeMap::new();
    for service in DANCERS {
        dancers.insert(service, Dancer::enter(stage, service).await?);
    }
    let mut sentinels =
        [Sentinel::start(stage, "sentinel-a").await?, Sentinel::start(stage, "sentinel-b").await?];
    for dancer in dancers.values_mut() {
        dancer.sidecar.ready().await?;
    }
    for sentinel in &mut sentinels {
        sentinel.ready().await?;
    }
    let plan = script::path("plans/users-v2.yaml").display().to_string();
    let rollout = stage.start(&plan).await?;
    let event = json!({ "event": "Ready", "rollout": rollout, "data": { "prerequisite": "schema" } });
    let (code, answer) = dancers["user-db"].sidecar.say(&event).await?;
    ensure!(code == 201, "the door answered {code}: {answer}");
    for sentinel in &sentinels {
        sentinel.wait_status(&rollout, "completed").await?;
    }
    // whoever ends in order hands over the last of what it has to tell
    for dancer in dancers.values_mut() {
        dancer.sidecar.stop().await?;
    }
    for sentinel in &mut sentinels {
        sentinel.stop().await?;
    }
    Ok(rollout)
}

async fn check(collector: &Collector, rollout: &str) -> Result<()> {
    let id = RolloutId::new(rollout)?;
    let trace = identity::hex(&identity::trace_id(&id));
    let root = identity::hex(&identity::root_span_id(&id));
    let whole = |spans: &[Told]| spans.iter().any(|span| span.id == root);
    let spans = collector.wait_for("the root span", &trace, SOON, whole).await?;
    let lines = || spans.iter().map(Told::line).collect::<Vec<_>>().join("\n");

    let roots: Vec<&Told> = spans.iter().filter(|span| span.parent.is_empty()).collect();
    ensure!(roots.len() == 1 && roots[0].id == root, "the trace must have one root:\n{}", lines());
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    ensure!(ids.len() == spans.len(), "a span was told twice:\n{}", lines());
    for span in spans.iter().filter(|span| !span.parent.is_empty()) {
        ensure!(
            ids.contains(span.parent.as_str()),
            "nobody told the parent of {}:\n{}",
            span.line(),
            lines()
        );
    }
    for other in collector.spans().iter().filter(|span| span.trace != trace) {
        let about = other.attribute("pavane.rollout.id");
        ensure!(about != rollout, "{} is about the rollout and in another trace", other.line());
    }

    let tellers: BTreeSet<(&str, &str)> =
        spans.iter().map(|span| (span.teller("service.name"), span.teller("service.instance.id"))).collect();
    for service in DANCERS {
        let instance = format!("{service}-0");
        let told = tellers.contains(&("pavane-sidecar", instance.as_str()));
        ensure!(told, "the sidecar of {service} told nothing; told has {tellers:?}");
    }
    for program in ["pavane", "pavane-sentinel"] {
        ensure!(tellers.iter().any(|(name, _)| *name == program), "{program} told nothing: {tellers:?}");
    }

    let sends: BTreeSet<&str> =
        spans.iter().filter(|span| span.kind == PRODUCER).map(|span| span.id.as_str()).collect();
    let processes: Vec<&Told> = spans.iter().filter(|span| span.kind == CONSUMER).collect();
    ensure!(!sends.is_empty() && !processes.is_empty(), "nothing was sent or processed:\n{}", lines());
    for hop in spans.iter().filter(|span| span.kind == PRODUCER || span.kind == CONSUMER) {
        says_what_it_is(hop, rollout)?;
    }
    for process in &processes {
        let linked = process.links.iter().any(|(of, span)| *of == trace && sends.contains(span.as_str()));
        ensure!(linked, "{} is linked to nothing that was sent:\n{}", process.line(), lines());
    }
    for service in ["user-service", "messaging", "matchmaking"] {
        let instance = format!("{service}-0");
        let moved = processes.iter().any(|span| span.teller("service.instance.id") == instance);
        ensure!(moved, "the sidecar of {service} tells of no event that it processed:\n{}", lines());
    }
    Ok(())
}

/// A hop is named and described as the conventions for messaging say.
fn says_what_it_is(hop: &Told, rollout: &str) -> Result<()> {
    let operation = if hop.kind == PRODUCER { "send" } else { "process" };
    let expected = [
        ("messaging.system", "kafka"),
        ("messaging.operation.name", operation),
        ("messaging.operation.type", operation),
        ("messaging.message.conversation_id", rollout),
        ("pavane.rollout.id", rollout),
    ];
    for (name, value) in expected {
        ensure!(hop.attribute(name) == value, "{name} of {} is {:?}", hop.line(), hop.attributes);
    }
    for name in ["messaging.destination.partition.id", "messaging.kafka.offset", "messaging.message.id"] {
        ensure!(!hop.attribute(name).is_empty(), "{} has no {name}: {:?}", hop.line(), hop.attributes);
    }
    let named = format!("{operation} {}", hop.attribute("messaging.destination.name"));
    ensure!(hop.name == named, "{} should be called {named}", hop.line());
    Ok(())
}
