//! The alert that a sentinel cannot see, told by another way than the log.

use pavane_events::{Domain, EventId, Timestamp};

use crate::alert::outlook;
use crate::diagnosis::words::{page_of, spaced};
use crate::effect::{Alert, AlertStatus};
use crate::input::BlindCause;

/// The alert. It is over under the same id.
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
    let (culprit, what, next) = words(cause);
    let summary = format!("the sentinel {replica} cannot see domain {domain} ({})", spaced(cause.as_str()));
    let description = format!(
        "{what} Until it sees again it judges nothing and asks for no rollback; rollouts go on without it, and what comes \
         meanwhile is judged afterwards."
    );
    let annotations = [
        ("summary", summary),
        ("description", description),
        ("culprit", culprit.to_owned()),
        ("culprit_owner", "platform".to_owned()),
        ("next_step", next.to_owned()),
        ("outlook", outlook::blind(cause).to_owned()),
        ("page", page_of("Blind", cause.as_str())),
    ];
    let annotations = annotations.map(|(key, text)| (key.to_owned(), text)).into();
    let id = EventId::new(format!("blind-{domain}-{replica}-{}", cause.as_str()));
    let id = id.unwrap_or_else(|_| EventId::new("blind").expect("a name"));
    let (since, deadline, starts_at, ends_at) = (None, None, Timestamp::default(), None);
    Alert { id, status, labels, annotations, since, deadline, starts_at, ends_at }
}

/// Whose doing it is, what is the matter, and what to do.
const fn words(cause: BlindCause) -> (&'static str, &'static str, &'static str) {
    match cause {
        BlindCause::NoSight => (
            "kafka",
            "A pulse that it appended was not read back in time: Kafka is frozen, or cut off from it.",
            "look whether the broker that leads the domain's partition answers, and the way to it",
        ),
        BlindCause::Broker => {
            ("kafka", "Kafka does not answer.", "look whether the brokers run, and the way to them")
        }
        BlindCause::Denied => (
            "kafka",
            "Kafka does not let it read or write the domain's log: a right was taken away.",
            "grant this sentinel what docs/operations.md says that it needs, and find out who took it away",
        ),
        BlindCause::Registry => (
            "registry",
            "The schema registry does not answer, so records cannot be read.",
            "look whether the registry runs, and the way to it; nothing is lost meanwhile",
        ),
        BlindCause::RegistryTamper => (
            "registry",
            "The registry serves another schema under an id than the one that is known to be there (RegistryTamper).",
            "find out who changed the schema, and restore it",
        ),
        BlindCause::TopicConfig => (
            "kafka",
            "The topic does not stamp records with the broker's time.",
            "run `pavane topics apply`, and find out who changed the topic",
        ),
        BlindCause::HistoryLost => (
            "kafka",
            "The log no longer holds what would have to be read next, and there is no newer snapshot.",
            "raise the topic's retention; `pavane begin-anew` says that nothing counts of what is lost",
        ),
        BlindCause::LogReplaced => (
            "kafka",
            "Another record stands on the log where one was read: the topic was made anew.",
            "find out who made the topic anew; `pavane begin-anew` says that nothing counts of what was",
        ),
        BlindCause::LogRewound => (
            "kafka",
            "The log ends before what was read of it: records are gone.",
            "look for an unclean election or lost disks; `pavane begin-anew` goes on with what is left",
        ),
        BlindCause::PartitionsChanged => (
            "kafka",
            "The log has another number of partitions, so the domain's records may lie in another one.",
            "find out who changed the topic; `docs/operations.md` says how to move a domain",
        ),
        BlindCause::NewerVocabulary => (
            "sentinel",
            "A newer program speaks on the log than this sentinel.",
            "upgrade the sentinels first, then the sidecars",
        ),
        BlindCause::NewerRules => (
            "sentinel",
            "A rollout is judged by newer rules than this sentinel knows.",
            "upgrade this sentinel to the others' version",
        ),
    }
}
