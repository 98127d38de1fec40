//! What is said about the rollout as a whole.

use std::collections::BTreeMap;

use pavane_choreography::yaml::lasting;
use pavane_choreography::{Concurrency, Method, Plan, Severity};

use crate::difference::words::{concurrency, method, trigger};
use crate::difference::{Changes, Values, options, values};

/// Compares what two plans say about the whole.
pub(super) fn compare(old: &Plan, new: &Plan, changes: &mut Changes) {
    let mut tell = |what, [was, is]: Values, meaning: String| {
        if was != is {
            changes.whole(what, [was, is], meaning);
        }
    };
    let name = format!("another choreography: published, it stands beside {} and not over it", old.name);
    tell("name", values(&old.name, &new.name), name);
    let owner = format!("{} is told what concerns the whole, and {} is not", new.owner, old.owner);
    tell("owner", values(&old.owner, &new.owner), owner);
    let runbook = match new.runbook {
        Some(_) => "what is told of the whole points there",
        None => "what is told of the whole points nowhere",
    };
    tell("runbook", options(old.runbook.as_ref(), new.runbook.as_ref()), runbook.to_owned());
    let severity = format!("what concerns the whole {}", told(new.severity));
    tell("severity", values(old.severity.as_str(), new.severity.as_str()), severity);
    let [was, is] = [old, new].map(|plan| (!plan.labels.is_empty()).then(|| listed(&plan.labels)));
    tell("labels", [was, is], "reactions that ask for them choose otherwise".to_owned());
    tell("method", values(method(old.method), method(new.method)), led(new.method).to_owned());
    let [was, is] = [old, new].map(|plan| plan.trigger.as_ref().map(trigger));
    let starts = match &is {
        Some(event) => format!("{event} starts a rollout by itself"),
        None => "nothing starts it by itself: a person, CI or a deploy tool does".to_owned(),
    };
    tell("trigger", [was, is], starts);
    let [was, is] = [old, new].map(|plan| plan.every.map(lasting));
    let missed = match &is {
        Some(every) => format!("{} is told when {every} go by without a start", new.owner),
        None => "nobody is told when it does not start".to_owned(),
    };
    tell("every", [was, is], missed);
    let taken = match new.concurrency {
        Concurrency::Refuse => "a start that finds one of its services taken is refused",
        Concurrency::Queue => "a start that finds one of its services taken waits its turn",
    };
    tell("concurrency", values(concurrency(old.concurrency), concurrency(new.concurrency)), taken.to_owned());
    let open = match &new.maintenance {
        Some(_) => "it starts then alone, and what is not met when the window closes stalls",
        None => "it may start at any time",
    };
    tell("maintenance", options(old.maintenance.as_ref(), new.maintenance.as_ref()), open.to_owned());
}

fn listed(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(", ")
}

/// How loudly something is told, as the end of a sentence.
pub(super) const fn told(severity: Severity) -> &'static str {
    match severity {
        Severity::Page => "wakes someone",
        Severity::Ticket => "wakes nobody: somebody looks at it in working hours",
    }
}

const fn led(method: Method) -> &'static str {
    match method {
        Method::Choreography => "services react to each other, and no gate stands between them",
        Method::Hybrid => "the sentinel opens each phase, and services react to each other within it",
        Method::Orchestrated => "the sentinel opens each step",
    }
}
