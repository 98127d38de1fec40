//! The story of a step that stands still, as the alert tells it: whose doing it is, what was seen, how far the rollout
//! came, who waits, what the sentinel does and what a person can. The words are those of `pavane why`.
//!
//! It is computed from the fold and from what the verdict quotes, so that it is the same on every replica; each thing
//! stands in a field of its own for programs, and in the description for people.

use std::collections::BTreeSet;

use pavane_events::verdict::RolloutStalled;
use pavane_events::{Cause, Evidence, EvidenceKind, Service, Version};

use crate::alert::{apart, spoken};
use crate::diagnosis::advice::{Case, Times};
use crate::diagnosis::words::{listed, meaning, spaced};
use crate::diagnosis::{Seen, seen};
use crate::effect::Alert;
use crate::rollout::{Rollout, Status};
use crate::spoken::Saying;

/// How many steps, instances and things seen are named.
const NAMED: usize = 8;
/// How much of a thing seen is told, in characters.
const WIDE: usize = 400;

/// A stall with what is to be told of it.
pub(crate) struct Story<'a> {
    rollout: &'a Rollout,
    i: usize,
    said: &'a RolloutStalled,
    seen: Vec<Seen>,
    lacking: Vec<String>,
    waiting: Vec<String>,
    /// The step that stands still above it, where there is one: it follows from that.
    origin: Option<usize>,
}

impl<'a> Story<'a> {
    pub(crate) fn of(rollout: &'a Rollout, i: usize, said: &'a RolloutStalled) -> Self {
        let (seen, lacking) = (seen_of(rollout, i, said), lacking(rollout, i, said));
        Self { rollout, i, said, seen, lacking, waiting: waiting(rollout, i), origin: origin(rollout, i) }
    }

    /// Whose doing it is: who wrote what nobody can read, else who owes the event; of a chain, the first.
    pub(crate) fn culprit(&self) -> Service {
        let at = self.origin.unwrap_or(self.i);
        let state = &self.rollout.steps[at];
        let broken = state.stall.as_ref().is_some_and(|stall| stall.cause == Cause::ContractBroken);
        let producer = state.rejection.as_ref().filter(|_| broken).and_then(|seen| seen.producer.clone());
        producer.unwrap_or_else(|| self.rollout.service(at).into_owned())
    }

    /// Writes it into the alert. `brake` is what keeps the sentinel from asking for a rollback by itself.
    pub(crate) fn tell(&self, alert: &mut Alert, brake: Option<&str>, times: Times) {
        let plan = &self.rollout.score.plan.name;
        let (culprit, who) = (self.culprit(), self.who());
        let case = self.case(culprit.as_str(), &who, times);
        let (next, outlook) = (case.next(), case.outlook(brake));
        let headline = self.headline();
        alert.say("summary", format!("{plan}: {headline} ({})", spaced(self.said.cause.as_str())));
        alert.say("description", self.description(&headline, culprit.as_str(), &outlook));
        alert.say("missing", self.said.missing.clone());
        alert.say("culprit", culprit.to_string());
        alert.say("meaning", meaning(self.said.cause).to_owned());
        alert.say("progress", self.progress());
        alert.say("evidence", self.evidence());
        alert.say("attempt", self.said.attempt.to_string());
        alert.say("outlook", outlook);
        alert.say("next_step", next.join(". "));
        for (key, names) in [("lacking", &self.lacking), ("waiting", &self.waiting)] {
            if !names.is_empty() {
                alert.say(key, listed(names, NAMED));
            }
        }
        if let Some(origin) = self.origin {
            alert.say("origin", self.rollout.plan_step(origin).id.to_string());
        }
        apart::tell(alert, &self.rollout.steps[self.i], &self.seen);
    }

    fn case<'s>(&'s self, culprit: &'s str, who: &'s str, times: Times) -> Case<'s> {
        Case {
            rollout: self.rollout.id.as_str(),
            step: self.rollout.plan_step(self.i).id.as_str(),
            event: &self.said.missing,
            culprit,
            who,
            cause: self.said.cause,
            remedy: self.rollout.remedy(self.i),
            back: self.rollout.status == Status::RollingBack,
            times,
        }
    }

    /// Who must be looked at: the instances that owe it where they are known.
    fn who(&self) -> String {
        let service = || self.rollout.service(self.i).to_string();
        if self.lacking.is_empty() { service() } else { listed(&self.lacking, 3) }
    }

    /// What is missing, and from how many.
    fn headline(&self) -> String {
        if self.rollout.breach(self.i).is_some() {
            return format!("a metric breaks its bound: {}", self.said.missing);
        }
        let back = self.rollout.status == Status::RollingBack;
        let count = match self.rollout.wanted(self.i).filter(|want| *want > 1 && !back) {
            Some(want) => {
                let have = u32::try_from(self.have()).unwrap_or(want);
                if have == 0 {
                    format!(" from all {want} instances")
                } else {
                    format!(" from {} of {want} instances", want.saturating_sub(have))
                }
            }
            None => String::new(),
        };
        format!("{} is missing{count}", self.said.missing)
    }

    fn have(&self) -> usize {
        let words = self.rollout.steps[self.i].words.values();
        words.filter(|word| word.saying == Saying::Awaited).count()
    }

    fn description(&self, headline: &str, culprit: &str, outlook: &str) -> String {
        let (id, step, cause) = (&self.rollout.id, &self.rollout.plan_step(self.i).id, self.said.cause);
        let window = match (self.said.since, self.said.deadline) {
            (Some(since), Some(end)) => format!(", {} after its window began", spoken(end.since(since))),
            _ => String::new(),
        };
        let mut lines = vec![format!("Rollout {id} stands still at step {step}: {headline}{window}.")];
        if self.rollout.breach(self.i).is_none() {
            lines.push(format!("The cause is {}: {}.", spaced(cause.as_str()), meaning(cause)));
        }
        if let Some(origin) = self.origin {
            let origin = &self.rollout.plan_step(origin).id;
            lines.push(format!(
                "It follows from step {origin}, which stands still itself: begin with {culprit}."
            ));
        } else if culprit != self.rollout.service(self.i).as_str() {
            lines.push(format!("It is the doing of {culprit}."));
        }
        lines.push(format!("Seen: {}.", self.evidence()));
        lines.push(format!("So far: {}.", self.progress()));
        if !self.waiting.is_empty() {
            lines.push(format!("Behind it waits {}.", listed(&self.waiting, NAMED)));
        }
        lines.push(format!("The sentinel {}.", outlook.strip_prefix("it ").unwrap_or(outlook)));
        lines.join(" ")
    }

    fn evidence(&self) -> String {
        let cut = |seen: &Seen| {
            let place = match (seen.kind, seen.offset) {
                (_, None) => String::new(),
                ("heartbeat", Some(offset)) => format!(" (heartbeat {offset})"),
                (_, Some(offset)) => format!(" (offset {offset})"),
            };
            format!("{}{place}", seen.text.chars().take(WIDE).collect::<String>())
        };
        let mut lines: Vec<String> = self.seen.iter().take(NAMED).map(cut).collect();
        if let more @ 1.. = self.seen.len().saturating_sub(NAMED) {
            lines.push(format!("and {more} more"));
        }
        lines.join("; ")
    }

    /// How far the rollout has come: the steps that are done, and how much of this one.
    fn progress(&self) -> String {
        let rollout = self.rollout;
        let (id, done) = (&rollout.plan_step(self.i).id, done(rollout));
        let steps = format!("{} of {} steps done", done.len(), rollout.steps.len());
        let names = if done.is_empty() { String::new() } else { format!(" ({})", listed(&done, NAMED)) };
        let said = rollout.steps[self.i].words.iter().filter(|(_, word)| word.saying == Saying::Awaited);
        let said: Vec<String> = said.map(|(by, word)| format!("{by} at offset {}", word.offset)).collect();
        let want = rollout
            .wanted(self.i)
            .map_or_else(|| rollout.plan_step(self.i).instances.to_string(), |want| want.to_string());
        let who = if said.is_empty() { String::new() } else { format!(" ({})", listed(&said, NAMED)) };
        format!("{steps}{names}; step {id} has {} of {want} instances{who}", said.len())
    }
}

/// The steps whose count is full, with where it was filled.
fn done(rollout: &Rollout) -> Vec<String> {
    let name = |i: usize| {
        let (state, id) = (&rollout.steps[i], &rollout.plan_step(i).id);
        let full = state.full.map(|full| format!("{id} at offset {}", full.offset()));
        full.or_else(|| state.overridden.then(|| format!("{id} by a person's word")))
    };
    (0..rollout.steps.touched()).filter_map(name).collect()
}

/// The instances that owe the event, as far as they are known.
fn lacking(rollout: &Rollout, i: usize, said: &RolloutStalled) -> Vec<String> {
    let state = &rollout.steps[i];
    let back = rollout.status == Status::RollingBack;
    let owes = |instance: &pavane_events::Instance, saying: Saying| {
        if back { !state.answers.contains_key(instance) } else { saying != Saying::Awaited }
    };
    let spoken = state.words.iter().filter(|(instance, word)| owes(instance, word.saying));
    let quoted = said.evidence.iter().filter(|seen| {
        matches!(seen.kind, EvidenceKind::Heartbeat | EvidenceKind::Silence | EvidenceKind::Failure)
    });
    let quoted = quoted.filter_map(|seen| seen.instance.clone());
    let all: BTreeSet<_> = spoken.map(|(instance, _)| instance.clone()).chain(quoted).collect();
    all.iter().map(ToString::to_string).collect()
}

/// The steps that wait for a step, near ones first, with their owners.
fn waiting(rollout: &Rollout, i: usize) -> Vec<String> {
    if rollout.status != Status::Open {
        return Vec::new();
    }
    let mut found = vec![i];
    let mut next = 0;
    while let Some(&at) = found.get(next) {
        next += 1;
        for &waits in &rollout.score.dependants[at] {
            let state = &rollout.steps[waits];
            if state.full.is_none() && !state.overridden && !found.contains(&waits) {
                found.push(waits);
            }
        }
    }
    let name = |i: &usize| {
        let step = rollout.plan_step(*i);
        format!("{} ({})", step.id, step.owner)
    };
    found[1..].iter().map(name).collect()
}

/// The first step above this one that stands still.
fn origin(rollout: &Rollout, i: usize) -> Option<usize> {
    if rollout.burning == 0 || rollout.status != Status::Open {
        return None;
    }
    let mut below = vec![false; rollout.steps.len()];
    rollout.score.below(i, &mut below);
    (0..i).find(|j| below[*j] && rollout.steps[*j].stall.is_some())
}

/// What was seen, each thing once: what stands on the log, then what the verdict quotes besides.
fn seen_of(rollout: &Rollout, i: usize, said: &RolloutStalled) -> Vec<Seen> {
    let (state, plan) = (&rollout.steps[i], rollout.plan_step(i));
    let mut all = Vec::new();
    let mut see = |kind, offset, text, seen: Seen| {
        all.push(Seen { kind, offset: Some(offset), text, ..seen });
    };
    if let Some(seen) = &state.rejection {
        let who = seen.instance.as_ref().map_or("a service that waits", |instance| instance.as_str());
        see("rejection", seen.offset, format!("{who} said EventRejected: {}", seen.detail), Seen::default());
    }
    if let Some(taint) = state.taint.as_ref().filter(|_| state.rejection.is_none()) {
        see("dead_letter", taint.offset, taint.why.clone(), Seen::default());
    }
    for (instance, word) in state.words.iter() {
        let (version, wanted) = (word.version(), plan.version.as_ref().map(ToString::to_string));
        let text = match word.saying {
            Saying::Failed => format!("{instance} said DeploymentFailed: {}", word.detail()),
            Saying::WrongVersion => {
                seen::contradiction(instance.as_str(), version.map(Version::as_str), wanted.as_deref())
            }
            Saying::Started => format!("{instance} said DeploymentStarted"),
            Saying::Drained => format!("{instance} said Drained"),
            Saying::Awaited => continue,
        };
        let kind = if word.saying == Saying::Failed { "failure" } else { "word" };
        let output = word.output().map(ToOwned::to_owned).collect();
        see(kind, word.offset, text, Seen { output, exit_code: word.exit(), ..Seen::default() });
    }
    let contradicted = |evidence: &Evidence| {
        let word = evidence.instance.as_ref().and_then(|instance| state.words.get(instance));
        evidence.cause == Cause::Conflict && word.is_some_and(|word| word.saying == Saying::WrongVersion)
    };
    for evidence in said.evidence.iter().filter(|evidence| !contradicted(evidence)) {
        let known = |seen: &Seen| evidence.kind != EvidenceKind::Heartbeat && seen.offset == evidence.offset;
        if evidence.offset.is_none() || !all.iter().any(known) {
            all.push(seen::quoted(evidence));
        }
    }
    all
}
