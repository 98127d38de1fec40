//! What holds for any text: reading never panics, and a plan is the same plan wherever it travels.

use std::collections::BTreeSet;

use pavane_choreography::{Plan, read};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic_or_refuse_in_silence(text in any_text()) {
        if let Err(found) = read(&text, "a.yaml") {
            prop_assert!(!found.is_empty());
            prop_assert!(found.iter().all(|found| found.line > 0 && found.column > 0));
            prop_assert!(found.is_sorted_by_key(|found| (found.line, found.column)));
        }
    }

    #[test]
    fn no_cut_and_no_slip_makes_the_reader_panic(at in 0..GOOD.len(), cut in 0..40_usize, slip in "\\PC{0,3}") {
        let at = (0..=at).rev().find(|&at| GOOD.is_char_boundary(at)).unwrap_or(0);
        let end = (at + cut).min(GOOD.len());
        let text = format!("{}{slip}{}", &GOOD[..at], &GOOD[end..]);
        if let Err(found) = read(&text, "a.yaml") {
            prop_assert!(!found.is_empty());
        }
    }

    #[test]
    fn a_plan_survives_its_journey_over_the_log(steps in steps()) {
        let plan = read(&document(&steps), "a.yaml").expect("a good document");
        let there = Plan::from_json(&plan.to_json()).expect("a plan");
        prop_assert_eq!(&there, &plan);
        prop_assert_eq!(there.digest(), plan.digest());
        prop_assert_eq!(there.to_json(), plan.to_json());
        prop_assert_eq!(plan.check(), Ok(()));
    }

    #[test]
    fn every_step_stands_behind_all_that_it_waits_for(steps in steps()) {
        let plan = read(&document(&steps), "a.yaml").expect("a good document");
        prop_assert_eq!(plan.steps.len(), steps.len());
        let mut done = BTreeSet::new();
        for step in &plan.steps {
            prop_assert!(step.after.iter().all(|id| done.contains(id)));
            done.insert(step.id.clone());
        }
    }

    #[test]
    fn above_and_below_are_each_others_mirror(steps in steps()) {
        let plan = read(&document(&steps), "a.yaml").expect("a good document");
        for step in &plan.steps {
            let below = plan.below(&step.id);
            prop_assert!(!below.contains(&step.id));
            for other in &plan.steps {
                prop_assert_eq!(below.contains(&other.id), plan.above(&other.id).contains(&step.id));
            }
            let direct: BTreeSet<_> = step.after.iter().cloned().collect();
            let further: BTreeSet<_> = direct.iter().flat_map(|id| plan.below(id)).collect();
            prop_assert_eq!(below, direct.union(&further).cloned().collect::<BTreeSet<_>>());
        }
    }
}

#[test]
fn the_random_texts_reach_plans_and_most_kinds_of_defect() {
    let mut runner = TestRunner::deterministic();
    let (mut plans, mut codes) = (0, BTreeSet::new());
    for _ in 0..4000 {
        let text = any_text().new_tree(&mut runner).expect("a text").current();
        match read(&text, "a.yaml") {
            Ok(_) => plans += 1,
            Err(found) => codes.extend(found.into_iter().map(|found| found.code)),
        }
    }
    assert!(plans >= 50 && codes.len() >= 12, "{plans} plans, {codes:?}");
}

/// The steps that the step at each place waits for. A number is what the step is called, so that the order of the
/// file is not the order of the waiting.
type Steps = Vec<(usize, BTreeSet<usize>)>;

fn steps() -> impl Strategy<Value = Steps> {
    let waits = |number: usize| prop::collection::btree_set(0..number.max(1), 0..=number.min(3));
    (1..12_usize)
        .prop_flat_map(move |count| (0..count).map(waits).collect::<Vec<_>>())
        .prop_map(|waits| waits.into_iter().enumerate().collect::<Steps>())
        .prop_shuffle()
}

fn document(steps: &Steps) -> String {
    let head = "apiVersion: pavane/v1\nkind: Choreography\nmetadata: { name: any, owner: us }\nsteps:\n";
    let step = |(number, waits): &(usize, BTreeSet<usize>)| {
        let after: Vec<_> =
            waits.iter().filter(|wait| *wait < number).map(|wait| format!("s{wait}")).collect();
        let after = after.join(", ");
        format!("  - {{ id: s{number}, after: [{after}], expect: s{number}.Ready, within: {number}m1s }}\n")
    };
    steps.iter().map(step).fold(head.to_owned(), |text, step| text + &step)
}

/// Texts of every kind: noise, pieces of files in any order, and files of which some lines are gone or doubled.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(PIECES);
    let kept = prop::sample::select(vec![0_usize, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    let lines: Vec<&str> = GOOD.split_inclusive('\n').collect();
    let mangle = move |kept: Vec<usize>| -> String {
        lines.iter().zip(kept).map(|(line, times)| line.repeat(times)).collect()
    };
    prop_oneof![
        1 => any::<String>(),
        4 => prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat()),
        4 => prop::collection::vec(kept, GOOD.lines().count()).prop_map(mangle),
    ]
}

const PIECES: &[&str] = &[
    "apiVersion: pavane/v1\n",
    "kind: Choreography\n",
    "metadata: ",
    "{ name: a, owner: b }\n",
    "steps:\n",
    "  - ",
    "id: a\n",
    "    ",
    "after: [a]\n",
    "expect: a.Ready\n",
    "within: 1m\n",
    "instances: 3\n",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "? ",
    "&a ",
    "*a ",
    "!!str ",
    "---\n",
    "...\n",
    "# ",
    "\"",
    "'",
    "|\n",
    ">\n",
    "\t",
    "\n",
    "\u{feff}",
    "%YAML 1.2\n",
    "<<: ",
    "~",
    "\0",
    "é",
    "\u{202e}",
    "\r\n",
];

const GOOD: &str = include_str!("good/users.yaml");
