//! Which programs of hooks are running, in a folder beside the journal: a sidecar that was killed leaves its programs
//! behind, and its next start ends them before anything is decided.
//!
//! A row is made before its program is started and names the run; once it is started, also its id and the kernel's start
//! time. Nothing is synced to the disk: a crash of the machine ends the programs too. A process is ended only
//! when it leads the group that was noted and began at the noted time, or carries the run in its environment: an id that
//! the kernel has given to somebody else by then is left alone.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// The variable that tells a program the id of its run.
const RUN: &str = "PAVANE_RUN";
/// How long a program may take to end itself after SIGTERM, and the kernel after SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The folder of what is running.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    folder: PathBuf,
}

/// The row of one program. It stays when it is dropped without [`Listed::over`].
#[derive(Debug)]
pub(crate) struct Listed {
    path: PathBuf,
    row: Row,
}

/// A program that an earlier process left running, and that has been ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Orphan {
    pub(crate) run: String,
    pub(crate) group: u32,
    /// Whether it had to be killed.
    pub(crate) killed: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    run: String,
    /// The boot of the machine: ids of processes mean nothing beyond it.
    machine: String,
    pid: Option<u32>,
    /// In clock ticks since the boot of the machine.
    start: Option<u64>,
}

impl Roster {
    /// The roster that belongs to a journal.
    pub(crate) fn beside(journal: &Path) -> Self {
        let mut name = journal.as_os_str().to_owned();
        name.push(".running");
        Self { folder: PathBuf::from(name) }
    }

    /// Notes that the program of a run is about to be started.
    pub(crate) fn list(&self, run: &str) -> io::Result<Listed> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(Uuid::now_v7().to_string());
        let row = Row { run: run.to_owned(), machine: machine(), pid: None, start: None };
        let listed = Listed { path, row };
        listed.write()?;
        Ok(listed)
    }

    /// Ends what an earlier process left running. The journal's lock says that the process itself is gone.
    pub(crate) async fn end_orphans(&self) -> io::Result<Vec<Orphan>> {
        let mut orphans = Vec::new();
        let rows = match std::fs::read_dir(&self.folder) {
            Ok(rows) => rows,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(orphans),
            Err(error) => return Err(error),
        };
        for file in rows {
            let path = file?.path();
            // A row that was torn names no run, and its program was not started: the row is written first.
            let row: Option<Row> = serde_json::from_slice(&std::fs::read(&path)?).ok();
            if let Some(row) = row.filter(|row| row.machine == machine())
                && let Some(group) = row.group()
            {
                let killed = end(group, &row).await;
                orphans.push(Orphan { run: row.run, group, killed });
            }
            std::fs::remove_file(&path)?;
        }
        Ok(orphans)
    }
}

impl Listed {
    /// Notes the program's id, once it is started.
    pub(crate) fn started(&mut self, pid: u32) {
        self.row.pid = Some(pid);
        self.row.start = stat(pid).map(|stat| stat.start);
        if let Err(error) = self.write() {
            tracing::error!(%error, path = %self.path.display(), "failed to note which program runs");
        }
    }

    /// Takes the row out: the program has ended.
    pub(crate) fn over(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::error!(%error, path = %self.path.display(), "failed to note that a program has ended");
        }
    }

    /// Replaces the file whole, so that a reader finds the old row or the new one.
    fn write(&self) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec(&self.row)?)?;
        std::fs::rename(&fresh, &self.path)
    }
}

impl Row {
    /// The process group that is still the run's own; none when nothing of it is left.
    fn group(&self) -> Option<u32> {
        let mine = |pid: u32| carries(pid, &self.run);
        match self.pid {
            Some(group) => {
                let leads = stat(group).is_some_and(|found| {
                    found.is_alive() && found.group == group && Some(found.start) == self.start
                });
                let left =
                    || processes().any(|(pid, stat)| stat.group == group && stat.is_alive() && mine(pid));
                (leads || left()).then_some(group)
            }
            None => processes()
                .find(|(pid, stat)| stat.group == *pid && stat.is_alive() && mine(*pid))
                .map(|(pid, _)| pid),
        }
    }
}

/// Ends a group: first asked, then made to. Says whether it had to be made to.
async fn end(group: u32, row: &Row) -> bool {
    let of_run = Row { pid: Some(group), ..row.clone() };
    for (signal, killed) in [(Signal::TERM, false), (Signal::KILL, true)] {
        send(group, signal);
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            if of_run.group().is_none() {
                return killed;
            }
            sleep(LOOK).await;
        }
    }
    tracing::error!(
        group,
        run = row.run,
        "a program that was left running does not end, not even by SIGKILL"
    );
    true
}

fn send(group: u32, signal: Signal) {
    let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) else { return };
    if let Err(error) = kill_process_group(group, signal)
        && error != Errno::SRCH
    {
        tracing::error!(%error, "failed to signal a program that was left running");
    }
}

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: u8,
    group: u32,
    start: u64,
}

impl Stat {
    const fn is_alive(self) -> bool {
        !matches!(self.state, b'Z' | b'X')
    }
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in brackets and may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let state = *fields.first()?.as_bytes().first()?;
    Some(Stat { state, group: fields.get(2)?.parse().ok()?, start: fields.get(19)?.parse().ok()? })
}

fn processes() -> impl Iterator<Item = (u32, Stat)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, stat(pid)?))
    })
}

/// Whether a process carries the run in its environment; only the same user's can be read.
fn carries(pid: u32, run: &str) -> bool {
    let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
    let wanted = format!("{RUN}={run}");
    environment.split(|byte| *byte == 0).any(|variable| variable == OsStr::new(&wanted).as_encoded_bytes())
}

/// The boot of the machine; empty where the kernel does not say.
fn machine() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn what_was_left_running_is_ended_with_its_group_even_when_it_ignores_sigterm() {
        let (dir, roster) = roster();
        let ready = dir.path().join("ready");
        let script = format!(
            "trap '' TERM; (while :; do sleep 1; done) & touch {}; while :; do sleep 1; done",
            ready.display()
        );
        let mut child = program(&script, "run-1");
        while !ready.exists() {
            sleep(LOOK).await;
        }
        let mut listed = roster.list("run-1").unwrap();
        listed.started(child.id());
        drop(listed);
        let orphans = roster.end_orphans().await.unwrap();
        assert_eq!(orphans, [Orphan { run: "run-1".to_owned(), group: child.id(), killed: true }]);
        assert!(!processes().any(|(pid, stat)| stat.is_alive() && carries(pid, "run-1")));
        child.wait().unwrap();
        assert_eq!(roster.end_orphans().await.unwrap(), [], "once");
    }

    #[tokio::test]
    async fn a_program_whose_id_was_not_noted_any_more_is_found_by_its_run() {
        let (_dir, roster) = roster();
        let mut child = program("exec sleep 60", "run-2");
        drop(roster.list("run-2").unwrap());
        let orphans = roster.end_orphans().await.unwrap();
        assert_eq!(orphans, [Orphan { run: "run-2".to_owned(), group: child.id(), killed: false }]);
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_process_that_was_given_the_id_since_is_left_alone() {
        let (_dir, roster) = roster();
        let mut other = program("exec sleep 60", "another-run");
        let mut listed = roster.list("run-3").unwrap();
        listed.started(other.id());
        listed.row.start = listed.row.start.map(|start| start - 1);
        listed.write().unwrap();
        assert_eq!(roster.end_orphans().await.unwrap(), []);
        assert!(other.try_wait().unwrap().is_none(), "it lives");
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[tokio::test]
    async fn what_ended_or_ran_before_the_machine_started_is_not_looked_for() {
        let (_dir, roster) = roster();
        let mut child = program("exec sleep 60", "run-4");
        let mut listed = roster.list("run-4").unwrap();
        listed.started(child.id());
        listed.row.machine = "another boot".to_owned();
        listed.write().unwrap();
        assert_eq!(roster.end_orphans().await.unwrap(), []);
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let mut listed = roster.list("run-4").unwrap();
        listed.started(child.id());
        listed.over();
        assert_eq!(std::fs::read_dir(&roster.folder).unwrap().count(), 0);
    }

    fn roster() -> (tempfile::TempDir, Roster) {
        let dir = tempfile::tempdir().unwrap();
        let roster = Roster::beside(&dir.path().join("journal"));
        (dir, roster)
    }

    fn program(script: &str, run: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env(RUN, run).process_group(0);
        command.stdin(Stdio::null()).spawn().unwrap()
    }
}
