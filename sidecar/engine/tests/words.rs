//! What the words of a plan ask of a sidecar: phases, cohorts, zones, shares, lines, queues, hours.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use pavane_choreography::{Concurrency, Instances, Maintenance, Method, Plan, Trigger as Start, Weekday};
use pavane_events::command::{
    DomainHeld, RollbackRequested, RolloutAborted, RolloutPaused, RolloutResumed, StepOverridden,
};
use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::service::{DeploymentFailed, Drained, Ready, RollbackComplete};
use pavane_events::verdict::{CommandRefused, RolloutCompleted};
use pavane_events::{Body, EventId, EventType, RolloutId, StepId, Zone};
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{HookOutcome, Reaction, Readiness, Trigger};
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
fn a_step_of_another_zone_is_somebody_else_s() {
    for (zone, moves) in [(Some("eu"), true), (Some("us"), false), (None, false)] {
        let mut stage = Stage::new(vec![upgrade()]);
        stage.settings.zone = zone.map(|zone| Zone::new(zone).unwrap());
        stage.crash();
        let mut plan = plan();
        plan.steps[1].zone = Some(Zone::new("eu").unwrap());
        stage.start_with(ROLLOUT, &plan);
        let wanted = if moves { vec!["observe"] } else { vec![] };
        assert_eq!(stage.schema_ready(), wanted, "{zone:?}");
        if moves {
            stage.version("1.0.0");
            assert_eq!(stage.said[0].envelope.zone.as_ref().unwrap().as_str(), "eu");
        }
    }
}

#[test]
fn what_is_said_in_another_zone_does_not_count() {
    let mut plan = plan();
    plan.steps[0].zone = Some(Zone::new("eu").unwrap());
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start_with(ROLLOUT, &plan);
    assert_eq!(stage.in_zone("us", "user-db", "user-db-0", Ready::default()), NOTHING);
    assert_eq!(stage.service("user-db", "user-db-1", Ready::default()), NOTHING, "and no zone is none");
    assert_eq!(stage.in_zone("eu", "user-db", "user-db-2", Ready::default()), ["observe"]);
}

#[test]
fn each_zone_has_its_own_step() {
    let mut plan = plan();
    plan.steps.truncate(1);
    for zone in ["eu", "us"] {
        let mut users = step(&format!("users-{zone}"), "user-service.DeploymentComplete", &["schema"]);
        users.zone = Some(Zone::new(zone).unwrap());
        plan.steps.push(users);
    }
    let mut stage = Stage::new(vec![upgrade()]);
    stage.settings.zone = Some(Zone::new("us").unwrap());
    stage.crash();
    stage.start_with(ROLLOUT, &plan);
    stage.schema_ready();
    stage.version("1.0.0");
    stage.deliver();
    assert_eq!(stage.calls[0].step, Some(StepId::new("users-us").unwrap()));
}

#[test]
fn only_the_zone_whose_turn_it_is_goes_back() {
    let mut plan = plan();
    plan.steps.truncate(1);
    for zone in ["eu", "us"] {
        let mut users = step(&format!("users-{zone}"), "user-service.DeploymentComplete", &["schema"]);
        users.zone = Some(Zone::new(zone).unwrap());
        plan.steps.push(users);
    }
    let mut stage = Stage::new(vec![upgrade(), revert()]);
    stage.settings.zone = Some(Zone::new("us").unwrap());
    stage.crash();
    stage.start_with(ROLLOUT, &plan);
    stage.schema_ready();
    stage.version("1.0.0");
    stage.deliver();
    let decision = i64::try_from(stage.log.len()).unwrap();
    stage.command(ROLLOUT, go_back());
    let turn =
        |step: &str| RollbackRequested { step: Some(id(step)), ..addressed(decision, None, Some("1.0.0")) };
    assert_eq!(stage.sentinel(turn("users-eu")), NOTHING);
    assert_ne!(stage.sentinel(turn("users-us")), NOTHING);
}

#[test]
fn no_more_instances_are_at_their_hooks_than_the_plan_allows() {
    let ends: [Body; 4] = [
        complete().into(),
        DeploymentFailed::default().into(),
        Drained::default().into(),
        RollbackComplete::default().into(),
    ];
    for end in ends {
        let (mut stage, what) = (in_line(2, &["user-service-1", "user-service-2"]), end.event_type());
        assert_eq!(stage.deliver(), NOTHING);
        assert_eq!(stage.engine.phase().word, "waiting");
        assert_eq!(stage.service("user-service", "user-service-3", announced()), NOTHING, "behind it");
        assert_eq!(stage.service("billing", "user-service-1", complete()), NOTHING, "another service's");
        let lines = stage.service("user-service", "user-service-2", end);
        assert_eq!(lines, ["write user-db.Ready Running", "hook user-db.Ready #1"], "{what}");
        assert_eq!(stage.engine.phase().word, "hook");
    }
}

#[test]
fn who_stands_behind_in_the_line_keeps_nobody_waiting() {
    let mut stage = in_line(1, &[]);
    let own = stage.outbox.remove(0);
    stage.outbox.clear();
    assert_eq!(stage.append(own), ["write user-db.Ready Running", "hook user-db.Ready #1"]);
    assert_eq!(stage.service("user-service", "user-service-1", announced()), NOTHING);
}

#[test]
fn who_waits_in_the_line_waits_through_a_restart_and_a_pause() {
    let mut stage = in_line(1, &["user-service-1"]);
    stage.deliver();
    assert_eq!(stage.crash(), NOTHING);
    assert_eq!(stage.engine.phase().word, "waiting");
    stage.command(ROLLOUT, RolloutPaused::default());
    assert_eq!(stage.service("user-service", "user-service-1", complete()), NOTHING, "paused");
    let lines = stage.command(ROLLOUT, RolloutResumed::default());
    assert_eq!(lines, ["write user-db.Ready Running", "hook user-db.Ready #1"]);
}

#[test]
fn who_waits_in_the_line_goes_back_without_having_moved() {
    let mut stage = in_line(1, &["user-service-1"]);
    stage.deliver();
    let decision = i64::try_from(stage.log.len()).unwrap();
    assert_eq!(stage.command(ROLLOUT, go_back()), ["write user-db.Ready Over(Superseded)"]);
    assert_eq!(stage.sentinel(addressed(decision, None, Some("1.0.0"))), ["observe"]);
    assert_eq!(stage.version("1.0.0"), ["write RollbackRequested Over(Succeeded)", "say RollbackComplete"]);
    assert_eq!(stage.calls, []);
}

#[test]
fn instances_of_another_zone_stand_in_another_line() {
    let mut plan = plan();
    plan.steps[1].max_parallel = Some(1);
    plan.steps[1].zone = Some(Zone::new("eu").unwrap());
    let mut stage = Stage::new(vec![upgrade()]);
    stage.settings.zone = Some(Zone::new("eu").unwrap());
    stage.crash();
    stage.start_with(ROLLOUT, &plan);
    stage.schema_ready();
    stage.version("1.0.0");
    stage.in_zone("us", "user-service", "user-service-1", announced());
    assert_eq!(stage.deliver()[1], "hook user-db.Ready #1");
}

#[test]
fn a_hook_that_may_not_be_interrupted_ends_before_the_service_goes_back() {
    let mut stage = uninterruptible();
    stage.up_to_hook();
    let decision = i64::try_from(stage.log.len()).unwrap();
    stage.command(ROLLOUT, go_back());
    assert_eq!(stage.sentinel(addressed(decision, None, Some("1.0.0"))), NOTHING, "nothing cuts it off");
    stage.hook(HookOutcome::InProgress { after: 10_000 });
    assert_eq!(stage.tick(10_000), ["hook user-db.Ready #1"], "it is asked for until it has ended");
    let lines = stage.hook(HookOutcome::Done);
    let told = ["write user-db.Ready Checking", "write user-db.Ready Over(Failed)", "say DeploymentFailed"];
    assert_eq!(lines[..3], told, "the wait for readiness is no hook");
    assert_eq!(lines[3..], ["observe"]);
    assert_eq!(stage.version("2.0.0"), ["write RollbackRequested Announced", "say RollbackInitiated"]);
}

#[test]
fn a_hook_that_may_not_be_interrupted_and_fails_is_not_tried_again() {
    let mut stage = uninterruptible();
    stage.up_to_hook();
    let decision = i64::try_from(stage.log.len()).unwrap();
    stage.command(ROLLOUT, go_back());
    stage.sentinel(addressed(decision, None, Some("1.0.0")));
    let lines = stage.hook(HookOutcome::Retry(Failure { reason: "503".into(), ..Failure::default() }));
    let told = ["write user-db.Ready Resting", "write user-db.Ready Over(Failed)", "say DeploymentFailed"];
    assert_eq!(lines[..3], told);
}

#[test]
fn a_plan_that_queues_begins_where_the_last_rollout_in_its_way_ends() {
    let ends: [fn(&mut Stage) -> Vec<String>; 3] = [
        |stage| stage.command(ROLLOUT, RolloutAborted::default()),
        |stage| {
            let accepted = i64::try_from(stage.log.len()).unwrap();
            stage.sentinel(RolloutCompleted { epoch: 1, attempt: 1, accepted })
        },
        |stage| stage.sentinel(refused(0)),
    ];
    for end in ends {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.start();
        assert_eq!(stage.start_with("r-2", &queues()), NOTHING);
        assert_eq!(stage.engine.rollout().unwrap().as_str(), ROLLOUT);
        assert_eq!(ready_in(&mut stage, "r-2"), NOTHING, "kept");
        assert_eq!(stage.crash(), NOTHING);
        assert_eq!(end(&mut stage), ["observe"]);
        assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-2");
        assert_eq!(stage.version("1.0.0"), ["write user-db.Ready Announced", "say DeploymentStarted"]);
        assert_eq!(stage.crash(), NOTHING);
        assert_eq!(stage.engine.rollout(), Some(&RolloutId::new("r-2").unwrap()));
    }
}

#[test]
fn whoever_waits_has_the_services_before_whoever_comes_later() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    stage.start_with("r-2", &queues());
    assert_eq!(stage.start_with("r-3", &plan()), ["tell rollout_ignored"], "it will not wait");
    assert_eq!(stage.start_with("r-4", &queues()), NOTHING);
    stage.command(ROLLOUT, RolloutAborted::default());
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-2");
    stage.command("r-2", RolloutAborted::default());
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-4", "r-3 was never there");
}

#[test]
fn what_waits_may_be_aborted_and_cannot_go_back_or_be_paused() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    stage.start_with("r-2", &queues());
    stage.start_with("r-3", &queues());
    assert_eq!(stage.command("r-2", go_back()), ["tell decision_ignored"]);
    assert_eq!(stage.command("r-3", RolloutPaused::default()), NOTHING);
    assert_eq!(stage.command("r-2", RolloutAborted::default()), NOTHING);
    ready_in(&mut stage, "r-3");
    assert_eq!(stage.command(ROLLOUT, RolloutAborted::default()), ["observe"]);
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-3");
}

#[test]
fn a_rollout_that_waits_has_taken_the_services_from_those_before() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    let messaging = Plan { steps: vec![step("messaging", "messaging.DeploymentComplete", &[])], ..plan() };
    let users = Plan { steps: plan().steps[..2].to_vec(), ..plan() };
    stage.start_with(ROLLOUT, &users);
    stage.start_with("r-2", &messaging);
    stage.start_with("r-3", &queues());
    let accepted = i64::try_from(stage.log.len()).unwrap();
    stage.sentinel(RolloutCompleted { epoch: 1, attempt: 1, accepted });
    assert_eq!(stage.engine.rollout(), None, "r-3 waits for messaging still");
    assert_eq!(stage.command(ROLLOUT, go_back()), ["tell decision_ignored"]);
    stage.command("r-2", RolloutAborted::default());
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-3");
}

#[test]
fn a_restart_finds_a_rollout_begun_where_it_began() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    stage.start_with("r-2", &queues());
    let waits = stage.engine.resume_from();
    stage.command(ROLLOUT, RolloutAborted::default());
    assert_eq!((waits, stage.engine.resume_from()), (0, 0), "who knows it must know what it waited for");
    stage.command("r-2", RolloutAborted::default());
    assert_eq!(stage.engine.resume_from(), 4);
}

#[test]
fn a_restart_finds_a_refused_rollout_refused() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    ready_in(&mut stage, "r-2");
    assert_eq!(stage.start_with("r-2", &plan()), ["tell rollout_ignored"]);
    stage.command(ROLLOUT, RolloutAborted::default());
    assert_eq!(stage.start_with("r-3", &plan()), NOTHING);
    assert_eq!(stage.engine.resume_from(), 0, "the early event of r-2 leads to r-2, and r-2 to what it met");
    assert_eq!(stage.crash(), NOTHING);
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-3");
}

#[test]
fn a_start_that_was_refused_stays_refused_when_it_comes_again() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    let refused_here = stage.event("/ci", Some("r-2"), None, None, started(&plan()));
    assert_eq!(stage.append(refused_here.clone()), ["tell rollout_ignored"]);
    stage.command(ROLLOUT, RolloutAborted::default());
    let declined = stage.event("/ci", Some("r-3"), None, None, started(&plan()));
    assert_eq!(stage.append(declined.clone()), NOTHING);
    let cites = i64::try_from(stage.log.len()).unwrap() - 1;
    let mut word = stage.event("/pavane/shop/sentinel", Some("r-3"), None, None, refused(cites));
    word.envelope.source = pavane_events::identity::sentinel_source(&word.envelope.domain);
    stage.append(word);
    assert_eq!(stage.engine.rollout(), None);
    for again in [refused_here, declined] {
        assert_eq!(stage.append(again), ["tell duplicate"], "a client that heard no answer sends it again");
    }
    assert_eq!(stage.engine.rollout(), None);
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

/// Instances of user-service that have announced themselves, and then the own one, in a step for so many.
fn in_line(most: u32, others: &[&str]) -> Stage {
    let mut plan = plan();
    plan.steps[1].max_parallel = Some(most);
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.start_with(ROLLOUT, &plan);
    stage.schema_ready();
    stage.version("1.0.0");
    for other in others {
        assert_eq!(stage.service("user-service", other, announced()), NOTHING);
    }
    stage
}

/// A stage whose step of user-service may not be interrupted.
fn uninterruptible() -> Stage {
    let ready = Some(Readiness { within: 10_000, successes: 1, every: 1_000 });
    let mut stage = Stage::ready(vec![Reaction { ready, ..upgrade() }, revert()]);
    stage.plan.steps[1].interruptible = false;
    stage
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

fn queues() -> Plan {
    Plan { concurrency: Concurrency::Queue, ..plan() }
}

fn refused(cites: i64) -> CommandRefused {
    CommandRefused {
        command: EventId::new("e-1").unwrap(),
        event: "RolloutStarted".into(),
        cites,
        code: "conflict".into(),
        reason: String::new(),
    }
}

fn ready_in(stage: &mut Stage, rollout: &str) -> Vec<String> {
    let by = Some(("user-db", "user-db-0"));
    let event = stage.event("/pavane/shop/user-db/user-db-0", Some(rollout), by, None, Ready::default());
    stage.append(event)
}

fn id(step: &str) -> StepId {
    StepId::new(step).unwrap()
}
