//! The decision framework: what speaks against, what asks for more control, and what forbids the most of it.
//!
//! Control grows from choreography over hybrid to orchestrated. Each rule that holds asks for at least one of them;
//! the largest ask wins, unless size forbids it. Nothing asked for leaves the dance.

use pavane_choreography::Method;

use super::{Around, Reason, Score, Sequence, Shape};

/// Fewer services than this are rolled out by hand or by a script with less trouble.
const FEW_SERVICES: usize = 10;
/// Fewer engineers than this cannot run the tool beside what they build.
const SMALL_TEAM: usize = 5;
/// With less than this of the checklist nobody can follow a dance.
const SEEN_ENOUGH: u32 = 60;
/// With less than this nobody can tell who moved at all.
const SEEN_LITTLE: u32 = 30;
/// With more steps than this one manager that opens each becomes what everybody waits for.
const MANY_STEPS: usize = 50;
/// With more teams than this no one team can know when the next step of each other may open.
const MANY_TEAMS: usize = 6;

/// What speaks against using pavane at all.
pub(super) fn against(shape: &Shape, around: &Around) -> Vec<Reason> {
    let services = around.services.unwrap_or(shape.services).max(shape.services);
    let counted =
        if around.services.is_some() { "" } else { " in these files (say --services if there are more)" };
    let line = shape.teams <= 1 && shape.edges > 0 && shape.widest_turn <= 1 && shape.gates == 0;
    let asked = around.audit == Some(true);
    [
        (services < FEW_SERVICES).then(|| Reason {
            rule: "few_services",
            says: format!(
                "{services} services{counted}: with fewer than {FEW_SERVICES} a script or a pipeline that deploys them \
                 in order is less to run than a broker, a registry, a sentinel and sidecars"
            ),
        }),
        around.engineers.filter(|&engineers| engineers < SMALL_TEAM).map(|engineers| Reason {
            rule: "small_team",
            says: format!(
                "{engineers} engineers: a team under {SMALL_TEAM} talks to each other faster than services can, and \
                 has nobody to spare for running this"
            ),
        }),
        (shape.edges == 0).then(|| Reason {
            rule: "nothing_waits",
            says: format!(
                "none of {} steps waits for another: there is no order to keep; deploy them as they come",
                shape.steps
            ),
        }),
        (line && !asked).then(|| Reason {
            rule: "one_line",
            says: format!(
                "one team owns all {} steps, and they stand in one line: the stages of a pipeline say the same with \
                 less",
                shape.steps
            ),
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The method that fits, and why.
pub(super) fn method(shape: &Shape, around: &Around, score: &Score) -> (Method, Vec<Reason>) {
    let asks = asks(shape, around, score);
    let level = asks.iter().map(|(method, _)| *method).max_by_key(|method| control(*method));
    let asked = level.unwrap_or(Method::Choreography);
    let mut reasons: Vec<Reason> =
        asks.into_iter().filter(|(method, _)| *method == asked).map(|(_, reason)| reason).collect();
    let cap = cap(shape).filter(|_| asked == Method::Orchestrated);
    let method = if cap.is_some() { Method::Hybrid } else { asked };
    reasons.extend(cap);
    if asked == Method::Choreography {
        reasons.push(dance(shape));
    }
    (method, reasons)
}

const fn control(method: Method) -> u8 {
    match method {
        Method::Choreography => 0,
        Method::Hybrid => 1,
        Method::Orchestrated => 2,
    }
}

/// What asks for a manager, and for how much of one.
fn asks(shape: &Shape, around: &Around, score: &Score) -> Vec<(Method, Reason)> {
    let mut asks = asked_by_people(around);
    asks.extend(asked_by_sight(score));
    asks.extend(asked_by_plans(shape));
    asks
}

fn ask(method: Method, rule: &'static str, says: impl Into<String>) -> (Method, Reason) {
    (method, Reason { rule, says: says.into() })
}

fn asked_by_people(around: &Around) -> Vec<(Method, Reason)> {
    let strict = around.sequence == Some(Sequence::Strict);
    match (strict, around.audit == Some(true)) {
        (true, true) => vec![ask(
            Method::Orchestrated,
            "strict_and_audited",
            "each move has its place and must be accounted for: one manager opens every step, and the log of it is the \
             account",
        )],
        (false, true) => vec![ask(
            Method::Hybrid,
            "audited",
            "each move must be accounted for: a phase's approval is on the log, with who gave it and for which plan",
        )],
        (true, false) => vec![ask(
            Method::Hybrid,
            "strict",
            "the order may not vary: phases keep it, whatever services wait for",
        )],
        (false, false) => Vec::new(),
    }
}

fn asked_by_sight(score: &Score) -> Option<(Method, Reason)> {
    if !score.is_known() {
        return None;
    }
    let percent = score.percent();
    let score = |least: u32| format!("the observability score is {percent} of 100, under {least}");
    if percent < SEEN_LITTLE {
        let says = score(SEEN_LITTLE) + ": what nobody sees must not move by itself";
        return Some(ask(Method::Orchestrated, "seen_little", says));
    }
    (percent < SEEN_ENOUGH).then(|| {
        let says = score(SEEN_ENOUGH) + ": a phase stops where a dance would go on unseen";
        ask(Method::Hybrid, "seen_half", says)
    })
}

fn asked_by_plans(shape: &Shape) -> Vec<(Method, Reason)> {
    let mut asks = Vec::new();
    if shape.one_way_after_reversible > 0 {
        let says = format!(
            "{} of {} steps can never go back and come after one that can: a gate before them is the last place to turn \
             round",
            shape.one_way_after_reversible, shape.steps
        );
        asks.push(ask(Method::Hybrid, "one_way", says));
    }
    if shape.gates > 0 {
        let says = format!(
            "{} of the phases ask for an approval, a cohort, a soak or a watch: somebody has to keep them",
            shape.gates
        );
        asks.push(ask(Method::Hybrid, "gates", says));
    }
    asks
}

/// Why a manager must not open every step.
fn cap(shape: &Shape) -> Option<Reason> {
    if shape.steps > MANY_STEPS {
        let says = format!(
            "{} steps, over {MANY_STEPS}: one manager that opens each would be what everybody waits for; phases keep \
             the order where it matters",
            shape.steps
        );
        return Some(Reason { rule: "many_steps", says });
    }
    if shape.teams > MANY_TEAMS {
        let says = format!(
            "{} teams, over {MANY_TEAMS}: one manager cannot know when each may move; let it open phases, and the teams \
             comply within them",
            shape.teams
        );
        return Some(Reason { rule: "many_teams", says });
    }
    None
}

fn dance(shape: &Shape) -> Reason {
    let (edges, across, teams) = (shape.edges, shape.edges_across_teams, shape.teams);
    Reason {
        rule: "dance",
        says: format!(
            "{across} of {edges} waits lead across {teams} teams, and nothing asks for a manager: each team reacts to \
             what it needs, and nobody has to change a plan of everyone's"
        ),
    }
}

/// What was not said, and what was taken in its stead.
pub(super) fn unknown(around: &Around, score: &Score) -> Vec<String> {
    let open = score.points.iter().filter(|point| point.source == super::Source::Unknown).count();
    [
        around.services.is_none().then(|| "--services: those in the files were counted".to_owned()),
        around.engineers.is_none().then(|| "--engineers: taken as enough".to_owned()),
        around.audit.is_none().then(|| "--audit: taken as no".to_owned()),
        around.sequence.is_none().then(|| "--sequence: taken as loose".to_owned()),
        (open > 0).then(|| {
            let weighed = if score.is_known() { "taken as no" } else { "too few answers to weigh the score" };
            format!("{open} of the checklist: {weighed}; answer with --checklist FILE or --ask")
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}
