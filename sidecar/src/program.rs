//! A program of the service's own: started without a shell, in a process group of its own, ended with all its
//! children when its time is over.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::Command;
use crate::exit::{Before, Exit};
use crate::failpoint::pass;
use crate::roster::Roster;

/// How much of what a program writes is kept: the end of it.
const KEPT: usize = 64 * 1024;
/// How long a program may take to end itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long its output is waited for after its end: a daemon that it leaves behind may hold the pipes.
const DRAIN: Duration = Duration::from_secs(1);

/// A program that has run.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) end: End,
    /// The end of what it wrote, both streams as they came.
    pub(crate) output: String,
    /// The end of what it wrote to its standard output.
    pub(crate) stdout: String,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) enum End {
    Exited(Exit),
    TimedOut,
    CutOff,
    NotStarted(std::io::Error),
}

/// Runs a program until it ends, its time is over, or it is cut off.
pub(crate) async fn run<K, V>(
    command: &Command,
    env: impl IntoIterator<Item = (K, V)>,
    stdin: Option<Vec<u8>>,
    limit: Duration,
    cut: &CancellationToken,
) -> Finished
where
    K: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    run_listed(command, env, stdin, limit, cut, None).await
}

/// Runs a program as [`run`] does, with a row in the roster under the id of its run for as long as it is running.
pub(crate) async fn run_listed<K, V>(
    command: &Command,
    env: impl IntoIterator<Item = (K, V)>,
    stdin: Option<Vec<u8>>,
    limit: Duration,
    cut: &CancellationToken,
    roster: Option<(&Roster, &str)>,
) -> Finished
where
    K: AsRef<OsStr>,
    V: AsRef<OsStr>,
{
    let (Some(program), tails) = (command.argv.first(), Tails::default()) else {
        return tails_of(End::NotStarted(std::io::ErrorKind::InvalidInput.into()), &Tails::default());
    };
    let mut starting = tokio::process::Command::new(program);
    starting.args(&command.argv[1..]).envs(env).envs(&command.env).process_group(0).kill_on_drop(true);
    let piped = if stdin.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut listed = match roster.map(|(roster, run)| roster.list(run)).transpose() {
        Ok(listed) => listed,
        Err(error) => return tails_of(End::NotStarted(error), &tails),
    };
    pass("listed");
    let before = Before::look();
    let spawned = starting.stdin(piped).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            if let Some(listed) = listed {
                listed.over();
            }
            return tails_of(End::NotStarted(error), &tails);
        }
    };
    if let (Some(listed), Some(pid)) = (&mut listed, child.id()) {
        pass("started");
        listed.started(pid);
        pass("noted");
    }
    if let (Some(mut pipe), Some(stdin)) = (child.stdin.take(), stdin) {
        // A program that does not read what it is told is none the worse for it.
        tokio::spawn(async move { drop(pipe.write_all(&stdin).await) });
    }
    let out =
        child.stdout.take().map(|pipe| tokio::spawn(keep(pipe, vec![tails.both.clone(), tails.out.clone()])));
    let err = child.stderr.take().map(|pipe| tokio::spawn(keep(pipe, vec![tails.both.clone()])));
    let end = tokio::select! {
        status = child.wait() => status.map_or_else(End::NotStarted, |status| End::Exited(before.ended(status))),
        () = tokio::time::sleep(limit) => { end_all(&mut child).await; End::TimedOut }
        () = cut.cancelled() => { end_all(&mut child).await; End::CutOff }
    };
    if let Some(listed) = listed {
        pass("hook ended");
        listed.over();
    }
    for reader in [out, err].into_iter().flatten() {
        let abort = reader.abort_handle();
        if timeout(DRAIN, reader).await.is_err() {
            abort.abort();
        }
    }
    tails_of(end, &tails)
}

/// Ends the program and its children: first asked, then made to.
async fn end_all(child: &mut Child) {
    let Some(group) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else { return };
    signal(group, Signal::TERM);
    drop(timeout(GRACE, child.wait()).await);
    signal(group, Signal::KILL);
    drop(child.wait().await);
}

fn signal(group: Pid, signal: Signal) {
    // The group may be gone already, which is what was wanted.
    if let Err(error) = kill_process_group(group, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::error!(group = group.as_raw_nonzero().get(), %error, "failed to signal a hook's process group");
    }
}

#[derive(Default)]
struct Tails {
    both: Tail,
    out: Tail,
}

type Tail = Arc<Mutex<VecDeque<u8>>>;

async fn keep(mut pipe: impl AsyncRead + Unpin, tails: Vec<Tail>) {
    let mut buffer = [0_u8; 8192];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        for tail in &tails {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend(&buffer[..read]);
            let over = tail.len().saturating_sub(KEPT);
            tail.drain(..over);
        }
    }
}

fn tails_of(end: End, tails: &Tails) -> Finished {
    let text = |tail: &Tail| {
        let tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&tail.iter().copied().collect::<Vec<_>>()).into_owned()
    };
    Finished { end, output: text(&tails.both), stdout: text(&tails.out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long anything may take.
    const PATIENCE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn a_program_is_told_on_stdin_and_by_its_environment() {
        let finished = sh("cat; echo \" $WHO $MODE\"; echo oops >&2; exit 3", PATIENCE).await;
        let End::Exited(exit) = finished.end else { panic!("{finished:?}") };
        assert_eq!(exit.code(), 3);
        assert_eq!(finished.stdout, "told ada fast\n");
        assert!(finished.output.contains("oops"), "{}", finished.output);
    }

    #[tokio::test]
    async fn of_a_flood_the_end_is_kept() {
        let finished = sh("head -c 200000 /dev/zero | tr '\\0' x; echo END", PATIENCE).await;
        assert_eq!(finished.stdout.len(), KEPT);
        assert!(finished.stdout.ends_with("xEND\n"));
    }

    #[tokio::test]
    async fn when_its_time_is_over_it_ends_with_all_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let script =
            format!("(trap '' TERM; while :; do sleep 1; done) & echo $! > {}; wait", pid_file.display());
        // Left alone it would wait for ever; a shell takes its time to begin where others work too.
        let finished = timeout(PATIENCE, sh(&script, Duration::from_secs(3))).await.expect("it ends");
        assert!(matches!(finished.end, End::TimedOut), "{finished:?}");
        let pid: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
        let alive =
            || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "));
        let gone = async {
            while alive() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, gone).await.expect("the child that ignores SIGTERM is gone");
    }

    #[tokio::test]
    async fn it_can_be_cut_off() {
        let cut = CancellationToken::new();
        cut.cancel();
        let command = Command { argv: vec!["sleep".into(), "60".into()], env: [].into() };
        let none: [(&str, &str); 0] = [];
        let finished = run(&command, none, None, Duration::from_mins(1), &cut).await;
        assert!(matches!(finished.end, End::CutOff), "{finished:?}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_said_to_be_not_started() {
        let command = Command { argv: vec!["/nowhere/upgrade".into()], env: [].into() };
        let none: [(&str, &str); 0] = [];
        let finished = run(&command, none, None, Duration::from_secs(5), &CancellationToken::new()).await;
        assert!(matches!(finished.end, End::NotStarted(_)), "{finished:?}");
    }

    async fn sh(script: &str, limit: Duration) -> Finished {
        let argv = vec!["/bin/sh".into(), "-c".into(), script.into()];
        let command = Command { argv, env: [("MODE".into(), "fast".into())].into() };
        run(&command, [("WHO", "ada")], Some(b"told".to_vec()), limit, &CancellationToken::new()).await
    }
}
