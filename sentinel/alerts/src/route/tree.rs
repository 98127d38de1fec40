//! The way of an alert through the routes, and its explanation.

use std::collections::BTreeSet;

use pavane_events::Millis;
use thiserror::Error;

use super::{EACH, Leaf, REPEAT, Route};
use crate::matcher::{Matcher, all_match};
use crate::{CHANGE, Labels, WATCHDOG, value};

/// A tree that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The root is the first.
    leaves: Vec<Leaf>,
    /// Who is told of the alert that always burns; nobody else is.
    watchdog: Vec<Leaf>,
    /// Who is told of what changed; nobody else is.
    changes: Vec<Leaf>,
}

/// Why a tree cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TreeError {
    /// Nobody would be told of what no child takes.
    #[error("use the routes: the root names no `receiver`; name who is told of what no other route takes")]
    NoReceiver,
    /// The root takes everything.
    #[error("use the routes: the root has `matchers`; they belong to the routes below it")]
    RootMatches,
    /// A name that no receiver has.
    #[error("use the routes: no receiver is called `{0}`; receivers are {1}")]
    Unknown(String, String),
    /// A group is never told again within its interval.
    #[error(
        "use the routes: a group of `{0}` is told again every {1} ms, but not before {2} ms; raise `repeat`"
    )]
    RepeatsTooSoon(String, Millis, Millis),
}

/// The way of an alert through the tree, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Each route that was looked at, in order.
    pub looked_at: Vec<Look>,
    /// Who is told, in order.
    pub receivers: Vec<String>,
}

/// One route that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// How deep it lies; the root is 0.
    pub depth: usize,
    /// Its receiver.
    pub receiver: String,
    /// Its own matchers, and whether each holds.
    pub matchers: Vec<(Matcher, bool)>,
    /// Whether the alert ended there.
    pub took: bool,
}

impl Tree {
    /// A tree that tells every receiver every alert by itself and at once, but for storms: what holds where the file has no
    /// routes.
    pub fn of_all(receivers: &[String]) -> Self {
        let nobody = Route { receiver: Some(String::new()), ..Route::default() };
        let to = |receiver: &String| Route {
            receiver: Some(receiver.clone()),
            group_by: Some(vec![EACH.to_owned()]),
            wait: Some(0),
            interval: Some(0),
            go_on: true,
            ..Route::default()
        };
        let mut tree = Self::built(&Route { routes: receivers.iter().map(to).collect(), ..nobody });
        tree.leaves.iter_mut().for_each(|leaf| leaf.by_default = true);
        tree
    }

    /// The tree, with those who are told again and again that the sentinel sees, every so many milliseconds.
    #[must_use]
    pub fn with_watchdog(mut self, receivers: &[String], every: Millis) -> Self {
        let leaf = |(n, to): (usize, &String)| Leaf::apart(format!("w.{n}"), to, WATCHDOG, every);
        self.watchdog = receivers.iter().enumerate().map(leaf).collect();
        self
    }

    /// The tree, with those who are told of what changed.
    #[must_use]
    pub fn with_changes(mut self, receivers: &[String]) -> Self {
        let leaf = |(n, to): (usize, &String)| Leaf::apart(format!("c.{n}"), to, CHANGE, REPEAT);
        self.changes = receivers.iter().enumerate().map(leaf).collect();
        self
    }

    /// Whether somebody is told of what changed.
    pub fn tells_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Checks a tree against the names of the receivers.
    pub fn new(root: &Route, receivers: &[String]) -> Result<Self, TreeError> {
        if root.receiver.is_none() {
            return Err(TreeError::NoReceiver);
        }
        if !root.matchers.is_empty() {
            return Err(TreeError::RootMatches);
        }
        let tree = Self::built(root);
        for leaf in &tree.leaves {
            let names = leaf.escalate.iter().map(|escalation| &escalation.to).chain([&leaf.receiver]);
            for name in names {
                if !receivers.contains(name) {
                    return Err(TreeError::Unknown(name.clone(), receivers.join(", ")));
                }
            }
            if leaf.repeat < leaf.interval {
                return Err(TreeError::RepeatsTooSoon(leaf.receiver.clone(), leaf.repeat, leaf.interval));
            }
        }
        Ok(tree)
    }

    /// Where an alert with these labels ends up; nobody is told twice.
    pub fn leaves_of(&self, labels: &Labels) -> Vec<&Leaf> {
        match value(labels, "alertname") {
            WATCHDOG => return self.watchdog.iter().collect(),
            CHANGE => return self.changes.iter().collect(),
            _ => {}
        }
        let mut ends = Vec::new();
        self.walk(0, 0, labels, &mut ends, &mut Vec::new());
        let mut told = BTreeSet::new();
        let leaves = ends.into_iter().map(|n| &self.leaves[n]);
        leaves.filter(|leaf| !leaf.receiver.is_empty() && told.insert(&leaf.receiver)).collect()
    }

    /// The route at this place.
    pub fn leaf(&self, path: &str) -> Option<&Leaf> {
        self.leaves.iter().chain(&self.watchdog).chain(&self.changes).find(|leaf| leaf.path == path)
    }

    /// The way of an alert with these labels, route by route.
    pub fn explain(&self, labels: &Labels) -> Explanation {
        let mut looked_at = Vec::new();
        self.walk(0, 0, labels, &mut Vec::new(), &mut looked_at);
        let receivers = self.leaves_of(labels).iter().map(|leaf| leaf.receiver.clone()).collect();
        Explanation { looked_at, receivers }
    }

    /// Whether the route took the alert, itself or by one below.
    fn walk(
        &self,
        n: usize,
        depth: usize,
        labels: &Labels,
        ends: &mut Vec<usize>,
        seen: &mut Vec<Look>,
    ) -> bool {
        let leaf = &self.leaves[n];
        let matchers: Vec<_> =
            leaf.own.iter().map(|matcher| (matcher.clone(), matcher.matches(labels))).collect();
        let place = seen.len();
        seen.push(Look { depth, receiver: leaf.receiver.clone(), matchers, took: false });
        if !all_match(&leaf.own, labels) {
            return false;
        }
        let mut taken = false;
        for &child in &leaf.children {
            if self.walk(child, depth + 1, labels, ends, seen) {
                taken = true;
                if !self.leaves[child].go_on {
                    return true;
                }
            }
        }
        if !taken {
            ends.push(n);
            seen[place].took = true;
        }
        true
    }

    fn built(root: &Route) -> Self {
        let mut tree = Self { leaves: Vec::new(), watchdog: Vec::new(), changes: Vec::new() };
        tree.add(root, &Leaf::above_all(), "0");
        tree
    }

    fn add(&mut self, route: &Route, above: &Leaf, path: &str) -> usize {
        let n = self.leaves.len();
        self.leaves.push(Leaf::below(above, route, path));
        let above = self.leaves[n].clone();
        for (place, child) in route.routes.iter().enumerate() {
            let child = self.add(child, &above, &format!("{path}.{place}"));
            self.leaves[n].children.push(child);
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::WAIT;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn to(receiver: &str, matchers: &[&str]) -> Route {
        let matchers = matchers.iter().map(|text| Matcher::parse(text).expect("a matcher")).collect();
        Route { receiver: Some(receiver.to_owned()), matchers, ..Route::default() }
    }

    fn names() -> Vec<String> {
        ["platform", "identity", "pager", "audit"].map(str::to_owned).to_vec()
    }

    /// platform ← identity (owner=identity) ← pager (severity=page); audit hears all.
    fn tree() -> Tree {
        let pager = to("pager", &["severity=page"]);
        let identity = Route { routes: vec![pager], ..to("identity", &["owner=identity"]) };
        let audit = Route { go_on: true, ..to("audit", &["domain=~\".+\""]) };
        let root = Route { routes: vec![audit, identity], ..to("platform", &[]) };
        Tree::new(&root, &names()).expect("a tree")
    }

    #[test]
    fn an_alert_ends_at_the_deepest_route_that_takes_it() {
        for (pairs, told) in [
            (vec![("owner", "identity"), ("severity", "page"), ("domain", "shop")], vec!["audit", "pager"]),
            (vec![("owner", "identity"), ("severity", "ticket")], vec!["identity"]),
            (vec![("owner", "payments"), ("severity", "page")], vec!["platform"]),
            (vec![("domain", "shop")], vec!["audit"]),
            (vec![], vec!["platform"]),
        ] {
            let tree = tree();
            let leaves = tree.leaves_of(&labels(&pairs));
            let receivers: Vec<_> = leaves.iter().map(|leaf| leaf.receiver.as_str()).collect();
            assert_eq!(receivers, told, "{pairs:?}");
        }
    }

    #[test]
    fn the_way_is_explained_route_by_route() {
        let tree = tree();
        let way = tree.explain(&labels(&[("owner", "identity"), ("severity", "ticket")]));
        let told: Vec<_> = way
            .looked_at
            .iter()
            .map(|look| (look.depth, look.receiver.as_str(), look.matchers.iter().all(|m| m.1), look.took))
            .collect();
        let expected = [
            (0, "platform", true, false),
            (1, "audit", false, false),
            (1, "identity", true, true),
            (2, "pager", false, false),
        ];
        assert_eq!(told, expected);
        assert_eq!(way.receivers, ["identity"]);
    }

    #[test]
    fn a_child_has_from_above_what_it_does_not_say() {
        let root =
            Route { interval: Some(1_000), routes: vec![to("pager", &["a=b"])], ..to("platform", &[]) };
        let tree = Tree::new(&root, &names()).expect("a tree");
        let leaf = tree.leaves_of(&labels(&[("a", "b")]))[0].clone();
        assert_eq!((leaf.interval, leaf.repeat, leaf.wait), (1_000, REPEAT, None));
        assert_eq!(leaf.wait_for(&labels(&[("severity", "page")])), 0);
        assert_eq!(leaf.wait_for(&labels(&[("severity", "ticket")])), WAIT);
    }

    #[test]
    fn who_wants_changes_is_told_of_them_and_nobody_else() {
        let tree = tree().with_changes(&["pager".to_owned()]).with_watchdog(&["audit".to_owned()], 1_000);
        let told = |name: &str| -> Vec<String> {
            let leaves =
                tree.leaves_of(&labels(&[("alertname", name), ("domain", "shop"), ("rollout", "r")]));
            leaves.iter().map(|leaf| format!("{} {}", leaf.path, leaf.receiver)).collect()
        };
        assert_eq!(
            (told(CHANGE), told(WATCHDOG)),
            (vec!["c.0 pager".to_owned()], vec!["w.0 audit".to_owned()])
        );
        assert!(tree.leaf("c.0").is_some_and(Leaf::tells_each) && tree.tells_changes());
    }

    #[test]
    fn without_routes_everybody_is_told_everything() {
        let tree = Tree::of_all(&names());
        let leaves = tree.leaves_of(&labels(&[("rollout", "r"), ("domain", "shop"), ("step", "a")]));
        assert_eq!(leaves.len(), 4);
        assert!(leaves[0].tells_each());
        assert!(Tree::of_all(&[]).leaves_of(&labels(&[])).is_empty());
    }

    #[test]
    fn a_tree_that_would_not_tell_is_refused_by_name() {
        let unknown = Route { routes: vec![to("nobody", &[])], ..to("platform", &[]) };
        let soon = Route { repeat: Some(1), ..to("platform", &[]) };
        for (root, says) in [
            (Route::default(), "names no `receiver`"),
            (to("platform", &["a=b"]), "the root has `matchers`"),
            (unknown, "no receiver is called `nobody`"),
            (soon, "raise `repeat`"),
        ] {
            let error = Tree::new(&root, &names()).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
