//! A rollout as tests look at it, and what is shown of it.

use pavane_choreography::{OnStall, Severity};
use pavane_events::{Cause, RolloutId};

use super::*;

#[test]
fn lengths_of_time_read_as_people_say_them() {
    let told = [0, 40, 400, 3_000, 3_250, 12_900, 123_000, 3_840_000, -1_500].map(lasting);
    assert_eq!(told, ["0 s", "0 s", "0.4 s", "3 s", "3.2 s", "12 s", "2m 3s", "1h 4m", "-1.5 s"]);
}

#[test]
fn a_stalled_step_says_what_is_missing_why_and_whose_it_is() {
    let text = uncoloured(&list(&rollout(), Timestamp(12_000)));
    assert_eq!(
        text,
        "users-v2  r-1\n  open · 1 of 3 steps met · for 12 s · owner identity · trace abc\n  \
         ✓ done         schema     schema.DeploymentComplete\n  \
         ✗ stalled      users      users.DeploymentComplete\n                 \
         for 10 s · 2 s over its window\n                 \
         missing users.DeploymentComplete · not finished · owner identity\n  \
         · waiting      messaging  messaging.DeploymentComplete  after users\n"
    );
}

#[test]
fn a_share_that_nobody_has_counted_is_told_as_the_plan_writes_it() {
    let mut shared = step("users", StepStatus::Open, &["schema"]);
    (shared.want, shared.instances_wanted, shared.zone) = (None, "25%".into(), Some("eu".into()));
    let said = remarks(&shared, false, Timestamp(4_000));
    assert_eq!(said, "zone eu · 0 of 25% of the instances · for 2 s · 6 s left");
}

#[test]
fn what_a_step_waits_for_is_told_whether_all_or_one_of_it() {
    let mut waiting = step("users", StepStatus::Waiting, &["schema"]);
    waiting.after_any = vec!["a".into(), "b".into()];
    assert_eq!(remarks(&waiting, false, Timestamp(0)), "after schema and one of a or b");
    waiting.after.clear();
    assert_eq!(remarks(&waiting, false, Timestamp(0)), "after a or b");
}

#[test]
fn a_queued_rollout_says_whom_it_waits_for() {
    let mut queued = rollout();
    (queued.status, queued.behind) = (Status::Queued, Some(RolloutId::new("r-0").expect("a name")));
    let text = uncoloured(&line(&queued, Timestamp(12_000)));
    assert!(text.starts_with("r-1  users-v2  queued behind r-0  1 of 3 steps met · for 12 s"), "{text}");
    assert!(!is_over(queued.status) && is_over(Status::Aborted));
}

#[test]
fn a_line_names_the_stall_too() {
    let text = uncoloured(&line(&rollout(), Timestamp(12_000)));
    assert!(text.contains("1 of 3 steps met · for 12 s · missing users.DeploymentComplete"), "{text}");
}

#[test]
fn no_state_is_told_by_colour_alone() {
    let states = [
        StepStatus::Waiting,
        StepStatus::Open,
        StepStatus::Running,
        StepStatus::Holding,
        StepStatus::Met,
        StepStatus::Overridden,
        StepStatus::Stalled,
        StepStatus::GoingBack,
        StepStatus::Back,
        StepStatus::NotBack,
    ];
    for told in [symbol, word] {
        let distinct: std::collections::BTreeSet<_> = states.iter().map(|state| told(*state)).collect();
        assert_eq!(distinct.len(), states.len());
    }
}

#[test]
fn names_and_states_of_a_row_stand_in_columns() {
    let text = uncoloured(&row(&rollout().steps));
    let (names, states) = text.split_once('\n').expect("two lines");
    let column = |line: &str, word: &str| line[..line.find(word).expect(word)].chars().count();
    assert_eq!(column(names, "users"), column(states, "✗ stalled"));
    assert_eq!(column(names, "messaging"), column(states, "· waiting"));
}

/// The text without its colours.
pub(crate) fn uncoloured(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// A rollout of three steps, the second of which stands still.
pub(crate) fn rollout() -> RolloutView {
    RolloutView {
        id: RolloutId::new("r-1").expect("a name"),
        choreography: "users-v2".into(),
        owner: "identity".into(),
        runbook: None,
        status: Status::Open,
        paused: false,
        stopped_at: None,
        epoch: 1,
        offset: 0,
        started_at: Timestamp(0),
        ended_at: None,
        trace_id: "abc".into(),
        braked: None,
        deciding: None,
        plan_digest: String::new(),
        behind: None,
        phases: Vec::new(),
        steps: vec![
            step("schema", StepStatus::Met, &[]),
            step("users", StepStatus::Stalled, &["schema"]),
            step("messaging", StepStatus::Waiting, &["users"]),
        ],
        verdicts: Vec::new(),
    }
}

/// A step of that name.
pub(crate) fn step(id: &str, state: StepStatus, after: &[&str]) -> StepView {
    StepView {
        id: id.into(),
        expects: format!("{id}.DeploymentComplete"),
        expects_back: format!("{id}.RollbackComplete"),
        service: id.into(),
        owner: "identity".into(),
        runbook: None,
        version: None,
        on_stall: OnStall::Alert,
        severity: Severity::Page,
        reversible: true,
        after: after.iter().map(ToString::to_string).collect(),
        after_any: Vec::new(),
        zone: None,
        phase: None,
        state,
        have: 0,
        want: Some(1),
        instances_wanted: "1".into(),
        since: Some(Timestamp(2_000)),
        deadline: Some(Timestamp(10_000)),
        attempt: 1,
        cause: (state == StepStatus::Stalled).then_some(Cause::NotFinished),
        stalled_at: None,
        in_hand: false,
        gives_up_at: None,
        missing: Some(format!("{id}.DeploymentComplete")),
        full_at: None,
        met_at: None,
        tainted_by: Vec::new(),
        overridden_by: None,
        instances: Vec::new(),
    }
}
