//! What people are told: computed from the log alone, so every replica tells the same in the same words.

mod about;
mod apart;
mod blind;
pub(crate) mod outlook;
mod story;

use std::collections::BTreeMap;

use pavane_choreography::yaml::lasting;
use pavane_events::command::GateRejected;
use pavane_events::service::HookUncertain;
use pavane_events::verdict::{RolloutStalled, SequenceViolated};
use pavane_events::{Cause, EventId, Millis, Record, Service, Timestamp, Version, identity};

use crate::diagnosis::advice::Times;
use crate::diagnosis::moment::moment;
use crate::diagnosis::words::page_of;
use crate::effect::{Alert, AlertStatus, Counter, Effect};
use crate::fold::Fold;
use crate::rollout::Rollout;

pub(crate) use about::{About, Concern, Matter, Wait};
pub(crate) use blind::blind;
use story::Story;

impl Fold {
    /// A step stands still.
    pub(crate) fn raise_stall(
        &mut self,
        n: u64,
        i: usize,
        said: &RolloutStalled,
        id: &EventId,
        raw: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let rollout = &self.rollouts[n];
        let name = rollout.stall_name();
        let mut alert = self.alert(rollout, name, Some(i), said.cause.as_str(), id, raw);
        alert.since = said.since;
        alert.deadline = said.deadline;
        let brake = self.brake(rollout, self.clock.now()).map(|brake| brake.to_string());
        let story = Story::of(rollout, i, said);
        let times = Times {
            now: raw,
            judged: raw,
            in_hand: false,
            gives_up: rollout.gives_up(i, self.settings.grace(rollout)).map(|at| self.clock.unadjusted(at)),
            orphan_after: self.settings.newest().orphan_after_ms,
        };
        story.tell(&mut alert, brake.as_deref(), times);
        self.own_up(rollout, &story.culprit(), &mut alert);
        self.burn(n, About::Step(i, Concern::Stall), alert, out);
    }

    /// An event came before what must come first.
    pub(crate) fn raise_violated(
        &mut self,
        n: u64,
        i: usize,
        said: &SequenceViolated,
        id: &EventId,
        raw: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        let rollout = &self.rollouts[n];
        let cause = Cause::OutOfOrder.as_str();
        let mut alert = self.alert(rollout, "SequenceViolated", Some(i), cause, id, raw);
        let who = said.instance.as_ref().map_or("?", |instance| instance.as_str());
        let missing = said.missing.join(", ");
        let step = rollout.plan_step(i);
        let summary =
            format!("{}: {who} moved at step {} before {missing} had come", rollout.score.plan.name, step.id);
        alert.annotations.insert("summary".to_owned(), summary);
        let description = format!(
            "The record at offset {} says that {} began step {} although {missing} is missing. \
             Its word is kept and counts once the prerequisites are there.",
            said.cites,
            rollout.service(i),
            step.id
        );
        alert.say("description", description);
        let next =
            format!("find out who moved {who} early: by hand, or by a reaction that the plan does not know");
        alert.say("next_step", next);
        let expects = rollout.expects(i);
        alert.say("evidence", format!("{who} said {expects} (offset {})", said.cites));
        alert.say("offsets", said.cites.to_string());
        alert.say("outlook", self.outlook_of_violation(rollout, &missing, raw));
        alert.say("missing", missing);
        self.burn(n, About::Step(i, Concern::Sequence), alert, out);
    }

    /// A sidecar does not know whether its hook ran to its end. It burns until the step goes on or a person counts it.
    pub(crate) fn raise_uncertain(
        &mut self,
        n: u64,
        i: usize,
        record: &Record,
        said: &HookUncertain,
        out: &mut Vec<Effect>,
    ) {
        let rollout = &self.rollouts[n];
        let envelope = &record.event.envelope;
        let mut alert = self.alert(rollout, "HookUncertain", Some(i), "uncertain", &envelope.id, record.at);
        let who = envelope.instance.as_ref().map_or("an instance", |instance| instance.as_str());
        let version =
            |version: &Option<Version>| version.as_ref().map_or("unknown".to_owned(), ToString::to_string);
        alert.say("summary", format!("{}: {who} was cut off in its hook", rollout.score.plan.name));
        alert.say(
            "description",
            format!(
                "{who} cannot tell whether its hook on {} ran to its end: it runs version {}, {} was expected after \
                 it. It does nothing more by itself. {}",
                said.reaction,
                version(&said.observed),
                version(&said.expected),
                said.detail
            ),
        );
        alert.say("evidence", format!("HookUncertain of {who} at offset {}", record.offset));
        alert.say("offsets", record.offset.to_string());
        let next =
            "look what it did, by hand; then let it report, or `pavane override` or `pavane rollback` it";
        alert.say("next_step", next.to_owned());
        let due =
            rollout.deadline(i).map(|end| self.clock.unadjusted(end.plus(self.settings.grace(rollout))));
        let due = due
            .map_or_else(|| "when its window ends".to_owned(), |at| format!("at {}", moment(at, record.at)));
        alert.say("outlook", format!("it waits for the step, and tells a stall {due}"));
        self.burn(n, About::Step(i, Concern::Uncertain), alert, out);
    }

    /// Nothing is the matter with a step any more: its event came, or a person counts it.
    pub(crate) fn resolve(&mut self, n: u64, i: usize, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get(n).filter(|rollout| rollout.burning > 0) else { return };
        let late = rollout.lateness(i);
        if let (Some(late), Some(alert)) = (late, self.burning.get_mut(&(n, About::Step(i, Concern::Stall))))
        {
            out.push(Effect::Count(Counter::Late("after_stall")));
            alert.say("late", late);
        }
        for concern in [Concern::Stall, Concern::Sequence, Concern::Uncertain, Concern::Withheld] {
            self.over(n, About::Step(i, concern), out);
        }
    }

    /// All alerts of a rollout are over.
    pub(crate) fn resolve_all(&mut self, n: u64, out: &mut Vec<Effect>) {
        if self.rollouts.get(n).is_none_or(|rollout| rollout.burning == 0) {
            return;
        }
        let burning = self.burning.range((n, About::FIRST)..(n + 1, About::FIRST));
        for about in burning.map(|((_, about), _)| *about).collect::<Vec<_>>() {
            self.over(n, about, out);
        }
    }

    pub(crate) fn burn(&mut self, n: u64, about: About, alert: Alert, out: &mut Vec<Effect>) {
        if self.burning.get(&(n, about)).is_some_and(|old| old.id != alert.id) {
            self.over(n, about, out);
        }
        let kept = alert.kept();
        out.push(Effect::Raise(Box::new(alert)));
        let new = self.burning.insert((n, about), kept).is_none();
        if let Some(rollout) = self.rollouts.get_mut(n).filter(|_| new) {
            rollout.burning += 1;
        }
        self.note_left_over(n);
    }

    /// Notes it when an alert of a rollout that is not open burns: a later one may end it.
    pub(crate) fn note_left_over(&mut self, n: u64) {
        if self.rollouts.get(n).is_some_and(|rollout| !rollout.status.is_open()) {
            self.left_over.insert(n);
        }
    }

    /// An alert is over, if it burns.
    pub(crate) fn over(&mut self, n: u64, about: About, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get_mut(n).filter(|rollout| rollout.burning > 0) else { return };
        if let Some(alert) = self.burning.remove(&(n, about)) {
            rollout.burning -= 1;
            if rollout.burning == 0 {
                self.left_over.remove(&n);
            }
            out.push(Effect::Raise(Box::new(alert.over(self.clock.raw()))));
        }
    }

    /// Someone said that a phase may not begin. It burns until someone says otherwise.
    pub(crate) fn raise_rejected(
        &mut self,
        n: u64,
        k: usize,
        record: &Record,
        said: &GateRejected,
        out: &mut Vec<Effect>,
    ) {
        let rollout = &self.rollouts[n];
        let phase = rollout.plan_phase(k);
        let mut alert =
            self.alert(rollout, "GateRejected", None, "rejected", &record.event.envelope.id, record.at);
        alert.labels.insert("severity".to_owned(), "ticket".to_owned());
        alert.labels.insert("phase".to_owned(), phase.id.to_string());
        let by = if said.by.is_empty() { "someone" } else { &said.by };
        alert.say("summary", format!("{}: {by} rejected phase {}", rollout.score.plan.name, phase.id));
        alert.say(
            "description",
            format!(
                "Phase {} of rollout {} does not begin: {}. The sentinel waits for the next word on it.",
                phase.id, rollout.id, said.reason
            ),
        );
        let next = format!(
            "`pavane approve {0} {1}` for its next attempt, or `pavane rollback {0} --reason …`",
            rollout.id, phase.id
        );
        alert.say("next_step", next);
        alert.say("outlook", self.outlook_of_gate(rollout, k));
        alert.say("offsets", record.offset.to_string());
        self.burn(n, About::Phase(k, Wait::Rejected), alert, out);
    }

    /// A gate that was rejected has been approved.
    pub(crate) fn resolve_gate(&mut self, n: u64, k: usize, out: &mut Vec<Effect>) {
        self.over(n, About::Phase(k, Wait::Rejected), out);
    }

    /// Names the team of whose doing it is, and tells that one.
    fn own_up(&self, rollout: &Rollout, culprit: &Service, alert: &mut Alert) {
        let step = rollout.steps_of(culprit).next().map(|i| rollout.plan_step(i).owner.clone());
        let known = || self.services.known.get(culprit).map(|known| known.owner.clone());
        let Some(owner) = step.or_else(known).filter(|owner| !owner.is_empty()) else { return };
        alert.say("culprit_owner", owner.clone());
        alert.labels.insert("owner".to_owned(), owner);
    }

    /// An alert about a rollout, with what all of them say.
    pub(crate) fn alert(
        &self,
        rollout: &Rollout,
        name: &str,
        i: Option<usize>,
        cause: &str,
        id: &EventId,
        raw: Timestamp,
    ) -> Alert {
        let plan = &rollout.score.plan;
        let step = i.map(|i| rollout.plan_step(i));
        let mut labels = BTreeMap::new();
        let mut label = |key: &str, text: &str| labels.insert(key.to_owned(), text.to_owned());
        label("alertname", name);
        label("domain", self.domain.as_str());
        label("rollout", rollout.id.as_str());
        label("choreography", &plan.name);
        label("cause", cause);
        label("owner", step.map_or(&plan.owner, |step| &step.owner));
        label("severity", step.map_or(plan.severity, |step| step.severity).as_str());
        if let Some(i) = i {
            label("step", rollout.plan_step(i).id.as_str());
            label("service", rollout.service(i).as_str());
        }
        let mut annotations = BTreeMap::new();
        annotations.insert("trace_id".to_owned(), identity::hex(&identity::trace_id(&rollout.id)));
        annotations.insert("page".to_owned(), page_of(name, cause));
        annotations.insert("culprit_owner".to_owned(), step.map_or(&plan.owner, |step| &step.owner).clone());
        annotations.insert("why".to_owned(), format!("pavane why {}", rollout.id));
        if let Some(i) = i {
            annotations.insert("culprit".to_owned(), rollout.service(i).to_string());
        }
        if let Some(runbook) = step.and_then(|step| step.runbook.as_ref()).or(plan.runbook.as_ref()) {
            annotations.insert("runbook_url".to_owned(), runbook.clone());
        }
        let id = id.clone();
        let status = AlertStatus::Firing;
        Alert { id, status, labels, annotations, since: None, deadline: None, starts_at: raw, ends_at: None }
    }
}

impl Alert {
    /// The alert, resolved at this time.
    pub(crate) fn over(mut self, raw: Timestamp) -> Self {
        self.status = AlertStatus::Resolved;
        self.ends_at = Some(raw);
        self
    }

    /// What is kept of it until it is over: what its end is told with.
    fn kept(&self) -> Self {
        let told = ["summary", "missing", "attempt", "culprit", "page", "runbook_url", "trace_id"];
        let kept = |(key, text): (&&str, &String)| ((*key).to_owned(), text.clone());
        let told = told.iter().filter_map(|key| Some((key, self.annotations.get(*key)?)));
        let (id, labels, annotations) = (self.id.clone(), self.labels.clone(), told.map(kept).collect());
        let Self { status, since, deadline, starts_at, ends_at, .. } = *self;
        Self { id, status, labels, annotations, since, deadline, starts_at, ends_at }
    }

    pub(crate) fn say(&mut self, key: &str, text: String) {
        self.annotations.insert(key.to_owned(), text);
    }
}

/// A length of time as people say it: to the second, where it is longer than a few.
pub(crate) fn spoken(length: Millis) -> String {
    const FEW: Millis = 10_000;
    lasting(if length < FEW { length } else { (length + 500) / 1_000 * 1_000 })
}
