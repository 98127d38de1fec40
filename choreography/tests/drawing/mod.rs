//! Documents drawn at random, all of them good: every word of the language, and what is known of them without reading.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

/// A document in numbers. A step waits only for steps of lower numbers, and no phase opens a step before one of a lower
/// number; the order of the file is another.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    pub(crate) method: &'static str,
    pub(crate) head: Vec<&'static str>,
    pub(crate) steps: Vec<Step>,
    pub(crate) phases: Vec<Phase>,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) number: usize,
    pub(crate) after: BTreeSet<usize>,
    pub(crate) any: BTreeSet<usize>,
    /// Whether it stands once for each region of the matrix.
    pub(crate) regional: bool,
    pub(crate) instances: Option<&'static str>,
    pub(crate) zone: bool,
    terms: Vec<&'static str>,
    /// The place of the phase that opens it.
    pub(crate) phase: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub(crate) cohorts: Option<&'static [&'static str]>,
    /// The zones, and whether they come in sequence.
    pub(crate) zones: Option<(&'static [&'static str], bool)>,
    gates: Vec<&'static str>,
}

pub(crate) const REGIONS: [&str; 2] = ["eu", "us"];

const HEADS: &[&str] = &[
    "trigger: { on: base.Ready, version: \">=2\" }\n",
    "every: 25h\n",
    "concurrency: queue\n",
    "maintenance: { days: [sun, mon], from: \"22:00\", to: \"06:00\" }\n",
    "tests: [{ anything: goes }]\n",
];

const TERMS: &[&str] = &[
    "max_parallel: 2",
    "version: \">=2, <3\", runs_with: { base: \">=5, <7\" }",
    "started_within: 500ms",
    "healthy_for: 10s",
    "on_stall: rollback",
    "interruptible: false",
    "compensate: { within: 1h30m }",
    "owner: them",
    "severity: ticket",
];

const GATES: &[&str] = &[
    "approval: true",
    "soak: 10m",
    "watch: { query: 'rate(e{a=\"b\"}[1m])', max: 0.1, for: 60s, on_breach: pause }",
];

/// Draws a document.
pub(crate) fn drawing() -> impl Strategy<Value = Drawing> {
    let method = prop::sample::select(vec!["choreography", "orchestrated", "hybrid", "hybrid", "hybrid"]);
    let head = prop::sample::subsequence(HEADS, 0..=HEADS.len());
    (method, head, 1..10_usize, 1..4_usize)
        .prop_flat_map(|(method, head, count, phases)| {
            let phases = if method == "hybrid" { phases.min(count) } else { 0 };
            let steps: Vec<_> =
                (0..count).map(|number| step(number, number * phases.max(1) / count)).collect();
            (Just(method), Just(head), steps, prop::collection::vec(phase(), phases))
        })
        .prop_map(|(method, head, steps, phases)| Drawing { method, head, steps, phases }.tidied())
        .prop_flat_map(|drawing| {
            let steps = Just(drawing.steps.clone()).prop_shuffle();
            (Just(drawing), steps).prop_map(|(drawing, steps)| Drawing { steps, ..drawing })
        })
}

fn step(number: usize, phase: usize) -> impl Strategy<Value = Step> {
    let waits = move || prop::collection::btree_set(0..number.max(1), 0..=number.min(2));
    let instances = prop::sample::select(vec![None, Some("3"), Some("25%"), Some("100%")]);
    let terms = prop::sample::subsequence(TERMS, 0..=TERMS.len());
    let regional = prop::bool::weighted(0.25);
    (waits(), waits(), regional, instances, any::<bool>(), terms).prop_map(
        move |(after, any, regional, instances, zone, terms)| {
            let below = |waits: BTreeSet<usize>| waits.into_iter().filter(|wait| *wait < number).collect();
            let (after, any): (BTreeSet<_>, BTreeSet<_>) = (below(after), below(any));
            let any = any.difference(&after).copied().collect();
            Step { number, after, any, regional, instances, zone, terms, phase }
        },
    )
}

fn phase() -> impl Strategy<Value = Phase> {
    const COHORTS: [&[&str]; 3] = [&["100%"], &["5%", "100%"], &["1%", "50%", "100%"]];
    const ZONES: [&[&str]; 3] = [&["a"], &["a", "b"], &["north", "south", "west"]];
    let zones = (prop::sample::select(&ZONES[..]), any::<bool>());
    let gates = prop::sample::subsequence(GATES, 0..=GATES.len());
    let cohorts = prop::option::of(prop::sample::select(&COHORTS[..]));
    (cohorts, prop::option::of(zones), gates).prop_map(|(cohorts, zones, gates)| Phase {
        cohorts,
        zones,
        gates,
    })
}

impl Drawing {
    /// Takes out what a good document does not say: zones and counts of steps that their phase spreads, and one of
    /// several zones to wait for.
    fn tidied(mut self) -> Self {
        let phases = self.phases.clone();
        let of: Vec<usize> = self.steps.iter().map(|step| step.phase).collect();
        for step in &mut self.steps {
            let Some(phase) = phases.get(step.phase) else { continue };
            step.zone &= phase.zones.is_none();
            step.instances = step.instances.filter(|count| phase.cohorts.is_none() || *count == "100%");
            let spread = |wait: &usize| phases[of[*wait]].zones.is_some_and(|(zones, _)| zones.len() > 1);
            step.any.retain(|wait| of[*wait] == step.phase || !spread(wait));
        }
        self
    }

    /// The document as a person would write it.
    pub(crate) fn text(&self) -> String {
        let mut text =
            "apiVersion: pavane/v1\nkind: Choreography\nmetadata: { name: any, owner: us }\n".to_owned();
        write!(text, "method: {}\n{}", self.method, self.head.concat()).expect("a text");
        if self.steps.iter().any(|step| step.regional) {
            writeln!(text, "matrix: {{ region: [{}] }}", REGIONS.join(", ")).expect("a text");
        }
        text += "steps:\n";
        for step in &self.steps {
            text += &self.step(step);
        }
        if !self.phases.is_empty() {
            text += "phases:\n";
        }
        for (place, phase) in self.phases.iter().enumerate() {
            text += &self.phase(place, phase);
        }
        text
    }

    fn name(&self, number: usize) -> String {
        let step = self.steps.iter().find(|step| step.number == number).expect("a step of the drawing");
        if step.regional { format!("\"s{number}-{{region}}\"") } else { format!("s{number}") }
    }

    fn step(&self, step: &Step) -> String {
        let names = |waits: &BTreeSet<usize>| {
            waits.iter().map(|wait| self.name(*wait)).collect::<Vec<_>>().join(", ")
        };
        let (number, id) = (step.number, self.name(step.number));
        let service = if step.regional {
            format!("\"s{number}-{{region}}.Ready\"")
        } else {
            format!("s{number}.Ready")
        };
        let mut terms = vec![
            format!("id: {id}"),
            format!("after: [{}]", names(&step.after)),
            format!("after_any: [{}]", names(&step.any)),
            format!("expect: {service}"),
            format!("within: {number}m1s"),
        ];
        terms.extend(step.instances.map(|instances| format!("instances: {instances}")));
        terms.extend(step.zone.then(|| "zone: here".to_owned()));
        terms.extend(step.terms.iter().map(|term| (*term).to_owned()));
        format!("  - {{ {} }}\n", terms.join(", "))
    }

    fn phase(&self, place: usize, phase: &Phase) -> String {
        let opened = self.steps.iter().filter(|step| step.phase == place).map(|step| self.name(step.number));
        let mut terms =
            vec![format!("id: p{place}"), format!("steps: [{}]", opened.collect::<Vec<_>>().join(", "))];
        terms.extend(phase.cohorts.map(|cohorts| format!("cohorts: [{}]", cohorts.join(", "))));
        terms.extend(phase.zones.map(|(names, sequence)| {
            let order = if sequence { "sequence" } else { "parallel" };
            format!("zones: {{ names: [{}], order: {order} }}", names.join(", "))
        }));
        terms.extend(phase.gates.iter().map(|gate| (*gate).to_owned()));
        format!("  - {{ {} }}\n", terms.join(", "))
    }

    /// The names under which a step stands in the plan, for a region if it has any: by zone, then by cohort.
    pub(crate) fn copies(&self, number: usize, region: Option<&str>) -> Vec<Vec<String>> {
        let step = self.steps.iter().find(|step| step.number == number).expect("a step of the drawing");
        let regions = match region {
            Some(region) if step.regional => vec![format!("-{region}")],
            _ if step.regional => REGIONS.map(|region| format!("-{region}")).to_vec(),
            _ => vec![String::new()],
        };
        let phase = self.phases.get(step.phase);
        let zones = match phase.and_then(|phase| phase.zones) {
            Some((zones, _)) => zones.iter().map(|zone| format!("-{zone}")).collect(),
            None => vec![String::new()],
        };
        let cohorts: Vec<String> = match phase.and_then(|phase| phase.cohorts) {
            Some(cohorts) => {
                cohorts.iter().map(|share| format!("-{}pct", share.trim_end_matches('%'))).collect()
            }
            None => vec![String::new()],
        };
        let base = regions
            .iter()
            .flat_map(|region| zones.iter().map(move |zone| format!("s{number}{region}{zone}")));
        base.map(|base| cohorts.iter().map(|cohort| format!("{base}{cohort}")).collect()).collect()
    }
}
