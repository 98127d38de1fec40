//! The sentinel: watches rollouts on the log, says who stands still and why, and tells people.
//!
//! What it decides is `pavane-sentinel-engine`'s; this crate is the shell that carries the decisions out.
//!
//! | room | what is in it |
//! |---|---|
//! | [`config`] | the sentinel's file |
//! | [`service`] [`supervise`] [`watchdog`] | puts the tasks together, and ends the process when one of them ends or is stuck |
//! | [`partition`] [`happening`] [`perform`] | the loop of one domain: happenings in, orders out |
//! | [`eye`] [`pen`] [`hearing`] [`repertoire`] [`share`] [`dead_letters`] [`connection`] | the ways to and from Kafka |
//! | [`snapshot`] [`witness`] | what it starts from, and by what it knows that the log is still the same |
//! | [`alert`] | brings alerts to receivers, at least once |
//! | [`dead_man`] | tells those who would miss the sentinel that it is there |
//! | [`measure`] | asks Prometheus for what phases are watched by |
//! | [`http`] | health, metrics, how the rollouts stand |
//! | [`span`] [`telemetry`] [`pace`] [`clock`] | what it tells of itself and of the pace of steps, and the time it goes by |

pub mod alert;
pub mod config;
pub mod error;
pub mod pages;
pub mod service;

mod change;
mod clock;
mod connection;
mod dead_letters;
mod dead_man;
mod eye;
mod happening;
mod hearing;
mod http;
mod known_good;
mod measure;
mod pace;
mod partition;
mod pen;
mod perform;
mod repertoire;
mod share;
mod snapshot;
mod span;
mod supervise;
mod table;
mod telemetry;
mod watchdog;
mod witness;

pub use config::Config;
pub use service::{Sentinel, run};
pub use snapshot::anew::begin_anew;
pub use snapshot::{all_kept, kept};
