//! A hook that is a program.

use std::time::Duration;

use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{Call, HookOutcome};
use tokio_util::sync::CancellationToken;

use super::{Caller, answer, end_of, told};
use crate::config::Command;
use crate::program::{self, End};

/// Runs the program and takes its exit for an answer.
pub(super) async fn call(
    caller: &Caller,
    command: &Command,
    call: &Call,
    traceparent: Option<&str>,
    limit: Duration,
    cut: &CancellationToken,
) -> HookOutcome {
    let stdin = told::event(caller, call).to_string().into_bytes();
    let env = told::variables(caller, call, traceparent);
    let finished =
        program::run_listed(command, env, Some(stdin), limit, cut, Some((&caller.roster, &call.run))).await;
    let name = command.argv.first().map_or("", String::as_str);
    let failure = |reason: String| Failure { reason, exit_code: None, output: end_of(&finished.output) };
    match &finished.end {
        End::Exited(exit) => {
            let by_signal = || HookOutcome::Failed(failure(format!("{name} {exit}")));
            let exited = |code| answer::of_exit(code, &finished.stdout, &finished.output);
            exit.status.code().map_or_else(by_signal, exited)
        }
        End::TimedOut => {
            HookOutcome::Retry(failure(format!("{name} had not ended after {} ms", limit.as_millis())))
        }
        End::CutOff => HookOutcome::Failed(failure(format!("{name} was cut off before its end"))),
        End::NotStarted(error) => {
            HookOutcome::Failed(failure(format!("{name} could not be started: {error}")))
        }
    }
}
