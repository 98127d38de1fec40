//! What differs between the versions of the rules, and what happens where programs of two versions read one log.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::{Expect, OnStall, Plan, Trigger};
use pavane_events::command::RULES;
use pavane_events::{Body, EventType, Service};
use pavane_sentinel_engine::{BlindCause, Effect, Engine, Input, Status};
use stage::Stage;

/// One step, `users`, in version 2.1.0 or newer, that is rolled back where it stalls.
fn short() -> Plan {
    let mut plan = plan_of(&[step("users", "users", EventType::DeploymentComplete, &[])]);
    plan.steps[0].version = Some(">=2.1.0".parse().expect("a range"));
    plan.steps[0].on_stall = OnStall::Rollback;
    plan
}

/// `users-0` begins, and comes with a version that does not count.
fn comes_with_another_version(older: bool) -> Stage {
    let mut stage = Stage::empty();
    stage.log.older = older;
    stage.log.start("r1", &short());
    stage.settle();
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", complete());
    stage
}

#[test]
fn another_version_is_told_at_once_and_by_the_first_rules_when_the_window_ends() {
    let mut stage = comes_with_another_version(false);
    stage.wait(100, &[]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users conflict"]);
    let told = &stage.alert("RolloutStalled").annotations;
    let seen = "users-0 reports 2.0.0, which does not count: >=2.1.0 is asked for";
    assert!(told["evidence"].contains(seen), "{told:?}");
    assert!(!told["description"].contains("after its window began"), "{told:?}");

    let mut stage = comes_with_another_version(true);
    stage.wait(9_000, &["users-0"]);
    assert!(stage.verdicts().is_empty(), "by the first rules its window decides");
    stage.wait(2_000, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users conflict"]);
}

#[test]
fn who_comes_with_another_version_may_still_come_with_the_right_one_and_is_never_asked_back() {
    let mut stage = comes_with_another_version(false);
    stage.wait(3_000, &["users-0"]);
    // it tries again, is alive and not done: no ground for taking anything back while its window runs, nor after
    stage.says("users-0", started("2.0.0"));
    stage.wait(60_000, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users conflict"]);
    assert!(stage.said(EventType::RollbackRequested).is_empty());
    stage.log.says("r1", "users-0", "2.1.0", complete());
    stage.settle();
    assert_eq!(stage.view().status, Status::Completed);
    assert!(stage.burning().is_empty(), "{:?}", stage.burning());
}

#[test]
fn another_version_where_enough_others_have_come_is_no_stall() {
    let mut stage = Stage::new(&short());
    stage.log.says("r1", "users-1", "2.1.0", complete());
    stage.says("users-0", complete());
    stage.wait(5_000, &["users-0", "users-1"]);
    assert_eq!(
        (stage.view().status, stage.verdicts().len()),
        (Status::Completed, 1),
        "{:?}",
        stage.verdicts()
    );
}

#[test]
fn a_program_that_knows_the_first_rules_alone_judges_by_them_alike_and_is_blind_where_newer_ones_begin() {
    let stage = comes_with_another_version(true);
    let mut former = Engine::new(domain(), "former".to_owned()).knowing(1);
    let mut log = stage.log;
    for entry in &log.entries {
        let _ = former.read(log.time, entry);
    }
    assert_eq!((shown(&former), former.blindness()), (shown(&stage.engine), None));

    log.older = false;
    log.start("r2", &other());
    let newer = log.entries.last().expect("just appended");
    let _ = former.read(log.time, newer);
    assert_eq!(former.blindness(), Some(BlindCause::NewerRules));
    assert!(
        former.rollout(&rollout_id("r2")).is_none(),
        "it is not judged by rules that it did not begin under"
    );
    let says = |effects: Vec<Effect>| effects.into_iter().any(|effect| is_said(&effect));
    assert!(!says(former.handle(log.time, Input::Speaks(true))));
    assert!(!says(former.handle(log.time, Input::CaughtUp)));
    for later in [1_000, 20_000, 90_000] {
        assert!(!says(former.handle(log.time + later, Input::Tick)), "who is blind proposes nothing");
    }
}

/// All that is shown of a domain.
fn shown(engine: &Engine) -> String {
    format!("{:?}", engine.view())
}

/// One step of a service of its own.
fn other() -> Plan {
    plan_of(&[step("chat", "chat", EventType::DeploymentComplete, &[])])
}

/// Whether it is written to the log, and no pulse.
fn is_said(effect: &Effect) -> bool {
    matches!(effect, Effect::Append(draft) if draft.body.event_type() != EventType::Pulse)
}

#[test]
fn a_plan_that_starts_by_itself_keeps_to_the_rules_that_people_begin_by() {
    for older in [true, false] {
        let mut stage = Stage::empty();
        stage.log.older = older;
        stage.log.start("r1", &other());
        let mut triggered = short();
        "another".clone_into(&mut triggered.name);
        let on = Expect { service: Service::new("db").expect("a name"), event: EventType::Ready };
        triggered.trigger = Some(Trigger { on, version: None });
        stage.feed(Input::Published { name: triggered.name.clone(), plan: Some(Box::new(triggered)) });
        stage.log.says("dance", "db-0", "2.0.0", ready());
        stage.settle();
        stage.wait(1_000, &[]);
        let rules: Vec<i64> = stage.said(EventType::RolloutStarted).into_iter().filter_map(rules).collect();
        assert_eq!(rules, if older { [1, 1] } else { [RULES, RULES] });
    }
}

fn rules(body: &Body) -> Option<i64> {
    if let Body::RolloutStarted(started) = body { Some(started.rules) } else { None }
}

#[test]
fn one_plan_danced_by_two_rules_is_kept_as_two() {
    let mut stage = Stage::empty();
    for (id, older) in [("r1", true), ("r2", false), ("r3", true), ("r4", false)] {
        stage.log.older = older;
        stage.log.start(id, &short());
        stage.settle();
        stage.log.person(id, abort());
        stage.settle();
    }
    stage.log.start("r5", &short());
    stage.settle();
    let kept = stage.engine.snapshot();
    let restored = Engine::restore(domain(), "another".to_owned(), &kept).expect("sound");
    assert_eq!(shown(&restored), shown(&stage.engine));
    assert!(restored.snapshot() == kept);
}
