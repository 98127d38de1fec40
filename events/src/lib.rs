//! What happened: the closed vocabulary of lifecycle events, their envelope and the broker's time.
//!
//! An [`Event`] is an [`Envelope`] (the `CloudEvents` attributes, which travel as Kafka headers) and a
//! [`Body`] (the Avro record in the value). A [`Record`] is an event as it stands on the log: with its
//! offset and with the time at which the broker appended it. The crate is pure: no clock, no I/O, no
//! randomness. Random ids are made by the shells.
//!
//! | room | what is in it |
//! |---|---|
//! | [`name`] | checked names: domain, service, instance, zone, step, phase, rollout, version |
//! | [`time`] | [`Timestamp`], the only time type of the workspace |
//! | [`envelope`] | who said it, about which rollout, caused by what |
//! | [`vocabulary`] | the closed list of event types, and who may say each |
//! | [`service`] [`command`] [`verdict`] [`control`] | the bodies, by who says them |
//! | [`evidence`] | why a step stands still, and what was seen |
//! | [`heartbeat`] | what a sidecar says about itself every second |
//! | [`known_good`] | which versions of a service completed a rollout, and what runs: the rows of `pavane.services` |
//! | [`identity`] | ids that are computed, so that equal decisions have equal identity |

pub mod command;
pub mod control;
pub mod envelope;
pub mod evidence;
pub mod heartbeat;
pub mod identity;
pub mod known_good;
pub mod lookup;
pub mod name;
pub mod record;
pub mod service;
pub mod time;
pub mod verdict;
pub mod vocabulary;

pub use envelope::Envelope;
pub use evidence::{Cause, Evidence, EvidenceKind};
pub use heartbeat::Heartbeat;
pub use known_good::{KnownGood, Left, ServiceRow};
pub use lookup::{Lookup, Places, fingerprint, half_fingerprint, hash_of};
pub use name::{Domain, EventId, Instance, PhaseId, RolloutId, Service, Source, StepId, Version, Zone};
pub use record::{Entry, Event, Record, Unreadable, UnreadableReason};
pub use time::{Millis, Timestamp};
pub use vocabulary::{Body, EventType, Speaker};
