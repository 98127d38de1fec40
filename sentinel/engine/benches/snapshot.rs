//! What a snapshot weighs, how long it keeps the loop that makes it, and how much sooner a sentinel sees that begins with
//! one than one that reads the whole log again.
//!
//! Rollouts of four steps that wait for each other, each with services of its own; three of them are full and one is open,
//! said by sidecars that number their events. Entries are decoded before the clock runs.
//!
//! `cargo bench -p pavane-sentinel-engine --bench snapshot`, or with `-- 10000` for so many rollouts.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a bench reads the clock and prints"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use pavane_choreography::{Expect, Plan, Step};
use pavane_events::command::RolloutStarted;
use pavane_events::service::{DeploymentComplete, DeploymentStarted};
use pavane_events::{
    Body, Domain, Entry, Envelope, Event, EventId, EventType, Instance, Record, RolloutId, Service, Source,
    StepId, Timestamp, Version,
};
use pavane_sentinel_engine::{Engine, Input};

const STEPS: [&str; 4] = ["a", "b", "c", "d"];
/// How often each is done; the quickest counts.
const TIMES: usize = 3;

fn main() {
    let asked: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![1_000, 10_000, 100_000] } else { asked };
    println!(
        "open rollouts  records      bytes  bytes each  loop kept  made in  restored in  log replayed in   times"
    );
    for rollouts in sizes {
        run(rollouts);
    }
}

fn run(rollouts: u64) {
    let log = log(rollouts);
    let (replayed, engine) = quickest(|| {
        let mut engine = Engine::new(domain(), "s".to_owned());
        for entry in &log {
            black_box(engine.handle(0, Input::Read(entry.clone())));
        }
        engine
    });
    let (kept, folded) = quickest(|| engine.folded());
    let (made, snapshot) = quickest(|| folded.snapshot());
    let (restored, again) =
        quickest(|| Engine::restore(domain(), "s".to_owned(), &snapshot).expect("it was just made"));
    assert!(again.snapshot() == snapshot, "restored is what was written");
    let each = snapshot.len() as u64 / rollouts;
    println!(
        "{rollouts:>13} {:>8} {:>10} {each:>11} {kept:>10.1?} {made:>8.1?} {restored:>12.1?} {replayed:>16.1?} {:>7.1}",
        log.len(),
        snapshot.len(),
        replayed.as_secs_f64() / restored.as_secs_f64()
    );
}

fn quickest<T>(mut does: impl FnMut() -> T) -> (Duration, T) {
    let timed = (0..TIMES).map(|_| {
        let begun = Instant::now();
        let made = does();
        (begun.elapsed(), made)
    });
    timed.min_by_key(|(took, _)| *took).expect("it was done")
}

fn domain() -> Domain {
    Domain::new("shop").expect("a name")
}

fn plan() -> Plan {
    let mut steps: Vec<Step> = Vec::new();
    for name in STEPS {
        let service = Service::new(format!("service-{name}")).expect("a name");
        let expect = Expect { service, event: EventType::DeploymentComplete };
        let mut step = Step::new(StepId::new(name).expect("a name"), expect, 600_000, "team");
        step.per_rollout = true;
        step.after = steps.last().map(|before| before.id.clone()).into_iter().collect();
        steps.push(step);
    }
    Plan::new("bench", "team", steps)
}

/// Each rollout starts, and all but its last step are done.
fn log(rollouts: u64) -> Vec<Entry> {
    let plan = plan();
    let (json, digest) = (plan.to_json(), plan.digest());
    let mut log = Vec::new();
    for n in 0..rollouts {
        let started = RolloutStarted {
            choreography: "bench".to_owned(),
            plan: json.clone(),
            plan_digest: digest.clone(),
            rules: 1,
            by: "ci".to_owned(),
            reason: String::new(),
        };
        append(&mut log, n, None, 0, started.into());
        for name in &STEPS[..STEPS.len() - 1] {
            let from = Version::new("1.0.0").ok();
            append(&mut log, n, Some(name), 1, DeploymentStarted { from, to: None }.into());
            append(&mut log, n, Some(name), 2, DeploymentComplete::default().into());
        }
    }
    log
}

fn append(log: &mut Vec<Entry>, n: u64, step: Option<&str>, number: i64, body: Body) {
    let offset = i64::try_from(log.len()).expect("a short log");
    let rollout = RolloutId::new(format!("r{n}")).expect("a name");
    let service = step.map(|name| Service::new(format!("service-{name}-{rollout}")).expect("a name"));
    let who = service.as_ref().map_or("ci".to_owned(), |service| format!("{service}/{service}-0"));
    let source = Source::new(format!("/pavane/shop/{who}")).expect("a name");
    let id = EventId::new(format!("{n}-{}-{number}", step.unwrap_or_default())).expect("a name");
    let mut envelope = Envelope::new(domain(), source, id);
    envelope.rollout = Some(rollout);
    envelope.instance =
        service.as_ref().map(|service| Instance::new(format!("{service}-0")).expect("a name"));
    if service.is_some() {
        (envelope.boot, envelope.sequence) = (Some("b".to_owned()), Some(number));
        envelope.version = Version::new("2.0.0").ok();
    }
    envelope.service = service;
    let at = Timestamp(1_700_000_000_000 + offset);
    log.push(Entry::Event(Record { offset, at, event: Event { envelope, body } }));
}
