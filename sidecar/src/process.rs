//! The service as a child of its sidecar: started with it, started again when the file says so, ended behind it.
//!
//! It has a process group of its own, so that a signal from a terminal reaches it once, by way of the sidecar. It runs
//! whether Kafka is there or not, and goes on while a sidecar that failed is begun anew.

mod policy;
mod sentry;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::Config;
use policy::Policy;
use sentry::Sentry;

pub(crate) use sentry::Over;

/// How long a process that died must run before it counts as there again.
const SETTLED: Duration = Duration::from_secs(1);

/// The process, as others see it.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    orders: mpsc::UnboundedSender<Order>,
    seen: watch::Receiver<State>,
}

/// How the process stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It is about to be started.
    Starting,
    /// It runs; `died`: how the one before it ended.
    Runs { pid: i32, since: Instant, died: Option<String> },
    /// It has ended, and is started again later or not at all.
    Ended { how: String, over: bool },
}

/// What the process is to do.
enum Order {
    Take(Signal),
    /// Ends and begins anew; the answer is why it does not.
    Restart(oneshot::Sender<Result<(), String>>),
    Stop,
}

impl Process {
    /// A process by its command and what the file says of it; what comes with it must be run for it to run.
    pub(crate) fn new(config: &Config, argv: Vec<OsString>) -> (Self, Sentry) {
        let (orders, ordered) = mpsc::unbounded_channel();
        let (told, seen) = watch::channel(State::Starting);
        let keeping = &config.process;
        let sentry = Sentry {
            argv,
            env: env(config),
            stop: keeping.stop,
            policy: Policy::new(keeping.clone()),
            ordered,
            told,
        };
        (Self { orders, seen }, sentry)
    }

    /// Hands a signal on.
    pub(crate) fn take(&self, signal: Signal) {
        // Nobody is there to take it once the process is over.
        drop(self.orders.send(Order::Take(signal)));
    }

    /// Ends the process and starts it again; the error says why it does not run.
    pub(crate) async fn restart(&self) -> Result<(), String> {
        let (done, answer) = oneshot::channel();
        let gone = || "the process has ended for good".to_owned();
        self.orders.send(Order::Restart(done)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Ends the process: first asked, then made to.
    pub(crate) fn stop(&self) {
        drop(self.orders.send(Order::Stop));
    }

    /// Kills all of it where it stands.
    pub(crate) fn kill(&self) {
        if let State::Runs { pid, .. } = &*self.seen.borrow() {
            signal_group(*pid, Signal::KILL);
        }
    }

    /// Whether it runs; the error says how it ended.
    pub(crate) fn runs(&self) -> Result<(), String> {
        match &*self.seen.borrow() {
            State::Starting => Err("the process is being started".to_owned()),
            State::Runs { since, died: Some(how), .. } if since.elapsed() < SETTLED => {
                Err(format!("the process {how} and was started again"))
            }
            State::Runs { .. } => Ok(()),
            State::Ended { how, .. } => Err(format!("the process {how}")),
        }
    }

    /// Whether it has ended for good.
    pub(crate) fn is_over(&self) -> bool {
        matches!(&*self.seen.borrow(), State::Ended { over: true, .. })
    }
}

/// What a service wants to know of its sidecar.
fn env(config: &Config) -> Vec<(String, String)> {
    let mut env = vec![
        ("PAVANE_DOMAIN".to_owned(), config.domain.to_string()),
        ("PAVANE_SERVICE".to_owned(), config.service.to_string()),
        ("PAVANE_INSTANCE".to_owned(), config.instance.to_string()),
    ];
    env.extend(config.http.variables());
    env
}

fn signal_one(pid: i32, signal: Signal) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    report(pid, signal, kill_process(pid, signal));
}

fn signal_group(pid: i32, signal: Signal) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    report(pid, signal, kill_process_group(pid, signal));
}

fn report(pid: Pid, signal: Signal, sent: rustix::io::Result<()>) {
    // It may be gone already, which is what was wanted.
    if let Err(error) = sent
        && error != rustix::io::Errno::SRCH
    {
        let (pid, signal) = (pid.as_raw_nonzero().get(), signal.as_raw());
        tracing::error!(pid, signal, %error, "failed to signal the process");
    }
}
