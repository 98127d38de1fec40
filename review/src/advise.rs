//! Which method fits a choreography, and when none of this is worth its trouble.
//!
//! Advice is a function of numbers: of the graph, of what the people around it say, and of how much can be seen while
//! services move. Every recommendation names the numbers that it rests on.
//!
//! | room | what is in it |
//! |---|---|
//! | [`situation`] | the numbers, taken off plans and asked of people |
//! | [`checklist`] | what can be seen, point by point, and what each missing point costs |
//! | `rules` | what speaks against, what asks for more control, what forbids it |
//! | `telling` | the advice as text |

pub mod checklist;
mod rules;
pub mod situation;
mod telling;

use pavane_choreography::Method;
use serde::Serialize;

pub use checklist::{Answers, Item, Point, Score, Source};
pub use situation::{Around, Sequence, Shape};

/// What fits, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// Whether pavane is worth its trouble here.
    pub worthwhile: bool,
    /// What speaks against it; empty when it is worthwhile.
    pub against: Vec<Reason>,
    /// The method that fits, also for those who use it all the same.
    pub method: Method,
    /// Why this method and not one with less control, or with more.
    pub reasons: Vec<Reason>,
    /// What was not said, and what was taken in its stead.
    pub unknown: Vec<String>,
    /// What the graphs look like.
    pub shape: Shape,
    /// What was said of what lies around them.
    pub around: Around,
    /// How much can be seen.
    pub score: Score,
}

/// One reason, with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The name of the rule; it never changes.
    pub rule: &'static str,
    /// The reason in words, with the numbers that it rests on.
    pub says: String,
}

/// Judges a situation.
pub fn advise(shape: Shape, around: Around, score: Score) -> Advice {
    let against = rules::against(&shape, &around);
    let (method, reasons) = rules::method(&shape, &around, &score);
    let unknown = rules::unknown(&around, &score);
    Advice { worthwhile: against.is_empty(), against, method, reasons, unknown, shape, around, score }
}

impl Advice {
    /// The advice for a person: the verdict first.
    pub fn to_text(&self) -> String {
        telling::text(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::network::tests::{phase, plan};

    /// A situation in which the dance fits: each test turns one number of it.
    fn dance() -> (Shape, Around, Score) {
        let shape = Shape {
            plans: 1,
            services: 20,
            teams: 5,
            steps: 22,
            edges: 30,
            edges_across_teams: 18,
            turns: 5,
            widest_turn: 6,
            one_way_after_reversible: 0,
            gates: 0,
            methods: vec![Method::Choreography],
        };
        let around = Around {
            services: Some(40),
            engineers: Some(60),
            audit: Some(false),
            sequence: Some(Sequence::Loose),
        };
        (shape, around, seen(&Item::ALL))
    }

    fn seen(items: &[Item]) -> Score {
        let mut answers = Answers::default();
        for item in Item::ALL {
            answers.say(item, items.contains(&item));
        }
        answers.score()
    }

    fn judged(turn: impl FnOnce(&mut Shape, &mut Around, &mut Score)) -> Advice {
        let (mut shape, mut around, mut score) = dance();
        turn(&mut shape, &mut around, &mut score);
        advise(shape, around, score)
    }

    fn rules(reasons: &[Reason]) -> Vec<&'static str> {
        reasons.iter().map(|reason| reason.rule).collect()
    }

    type Turn = fn(&mut Shape, &mut Around, &mut Score);

    #[test]
    fn each_rule_turns_the_method_by_itself() {
        let cases: [(Turn, Method, &[&str]); 10] = [
            (|_, _, _| {}, Method::Choreography, &["dance"]),
            (|_, around, _| around.audit = Some(true), Method::Hybrid, &["audited"]),
            (|_, around, _| around.sequence = Some(Sequence::Strict), Method::Hybrid, &["strict"]),
            (|shape, _, _| shape.one_way_after_reversible = 1, Method::Hybrid, &["one_way"]),
            (|shape, _, _| shape.gates = 2, Method::Hybrid, &["gates"]),
            (|_, _, score| *score = seen(&Item::ALL[..5]), Method::Choreography, &["dance"]),
            (|_, _, score| *score = seen(&Item::ALL[..4]), Method::Hybrid, &["seen_half"]),
            (|_, _, score| *score = seen(&Item::ALL[..2]), Method::Orchestrated, &["seen_little"]),
            (|_, around, _| both(around), Method::Orchestrated, &["strict_and_audited"]),
            (
                |shape, around, _| {
                    both(around);
                    shape.gates = 1;
                },
                Method::Orchestrated,
                &["strict_and_audited"],
            ),
        ];
        for (place, (turn, method, expected)) in cases.into_iter().enumerate() {
            let advice = judged(turn);
            assert!(advice.worthwhile, "case {place}");
            assert_eq!((advice.method, rules(&advice.reasons)), (method, expected.to_vec()), "case {place}");
        }
    }

    fn both(around: &mut Around) {
        around.audit = Some(true);
        around.sequence = Some(Sequence::Strict);
    }

    #[test]
    fn size_forbids_one_manager_for_all_and_nothing_else() {
        let cases: [(Turn, &str); 2] =
            [(|shape, _, _| shape.steps = 51, "many_steps"), (|shape, _, _| shape.teams = 7, "many_teams")];
        for (turn, rule) in cases {
            let advice = judged(|shape, around, score| {
                both(around);
                turn(shape, around, score);
            });
            assert_eq!(
                (advice.method, rules(&advice.reasons)),
                (Method::Hybrid, vec!["strict_and_audited", rule])
            );
            assert_eq!(judged(turn).method, Method::Choreography, "{rule}");
        }
    }

    #[test]
    fn each_reason_not_to_use_it_turns_the_verdict_by_itself() {
        let cases: [(Turn, &str); 5] = [
            (
                |shape, around, _| {
                    shape.services = 9;
                    around.services = None;
                },
                "few_services",
            ),
            (
                |shape, around, _| {
                    shape.services = 5;
                    around.services = Some(9);
                },
                "few_services",
            ),
            (|_, around, _| around.engineers = Some(4), "small_team"),
            (|shape, _, _| shape.edges = 0, "nothing_waits"),
            (|shape, _, _| (shape.teams, shape.widest_turn) = (1, 1), "one_line"),
        ];
        for (turn, rule) in cases {
            let advice = judged(turn);
            assert_eq!((advice.worthwhile, rules(&advice.against)), (false, vec![rule]));
            assert!(
                advice.to_text().starts_with("Do not use pavane for this.\n  - "),
                "{}",
                advice.to_text()
            );
        }
        for turn in [
            (|shape, around, _| (shape.services, around.services) = (5, Some(10))) as Turn,
            |_, around, _| around.engineers = Some(5),
            |shape, around, _| {
                (shape.teams, shape.widest_turn) = (1, 1);
                around.audit = Some(true);
            },
        ] {
            assert!(judged(turn).worthwhile);
        }
    }

    #[test]
    fn what_was_not_said_is_named() {
        let advice = advise(dance().0, Around::default(), Answers::default().score());
        let text = advice.to_text();
        for said in ["--services", "--engineers", "--audit", "--sequence", "9 of the checklist"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        // Too little was answered for the score to turn anything.
        assert_eq!(advice.method, Method::Choreography);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn the_shape_is_read_off_the_plans() {
        let mut plan = plan(&[("a", &[], &[]), ("b", &["a"], &[]), ("c", &["a"], &["b"]), ("d", &[], &[])]);
        (plan.steps[0].reversible, plan.steps[2].reversible, plan.steps[3].reversible) =
            (false, false, false);
        plan.steps[1].owner = "team-a".into();
        let shape = Shape::of(&[plan.clone()]);
        assert_eq!((shape.services, shape.teams, shape.steps, shape.edges), (4, 3, 4, 3));
        assert_eq!((shape.edges_across_teams, shape.turns, shape.widest_turn), (2, 3, 2));
        assert_eq!((shape.one_way_after_reversible, shape.gates), (1, 0));
        plan.phases = vec![phase("one", &["a", "b", "c", "d"])];
        plan.phases[0].soak = 1;
        assert_eq!(Shape::of(&[plan]).gates, 1);
    }
}
