//! What the log makes of a start: begun, queued, or refused with the reason, on a broker of its own.

mod stage;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use pavane_bus::{Bus, Item, Policy, Settings};
use pavane_choreography::Plan;
use pavane_events::{Body, Domain, Entry};
use serde_json::Value;

use crate::stage::{Dev, interrupt, json, text};

const PLAN: &str = "\
apiVersion: pavane/v1
kind: Choreography
metadata: { name: gated, owner: identity }
method: hybrid
concurrency: refuse
steps:
  - { id: schema, expect: user-db.Ready, within: 10m }
  - { id: users, after: [schema], expect: user-service.DeploymentComplete, within: 10m }
phases:
  - { id: prepare, steps: [schema] }
  - { id: move, steps: [users], approval: { by: sre } }
";

#[test]
fn the_log_decides_what_becomes_of_a_start_and_the_reason_is_told() {
    let mut dev = Dev::start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| written(folder.path(), name, text);
    let plan = file("plan.yaml", PLAN);
    let changed = file("changed.yaml", &PLAN.replacen("10m", "20m", 1));
    let queued = file("queued.yaml", &PLAN.replace("refuse", "queue"));
    let closed = file("closed.yaml", &PLAN.replace("concurrency", &format!("{}\nconcurrency", closed())));

    let begun = json(&dev.begin(&plan, "r-1"), 0);
    assert_eq!(begun["behind"], Value::Null);
    let offset = dev.is_refused(&changed, "r-1", "it dances another plan, and a rollout keeps the plan");
    assert_eq!(dev.refusals(offset), ["conflict"], "the log says so itself");
    dev.is_refused(&plan, "r-1", "it has started already, at offset ");
    dev.is_refused(&changed, "r-2", "user-db takes part in rollout r-1");
    let behind = json(&dev.begin(&queued, "r-3"), 0);
    assert_eq!(behind["behind"], "r-1");
    let offset = dev.is_refused(&closed, "r-4", "the plan may only begin ");
    assert_eq!(dev.refusals(offset), ["outside_maintenance"]);

    let differs = json(
        &dev.pavane(&["diff", "--rollout", "r-1", changed.to_str().expect("text"), "--output", "json"]),
        1,
    );
    assert_eq!(differs["changes"][0]["meaning"], "silence is told 10m later");
    assert_eq!(
        dev.pavane(&["diff", "--rollout", "r-1", plan.to_str().expect("text")]).status.code(),
        Some(0)
    );

    dev.follows_a_rollout_through_queue_and_gate(&queued);
    dev.is_refused(&plan, "r-1", "and is aborted");
    dev.carries_labels_of_its_own(&file(
        "labelled.yaml",
        &PLAN.replace("identity", "identity, labels: { tier: gold, zone: eu }"),
    ));
    interrupt(&dev.process);
    assert_eq!(dev.process.wait().expect("it ends").code(), Some(0));
}

impl Dev {
    fn begin(&self, file: &Path, rollout: &str) -> Output {
        self.pavane(&["start", file.to_str().expect("text"), "--rollout", rollout, "--output", "json"])
    }

    /// A start that is refused so, waited for or not; returns the offset of the newest record before it.
    fn is_refused(&self, file: &Path, rollout: &str, why: &str) -> i64 {
        let shown = json(&self.pavane(&["status", "--output", "json"]), 0);
        let output = self.begin(file, rollout);
        let error: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| panic!("{output:?}"));
        let message = error["error"]["message"].as_str().expect("a message");
        assert!(message.contains(why), "{message}");
        assert_eq!(output.status.code(), Some(1));
        let line = ["start", file.to_str().expect("text"), "--rollout", rollout, "--wait", "--timeout", "1m"];
        assert_eq!(self.pavane(&line).status.code(), Some(1), "waiting is no way around it");
        shown["offset"].as_i64().expect("a number")
    }

    /// The codes of the refusals below an offset, each once.
    fn refusals(&self, offset: i64) -> Vec<String> {
        let mut codes = Vec::new();
        for body in self.said_after(offset) {
            if let Body::CommandRefused(refused) = body
                && !codes.contains(&refused.code)
            {
                codes.push(refused.code);
            }
        }
        codes
    }

    /// The labels of the newest rollout.
    fn labels(&self) -> Vec<(String, String)> {
        let mut newest = None;
        for body in self.said_after(-1) {
            if let Body::RolloutStarted(started) = body {
                newest = Some(started);
            }
        }
        let started = newest.expect("a rollout has begun");
        let plan = Plan::from_json(&started.plan).expect("a plan");
        assert_eq!(plan.digest(), started.plan_digest);
        plan.labels.into_iter().collect()
    }

    /// What was said below an offset.
    fn said_after(&self, offset: i64) -> Vec<Body> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (kafka, registry) = (self.address("kafka"), self.address("registry"));
            let bus = Bus::connect(Settings::new(kafka, registry), "test").await.expect("it is there");
            let domain = Domain::new("shop").expect("a name");
            let mut reader = bus.reader(&domain, Policy::AllowList).await.expect("it is there");
            reader.seek(offset + 1).expect("it stands there");
            let mut said = Vec::new();
            while let Item::Entry { entry, .. } = reader.next().await.expect("it reads") {
                if let Entry::Event(record) = entry {
                    said.push(record.event.body);
                }
            }
            said
        })
    }

    /// One waits behind `r-1` and is told when its turn and its gate have come, with what to type.
    fn follows_a_rollout_through_queue_and_gate(&self, queued: &Path) {
        assert_eq!(self.pavane(&["abort", "r-3", "--reason", "enough"]).status.code(), Some(0));
        let line = ["start", queued.to_str().expect("text"), "--rollout", "r-5", "--wait", "--timeout", "1m"];
        let mut start =
            self.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut told = BufReader::new(start.stderr.take().expect("a pipe")).lines();
        let mut until = |what: &str| {
            let found = told.find_map(|line| line.ok().filter(|line| line.contains(what)));
            found.unwrap_or_else(|| panic!("nobody said {what}"))
        };
        until("queued behind r-1");
        assert_eq!(self.pavane(&["abort", "r-1", "--reason", "enough"]).status.code(), Some(0));
        until("its turn has come");
        until("phase prepare has begun");
        self.emit("user-db", "Ready");
        until("phase move awaits the approval of sre: pavane approve r-5 move");
        assert_eq!(self.pavane(&["approve", "r-5", "move"]).status.code(), Some(0));
        until("phase move has begun");
        self.emit("user-service", "DeploymentComplete");
        until("phase move is complete");
        let ended = start.wait_with_output().expect("it ends");
        assert_eq!((ended.status.code(), text(&ended.stdout).trim()), (Some(0), "r-5 completed"));
    }

    /// What a start says beside its choreography stands on the log with the plan, for whoever reacts.
    fn carries_labels_of_its_own(&self, file: &Path) {
        let plan = file.to_str().expect("text");
        let line = ["start", plan, "--rollout", "r-6", "--label", "environment=prod", "--label", "zone=us"];
        let output = self.pavane(&line);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let labels = [("environment", "prod"), ("tier", "gold"), ("zone", "us")];
        assert_eq!(self.labels(), labels.map(|(key, text)| (key.to_owned(), text.to_owned())));
        let many: Vec<String> = (0..65).map(|n| format!("--label=l{n}=x")).collect();
        let line: Vec<&str> = ["start", plan].into_iter().chain(many.iter().map(String::as_str)).collect();
        assert_eq!(self.pavane(&line).status.code(), Some(2), "too many");
    }

    fn emit(&self, service: &str, event: &str) {
        let line = ["emit", "--rollout", "r-5", "--service", service, "--version", "1.0.0", "--event", event];
        assert_eq!(self.pavane(&line).status.code(), Some(0));
    }
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("written");
    file
}

/// A maintenance window that opens in three days.
fn closed() -> String {
    let day = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).weekday().wrapping_add(3);
    let name = format!("{day:?}").to_lowercase();
    format!("maintenance: {{ days: [{}], from: \"00:00\", to: \"06:00\" }}", &name[..3])
}
