//! Takes part in a rollout: folds the domain's log and says what the sidecar has to do, and when.
//!
//! The engine is a fold over `(now, input)` without clock, I/O or randomness. Inputs are facts, effects are
//! orders; the shell carries them out. It promises:
//!
//! 1. *Same inputs, same effects.*
//! 2. *Nothing is done before [`Input::CaughtUp`]*, and only what is still wanted then.
//! 3. *A hook's attempt is ordered at most once*, whatever is read twice and wherever the process is killed,
//!    as long as the shell keeps its own promise: all [`Effect::Write`] and [`Effect::Say`] of one call to
//!    [`Engine::handle`] are one durable transaction, made before any other effect of that call.
//! 4. *A hook is ordered only after the sidecar's own announcement has been read back*, with no hold, pause,
//!    abort or rollback in force.
//! 5. *A tick changes when something is done, never what.*
//!
//! | room | what is in it |
//! |---|---|
//! | [`health`] | what the checks of the service answer, damped, brought to one verdict |
//! | [`settings`] | who the sidecar is and what it reacts to |
//! | [`input`] [`effect`] | what the shell tells the engine, and what it is told to do |
//! | [`score`] | a plan that was read once, for any number of engines |
//! | [`journal`] | what must survive a crash |
//! | [`condition`] `sieve` | what of it a reaction lets through: versions, and a condition in CEL |
//! | [`tally`] | the count of a step's instances' last words |
//! | `fold` `queue` `decision` | what the log says of a domain: who may start, who owns a service, what is believed |
//! | `rollout` `words` `phase` `parallel` | what the log says of one rollout |
//! | `engine` `forward` `back` `hook` `probe` `hold` `speech` | what follows from it |

mod back;
pub mod condition;
mod decision;
pub mod effect;
mod engine;
mod fold;
mod forward;
pub mod health;
mod hold;
mod hook;
pub mod input;
pub mod journal;
mod parallel;
mod phase;
mod probe;
mod queue;
mod rollout;
pub mod score;
pub mod settings;
mod sieve;
mod speech;
pub mod tally;
mod words;
mod work;

pub use back::AUTHORITY;
pub use condition::{Condition, Flaw};
pub use effect::{Call, Effect, Notice};
pub use engine::{Engine, Phase};
pub use health::{Health, Verdict};
pub use hook::STAGGERED;
pub use input::{HookOutcome, Input};
pub use journal::{Ending, Job, JobKey, Memory, Stage};
pub use score::Score;
pub use settings::{Hold, Reaction, Readiness, Retry, Settings, Trigger};
pub use sieve::Sieve;
pub use tally::{Tally, Word};
