//! Takes part in rollouts beside a service: reads the log, runs the service's own hooks, says what became of it.
//!
//! The decisions are the engine's (`pavane-sidecar-engine`); this is its shell. What the engine orders is carried
//! out in [`perform`](self): first what must survive a crash, in one transaction, then the rest.
//!
//! | room | what is in it |
//! |---|---|
//! | [`config`] | the sidecar's file |
//! | `run` `boot` | the parts brought together; the way to the log, tried for as long as it takes |
//! | `sidecar` `perform` `ending` | the loop: facts in, orders out; its end |
//! | `journal` `letter` | what survives a crash |
//! | `failpoint` | where a test ends the process; nothing in any other build |
//! | `line` `outbox` `heartbeat` | what goes to the broker |
//! | `hook` `program` `roster` `question` | what is asked of the service; which of its programs run |
//! | `probe` | whether the service is well: its checks, asked on and on |
//! | `door` `service` `shared` | what the service asks: to say an event, to be drained; health, metrics |
//! | `twin` `vigil` `good` | who else says that it is this sidecar; whether a sentinel is heard; which versions are good |
//! | `beside` `process` `exit` `init` | the service as its child; how a process ended; the first process of a container |
//! | `span` `telemetry` | what is told of it |
//! | [`cli`] | the program `pavane-sidecar` |

mod beside;
mod boot;
pub mod cli;
pub mod config;
mod door;
mod ending;
mod error;
mod exit;
#[cfg(any(test, feature = "failpoints"))]
pub mod failpoint;
#[cfg(not(any(test, feature = "failpoints")))]
mod failpoint;
mod good;
mod heartbeat;
mod hook;
pub mod init;
mod journal;
mod letter;
mod line;
mod outbox;
mod perform;
mod probe;
mod process;
mod program;
mod question;
mod roster;
mod run;
mod service;
mod shared;
mod sidecar;
mod span;
mod strain;
mod telemetry;
mod twin;
mod vigil;

pub use beside::run_beside;
pub use config::Config;
pub use error::Error;
pub use run::{run, run_with};
