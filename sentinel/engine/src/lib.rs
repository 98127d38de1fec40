//! The sentinel's engine: who has stopped, why, and what happens next.
//!
//! The engine is pure: [`Engine::handle`] takes one input and the replica's own elapsed time and returns orders;
//! [`Engine::next_deadline`] says when to call again. There is no clock, no I/O, no randomness and no log in it.
//!
//! What it promises, each held by a property test:
//!
//! 1. *Same log, same verdicts.* The state is a fold over the partition's entries. Own time, heartbeats and ticks
//!    change what is proposed, never what is accepted from a given log.
//! 2. *A proposal is its own barrier.* It is judged where it stands on the log, so an event below it always wins.
//! 3. *A step is judged once per attempt*, and a decision has the same id whoever says it.
//! 4. *Duplicates, strangers and late-comers are counted, not errors.*
//! 5. *Deadlines are derived from state, never stored beside it.*
//!
//! | room | what is in it |
//! |---|---|
//! | `engine` | the way in: reads, hears, passes over, looks, proposes, says |
//! | `fold` `queue` `speak` `straight` `words` `gate` `accept` | what a record does: to the domain, as a start, to its rollout (the short way, where all goes as planned), as a proposal |
//! | `rollout` `step` `spoken` `few` `phase` `windows` `compensation` `missing` `score` | one rollout: its counts, words, phases, deadlines, way back, plan |
//! | `judge` `brakes` `settings` | whether the log accepts a proposal; what keeps it from it; what holds for the domain |
//! | `propose` `heartbeats` | what to propose, and on what evidence |
//! | `rollouts` `identities` `sequences` `agenda` `ahead` | all rollouts by number and id; what was read before, and how far it counts; when to look again; what is needed next |
//! | `clock` `sight` `seeing` | partition time; whether the sentinel sees at all; what it sees beside the log |
//! | `known` `drift` `skew` | which versions of a service are good, what was left running, who runs another, and what runs together and should not |
//! | `snapshot` | what is folded, as bytes that outlive the process |
//! | `watch` `trigger` | the metrics that phases are watched by; plans that start by an event |
//! | `alert` `leftover` `reminder` `schedule` `stopped` `view` | what people are told, of ways back and what outlasts them too, reminded of, of starts that do not come, of what a person has stopped, and shown |
//! | [`diagnosis`] | why a rollout stands where it stands |

//!
//! There may be a million open rollouts, so what each costs is laid out with care. A rollout is a box in a line, and its
//! number is the place in it; the tables of ids and of identities hold places alone, not the texts. A plan is read once
//! and shared, also where each rollout has services of its own. Steps that nothing is known of do not exist yet, and what
//! few rollouts or steps have (a stall, an answer, a pause) lies apart from what all have. Deadlines stand in lines in
//! the order in which they were set, and one that no longer holds is dropped when it comes to the front.

mod accept;
mod agenda;
mod ahead;
mod alert;
mod asked;
mod brakes;
mod clock;
mod compensation;
pub mod diagnosis;
mod drift;
mod effect;
mod engine;
mod few;
mod fold;
mod gate;
mod heartbeats;
mod identities;
mod input;
mod judge;
mod known;
mod leftover;
mod lines;
mod lone;
mod missing;
mod phase;
mod propose;
mod queue;
mod reminder;
mod rollout;
mod rollouts;
mod saying;
mod schedule;
mod score;
mod seeing;
mod sequences;
mod settings;
mod sight;
mod skew;
mod snapshot;
mod speak;
mod spoken;
mod step;
mod stopped;
mod straight;
mod trigger;
mod view;
mod watch;
mod windows;
mod words;

pub use clock::{GRACE, PULSE};
pub use effect::{Alert, AlertStatus, Counter, Draft, Effect, Ended};
pub use engine::Engine;
pub use input::{BlindCause, Input};
pub use pavane_events::command::RULES;
pub use rollout::Status;
pub use snapshot::{FORMAT, Folded, SnapshotError};
pub use step::Overriding;
pub use view::{
    DriftView, InstanceView, PhaseStatus, PhaseView, RolloutView, ScheduleView, SkewView, StepStatus,
    StepView, VerdictView, View,
};
