//! A folder with a sidecar's file, a service whose hook is a program, and the lives of the sidecar.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::trouble::Trouble;
use crate::process::lives;

/// What the hook does: it writes down that it runs, and then what its mode says.
const HOOK: &str = r#"
echo "$PAVANE_ROLLOUT $PAVANE_REACTION $PAVANE_EPOCH" >> runs
read mode < mode
case $mode in
hang) echo $$ >> pids; exec sleep 60 ;;
deaf) echo $$ >> pids; trap '' TERM; while :; do sleep 1; done ;;
away) setsid sleep 2 > /dev/null 2>&1 & ;;
child) sleep 2 & ;;
esac
echo $1 > version.$$
mv version.$$ version
"#;

/// One sidecar's own, beside a service that it may share with another of its name.
pub(crate) struct House {
    pub(crate) socket: PathBuf,
    own: PathBuf,
    service: PathBuf,
    kafka: String,
    registry: String,
    count: u32,
}

/// One life of the program.
pub(crate) struct Life {
    child: Child,
    log: PathBuf,
}

impl House {
    /// `own` and `service` are folders; they may be one.
    pub(crate) fn new(own: &Path, service: &Path, domain: &str, trouble: Trouble, webhook: &str) -> Self {
        std::fs::create_dir_all(own).unwrap();
        let place = service.display();
        std::fs::write(service.join("hook.sh"), format!("cd {place}{HOOK}")).unwrap();
        std::fs::write(service.join("mode"), "work\n").unwrap();
        std::fs::write(service.join("version"), "1.0.0\n").unwrap();
        let socket = own.join("door");
        let timeout = if trouble == Trouble::HangingHook { "400ms" } else { "20s" };
        let outage = if trouble == Trouble::NoSentinel {
            format!("outage: {{ sentinel: 1s, webhook: \"{webhook}\" }}\n")
        } else {
            String::new()
        };
        let hook = |on: &str, to: &str| {
            format!(
                "  - on: {on}\n    run: {{ exec: [sh, {place}/hook.sh, {to}], timeout: {timeout} }}\n    \
                 retry: {{ attempts: 1 }}\n"
            )
        };
        let file = format!(
            "service: user-service\ndomain: {domain}\ninstance: user-service-0\nhttp: \"unix:{}\"\njournal: {}\n{outage}\
             version: {{ file: {place}/version }}\nreactions:\n{}{}",
            socket.display(),
            own.join("journal").display(),
            hook("user-db.Ready", "2.0.0"),
            hook("RollbackRequested", "1.0.0"),
        );
        std::fs::write(own.join("sidecar.yaml"), file).unwrap();
        let (kafka, registry) = (String::new(), String::new());
        Self { socket, own: own.to_owned(), service: service.to_owned(), kafka, registry, count: 0 }
    }

    pub(crate) fn at(mut self, kafka: &str, registry: &str) -> Self {
        (self.kafka, self.registry) = (kafka.to_owned(), registry.to_owned());
        self
    }

    /// Starts a life that ends where this says.
    pub(crate) fn start(&mut self, armed: &str) -> Life {
        self.count += 1;
        let log = self.own.join(format!("log-{}", self.count % 8));
        let file = File::create(&log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pavane-sidecar"));
        command.arg("--config").arg(self.own.join("sidecar.yaml"));
        command.args(["--kafka", &self.kafka, "--registry", &self.registry]);
        command.env("NO_COLOR", "1").env("PAVANE_FAILPOINT", armed).stdin(Stdio::null());
        // To read whom the system trusts takes longer than all the rest of a start, and nobody here is asked over TLS.
        command.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", "/dev/null");
        command.stdout(file.try_clone().unwrap()).stderr(file);
        Life { child: command.spawn().unwrap(), log }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.own.join("journal")
    }

    /// Forgets every schema that was fetched.
    pub(crate) fn forget_schemas(&self) {
        // It may not have fetched any yet.
        let _none = std::fs::remove_dir_all(self.own.join("journal.schemas"));
    }

    /// Puts a file of the service in place, whole.
    pub(crate) fn put(&self, file: &str, text: &str) {
        let new = self.service.join(format!("{file}.put"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, self.service.join(file)).unwrap();
    }

    /// The hooks that ran, a line each.
    pub(crate) fn runs(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.service.join("runs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Hooks that hung and still do.
    pub(crate) fn left(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.service.join("pids")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).filter(|pid| lives(*pid)).collect()
    }
}

impl Life {
    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process was ended by SIGKILL.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}
