//! A folder with a sidecar's file, a service whose hook is a program, and the lives of the sidecar.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::trouble::Trouble;
use crate::process::{lives, works_in};
use crate::shop::{PATIENCE, free_port};

/// What the hook does: it writes down that it runs, and then what its mode says.
const HOOK: &str = r#"
echo "$PAVANE_ROLLOUT $PAVANE_REACTION $PAVANE_EPOCH" >> runs
read mode < mode
case $mode in
told|rebuild)
    echo "$PAVANE_CALLBACK $PAVANE_CALLBACK_TOKEN $1" > awaited.$$
    mv awaited.$$ awaited
    echo '{"status":"IN_PROGRESS","callbackDelaySeconds":600}'
    exit 99 ;;
hang) echo $$ >> pids; exec sleep 60 ;;
deaf) echo $$ >> pids; trap '' TERM; while :; do sleep 1; done ;;
away) setsid sleep 2 > /dev/null 2>&1 & ;;
child) sleep 2 & ;;
esac
echo $1 > version.$$
mv version.$$ version
"#;

/// A step before the hook: it writes down that it is done, and fails where it is to be done the other way.
const STEP: &str = r#"
echo "$PAVANE_ROLLOUT $PAVANE_REACTION $PAVANE_EPOCH $1" >> runs
read mode < mode
test "$mode $1" != "rebuild hydrate"
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
        std::fs::write(service.join("step.sh"), format!("cd {place}{STEP}")).unwrap();
        std::fs::write(service.join("mode"), "work\n").unwrap();
        std::fs::write(service.join("version"), "1.0.0\n").unwrap();
        let socket = own.join("door");
        let timeout = if trouble == Trouble::HangingHook { "400ms" } else { "20s" };
        let outage = if trouble == Trouble::NoSentinel {
            format!("outage: {{ sentinel: 1s, webhook: \"{webhook}\" }}\n")
        } else {
            String::new()
        };
        let (tcp, before) = if trouble == Trouble::WorksOn {
            let step = |way| format!("{{ exec: [sh, {place}/step.sh, {way}], timeout: 20s }}");
            let before = format!("before: [{{ run: {}, else: {} }}], ", step("hydrate"), step("rebuild"));
            (format!("127.0.0.1:{}, ", free_port()), before)
        } else {
            (String::new(), String::new())
        };
        let hook = |on: &str, to: &str| {
            format!(
                "  - on: {on}\n    run: {{ {before}exec: [sh, {place}/hook.sh, {to}], timeout: {timeout} }}\n    \
                 retry: {{ attempts: 1 }}\n"
            )
        };
        let file = format!(
            "service: user-service\ndomain: {domain}\ninstance: user-service-0\nhttp: [{tcp}\"unix:{}\"]\njournal: {}\n{outage}\
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

    /// Forgets a result that is still to be told.
    pub(crate) fn forget_result(&self) {
        // There is none as a rule.
        let _none = std::fs::remove_file(self.service.join("awaited"));
    }

    /// Tells the result of a hook that works on, where one does: the door says whether it is awaited.
    pub(crate) async fn tell_result(&self, client: &reqwest::Client) -> Option<&'static str> {
        let file = self.service.join("awaited");
        let text = std::fs::read_to_string(&file).ok()?;
        let [url, token, version] = text.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{text:?}")
        };
        self.put("version", &format!("{version}\n"));
        let told = client.post(url).bearer_auth(token).body(r#"{"status":"SUCCESS"}"#).send();
        let told = tokio::time::timeout(PATIENCE, told).await.expect("it answers or is gone");
        let found = match told.ok()?.status().as_u16() {
            202 => "a result was taken",
            404 => "a result was not awaited any more",
            // It has just begun and asks to come again.
            503 => return None,
            status => panic!("{status} to a result"),
        };
        std::fs::remove_file(file).unwrap();
        Some(found)
    }

    /// The hooks that ran, a line each.
    pub(crate) fn runs(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.service.join("runs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Hooks that hung and still do.
    pub(crate) fn left(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.service.join("pids")).unwrap_or_default();
        let pids = text.lines().filter_map(|line| line.parse().ok());
        pids.filter(|pid| lives(*pid) && works_in(*pid, &self.service)).collect()
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
