//! What is known already mutes what only follows from it.

use pavane_sentinel_engine::Alert;

use crate::matcher::{Matcher, all_match};
use crate::{Labels, value};

/// While an alert burns that the one side names, those that the other side names are not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhibition {
    /// What must burn.
    pub source: Vec<Matcher>,
    /// What is not told meanwhile.
    pub target: Vec<Matcher>,
    /// The labels that must be the same on both.
    pub equal: Vec<String>,
}

impl Inhibition {
    /// The rules that hold whatever the file says: who is blind says that alone, and a rollback that did not succeed
    /// everywhere says more than the stalls within it.
    pub fn always() -> Vec<Self> {
        let rule = |source: &str, target: &str, equal: &[&str]| Self {
            source: vec![parsed(source)],
            target: vec![parsed(target)],
            equal: equal.iter().map(|label| (*label).to_owned()).collect(),
        };
        vec![
            rule("alertname=Blind", "alertname!~\"Blind|Watchdog\"", &["domain"]),
            rule("alertname=RolloutPartial", "alertname!=RolloutPartial", &["domain", "rollout"]),
            rule("alertname=DomainHeld", "alertname!~\"DomainHeld|Blind|Watchdog\"", &["domain"]),
            rule(
                "alertname=RolloutPaused",
                "alertname!~\"RolloutPaused|RolloutOrphaned\"",
                &["domain", "rollout"],
            ),
        ]
    }

    /// Whether an alert with these labels may keep others from being told.
    pub(crate) fn may_mute(&self, source: &Labels) -> bool {
        all_match(&self.source, source)
    }

    /// Whether `source` keeps `target` from being told.
    fn mutes(&self, source: &Labels, target: &Labels) -> bool {
        self.may_mute(source)
            && all_match(&self.target, target)
            && self.equal.iter().all(|label| value(source, label) == value(target, label))
    }
}

/// Whether one alert keeps another from being told: a rule says so, or the other waits for the step of the one.
pub(crate) fn mutes(rules: &[Inhibition], source: &Alert, target: &Alert) -> bool {
    source.id != target.id
        && (rules.iter().any(|rule| rule.mutes(&source.labels, &target.labels)) || waits(source, target))
}

/// Whether the step of `target` waits for that of `source` in the same rollout.
fn waits(source: &Alert, target: &Alert) -> bool {
    let same = |label| {
        let of = value(&source.labels, label);
        !of.is_empty() && of == value(&target.labels, label)
    };
    let step = value(&target.labels, "step");
    let waiting = source.annotations.get("waiting").map_or("", String::as_str);
    same("domain") && same("rollout") && !step.is_empty() && waiting.split(", ").any(|name| name == step)
}

fn parsed(text: &str) -> Matcher {
    Matcher::parse(text).expect("written here")
}
