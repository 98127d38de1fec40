//! The advice as text: the verdict first, then its reasons, then what can be seen and what is missing.

use pavane_choreography::Method;

use super::{Advice, Point, Reason, Source};
use crate::graph::wrapped;

/// The width of a terminal that nobody has widened.
const COLUMNS: usize = 80;

/// The advice for a person.
pub(super) fn text(advice: &Advice) -> String {
    let mut lines = Vec::new();
    let method = name(advice.method);
    if advice.worthwhile {
        lines.push(format!("Use the method {method}."));
    } else {
        lines.push("Do not use pavane for this.".to_owned());
        because(&advice.against, &mut lines);
        lines.push(String::new());
        lines.push(format!("If you use it all the same: the method {method}."));
    }
    because(&advice.reasons, &mut lines);
    written(advice, &mut lines);
    shape(advice, &mut lines);
    score(advice, &mut lines);
    if !advice.unknown.is_empty() {
        lines.push(String::new());
        lines.push("Not said".to_owned());
        advice.unknown.iter().for_each(|unknown| lines.extend(hanging("  ", unknown)));
    }
    lines.join("\n") + "\n"
}

const fn name(method: Method) -> &'static str {
    match method {
        Method::Choreography => "choreography",
        Method::Hybrid => "hybrid",
        Method::Orchestrated => "orchestrated",
    }
}

fn because(reasons: &[Reason], lines: &mut Vec<String>) {
    for reason in reasons {
        lines.extend(hanging("  - ", &reason.says));
    }
}

/// Says it where plans are written for another method.
fn written(advice: &Advice, lines: &mut Vec<String>) {
    let others: Vec<&str> = advice
        .shape
        .methods
        .iter()
        .filter(|method| **method != advice.method)
        .map(|method| name(*method))
        .collect();
    if !others.is_empty() {
        let says = format!("There are plans here that say `method: {}`.", others.join("`, `method: "));
        lines.extend(hanging("  ", &says));
    }
}

fn shape(advice: &Advice, lines: &mut Vec<String>) {
    let shape = &advice.shape;
    lines.push(String::new());
    lines.push("The graph".to_owned());
    let says = format!(
        "plans {} · services {} · teams {} · steps {} · edges {}, {} across teams · turns {}, the widest of {} · \
         one way after one that is not {} · gates {}",
        shape.plans,
        shape.services,
        shape.teams,
        shape.steps,
        shape.edges,
        shape.edges_across_teams,
        shape.turns,
        shape.widest_turn,
        shape.one_way_after_reversible,
        shape.gates
    );
    lines.extend(hanging("  ", &says));
}

fn score(advice: &Advice, lines: &mut Vec<String>) {
    let score = &advice.score;
    lines.push(String::new());
    lines.push(format!("Observability: {} of {}", score.reached, score.most));
    for point in &score.points {
        let (mark, source) = match (point.reached == point.worth, point.source) {
            (true, Source::Files) => ('✓', format!(" ({})", point.found)),
            (false, Source::Files) => ('✗', format!(" ({})", point.found)),
            (true, Source::Said | Source::Unknown) => ('✓', String::new()),
            (false, Source::Said) => ('✗', String::new()),
            (false, Source::Unknown) => ('?', String::new()),
        };
        let Point { reached, worth, question, without, .. } = point;
        let head = format!("  {mark} {reached:>2}/{worth:<2} ");
        lines.extend(hanging(&head, &format!("{question}{source}")));
        if reached < worth {
            lines.extend(hanging("          ", &format!("without: {without}")));
        }
    }
}

/// A text in lines; the later ones stand beneath the beginning of the first.
fn hanging(head: &str, text: &str) -> Vec<String> {
    let indent = head.chars().count();
    let lines = wrapped(text, COLUMNS - indent).into_iter().enumerate();
    lines
        .map(|(at, line)| if at == 0 { format!("{head}{line}") } else { " ".repeat(indent) + &line })
        .collect()
}
