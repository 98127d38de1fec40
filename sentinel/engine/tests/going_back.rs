//! The way back where it does not go as planned: who moves after having answered, and what is told under which id.

mod floor;
mod stage;

use std::collections::BTreeSet;

use floor::*;
use pavane_choreography::{OnStall, Plan};
use pavane_events::command::RollbackRequested;
use pavane_events::{Body, EventType};
use pavane_sentinel_engine::{AlertStatus, Status, StepStatus};
use stage::Stage;

/// `users` is asked back, and `chat` after it has failed.
fn going_back() -> Stage {
    let mut plan: Plan = plan();
    plan.steps[2].on_stall = OnStall::Rollback;
    let mut stage = Stage::new(&plan);
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", complete());
    stage.says("chat-0", started("1.0.0"));
    stage.says("chat-0", failed("exit 1"));
    assert_eq!(stage.view().status, Status::RollingBack);
    stage
}

fn asked(stage: &Stage, service: &str) -> Vec<i64> {
    let said = stage.said(EventType::RollbackRequested).into_iter();
    let turn = |body: &Body| {
        let Body::RollbackRequested(RollbackRequested { service: Some(asked), attempt, .. }) = body else {
            return None;
        };
        (asked.as_str() == service).then_some(*attempt)
    };
    said.filter_map(turn).collect()
}

#[test]
fn who_moves_again_after_being_back_is_asked_again_and_has_a_window_for_it() {
    let mut stage = going_back();
    stage.says("chat-0", back(1));
    stage.wait(8_000, &["chat-0", "users-0"]);
    stage.says("chat-0", started("1.0.0"));
    assert_eq!(asked(&stage, "chat"), [1, 2]);
    assert_eq!(stage.step(2), StepStatus::GoingBack);
    stage.says("users-0", back(1));
    stage.wait(9_000, &["chat-0"]);
    assert_eq!(stage.step(2), StepStatus::GoingBack, "its window began when it moved");
    stage.says("chat-0", back(1));
    assert_eq!(stage.view().status, Status::RolledBack);
}

#[test]
fn a_stall_on_the_way_back_is_another_one_than_the_stall_that_led_to_it() {
    let mut stage = going_back();
    stage.wait(12_000, &["chat-0"]);
    assert_eq!(stage.verdicts().last().map(String::as_str), Some("RollbackStalled chat not_finished"));
    assert_eq!(stage.said(EventType::RolloutStalled).len(), 2, "both are said");
    let ids: BTreeSet<_> = stage.alerts.iter().map(|alert| &alert.id).collect();
    assert_eq!(ids.len(), 2, "and told as two alerts");
    let first = &stage.alerts[0];
    let over = stage.alerts.iter().find(|alert| alert.status == AlertStatus::Resolved);
    assert_eq!(over.map(|alert| &alert.id), Some(&first.id), "the later one takes the place of the first");
}

#[test]
fn a_failure_before_its_turn_is_told_once_however_often_its_prerequisite_speaks() {
    let mut stage = Stage::new(&plan());
    stage.says("chat-0", failed("exit 1"));
    for _ in 0..3 {
        stage.says("users-0", started("1.0.0"));
        stage.says("users-0", failed("exit 1"));
    }
    assert_eq!(stage.verdicts().iter().filter(|verdict| *verdict == "RolloutStalled chat failed").count(), 1);
}

#[test]
fn a_stall_ends_with_its_window_when_a_prerequisite_is_taken_back() {
    let mut stage = Stage::new(&plan());
    stage.says("db-0", ready());
    stage.says("users-0", complete());
    stage.wait(11_000, &["chat-0"]);
    assert_eq!(stage.verdicts(), ["RolloutStalled chat not_started"]);
    stage.says("users-0", drained());
    assert_eq!(stage.step(2), StepStatus::Waiting);
    assert_eq!(stage.alerts.last().map(|alert| alert.status), Some(AlertStatus::Resolved));
    stage.says("users-0", complete());
    stage.wait(11_000, &["chat-0"]);
    assert_eq!(stage.verdicts().len(), 2, "the next window is judged anew");
    assert_eq!(stage.said(EventType::RolloutStalled).len(), 2);
}
