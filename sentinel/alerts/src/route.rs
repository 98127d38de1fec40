//! The tree of routes: from an alert's labels to those who are told, as Alertmanager's tree.
//!
//! An alert enters at the root and goes into the first child whose matchers all hold, and on to the next ones where that
//! child says `continue`; where no child takes it, the route itself does. What a route does not say it has from its parent.

mod leaf;
mod tree;

use pavane_events::Millis;

use crate::matcher::Matcher;

pub use leaf::Leaf;
pub use tree::{Explanation, Look, Tree, TreeError};

/// How long the first notification of a group that is no page waits for others, in milliseconds.
pub const WAIT: Millis = 30_000;
/// How long after one notification of a group the next may follow, in milliseconds.
pub const INTERVAL: Millis = 5 * 60_000;
/// How long after the last notification of a group it is told again that it burns, in milliseconds.
pub const REPEAT: Millis = 4 * 60 * 60_000;
/// The name in `group_by` that stands for every label.
pub const EACH: &str = "...";
/// How long a notification is tried before somebody else is told too, in milliseconds.
pub const ESCALATE: Millis = 2 * 60_000;

/// A route as it is written. What is `None` comes from the parent, at the root from the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Who is told.
    pub receiver: Option<String>,
    /// Which alerts it takes; all of them must hold.
    pub matchers: Vec<Matcher>,
    /// The labels whose alerts are told together; `["..."]` tells each alert by itself.
    /// Default: by rollout; what is about no rollout by alertname, domain and replica.
    pub group_by: Option<Vec<String>>,
    /// How long the first notification of a group waits for others. Default: 0 for a page, [`WAIT`] for the rest.
    pub wait: Option<Millis>,
    /// How long after one notification the next may follow. Default: [`INTERVAL`].
    pub interval: Option<Millis>,
    /// How long after the last notification a group is told again. Default: [`REPEAT`].
    pub repeat: Option<Millis>,
    /// Who else is told when the receiver cannot be reached, or a rollback fails.
    pub escalate: Option<Escalation>,
    /// Whether an alert that it took also goes on to the next siblings.
    pub go_on: bool,
    /// The children, in order.
    pub routes: Vec<Route>,
}

/// Who is told when telling fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// The receiver.
    pub to: String,
    /// After how long without delivery.
    pub after: Millis,
}
