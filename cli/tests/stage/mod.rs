//! `pavane dev` in a process of its own, and every other command beside it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A broker, a registry and a sentinel.
pub(crate) struct Dev {
    pub(crate) process: Child,
    addresses: Value,
}

impl Dev {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pavane"));
        command.args(["dev", "--domain", "shop", "--output", "json"]);
        let mut process = without_environment(&mut command).stdout(Stdio::piped()).spawn().expect("it runs");
        let stdout = process.stdout.take().expect("a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("its addresses");
        Self { process, addresses: serde_json::from_str(&line).expect("one JSON object") }
    }

    /// Runs a command to its end.
    pub(crate) fn pavane(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// A command that knows where the broker is.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pavane"));
        without_environment(&mut command);
        for (name, field) in
            [("PAVANE_KAFKA", "kafka"), ("PAVANE_REGISTRY", "registry"), ("PAVANE_DOMAIN", "domain")]
        {
            command.env(name, self.address(field));
        }
        command.args(arguments);
        command
    }

    /// Where the broker (`kafka`) or the registry is; also its `domain`.
    pub(crate) fn address(&self, field: &str) -> &str {
        self.addresses[field].as_str().expect("text")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Where an assertion failed it still runs; where all went well it has ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Presses Ctrl-C.
pub(crate) fn interrupt(process: &Child) {
    let pid = process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
}

fn without_environment(command: &mut Command) -> &mut Command {
    let ours = |name: &String| name.starts_with("PAVANE_") || name.starts_with("OTEL_");
    for name in std::env::vars().map(|(name, _)| name).filter(ours) {
        command.env_remove(name);
    }
    command
}

/// The JSON that a command printed, which must have ended with this code.
pub(crate) fn json(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// What a command printed.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}
