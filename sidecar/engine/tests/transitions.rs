//! What a sidecar does when: facts in, orders out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use pavane_events::command::{
    DomainHeld, DomainReleased, RolloutAborted, RolloutPaused, RolloutResumed, StepOverridden,
};
use pavane_events::service::{DeploymentFailed, Ready};
use pavane_events::verdict::CommandRefused;
use pavane_events::{Body, EventId, EventType, StepId, Version};
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{HookOutcome, Input, Reaction, Trigger};
use stage::*;

const NOTHING: [&str; 0] = [];

#[test]
fn an_event_leads_through_announcement_hook_and_readiness_to_completion() {
    let mut stage = Stage::ready(vec![Reaction { ready: Some(readiness()), ..upgrade() }]);
    assert_eq!(stage.start(), NOTHING);
    assert_eq!(stage.schema_ready(), ["observe"]);
    assert_eq!(stage.version("1.0.0"), ["write user-db.Ready Announced", "say DeploymentStarted"]);
    assert_eq!(stage.deliver(), ["write user-db.Ready Running", "hook user-db.Ready #1"]);
    assert_eq!(stage.hook(HookOutcome::Done), ["write user-db.Ready Checking", "probe user-db.Ready"]);
    assert_eq!(stage.probe(Ok(())), NOTHING);
    assert_eq!(stage.tick(1_000), ["probe user-db.Ready"]);
    assert_eq!(stage.probe(Err("503")), NOTHING, "three in a row are wanted");
    for _ in 0..2 {
        assert_eq!(stage.tick(1_000), ["probe user-db.Ready"]);
        assert_eq!(stage.probe(Ok(())), NOTHING);
    }
    assert_eq!(stage.tick(1_000), ["probe user-db.Ready"]);
    assert_eq!(stage.probe(Ok(())), ["observe"]);
    assert_eq!(stage.version("2.0.0"), ["write user-db.Ready Over(Succeeded)", "say DeploymentComplete"]);
    let event = stage.said.last().unwrap();
    assert_eq!(event.envelope.version, Some(Version::new("2.0.0").unwrap()), "as observed");
    assert_eq!(event.envelope.causation, Some(EventId::new("e-2").unwrap()), "the event that was reacted to");
    let Body::DeploymentComplete(body) = stage.last() else { panic!("{event:?}") };
    assert_eq!((body.from.as_ref().unwrap().as_str(), body.took_ms), ("1.0.0", 4_000));
    assert_eq!(stage.deliver(), NOTHING, "and that is all");
}

#[test]
fn nothing_is_done_before_everything_has_been_read() {
    let mut stage = Stage::new(vec![upgrade()]);
    assert_eq!(stage.start(), NOTHING);
    assert_eq!(stage.schema_ready(), NOTHING);
    assert_eq!(stage.catch_up(), ["observe"]);
}

#[test]
fn what_ended_while_it_was_away_is_not_done() {
    let mut stage = Stage::new(vec![upgrade()]);
    stage.start();
    stage.schema_ready();
    stage.command(ROLLOUT, RolloutAborted::default());
    assert_eq!(stage.catch_up(), NOTHING);
}

#[test]
fn the_same_event_twice_runs_the_hook_once() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_complete();
    let again = stage.log[1].clone();
    assert_eq!(stage.tell(Input::Observed(again)), ["tell duplicate"]);
    assert_eq!(stage.schema_ready(), NOTHING, "said anew under another id");
    assert_eq!(stage.calls.len(), 1);
}

#[test]
fn a_wrong_version_is_a_failure_and_never_a_completion() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    assert_eq!(stage.hook(HookOutcome::Done), ["write user-db.Ready Checking", "observe"]);
    assert_eq!(stage.version("1.0.0"), ["write user-db.Ready Over(Failed)", "say DeploymentFailed"]);
    let Body::DeploymentFailed(body) = stage.last() else { panic!("a failure") };
    assert_eq!(body.stage, "version");
    assert_eq!(body.reason, "the service runs 1.0.0, and the plan asks for >=2.0.0, <3");
}

#[test]
fn a_version_that_cannot_be_observed_is_asked_for_three_times_and_is_then_a_failure() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    stage.hook(HookOutcome::Done);
    for _ in 0..2 {
        let gone = Err("connection refused".to_owned());
        let ticket = stage.ticket;
        assert_eq!(stage.tell(Input::VersionObserved { ticket, version: gone }), NOTHING);
        assert_eq!(stage.tick(500), ["observe"]);
    }
    let (ticket, gone) = (stage.ticket, Err("connection refused".to_owned()));
    let lines = stage.tell(Input::VersionObserved { ticket, version: gone });
    assert_eq!(lines, ["write user-db.Ready Over(Failed)", "say DeploymentFailed"]);
}

#[test]
fn a_failed_hook_is_told_with_all_it_left_behind() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    let failure = Failure { reason: "exit code 3".into(), exit_code: Some(3), output: "no space".into() };
    assert_eq!(
        stage.hook(HookOutcome::Failed(failure)),
        ["write user-db.Ready Over(Failed)", "say DeploymentFailed"]
    );
    let expected = DeploymentFailed {
        stage: "hook".into(),
        reason: "exit code 3".into(),
        exit_code: Some(3),
        output: "no space".into(),
        attempts: 1,
    };
    assert_eq!(stage.last(), &Body::from(expected));
}

#[test]
fn a_hook_that_asks_for_it_is_tried_again_a_limited_number_of_times() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    let busy = || HookOutcome::Retry(Failure { reason: "503".into(), ..Failure::default() });
    for attempt in 2..=3 {
        assert_eq!(stage.hook(busy()), ["write user-db.Ready Resting"]);
        let wait = stage.engine.next_deadline().unwrap() - stage.now;
        let most = 1_000 << (attempt - 2);
        assert!((most / 2..=most).contains(&wait), "attempt {attempt} after {wait} ms");
        assert_eq!(stage.tick(wait - 1), NOTHING);
        let hook = format!("hook user-db.Ready #{attempt}");
        assert_eq!(stage.tick(1), ["write user-db.Ready Running", &hook]);
    }
    assert_eq!(stage.hook(busy()), ["write user-db.Ready Over(Failed)", "say DeploymentFailed"]);
    let Body::DeploymentFailed(body) = stage.last() else { panic!("a failure") };
    assert_eq!((body.attempts, body.reason.as_str()), (3, "503"));
}

#[test]
fn a_hook_in_progress_is_called_again_within_the_same_attempt_until_its_time_is_over() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    let works = ["write user-db.Ready Working { after: 25000, left: 60000 }"];
    assert_eq!(stage.hook(HookOutcome::InProgress { after: 25_000 }), works);
    assert_eq!(stage.tick(25_000), ["hook user-db.Ready #1"]);
    assert_eq!(stage.calls[1].limit, 35_000, "what is left of the attempt");
    assert_eq!(stage.hook(HookOutcome::InProgress { after: 40_000 }), NOTHING, "its own word may still come");
    assert_eq!(stage.tick(35_000), ["write user-db.Ready Resting"]);
}

#[test]
fn a_service_that_does_not_get_well_in_time_has_failed() {
    let mut stage = Stage::ready(vec![Reaction { ready: Some(readiness()), ..upgrade() }]);
    stage.up_to_hook();
    stage.hook(HookOutcome::Done);
    stage.probe(Err("503 starting"));
    assert_eq!(stage.tick(119_999), ["probe user-db.Ready"]);
    assert_eq!(stage.tick(1), ["write user-db.Ready Over(Failed)", "say DeploymentFailed"]);
    let Body::DeploymentFailed(body) = stage.last() else { panic!("a failure") };
    assert_eq!(body.stage, "readiness");
    assert_eq!(body.reason, "the service was not well within 120000 ms: 503 starting");
}

#[test]
fn a_pause_or_a_hold_below_the_own_announcement_keeps_the_hook_waiting() {
    let stops: [(Body, Body); 2] = [
        (RolloutPaused::default().into(), RolloutResumed::default().into()),
        (DomainHeld::default().into(), DomainReleased::default().into()),
    ];
    for (stop, go) in stops {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.start();
        stage.schema_ready();
        stage.version("1.0.0");
        assert_eq!(stage.command(ROLLOUT, stop), NOTHING);
        assert_eq!(stage.deliver(), NOTHING);
        assert_eq!(stage.tick(3_600_000), NOTHING);
        assert_eq!(stage.command(ROLLOUT, go), ["write user-db.Ready Running", "hook user-db.Ready #1"]);
    }
}

#[test]
fn a_pause_lets_a_running_hook_end_and_tells_its_result() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    assert_eq!(stage.command(ROLLOUT, RolloutPaused::default()), NOTHING);
    assert_eq!(stage.hook(HookOutcome::Done), ["write user-db.Ready Checking", "observe"]);
    assert_eq!(stage.version("2.0.0"), ["write user-db.Ready Over(Succeeded)", "say DeploymentComplete"]);
}

#[test]
fn a_pause_keeps_the_next_attempt_waiting() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    stage.hook(HookOutcome::Retry(Failure::default()));
    stage.command(ROLLOUT, RolloutPaused::default());
    assert_eq!(stage.tick(30_000), NOTHING);
    assert_eq!(stage.engine.next_deadline(), None, "only a fact matters");
    assert_eq!(
        stage.command(ROLLOUT, RolloutResumed::default()),
        ["write user-db.Ready Running", "hook user-db.Ready #2"]
    );
}

#[test]
fn an_abort_or_a_rollback_below_the_own_announcement_supersedes_the_hook() {
    for stop in [Body::from(RolloutAborted::default()), Body::from(go_back())] {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.start();
        stage.schema_ready();
        stage.version("1.0.0");
        assert_eq!(stage.command(ROLLOUT, stop), ["write user-db.Ready Over(Superseded)"]);
        assert_eq!(stage.deliver(), NOTHING);
        assert_eq!(stage.calls, []);
    }
}

#[test]
fn the_first_rollout_owns_its_services_and_a_later_one_is_not_followed() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    assert_eq!(stage.start_with("r-2", &plan()), ["tell rollout_ignored"]);
    let event = stage.event("/db", Some("r-2"), Some(("user-db", "user-db-0")), None, Ready::default());
    assert_eq!(stage.append(event), NOTHING);
    assert_eq!(stage.engine.rollout().unwrap().as_str(), ROLLOUT);
    stage.command(ROLLOUT, RolloutAborted::default());
    assert_eq!(stage.start_with("r-3", &plan()), NOTHING, "free again");
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-3");
}

#[test]
fn a_rollout_that_the_sentinel_refused_is_left() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    stage.sentinel(CommandRefused {
        command: EventId::new("e-1").unwrap(),
        event: "RolloutStarted".into(),
        cites: 0,
        code: "conflict".into(),
        reason: String::new(),
    });
    assert_eq!(stage.engine.rollout(), None);
    assert_eq!(stage.schema_ready(), NOTHING);
}

#[test]
fn a_plan_that_is_not_what_its_digest_says_is_not_followed() {
    let mut stage = Stage::ready(vec![upgrade()]);
    let mut body = started(&plan());
    body.plan = body.plan.replace("users-v2", "users-v3");
    assert_eq!(stage.command(ROLLOUT, body), ["tell rollout_ignored"]);
}

#[test]
fn events_before_their_rollout_are_kept() {
    let mut stage = Stage::ready(vec![upgrade()]);
    assert_eq!(stage.schema_ready(), NOTHING);
    assert_eq!(stage.start(), ["observe"]);
}

#[test]
fn events_long_before_their_rollout_are_forgotten() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.schema_ready();
    stage.now += 600_001;
    stage.service("billing", "billing-0", Ready::default());
    assert_eq!(stage.start(), NOTHING);
}

#[test]
fn a_reaction_waits_for_as_many_instances_as_it_asks_for() {
    let mut plan = plan();
    plan.steps[0].instances = pavane_choreography::Instances::Count(2);
    let mut stage = Stage::ready(vec![Reaction { instances: 2, ..upgrade() }]);
    stage.start_with(ROLLOUT, &plan);
    assert_eq!(stage.service("user-db", "user-db-0", Ready::default()), NOTHING);
    assert_eq!(stage.service("user-db", "user-db-0", Ready::default()), NOTHING, "the same again");
    assert_eq!(stage.service("user-db", "user-db-1", Ready::default()), ["observe"]);
}

#[test]
fn a_reaction_waits_for_all_prerequisites_of_its_step() {
    let mut plan = plan();
    plan.steps.insert(0, step("cache", "cache.Ready", &[]));
    plan.steps[2].after.push(StepId::new("cache").unwrap());
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start_with(ROLLOUT, &plan);
    assert_eq!(stage.schema_ready(), NOTHING);
    assert_eq!(stage.service("cache", "cache-0", Ready::default()), ["observe"]);
}

#[test]
fn an_override_of_the_awaited_step_counts_as_its_event() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    let body =
        StepOverridden { step: StepId::new("schema").unwrap(), by: "ada".into(), reason: String::new() };
    assert_eq!(stage.command(ROLLOUT, body), ["observe"]);
}

#[test]
fn a_prerequisite_is_published_when_the_rollout_starts() {
    let start =
        Reaction { prerequisite: "schema-v2".into(), ..reaction(Trigger::RolloutStarted, EventType::Ready) };
    let mut stage = Stage::new(vec![start]);
    stage.settings = settings("user-db", stage.settings.reactions.clone());
    stage.crash();
    assert_eq!(stage.start(), ["observe"]);
    assert_eq!(stage.version("1.0.0"), ["write RolloutStarted Announced", "say DeploymentStarted"]);
    assert_eq!(stage.deliver(), ["write RolloutStarted Running", "hook RolloutStarted #1"]);
    assert_eq!(stage.hook(HookOutcome::Done), ["write RolloutStarted Checking", "observe"]);
    assert_eq!(stage.version("1.0.0"), ["write RolloutStarted Over(Succeeded)", "say Ready"]);
    let ready = Ready { prerequisite: "schema-v2".into(), detail: String::new() };
    assert_eq!(stage.last(), &Body::from(ready));
}

#[test]
fn an_event_that_it_depends_on_and_cannot_read_is_rejected_once() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    let lines = stage.unreadable("user-db", EventType::Ready);
    assert_eq!(lines, ["write rejected 1", "say EventRejected", "dead letter 1"]);
    let Body::EventRejected(body) = stage.last() else { panic!("a rejection") };
    assert_eq!((body.event.as_str(), body.partition, body.offset), ("Ready", 3, 1));
    assert_eq!((body.reason.as_str(), body.field.as_str()), ("incompatible", "/rating"));
    let said = stage.said.last().unwrap();
    assert_eq!(said.envelope.rollout.as_ref().unwrap().as_str(), ROLLOUT);
    assert_eq!(said.envelope.service.as_ref().unwrap().as_str(), "user-service");
    assert_eq!(stage.crash(), NOTHING, "not again after a restart");
    assert_eq!(
        stage.unreadable("billing", EventType::Ready),
        ["tell incompatible"],
        "nobody here waits for it"
    );
}

#[test]
fn what_runs_once_for_a_service_is_run_by_whose_claim_stands_first() {
    let once = || Reaction { once: true, ..upgrade() };
    for other_first in [false, true] {
        let mut stage = Stage::ready(vec![once()]);
        stage.start();
        stage.schema_ready();
        stage.version("1.0.0");
        let mut other = stage.event(
            "/pavane/shop/user-service/user-service-1",
            Some(ROLLOUT),
            Some(("user-service", "user-service-1")),
            Some("1.0.0"),
            announced(),
        );
        other.envelope.id = stage.outbox[0].envelope.id.clone();
        if other_first {
            assert_eq!(stage.append(other), ["write user-db.Ready Over(Yielded)"]);
            assert_eq!(stage.deliver(), NOTHING);
        } else {
            assert_eq!(stage.deliver(), ["write user-db.Ready Running", "hook user-db.Ready #1"]);
            assert_eq!(stage.append(other), NOTHING);
        }
    }
}

#[test]
fn the_announcement_names_the_version_only_when_the_plan_asks_for_exactly_one() {
    for (wanted, to) in [
        (">=2.0.0, <3", None),
        ("=2.1.0", Some("2.1.0")),
        ("=2.1", None),
        ("=2.0.0-rc.1", Some("2.0.0-rc.1")),
    ] {
        let mut plan = plan();
        plan.steps[1].version = Some(wanted.parse().unwrap());
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.start_with(ROLLOUT, &plan);
        stage.schema_ready();
        stage.version("1.0.0");
        let Body::DeploymentStarted(body) = stage.last() else { panic!("an announcement") };
        assert_eq!(body.to.as_ref().map(Version::as_str), to, "{wanted}");
        assert_eq!(body.from.as_ref().map(Version::as_str), Some("1.0.0"));
    }
}

#[test]
fn the_heartbeat_says_what_it_is_doing() {
    let mut stage = Stage::ready(vec![Reaction { ready: Some(readiness()), ..upgrade() }]);
    assert_eq!(stage.engine.phase().word, "idle");
    stage.start();
    stage.schema_ready();
    stage.version("1.0.0");
    assert_eq!(stage.engine.phase().word, "announced");
    stage.deliver();
    assert_eq!(stage.engine.phase().word, "hook");
    stage.hook(HookOutcome::Done);
    assert_eq!(stage.engine.phase().word, "readiness");
    stage.tick(120_000);
    let phase = stage.engine.phase();
    assert_eq!((phase.word, phase.rollout.unwrap().as_str()), ("failed", ROLLOUT));
    assert_eq!(phase.version, Some(Version::new("1.0.0").unwrap()));
    assert_eq!(phase.position, 2);
}
