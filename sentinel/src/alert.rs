//! Tells people, at least once: what was raised and not delivered is tried again after any crash, by any
//! replica, under the same id and with the same bytes.
//!
//! | room | what is in it |
//! |---|---|
//! | [`dispatcher`] | carries out what `pavane-alerts` decides; which replica tells |
//! | [`delivery`] [`schedule`] | one notification to one receiver, tried until it is taken |
//! | [`marks`] [`ledger`] | what was told, and silences: in memory, and as rows of `pavane.notifications` |
//! | [`open`] | what is not done with, for whoever goes on from a snapshot |
//! | [`trial`] | a receiver tried by hand |
//! | [`target`] [`call`] [`fault`] [`signature`] [`egress`] | each kind of receiver, a POST to where it may go, and why it failed |

pub(crate) mod call;
pub(crate) mod delivery;
pub(crate) mod dispatcher;
pub(crate) mod egress;
pub(crate) mod fault;
pub(crate) mod ledger;
pub(crate) mod marks;
pub(crate) mod open;
pub(crate) mod schedule;
pub(crate) mod signature;
pub(crate) mod target;
pub mod trial;

use pavane_alerts::Silence;

/// The row of `pavane.notifications` that holds a silence: its key and its value.
pub fn silence_row(silence: &Silence) -> (String, Vec<u8>) {
    let value =
        serde_json::to_vec(&marks::Row::Silenced(silence.clone())).expect("texts and numbers are JSON");
    (silence_key(&silence.id), value)
}

/// The key of the row that holds the silence of this id.
pub fn silence_key(id: &str) -> String {
    marks::silence_key(id)
}

/// What a row of `pavane.notifications` says that was told; none when it says something else.
pub fn told_of(value: &[u8]) -> Option<pavane_alerts::Row> {
    match serde_json::from_slice(value).ok()? {
        marks::Row::Told(told) => Some(told),
        marks::Row::Silenced(_) | marks::Row::Since { .. } | marks::Row::DeadLettered { .. } => None,
    }
}

/// The silence that a row of `pavane.notifications` holds; none when it holds something else.
pub fn silence_of(value: &[u8]) -> Option<Silence> {
    match serde_json::from_slice(value).ok()? {
        marks::Row::Silenced(silence) => Some(silence),
        marks::Row::Told(_) | marks::Row::Since { .. } | marks::Row::DeadLettered { .. } => None,
    }
}
