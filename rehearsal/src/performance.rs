//! What came of one rehearsal: the log, what people were told, how it ended, and what everybody runs.

use pavane_events::{Cause, Entry, Instance, Millis, RolloutId, Service, Timestamp, Version, Zone};
use pavane_sentinel_engine::diagnosis::Beat;
use pavane_sentinel_engine::{Alert, AlertStatus, Ended, Status, View};

/// What came of one rehearsal.
#[derive(Clone, Debug)]
pub struct Performance {
    /// The seed.
    pub seed: u64,
    /// When it began, by the broker's clock.
    pub begins: Timestamp,
    /// The log, control records and all.
    pub log: Vec<Entry>,
    /// What happened beside the log, in order.
    pub notes: Vec<Note>,
    /// What people were told, each once, in order.
    pub told: Vec<Told>,
    /// How rollouts ended, in order.
    pub endings: Vec<Ended>,
    /// What everybody runs at the end.
    pub runs: Vec<Runs>,
    /// The domain as the sentinel saw it at the end.
    pub view: View,
    /// The newest heartbeat of every sidecar at the end.
    pub beats: Vec<Beat>,
    /// When it ended, by the broker's clock.
    pub ends: Timestamp,
    /// How long it took, in milliseconds of virtual time.
    pub length: Millis,
}

/// Something that happened beside the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// When, in milliseconds since the beginning.
    pub at: Millis,
    /// How many records stood on the log.
    pub below: usize,
    /// What.
    pub what: Noted,
}

/// What happened beside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The cue with this number in the timeline.
    Cue(usize),
    /// The hook of an instance began.
    HookBegan {
        /// The instance.
        instance: Instance,
        /// Whether it goes back.
        back: bool,
    },
    /// Something that was broken by a cue is over.
    Over(String),
    /// People were told: the place in the list.
    Told(usize),
}

/// What people were told, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When, in milliseconds since the beginning.
    pub at: Millis,
    /// What.
    pub alert: Alert,
}

/// What an instance runs at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// The service.
    pub service: Service,
    /// The instance.
    pub instance: Instance,
    /// Its zone.
    pub zone: Option<Zone>,
    /// The version.
    pub version: Version,
    /// Whether its host lives.
    pub alive: bool,
}

impl Performance {
    /// How long after the beginning a record was appended, in milliseconds.
    pub fn moment(&self, at: Timestamp) -> Millis {
        at.since(self.begins)
    }

    /// How a rollout stands at the end; the first that started when none is named. None when there is none.
    pub fn status(&self, rollout: Option<&RolloutId>) -> Option<Status> {
        let mut rollouts = self.view.rollouts.iter().rev();
        let found = match rollout {
            Some(id) => rollouts.find(|view| view.id == *id),
            None => rollouts.next(),
        };
        found.map(|view| view.status)
    }

    /// When a rollout last ended so, in milliseconds since the beginning.
    pub fn ended(&self, rollout: &RolloutId, status: Status) -> Option<Millis> {
        let ended = self.endings.iter().rfind(|one| one.rollout == *rollout && one.status == status)?;
        Some(self.moment(ended.ended))
    }

    /// The first alert that burnt, if any did.
    pub fn first_alert(&self) -> Option<&Told> {
        self.told.iter().find(|told| told.alert.status == AlertStatus::Firing)
    }

    /// The stalls that people were told of.
    pub fn stalls(&self) -> impl Iterator<Item = &Told> {
        self.told.iter().filter(|told| told.is_stall() && told.alert.status == AlertStatus::Firing)
    }
}

impl Told {
    /// The name of the alert.
    pub fn name(&self) -> &str {
        self.label("alertname")
    }

    /// A label of the alert; empty when it has none such.
    pub fn label(&self, key: &str) -> &str {
        self.alert.labels.get(key).map_or("", String::as_str)
    }

    /// An annotation of the alert; empty when it has none such.
    pub fn annotation(&self, key: &str) -> &str {
        self.alert.annotations.get(key).map_or("", String::as_str)
    }

    /// Whether a step stood still, on the way forward or back.
    pub fn is_stall(&self) -> bool {
        matches!(self.name(), "RolloutStalled" | "RollbackStalled")
    }

    /// Whether it names this cause.
    pub fn has_cause(&self, cause: Cause) -> bool {
        self.label("cause") == cause.as_str()
    }
}
