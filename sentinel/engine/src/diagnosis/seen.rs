//! What speaks for a cause: what the verdict quotes, what stands on the log, and what the numbers say.

use pavane_events::{Evidence, EvidenceKind};

use super::{Facts, InstanceState, Seen};
use crate::view::StepView;

/// What was seen of a step, each thing once.
pub(super) fn of(facts: &Facts<'_>, step: &StepView, instances: &[InstanceState]) -> Vec<Seen> {
    let exhibits = facts.chronicle.exhibits().filter(|exhibit| {
        let about = exhibit.about.as_ref().map(pavane_events::Service::as_str);
        let by = exhibit.by.as_ref().map(pavane_events::Service::as_str);
        let tainted = exhibit.seen.offset.is_some_and(|offset| step.tainted_by.contains(&offset));
        tainted
            || about == Some(&step.service)
            || exhibit.seen.kind == "rejection" && by == Some(&step.service)
    });
    let mut all: Vec<Seen> = exhibits.map(|exhibit| exhibit.seen.clone()).collect();
    // what was said in attempts before is told by the newest alone
    all.drain(..all.len().saturating_sub(MOST));
    let stall = facts.chronicle.stall(&step.id);
    for evidence in stall.into_iter().flat_map(|stall| &stall.evidence) {
        let known = |seen: &Seen| evidence.kind != EvidenceKind::Heartbeat && seen.offset == evidence.offset;
        if evidence.offset.is_none() || !all.iter().any(known) {
            all.push(quoted(evidence));
        }
    }
    all.extend(instances.iter().filter_map(|instance| wrong_version(step, instance)));
    all
}

/// How many things that stand on the log are told.
const MOST: usize = 4;

/// What a verdict quotes.
pub(crate) fn quoted(evidence: &Evidence) -> Seen {
    let who = evidence.instance.as_ref().map_or("", |instance| instance.as_str());
    let version = evidence.version.as_ref().map_or(String::new(), |version| format!(" on {version}"));
    let phase = if evidence.phase.is_empty() { String::new() } else { format!(" ({})", evidence.phase) };
    Seen {
        kind: kind(evidence.kind),
        offset: evidence.offset,
        text: match who {
            "" => evidence.detail.clone(),
            who => format!("{who}{version}{phase}: {}", evidence.detail),
        },
        by: who.to_owned(),
        outbox: evidence.outbox,
        behind: evidence.behind,
        ..Seen::default()
    }
}

const fn kind(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Heartbeat => "heartbeat",
        EvidenceKind::Silence => "silence",
        EvidenceKind::Failure => "failure",
        EvidenceKind::Rejection => "rejection",
        EvidenceKind::DeadLetter => "dead_letter",
        EvidenceKind::Early => "early",
        EvidenceKind::Metric => "metric",
        EvidenceKind::Unknown => "unknown",
    }
}

fn wrong_version(step: &StepView, instance: &InstanceState) -> Option<Seen> {
    if instance.said != Some("wrong_version") {
        return None;
    }
    let text = contradiction(&instance.instance, instance.version.as_deref(), step.version.as_deref());
    Some(Seen { kind: "wrong_version", offset: instance.offset, text, ..Seen::default() })
}

/// That an instance reports a version that does not count.
pub(crate) fn contradiction(who: &str, version: Option<&str>, wanted: Option<&str>) -> String {
    let (version, wanted) = (version.unwrap_or("no version"), wanted.unwrap_or("any"));
    format!("{who} reports {version}, which does not count: {wanted} is asked for")
}
