//! The first process of a container: starts the program itself as its child, hands signals on, and takes the end of
//! whatever is left to it.
//!
//! The kernel gives every orphan of a container to its first process, and one whose end nobody takes stays as a zombie. The
//! sidecar cannot take them itself: it would take the ends of its own children from those who wait for them.

use std::ffi::OsString;
use std::io;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, set_child_subreaper, wait};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What it is when its child cannot be told of.
const UNKNOWN: u8 = u8::MAX;

/// Whether this process has to look after orphans: it is the first one, or was asked to.
pub fn is_wanted(asked: bool) -> bool {
    asked || std::process::id() == 1
}

/// Runs this program again as a child, with the same arguments but for `--init`, until it ends. Returns its exit code, or
/// 128 and its signal.
pub async fn run() -> io::Result<u8> {
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut heard = signals()?;
    let mut died = signal(SignalKind::child())?;
    let child =
        Command::new(std::env::current_exe()?).args(passed_on(std::env::args_os().skip(1))).spawn()?;
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("an id of a process");
    loop {
        if let Some(code) = reap(child)? {
            return Ok(code);
        }
        tokio::select! {
            Some(sent) = heard.recv() => {
                if let Err(error) = kill_process(child, sent) && error != Errno::SRCH {
                    return Err(error.into());
                }
            }
            _ = died.recv() => {}
        }
    }
}

/// What of the arguments is the child's.
fn passed_on(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut own = true;
    let keep = |argument: &OsString| {
        own = own && argument != "--";
        !(own && argument == "--init")
    };
    arguments.filter(keep).collect()
}

/// Takes the end of all that have ended; the exit code when the child is among them.
fn reap(child: Pid) -> io::Result<Option<u8>> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => return Ok(Some(code(status))),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(Errno::CHILD) => return Ok(Some(UNKNOWN)),
            Err(error) => return Err(error.into()),
        }
    }
}

fn code(status: WaitStatus) -> u8 {
    let signalled = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signalled).and_then(|code| u8::try_from(code).ok()).unwrap_or(UNKNOWN)
}

/// What is handed on.
fn signals() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for (kind, sent) in [
        (SignalKind::terminate(), Signal::TERM),
        (SignalKind::interrupt(), Signal::INT),
        (SignalKind::hangup(), Signal::HUP),
        (SignalKind::quit(), Signal::QUIT),
        (SignalKind::user_defined1(), Signal::USR1),
        (SignalKind::user_defined2(), Signal::USR2),
        (SignalKind::window_change(), Signal::WINCH),
    ] {
        let (mut heard, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                if sender.send(sent).is_err() {
                    return;
                }
            }
        });
    }
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_is_not_asked_to_be_the_first_process_too() {
        let line = ["--config", "f", "--init", "--", "./serve", "--init"].map(OsString::from);
        let passed = ["--config", "f", "--", "./serve", "--init"].map(OsString::from);
        assert_eq!(passed_on(line.into_iter()), passed);
    }
}
