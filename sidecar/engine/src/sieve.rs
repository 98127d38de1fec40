//! What a reaction lets through of what it reacts to: some versions, and what its condition holds for.
//!
//! What is not let through is as if it had not been said. What cannot be judged is never that: the service says
//! `EventRejected`, and the record goes to the dead letters.

use std::collections::BTreeMap;

use pavane_choreography::Expect;
use pavane_choreography::plan::is_wanted;
use pavane_events::{Body, Instance, Record, Unreadable, UnreadableReason};
use semver::VersionReq;

use crate::condition::{About, Condition};
use crate::fold::Fold;
use crate::rollout::Rollout;
use crate::settings::{Reaction, Trigger};
use crate::tally::{Tally, Word};

/// What a reaction lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sieve {
    /// The versions that count; any when none is asked for.
    pub version: Option<VersionReq>,
    /// What must hold besides.
    pub when: Option<Condition>,
}

/// What a reaction's sieve has let through of one thing that it reacts to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sifted {
    tally: Tally,
    pub(crate) record: Option<Record>,
}

/// What the sieves of a rollout have let through, by the name of the reaction and by what it reacts to.
pub(crate) type Sieved = BTreeMap<(String, String), Sifted>;

impl Sieve {
    /// Whether it lets everything through.
    pub const fn is_open(&self) -> bool {
        self.version.is_none() && self.when.is_none()
    }

    /// What it adds to the name of its reaction, e.g. ` of >=2.0.0 if event.zone == "eu"`.
    pub(crate) fn name(&self) -> String {
        let version = self.version.as_ref().map_or_else(String::new, |version| format!(" of {version}"));
        let words = |when: &Condition| when.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
        let when = self.when.as_ref().map_or_else(String::new, |when| format!(" if {}", words(when)));
        version + &when
    }

    /// Whether it lets an event of a rollout through; or why that cannot be said.
    fn lets(&self, record: &Record, rollout: &Rollout) -> Result<bool, String> {
        if !is_wanted(self.version.as_ref(), record.event.envelope.version.as_ref()) {
            return Ok(false);
        }
        let Some(when) = &self.when else { return Ok(true) };
        let Body::RolloutStarted(started) = &rollout.started.event.body else {
            return Err("its rollout has no start".to_owned());
        };
        let plan = &rollout.plan;
        let about = About {
            id: rollout.id.as_str(),
            choreography: &plan.name,
            owner: &plan.owner,
            method: plan.method,
            labels: &plan.labels,
            by: &started.by,
            reason: &started.reason,
        };
        when.holds(record, &about)
    }
}

impl Sifted {
    /// Whether an instance's last word was let through.
    pub(crate) fn counts(&self, instance: &Instance) -> bool {
        self.tally.word_of(instance) == Some(Word::Said)
    }

    /// Whether anything was let through that still stands.
    pub(crate) fn is_there(&self) -> bool {
        self.tally.said().next().is_some()
    }
}

impl Reaction {
    /// The name of the reaction: what it reacts to, and what it lets through of it. The journal knows it by that.
    pub fn name(&self) -> String {
        self.on.name() + &self.sieve.name()
    }

    /// What of the reaction's triggers a record is, as it is written down what was let through.
    fn part(&self, record: &Record, rollout: &Rollout) -> Option<String> {
        let event = record.event.body.event_type();
        match (&self.on, &record.event.body) {
            (Trigger::RolloutStarted, Body::RolloutStarted(_)) => Some(event.to_string()),
            (Trigger::PhaseBegun, Body::PhaseBegun(body)) => {
                let begun = rollout.phases.get(&body.phase)?;
                (begun.offset == record.offset).then(|| body.phase.to_string())
            }
            (Trigger::Event(_) | Trigger::All(_) | Trigger::Any(_), _) => {
                let service = record.event.envelope.service.clone()?;
                let said = Expect { service, event };
                self.on.events().contains(&&said).then(|| said.to_string())
            }
            (Trigger::RolloutStarted | Trigger::PhaseBegun | Trigger::RollbackRequested, _) => None,
        }
    }
}

impl Fold {
    /// Lets a record of the rollout at this place through the sieves of the reactions that react to it.
    pub(crate) fn sift(&mut self, at: usize, record: &Record) {
        let Some(rollout) = self.rollouts.get_mut(at) else { return };
        for reaction in &self.sieves {
            let Some(part) = reaction.part(record, rollout) else { continue };
            match reaction.sieve.lets(record, rollout) {
                Ok(through) => {
                    let sifted = rollout.sieved.entry((reaction.name(), part)).or_default();
                    let word = if through { Word::Said } else { Word::Started };
                    sifted.tally.hear(word, &record.event.envelope);
                    if through {
                        sifted.record = Some(record.clone());
                    }
                }
                Err(why) => self.unjudged.push(unjudged(record, &reaction.name(), &why)),
            }
        }
    }
}

impl Rollout {
    /// What a reaction's sieve has let through of one thing that it reacts to.
    pub(crate) fn sifted(&self, reaction: &Reaction, part: &str) -> Option<&Sifted> {
        self.sieved.get(&(reaction.name(), part.to_owned()))
    }

    /// Whether a reaction's sieve lets through what is no event of a service.
    pub(crate) fn lets(&self, reaction: &Reaction, part: &str) -> bool {
        reaction.sieve.is_open() || self.sifted(reaction, part).is_some_and(Sifted::is_there)
    }
}

/// A record that can be read and that a condition cannot judge.
fn unjudged(record: &Record, reaction: &str, why: &str) -> Unreadable {
    let envelope = &record.event.envelope;
    Unreadable {
        offset: record.offset,
        at: record.at,
        event_type: Some(record.event.body.event_type().full_name()),
        id: Some(envelope.id.clone()),
        service: envelope.service.clone(),
        rollout: envelope.rollout.clone(),
        schema_id: None,
        reason: UnreadableReason::Unjudged,
        field: String::new(),
        detail: format!("the condition of the reaction on {reaction} cannot be judged: {why}"),
    }
}
