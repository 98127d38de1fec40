//! What can happen: words of two services, commands of a person, time, a leap of the broker's clock, and what sentinels
//! believe to be due.

use std::sync::Arc;

use pavane_choreography::{OnStall, Plan};
use pavane_events::control::{ProposalKind, Proposed, Pulse};
use pavane_events::{Body, Entry, Event, EventId, EventType, Record, Timestamp};
use pavane_sentinel_engine::{Draft, Effect, Engine, Input};

use crate::floor::*;

/// Something that happens once at most.
pub(crate) enum Act {
    Says(&'static str, fn() -> Body),
    Person(fn() -> Body),
    /// The broker's clock is set a minute ahead.
    Leap,
}

/// What happens once at most.
pub(crate) const ONCE: [Act; 12] = [
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
    Act::Person(|| overrides("users")),
    Act::Leap,
];

/// A step of a beginning.
pub(crate) enum Move {
    /// What happens once, by its place.
    Once(usize),
    Tick,
    /// All that is due comes to the log.
    Sentinel,
}

/// From where all that can happen is looked at: the start, a step before the end, a stall, and the way back.
pub(crate) const BEGINNINGS: [&[Move]; 4] = [
    &[],
    &[Move::Once(0), Move::Once(1), Move::Once(2), Move::Once(6)],
    &[Move::Once(0), Move::Once(1), Move::Tick, Move::Sentinel],
    &[Move::Once(0), Move::Once(1), Move::Once(2), Move::Once(9), Move::Once(5)],
];

/// How long goes by with a tick: less than makes a leap.
pub(crate) const TICK: i64 = 1_900;
/// How far the broker's clock leaps.
pub(crate) const LEAP: i64 = 60_000;
/// How far the clocks of the two sentinels are ahead.
const AHEAD: [i64; 2] = [0, 4_000];

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
    /// What it puts on a log, and how much later. Its id is the same wherever it happens.
    pub(crate) fn event(&self) -> (Event, i64) {
        let mut scratch = Log::default();
        let (id, later) = match self {
            Self::Says(instance, body) => {
                scratch.says("r1", instance, "2.0.0", body());
                (format!("{instance} {:?}", body().event_type()), 0)
            }
            Self::Person(body) => {
                scratch.person("r1", body());
                (format!("ann {:?}", body().event_type()), 0)
            }
            Self::Leap => {
                scratch.draft("s0", draft(None, Pulse::default().into()));
                ("leap".to_owned(), LEAP)
            }
        };
        let mut event = last(scratch);
        event.envelope.id = EventId::new(id.replace(' ', "-")).expect("a name");
        (event, later)
    }
}

/// A record that says nothing, at this place: time has gone by.
pub(crate) fn tick(offset: i64) -> Event {
    let mut scratch = Log::default();
    scratch.draft("s0", draft(EventId::new(format!("tick-{offset}")).ok(), Pulse::default().into()));
    last(scratch)
}

/// What the two sentinels believe to be due that have read so far.
pub(crate) fn believed(engine: &Engine, offset: i64, at: Timestamp) -> Vec<Draft> {
    AHEAD.into_iter().flat_map(|ahead| believed_at(engine, offset, at, ahead)).collect()
}

/// What a sentinel believes to be due that has read so far and believes that so much time has gone by since.
pub(crate) fn believed_at(engine: &Engine, offset: i64, at: Timestamp, ahead: i64) -> Vec<Draft> {
    let (mut engine, mut drafts) = (engine.clone(), Vec::new());
    let mut hear = |now: i64, input: Input| {
        for effect in engine.handle(now, input) {
            if let Effect::Append(draft) = effect {
                drafts.push(Arc::unwrap_or_clone(draft));
            }
        }
    };
    for input in [Input::Speaks(true), Input::CaughtUp] {
        hear(0, input);
    }
    for instance in ["db-0", "users-0"] {
        hear(0, Input::Heartbeat { heartbeat: heartbeat(instance, "hook"), offset: 0, at });
    }
    // it sees: a pulse of its own comes back where it has read to
    let mut scratch = Log::default();
    scratch.draft(NAME, draft(EventId::new("own").ok(), Pulse::default().into()));
    hear(0, Input::Read(Entry::Event(Record { offset: offset + 1, at, event: last(scratch) })));
    hear(ahead, Input::Tick);
    drafts.retain(|draft| draft.body.event_type() != EventType::Pulse);
    drafts
}

/// The name of whoever reads.
pub(crate) const NAME: &str = "s1";

/// What can be said of a leap: that time went by, that it was a step, and a part of each.
pub(crate) fn explained(leap: i64) -> impl Iterator<Item = Draft> {
    [0, LEAP - 1_000, LEAP].into_iter().map(move |by_ms| {
        let kind = ProposalKind::ClockStepped;
        draft(None, Proposed { kind, leap: Some(leap), by_ms, ..Proposed::default() }.into())
    })
}

/// What a sentinel writes, as it stands on the log at this place.
pub(crate) fn written(draft: &Draft, offset: i64) -> Event {
    let mut scratch = Log::default();
    let own = || EventId::new(format!("proposed-{offset}")).expect("a name");
    let id = draft.id.clone().unwrap_or_else(own);
    scratch.draft(NAME, Draft { id: Some(id), ..draft.clone() });
    last(scratch)
}

fn draft(id: Option<EventId>, body: Body) -> Draft {
    Draft { id, rollout: None, causation: None, service: None, body }
}

fn last(mut log: Log) -> Event {
    let Some(Entry::Event(record)) = log.entries.pop() else { unreachable!("just appended") };
    record.event
}
