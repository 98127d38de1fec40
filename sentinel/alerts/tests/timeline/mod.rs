//! A timeline in virtual time: what happens when goes in as text, who is told what when comes out as text.

use std::collections::BTreeMap;

use pavane_alerts::notification::mark;
use pavane_alerts::{Input, Matcher, Notification, Notifier, Route, Silence, Tree};
use pavane_events::{EventId, Millis, Timestamp};
use pavane_sentinel_engine::{Alert, AlertStatus};

/// The receivers that every timeline knows.
pub(crate) const RECEIVERS: [&str; 3] = ["platform", "identity", "boss"];

/// A notifier that is told the time.
pub(crate) struct Timeline {
    pub(crate) notifier: Notifier,
    pub(crate) now: Millis,
    /// Who cannot be reached.
    dead: Vec<String>,
    alerts: BTreeMap<String, Alert>,
    names: BTreeMap<String, String>,
    said: Vec<String>,
    pub(crate) sent: Vec<Notification>,
}

impl Timeline {
    /// A timeline over routes that begins at one hour, when everything at the start has been read.
    pub(crate) fn new(root: &Route) -> Self {
        let names = RECEIVERS.map(str::to_owned);
        let tree = Tree::new(root, &names).expect("a tree");
        Self::of(Notifier::new(tree, Vec::new()))
    }

    /// A timeline over a notifier.
    pub(crate) fn of(notifier: Notifier) -> Self {
        let mut this = Self {
            notifier,
            now: 0,
            dead: Vec::new(),
            alerts: BTreeMap::new(),
            names: BTreeMap::new(),
            said: Vec::new(),
            sent: Vec::new(),
        };
        this.give(Input::Live);
        this
    }

    /// Plays a script, a line each: `at 1s raise a step=users severity=page`, `at 2s end a`,
    /// `at 3s silence s owner=identity for 1h`, `at 4s unsilence s`, `at 5s lose platform`, `at 1h wait`.
    pub(crate) fn play(mut self, script: &str) -> String {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.split_whitespace();
            assert_eq!(words.next(), Some("at"), "{line}");
            let at = millis(words.next().expect("a time"));
            self.until(at);
            let words: Vec<_> = words.collect();
            self.line(&words);
        }
        self.said.join("\n")
    }

    fn line(&mut self, words: &[&str]) {
        match words {
            ["raise", name, labels @ ..] => {
                let alert = self.alert(name, labels);
                self.give(Input::Alert(alert));
            }
            ["end", name] => {
                let alert = self.alerts.get_mut(*name).expect("raised before");
                alert.status = AlertStatus::Resolved;
                alert.ends_at = Some(Timestamp(self.now));
                let alert = alert.clone();
                self.give(Input::Alert(alert));
            }
            ["silence", id, matchers @ .., "for", length] => {
                let matchers = matchers.iter().map(|text| Matcher::parse(text).expect("a matcher")).collect();
                self.give(Input::Silenced(Silence {
                    id: (*id).to_owned(),
                    matchers,
                    starts_at: Timestamp(self.now),
                    ends_at: Timestamp(self.now + millis(length)),
                    created_by: "anna".to_owned(),
                    comment: "known".to_owned(),
                }));
            }
            ["unsilence", id] => self.give(Input::Unsilenced((*id).to_owned())),
            ["lose", receiver] => self.dead.push((*receiver).to_owned()),
            ["wait"] => self.give(Input::Tick),
            other => panic!("what is {other:?}?"),
        }
    }

    fn alert(&mut self, name: &str, labels: &[&str]) -> Alert {
        let usual =
            [("alertname", "RolloutStalled"), ("domain", "shop"), ("rollout", "r1"), ("severity", "page")];
        let mut all: BTreeMap<_, _> = usual.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let mut annotations = BTreeMap::new();
        for label in labels {
            let (key, text) = label.split_once('=').expect("a label");
            let text = text.replace('_', " ").trim().to_owned();
            if key == "waiting" {
                annotations.insert(key.to_owned(), text);
            } else if text.is_empty() {
                all.remove(key);
            } else {
                all.insert(key.to_owned(), text);
            }
        }
        let id = EventId::new(format!("{name}-{}", self.now)).expect("a name");
        self.names.insert(mark(&id), name.to_owned());
        let alert = Alert {
            id,
            status: AlertStatus::Firing,
            labels: all,
            annotations,
            since: None,
            deadline: None,
            starts_at: Timestamp(self.now),
            ends_at: None,
        };
        self.alerts.insert(name.to_owned(), alert.clone());
        alert
    }

    /// Lets the time go by, deadline by deadline.
    pub(crate) fn until(&mut self, at: Millis) {
        while let Some(next) = self.notifier.next_deadline().filter(|next| next.0 <= at) {
            assert!(next.0 > self.now, "it asks for what has gone by: {} at {}", next.0, self.now);
            self.now = next.0;
            self.give(Input::Tick);
        }
        self.now = at;
    }

    /// Gives the notifier an input, and plays the receivers.
    pub(crate) fn give(&mut self, input: Input) {
        let mut news = self.notifier.handle(Timestamp(self.now), input);
        while !news.is_empty() {
            let mut more = Vec::new();
            for one in news {
                self.say(&one);
                let answer = if self.dead.contains(&one.receiver) {
                    Input::Failed { id: one.id.clone(), times: 1 }
                } else {
                    Input::Told(one.row(Timestamp(self.now), "a"))
                };
                more.extend(self.notifier.handle(Timestamp(self.now), answer));
                self.sent.push(one);
            }
            news = more;
        }
    }

    fn say(&mut self, one: &Notification) {
        let names = |marks: &[String], sign: &str| {
            let mut names: Vec<_> = marks.iter().map(|mark| format!(" {sign}{}", self.names[mark])).collect();
            names.sort();
            names.concat()
        };
        let (burns, over) = (names(&one.firing, "+"), names(&one.resolved, "-"));
        self.said.push(format!("{} {}: {}:{burns}{over}", told(self.now), one.receiver, one.reason.as_str()));
    }
}

fn millis(text: &str) -> Millis {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: Millis = text[..text.len() - unit.len()].parse().expect("a number");
    number
        * match unit {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            other => panic!("what is {other}?"),
        }
}

fn told(at: Millis) -> String {
    match at / 1_000 {
        s if s % 3_600 == 0 && s > 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 && s > 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

impl Timeline {
    /// Plays a script and goes on.
    pub(crate) fn played(mut self, script: &str) -> Self {
        for line in script.lines().map(str::trim) {
            let words: Vec<_> = line.split_whitespace().collect();
            self.until(millis(words[1]));
            self.line(&words[2..]);
        }
        self
    }
}
