//! The `pavane` command: check, start, watch, steer, and see it all in a demo.
//!
//! | room | what is in it |
//! |---|---|
//! | `args` [`connection`] | the command line as it is read |
//! | [`console`] [`paint`] [`failure`] [`exit`] | how it answers |
//! | [`commands`] | one file per command |
//! | [`files`] [`document`] [`collection`] | the files that commands read |
//! | [`fold`] [`picture`] | how a rollout stands, and how that looks |
//! | [`why`] [`replay`] [`report`] | why a rollout stands where it stands; what a log decides when it is read again; what came of it all |
//! | [`form`] [`sieve`] | findings as they are told, and which of them count |
//! | [`contracts`] [`drift`] [`published`] | schemas against earlier ones; a log against what is declared; what was told to readers |
//! | [`export`] | the log in the languages of others |
//! | [`demo`] | the story that `pavane demo` tells |
//! | [`bench`] | the job that engines are measured by, and how it is fed |

pub mod alerts;
mod args;
pub mod bench;
pub mod collection;
pub mod commands;
pub mod connection;
pub mod console;
pub mod contracts;
pub mod demo;
pub mod document;
pub mod drift;
pub mod exit;
pub mod export;
pub mod failure;
pub mod files;
pub mod fold;
pub mod form;
pub mod interrupt;
pub mod outage;
pub mod paint;
pub mod picture;
pub mod published;
pub mod replay;
pub mod report;
pub mod shell;
pub mod sieve;
pub mod speaker;
pub mod why;

use std::time::Duration;

use pavane_telemetry::Setup;

use crate::args::{Cli, Command};
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long tasks that are cut off may take to end.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// Reads the command line, does what it asks, and says how it ended.
pub fn main() -> Exit {
    let cli = args::read();
    let console = Console::new(cli.manner.clone());
    match run(cli, &console) {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            console.fail(&failure);
            failure.exit
        }
    }
}

fn run(cli: Cli, console: &Console) -> Result<(), Failure> {
    // The exporter's client blocks: it is made and ended outside the runtime.
    let telemetry = setup(&cli)
        .install()
        .map_err(|error| Failure::new(Exit::Invalid, "cannot set up logs and traces").because(error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, "cannot start the runtime").because(error))?;
    let ended = runtime.block_on(commands::run(cli, console));
    runtime.shutdown_timeout(LAST_TASKS);
    if let Err(error) = telemetry.shutdown() {
        console.warn(&format!("warning: the last spans did not reach the collector: {error}"));
    }
    ended
}

fn setup(cli: &Cli) -> Setup {
    let (service, own) = match &cli.command {
        Command::Sentinel(_) => ("pavane-sentinel", "info,rdkafka=off"),
        Command::Sidecar(_) => ("pavane-sidecar", "info,rdkafka=off"),
        Command::Demo(_) | Command::Dev(_) => ("pavane", "off"),
        Command::Topics(_)
        | Command::Schemas(_)
        | Command::Check(_)
        | Command::Simulate(_)
        | Command::Test(_)
        | Command::Apply(_)
        | Command::Diff(_)
        | Command::Plan(_)
        | Command::Graph(_)
        | Command::Advise(_)
        | Command::Bench(_)
        | Command::Start(_)
        | Command::Emit(_)
        | Command::Events(_)
        | Command::Status(_)
        | Command::Watch(_)
        | Command::Why(_)
        | Command::Explain(_)
        | Command::Replay(_)
        | Command::Report(_)
        | Command::Pause(_)
        | Command::Resume(_)
        | Command::Abort(_)
        | Command::Rollback(_)
        | Command::Approve(_)
        | Command::Reject(_)
        | Command::Override(_)
        | Command::Hold(_)
        | Command::Configure(_)
        | Command::Release(_)
        | Command::BeginAnew(_)
        | Command::Alerts(_)
        | Command::Dlq(_) => ("pavane", "warn,rdkafka=off,librdkafka=off"),
    };
    let filter = match (cli.manner.quiet, cli.manner.verbose) {
        (true, _) => "error,rdkafka=off,librdkafka=off",
        (false, 0) => own,
        (false, 1) => "info,rdkafka=off",
        (false, _) => "debug",
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Setup { service: service.to_owned(), version, instance: String::new(), filter }
}
