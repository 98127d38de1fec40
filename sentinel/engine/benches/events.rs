//! How many events a second the engine judges, and what an open rollout weighs.
//!
//! The job is the one that stream engines are measured by: N rollouts of four steps, each step within 250 s of the
//! one before, 1 % of them stop dead after a step, and each of those must be told exactly once. Every proposal and
//! verdict goes over the log and is read back, as in production. The floor is the least that any engine must do for
//! the same job: a hash table and a queue of deadlines, no rules, no alerts. Both run in this process, one after the
//! other; the ratio is what to quote.
//!
//! `cargo bench -p pavane-sentinel-engine`, or with `-- 200000` for another number of rollouts.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "a bench reads the clock and prints"
)]
#![expect(clippy::disallowed_types, reason = "the floor is a hash table")]

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::time::{Duration, Instant};

use pavane_choreography::{Expect, Plan, Step};
use pavane_events::command::RolloutStarted;
use pavane_events::service::DeploymentComplete;
use pavane_events::{
    Body, Domain, Entry, Envelope, Event, EventId, EventType, Instance, Record, RolloutId, Service, Source,
    StepId, Timestamp, identity,
};
use pavane_sentinel_engine::{AlertStatus, Effect, Engine, Input};

const WINDOW: i64 = 250_000;
const STEPS: usize = 3;

/// What happens: when, to which rollout, which step (0 starts it).
#[derive(Clone, Copy)]
struct Move {
    at: i64,
    rollout: usize,
    step: usize,
}

fn main() {
    let asked = std::env::args().find_map(|arg| arg.parse().ok());
    let sizes: Vec<usize> = asked.map_or_else(|| vec![10_000, 100_000], |n| vec![n]);
    println!(
        "rollouts     events    engine ev/s      floor ev/s   floor/engine   stalls   bytes/open rollout"
    );
    for rollouts in sizes {
        run(rollouts);
    }
}

fn run(rollouts: usize) {
    let (moves, stalls) = moves(rollouts);
    let events: Vec<Record> = moves.iter().zip(0..).map(|(step, offset)| record(step, offset)).collect();
    let before = resident();
    let (engine, told, bytes) = engine(events, before, rollouts);
    let (floor, expired) = floor(&moves);
    assert_eq!((told, expired), (stalls, stalls), "every stall is told, exactly once");
    let events = f64::from(u32::try_from(moves.len()).expect("a bench of a few million"));
    let rate = |time: Duration| events / time.as_secs_f64();
    println!(
        "{rollouts:>8} {:>10} {:>14.0} {:>15.0} {:>14.1} {told:>8} {bytes:>20}",
        moves.len(),
        rate(engine),
        rate(floor),
        engine.as_secs_f64() / floor.as_secs_f64()
    );
}

/// All rollouts are open at once: first every start, then every second step, and so on.
fn moves(rollouts: usize) -> (Vec<Move>, usize) {
    let mut all = Vec::new();
    let mut stalls = 0;
    for step in 0..=STEPS {
        for rollout in 0..rollouts {
            let dead = (rollout % 100 == 0).then_some(rollout / 100 % STEPS);
            if dead.is_none_or(|last| step <= last) {
                let spread = i64::try_from(rollout * 200_000 / rollouts).expect("small");
                let at = i64::try_from(step).expect("small") * 200_000 + spread;
                all.push(Move { at, rollout, step });
            } else if dead.is_some_and(|last| step == last + 1) {
                stalls += 1;
            }
        }
    }
    (all, stalls)
}

/// Feeds the engine and gives it back what it appends. Returns the time, the alerts, and the bytes per open rollout.
fn engine(events: Vec<Record>, before: usize, rollouts: usize) -> (Duration, usize, usize) {
    let domain = Domain::new("bench").expect("a name");
    let mut engine = Engine::new(domain.clone(), "bench".to_owned());
    let mut own = Own {
        source: identity::sentinel_source(&domain),
        domain,
        queue: VecDeque::new(),
        offset: 1 << 40,
        told: 0,
    };
    let (mut weight, mut starts) = (0, 0);
    let last = events.last().map_or(0, |record| record.at.0);
    let begun = Instant::now();
    own.take(0, engine.handle(0, Input::Speaks(true)));
    own.take(0, engine.handle(0, Input::CaughtUp));
    for record in events {
        let at = record.at.0;
        while let Some(due) = engine.next_deadline().filter(|due| *due < at) {
            own.take(due, engine.handle(due, Input::Tick));
            own.read_back(&mut engine);
        }
        starts += usize::from(record.event.body.event_type() == EventType::RolloutStarted);
        own.take(at, engine.handle(at, Input::Read(Entry::Event(record))));
        own.read_back(&mut engine);
        if starts == rollouts && weight == 0 {
            weight = resident().saturating_sub(before) / rollouts;
        }
    }
    while let Some(due) = engine.next_deadline().filter(|due| *due < last + 2 * WINDOW) {
        own.take(due, engine.handle(due, Input::Tick));
        own.read_back(&mut engine);
    }
    (begun.elapsed(), own.told, weight)
}

/// What the engine appends, on its way back to it.
struct Own {
    source: Source,
    domain: Domain,
    queue: VecDeque<Record>,
    offset: i64,
    told: usize,
}

impl Own {
    fn take(&mut self, now: i64, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append(draft) => {
                    self.offset += 1;
                    let id = draft
                        .id
                        .unwrap_or_else(|| EventId::new(format!("o{}", self.offset)).expect("a name"));
                    let mut envelope = Envelope::new(self.domain.clone(), self.source.clone(), id);
                    envelope.rollout = draft.rollout;
                    envelope.replica = Some("bench".to_owned());
                    let event = Event { envelope, body: draft.body };
                    self.queue.push_back(Record { offset: self.offset, at: Timestamp(now), event });
                }
                Effect::Raise(alert) => {
                    let stall = alert.labels["alertname"] == "RolloutStalled";
                    self.told += usize::from(stall && alert.status == AlertStatus::Firing);
                }
                Effect::DeadLetter { .. }
                | Effect::Blind { .. }
                | Effect::Sighted { .. }
                | Effect::Measure { .. }
                | Effect::Ended(_)
                | Effect::Count(_) => {}
            }
        }
    }

    fn read_back(&mut self, engine: &mut Engine) {
        while let Some(record) = self.queue.pop_front() {
            let now = record.at.0;
            let effects = engine.handle(now, Input::Read(Entry::Event(record)));
            self.take(now, effects);
        }
    }
}

/// The least that any engine must do: remember the step, queue the deadline, notice what expired.
fn floor(moves: &[Move]) -> (Duration, usize) {
    let ids: Vec<String> = moves.iter().map(|step| format!("rollout-{}", step.rollout)).collect();
    let mut open: HashMap<String, (usize, i64)> = HashMap::new();
    let mut deadlines: VecDeque<(i64, String)> = VecDeque::new();
    let mut expired = 0;
    let begun = Instant::now();
    let mut expire =
        |now: i64, open: &mut HashMap<String, (usize, i64)>, deadlines: &mut VecDeque<(i64, String)>| {
            while deadlines.front().is_some_and(|(at, _)| *at <= now) {
                let (at, id) = deadlines.pop_front().expect("looked");
                if open.get(&id).is_some_and(|(_, due)| *due == at) {
                    open.remove(&id);
                    expired += 1;
                }
            }
        };
    for (step, id) in moves.iter().zip(ids) {
        expire(step.at, &mut open, &mut deadlines);
        if step.step == STEPS {
            open.remove(&id);
        } else {
            open.insert(id.clone(), (step.step, step.at + WINDOW));
            deadlines.push_back((step.at + WINDOW, id));
        }
    }
    expire(i64::MAX, &mut open, &mut deadlines);
    black_box(&open);
    (begun.elapsed(), expired)
}

fn record(step: &Move, offset: i64) -> Record {
    let domain = Domain::new("bench").expect("a name");
    let service = format!("s{}-{}", step.step, step.rollout);
    let source = Source::new(format!("/pavane/bench/{service}")).expect("a name");
    let mut envelope = Envelope::new(domain, source, EventId::new(format!("e{offset}")).expect("a name"));
    envelope.rollout = Some(RolloutId::new(format!("rollout-{}", step.rollout)).expect("a name"));
    let body: Body = if step.step == 0 {
        start(step.rollout).into()
    } else {
        envelope.service = Some(Service::new(service.clone()).expect("a name"));
        envelope.instance = Some(Instance::new(service).expect("a name"));
        DeploymentComplete::default().into()
    };
    Record { offset, at: Timestamp(step.at), event: Event { envelope, body } }
}

fn start(rollout: usize) -> RolloutStarted {
    let id = |step: usize| StepId::new(format!("step{step}")).expect("a name");
    let step = |step: usize| {
        let service = Service::new(format!("s{step}-{rollout}")).expect("a name");
        let expect = Expect { service, event: EventType::DeploymentComplete };
        let after = if step == 1 { Vec::new() } else { vec![id(step - 1)] };
        Step { after, ..Step::new(id(step), expect, WINDOW, "bench") }
    };
    let steps = (1..=STEPS).map(step).collect();
    let name = "bench".to_owned();
    let plan = Plan::new(&name, "bench", steps);
    let plan_digest = plan.digest();
    let (plan, by, reason) = (plan.to_json(), String::new(), String::new());
    RolloutStarted { choreography: name, plan, plan_digest, rules: 1, by, reason }
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}
