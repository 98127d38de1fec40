//! Series that rules and ratios are made of begin at 0: of one that begins with its first event nobody sees that it grew.

use pavane_alerts::Notification;
use pavane_sentinel_engine::{BlindCause, Status};

use super::history::LIES;
use super::telling::{DELIVERED, GIVEN_UP, PENDING, UNPINGED};
use super::{ENDED, label};
use crate::alert::fault::Fault;
use crate::config::Config;

/// The ways in which a log is not the one that was read.
const LIED: [BlindCause; 4] =
    [BlindCause::HistoryLost, BlindCause::LogReplaced, BlindCause::LogRewound, BlindCause::PartitionsChanged];

/// Begins the series of what the file names.
pub(crate) fn begin(config: &Config) {
    for domain in &config.domains {
        for status in [Status::Completed, Status::RolledBack, Status::Partial, Status::Aborted] {
            ENDED.add(0, &[label("domain", domain), label("status", status.as_str())]);
        }
        for cause in LIED {
            LIES.add(0, &[label("domain", domain), label("cause", cause.as_str())]);
        }
    }
    for receiver in config.receivers.iter().map(|receiver| &receiver.name) {
        let receiver = label("receiver", receiver);
        GIVEN_UP.add(0, std::slice::from_ref(&receiver));
        PENDING.add(0, std::slice::from_ref(&receiver));
        for kind in Notification::KINDS {
            DELIVERED.add(0, &[receiver.clone(), label("what", kind)]);
        }
    }
    for ping in &config.dead_man.pings {
        for fault in Fault::OF_CALLS {
            UNPINGED.add(0, &[label("domain", &ping.domain), label("reason", fault.as_str())]);
        }
    }
}
