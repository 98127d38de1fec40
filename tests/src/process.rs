//! A child process that cannot outlive the test run.
//!
//! The child leads a process group of its own. Beside it stands a guard: a shell that reads from a pipe held
//! by the test run. When the run ends without stopping the child (a panic, a static that is never dropped, a
//! SIGKILL), the pipe closes, and the guard kills the group and removes the child's folder.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Reads one word from the test run; anything but `done` means that the run is gone. The folder goes when the
/// group has ended, which is looked at for 5 seconds at most.
const GUARD: &str = r#"
read -r word
[ "$word" = done ] || kill -s KILL -- "-$1"
looks=0
while kill -s 0 -- "-$1" && [ $looks -lt 100 ]; do looks=$((looks + 1)); sleep 0.05; done
[ -z "$2" ] || rm -rf -- "$2"
"#;

/// How many bytes of a log are read: some files have no end.
const MOST: u64 = 64 * 1024 * 1024;

/// A running child with its output in a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    guard: Child,
    log: PathBuf,
    folder: Option<PathBuf>,
}

/// What a test sends to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: end in order.
    Terminate,
    /// SIGKILL: end at once.
    Kill,
    /// SIGSTOP: freeze.
    Stop,
    /// SIGCONT: go on after a freeze.
    Continue,
}

impl Process {
    /// Starts the command with its output in `log`. `folder`, if any, is removed after the child has ended,
    /// whatever way it ends.
    pub fn start(name: &str, command: &mut Command, log: &Path, folder: Option<&Path>) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("failed to create {}", log.display()))?;
        let (child, guard) = spawn(name, command, out, folder)?;
        let (log, folder) = (log.to_path_buf(), folder.map(Path::to_path_buf));
        Ok(Self { name: name.to_owned(), child, guard, log, folder })
    }

    /// Starts the command in the place of the child, which was killed: its folder stays, its output goes on.
    pub fn replace(&mut self, command: &mut Command) -> Result<()> {
        self.gone()?;
        // the old guard must not remove the folder of the new child
        self.guard.kill().and_then(|()| self.guard.wait()).context("failed to relieve the guard")?;
        let out = File::options().append(true).open(&self.log).context("failed to open the log again")?;
        (self.child, self.guard) = spawn(&self.name, command, out, self.folder.as_deref())?;
        Ok(())
    }

    /// Waits until the child, which was killed, has ended.
    pub fn gone(&mut self) -> Result<()> {
        self.child.wait().map(drop).with_context(|| format!("failed to wait for the end of {}", self.name))
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to this process alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(signal, &self.child.id().to_string())
    }

    /// Sets a limit of this process while it runs, as `prlimit` writes it, e.g. `--nofile=3:`; returns what that prints.
    pub fn limit(&self, limit: &[&str]) -> Result<String> {
        let output =
            Command::new("prlimit").args(["--pid", &self.child.id().to_string()]).args(limit).output();
        let output = output.context("failed to run prlimit")?;
        ensure!(output.status.success(), "prlimit: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The exit status, once it has ended.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("failed to look after {}", self.name))
    }

    /// Everything that it has written so far, where that is no more than a log can be.
    pub fn output(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|log| log.take(MOST).read_to_end(&mut bytes));
        read.map_or_else(
            |error| format!("(no log: {error})"),
            |_| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// An error when the process has ended, with the end of what it wrote.
    pub fn must_run(&mut self) -> Result<()> {
        match self.exited()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}); it wrote:\n{}", self.name, self.tail()),
        }
    }

    /// The last lines that it wrote.
    pub fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group holds what the child started too. An error means that the group is empty; a panic here
        // would turn a failing test into an abort that hides why it fails.
        let emptied = kill(Signal::Kill, &format!("-{}", self.child.id()));
        if emptied.is_ok() || matches!(self.child.try_wait(), Ok(Some(_))) {
            drop(self.child.wait());
        }
        if let Some(mut pipe) = self.guard.stdin.take() {
            drop(pipe.write_all(b"done\n"));
        }
        drop(self.guard.wait());
    }
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

fn spawn(name: &str, command: &mut Command, out: File, folder: Option<&Path>) -> Result<(Child, Child)> {
    let errors = out.try_clone().context("failed to share the log file")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .with_context(|| format!("failed to start {name}: {command:?}"))?;
    match guard(child.id(), folder) {
        Ok(guard) => Ok((child, guard)),
        Err(error) => {
            child.kill().and_then(|()| child.wait()).context("failed to stop a child without guard")?;
            Err(error)
        }
    }
}

fn guard(group: u32, folder: Option<&Path>) -> Result<Child> {
    Command::new("sh")
        .args(["-c", GUARD, "guard", &group.to_string()])
        .arg(folder.unwrap_or(Path::new("")))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("failed to start the guard of a child process")
}

fn kill(signal: Signal, whom: &str) -> Result<()> {
    // the shell's own kill, because a bare machine has no other
    let status = Command::new("sh")
        .args(["-c", r#"kill -s "$1" -- "$2""#, "kill", signal.name(), whom])
        .stderr(Stdio::null())
        .status()
        .context("failed to run the shell's kill")?;
    if !status.success() {
        bail!("failed to send SIG{} to {whom}: no such process", signal.name());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wait;

    fn gone(id: u32) -> bool {
        !Path::new(&format!("/proc/{id}")).exists()
    }

    #[test]
    fn a_dropped_process_is_gone_with_its_folder() {
        let folder = tempfile::tempdir().unwrap().keep();
        let log = folder.join("log");
        let process = Process::start("sleep", Command::new("sleep").arg("60"), &log, Some(&folder)).unwrap();
        let id = process.id();
        drop(process);
        assert!(gone(id));
        assert!(!folder.exists());
    }

    #[test]
    fn a_killed_child_is_replaced_in_its_folder() {
        let folder = tempfile::tempdir().unwrap().keep();
        let log = folder.join("log");
        let mut process =
            Process::start("sleep", Command::new("sleep").arg("60"), &log, Some(&folder)).unwrap();
        let first = process.id();
        process.signal(Signal::Kill).unwrap();
        process.replace(Command::new("sleep").arg("60")).unwrap();
        assert!(gone(first) && folder.exists());
        process.must_run().unwrap();
        drop(process);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_child_dies_with_a_run_that_cannot_say_goodbye() {
        let folder = tempfile::tempdir().unwrap().keep();
        let log = folder.join("log");
        let mut process =
            Process::start("sleep", Command::new("sleep").arg("60"), &log, Some(&folder)).unwrap();
        // what the kernel does with the pipe when the run is killed
        drop(process.guard.stdin.take());
        let ended =
            wait::until("the guard", Duration::from_secs(5), async || process.exited().unwrap()).await;
        assert!(!ended.unwrap().success());
    }

    #[test]
    fn a_process_that_ended_is_reported_with_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo the reason; exit 3"]);
        let mut process = Process::start("failing", &mut command, &folder.path().join("log"), None).unwrap();
        process.child.wait().unwrap();
        let error = process.must_run().unwrap_err().to_string();
        assert!(error.contains("failing ended") && error.contains("the reason"), "{error}");
    }
}
