//! How a command ends, as a script sees it. These numbers never change their meaning.

use std::process::ExitCode;

/// The exit code of every `pavane` command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// Something was found: a contract is violated, a check failed, a rollout did not end well.
    Findings = 1,
    /// The command line cannot be understood, or lacks something.
    Usage = 2,
    /// A document, a configuration or a topic is not as it must be.
    Invalid = 3,
    /// Kafka or the registry cannot be reached.
    Unreachable = 4,
    /// What was waited for did not come in time.
    TimedOut = 5,
    /// A defect of this program.
    Internal = 70,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// Every exit code there is.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Findings,
        Self::Usage,
        Self::Invalid,
        Self::Unreachable,
        Self::TimedOut,
        Self::Internal,
        Self::Interrupted,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, in the words of `--help`.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "all is well",
            Self::Findings => "something was found: a violated contract, a rollout that did not end well",
            Self::Usage => "the command line cannot be understood, or lacks something",
            Self::Invalid => "a document, a configuration or a topic is not as it must be",
            Self::Unreachable => "Kafka or the registry cannot be reached",
            Self::TimedOut => "what was waited for did not come in time",
            Self::Internal => "a defect of this program",
            Self::Interrupted => "ended by Ctrl-C",
        }
    }

    /// The table that `--help` ends with.
    pub fn table() -> String {
        let row = |exit: &Self| format!("  {:>3}  {}", exit.code(), exit.meaning());
        Self::ALL.iter().map(row).collect::<Vec<_>>().join("\n")
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_documented_ones() {
        assert_eq!(Exit::ALL.map(Exit::code), [0, 1, 2, 3, 4, 5, 70, 130]);
    }

    #[test]
    fn the_table_names_each_code_once() {
        assert_eq!(Exit::table().lines().count(), Exit::ALL.len());
    }
}
