//! The tabletop exercise: a plan played against the real engines of both sides, in virtual time.
//!
//! A [`Script`] is a scenario with its plans. A [`Stage`] gives it a cast and plays it with a seed; what comes of it is
//! a [`Performance`], which is judged ([`judge`]), told ([`transcript`]) or looked through for silences ([`explore`]).
//!
//! What it promises:
//!
//! 1. *The same seed, the same bytes.* Nothing here knows a clock, an environment or chance but the seed.
//! 2. *The engines judge.* The world hands inputs over and carries effects out; it has no opinion on a rollout.
//!
//! | room | what is in it |
//! |---|---|
//! | [`scenario`] | what happens and what is expected, as it is written and as it is meant |
//! | [`piece`] [`script`] | the plan, and all that is played |
//! | `cast` `dancer` `watcher` | who takes part: instances with sidecars, sentinels |
//! | [`world`] | the log, the queue of what happens next, the faults |
//! | [`performance`] | what came of it |
//! | [`judge`] [`promise`] | whether it is as expected, and as it must always be |
//! | [`transcript`] | how it reads |
//! | [`explore`] | every fault at every step of a plan |
//! | `clock` `dice` | virtual time, and chance |

mod cast;
mod clock;
mod dancer;
mod dice;
pub mod explore;
pub mod judge;
pub mod performance;
pub mod piece;
pub mod promise;
pub mod scenario;
pub mod script;
pub mod transcript;
mod watcher;
pub mod world;

pub use cast::Sidecars;
pub use clock::{WeekTime, moment};
pub use explore::{Exploration, explore};
pub use judge::{Judgement, judge};
pub use pavane_sidecar_engine::Settings;
pub use performance::Performance;
pub use piece::Piece;
pub use scenario::Scenario;
pub use script::Script;
pub use world::Stage;
