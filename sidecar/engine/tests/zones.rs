//! What a zone keeps apart: steps, what is said for them, the way back, and who waits for whom.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use pavane_events::command::RollbackRequested;
use pavane_events::service::Ready;
use pavane_events::{StepId, Zone};
use pavane_sidecar_engine::Reaction;
use stage::*;

const NOTHING: [&str; 0] = [];

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
    let stage = in_us(vec![upgrade()]);
    assert_eq!(stage.calls[0].step, Some(StepId::new("users-us").unwrap()));
}

#[test]
fn only_the_zone_whose_turn_it_is_goes_back() {
    let mut stage = in_us(vec![upgrade(), revert()]);
    let decision = i64::try_from(stage.log.len()).unwrap();
    stage.command(ROLLOUT, go_back());
    let turn =
        |step: &str| RollbackRequested { step: Some(id(step)), ..addressed(decision, None, Some("1.0.0")) };
    assert_eq!(stage.sentinel(turn("users-eu")), NOTHING);
    assert_ne!(stage.sentinel(turn("users-us")), NOTHING);
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

/// A service in the zone us, with its hook called; in eu it has a step of its own.
fn in_us(reactions: Vec<Reaction>) -> Stage {
    let mut plan = plan();
    plan.steps.truncate(1);
    for zone in ["eu", "us"] {
        let mut users = step(&format!("users-{zone}"), "user-service.DeploymentComplete", &["schema"]);
        users.zone = Some(Zone::new(zone).unwrap());
        plan.steps.push(users);
    }
    let mut stage = Stage::new(reactions);
    stage.settings.zone = Some(Zone::new("us").unwrap());
    stage.crash();
    stage.start_with(ROLLOUT, &plan);
    stage.schema_ready();
    stage.version("1.0.0");
    stage.deliver();
    stage
}

fn id(step: &str) -> StepId {
    StepId::new(step).unwrap()
}
