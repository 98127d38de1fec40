//! Who is told what, and when: alerts in, notifications out.
//!
//! The engine says what is the matter; this crate decides whether somebody hears of it, who, together with what else, and
//! when again. It is a fold like the engine: [`Notifier::handle`] takes one [`Input`] and the time, and gives back the
//! [`Notification`]s that are to be delivered; [`Notifier::next_deadline`] says when to call again. It knows no clock, no
//! network and no receiver: delivering is the shell's.
//!
//! The words and the defaults are Alertmanager's (routing tree, grouping, inhibition, silences), so that whoever can read
//! one configuration can read the other.
//!
//! | room | what is in it |
//! |---|---|
//! | [`matcher`] | one condition on a label |
//! | [`route`] | the tree of routes, and the explanation of a way through it |
//! | [`inhibit`] [`silence`] | what keeps an alert from being told |
//! | [`flap`] [`storm`] | what keeps many from being told one by one |
//! | [`board`] | what burns, and whether it may be told |
//! | [`notifier`] [`group`](mod@group) [`memory`] | the fold: what is told together, and what was told |
//! | [`notification`] [`errand`] | what is told, and who else when it does not arrive |

pub mod body;
pub mod inhibit;
pub mod matcher;
pub mod notification;
pub mod notifier;
pub mod route;
pub mod silence;

mod board;
mod errand;
mod flap;
mod group;
mod memory;
mod storm;

pub use inhibit::Inhibition;
pub use matcher::{Matcher, MatcherError};
pub use notification::{Notification, Reason, Row};
pub use notifier::{Fate, Input, Notifier};
pub use route::{Explanation, Leaf, Route, Tree, TreeError};
pub use silence::{Silence, SilenceError, SilenceState};

/// The name of the alert that burns while the sentinel sees: whoever hears of it no more knows that nobody watches.
pub const WATCHDOG: &str = "Watchdog";

/// The name of the alert that the one who would miss the sentinel cannot be reached.
pub const UNREACHED: &str = "DeadManUnreached";

/// The name of what is no alert but a change: a rollout has started or ended. It is told once, to those who want changes.
pub const CHANGE: &str = "RolloutChanged";

/// Whether an alert is known to one replica alone, and on no log: it tells of it by itself.
pub fn is_straight(labels: &Labels) -> bool {
    ["Blind", WATCHDOG, UNREACHED].contains(&value(labels, "alertname"))
}

/// The labels of an alert, sorted by name.
pub type Labels = std::collections::BTreeMap<String, String>;

/// The value of a label; a label that is not there has the empty value, as in Alertmanager.
pub(crate) fn value<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}
