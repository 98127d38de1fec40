//! A route with everything that it has from above: where an alert ends up.

use pavane_events::Millis;

use super::{EACH, Escalation, INTERVAL, REPEAT, Route, WAIT};
use crate::matcher::Matcher;
use crate::{Labels, value};

/// Where an alert ends up, with everything it has from above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its place in the tree, the same for the same file: the key of its groups begins with it.
    pub path: String,
    /// The matchers of it and of all above, for a person.
    pub matchers: Vec<Matcher>,
    /// Who is told.
    pub receiver: String,
    /// As [`Route::group_by`].
    pub group_by: Option<Vec<String>>,
    /// As [`Route::wait`].
    pub wait: Option<Millis>,
    /// As [`Route::interval`].
    pub interval: Millis,
    /// As [`Route::repeat`].
    pub repeat: Millis,
    /// As [`Route::escalate`].
    pub escalate: Option<Escalation>,
    /// Whether the file has no routes: each alert by itself then, but for storms.
    pub by_default: bool,
    /// As [`Route::go_on`].
    pub(super) go_on: bool,
    /// Its own matchers, without those of the routes above.
    pub(super) own: Vec<Matcher>,
    /// The places of the routes below it.
    pub(super) children: Vec<usize>,
}

impl Leaf {
    /// The labels whose alerts are told together with one that has these.
    pub fn group_of(&self, labels: &Labels) -> Labels {
        let pick = |names: &mut dyn Iterator<Item = &str>| -> Labels {
            let found = names.filter_map(|name| Some((name.to_owned(), labels.get(name)?.clone())));
            found.collect()
        };
        match &self.group_by {
            Some(_) if self.tells_each() => labels.clone(),
            Some(names) => pick(&mut names.iter().map(String::as_str)),
            None if labels.contains_key("rollout") => pick(&mut ["rollout"].into_iter()),
            None => pick(&mut ["alertname", "domain", "replica"].into_iter()),
        }
    }

    /// Whether each alert is told by itself, however many there are, unless no route says so.
    pub fn tells_each(&self) -> bool {
        self.group_by.as_ref().is_some_and(|names| names.iter().any(|name| name == EACH))
    }

    /// How long the first notification waits for others, when this alert is the first of its group.
    pub fn wait_for(&self, labels: &Labels) -> Millis {
        self.wait.unwrap_or(if value(labels, "severity") == "page" { 0 } else { WAIT })
    }

    /// Whether what a storm brings is told together.
    pub(crate) fn gathers(&self) -> bool {
        self.by_default || !self.tells_each()
    }

    /// What holds where no route says anything.
    pub(super) fn above_all() -> Self {
        Self {
            path: String::new(),
            matchers: Vec::new(),
            receiver: String::new(),
            group_by: None,
            wait: None,
            interval: INTERVAL,
            repeat: REPEAT,
            escalate: None,
            by_default: false,
            go_on: false,
            own: Vec::new(),
            children: Vec::new(),
        }
    }

    /// A route below another one. What it does not say it has from there.
    pub(super) fn below(above: &Self, route: &Route, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            matchers: above.matchers.iter().chain(&route.matchers).cloned().collect(),
            receiver: route.receiver.clone().unwrap_or_else(|| above.receiver.clone()),
            group_by: route.group_by.clone().or_else(|| above.group_by.clone()),
            wait: route.wait.or(above.wait),
            interval: route.interval.unwrap_or(above.interval),
            repeat: route.repeat.unwrap_or(above.repeat),
            escalate: route.escalate.clone().or_else(|| above.escalate.clone()),
            by_default: false,
            go_on: route.go_on,
            own: route.matchers.clone(),
            children: Vec::new(),
        }
    }

    /// A route outside the tree for what one receiver is told by itself and at once: the alerts of this name.
    pub(super) fn apart(path: String, receiver: &str, alertname: &str, repeat: Millis) -> Self {
        Self {
            path,
            matchers: vec![Matcher::equal("alertname", alertname)],
            receiver: receiver.to_owned(),
            group_by: Some(vec![EACH.to_owned()]),
            wait: Some(0),
            interval: 0,
            repeat,
            ..Self::above_all()
        }
    }
}
