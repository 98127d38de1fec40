//! What a person has stopped: told while it stands, so that whoever tells people knows to tell nothing else of it.

use pavane_events::Record;
use pavane_events::command::{DomainHeld, RolloutPaused};

use crate::alert::{About, Matter};
use crate::diagnosis::words::page_of;
use crate::effect::{Alert, AlertStatus, Effect};
use crate::fold::{Fold, Touched};

impl Fold {
    /// A person holds the domain, or lets it go.
    pub(crate) fn hold(&mut self, said: Option<(&Record, &DomainHeld)>, out: &mut Vec<Effect>) -> Touched {
        let held = said.is_some();
        match said {
            Some((record, said)) => self.raise_held(record, said, out),
            None => self.resolve_held(out),
        }
        if self.held.is_some() && !held {
            self.reschedule();
        }
        self.held = held.then(|| self.held.unwrap_or(self.offset));
        for n in self.open().collect::<Vec<_>>() {
            if held {
                self.withdraw(n, out);
            }
            self.set_clocks(n);
        }
        Touched::All
    }

    /// A person paused a rollout. What the sentinel pauses by itself is told by the stall that it follows from.
    pub(crate) fn raise_paused(
        &mut self,
        n: u64,
        record: &Record,
        said: &RolloutPaused,
        out: &mut Vec<Effect>,
    ) {
        let about = About::Whole(Matter::Paused);
        if self.burning.contains_key(&(n, about)) {
            return;
        }
        let rollout = &self.rollouts[n];
        let mut alert = self.alert(rollout, "RolloutPaused", None, "", &record.event.envelope.id, record.at);
        alert.labels.remove("cause");
        alert.labels.insert("severity".to_owned(), "ticket".to_owned());
        let (plan, by) = (&rollout.score.plan.name, someone(&said.by));
        alert.say("summary", format!("{plan}: {by} paused it{}", because(&said.reason)));
        alert.say(
            "description",
            format!(
                "The clocks of rollout {} stand still, nothing is asked of a service, and nothing else of it is told.",
                rollout.id
            ),
        );
        alert.say("next_step", format!("`pavane resume {}` lets it run on", rollout.id));
        alert.say("outlook", self.outlook_of_pause(record.at));
        alert.say("offsets", record.offset.to_string());
        self.burn(n, about, alert, out);
    }

    /// The rollout runs on.
    pub(crate) fn resolve_paused(&mut self, n: u64, out: &mut Vec<Effect>) {
        self.over(n, About::Whole(Matter::Paused), out);
    }

    fn raise_held(&mut self, record: &Record, said: &DomainHeld, out: &mut Vec<Effect>) {
        if self.held.is_some() {
            return;
        }
        let labels = [
            ("alertname", "DomainHeld"),
            ("domain", self.domain.as_str()),
            ("severity", "ticket"),
            ("owner", "platform"),
        ];
        let mut alert = Alert {
            id: record.event.envelope.id.clone(),
            status: AlertStatus::Firing,
            labels: labels.map(|(key, text)| (key.to_owned(), text.to_owned())).into(),
            annotations: std::collections::BTreeMap::new(),
            since: None,
            deadline: None,
            starts_at: record.at,
            ends_at: None,
        };
        let (by, domain) = (someone(&said.by), &self.domain);
        alert.say("summary", format!("{by} holds domain {domain}{}", because(&said.reason)));
        alert.say(
            "description",
            format!("No rollout of {domain} begins or goes on, and nothing else of it is told."),
        );
        alert.say("next_step", "`pavane release` lets its rollouts run on".to_owned());
        alert.say("outlook", self.outlook_of_hold(record.at));
        alert.say("offsets", record.offset.to_string());
        alert.say("page", page_of("DomainHeld", ""));
        out.push(Effect::Raise(Box::new(alert.clone())));
        self.hold_told = Some(Box::new(alert));
    }

    fn resolve_held(&mut self, out: &mut Vec<Effect>) {
        if let Some(alert) = self.hold_told.take() {
            out.push(Effect::Raise(Box::new(alert.over(self.clock.raw()))));
        }
    }
}

fn someone(by: &str) -> &str {
    if by.is_empty() { "someone" } else { by }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
