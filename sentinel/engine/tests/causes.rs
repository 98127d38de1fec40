//! The causes: what a sentinel sees makes it tell the cause that the table of causes gives, and on weak evidence nothing
//! is ever taken back by itself: for each cause, each remedy of the plan and each age of what was seen.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::{Bound, Method, OnStall, Phase, Plan, Watch};
use pavane_events::control::{DomainConfigured, ProposalKind, Proposed};
use pavane_events::{
    Body, Cause, Entry, EventType, Evidence, EvidenceKind, Instance, PhaseId, StepId, Timestamp, Unreadable,
    UnreadableReason,
};
use pavane_sentinel_engine::{BlindCause, Counter, Draft, Input, Status};
use stage::Stage;

/// What is seen of `users`, which owes its event, and the cause that it must be told with.
type Row = (&'static str, fn(&mut Stage), &'static str, bool);

/// The table: what happens, the cause, and whether a plan may let the sentinel take it back.
const TABLE: [Row; 13] = [
    ("alive, and has not begun", |stage| stage.wait(40_000, &["users-0"]), "not_started", true),
    ("begun, alive, and not done", begun_and_alive, "not_finished", true),
    ("an explicit failure", failed_and_alive, "failed", true),
    ("who waits for it cannot read it", rejected_by_its_reader, "contract_broken", false),
    ("what may have been it cannot be read", unreadable_and_alive, "contract_broken", false),
    ("in its outbox still", undelivered, "undelivered", false),
    ("acknowledged, and not on the log", acknowledged_and_gone, "gap", false),
    ("a number is left out", number_left_out, "gap", false),
    ("not heard", |stage| stage.wait(60_000, &[]), "unreachable", false),
    ("of a version that does not count", other_version, "conflict", false),
    ("two sidecars under one name, by their heartbeats", twins_beside_the_log, "conflict", false),
    ("two sidecars under one name, by what they say", twins_on_the_log, "conflict", false),
    ("one sidecar that began anew", begun_anew, "not_finished", true),
];

fn begun_and_alive(stage: &mut Stage) {
    stage.says("users-0", started("1.0.0"));
    stage.wait(40_000, &["users-0"]);
}

fn failed_and_alive(stage: &mut Stage) {
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", failed("exit 1"));
    stage.wait(10_000, &["users-0"]);
}

fn rejected_by_its_reader(stage: &mut Stage) {
    let offset = i64::try_from(stage.log.entries.len()).expect("short");
    stage.says("chat-0", rejected("users", "DeploymentComplete", offset));
    stage.wait(40_000, &["users-0", "chat-0"]);
}

fn unreadable_and_alive(stage: &mut Stage) {
    stage.says("users-0", started("1.0.0"));
    let offset = i64::try_from(stage.log.entries.len()).expect("short");
    let service = pavane_events::Service::new("users").ok();
    stage.log.entries.push(Entry::Unreadable(Unreadable {
        offset,
        at: Timestamp(stage.log.time),
        event_type: Some("io.pavane.lifecycle.v1.DeploymentComplete".to_owned()),
        id: None,
        service,
        rollout: Some(rollout_id("r1")),
        schema_id: Some(7),
        reason: UnreadableReason::Incompatible,
        field: String::new(),
        detail: String::new(),
    }));
    stage.settle();
    stage.wait(40_000, &["users-0"]);
}

fn undelivered(stage: &mut Stage) {
    stage.says("users-0", started("1.0.0"));
    for _ in 0..40 {
        let mut heartbeat = heartbeat("users-0", "hook");
        heartbeat.outbox = 1;
        let at = Timestamp(stage.log.time);
        stage.feed(Input::Heartbeat { heartbeat, offset: 0, at });
        stage.wait(1_000, &[]);
    }
}

fn acknowledged_and_gone(stage: &mut Stage) {
    stage.numbered("users-0", 1, started("1.0.0"));
    stage.acknowledged = 2;
    stage.wait(40_000, &["users-0"]);
}

fn number_left_out(stage: &mut Stage) {
    stage.numbered("users-0", 2, started("1.0.0"));
    stage.acknowledged = 2;
    stage.wait(40_000, &["users-0"]);
}

fn other_version(stage: &mut Stage) {
    stage.log.says("r1", "users-0", "1.0.0", complete());
    stage.settle();
    stage.wait(40_000, &["users-0"]);
}

/// Two boots take turns every half second.
fn twins_beside_the_log(stage: &mut Stage) {
    beats(stage, &["one", "two"]);
}

fn twins_on_the_log(stage: &mut Stage) {
    for (n, boot) in ["one", "two", "one"].into_iter().enumerate() {
        stage.of_boot("users-0", boot, i64::try_from(n).expect("small") + 1, started("1.0.0"));
    }
    beats(stage, &["one"]);
}

/// The last heartbeat of the one that was killed comes after the first of its successor.
fn begun_anew(stage: &mut Stage) {
    stage.of_boot("users-0", "one", 1, started("1.0.0"));
    for boot in ["one", "two", "one", "two"] {
        beat(stage, boot);
    }
    stage.of_boot("users-0", "two", 1, started("1.0.0"));
    beats(stage, &["two"]);
}

fn beats(stage: &mut Stage, boots: &[&str]) {
    for boot in boots.iter().cycle().take(80) {
        beat(stage, boot);
    }
}

fn beat(stage: &mut Stage, boot: &str) {
    let mut heartbeat = heartbeat("users-0", "hook");
    boot.clone_into(&mut heartbeat.boot);
    let at = Timestamp(stage.log.time);
    stage.feed(Input::Heartbeat { heartbeat, offset: 0, at });
    stage.wait(500, &[]);
}

/// `users` stands still with this remedy, and wants a version.
fn plan_with(remedy: OnStall) -> Plan {
    let mut plan = plan();
    plan.steps[1].on_stall = remedy;
    plan.steps[1].version = Some(">=2.0.0".parse().expect("a range"));
    plan
}

#[test]
fn what_is_seen_gives_the_cause_and_the_cause_says_whether_it_may_be_taken_back() {
    for (seen, happens, cause, strong) in TABLE {
        for remedy in [OnStall::Alert, OnStall::Pause, OnStall::Rollback] {
            let mut stage = Stage::new(&plan_with(remedy));
            stage.says("db-0", ready());
            happens(&mut stage);
            let what = format!("{seen}, {remedy:?}: {:?}", stage.verdicts());
            assert_eq!(stage.verdicts().first(), Some(&format!("RolloutStalled users {cause}")), "{what}");
            let back = stage.said(EventType::RollbackRequested).len();
            let asked = strong && remedy == OnStall::Rollback;
            assert_eq!(back > 0, asked, "{what}: asked back");
            assert_eq!(stage.view().status != Status::Open, asked, "{what}: {:?}", stage.view().status);
            let paused = stage.said(EventType::RolloutPaused).len();
            assert_eq!(paused > 0, remedy == OnStall::Pause, "{what}: paused");
        }
    }
}

#[test]
fn an_event_before_what_must_come_first_is_out_of_order_and_takes_nothing_back() {
    for remedy in [OnStall::Alert, OnStall::Pause, OnStall::Rollback] {
        let mut stage = Stage::new(&plan_with(remedy));
        stage.says("users-0", complete());
        stage.wait(2_000, &["users-0", "db-0"]);
        assert_eq!(stage.verdicts(), ["SequenceViolated users out_of_order"]);
        assert_eq!(stage.view().status, Status::Open);
    }
}

#[test]
fn who_cannot_see_tells_no_stall_at_all() {
    for blind in BlindCause::ALL {
        let mut stage = Stage::new(&plan_with(OnStall::Rollback));
        stage.says("db-0", ready());
        stage.log.time += 60_000;
        stage.feed(Input::Lost(blind));
        stage.feed(Input::Tick);
        let proposed = stage.said(EventType::Proposed).len();
        assert_eq!(proposed, 0, "{blind:?}: it saw nothing and proposed");
    }
}

const KINDS: [EvidenceKind; 8] = [
    EvidenceKind::Heartbeat,
    EvidenceKind::Silence,
    EvidenceKind::Failure,
    EvidenceKind::Rejection,
    EvidenceKind::DeadLetter,
    EvidenceKind::Early,
    EvidenceKind::Metric,
    EvidenceKind::Unknown,
];

/// One piece of evidence: its kind, its cause, how long after the stall it was appended, and what waits in the outbox.
type Piece = (EvidenceKind, Cause, Option<i64>, i64);

/// What a sentinel may quote to take `users` back, once it stands still because nobody finished: a heartbeat after the
/// stall, of an instance with nothing on its way, that says it has not started, not finished, or failed.
fn is_strong((kind, cause, after, outbox): Piece) -> bool {
    let allowed = matches!(cause, Cause::Failed | Cause::NotFinished | Cause::NotStarted);
    kind == EvidenceKind::Heartbeat && allowed && after.is_some_and(|after| after > 0) && outbox == 0
}

/// `users` stands still, begun and not finished; what is proposed now is all that is known of it.
fn stalled(remedy: OnStall) -> (Stage, i64) {
    let mut stage = Stage::new(&plan_with(remedy));
    stage.says("db-0", ready());
    stage.says("users-0", started("1.0.0"));
    stage.wait(10_300, &["users-0"]);
    assert_eq!(stage.verdicts()[0], "RolloutStalled users not_finished");
    let Some(Body::RolloutStalled(said)) = stage.said(EventType::RolloutStalled).pop() else {
        panic!("said")
    };
    let stalled = stage.log.entries[usize::try_from(said.accepted).expect("an offset")].at().0;
    stage.log.time += 1_500;
    (stage, stalled)
}

/// Whether the log accepts it when a sentinel asks for a rollback on this evidence.
fn is_accepted(stage: &mut Stage, stalled: i64, pieces: &[Piece]) -> bool {
    let evidence = pieces.iter().map(|(kind, cause, after, outbox)| Evidence {
        kind: *kind,
        cause: *cause,
        instance: Instance::new("users-0").ok(),
        at: after.map(|after| Timestamp(stalled + after)),
        outbox: *outbox,
        value: "7".to_owned(),
        ..Evidence::default()
    });
    let evidence = evidence.collect();
    asks_back(stage, evidence)
}

/// Whether the log accepts it when a sentinel asks for a rollback of `users` and quotes this.
fn asks_back(stage: &mut Stage, evidence: Vec<Evidence>) -> bool {
    let proposed = Proposed {
        kind: ProposalKind::RollbackRequested,
        epoch: 1,
        step: StepId::new("users").ok(),
        attempt: 1,
        cause: Cause::NotFinished,
        evidence,
        ..Proposed::default()
    };
    let rollout = Some(rollout_id("r1"));
    let draft = Draft { id: None, rollout, causation: None, service: None, body: proposed.into() };
    stage.log.draft("s2", draft);
    stage.counted.clear();
    stage.settle();
    stage.counted.contains_key(&Counter::ProposalAccepted("RollbackRequested"))
}

#[test]
fn no_weak_evidence_of_any_kind_or_age_takes_anything_back() {
    let ages = [None, Some(-10_000), Some(-1), Some(0), Some(1), Some(1_400)];
    let (mut tried, mut accepted) = (0, 0);
    for remedy in [OnStall::Alert, OnStall::Pause, OnStall::Rollback] {
        for (kind, cause) in KINDS.iter().flat_map(|kind| Cause::ALL.map(|cause| (*kind, cause))) {
            for (age, outbox) in ages.iter().flat_map(|age| [(*age, 0), (*age, 1)]) {
                let piece = (kind, cause, age, outbox);
                let (mut stage, at) = stalled(remedy);
                let expected = remedy == OnStall::Rollback && is_strong(piece);
                assert_eq!(is_accepted(&mut stage, at, &[piece]), expected, "{remedy:?}, {piece:?}");
                tried += 1;
                accepted += usize::from(expected);
            }
        }
    }
    assert_eq!((tried, accepted), (3 * 8 * 10 * 12, 6), "three causes, two ages after the stall");
}

#[test]
fn one_weak_piece_among_strong_ones_is_enough_to_leave_it_to_a_person() {
    let strong = (EvidenceKind::Heartbeat, Cause::NotFinished, Some(1), 0);
    let (mut stage, at) = stalled(OnStall::Rollback);
    assert!(!is_accepted(&mut stage, at, &[]), "nothing was seen");
    for weak in Cause::ALL.into_iter().map(|cause| (EvidenceKind::Silence, cause, Some(1), 0)) {
        for pieces in [[strong, weak], [weak, strong]] {
            let (mut stage, at) = stalled(OnStall::Rollback);
            assert!(!is_accepted(&mut stage, at, &pieces), "{pieces:?}");
        }
    }
    let (mut stage, at) = stalled(OnStall::Rollback);
    assert!(is_accepted(&mut stage, at, &[strong, strong]));
}

type Names = &'static [&'static str];

#[test]
fn what_is_quoted_must_be_of_every_instance_that_owes_the_event() {
    let piece = |instance: &str| Evidence {
        kind: EvidenceKind::Heartbeat,
        cause: Cause::NotFinished,
        instance: Instance::new(instance).ok(),
        ..Evidence::default()
    };
    // who began, who came, and who is quoted
    let cases: [(Names, Names, Names, bool); 7] = [
        (&["users-0"], &[], &["users-0", "users-1", "users-2"], true),
        (&["users-0"], &[], &["users-1", "users-2", "users-3"], false),
        (&["users-0"], &[], &["users-0", "users-1"], false),
        (&["users-0", "users-1"], &["users-2"], &["users-0", "users-1"], true),
        (&["users-0", "users-1"], &["users-2"], &["users-0", "users-2"], false),
        (&["users-0", "users-1"], &["users-2"], &["users-0", "users-0"], false),
        (&["users-0", "users-1", "users-3"], &["users-2"], &["users-0", "users-1"], false),
    ];
    for (begun, came, quoted, accepted) in cases {
        let mut plan = plan_with(OnStall::Rollback);
        plan.steps[1].instances = pavane_choreography::Instances::Count(3);
        let mut stage = Stage::new(&plan);
        stage.says("db-0", ready());
        for by in begun {
            stage.says(by, started("1.0.0"));
        }
        for by in came {
            stage.says(by, complete());
        }
        // nobody is heard, so that the sentinel asks for nothing by itself
        stage.wait(14_000, &[]);
        assert_eq!(stage.verdicts(), ["RolloutStalled users unreachable"]);
        let at = Some(Timestamp(stage.log.time));
        let evidence = quoted.iter().map(|by| Evidence { at, ..piece(by) }).collect();
        let what = format!("{begun:?} began, {came:?} came, {quoted:?}");
        assert_eq!(asks_back(&mut stage, evidence), accepted, "{what}");
    }
}

#[test]
fn an_instance_that_nobody_has_heard_leaves_it_to_a_person() {
    for (alive, cause) in [(&["users-0", "users-1"][..], "not_started"), (&["users-0"], "unreachable")] {
        let mut plan = plan_with(OnStall::Rollback);
        plan.steps[1].instances = pavane_choreography::Instances::Count(2);
        let mut stage = Stage::new(&plan);
        stage.says("db-0", ready());
        stage.wait(40_000, alive);
        assert_eq!(stage.verdicts()[0], format!("RolloutStalled users {cause}"));
        assert_eq!(stage.said(EventType::RollbackRequested).is_empty(), cause == "unreachable", "{alive:?}");
    }
}

#[test]
fn who_shares_a_name_is_not_taken_back_whatever_is_quoted() {
    let mut stage = Stage::new(&plan_with(OnStall::Rollback));
    stage.says("db-0", ready());
    twins_on_the_log(&mut stage);
    let strong = |at| Evidence {
        kind: EvidenceKind::Heartbeat,
        cause: Cause::NotFinished,
        instance: Instance::new("users-0").ok(),
        at,
        ..Evidence::default()
    };
    let at = Some(Timestamp(stage.log.time));
    assert!(!asks_back(&mut stage, vec![strong(at)]), "two speak as users-0");
    stage.of_boot("users-0", "three", 1, started("1.0.0"));
    stage.wait(2_000, &["users-0"]);
    assert!(!stage.said(EventType::RollbackRequested).is_empty(), "it began anew, alone");
}

#[test]
fn a_metric_takes_back_only_what_it_was_the_stall_of() {
    let metric = (EvidenceKind::Metric, Cause::Failed, Some(1), 0);
    let (mut stage, at) = stalled(OnStall::Rollback);
    assert!(!is_accepted(&mut stage, at, &[metric]));
    let mut plan = plan_of(&[step("users", "users", EventType::DeploymentComplete, &[])]);
    plan.method = Method::Hybrid;
    let (hold, every, on_breach) = (60_000, 10_000, OnStall::Rollback);
    let watch = Watch { query: "errors".to_owned(), bound: Bound::AtMost(1.into()), hold, every, on_breach };
    let (id, steps) = (PhaseId::new("first").expect("a name"), vec![plan.steps[0].id.clone()]);
    plan.phases = vec![Phase { id, steps, approval: None, cohort: None, soak: 0, watch: Some(watch) }];
    let mut stage = Stage::new(&plan);
    stage.metrics.insert("errors".to_owned(), 7.0);
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", complete());
    stage.wait(2_000, &["users-0"]);
    let expected = ["PhaseBegun", "RolloutStalled users failed", "RollbackRequested users failed"];
    assert_eq!(stage.verdicts(), expected);
}

#[test]
fn a_domain_that_allows_no_rollback_by_itself_pauses_where_the_plan_asks_for_one() {
    let mut stage = Stage::empty();
    stage.log.person("r1", DomainConfigured { rollback_budget: 0, ..DomainConfigured::default() });
    stage.log.start("r1", &plan_with(OnStall::Rollback));
    stage.settle();
    stage.says("db-0", ready());
    begun_and_alive(&mut stage);
    assert!(stage.said(EventType::RollbackRequested).is_empty());
    let Some(Body::RolloutPaused(paused)) = stage.said(EventType::RolloutPaused).pop() else {
        panic!("paused")
    };
    assert!(paused.reason.contains("not rolled back"), "{}", paused.reason);
}
