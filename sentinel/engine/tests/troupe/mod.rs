//! A troupe that does anything at any time: random histories of several rollouts, with a seed.
#![allow(dead_code, reason = "each test binary uses its part")]

use pavane_choreography::{
    Approval, Bound, Concurrency, Instances, Maintenance, Method, OnStall, Phase, Plan, Share, Watch, Weekday,
};
use pavane_events::command::{GateApproved, GateRejected};
use pavane_events::control::DomainConfigured;
use pavane_events::{
    Body, Entry, EventId, EventType, PhaseId, Service, StepId, Timestamp, Unreadable, UnreadableReason,
    Version,
};
use pavane_sentinel_engine::{Input, PhaseStatus, Status};

use crate::floor::*;
use crate::stage::Stage;

/// Chance that repeats itself.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    pub(crate) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// The log of a random history, in which a sentinel takes part.
pub(crate) fn history(seed: u64, acts: usize) -> Vec<Entry> {
    play(Stage::empty(), seed, acts).log.entries
}

/// A stage after a random history.
pub(crate) fn play(mut stage: Stage, seed: u64, acts: usize) -> Stage {
    let mut dice = Dice::new(seed);
    // a Thursday, shortly after 1 o'clock: inside the maintenance windows
    stage.log.time = 3_660_000;
    let plans = plans();
    for act in 0..acts {
        let start = act < 3 || dice.below(12) == 0;
        if !seed.is_multiple_of(3) && act >= 3 && dice.below(3) > 0 {
            goes_on(&mut stage, &mut dice);
        } else if start {
            let (id, plan) = (format!("r{}", dice.below(6)), dice.one_of(&plans).clone());
            stage.log.older = act % 2 == 1;
            stage.log.start(&id, &plan);
        } else {
            something_happens(&mut stage, &mut dice, &plans);
        }
        // what stands between accepted and said is as likely as anything else
        for _ in 0..dice.below(4) {
            stage.feed_next();
        }
        if dice.below(3) == 0 {
            stage.settle();
        }
    }
    stage.settle();
    stage
}

/// Someone does what is awaited of a rollout.
fn goes_on(stage: &mut Stage, dice: &mut Dice) {
    let view = stage.engine.view();
    if view.rollouts.is_empty() {
        return;
    }
    let rollout = dice.one_of(&view.rollouts);
    let id = rollout.id.to_string();
    let gate = rollout.phases.iter().find(|phase| phase.state == PhaseStatus::AwaitingApproval);
    if let Some(phase) = gate.filter(|_| rollout.status == Status::Open) {
        let (gate, plan_digest, attempt) = (phase.id.clone(), rollout.plan_digest.clone(), phase.attempt);
        let (by, reason) = ("ann".to_owned(), String::new());
        let body: Body = if dice.below(3) == 0 {
            GateRejected { gate, plan_digest, attempt, by, reason }.into()
        } else {
            GateApproved { gate, plan_digest, attempt, by, reason }.into()
        };
        stage.log.person(&id, body);
        return;
    }
    let step = dice.one_of(&rollout.steps);
    let instance = format!("{}-{}", step.service, dice.below(2));
    let body = match rollout.status {
        Status::Open if step.expects.ends_with("Ready") => ready(),
        Status::Open if dice.below(3) == 0 => started("1.0.0"),
        Status::Open => complete(),
        Status::RollingBack => {
            let moved = step.instances.iter().map(|word| word.instance.clone()).next().unwrap_or(instance);
            let answer = if dice.below(5) == 0 { back_failed(rollout.epoch) } else { back(rollout.epoch) };
            stage.log.says(&id, &moved, "1.0.0", answer);
            return;
        }
        Status::Completed => {
            stage.log.person(&id, go_back());
            return;
        }
        Status::Queued | Status::RolledBack | Status::Partial | Status::Aborted => {
            stage.wait(3_000, &INSTANCES);
            return;
        }
    };
    stage.log.says(&id, &instance, "2.0.0", body);
}

fn something_happens(stage: &mut Stage, dice: &mut Dice, plans: &[Plan]) {
    let id = format!("r{}", dice.below(7));
    let plan = dice.one_of(plans);
    let instance = (*dice.one_of(&INSTANCES)).to_owned();
    match dice.below(24) {
        0..=9 => {
            let body = word_of(dice);
            let version = *dice.one_of(&["2.0.0", "1.0.0"]);
            stage.log.says(&id, &instance, version, body);
        }
        10 => {
            let number = i64::try_from(1 + dice.below(9)).expect("small");
            let boot = *dice.one_of(&["b", "b", "c"]);
            stage.of_boot(&instance, boot, number, complete());
        }
        11..=14 => {
            let alive: &[&str] = if dice.below(3) == 0 { &[] } else { &INSTANCES };
            let ms = *dice.one_of(&[300, 1_000, 4_000, 12_000, 70_000]);
            stage.metrics.insert("errors".to_owned(), *dice.one_of(&[0.001, 0.001, 0.5]));
            stage.wait(ms, alive);
            if dice.below(8) == 0 {
                drifts(stage);
            }
        }
        15 => {
            stage.log.person(&id, of_the_domain(dice));
        }
        16 | 17 => {
            let (gate, attempt) = (*dice.one_of(&["first", "second"]), 1 + dice.below(2));
            let attempt = i64::try_from(attempt).expect("small");
            let of = plans.iter().find(|plan| plan.phases.len() == 2).expect("there is one");
            let yes = dice.below(3) > 0;
            let body = if yes { approve(of, gate, attempt) } else { reject(of, gate, attempt) };
            stage.log.person(&id, body);
        }
        18 | 19 => {
            let step = plan.steps[dice.below(plan.steps.len())].id.to_string();
            let bodies = [pause(), resume(), resume(), go_back(), overrides(&step), abort()];
            stage.log.person(&id, dice.one_of(&bodies).clone());
        }
        20 => {
            let by = *dice.one_of(&[-60_000, 900_000]);
            stage.log.time += by;
        }
        21 => unreadable(stage, dice, &id),
        22 => again(stage, dice),
        _ => {
            let epoch = i64::try_from(1 + dice.below(2)).expect("small");
            let bodies = [back(epoch), back(epoch), back_failed(epoch)];
            stage.log.says(&id, &instance, "1.0.0", dice.one_of(&bodies).clone());
        }
    }
}

/// What a person says of the whole domain.
fn of_the_domain(dice: &mut Dice) -> Body {
    match dice.below(3) {
        0 => held(),
        1 => released(),
        _ => {
            let rollback_budget = i64::try_from(dice.below(4)).expect("small");
            let (drift_after_ms, orphan_after_ms) = (2_000, 20_000);
            let more = DomainConfigured { drift_after_ms, orphan_after_ms, ..Default::default() };
            DomainConfigured { grace_ms: 400, rollback_budget, ..more }.into()
        }
    }
}

/// Instances run other versions than they should for a while.
fn drifts(stage: &mut Stage) {
    for _ in 0..50 {
        for (instance, version) in [("users-0", "0.1.0"), ("users-1", "2.0.0"), ("db-0", "0.1.0")] {
            let mut heartbeat = heartbeat(instance, "idle");
            heartbeat.version = Version::new(version).ok();
            stage.feed(Input::Heartbeat { heartbeat, offset: 0, at: Timestamp(stage.log.time) });
        }
        stage.wait(2_000, &[]);
    }
}

const INSTANCES: [&str; 5] = ["db-0", "users-0", "users-1", "chat-0", "mail-0"];

fn word_of(dice: &mut Dice) -> Body {
    let bodies = [
        ready(),
        ready(),
        complete(),
        complete(),
        complete(),
        started("1.0.0"),
        started("1.0.0"),
        failed_with(1),
        drained(),
        uncertain(),
        rejected("users", "DeploymentComplete", 3),
    ];
    dice.one_of(&bodies).clone()
}

/// A record that nobody can read, and that may be the awaited event.
fn unreadable(stage: &mut Stage, dice: &mut Dice, rollout: &str) {
    let service = *dice.one_of(&["db", "users", "chat"]);
    let offset = i64::try_from(stage.log.entries.len()).expect("a short log");
    let event = *dice.one_of(&[EventType::Ready, EventType::DeploymentComplete]);
    stage.log.entries.push(Entry::Unreadable(Unreadable {
        offset,
        at: Timestamp(stage.log.time),
        event_type: Some(event.full_name()),
        id: EventId::new("u").ok(),
        service: Service::new(service).ok(),
        rollout: Some(rollout_id(rollout)),
        schema_id: Some(9),
        reason: UnreadableReason::BadDatum,
        field: "/detail".to_owned(),
        detail: "trailing bytes".to_owned(),
    }));
}

/// A record that stands on the log already comes once more.
fn again(stage: &mut Stage, dice: &mut Dice) {
    let old = stage.log.entries[dice.below(stage.log.entries.len())].clone();
    if let Entry::Event(record) = old {
        stage.log.append(record.event);
    }
}

/// Plans that between them have everything a plan can have.
pub(crate) fn plans() -> Vec<Plan> {
    let mut back = plan();
    for step in &mut back.steps {
        step.on_stall = OnStall::Rollback;
        step.started_within = Some(5_000);
        step.healthy_for = 500;
    }
    back.steps[0].reversible = false;
    back.steps[1].version = "=2.0.0".parse().ok();
    back.steps[1].runbook = Some("https://runbooks.example/users".to_owned());
    back.steps[1].runs_with =
        [(Service::new("db").expect("a name"), "<0.1".parse().expect("a range"))].into();
    let mut pausing = plan();
    pausing.steps[1].on_stall = OnStall::Pause;
    pausing.steps[1].instances = Instances::Count(2);
    let mut queued = plan();
    queued.concurrency = Concurrency::Queue;
    queued.every = Some(60_000);
    queued.runbook = Some("https://runbooks.example/users".to_owned());
    queued.steps[2].instances = Instances::Share(Share::new(50).expect("a share"));
    let mut alone =
        plan_of(&[step("mail", "mail", EventType::Ready, &[]), step("own", "own", EventType::Ready, &[])]);
    alone.steps[1].per_rollout = true;
    alone.steps[0].compensate.within = 2_000;
    alone.maintenance = Some(Maintenance { days: vec![Weekday::Thu], from: 60, length: 86_000_000 });
    vec![back.clone(), back, pausing, queued, alone, hybrid(), hybrid()]
}

/// Two phases: the first is watched, the second is a share of the instances and asks for approval.
fn hybrid() -> Plan {
    let mut plan = plan_of(&[
        step("users", "users", EventType::DeploymentComplete, &[]),
        step("chat", "chat", EventType::DeploymentComplete, &[]),
    ]);
    plan.method = Method::Hybrid;
    let share = Share::new(50).expect("a share");
    plan.steps[1].instances = Instances::Share(share);
    plan.phases =
        ["first", "second"].map(|id| phase(id, if id == "first" { "users" } else { "chat" })).into();
    let bound = Bound::AtMost("0.01".parse().expect("a number"));
    let (query, on_breach) = ("errors".to_owned(), OnStall::Rollback);
    plan.phases[0].watch = Some(Watch { query, bound, hold: 2_000, every: 1_000, on_breach });
    plan.phases[1].approval = Some(Approval { by: "sre".to_owned() });
    plan.phases[1].cohort = Some(share);
    plan
}

fn phase(id: &str, step: &str) -> Phase {
    let (id, step) = (PhaseId::new(id).expect("a name"), StepId::new(step).expect("a name"));
    Phase { id, steps: vec![step], approval: None, cohort: None, soak: 0, watch: None }
}
