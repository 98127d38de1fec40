//! What the words of a plan ask of a sidecar: phases, cohorts, shares, hours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use pavane_choreography::{Instances, Maintenance, Method, Plan, Trigger as Start, Weekday};
use pavane_events::command::{DomainHeld, RolloutPaused, RolloutResumed, StepOverridden};
use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::service::Ready;
use pavane_events::{Body, EventId, EventType, StepId, Zone};
use pavane_sidecar_engine::{HookOutcome, Reaction, Trigger};
use stage::*;

const NOTHING: [&str; 0] = [];

#[test]
fn a_step_waits_for_all_of_some_and_for_one_of_others() {
    let mut plan = plan();
    plan.steps.insert(1, step("cache", "cache.Ready", &[]));
    plan.steps.insert(2, step("replica", "replica.Ready", &[]));
    plan.steps[3].after_any = vec![StepId::new("cache").unwrap(), StepId::new("replica").unwrap()];
    for either in ["cache", "replica"] {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.start_with(ROLLOUT, &plan);
        assert_eq!(stage.schema_ready(), NOTHING, "neither cache nor replica");
        assert_eq!(stage.service(either, "any-0", Ready::default()), ["observe"], "{either}");
    }
}

#[test]
fn a_reaction_on_several_events_waits_for_all_and_is_caused_by_the_last() {
    let Trigger::Event(cache) = on("cache.Ready") else { unreachable!("an event") };
    let Trigger::Event(schema) = on("user-db.Ready") else { unreachable!("an event") };
    let all = Reaction { on: Trigger::all([schema, cache]), ..upgrade() };
    let mut stage = Stage::ready(vec![all]);
    stage.start();
    assert_eq!(stage.schema_ready(), NOTHING);
    assert_eq!(stage.service("cache", "cache-0", Ready::default()), ["observe"]);
    let name = "cache.Ready and user-db.Ready";
    assert_eq!(stage.version("1.0.0"), [format!("write {name} Announced"), "say DeploymentStarted".into()]);
    assert_eq!(stage.said[0].envelope.causation, Some(EventId::new("e-3").unwrap()), "the cache's event");
    assert_eq!(stage.deliver(), [format!("write {name} Running"), format!("hook {name} #1")]);
    let told = stage.calls[0].trigger.as_ref().unwrap();
    assert_eq!(told.envelope.service.as_ref().unwrap().as_str(), "cache");
    assert_eq!(stage.crash(), ["observe"], "the journal knows it by its name");
}

#[test]
fn a_reaction_on_one_of_several_events_is_caused_by_the_first() {
    let Trigger::Event(cache) = on("cache.Ready") else { unreachable!("an event") };
    let Trigger::Event(replica) = on("replica.Ready") else { unreachable!("an event") };
    let any = Reaction { on: Trigger::any([cache, replica]), ..upgrade() };
    let mut stage = Stage::ready(vec![any]);
    stage.start();
    assert_eq!(stage.schema_ready(), NOTHING);
    assert_eq!(stage.service("replica", "replica-0", Ready::default()), ["observe"]);
    assert_eq!(stage.service("cache", "cache-0", Ready::default()), NOTHING, "the other may come too");
    stage.version("1.0.0");
    assert_eq!(stage.said[0].envelope.causation, Some(EventId::new("e-3").unwrap()), "the replica's event");
}

#[test]
fn a_share_is_nobody_s_number_until_the_sentinel_has_counted() {
    let mut stage = Stage::ready(vec![start()]);
    stage.start_with(ROLLOUT, &share());
    assert_eq!(stage.service("user-db", "user-db-0", Ready::default()), NOTHING);
    assert_eq!(stage.service("user-db", "user-db-1", Ready::default()), NOTHING, "of how many?");
    assert_eq!(stage.command(ROLLOUT, counted(1)), NOTHING, "only the sentinel counts");
    assert_eq!(stage.sentinel(counted(0)), NOTHING, "nobody is not a number");
    assert_eq!(stage.sentinel(counted(3)), NOTHING);
    assert_eq!(stage.sentinel(counted(2)), NOTHING, "the first count is the one");
    assert_eq!(stage.service("user-db", "user-db-2", Ready::default()), ["observe"]);
}

#[test]
fn a_count_that_fills_a_step_begins_what_waits_for_it() {
    let mut stage = Stage::ready(vec![start()]);
    stage.start_with(ROLLOUT, &share());
    stage.service("user-db", "user-db-0", Ready::default());
    assert_eq!(stage.sentinel(counted(1)), ["observe"]);
}

#[test]
fn a_count_that_the_log_may_not_have_accepted_is_replaced_by_one_that_it_has() {
    let mut stage = Stage::ready(vec![start()]);
    stage.start_with(ROLLOUT, &share());
    stage.service("user-db", "user-db-0", Ready::default());
    stage.command(ROLLOUT, RolloutPaused::default());
    assert_eq!(stage.sentinel(counted(3)), NOTHING, "nothing is accepted in a pause");
    assert_eq!(stage.command(ROLLOUT, RolloutResumed::default()), NOTHING, "of three, till better is known");
    assert_eq!(stage.sentinel(counted(1)), ["observe"]);
    assert_eq!(stage.sentinel(counted(9)), NOTHING);
    assert_eq!(stage.version("1.0.0")[1], "say DeploymentStarted", "it stays so");
}

#[test]
fn nothing_goes_forward_before_its_phase_has_begun() {
    let on_phase = Reaction { on: Trigger::PhaseBegun, ..upgrade() };
    for (reaction, cause) in [(upgrade(), "e-3"), (on_phase, "e-4"), (start(), "e-4")] {
        let mut stage = Stage::ready(vec![reaction]);
        stage.start_with(ROLLOUT, &phased());
        assert_eq!(stage.begin("first", &[]), NOTHING);
        assert_eq!(stage.schema_ready(), NOTHING);
        assert_eq!(stage.begin("second", &[]), ["observe"]);
        stage.version("1.0.0");
        assert_eq!(stage.said[0].envelope.causation, Some(EventId::new(cause).unwrap()));
        assert_eq!(stage.deliver()[1], format!("hook {} #1", stage.settings.reactions[0].on.name()));
    }
}

#[test]
fn a_phase_that_begins_before_the_step_is_due_waits_for_it() {
    let mut stage = Stage::ready(vec![Reaction { on: Trigger::PhaseBegun, ..upgrade() }]);
    stage.start_with(ROLLOUT, &phased());
    stage.begin("first", &[]);
    assert_eq!(stage.begin("second", &[]), NOTHING);
    assert_eq!(stage.schema_ready(), ["observe"]);
}

#[test]
fn without_phases_no_phase_begins() {
    let mut stage = Stage::ready(vec![Reaction { on: Trigger::PhaseBegun, ..upgrade() }]);
    stage.start();
    stage.schema_ready();
    assert_eq!(stage.begin("second", &[]), NOTHING);
}

#[test]
fn only_the_sentinel_s_word_begins_a_phase_and_only_while_its_ground_holds() {
    let schema = || StepId::new("schema").unwrap();
    let stops: [(&str, Option<Body>); 4] = [
        ("pause", Some(RolloutPaused::default().into())),
        ("hold", Some(DomainHeld::default().into())),
        (
            "override",
            Some(StepOverridden { step: schema(), by: String::new(), reason: String::new() }.into()),
        ),
        ("nothing", None),
    ];
    for (what, stop) in stops {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.start_with(ROLLOUT, &phased());
        stage.schema_ready();
        let accepted = i64::try_from(stage.log.len()).unwrap() - 1;
        let word = || begun("second", &[], Some(accepted));
        assert_eq!(stage.command(ROLLOUT, word()), ["tell decision_ignored"], "not the sentinel");
        assert_eq!(stage.sentinel(begun("second", &[], None)), ["tell decision_ignored"], "not accepted");
        let wrong = pavane_events::command::PhaseBegun { epoch: 2, ..word() };
        assert_eq!(stage.sentinel(wrong), ["tell decision_ignored"], "another epoch");
        let believed = stop.is_none();
        if let Some(stop) = stop {
            stage.command(ROLLOUT, stop);
        }
        let found = stage.sentinel(word());
        assert_eq!(found, [if believed { "observe" } else { "tell decision_ignored" }], "{what}");
    }
}

#[test]
fn a_pause_by_the_sentinel_pauses_only_while_its_ground_holds() {
    let schema = || StepId::new("schema").unwrap();
    let grounds: [(&str, Option<Body>); 3] = [
        (
            "override",
            Some(StepOverridden { step: schema(), by: String::new(), reason: String::new() }.into()),
        ),
        ("hold", Some(DomainHeld::default().into())),
        ("nothing", None),
    ];
    for (what, taken) in grounds {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.start();
        let accepted = Some(i64::try_from(stage.log.len()).unwrap() - 1);
        let believed = taken.is_none();
        let at_once = taken.is_some_and(|taken| stage.command(ROLLOUT, taken) != NOTHING);
        let found = stage.sentinel(RolloutPaused { accepted, ..RolloutPaused::default() });
        let expected: &[&str] = if believed { &[] } else { &["tell decision_ignored"] };
        assert_eq!(found, expected, "{what}");
        stage.command(ROLLOUT, pavane_events::command::DomainReleased::default());
        let moves = at_once || stage.schema_ready() != NOTHING;
        assert_eq!(moves, !believed, "{what}");
    }
}

#[test]
fn a_rollback_takes_the_ground_from_a_phase() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.start_with(ROLLOUT, &phased());
    stage.schema_ready();
    stage.command(ROLLOUT, go_back());
    assert_eq!(stage.begin("second", &[]), ["tell decision_ignored"]);
}

#[test]
fn of_a_cohort_only_who_is_named_moves_and_the_rest_follows_later() {
    for named in [true, false] {
        let mut stage = Stage::ready(vec![Reaction { on: Trigger::PhaseBegun, ..upgrade() }]);
        stage.start_with(ROLLOUT, &canary());
        let cohort = if named { "user-service-0" } else { "user-service-7" };
        let first = stage.begin("users-5pct", &[cohort, "user-service-8"]);
        assert_eq!(first, if named { vec!["observe"] } else { vec![] });
        if named {
            stage.version("1.0.0");
            stage.deliver();
            assert_eq!(stage.calls[0].step, Some(StepId::new("users-5pct").unwrap()));
            stage.hook(HookOutcome::Done);
            stage.version("2.0.0");
            stage.deliver();
        }
        let rest = stage.begin("users-100pct", &[]);
        assert_eq!(rest, if named { vec![] } else { vec!["observe"] }, "once for all of them");
        if !named {
            stage.version("1.0.0");
            stage.deliver();
            assert_eq!(stage.calls[0].step, Some(StepId::new("users-100pct").unwrap()));
        }
    }
}

#[test]
fn a_plan_that_asks_for_a_share_and_a_word_that_names_nobody_move_nobody() {
    let mut stage = Stage::ready(vec![Reaction { on: Trigger::PhaseBegun, ..upgrade() }]);
    let mut plan = phased();
    plan.phases[1].cohort = Some("5%".parse().unwrap());
    stage.start_with(ROLLOUT, &plan);
    stage.schema_ready();
    assert_eq!(stage.begin("second", &[]), NOTHING);
}

#[test]
fn of_those_who_were_picked_all_are_wanted() {
    let mut plan = canary();
    plan.steps.push(step("messaging", "messaging.DeploymentComplete", &["users-5pct"]));
    plan.phases[1].steps.push(StepId::new("messaging").unwrap());
    let mut stage = Stage::new(vec![start()]);
    stage.settings = settings("messaging", stage.settings.reactions.clone());
    stage.crash();
    stage.start_with(ROLLOUT, &plan);
    stage.begin("users-5pct", &["user-service-0", "user-service-1"]);
    stage.begin("users-100pct", &[]);
    assert_eq!(stage.service("user-service", "user-service-0", complete()), NOTHING);
    assert_eq!(stage.sentinel(Proposed { step: Some(id("users-5pct")), ..counted(1) }), NOTHING, "two are");
    assert_eq!(stage.service("user-service", "user-service-1", complete()), ["observe"]);
}

#[test]
fn of_those_who_were_picked_in_several_zones_each_step_wants_as_many_as_were_counted_for_it() {
    let mut plan = canary();
    for step in &mut plan.steps {
        step.zone = Some(Zone::new("eu").unwrap());
    }
    plan.steps.push(step("messaging", "messaging.DeploymentComplete", &["users-5pct"]));
    plan.phases[1].steps.push(id("messaging"));
    let mut stage = Stage::new(vec![start()]);
    stage.settings = settings("messaging", stage.settings.reactions.clone());
    stage.crash();
    stage.start_with(ROLLOUT, &plan);
    stage.begin("users-5pct", &["user-service-0", "user-service-in-us"]);
    stage.begin("users-100pct", &[]);
    assert_eq!(stage.in_zone("eu", "user-service", "user-service-0", complete()), NOTHING);
    assert_eq!(stage.sentinel(Proposed { step: Some(id("users-5pct")), ..counted(1) }), ["observe"]);
}

#[test]
fn outside_its_hours_a_plan_does_not_start() {
    let hours = |from| {
        // The log of a stage begins on a Thursday, some minutes after midnight.
        let window = Maintenance { days: vec![Weekday::Thu], from, length: 3_600_000 };
        Plan { maintenance: Some(window), ..plan() }
    };
    let mut stage = Stage::ready(vec![upgrade()]);
    assert_eq!(stage.start_with(ROLLOUT, &hours(22 * 60)), ["tell rollout_ignored"]);
    assert_eq!(stage.start_with("r-2", &hours(0)), NOTHING);
    stage.now += 7_200_000;
    assert_eq!(ready_in(&mut stage, "r-2"), ["observe"], "its start decides, not what follows");
}

#[test]
fn the_event_that_starts_a_rollout_is_what_the_reaction_on_it_reacts_to() {
    let Trigger::Event(expect) = on("user-db.Ready") else { unreachable!("an event") };
    let mut users = plan().steps[1].clone();
    users.after.clear();
    let start = Some(Start { on: expect, version: None });
    let triggered = Plan { trigger: start, steps: vec![users], ..plan() };
    let mut stage = Stage::ready(vec![upgrade()]);
    assert_eq!(stage.schema_ready(), NOTHING);
    assert_eq!(stage.sentinel(started(&triggered)), ["observe"]);
    stage.version("1.0.0");
    assert_eq!(stage.said[0].envelope.causation, Some(EventId::new("e-1").unwrap()));
}

/// The reaction that begins as soon as its step is due.
fn start() -> Reaction {
    reaction(Trigger::RolloutStarted, EventType::DeploymentComplete)
}

/// A plan whose first step wants half of the instances.
fn share() -> Plan {
    let mut plan = plan();
    plan.steps[0].instances = Instances::Share("50%".parse().unwrap());
    plan
}

/// The sentinel proposes how many instances half of them are.
fn counted(count: i64) -> Proposed {
    Proposed {
        kind: ProposalKind::InstancesCounted,
        epoch: 1,
        step: Some(id("schema")),
        attempt: 1,
        count: Some(count),
        ..Proposed::default()
    }
}

/// The schema first, then everything else.
fn phased() -> Plan {
    let phases = vec![phase("first", &["schema"], None), phase("second", &["users", "messaging"], None)];
    Plan { method: Method::Hybrid, phases, ..plan() }
}

/// 5 % of user-service first, then the rest.
fn canary() -> Plan {
    let cohort = |percent: &str| {
        let mut step = step(&format!("users-{percent}pct"), "user-service.DeploymentComplete", &[]);
        step.version = Some(">=2.0.0, <3".parse().unwrap());
        step.instances = Instances::Share(format!("{percent}%").parse().unwrap());
        step
    };
    let phases = vec![
        phase("users-5pct", &["users-5pct"], Some("5%")),
        phase("users-100pct", &["users-100pct"], None),
    ];
    Plan { method: Method::Hybrid, phases, steps: vec![cohort("5"), cohort("100")], ..plan() }
}

fn id(step: &str) -> StepId {
    StepId::new(step).unwrap()
}
