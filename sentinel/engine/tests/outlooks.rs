//! Every alert says what the sentinel does about it and, where that comes by itself, when.

mod floor;
mod stage;

use std::collections::BTreeSet;

use floor::*;
use pavane_choreography::{
    Approval, Bound, Instances, Maintenance, Method, OnStall, Phase, Plan, Share, Watch, Weekday,
};
use pavane_events::control::DomainConfigured;
use pavane_events::{EventType, PhaseId, StepId, Timestamp, Version};
use pavane_sentinel_engine::diagnosis::ALERTS;
use pavane_sentinel_engine::{Alert, AlertStatus, BlindCause, Effect, Input};
use stage::Stage;

/// The alert, how it comes about, and parts of what it says of what comes.
type Row = (&'static str, fn() -> Stage, &'static [&'static str]);

/// That a moment is named, and how far ahead it lies.
const AT: &str = " UTC (in ";

const TABLE: [Row; 24] = [
    ("RolloutStalled", stalled, &["it waits: users.DeploymentComplete lifts the stall", AT]),
    ("RollbackStalled", not_answered, &["it waits for users.RollbackComplete until", AT]),
    (
        "SequenceViolated",
        too_early,
        &["counts it when db.Ready has come; at", AT, "step schema stands still"],
    ),
    ("HookUncertain", uncertain_hook, &["tells a stall at", AT]),
    ("RollbackWithheld", withheld, &["it has paused the rollout", "a person decides; at", AT]),
    ("RolloutPartial", partial, &["nothing more: the rollout ended at 00:0", " UTC; a person decides"]),
    ("RollbackFrozen", frozen, &["nothing more: the rollout ended at 00:0", " UTC; a person decides"]),
    ("LateEvent", late_on_the_way_back, &["it goes on with the way back, and tells a stall of users at", AT]),
    (
        "LateEvent",
        late_after_the_end,
        &["nothing more: the rollout ended at 00:0", " (1m 0s ago); a person decides"],
    ),
    ("StepOrphaned", forgotten_step, &["it waits, as it has since", " ago), and does nothing by itself"]),
    ("RolloutPaused", paused, &["nothing until it is resumed", "; at", AT]),
    ("DomainHeld", held_domain, &["nothing until it is released", "; at", AT]),
    (
        "RolloutOrphaned",
        forgotten_rollout,
        &["it waits, as it has since", " ago), and does nothing by itself"],
    ),
    ("RolloutRefused", refused, &["it does not start r2 by itself", "when r1 ends: a person decides"]),
    ("ApprovalAwaited", awaits_approval, &["it begins phase second as soon as it is approved; at", AT]),
    ("GateRejected", rejected_gate, &["it begins phase second as soon as it is approved; at", AT]),
    (
        "MaintenanceOver",
        maintenance_over,
        &["does not begin phase second any more: the window closed at 02:00:00 UTC"],
    ),
    ("CohortUnknown", unheard, &["begins phase canary as soon as all of them are heard"]),
    ("MetricMissing", without_a_value, &["it asks every 10s, and goes on or back by itself"]),
    ("VersionDrift", drifts, &["nothing by itself: a person decides", "when 2.0.0 runs there"]),
    (
        "VersionSkew",
        skewed,
        &["takes nothing back: a person decides", "versions of users and db have not been heard"],
    ),
    (
        "StartMissed",
        missed_start,
        &["starts nothing by itself: a person decides", "over when users-v2 starts"],
    ),
    ("Blind", blind, &["tries again every ten seconds at least, and judges what came meanwhile"]),
    ("Blind", blind_for_good, &["reads nothing more of the domain until it is started again"]),
];

fn stalled() -> Stage {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.wait(40_000, &["users-0"]);
    stage
}

/// Everybody has moved, and a person takes it back.
fn going_back(plan: &Plan) -> Stage {
    let mut stage = Stage::new(plan);
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", complete());
    stage.says("chat-0", started("1.0.0"));
    stage.person(go_back());
    stage
}

/// `users`, then `chat`.
fn two() -> Plan {
    plan_of(&[
        step("users", "users", EventType::DeploymentComplete, &[]),
        step("chat", "chat", EventType::DeploymentComplete, &["users"]),
    ])
}

fn not_answered() -> Stage {
    let mut stage = going_back(&two());
    stage.says("chat-0", back(1));
    stage.wait(700_000, &["users-0"]);
    stage
}

fn too_early() -> Stage {
    let mut stage = Stage::new(&plan());
    stage.says("users-0", complete());
    stage.wait(2_000, &[]);
    stage
}

fn uncertain_hook() -> Stage {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", uncertain());
    stage
}

fn withheld() -> Stage {
    let mut plan = plan();
    plan.steps[1].on_stall = OnStall::Rollback;
    let mut stage = Stage::new(&plan);
    stage.person(DomainConfigured { rollback_budget: 0, ..DomainConfigured::default() }.into());
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.wait(40_000, &["users-0"]);
    stage
}

fn partial() -> Stage {
    let mut stage = going_back(&two());
    stage.says("chat-0", back_failed(1));
    stage.says("users-0", back(1));
    stage
}

fn frozen() -> Stage {
    let mut plan = two();
    plan.steps[0].reversible = false;
    let mut stage = going_back(&plan);
    stage.says("chat-0", back(1));
    stage
}

fn late_on_the_way_back() -> Stage {
    let mut plan = two();
    plan.steps[0].on_stall = OnStall::Rollback;
    let mut stage = Stage::new(&plan);
    stage.says("users-0", started("1.0.0"));
    stage.wait(13_000, &["users-0"]);
    stage.says("users-0", complete());
    stage
}

fn late_after_the_end() -> Stage {
    let mut stage = Stage::new(&two());
    stage.says("users-0", started("1.0.0"));
    stage.person(abort());
    stage.log.time += 60_000;
    stage.says("users-0", complete());
    stage
}

/// Whoever looks after nothing for ten minutes has forgotten it.
fn impatient(plan: &Plan) -> Stage {
    let mut stage = Stage::new(plan);
    stage.person(DomainConfigured { orphan_after_ms: 600_000, ..DomainConfigured::default() }.into());
    stage
}

fn forgotten_step() -> Stage {
    let mut stage = impatient(&two());
    stage.wait(640_000, &["users-0"]);
    stage
}

fn paused() -> Stage {
    let mut stage = Stage::new(&two());
    stage.person(pause());
    stage
}

fn held_domain() -> Stage {
    let mut stage = Stage::new(&two());
    stage.person(held());
    stage
}

fn forgotten_rollout() -> Stage {
    let mut stage = impatient(&two());
    stage.person(pause());
    stage.wait(610_000, &[]);
    stage
}

fn refused() -> Stage {
    let mut stage = Stage::new(&two());
    stage.log.start("r2", &two());
    stage.settle();
    stage
}

/// `users`, then `chat`, each in a phase of its own.
fn hybrid() -> Plan {
    let mut plan = two();
    plan.steps[1].after.clear();
    plan.method = Method::Hybrid;
    plan.phases = vec![phase("first", "users"), phase("second", "chat")];
    plan
}

fn phase(id: &str, step: &str) -> Phase {
    let (id, step) = (PhaseId::new(id).expect("a name"), StepId::new(step).expect("a name"));
    Phase { id, steps: vec![step], approval: None, cohort: None, soak: 0, watch: None }
}

fn approved() -> Plan {
    let mut plan = hybrid();
    plan.phases[1].approval = Some(Approval { by: "sre".to_owned() });
    plan
}

fn awaits_approval() -> Stage {
    let mut stage = Stage::new(&approved());
    stage.says("users-0", complete());
    stage
}

fn rejected_gate() -> Stage {
    let mut stage = awaits_approval();
    stage.person(reject(&approved(), "second", 1));
    stage
}

fn maintenance_over() -> Stage {
    let mut plan = approved();
    plan.maintenance = Some(Maintenance { days: vec![Weekday::Thu], from: 0, length: 7_200_000 });
    let mut stage = Stage::new(&plan);
    stage.says("users-0", complete());
    stage.wait(7_300_000, &[]);
    stage
}

fn unheard() -> Stage {
    let mut plan = plan_of(&[
        step("few", "users", EventType::DeploymentComplete, &[]),
        step("all", "users", EventType::DeploymentComplete, &["few"]),
    ]);
    plan.method = Method::Hybrid;
    let share = Share::new(5).expect("a share");
    plan.steps[0].instances = Instances::Share(share);
    plan.steps[1].instances = Instances::Share(Share::ALL);
    plan.phases = vec![phase("canary", "few"), phase("rest", "all")];
    plan.phases[0].cohort = Some(share);
    let mut stage = Stage::new(&plan);
    stage.wait(12_000, &[]);
    stage
}

fn without_a_value() -> Stage {
    let mut plan = hybrid();
    let bound = Bound::AtMost("0.01".parse().expect("a number"));
    let (query, on_breach) = ("errors".to_owned(), OnStall::Alert);
    plan.phases[0].watch = Some(Watch { query, bound, hold: 60_000, every: 10_000, on_breach });
    let mut stage = Stage::new(&plan);
    stage.says("users-0", complete());
    stage.wait(120_000, &[]);
    stage
}

fn drifts() -> Stage {
    let mut stage = Stage::new(&plan_of(&[step("users", "users", EventType::DeploymentComplete, &[])]));
    stage.says("users-0", complete());
    for _ in 0..120 {
        let mut heartbeat = heartbeat("users-1", "idle");
        heartbeat.version = Version::new("1.9.0").ok();
        stage.feed(Input::Heartbeat { heartbeat, offset: 0, at: Timestamp(stage.log.time) });
        stage.wait(1_000, &[]);
    }
    stage
}

fn skewed() -> Stage {
    let mut plan = plan_of(&[step("users", "users", EventType::DeploymentComplete, &[])]);
    plan.steps[0].version = ">=2".parse().ok();
    let db = pavane_events::Service::new("db").expect("a name");
    plan.steps[0].runs_with = [(db, ">=5".parse().expect("a range"))].into();
    let mut stage = Stage::new(&plan);
    stage.says("users-0", complete());
    for _ in 0..120 {
        for (instance, version) in [("users-0", "2.0.0"), ("db-0", "4.0.0")] {
            let mut heartbeat = heartbeat(instance, "idle");
            heartbeat.version = Version::new(version).ok();
            stage.feed(Input::Heartbeat { heartbeat, offset: 0, at: Timestamp(stage.log.time) });
        }
        stage.wait(1_000, &[]);
    }
    stage
}

fn missed_start() -> Stage {
    let mut plan = plan_of(&[step("users", "users", EventType::DeploymentComplete, &[])]);
    plan.every = Some(60_000);
    let mut stage = Stage::new(&plan);
    stage.says("users-0", complete());
    stage.wait(120_000, &[]);
    stage
}

fn blind() -> Stage {
    blinded(BlindCause::Broker)
}

fn blind_for_good() -> Stage {
    blinded(BlindCause::LogReplaced)
}

/// Something takes the sight away, and a minute goes by.
fn blinded(cause: BlindCause) -> Stage {
    let mut stage = Stage::new(&two());
    let mut effects = stage.engine.handle(stage.log.time, Input::Lost(cause));
    effects.extend(stage.engine.handle(stage.log.time + 60_000, Input::Tick));
    let told = |effect| if let Effect::Blind { alert, .. } = effect { Some(*alert) } else { None };
    let told = effects.into_iter().filter_map(told);
    stage.alerts.extend(told);
    stage
}

fn firing(stage: &Stage) -> impl Iterator<Item = &Alert> {
    stage.alerts.iter().filter(|alert| alert.status == AlertStatus::Firing)
}

#[test]
fn every_alert_says_what_the_sentinel_does_and_when_where_it_comes_by_itself() {
    let mut wrong = Vec::new();
    for (name, happens, says) in TABLE {
        let stage = happens();
        let Some(alert) = firing(&stage).filter(|alert| alert.labels["alertname"] == name).last() else {
            wrong.push(format!("no {name}: {:?}", stage.burning()));
            continue;
        };
        let outlook = &alert.annotations["outlook"];
        let lacks = says.iter().filter(|part| !outlook.contains(**part));
        wrong.extend(lacks.map(|part| format!("{name} does not say {part:?}: {outlook}")));
        for alert in firing(&stage) {
            let lacks = ["summary", "description", "next_step", "outlook", "page"];
            let lacks =
                lacks.into_iter().find(|field| alert.annotations.get(*field).is_none_or(String::is_empty));
            assert_eq!(lacks, None, "{alert:#?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_alert_is_left_out_of_the_table() {
    // these two are told by the program around the engine, and tested there
    let outside = BTreeSet::from(["Watchdog", "DeadManUnreached"]);
    let played: BTreeSet<&str> = TABLE.iter().map(|(name, ..)| *name).collect();
    let all: BTreeSet<&str> = ALERTS.into_iter().collect();
    assert_eq!(played.union(&outside).copied().collect::<BTreeSet<_>>(), all);
}

#[test]
fn whatever_makes_a_sentinel_blind_it_says_what_it_does_about_it() {
    for cause in BlindCause::ALL {
        let stage = blinded(cause);
        let outlook = &stage.alert("Blind").annotations["outlook"];
        // what reading on cannot heal is not tried again
        assert_eq!(outlook.contains("again every ten seconds"), !cause.lasts(), "{cause:?}: {outlook}");
    }
}
