//! A rollout with phases as people steer it: what waits for whom, and what a word about a gate brings about.

mod stage;

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stage::{Dev, interrupt, json, text};

const LIMIT: Duration = Duration::from_mins(2);

const PLAN: &str = "\
apiVersion: pavane/v1
kind: Choreography
metadata: { name: gated, owner: identity }
method: hybrid
concurrency: queue
steps:
  - { id: schema, expect: user-db.Ready, within: 10m }
  - { id: users, after: [schema], expect: user-service.DeploymentComplete, within: 10m }
phases:
  - { id: prepare, steps: [schema] }
  - { id: move, steps: [users], approval: { by: sre } }
";

#[test]
fn a_phase_begins_when_what_comes_before_is_complete_and_someone_says_so() {
    let mut dev = Dev::start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gated.yaml");
    std::fs::write(&file, PLAN).expect("written");
    for rollout in ["r-1", "r-2"] {
        json(
            &dev.pavane(&["start", file.to_str().expect("text"), "--rollout", rollout, "--output", "json"]),
            0,
        );
    }
    dev.until("the first phase begins", |shown| shown["phases"][0]["state"] == "open");
    dev.teaches_what_stands_before_a_gate();
    dev.emit("user-db", "Ready");
    dev.until("the gate is open", |shown| shown["phases"][1]["state"] == "awaiting_approval");
    dev.shows_the_gate_and_the_queue();
    dev.takes_the_first_word_of_two();
    dev.emit("user-service", "DeploymentComplete");
    dev.until("the end", |shown| shown["status"] == "completed");
    dev.is_told("approve", "r-1", "move", "r-1 has ended: completed");
    interrupt(&dev.process);
    assert_eq!(dev.process.wait().expect("it ends").code(), Some(0));
}

impl Dev {
    fn teaches_what_stands_before_a_gate(&self) {
        let shut =
            "the gate of phase move is not open yet: phase prepare is open, and waits for schema (awaited)";
        self.is_told("approve", "r-1", "move", shut);
        self.is_told("reject", "r-1", "move", shut);
        self.is_told("approve", "r-1", "mvoe", "r-1 has no phase mvoe; did you mean `move`?");
        self.is_told("approve", "r-1", "prepare", "phase prepare asks for no approval; it begins by itself");
        self.is_told("approve", "r-2", "move", "r-2 has not begun: it waits for the end of r-1");
        self.is_told("approve", "r-9", "move", "there is no rollout r-9; the newest are r-2, r-1");
    }

    fn shows_the_gate_and_the_queue(&self) {
        let shown = text(&self.pavane(&["status"]).stdout);
        assert!(shown.contains("phase prepare  ✓ complete"), "{shown}");
        assert!(shown.contains("phase move  ? awaits the approval of sre"), "{shown}");
        assert!(shown.contains("pavane approve r-1 move"), "{shown}");
        assert!(shown.contains("queued behind r-1"), "{shown}");
        let wide = shown.lines().filter(|line| line.chars().count() > 80).collect::<Vec<_>>();
        assert!(wide.is_empty(), "{wide:?}");
    }

    fn takes_the_first_word_of_two(&self) {
        let rejected = json(&self.word("reject", "r-1", "move"), 0);
        assert_eq!((&rejected["outcome"], &rejected["attempt"]), (&"rejected".into(), &1.into()));
        let said = |_| {
            let line = ["approve", "r-1", "move", "--output", "json"];
            self.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
        };
        let words: Vec<_> =
            [1, 2].map(said).into_iter().map(|it| it.wait_with_output().expect("ended")).collect();
        let (counted, not): (Vec<&Output>, Vec<&Output>) =
            words.iter().partition(|word| word.status.code() == Some(0));
        let ([counted], [not]) = (&counted[..], &not[..]) else { panic!("{words:?}") };
        let counted = json(counted, 0);
        assert_eq!((&counted["outcome"], &counted["attempt"]), (&"approved".into(), &2.into()));
        assert!(counted["begun"].as_i64() > counted["offset"].as_i64(), "{counted}");
        assert_eq!(not.status.code(), Some(1));
        assert!(text(&not.stderr).contains("approved before"), "{not:?}");
        self.is_told("approve", "r-1", "move", "the gate of phase move was approved before, by ");
    }

    fn word(&self, word: &str, rollout: &str, phase: &str) -> Output {
        self.pavane(&[word, rollout, phase, "--reason", "because", "--output", "json"])
    }

    fn is_told(&self, word: &str, rollout: &str, phase: &str, what: &str) {
        let output = self.word(word, rollout, phase);
        let error: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| panic!("{output:?}"));
        let message = error["error"]["message"].as_str().expect("a message");
        assert!(message.contains(what), "{message}");
        assert_eq!(output.status.code(), Some(1));
    }

    fn emit(&self, service: &str, event: &str) {
        let line = ["emit", "--rollout", "r-1", "--service", service, "--version", "1.0.0", "--event", event];
        assert_eq!(self.pavane(&line).status.code(), Some(0));
    }

    /// Waits until the first rollout stands so.
    fn until(&self, what: &str, stands: impl Fn(&Value) -> bool) {
        let begun = Instant::now();
        loop {
            let shown = json(&self.pavane(&["status", "r-1", "--output", "json"]), 0);
            if stands(&shown) {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{what}: not within {LIMIT:?}: {shown:#}");
        }
    }
}
