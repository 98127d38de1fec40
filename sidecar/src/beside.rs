//! A sidecar that wraps its service: `pavane sidecar -- COMMAND`, for hosts without an orchestrator.
//!
//! The service comes first: it is started at once, and a sidecar that fails is begun anew beside it. SIGTERM ends the
//! sidecar's own work first (the service is drained by it), then the process, all within the grace. The end is the
//! process's: its exit code, or 128 and its signal.

use std::ffi::OsString;
use std::time::Duration;

use pavane_bus::Settings;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::boot::Way;
use crate::config::Config;
use crate::process::{Over, Process};
use crate::run::{tuned, work};
use crate::telemetry;

/// A second signal ended the program at once.
const INTERRUPTED: i32 = 130;
/// The exit code that stands for the end by SIGTERM.
const TERMINATED: u8 = 143;
/// How long to wait before a sidecar that failed is begun anew; doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Runs a sidecar with its service as a child, until either is to end. Returns the exit code to end with.
///
/// SIGTERM and SIGINT end both in order, a second one at once; SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and SIGWINCH are handed
/// on. `argv` must not be empty.
pub async fn run_beside(config: Config, settings: Settings, argv: Vec<OsString>) -> anyhow::Result<u8> {
    let (process, sentry) = Process::new(&config, argv);
    let stop = CancellationToken::new();
    hand_on_signals(&process, &stop)?;
    let mut standing = tokio::spawn(sentry.stand());
    let settings = tuned(settings, &config);
    let tending = tend(config.beside_process(), settings, process.clone(), stop.clone());
    tokio::pin!(tending);
    tokio::select! {
        () = &mut tending => {}
        over = &mut standing => {
            // The sidecar says what there is to say of it.
            stop.cancel();
            tending.await;
            return Ok(code(&over?));
        }
    }
    process.stop();
    end(standing).await
}

async fn end(standing: JoinHandle<Over>) -> anyhow::Result<u8> {
    Ok(code(&standing.await?))
}

/// The code to end with. A process that ends by the SIGTERM that it was sent has done what it was asked to.
fn code(over: &Over) -> u8 {
    if over.asked && over.code == TERMINATED { 0 } else { over.code }
}

/// Runs the sidecar until it is stopped, as often as it takes.
async fn tend(config: Config, settings: Settings, process: Process, stop: CancellationToken) {
    let mut wait = FIRST_WAIT;
    loop {
        let way = Way::To(Box::new(settings.clone()));
        let Err(error) = work(config.clone(), way, Some(process.clone()), stop.clone()).await else { return };
        telemetry::trouble("stand beside the process", &error, wait);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
        wait = (2 * wait).min(LONGEST_WAIT);
    }
}

/// Takes the signals of this process for the other's.
fn hand_on_signals(process: &Process, stop: &CancellationToken) -> std::io::Result<()> {
    for (kind, sent) in [
        (SignalKind::hangup(), Signal::HUP),
        (SignalKind::quit(), Signal::QUIT),
        (SignalKind::user_defined1(), Signal::USR1),
        (SignalKind::user_defined2(), Signal::USR2),
        (SignalKind::window_change(), Signal::WINCH),
    ] {
        let (mut heard, process) = (signal(kind)?, process.clone());
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                process.take(sent);
            }
        });
    }
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (process, stop) = (process.clone(), stop.clone());
    tokio::spawn(async move {
        for times in 0_u8.. {
            tokio::select! { _ = term.recv() => {} _ = int.recv() => {} }
            if times > 0 {
                process.kill();
                std::process::exit(INTERRUPTED);
            }
            stop.cancel();
        }
    });
    Ok(())
}
