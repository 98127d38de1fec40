//! The picture of one or several plans: who waits for whom, which team owns what, and where the time goes.
//!
//! A picture is a function of the plans alone: the same plans give the same bytes.
//!
//! | room | what is in it |
//! |---|---|
//! | [`network`] | the nodes and edges, by step, service or team, and what is read off them |
//! | `teams` | who owns what, who must talk to whom, which plans meet |
//! | [`traffic`] | what flowed on a log, laid over it |
//! | `merge` | steps that become one node: a service's, or a team's |
//! | `schedule` | when each step opens and ends at the earliest and at the latest; the critical path |
//! | `layers` `order` `place` | the layout: columns, few crossings, straight ways |
//! | [`layout`] | boxes and ways on a plane |
//! | `svg` `dot` `mermaid` `listing` | four ways to tell it |
//! | `words` | durations and texts, as they stand in a picture |

mod dot;
mod layers;
pub mod layout;
mod listing;
mod merge;
mod mermaid;
pub mod network;
mod order;
mod place;
mod schedule;
mod svg;
mod teams;
pub mod traffic;
mod words;

pub use network::{Band, By, Edge, Graph, Kind, Node, Sheet, Talk, Team, Wait};
pub use schedule::{Critical, Leg, Window};
pub(crate) use words::wrapped;

impl Graph {
    /// The graph as layered text that fits a terminal of 80 columns.
    pub fn to_text(&self) -> String {
        listing::text(self)
    }

    /// The graph in the language of Mermaid.
    pub fn to_mermaid(&self) -> String {
        mermaid::text(self)
    }

    /// The graph in the language of Graphviz.
    pub fn to_dot(&self) -> String {
        dot::text(self)
    }

    /// The graph as a picture that needs nothing beside itself: no script, no font, no style from elsewhere.
    pub fn to_svg(&self) -> String {
        svg::text(self)
    }
}

#[cfg(test)]
mod tests {
    use pavane_choreography::{Approval, Bound, Expect, Instances, OnStall, Plan, Share, Trigger, Watch};
    use pavane_events::{EventType, Service};

    use super::network::tests::{phase, plan};
    use super::*;

    fn small() -> Plan {
        let mut plan = plan(&[
            ("schema", &[], &[]),
            ("users", &["schema"], &[]),
            ("search-eu", &["schema"], &[]),
            ("search-us", &["schema"], &[]),
            ("gateway", &["users"], &["search-eu", "search-us"]),
        ]);
        plan.steps[0].reversible = false;
        plan.steps[1].instances = Instances::Count(3);
        plan.steps[1].healthy_for = 10_000;
        plan.steps[1].on_stall = OnStall::Rollback;
        plan.steps[3].owner = plan.steps[2].owner.clone();
        plan.steps[4].instances = Instances::Share(Share::new(25).expect("a share"));
        plan
    }

    fn phased() -> Plan {
        let mut plan = small();
        "orders-v7".clone_into(&mut plan.name);
        let said = Expect {
            service: Service::new("gateway-service").expect("a name"),
            event: EventType::DeploymentComplete,
        };
        plan.trigger = Some(Trigger { on: said, version: None });
        plan.phases =
            vec![phase("first", &["schema", "users"]), phase("rest", &["search-eu", "search-us", "gateway"])];
        plan.phases[0].soak = 60_000;
        plan.phases[0].cohort = Share::new(5);
        plan.phases[0].watch = Some(Watch {
            query: "errors".into(),
            bound: Bound::AtMost(1.into()),
            hold: 30_000,
            every: 5_000,
            on_breach: OnStall::Rollback,
        });
        plan.phases[1].approval = Some(Approval { by: "sre".into() });
        plan
    }

    /// Holds a text against a file beside this one. With `UPDATE_GOLDEN` set the file is written instead.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test alone reads and writes what it holds texts against"
    )]
    fn golden(name: &str, text: &str) {
        let path = format!("{}/src/graph/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, text).expect("a file that can be written");
        }
        let expected = std::fs::read_to_string(&path).expect("a file that can be read");
        assert!(text == expected, "{name} is drawn otherwise; set UPDATE_GOLDEN to accept this:\n{text}");
    }

    #[test]
    fn a_small_plan_is_drawn_alike_in_every_form() {
        let graph = Graph::of(&[small()], By::Step);
        golden("small.txt", &graph.to_text());
        golden("small.mmd", &graph.to_mermaid());
        golden("small.dot", &graph.to_dot());
        golden("small.svg", &graph.to_svg());
        golden("small.json", &serde_json::to_string_pretty(&graph).expect("plain data"));
    }

    #[test]
    fn phases_and_a_plan_that_starts_another_are_told() {
        let graph = Graph::of(&[small(), phased()], By::Step);
        golden("phased.txt", &graph.to_text());
        golden("phased.mmd", &graph.to_mermaid());
        golden("phased.dot", &graph.to_dot());
        golden("phased.svg", &graph.to_svg());
    }

    #[test]
    fn services_and_teams_are_drawn_as_one_graph_over_all_plans() {
        let both = [small(), phased()];
        golden("services.txt", &Graph::of(&both, By::Service).to_text());
        golden("teams.txt", &Graph::of(&both, By::Team).to_text());
    }

    #[test]
    fn teams_that_wait_for_each_other_are_told_so() {
        let mut plan = plan(&[("a", &[], &[]), ("b", &["a"], &[]), ("c", &["b"], &[])]);
        plan.steps[2].owner = "team-a".into();
        let graph = Graph::of(&[plan], By::Team);
        let edges = &graph.sheets[0].edges;
        assert_eq!(edges.iter().filter(|edge| edge.back).count(), 1, "{edges:?}");
        assert!(graph.to_text().contains("(which waits for it too)"));
        let pairs: Vec<_> = graph.talks.iter().map(|talk| (talk.from.as_str(), talk.to.as_str())).collect();
        assert_eq!(pairs, [("team-a", "team-b"), ("team-b", "team-a")]);
    }

    #[test]
    fn the_listing_keeps_to_a_terminal() {
        let text = Graph::of(&[small(), phased()], By::Step).to_text();
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, Vec::<&str>::new());
    }

    #[test]
    fn free_texts_cannot_break_out_of_any_form() {
        let evil = r#"</text><script>alert("1")</script> & 'x' ]]> \" ]; end `*` #quot; --> n9 %% {{7}}"#;
        let mut plan = small();
        for step in &mut plan.steps {
            step.owner = format!("{evil}\u{2028}\n{}", step.id);
            step.runbook = Some(evil.to_owned());
        }
        plan.owner = evil.to_owned();
        for by in [By::Step, By::Service, By::Team] {
            let graph = Graph::of(std::slice::from_ref(&plan), by);
            let svg = graph.to_svg();
            assert!(!svg.contains("<script") && !svg.contains("</text><"), "{svg}");
            assert!(!svg.contains('\u{2028}'), "a line within a line");
            assert_eq!(svg.matches("<svg").count(), 1);
            let dot = graph.to_dot();
            for label in dot.lines().filter(|line| line.contains("alert")) {
                let bare = label.replace("\\\\", "").replace("\\\"", "");
                assert!(bare.matches('"').count().is_multiple_of(2), "{label}");
                assert!(bare.matches('"').count() <= 2, "{label}");
            }
            let mermaid = graph.to_mermaid();
            for label in mermaid.lines().filter(|line| line.contains("alert")) {
                assert_eq!(label.matches('"').count(), 2, "{label}");
                assert!(!label.contains("<script") && !label.contains('`'), "{label}");
            }
        }
    }
}
