//! Stands by the process: starts it, hands signals on, takes its end, starts it again.

use std::ffi::OsString;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::policy::{Next, Policy};
use super::{Order, State, signal_group, signal_one};
use crate::exit::{Before, Exit};
use crate::telemetry;

/// What a shell answers for a program that cannot be started, and for one that is not there.
const NOT_STARTED: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Stands by the process for as long as it is wanted.
pub(crate) struct Sentry {
    pub(super) argv: Vec<OsString>,
    pub(super) env: Vec<(String, String)>,
    pub(super) stop: Duration,
    pub(super) policy: Policy,
    pub(super) ordered: mpsc::UnboundedReceiver<Order>,
    pub(super) told: watch::Sender<State>,
}

/// How it came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    /// The exit code to end with.
    pub(crate) code: u8,
    /// How it ended, for a person.
    pub(crate) how: String,
    /// Whether that was asked for.
    pub(crate) asked: bool,
}

/// Why a run came to its end.
enum Ending {
    /// By itself.
    Own(Exit),
    /// It was told to end.
    Stopped(Exit),
    /// It was told to begin anew.
    Anew(oneshot::Sender<Result<(), String>>),
}

impl Sentry {
    /// Runs the process until it is stopped, or has ended and is not started again.
    pub(crate) async fn stand(mut self) -> Over {
        let (mut died, mut asked) = (None, None::<oneshot::Sender<Result<(), String>>>);
        loop {
            let (before, begun) = (Before::look(), Instant::now());
            let child = match self.start() {
                Ok(child) => child,
                Err(over) => {
                    if let Some(asked) = asked.take() {
                        drop(asked.send(Err(over.how.clone())));
                    }
                    return self.over(over);
                }
            };
            let pid = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
            telemetry::process_started(pid, died.is_some());
            self.told.send_replace(State::Runs { pid, since: begun, died: died.take() });
            if let Some(asked) = asked.take() {
                drop(asked.send(Ok(())));
            }
            let exit = match self.run(child, pid, before).await {
                Ending::Anew(reply) => {
                    asked = Some(reply);
                    continue;
                }
                Ending::Stopped(exit) => return self.over(over(exit, true)),
                Ending::Own(exit) => exit,
            };
            died = Some(exit.to_string());
            match self.policy.ended(exit.is_success(), begun.elapsed(), Instant::now()) {
                Next::Over => return self.over(over(exit, false)),
                Next::GivenUp => {
                    tracing::error!(
                        "the process {exit}; it has been started again too often, and is given up"
                    );
                    return self.over(over(exit, false));
                }
                Next::Again(wait) => {
                    telemetry::process_ended(&exit, wait);
                    self.told.send_replace(State::Ended { how: exit.to_string(), over: false });
                    match self.rest(wait).await {
                        Some(Order::Restart(reply)) => asked = Some(reply),
                        Some(Order::Stop) => return self.over(over(exit, true)),
                        Some(Order::Take(_)) | None => {}
                    }
                }
            }
        }
    }

    fn start(&self) -> Result<Child, Over> {
        let (program, arguments) = self.argv.split_first().expect("a command has at least its program");
        let mut command = Command::new(program);
        command.args(arguments).envs(self.env.iter().cloned()).process_group(0).kill_on_drop(true);
        command.spawn().map_err(|error| {
            let code = if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED };
            let how = format!("could not be started: {}: {error}", program.display());
            Over { code, how, asked: false }
        })
    }

    /// Takes orders until the process has ended.
    async fn run(&mut self, mut child: Child, pid: i32, before: Before) -> Ending {
        loop {
            let order = tokio::select! {
                ended = child.wait() => {
                    let exit = before.ended(status(ended));
                    signal_group(pid, Signal::KILL);
                    return Ending::Own(exit);
                }
                order = self.ordered.recv() => order,
            };
            match order {
                Some(Order::Take(signal)) => signal_one(pid, signal),
                Some(Order::Restart(reply)) => {
                    tracing::info!(pid, "the process is told to begin anew");
                    self.end(&mut child, pid).await;
                    return Ending::Anew(reply);
                }
                Some(Order::Stop) | None => {
                    let ended = self.end(&mut child, pid).await;
                    return Ending::Stopped(before.ended(ended));
                }
            }
        }
    }

    /// Ends the process and what it started: first asked, then made to.
    async fn end(&self, child: &mut Child, pid: i32) -> ExitStatus {
        signal_one(pid, Signal::TERM);
        let ended = timeout(self.stop, child.wait()).await;
        if ended.is_err() {
            let stop_s = self.stop.as_secs_f64();
            tracing::error!(pid, stop_s, "the process has not ended in time and is killed");
        }
        signal_group(pid, Signal::KILL);
        match ended {
            Ok(ended) => status(ended),
            Err(_) => status(child.wait().await),
        }
    }

    /// Waits until the process is due again, or an order comes that cannot wait.
    async fn rest(&mut self, wait: Duration) -> Option<Order> {
        let due = sleep(wait);
        tokio::pin!(due);
        loop {
            tokio::select! {
                () = &mut due => return None,
                order = self.ordered.recv() => match order {
                    Some(Order::Take(_)) => {}
                    Some(order @ (Order::Restart(_) | Order::Stop)) => return Some(order),
                    None => return Some(Order::Stop),
                }
            }
        }
    }

    fn over(&self, over: Over) -> Over {
        if over.asked {
            tracing::info!(code = over.code, "the process {}", over.how);
        } else {
            tracing::error!(code = over.code, "the process {}", over.how);
        }
        self.told.send_replace(State::Ended { how: over.how.clone(), over: true });
        over
    }
}

fn over(exit: Exit, asked: bool) -> Over {
    Over { code: exit.code(), how: exit.to_string(), asked }
}

/// The kernel tells the end of a child that is waited for; where it does not, nothing is known of it.
fn status(ended: std::io::Result<ExitStatus>) -> ExitStatus {
    use std::os::unix::process::ExitStatusExt as _;
    ended.unwrap_or_else(|error| {
        tracing::error!(%error, "failed to learn how the process ended");
        ExitStatus::from_raw(i32::from(u8::MAX) << 8)
    })
}
