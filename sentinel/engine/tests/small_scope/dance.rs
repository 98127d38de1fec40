//! What can happen: words of two services, commands of a person, time, and what sentinels believe to be due.

use pavane_choreography::{OnStall, Plan};
use pavane_events::control::Pulse;
use pavane_events::{Body, Entry, Event, EventId, EventType, Record, Timestamp};
use pavane_sentinel_engine::{Draft, Effect, Engine, Input};

use crate::floor::*;
use crate::log::Tree;

/// Something that happens once, or time that goes by.
pub(crate) enum Act {
    Says(&'static str, fn() -> Body),
    Person(fn() -> Body),
    /// The record that came last comes again.
    Again,
    Tick,
}

/// What happens once at most.
pub(crate) const ONCE: [Act; 11] = [
    Act::Says("db-0", ready),
    Act::Says("users-0", || started("1.0.0")),
    Act::Says("users-0", complete),
    Act::Says("users-0", || failed("exit 1")),
    Act::Says("users-0", drained),
    Act::Says("users-0", || back(1)),
    Act::Says("db-0", complete),
    Act::Person(pause),
    Act::Person(resume),
    Act::Person(go_back),
    Act::Again,
];

/// A step of a beginning.
pub(crate) enum Move {
    /// What happens once, by its place.
    Once(usize),
    Tick,
    /// The first sentinel, which has read everything, writes what is due.
    Sentinel,
}

/// From where all that can happen is looked at: the start, a step before the end, a stall, and the way back.
pub(crate) const BEGINNINGS: [&[Move]; 4] = [
    &[],
    &[Move::Once(0), Move::Once(1), Move::Once(2), Move::Once(6)],
    &[Move::Once(0), Move::Once(1), Move::Tick, Move::Sentinel],
    &[Move::Once(0), Move::Once(1), Move::Once(2), Move::Once(9), Move::Once(5)],
];

/// `db.Ready`, `users.DeploymentComplete`, `db.DeploymentComplete`: three steps of two services.
pub(crate) fn plan() -> Plan {
    let mut plan = plan_of(&[
        step("schema", "db", EventType::Ready, &[]),
        step("users", "users", EventType::DeploymentComplete, &["schema"]),
        step("clean", "db", EventType::DeploymentComplete, &["users"]),
    ]);
    for step in &mut plan.steps {
        (step.within, step.compensate.within) = (1_500, 1_500);
    }
    (plan.steps[1].on_stall, plan.steps[2].on_stall) = (OnStall::Rollback, OnStall::Pause);
    plan
}

/// The start of a rollout.
pub(crate) fn started_by_a_person(plan: &Plan) -> Event {
    let mut log = Log::default();
    log.start("r1", plan);
    last(log)
}

impl Act {
    /// What it puts on a log, if it can happen there. Its id is the same wherever it happens.
    pub(crate) fn event(&self, tree: &Tree, log: usize) -> Option<Event> {
        let mut scratch = Log::default();
        let id = match self {
            Self::Says(instance, body) => {
                scratch.says("r1", instance, "2.0.0", body());
                format!("{instance} {:?}", body().event_type())
            }
            Self::Person(body) => {
                scratch.person("r1", body());
                format!("ann {:?}", body().event_type())
            }
            Self::Again => {
                let Entry::Event(record) = tree.entry(log) else { return None };
                return Some(record.event.clone());
            }
            Self::Tick => {
                scratch.draft("s0", draft(None, Pulse::default().into()));
                format!("tick {}", tree.length(log))
            }
        };
        let mut event = last(scratch);
        event.envelope.id = EventId::new(id.replace(' ', "-")).expect("a name");
        Some(event)
    }
}

/// What a sentinel writes that has read this log while that one is the newest: all that it believes to be due.
pub(crate) fn sentinels_do(tree: &Tree, k: usize, read: usize, newest: usize) -> Vec<Event> {
    let (name, ahead) = [("s1", 0), ("s2", 4_000)][k];
    let mut engine = tree.engine(read, name);
    let elapsed = tree.time(newest) - tree.time(read) + ahead;
    let mut drafts = Vec::new();
    let mut hear = |engine: &mut Engine, now: i64, input: Input| {
        let effects = engine.handle(now, input).into_iter();
        drafts.extend(
            effects.filter_map(|effect| if let Effect::Append(draft) = effect { Some(*draft) } else { None }),
        );
    };
    for input in [Input::Speaks(true), Input::CaughtUp] {
        hear(&mut engine, 0, input);
    }
    for instance in ["db-0", "users-0"] {
        let at = Timestamp(tree.time(newest));
        hear(&mut engine, 0, Input::Heartbeat { heartbeat: heartbeat(instance, "hook"), offset: 0, at });
    }
    // it sees: a pulse of its own comes back where it has read to
    let mut scratch = Log::default();
    scratch.draft(name, draft(None, Pulse::default().into()));
    let (offset, at, event) = (tree.length(read), Timestamp(tree.time(read)), last(scratch));
    hear(&mut engine, 0, Input::Read(Entry::Event(Record { offset, at, event })));
    hear(&mut engine, elapsed, Input::Tick);
    let said = drafts.into_iter().filter(|draft| draft.body.event_type() != EventType::Pulse);
    said.enumerate().map(|(n, draft)| written(name, tree.length(newest), n, draft)).collect()
}

/// What a sentinel writes, as it stands on the log.
fn written(name: &str, length: i64, n: usize, draft: Draft) -> Event {
    let id = draft.id.clone();
    let mut scratch = Log::default();
    scratch.draft(name, draft);
    let mut event = last(scratch);
    let own = || EventId::new(format!("{name}-{length}-{n}")).expect("a name");
    event.envelope.id = id.unwrap_or_else(own);
    event
}

fn draft(id: Option<EventId>, body: Body) -> Draft {
    Draft { id, rollout: None, causation: None, service: None, body }
}

fn last(mut log: Log) -> Event {
    let Some(Entry::Event(record)) = log.entries.pop() else { unreachable!("just appended") };
    record.event
}
