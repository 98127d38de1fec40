//! The table of faults: everything that can break at a step, each as the cues that break it.

use pavane_choreography::{Expect, Plan, Step};
use pavane_events::{EventType, Millis};

use crate::piece::Piece;
use crate::scenario::{Cue, Fault, How, Moment, Named, Order, What, When, Whom, first_rollout};

/// How long a sidecar or a sentinel that crashed is away, in milliseconds.
const CRASH: Millis = 5_000;
/// How long the registry and the broker are away, in milliseconds.
const REGISTRY_AWAY: Millis = 120_000;
const BROKER_AWAY: Millis = 30_000;
/// A moment in the middle of a hook, in milliseconds after it was announced.
const MIDDLE: Millis = 200;

/// One fault at one step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deed {
    /// Which kind of fault it is.
    pub(super) kind: &'static str,
    /// The step that it concerns.
    pub(super) step: String,
    /// Whether it may be taken for something else, and so may never take a rollout back by itself.
    pub(super) is_weak: bool,
    pub(super) cues: Vec<Cue>,
}

type Make = fn(&Plan, &Step) -> Option<Vec<Cue>>;

/// The kinds of which nobody may be asked back without a person: what is silent may well have moved, and what cannot
/// be read may well be there.
const WEAK: [&str; 6] = [
    "its host dies before",
    "its host dies in its hook",
    "its event is lost",
    "its event is late",
    "its event is in an unknown schema",
    "its announcement is lost",
];

/// Every kind of fault.
pub(super) const KINDS: [(&str, Make); 19] = [
    ("it does not start", |_, step| fails(step, How::Start)),
    ("its hook fails", |_, step| fails(step, How::Hook)),
    ("it is never well", |_, step| fails(step, How::Ready)),
    ("its hook hangs", |_, step| fails(step, How::Hang)),
    ("its sidecar crashes before its hook", |plan, step| one(opens(plan, step), 0, crash(step))),
    ("its sidecar crashes in its hook", |_, step| one(started(step), MIDDLE, crash(step))),
    ("its sidecar crashes after its hook", |_, step| one(said(step), 0, crash(step))),
    ("its host dies before", |_, step| fails(step, How::Die)),
    ("its host dies in its hook", |_, step| one(started(step), MIDDLE, fail(step, How::Die))),
    ("its host dies after its hook", |_, step| one(said(step), MIDDLE, fail(step, How::Die))),
    ("its event is lost", |_, step| at_once(Fault::Lose(step.expect.clone()))),
    ("its event is late", |_, step| at_once(Fault::Delay(step.expect.clone(), step.within + 30_000))),
    ("its event comes twice", |_, step| at_once(Fault::Duplicate(step.expect.clone()))),
    ("its event is in an unknown schema", |_, step| at_once(Fault::Schema(step.expect.clone()))),
    ("its announcement is lost", |_, step| at_once(Fault::Lose(begin(step)))),
    ("its way back fails", way_back),
    ("the sentinel crashes", |_, step| one(started(step), MIDDLE, Fault::Sentinel(1, CRASH))),
    ("the registry is away", |_, step| one(started(step), MIDDLE, Fault::Registry(REGISTRY_AWAY))),
    ("the broker is away", |_, step| one(started(step), MIDDLE, Fault::Broker(BROKER_AWAY))),
];

/// Every fault at every step of a plan.
pub(super) fn deeds(piece: &Piece) -> Vec<Deed> {
    let plan = piece.plan();
    let mut deeds = Vec::new();
    for step in &plan.steps {
        for (kind, make) in KINDS {
            let step_id = step.id.to_string();
            let is_weak = WEAK.contains(&kind);
            deeds.extend(make(plan, step).map(|cues| Deed { kind, step: step_id, is_weak, cues }));
        }
    }
    deeds
}

/// Somebody approves whatever waits for it: a plan with gates is played to its end too.
pub(super) fn approvals(piece: &Piece) -> Vec<Cue> {
    let gates = piece.plan().phases.iter().filter(|phase| phase.approval.is_some());
    let approve =
        |order| What::Order { order, rollout: first_rollout(), by: "ann".to_owned(), reason: String::new() };
    gates
        .map(|phase| Cue {
            when: When::After(Moment::Awaits(Some(phase.id.clone())), 10_000),
            what: approve(Order::Approve(phase.id.clone())),
        })
        .collect()
}

fn fails(step: &Step, how: How) -> Option<Vec<Cue>> {
    at_once(fail(step, how))
}

fn fail(step: &Step, how: How) -> Fault {
    Fault::Fail { whom: whom(step, None), how, lasting: None }
}

fn crash(step: &Step) -> Fault {
    Fault::Fail { whom: whom(step, Some(0)), how: How::Crash, lasting: Some(CRASH) }
}

fn whom(step: &Step, instance: Option<u32>) -> Whom {
    Whom { service: step.expect.service.clone(), instance }
}

#[expect(clippy::unnecessary_wraps, reason = "every entry of the table has one form")]
fn at_once(fault: Fault) -> Option<Vec<Cue>> {
    Some(vec![Cue { when: When::At(0), what: What::Fault(fault) }])
}

#[expect(clippy::unnecessary_wraps, reason = "every entry of the table has one form")]
fn one(moment: Moment, later: Millis, fault: Fault) -> Option<Vec<Cue>> {
    Some(vec![Cue { when: When::After(moment, later), what: What::Fault(fault) }])
}

/// The moment from which a step may begin, as well as a record tells it.
fn opens(plan: &Plan, step: &Step) -> Moment {
    let before = step.prerequisites().next().and_then(|id| plan.step(id));
    let start = Named::Any(EventType::RolloutStarted);
    Moment::Said(before.map_or(start, |before| Named::Of(before.expect.clone())))
}

fn started(step: &Step) -> Moment {
    Moment::Said(Named::Of(begin(step)))
}

fn begin(step: &Step) -> Expect {
    Expect { service: step.expect.service.clone(), event: EventType::DeploymentStarted }
}

fn said(step: &Step) -> Moment {
    Moment::Said(Named::Of(step.expect.clone()))
}

/// A way back that fails shows only when somebody is asked back: a person asks a minute after the end.
fn way_back(_: &Plan, step: &Step) -> Option<Vec<Cue>> {
    if !step.reversible {
        return None;
    }
    let (order, rollout) = (Order::Rollback, first_rollout());
    let (by, reason) = ("ann".to_owned(), "a rehearsal".to_owned());
    let ask = What::Order { order, rollout, by, reason };
    let completed = Moment::Ended(pavane_sentinel_engine::Status::Completed);
    let mut cues = fails(step, How::Revert)?;
    cues.push(Cue { when: When::After(completed, 60_000), what: ask });
    Some(cues)
}
