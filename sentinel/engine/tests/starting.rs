//! When a rollout starts: at once, behind another, by its trigger, or not at this hour; and how much of a service counts.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::{Concurrency, Expect, Instances, Maintenance, Plan, Share, Trigger, Weekday};
use pavane_events::{Body, EventType, RolloutId, Service, Zone};
use pavane_sentinel_engine::{Counter, Input, RolloutView, Status, StepStatus};
use stage::Stage;

#[test]
fn a_queued_rollout_begins_where_the_one_before_ends() {
    let mut stage = Stage::new(&plan());
    start(&mut stage, "r2", &queueing(plan()));
    start(&mut stage, "r3", &queueing(plan()));
    start(&mut stage, "r4", &plan());
    assert_eq!(stage.refusals(), ["conflict"], "who does not queue is refused");
    assert_eq!(view(&stage, "r2").behind, Some(rollout_id("r1")));
    assert_eq!(view(&stage, "r3").behind, Some(rollout_id("r1")));
    stage.wait(600_000, &[]);
    assert_eq!(view(&stage, "r2").status, Status::Queued, "its windows have not begun");
    assert!(view(&stage, "r2").verdicts.is_empty());
    stage.person(abort());
    assert_eq!((view(&stage, "r2").status, view(&stage, "r3").status), (Status::Open, Status::Queued));
    assert_eq!(view(&stage, "r3").behind, Some(rollout_id("r2")));
    assert!(view(&stage, "r2").steps[0].deadline > view(&stage, "r1").ended_at);
}

#[test]
fn a_queued_rollout_claims_its_services_and_can_be_aborted() {
    let db = step("db", "db", EventType::Ready, &[]);
    let users = step("users", "users", EventType::DeploymentComplete, &[]);
    let mut stage = Stage::new(&plan_of(std::slice::from_ref(&db)));
    start(&mut stage, "r2", &queueing(plan_of(&[db.clone(), users.clone()])));
    start(&mut stage, "r3", &queueing(plan_of(std::slice::from_ref(&users))));
    assert_eq!(view(&stage, "r3").behind, Some(rollout_id("r2")), "users is free and claimed");
    stage.log.person("r2", pause());
    stage.settle();
    assert_eq!(stage.refusals(), ["queued"]);
    stage.log.person("r2", abort());
    stage.settle();
    assert_eq!((view(&stage, "r2").status, view(&stage, "r3").status), (Status::Aborted, Status::Open));
}

#[test]
fn a_changed_plan_under_the_same_rollout_is_refused() {
    let mut stage = Stage::new(&plan());
    let mut changed = plan();
    changed.steps[0].within = 99_000;
    start(&mut stage, "r1", &changed);
    let Some(Body::CommandRefused(said)) = stage.said(EventType::CommandRefused).pop() else {
        panic!("a refusal")
    };
    assert_eq!(
        (said.code.as_str(), said.reason.contains("a changed plan needs another id")),
        ("conflict", true)
    );
    assert_eq!(view(&stage, "r1").steps[0].deadline.map(|at| at.0), Some(10_000));
}

#[test]
fn a_rollout_starts_within_its_maintenance_window_and_ends_with_it() {
    let mut plan = plan();
    plan.maintenance = Some(Maintenance { days: vec![Weekday::Thu], from: 60, length: 120_000 });
    let mut stage = Stage::empty();
    start(&mut stage, "r1", &plan);
    assert_eq!(stage.refusals(), ["outside_maintenance"]);
    stage.log.time = 3_600_000 + 115_000;
    start(&mut stage, "r2", &plan);
    assert_eq!(view(&stage, "r2").steps[0].deadline.map(|at| at.0), Some(3_600_000 + 120_000));
}

#[test]
fn an_event_starts_the_plan_that_it_triggers_under_its_own_correlation_id() {
    let mut stage = Stage::empty();
    let mut triggered = plan();
    let on = Expect { service: Service::new("db").expect("a name"), event: EventType::Ready };
    triggered.trigger = Some(Trigger { on, version: ">=2".parse().ok() });
    stage.log.says("too-old", "db-0", "1.9.0", ready());
    stage.log.says("dance", "db-0", "2.0.0", ready());
    stage.settle();
    stage.wait(2_000, &[]);
    assert!(stage.said(EventType::RolloutStarted).is_empty(), "nothing is published");
    publish(&mut stage, Some(&triggered));
    let dance = view(&stage, "dance");
    assert_eq!((dance.status, dance.steps[0].state), (Status::Open, StepStatus::Met), "the event counts");
    stage.log.says("again", "db-0", "2.0.1", ready());
    stage.settle();
    assert_eq!(stage.counted.get(&Counter::TriggerRepeated), Some(&1));
    stage.log.person("dance", abort());
    stage.settle();
    stage.wait(5_000, &[]);
    assert!(stage.engine.rollout(&rollout_id("again")).is_none(), "it came while the plan was danced");
    stage.log.says("third", "db-0", "2.0.2", ready());
    stage.settle();
    assert_eq!(view(&stage, "third").status, Status::Open);
    assert_eq!(stage.said(EventType::RolloutStarted).len(), 2, "each is said once");
    publish(&mut stage, None);
}

#[test]
fn a_share_becomes_a_number_when_its_step_opens() {
    let alive = ["users-0", "users-1", "users-2", "users-3"];
    let mut half = plan();
    half.steps[1].instances = Instances::Share(Share::new(50).expect("a share"));
    let mut stage = Stage::new(&half);
    stage.wait(4_000, &alive);
    assert_eq!(view(&stage, "r1").steps[1].want, None, "its step has not opened");
    stage.says("db-0", ready());
    assert_eq!(view(&stage, "r1").steps[1].want, Some(2));
    stage.wait(4_000, &["users-0", "users-1", "users-2", "users-3", "users-4", "users-5", "users-6"]);
    assert_eq!(view(&stage, "r1").steps[1].want, Some(2), "it is counted once");
    stage.says("users-3", complete());
    stage.says("users-1", complete());
    assert_eq!(stage.step(1), StepStatus::Met);
}

#[test]
fn a_share_of_nobody_is_never_full_and_stalls() {
    let mut half = plan();
    half.steps[0].instances = Instances::Share(Share::ALL);
    let mut stage = Stage::new(&half);
    stage.wait(15_000, &[]);
    assert_eq!(stage.verdicts(), ["RolloutStalled schema unreachable"]);
}

#[test]
fn one_of_several_is_enough_where_the_plan_says_so() {
    let mut any = plan_of(&[
        step("left", "left", EventType::Ready, &[]),
        step("right", "right", EventType::Ready, &[]),
        step("joined", "joined", EventType::DeploymentComplete, &[]),
    ]);
    any.steps[2].after_any = vec![any.steps[0].id.clone(), any.steps[1].id.clone()];
    let mut stage = Stage::new(&any);
    stage.says("joined-0", started("1.0.0"));
    let Some(Body::SequenceViolated(said)) = stage.said(EventType::SequenceViolated).pop() else {
        panic!("a verdict")
    };
    assert_eq!(said.missing, ["left.Ready or right.Ready"]);
    assert_eq!(stage.step(2), StepStatus::Waiting);
    stage.says("right-0", ready());
    assert_eq!(stage.step(2), StepStatus::Running);
    stage.says("joined-0", complete());
    assert_eq!(view(&stage, "r1").status, Status::Open, "the other is a step of its own");
    stage.says("left-0", ready());
    assert_eq!(view(&stage, "r1").status, Status::Completed);
}

#[test]
fn only_the_zone_that_is_asked_for_counts() {
    let zone = |name: &str| Some(Zone::new(name).expect("a name"));
    let mut zoned = plan_of(&[
        step("users-eu", "users", EventType::DeploymentComplete, &[]),
        step("users-us", "users", EventType::DeploymentComplete, &["users-eu"]),
    ]);
    (zoned.steps[0].zone, zoned.steps[1].zone) = (zone("eu"), zone("us"));
    let mut stage = Stage::new(&zoned);
    stage.says("users-9", complete());
    stage.says("users-1@us", complete());
    assert_eq!((stage.step(0), stage.step(1)), (StepStatus::Open, StepStatus::Met), "early, and kept");
    stage.says("users-0@eu", complete());
    assert_eq!(view(&stage, "r1").status, Status::Completed);
}

fn queueing(mut plan: Plan) -> Plan {
    plan.concurrency = Concurrency::Queue;
    plan
}

fn start(stage: &mut Stage, id: &str, plan: &Plan) {
    stage.log.start(id, plan);
    stage.settle();
}

fn publish(stage: &mut Stage, plan: Option<&Plan>) {
    let plan = plan.cloned().map(Box::new);
    stage.feed(Input::Published { name: "users-v2".to_owned(), plan });
    stage.settle();
}

fn view(stage: &Stage, id: &str) -> RolloutView {
    stage.engine.rollout(&RolloutId::new(id).expect("a name")).expect("it is known")
}

#[test]
fn one_plan_serves_many_rollouts_that_have_services_of_their_own() {
    let mut own = step("cell", "cell", EventType::DeploymentComplete, &[]);
    own.per_rollout = true;
    let mut stage = Stage::new(&plan_of(std::slice::from_ref(&own)));
    start(&mut stage, "r2", &plan_of(std::slice::from_ref(&own)));
    assert!(stage.refusals().is_empty(), "neither is in the other's way");
    assert_eq!(view(&stage, "r1").plan_digest, view(&stage, "r2").plan_digest);
    assert_eq!(view(&stage, "r2").steps[0].expects, "cell-r2.DeploymentComplete");
    stage.log.says("r2", "cell-r2-0", "2.0.0", complete());
    stage.settle();
    assert_eq!((view(&stage, "r1").status, view(&stage, "r2").status), (Status::Open, Status::Completed));
    stage.wait(11_000, &[]);
    let alert = stage.alerts.last().expect("r1 stalls");
    assert_eq!((alert.labels["rollout"].as_str(), alert.labels["service"].as_str()), ("r1", "cell-r1"));
}

#[test]
fn a_service_of_ones_own_is_owned_under_its_whole_name() {
    let mut own = step("cell", "cell", EventType::DeploymentComplete, &[]);
    own.per_rollout = true;
    let outright = |service| plan_of(&[step("cell", service, EventType::DeploymentComplete, &[])]);
    let mut stage = Stage::new(&plan_of(std::slice::from_ref(&own)));
    start(&mut stage, "r2", &outright("cell-r1"));
    assert_eq!(stage.refusals(), ["conflict"], "r1 owns it");
    start(&mut stage, "r3", &outright("cell-r4"));
    start(&mut stage, "r4", &plan_of(std::slice::from_ref(&own)));
    assert_eq!(stage.refusals(), ["conflict", "conflict"], "r3 owns what would be r4's");
    stage.person(abort());
    start(&mut stage, "r5", &outright("cell-r1"));
    assert_eq!(stage.refusals().len(), 2, "r1 has ended, its service is free");
    start(&mut stage, &"r".repeat(62), &plan_of(&[own]));
    assert_eq!(stage.refusals().last().map(String::as_str), Some("bad_plan"), "a name of 67 characters");
}
