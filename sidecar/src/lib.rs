//! Takes part in rollouts beside a service: reads the log, runs the service's own hooks, says what became of it.
//!
//! The decisions are the engine's (`pavane-sidecar-engine`); this is its shell. What the engine orders is carried
//! out in [`perform`](self): first what must survive a crash, in one transaction, then the rest.
//!
//! | room | what is in it |
//! |---|---|
//! | [`config`] | the sidecar's file |
//! | `run` `boot` | the parts brought together; the way to the log, tried for as long as it takes |
//! | `sidecar` `perform` | the loop: facts in, orders out |
//! | `journal` `letter` | what survives a crash |
//! | `line` `outbox` `heartbeat` | what goes to the broker |
//! | `hook` `program` `question` | what is asked of the service |
//! | `probe` | whether the service is well: its checks, asked on and on |
//! | `door` `shared` | what the service asks: `POST /v1/events`, health, metrics |
//! | `span` `telemetry` | what is told of it |
//! | [`cli`] | the program `pavane-sidecar` |

mod boot;
pub mod cli;
pub mod config;
mod door;
mod error;
mod heartbeat;
mod hook;
mod journal;
mod letter;
mod line;
mod outbox;
mod perform;
mod probe;
mod program;
mod question;
mod run;
mod shared;
mod sidecar;
mod span;
mod telemetry;

pub use config::Config;
pub use error::Error;
pub use run::{run, run_with};
