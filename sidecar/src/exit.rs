//! How a process ended, in words: its exit code or its signal, and whether the kernel ended it for want of memory.
//!
//! The kernel counts in the control group how often it did that. A process that died by SIGKILL while the count rose was
//! very likely the one; where there is no such count, nothing is said.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use rustix::process::Signal;

/// What the count of kills for want of memory was before a process began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before(Option<u64>);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) status: ExitStatus,
    /// Whether the kernel ended it because there was no memory left.
    pub(crate) starved: bool,
}

impl Before {
    /// Looks at the count; to be called before the process begins.
    pub(crate) fn look() -> Self {
        Self(kills())
    }

    /// How a process ended that began since.
    pub(crate) fn ended(self, status: ExitStatus) -> Exit {
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        let rose = || self.0.zip(kills()).is_some_and(|(before, after)| after > before);
        Exit { status, starved: killed && rose() }
    }
}

impl Exit {
    /// The exit code that stands for it: its own, or 128 and the signal.
    pub(crate) fn code(self) -> u8 {
        let code = self.status.code().or_else(|| self.status.signal().map(|signal| 128 + signal));
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
    }

    /// Whether it says that all went well.
    pub(crate) fn is_success(self) -> bool {
        self.status.success()
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => write!(f, "exited with {code}")?,
            (None, Some(signal)) => write!(f, "was ended by signal {signal}{}", name(signal))?,
            (None, None) => f.write_str("ended")?,
        }
        if self.starved { f.write_str(": out of memory") } else { Ok(()) }
    }
}

/// The name of a signal that ends processes.
fn name(signal: i32) -> &'static str {
    match Signal::from_named_raw(signal) {
        Some(Signal::KILL) => " (SIGKILL)",
        Some(Signal::TERM) => " (SIGTERM)",
        Some(Signal::INT) => " (SIGINT)",
        Some(Signal::SEGV) => " (SIGSEGV)",
        Some(Signal::ABORT) => " (SIGABRT)",
        Some(Signal::BUS) => " (SIGBUS)",
        Some(Signal::HUP) => " (SIGHUP)",
        Some(_) | None => "",
    }
}

/// How often the kernel has ended a process of this control group for want of memory.
fn kills() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    counts(&groups).find_map(|file| count(&std::fs::read_to_string(file).ok()?))
}

/// Where the count stands, by what the kernel says of the groups of a process: the newer hierarchy, then the older.
fn counts(groups: &str) -> impl Iterator<Item = PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    groups.lines().filter_map(move |line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        match controllers {
            "" => Some(root.join(group).join("memory.events")),
            "memory" => Some(root.join("memory").join(group).join("memory.oom_control")),
            _ => None,
        }
    })
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_told_with_its_code_or_its_signal_and_with_what_ended_it() {
        for (raw, starved, words, code) in [
            (0, false, "exited with 0", 0),
            (3 << 8, false, "exited with 3", 3),
            (15, false, "was ended by signal 15 (SIGTERM)", 143),
            (9, false, "was ended by signal 9 (SIGKILL)", 137),
            (9, true, "was ended by signal 9 (SIGKILL): out of memory", 137),
            (11, false, "was ended by signal 11 (SIGSEGV)", 139),
        ] {
            let exit = Exit { status: ExitStatus::from_raw(raw), starved };
            assert_eq!((exit.to_string().as_str(), exit.code()), (words, code));
        }
    }

    #[test]
    fn the_count_of_kills_is_found_in_either_hierarchy() {
        let newer: Vec<_> = counts("0::/pods/a\n").collect();
        assert_eq!(newer, [Path::new("/sys/fs/cgroup/pods/a/memory.events")]);
        let older: Vec<_> = counts("5:cpu,cpuacct:/x\n4:memory:/docker/b\n").collect();
        assert_eq!(older, [Path::new("/sys/fs/cgroup/memory/docker/b/memory.oom_control")]);
        assert_eq!(count("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n"), Some(2));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), Some(7));
        assert_eq!(count(""), None);
    }
}
