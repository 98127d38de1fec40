//! What the checks of a service answer, brought to a verdict: damped, with a stricter bound to come back to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use pavane_sidecar_engine::health::{Amount, Bound, Check, Condition, Health, Side, Verdict};
use proptest::prelude::*;

/// Good, bad, or a value.
type Told = Result<Option<f64>, ()>;

const GOOD: Told = Ok(None);
const BAD: Told = Err(());

#[test]
fn a_check_changes_its_mind_only_after_so_many_answers_in_a_row() {
    // passes 2, failures 3: after each answer, how it stands
    for (answers, stands) in [
        (&[GOOD, GOOD][..], "starting well"),
        (&[GOOD, BAD, GOOD, GOOD], "starting starting starting well"),
        (&[GOOD, GOOD, BAD, GOOD, BAD, BAD], "starting well well well well well"),
        (&[GOOD, GOOD, BAD, BAD, BAD], "starting well well well sick"),
        (&[BAD, BAD, BAD, GOOD, GOOD], "starting starting sick sick well"),
        (&[BAD, BAD, BAD, GOOD, BAD, GOOD, GOOD], "starting starting sick sick sick sick well"),
    ] {
        assert_eq!(played(check(), answers), stands, "{answers:?}");
    }
}

#[test]
fn a_value_must_come_back_to_the_stricter_bound() {
    let at_most = Check { passes: 1, failures: 1, bound: Some(bound(Side::AtMost, 20.0, 10.0)), ..check() };
    let at_least = Check { passes: 1, failures: 1, bound: Some(bound(Side::AtLeast, 0.5, 0.75)), ..check() };
    for (check, values, stands) in [
        // In the band between the two it stays as it is.
        (
            at_most.clone(),
            &[10.0, 20.0, 20.001, 15.0, 10.001, 10.0, 15.0][..],
            "well well sick sick sick well well",
        ),
        (at_most, &[15.0], "sick"),
        (at_least, &[0.8, 0.5, 0.49, 0.6, 0.75, 0.6], "well well sick sick well well"),
    ] {
        let answers: Vec<Told> = values.iter().map(|value| Ok(Some(*value))).collect();
        assert_eq!(played(check, &answers), stands, "{values:?}");
    }
}

#[test]
fn held_against_a_bound_an_answer_without_a_value_is_bad() {
    let check = Check { passes: 1, failures: 1, bound: Some(bound(Side::AtMost, 20.0, 10.0)), ..check() };
    assert_eq!(played(check, &[GOOD]), "sick");
    assert_eq!(Amount::new(f64::NAN), None);
    assert_eq!(Amount::new(f64::INFINITY), None);
}

#[test]
fn bad_answers_do_not_count_while_it_starts_and_being_well_once_ends_that() {
    let check = Check { passes: 1, failures: 1, grace: 3_000, ..check() };
    assert_eq!(played(check.clone(), &[BAD, BAD, BAD, BAD]), "starting starting starting sick");
    assert_eq!(played(check.clone(), &[BAD, GOOD, BAD]), "starting well sick", "within its grace");
    let mut health = Health::new(0, [check]);
    answer(&mut health, 0, GOOD);
    health.begin_anew(10_000);
    assert_eq!(health.verdict(), Verdict::Starting(findings(&health)), "of the service as it was");
    answer(&mut health, 12_999, BAD);
    assert_eq!(condition(&health), Condition::Starting);
    answer(&mut health, 15_000, BAD);
    assert_eq!(condition(&health), Condition::Sick);
}

#[test]
fn the_verdict_names_every_check_that_is_not_well_and_by_how_much() {
    let cache = Check {
        name: "cache".into(),
        bound: Some(bound(Side::AtMost, 20.0, 10.0)),
        unit: "ms",
        failures: 1,
        passes: 1,
        ..check()
    };
    let port = Check { name: "port".into(), passes: 1, failures: 1, ..check() };
    let mut health = Health::new(0, [port, cache, check()]);
    let asked = health.due(0);
    health.answered(1, asked[0].ticket, Ok(None));
    health.answered(1, asked[1].ticket, Ok(Amount::new(8.0)));
    health.answered(1, asked[2].ticket, Err("refused".into()));
    let asked = health.due(2_000);
    health.answered(2_001, asked[1].ticket, Ok(Amount::new(35.5)));
    let verdict = health.verdict();
    assert!(matches!(&verdict, Verdict::Sick(findings) if findings.len() == 2), "{verdict:?}");
    let off = "25.5 ms off";
    let reason = "cache: 35.5 ms, where at most 10 ms makes it well again: ";
    assert_eq!(verdict.reason(), format!("{reason}{off}; a: refused"));
    let cache = health.standings().nth(1).unwrap();
    assert_eq!((cache.value(), cache.off_by()), (Amount::new(35.5), Amount::new(25.5)));
}

#[test]
fn each_check_is_asked_in_its_own_time_and_never_twice_at_once() {
    let slow = Check { name: "slow".into(), every: 5_000, ..check() };
    let mut health = Health::new(0, [check(), slow]);
    let asked = health.due(0);
    assert_eq!(asked.iter().map(|question| question.check).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((health.due(60_000), health.next_deadline()), (vec![], None), "both are being asked");
    health.answered(60_000, asked[0].ticket, Ok(None));
    assert_eq!(health.next_deadline(), Some(1_000), "overdue");
    assert_eq!(health.due(60_000).len(), 1);
    health.answered(60_001, asked[0].ticket, Err("twice".into()));
    assert_eq!(health.standings().next().unwrap().good, 1, "an answer counts once");
    health.answered(60_002, asked[1].ticket, Ok(None));
    assert_eq!(health.next_deadline(), Some(5_000));
}

#[test]
fn an_answer_from_before_the_new_beginning_is_not_listened_to() {
    let mut health = Health::new(0, [Check { passes: 1, ..check() }]);
    let asked = health.due(0);
    health.begin_anew(10);
    health.answered(20, asked[0].ticket, Ok(None));
    assert_eq!(condition(&health), Condition::Starting);
    let asked = health.due(20);
    health.answered(30, asked[0].ticket, Ok(None));
    assert_eq!(health.verdict(), Verdict::Ready);
}

proptest! {
    #[test]
    fn alternating_answers_never_make_it_flap(passes in 2_u32..6, failures in 2_u32..6, first: bool, count in 2_usize..200) {
        let check = Check { passes, failures, ..check() };
        for begin in [Condition::Well, Condition::Sick] {
            let mut health = Health::new(0, [check.clone()]);
            let steady = if begin == Condition::Well { GOOD } else { BAD };
            let mut now = 0;
            while condition(&health) != begin {
                answer(&mut health, now, steady);
                now += 1_000;
            }
            for turn in 0..count {
                answer(&mut health, now, if (turn % 2 == 0) == first { GOOD } else { BAD });
                now += 1_000;
                prop_assert_eq!(condition(&health), begin);
            }
        }
    }

    #[test]
    fn values_that_swing_between_the_two_bounds_never_make_it_flap(
        limit in 1.0_f64..1e6, share in 0.0_f64..1.0, swings in prop::collection::vec(0.0_f64..1.0, 1..100), sick: bool
    ) {
        let back = limit * share;
        let check = Check { passes: 1, failures: 1, bound: Some(bound(Side::AtMost, limit, back)), ..check() };
        let mut health = Health::new(0, [check]);
        answer(&mut health, 0, Ok(Some(if sick { limit * 2.0 } else { back })));
        let begun = condition(&health);
        prop_assert_eq!(begun == Condition::Sick, sick);
        for (turn, swing) in swings.into_iter().enumerate() {
            let value = limit - (limit - back) * swing;
            prop_assume!(value > back && value <= limit);
            answer(&mut health, 1_000 * (i64::try_from(turn).unwrap() + 1), Ok(Some(value)));
            prop_assert_eq!(condition(&health), begun);
        }
    }

    /// The fold against its definition: the last change was made by a whole run of answers that spoke for it.
    #[test]
    fn a_change_of_mind_always_has_a_whole_run_behind_it(
        passes in 1_u32..5, failures in 1_u32..5, answers in prop::collection::vec(any::<bool>(), 1..100)
    ) {
        let mut health = Health::new(0, [Check { passes, failures, ..check() }]);
        let mut before = Condition::Starting;
        for (turn, good) in answers.iter().enumerate() {
            answer(&mut health, 1_000 * i64::try_from(turn).unwrap(), if *good { GOOD } else { BAD });
            let after = condition(&health);
            let run = answers[..=turn].iter().rev().take_while(|other| *other == good).count();
            let turned = if *good { run >= passes as usize } else { run >= failures as usize };
            let expected = match (turned, good) {
                (true, true) => Condition::Well,
                (true, false) => Condition::Sick,
                (false, _) => before,
            };
            prop_assert_eq!(after, expected);
            before = after;
        }
    }
}

fn check() -> Check {
    Check { name: "a".into(), every: 1_000, passes: 2, failures: 3, grace: 0, bound: None, unit: "" }
}

fn bound(side: Side, limit: f64, back: f64) -> Bound {
    Bound { side, limit: Amount::new(limit).unwrap(), back: Amount::new(back).unwrap() }
}

/// How a check stands after each of its answers, one a second.
fn played(check: Check, answers: &[Told]) -> String {
    let mut health = Health::new(0, [check]);
    let mut stands = Vec::new();
    for (turn, told) in answers.iter().enumerate() {
        answer(&mut health, 1_000 * i64::try_from(turn).unwrap(), *told);
        stands.push(condition(&health).as_str());
    }
    stands.join(" ")
}

fn answer(health: &mut Health, now: i64, told: Told) {
    let asked = health.due(now);
    let answer = told.map(|value| value.and_then(Amount::new)).map_err(|()| "503".to_owned());
    health.answered(now, asked[0].ticket, answer);
}

fn condition(health: &Health) -> Condition {
    health.standings().next().unwrap().condition
}

fn findings(health: &Health) -> Vec<pavane_sidecar_engine::health::Finding> {
    match health.verdict() {
        Verdict::Ready => Vec::new(),
        Verdict::Starting(findings) | Verdict::Sick(findings) => findings,
    }
}
