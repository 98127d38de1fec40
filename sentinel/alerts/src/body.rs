//! A notification as each kind of receiver reads it.
//!
//! All of it is computed from the notification and the configuration alone, so that every attempt of every replica carries
//! the same bytes under the same id.
//!
//! | room | who reads it | where its shape comes from |
//! |---|---|---|
//! | [`webhook`] | whoever reads Alertmanager's webhooks | Alertmanager's webhook body, version 4 |
//! | [`cloudevents`] | whoever reads CloudEvents | CloudEvents 1.0, structured JSON |
//! | [`alertmanager`] | Alertmanager itself | its API, version 2 |
//! | [`slack`] | a channel | Slack's incoming webhooks and blocks |
//! | [`pagerduty`] | who is on call | PagerDuty's Events API, version 2 |
//! | [`mail`] | a person | a subject and a text |
//! | [`template`] | | the words of the last three, which a file may change |

pub mod alertmanager;
pub mod cloudevents;
pub mod mail;
pub mod pagerduty;
pub mod slack;
pub mod template;
pub mod webhook;

use std::collections::BTreeMap;

use pavane_events::Timestamp;
use pavane_events::identity::sha256_hex;
use pavane_sentinel_engine::Alert;

use crate::{Labels, value};

/// The longest annotation that is sent, in characters: a receiver's page is no place for a whole log.
pub const LONGEST: usize = 1500;

/// A moment of the broker as people and JSON write it, in UTC.
pub fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_string()
}

/// What tells one alert from another, over its whole life: 16 hexadecimal digits over its sorted labels.
pub fn fingerprint(labels: &Labels) -> String {
    let parts: Vec<_> = labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    sha256_hex(&parts.join("\u{ff}"))[..16].to_owned()
}

/// The labels that all of them have in common.
pub(crate) fn common<'a>(maps: impl IntoIterator<Item = &'a BTreeMap<String, String>>) -> Labels {
    let mut maps = maps.into_iter();
    let mut common = maps.next().cloned().unwrap_or_default();
    for map in maps {
        common.retain(|name, value| map.get(name) == Some(value));
    }
    common
}

/// The annotations as they are sent: cut where they are long, with the times of the window and where their page is.
pub(crate) fn annotations(alert: &Alert, external_url: &str) -> BTreeMap<String, String> {
    let cut = |(name, text): (&String, &String)| (name.clone(), shortened(text, LONGEST));
    let mut annotations: BTreeMap<_, _> = alert.annotations.iter().map(cut).collect();
    for (name, at) in [("since", alert.since), ("deadline", alert.deadline)] {
        if let Some(at) = at {
            annotations.insert(name.to_owned(), rfc3339(at));
        }
    }
    let base = external_url.trim_end_matches('/');
    if let Some(page) = alert.annotations.get("page").filter(|_| !base.is_empty()) {
        annotations.insert("page_url".to_owned(), format!("{base}/{page}"));
    }
    annotations
}

/// The beginning of a text, with a mark where it is cut.
pub(crate) fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Where an alert is shown; empty when nobody knows.
pub(crate) fn link(labels: &Labels, external_url: &str) -> String {
    let base = external_url.trim_end_matches('/');
    match (base, value(labels, "rollout")) {
        ("", _) => String::new(),
        (base, "") => base.to_owned(),
        (base, rollout) => {
            let step = labels.get("step").map_or_else(String::new, |step| format!("#{step}"));
            format!("{base}/rollouts/{rollout}{step}")
        }
    }
}
