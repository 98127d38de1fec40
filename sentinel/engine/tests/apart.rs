//! What programs want apart of a stall stands in a field of its own, with its value, in the alert; and only where it
//! applies.

mod floor;
mod stage;

use floor::*;
use pavane_events::{Entry, Timestamp, Unreadable, UnreadableReason};
use pavane_sentinel_engine::{AlertStatus, Input};
use stage::Stage;

/// The fields that only some stalls have.
const APART: [&str; 7] = ["schema_id", "field", "dead_letter", "outbox", "lag", "exit_code", "output"];

/// What happens, and what stands apart of it.
type Row = (&'static str, fn(&mut Stage), &'static [(&'static str, &'static str)]);

const TABLE: [Row; 7] = [
    (
        "who waits for it cannot read it",
        rejected_by_its_reader,
        &[("schema_id", "7"), ("field", "/detail"), ("dead_letter", "3")],
    ),
    (
        "what may have been it cannot be read",
        unreadable,
        &[("schema_id", "2"), ("field", "/detail"), ("dead_letter", "3")],
    ),
    ("its event waits in its outbox", |stage| hear(stage, 2, 0), &[("outbox", "users-0 2")]),
    ("its sidecar has not read the log", |stage| hear(stage, 0, 2), &[("lag", "users-0 2")]),
    ("its sidecar is well and nothing comes", |stage| hear(stage, 0, 0), &[]),
    (
        "its hook ends with a code",
        |stage| stage.says("users-0", failed_with(3)),
        &[("exit_code", "3"), ("output", "one\ntwo")],
    ),
    ("it says that it failed, and no hook did", |stage| stage.says("users-0", failed("no")), &[]),
];

fn rejected_by_its_reader(stage: &mut Stage) {
    let offset = end(stage);
    stage.log.entries.push(entry(offset, stage.log.time, None));
    stage.says("chat-0", rejected("users", "DeploymentComplete", offset));
    hear(stage, 0, 0);
}

fn unreadable(stage: &mut Stage) {
    let offset = end(stage);
    stage.log.entries.push(entry(offset, stage.log.time, Some(2)));
    stage.settle();
    hear(stage, 0, 0);
}

fn end(stage: &Stage) -> i64 {
    i64::try_from(stage.log.entries.len()).expect("a short log")
}

/// An event of `users` that nobody can read.
fn entry(offset: i64, at: i64, schema_id: Option<i64>) -> Entry {
    Entry::Unreadable(Unreadable {
        offset,
        at: Timestamp(at),
        event_type: Some("io.pavane.lifecycle.v1.DeploymentComplete".to_owned()),
        id: None,
        service: pavane_events::Service::new("users").ok(),
        rollout: Some(rollout_id("r1")),
        schema_id,
        reason: UnreadableReason::Incompatible,
        field: "/detail".to_owned(),
        detail: String::new(),
    })
}

/// Its sidecar is heard every second until its window is over: so many events wait, so many records are not read.
fn hear(stage: &mut Stage, outbox: i64, lag: i64) {
    for _ in 0..40 {
        let position = end(stage) - 1 - lag;
        let heartbeat = pavane_events::Heartbeat { outbox, position, ..heartbeat("users-0", "hook") };
        stage.feed(Input::Heartbeat { heartbeat, offset: 9, at: Timestamp(stage.log.time) });
        stage.wait(1_000, &[]);
    }
}

#[test]
fn what_stands_apart_of_a_stall_has_its_value_and_what_does_not_apply_is_left_out() {
    for (seen, happens, shows) in TABLE {
        let mut stage = Stage::new(&plan());
        stage.says("db-0", ready());
        happens(&mut stage);
        let told = stage.alerts.iter().find(|alert| {
            alert.labels["alertname"] == "RolloutStalled" && alert.status == AlertStatus::Firing
        });
        let told = told.unwrap_or_else(|| panic!("{seen}: nothing was told"));
        let apart = APART.iter().filter_map(|field| Some((*field, told.annotations.get(*field)?.as_str())));
        assert_eq!(apart.collect::<Vec<_>>(), shows, "{seen}: {:?}", told.annotations);
    }
}
