//! What people are told: computed from the log alone, so every replica tells the same in the same words.

mod about;

use std::collections::BTreeMap;

use pavane_choreography::yaml::lasting;
use pavane_events::command::GateRejected;
use pavane_events::service::HookUncertain;
use pavane_events::verdict::{RolloutStalled, SequenceViolated};
use pavane_events::{Cause, Domain, EventId, Evidence, Millis, Record, Timestamp, Version, identity};

use crate::diagnosis::words::next_step;
use crate::effect::{Alert, AlertStatus, Counter, Effect};
use crate::fold::Fold;
use crate::input::BlindCause;
use crate::rollout::Rollout;
use crate::spoken::Saying;

pub(crate) use about::{About, Concern, Matter, Wait};

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
        let waits: Vec<String> =
            rollout.score.dependants[i].iter().map(|&d| rollout.plan_step(d).id.to_string()).collect();
        let seen = seen(rollout, i, said);
        let (plan, cause) = (&rollout.score.plan.name, said.cause.as_str());
        let summary = match rollout.breach(i) {
            Some(_) => format!("{plan}: a metric breaks its bound: {} ({cause})", said.missing),
            None => format!("{plan}: {} is missing ({cause})", said.missing),
        };
        let mut note = |key: &str, text: String| alert.annotations.insert(key.to_owned(), text);
        note("summary", summary);
        note("description", describe(rollout, i, said, &seen, &waits));
        note("missing", said.missing.clone());
        note("evidence", seen);
        note("attempt", said.attempt.to_string());
        note("next_step", next_step(said.cause, rollout.remedy(i)).to_owned());
        if !waits.is_empty() {
            note("waiting", waits.join(", "));
        }
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
        alert.annotations.insert("description".to_owned(), description);
        alert.annotations.insert("missing".to_owned(), missing);
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
        let mut alert =
            self.alert(rollout, "HookUncertain", Some(i), Cause::Unknown.as_str(), &envelope.id, record.at);
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
        self.burn(n, About::Step(i, Concern::Uncertain), alert, out);
    }

    /// Nothing is the matter with a step any more: its event came, or a person counts it.
    pub(crate) fn resolve(&mut self, n: u64, i: usize, out: &mut Vec<Effect>) {
        let late = self.rollouts.get(n).filter(|rollout| rollout.burning > 0).and_then(|r| r.lateness(i));
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
        out.push(Effect::Raise(Box::new(alert.clone())));
        let new = self.burning.insert((n, about), alert).is_none();
        if let Some(rollout) = self.rollouts.get_mut(n).filter(|_| new) {
            rollout.burning += 1;
        }
    }

    /// An alert is over, if it burns.
    pub(crate) fn over(&mut self, n: u64, about: About, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get_mut(n).filter(|rollout| rollout.burning > 0) else { return };
        if let Some(alert) = self.burning.remove(&(n, about)) {
            rollout.burning -= 1;
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
            self.alert(rollout, "GateRejected", None, "not_started", &record.event.envelope.id, record.at);
        alert.labels.insert("severity".to_owned(), "ticket".to_owned());
        alert.labels.insert("phase".to_owned(), phase.id.to_string());
        let by = if said.by.is_empty() { "someone" } else { &said.by };
        alert.say("summary", format!("{}: {by} rejected phase {}", rollout.score.plan.name, phase.id));
        alert.say(
            "description",
            format!(
                "Phase {} of rollout {} does not begin: {}. Approve its next attempt, or `pavane rollback {1}`.",
                phase.id, rollout.id, said.reason
            ),
        );
        self.burn(n, About::Phase(k, Wait::Rejected), alert, out);
    }

    /// A gate that was rejected has been approved.
    pub(crate) fn resolve_gate(&mut self, n: u64, k: usize, out: &mut Vec<Effect>) {
        self.over(n, About::Phase(k, Wait::Rejected), out);
    }

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

    pub(crate) fn say(&mut self, key: &str, text: String) {
        self.annotations.insert(key.to_owned(), text);
    }
}

/// The alert that a sentinel cannot see, told by another way than the log.
pub(crate) fn blind(domain: &Domain, replica: &str, cause: BlindCause, status: AlertStatus) -> Alert {
    let pairs = [
        ("alertname", "Blind"),
        ("domain", domain.as_str()),
        ("cause", cause.as_str()),
        ("replica", replica),
        ("severity", "page"),
        ("owner", "platform"),
    ];
    let labels = pairs.map(|(key, text)| (key.to_owned(), text.to_owned())).into();
    let summary = format!("the sentinel {replica} cannot see domain {domain} ({})", cause.as_str());
    let description = match cause {
        BlindCause::NoSight => "A pulse that it appended was not read back in time.",
        BlindCause::Broker => "Kafka does not answer.",
        BlindCause::Registry => "The schema registry does not answer, so records cannot be read.",
        BlindCause::RegistryTamper => {
            "RegistryTamper: the registry serves another schema under an id than the one that is known to be there. Find \
             out who changed it, and restore it."
        }
        BlindCause::TopicConfig => {
            "The topic does not stamp records with the broker's time: run `pavane topics apply`."
        }
        BlindCause::HistoryLost => {
            "The log no longer holds what would have to be read next, and there is no newer snapshot."
        }
        BlindCause::LogReplaced => {
            "Another record stands on the log where one was read: the topic was made anew."
        }
        BlindCause::LogRewound => "The log ends before what was read of it: records are gone.",
        BlindCause::PartitionsChanged => {
            "The log has another number of partitions, so the domain's records may lie in another one."
        }
        BlindCause::NewerVocabulary => "A newer program speaks on the log: upgrade the sentinels first.",
        BlindCause::NewerRules => "A rollout is judged by newer rules: upgrade the sentinels first.",
    };
    let description =
        format!("{description} Until it sees again it judges nothing and asks for no rollback.");
    let annotations =
        [("summary".to_owned(), summary), ("description".to_owned(), description)].into_iter().collect();
    let id = EventId::new(format!("blind-{domain}-{replica}-{}", cause.as_str()));
    let id = id.unwrap_or_else(|_| EventId::new("blind").expect("a name"));
    let (since, deadline, starts_at, ends_at) = (None, None, Timestamp::default(), None);
    Alert { id, status, labels, annotations, since, deadline, starts_at, ends_at }
}

/// A length of time as people say it: to the second, where it is longer than a few.
pub(crate) fn spoken(length: Millis) -> String {
    const FEW: Millis = 10_000;
    lasting(if length < FEW { length } else { (length + 500) / 1_000 * 1_000 })
}

/// What was seen, a line each.
fn seen(rollout: &Rollout, i: usize, said: &RolloutStalled) -> String {
    let state = &rollout.steps[i];
    let rejected = state.rejection.iter().map(|seen| {
        let who = seen.instance.as_ref().map_or("a service that waits", |instance| instance.as_str());
        format!("{who} rejected it at offset {}: {}", seen.offset, seen.detail)
    });
    let tainted = state
        .taint
        .iter()
        .map(|(offset, why)| format!("the record at offset {offset} cannot be read: {why}"));
    let words = state.words.iter().map(|(instance, word)| {
        let detail = word.detail();
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        let said = match word.saying {
            Saying::WrongVersion => rollout.contradiction(i, instance),
            Saying::Started | Saying::Awaited | Saying::Failed | Saying::Drained => {
                format!("it said {:?}", word.saying)
            }
        };
        format!("{instance}: {said} (offset {}){detail}", word.offset)
    });
    let quoted = said.evidence.iter().map(quote);
    rejected.chain(tainted).chain(words).chain(quoted).collect::<Vec<_>>().join("; ")
}

fn quote(seen: &Evidence) -> String {
    let who = seen.instance.as_ref().map_or("no instance", |instance| instance.as_str());
    let version = seen.version.as_ref().map_or(String::new(), |version| format!(" on {version}"));
    let phase = if seen.phase.is_empty() { String::new() } else { format!(" ({})", seen.phase) };
    format!("{who}{version}{phase}: {}", seen.detail)
}

fn describe(rollout: &Rollout, i: usize, said: &RolloutStalled, seen: &str, waits: &[String]) -> String {
    let step = rollout.plan_step(i);
    let window = match (said.since, said.deadline) {
        (Some(since), Some(end)) => format!(" within {}", spoken(end.since(since))),
        _ => String::new(),
    };
    if let Some(phase) = rollout.breach(i) {
        return format!(
            "Phase {} of rollout {} is watched: {}. The next phase does not begin. Seen: {seen}.",
            phase.id, rollout.id, said.missing
        );
    }
    let waiting = match waits {
        [] => String::new(),
        waits => format!(" Waiting behind it: {}.", waits.join(", ")),
    };
    format!(
        "Step {} of rollout {} expects {} from {} instance(s){window}; it stands still: {}. Seen: {seen}.{waiting}",
        step.id,
        rollout.id,
        said.missing,
        step.instances,
        said.cause.as_str()
    )
}
