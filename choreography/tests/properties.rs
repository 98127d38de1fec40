//! What holds for any text: reading never panics, and a plan is the same plan wherever it travels.

mod drawing;
mod validator;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use drawing::{Drawing, Phase, REGIONS, Step, drawing};
use pavane_choreography::document::MAX_STEPS;
use pavane_choreography::{Graph, Plan, read, yaml};
use pavane_events::StepId;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use validator::violations;

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
    fn no_cut_and_no_slip_makes_the_reader_panic(
        good in prop::sample::select(GOOD),
        at in any::<prop::sample::Index>(),
        cut in 0..40_usize,
        slip in "\\PC{0,3}",
    ) {
        let at = at.index(good.len());
        let end = (at + cut).min(good.len());
        let text = format!("{}{slip}{}", &good[..at], &good[end..]);
        if let Err(found) = read(&text, "a.yaml") {
            prop_assert!(!found.is_empty());
        }
    }

    #[test]
    fn a_plan_survives_its_journey_over_the_log(drawing in drawing()) {
        let plan = plan(&drawing);
        let there = Plan::from_json(&plan.to_json()).expect("a plan");
        prop_assert_eq!(&there, &plan);
        prop_assert_eq!(there.digest(), plan.digest());
        prop_assert_eq!(there.to_json(), plan.to_json());
        prop_assert_eq!(plan.check(), Ok(()));
        prop_assert_eq!(self::plan(&drawing).digest(), plan.digest());
    }

    #[test]
    fn every_step_stands_behind_all_that_it_waits_for(drawing in drawing()) {
        let plan = plan(&drawing);
        let mut done = BTreeSet::new();
        for step in &plan.steps {
            prop_assert!(step.prerequisites().all(|id| done.contains(id)));
            prop_assert!(step.prerequisites().all(|id| plan.phase_of(id) <= plan.phase_of(&step.id)));
            done.insert(step.id.clone());
        }
    }

    #[test]
    fn every_step_stands_once_for_each_region_zone_and_cohort(drawing in drawing()) {
        let plan = plan(&drawing);
        let copies = |number: usize| drawing.copies(number, None).into_iter().flatten();
        let wanted: BTreeSet<_> = (0..drawing.steps.len()).flat_map(copies).collect();
        let found: BTreeSet<_> = plan.steps.iter().map(|step| step.id.to_string()).collect();
        prop_assert_eq!(found, wanted);
        let opened: Vec<_> = plan.phases.iter().flat_map(|phase| &phase.steps).collect();
        let once: BTreeSet<_> = opened.iter().collect();
        let all = if drawing.method == "choreography" { 0 } else { plan.steps.len() };
        prop_assert_eq!((opened.len(), once.len()), (all, all));
    }

    #[test]
    fn a_step_waits_for_the_same_place_in_its_phase_and_for_all_that_came_before(drawing in drawing()) {
        let plan = plan(&drawing);
        for step in &drawing.steps {
            let regions = if step.regional { REGIONS.map(Some).to_vec() } else { vec![None] };
            for region in regions {
                for (zone, copies) in drawing.copies(step.number, region).iter().enumerate() {
                    for (cohort, id) in copies.iter().enumerate() {
                        let own = (cohort > 0).then(|| copies[cohort - 1].clone());
                        let place = (zone, cohort);
                        let wanted = waits(&drawing, step, &step.after, region, place).chain(own).collect();
                        let any = waits(&drawing, step, &step.any, region, place).collect();
                        let meant = plan.step(&StepId::new(id.as_str()).expect("a name")).expect("a step");
                        prop_assert_eq!((names(&meant.after), names(&meant.after_any)), (wanted, any), "{}", id);
                    }
                }
            }
        }
    }

    #[test]
    fn above_and_below_are_each_others_mirror(drawing in drawing()) {
        let plan = plan(&drawing);
        let graph = Graph::of(&plan);
        for (place, step) in plan.steps.iter().enumerate() {
            let below = graph.below(place);
            prop_assert!(!below.contains(&place));
            for other in 0..plan.steps.len() {
                prop_assert_eq!(below.contains(&other), graph.above(other).contains(&place));
            }
            let further = graph.prerequisites(place).iter().flat_map(|at| graph.below(*at));
            let further: BTreeSet<_> = further.chain(graph.prerequisites(place).iter().copied()).collect();
            prop_assert_eq!(&below, &further);
            let named: BTreeSet<_> = below.iter().map(|at| plan.steps[*at].id.clone()).collect();
            prop_assert_eq!(plan.below(&step.id), named);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_reader_takes_the_schema_takes(drawing in drawing()) {
        let json = yaml::read(&drawing.text(), "a.yaml", |item| Ok(item.json())).expect("YAML");
        prop_assert_eq!(violations(&SCHEMA, &json), Vec::<String>::new());
    }
}

#[test]
fn the_drawings_reach_every_word_of_the_language() {
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..600 {
        let drawing = drawing().new_tree(&mut runner).expect("a drawing").current();
        let text = drawing.text();
        let plan = plan(&drawing);
        for field in WORDS {
            *reached.entry(field).or_default() += u32::from(text.contains(&format!("{field}:")));
        }
        let spread = |test: fn(&Phase) -> bool| u32::from(drawing.phases.iter().any(test));
        for (name, count) in [
            ("orchestrated", u32::from(drawing.method == "orchestrated")),
            ("a share", u32::from(text.contains("instances: 25%"))),
            ("zones in sequence", spread(|phase| phase.zones.is_some_and(|zones| zones.1))),
            ("zones in parallel", spread(|phase| phase.zones.is_some_and(|zones| !zones.1))),
            ("zones and cohorts", spread(|phase| phase.zones.is_some() && phase.cohorts.is_some())),
            ("an edge between phases", u32::from(has_edge_between_phases(&plan))),
        ] {
            *reached.entry(name).or_default() += count;
        }
    }
    let rare: Vec<_> = reached.iter().filter(|(_, count)| **count < 25).collect();
    assert!(rare.is_empty() && reached.len() > 25, "{rare:?}");
}

#[test]
fn the_random_texts_reach_plans_and_most_kinds_of_defect() {
    let mut runner = TestRunner::deterministic();
    let (mut plans, mut phased, mut codes) = (0, 0, BTreeSet::new());
    for _ in 0..4000 {
        let text = any_text().new_tree(&mut runner).expect("a text").current();
        match read(&text, "a.yaml") {
            Ok(plan) => {
                assert_eq!(plan.check(), Ok(()), "{text}");
                plans += 1;
                phased += usize::from(!plan.phases.is_empty());
            }
            Err(found) => codes.extend(found.into_iter().map(|found| found.code)),
        }
    }
    assert!(plans >= 50 && phased >= 20 && codes.len() >= 18, "{plans} plans, {phased} phased, {codes:?}");
}

#[test]
fn a_thousand_steps_are_read_and_one_more_is_refused() {
    let step = |n: usize| {
        let after = if n == 0 { String::new() } else { format!("s{}, s{}", (n - 1) / 2, n - 1) };
        let after = if n == 1 { "s0" } else { after.as_str() };
        format!("  - {{ id: s{n}, after: [{after}], expect: s{n}.DeploymentComplete, within: 5m }}\n")
    };
    let text = |count: usize| {
        let head = "apiVersion: pavane/v1\nkind: Choreography\nmetadata: { name: a, owner: us }\nsteps:\n";
        (0..count).rev().fold(head.to_owned(), |text, n| text + &step(n))
    };
    let plan = read(&text(MAX_STEPS), "a.yaml").expect("a good document");
    assert_eq!((plan.steps.len(), plan.check()), (MAX_STEPS, Ok(())));
    let graph = Graph::of(&plan);
    let reached: usize = (0..MAX_STEPS).map(|step| graph.below(step).len()).sum();
    assert_eq!(reached, MAX_STEPS * (MAX_STEPS - 1) / 2);
    assert_eq!(read(&text(MAX_STEPS + 1), "a.yaml").expect_err("too many")[0].code, "PAV108");
}

fn plan(drawing: &Drawing) -> Plan {
    read(&drawing.text(), "a.yaml").unwrap_or_else(|found| panic!("{found:#?}\n{}", drawing.text()))
}

fn names(ids: &[StepId]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// What one copy of a step should wait for, by the rules and not by the reader.
fn waits<'a>(
    drawing: &'a Drawing,
    step: &'a Step,
    waits: &'a BTreeSet<usize>,
    region: Option<&'a str>,
    (zone, cohort): (usize, usize),
) -> impl Iterator<Item = String> + 'a {
    waits.iter().flat_map(move |&wait| {
        let awaited = drawing.steps.iter().find(|other| other.number == wait).expect("a step of the drawing");
        let same = awaited.phase == step.phase;
        let zones =
            drawing.phases.get(awaited.phase).and_then(|phase| phase.zones).map_or(1, |zones| zones.0.len());
        let copies = drawing.copies(wait, region).into_iter().enumerate();
        let here = copies.filter(move |(place, _)| !same || place % zones == zone % zones);
        here.map(
            move |(_, copies)| if same { copies[cohort].clone() } else { copies[copies.len() - 1].clone() },
        )
    })
}

fn has_edge_between_phases(plan: &Plan) -> bool {
    let crosses = |step: &pavane_choreography::Step| {
        step.prerequisites().any(|id| plan.phase_of(id) < plan.phase_of(&step.id))
    };
    plan.phases.len() > 1 && plan.steps.iter().any(crosses)
}

static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(pavane_choreography::schema);

const WORDS: [&str; 24] = [
    "trigger",
    "concurrency",
    "maintenance",
    "matrix",
    "tests",
    "phases",
    "after_any",
    "instances",
    "max_parallel",
    "version",
    "zone",
    "started_within",
    "healthy_for",
    "on_stall",
    "interruptible",
    "compensate",
    "owner",
    "severity",
    "approval",
    "soak",
    "watch",
    "cohorts",
    "zones",
    "on_breach",
];

/// Texts of every kind: noise, pieces of files in any order, and files of which some lines are gone or doubled.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(PIECES);
    let kept = prop::sample::select(vec![0_usize, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    let mangled = prop::sample::select(GOOD).prop_flat_map(move |good| {
        let lines: Vec<&str> = good.split_inclusive('\n').collect();
        prop::collection::vec(kept.clone(), lines.len()).prop_map(move |kept| -> String {
            lines.iter().zip(kept).map(|(line, times)| line.repeat(times)).collect()
        })
    });
    prop_oneof![
        1 => any::<String>(),
        4 => prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat()),
        4 => mangled,
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
    "method: hybrid\n",
    "phases:\n",
    "steps: [a]\n",
    "cohorts: [5%, 100%]\n",
    "zones: { names: [a, b] }\n",
    "matrix: { a: [b] }\n",
    "{a}",
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

const GOOD: &[&str] = &[
    include_str!("good/users.yaml"),
    include_str!("good/canary.yaml"),
    include_str!("good/regions.yaml"),
    include_str!("good/zones-in-order.yaml"),
];
