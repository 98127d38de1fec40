//! What stops a rollout's clocks, and how they run on: a pause by a person or by the plan, a held domain, and a leap meanwhile.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::OnStall;
use pavane_events::{Entry, EventType};
use pavane_sentinel_engine::{Draft, Status, StepStatus};
use stage::Stage;

#[test]
fn a_pause_stops_the_clock_and_what_was_left_remains() {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.wait(6_000, &["users-0"]);
    stage.person(pause());
    stage.wait(60_000, &["users-0"]);
    assert!(stage.verdicts().is_empty());
    stage.person(resume());
    stage.wait(4_000, &["users-0"]);
    assert!(stage.verdicts().is_empty(), "four seconds were left, and the grace");
    stage.wait(1_000, &["users-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled users not_started"]);
}

#[test]
fn a_plan_may_pause_on_a_stall() {
    let mut plan = plan();
    plan.steps[1].on_stall = OnStall::Pause;
    let mut stage = Stage::new(&plan);
    stage.says("db-0", ready());
    stage.wait(11_000, &["users-0"]);
    assert!(stage.view().paused);
    assert_eq!(stage.verdicts(), ["RolloutStalled users not_started", "RolloutPaused users not_started"]);
    stage.says("users-0", complete());
    stage.person(resume());
    stage.says("chat-0", complete());
    assert_eq!(stage.view().status, Status::Completed);
}

#[test]
fn a_held_domain_stands_still() {
    let mut stage = Stage::new(&plan());
    stage.person(held());
    stage.wait(60_000, &["db-0"]);
    assert!(stage.verdicts().is_empty() && stage.engine.view().held);
    stage.person(released());
    stage.wait(11_000, &["db-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled schema not_started"]);
}

#[test]
fn a_pause_that_lost_its_ground_before_it_was_said_pauses_nothing() {
    let mut plan = plan();
    plan.steps[1].on_stall = OnStall::Pause;
    let mut stage = Stage::new(&plan);
    stage.says("db-0", ready());
    // until the pause is accepted, and not further
    while stage.view().deciding.is_none() {
        if !stage.feed_next() {
            stage.wait_for_a_record(&["users-0"]);
        }
    }
    let said = stage.log.entries.pop().expect("the sentinel has said it");
    assert!(
        matches!(&said, Entry::Event(record) if record.event.body.event_type() == EventType::RolloutPaused)
    );
    stage.person(overrides("users"));
    let Entry::Event(said) = said else { unreachable!("looked at above") };
    stage.log.append(said.event);
    stage.settle();
    assert!(!stage.view().paused, "it pauses");
    assert_eq!(stage.step(1), StepStatus::Overridden);
    stage.says("chat-0", complete());
    assert_eq!(stage.view().status, Status::Completed);
}

/// How long the clocks stood still is known when the leap is: till then they wait, and no step of the broker's clock that
/// fell into a pause is given to a window.
#[test]
fn a_leap_of_the_clock_during_a_pause_neither_shortens_nor_lengthens_a_window() {
    use pavane_events::control::{ProposalKind, Proposed};
    for (by_ms, left) in [(60_000, 4_000), (0, 4_000), (50_000, 4_000)] {
        let mut stage = Stage::new(&plan());
        stage.wait(6_000, &["db-0"]);
        stage.person(pause());
        stage.log.time += 60_000;
        stage.log.person("r1", pause());
        let leap = i64::try_from(stage.log.entries.len()).expect("short") - 1;
        stage.log.person("r1", resume());
        let kind = ProposalKind::ClockStepped;
        let body = Proposed { kind, leap: Some(leap), by_ms, ..Proposed::default() }.into();
        let draft = Draft { id: None, rollout: None, causation: None, service: None, body };
        stage.log.draft("s2", draft);
        stage.settle();
        let deadline = stage.view().steps[0].deadline.expect("a window");
        assert_eq!(deadline.since(stage.engine.time()), left, "{by_ms} ms of it were no time");
    }
}
