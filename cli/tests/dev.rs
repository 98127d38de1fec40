//! `pavane dev` as a developer uses it: every other command in a process of its own against it.

mod stage;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::stage::{Dev, interrupt, json, text};

const PLAN: &str = "\
apiVersion: pavane/v1
kind: Choreography
metadata: { name: schema-first, owner: data }
steps:
  - { id: schema, expect: user-db.Ready, within: 10m }
";

#[test]
fn a_rollout_is_published_started_fed_watched_and_ended_from_other_processes() {
    let dev = Dev::start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("schema-first.yaml");
    std::fs::write(&file, PLAN).expect("written");
    dev.publishes(&file);
    dev.says_where_an_event_stands();
    dev.refuses_what_breaks_the_contract();
    dev.waits_for_the_end();
    dev.gives_up_waiting_and_ends_by_hand();
    dev.knows_what_it_cannot_do();
    dev.ends_on_ctrl_c();
}

impl Dev {
    fn publishes(&self, file: &Path) {
        let applied = json(&self.pavane(&["apply", file.to_str().expect("text"), "--output", "json"]), 0);
        assert_eq!(applied["choreographies"][0]["name"], "schema-first");
        assert_eq!(applied["choreographies"][0]["outcome"], "created");
        self.tells_what_changed(file);
        let pushed = json(&self.pavane(&["schemas", "push", "--output", "json"]), 0);
        assert_eq!(pushed["schemas"][0]["outcome"], "present");
    }

    fn tells_what_changed(&self, file: &Path) {
        let file = file.to_str().expect("text");
        let write = |text: &str| std::fs::write(file, text).expect("written");
        let apply = |more: &[&str]| {
            let line = [&["apply", file, "--output", "json"][..], more].concat();
            json(&self.pavane(&line), 0)["choreographies"][0].clone()
        };
        assert_eq!(apply(&[])["outcome"], "unchanged");
        assert!(apply(&[])["offset"].is_null(), "nothing is written that stands there already");
        write(&PLAN.replace("steps:", "# one\nsteps:"));
        assert_eq!(apply(&[])["outcome"], "reworded");
        assert_eq!(self.pavane(&["diff", file]).status.code(), Some(0));
        write(&PLAN.replace("10m", "20m"));
        let would = apply(&["--dry-run"]);
        assert_eq!((&would["outcome"], &would["offset"]), (&"changed".into(), &Value::Null));
        let differs = json(&self.pavane(&["diff", file, "--output", "json"]), 1);
        assert_eq!(differs["changes"][0]["meaning"], "silence is told 10m later");
        let changed = apply(&[]);
        assert_eq!((&changed["outcome"], &changed["difference"]), (&"changed".into(), &differs));
        write(PLAN);
        assert_eq!(apply(&[])["outcome"], "changed");
    }

    fn says_where_an_event_stands(&self) {
        let said = json(&self.emit("r-1", &["--output", "json"]), 0);
        let keys: Vec<&String> = said.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["id", "partition", "offset"]);
    }

    fn refuses_what_breaks_the_contract(&self) {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data.json");
        std::fs::write(&data, r#"{"prerequisite":1}"#).expect("written");
        let output = self.emit("r-1", &["--data", data.to_str().expect("text"), "--output", "json"]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        let error: Value = serde_json::from_slice(&output.stderr).expect("one JSON object");
        assert_eq!(error["error"]["violations"][0]["pointer"], "/prerequisite");
    }

    fn waits_for_the_end(&self) {
        let line =
            ["start", "schema-first", "--rollout", "r-1", "--wait", "--timeout", "1m", "--output", "json"];
        let ended = json(&self.pavane(&line), 0);
        assert_eq!((&ended["rollout"], &ended["outcome"]), (&"r-1".into(), &"completed".into()));
        for field in ["id", "partition", "offset", "trace_id"] {
            assert!(!ended[field].is_null(), "{field}: {ended}");
        }
        let status = json(&self.pavane(&["status", "r-1", "--output", "json"]), 0);
        assert_eq!((&status["status"], &status["trace_id"]), (&"completed".into(), &ended["trace_id"]));
        let watched = self.pavane(&["watch", "r-1"]);
        assert!(text(&watched.stdout).contains("completed  1 of 1 steps met"), "{watched:?}");
    }

    fn gives_up_waiting_and_ends_by_hand(&self) {
        let line = ["start", "schema-first", "--rollout", "r-2", "--wait", "--timeout", "2s"];
        assert_eq!(self.pavane(&line).status.code(), Some(5));
        let shown = self.pavane(&["status"]);
        assert!(text(&shown.stdout).contains("○ awaited      schema  user-db.Ready"), "{shown:?}");
        self.watches_until_ctrl_c();
        let refused = self.pavane(&["start", "schema-first", "--rollout", "r-3", "--wait"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains("user-db takes part in rollout r-2"), "{refused:?}");
        assert_eq!(self.pavane(&["abort", "r-2", "--reason", "enough"]).status.code(), Some(0));
        let status = json(&self.pavane(&["status", "r-2", "--output", "json"]), 0);
        assert_eq!(status["status"], "aborted");
    }

    fn watches_until_ctrl_c(&self) {
        let mut watch = self.command(&["watch"]).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        let stdout = watch.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert!(line.starts_with("r-2  schema-first  open  0 of 1 steps met"), "{line}");
        interrupt(&watch);
        assert_eq!(watch.wait().expect("it ends").code(), Some(130));
    }

    fn knows_what_it_cannot_do(&self) {
        assert_eq!(self.pavane(&["rollback", "nobody", "--reason", "x"]).status.code(), Some(1));
        assert_eq!(self.pavane(&["start", "nothing"]).status.code(), Some(1));
        assert_eq!(self.pavane(&["topics", "verify"]).status.code(), Some(3));
    }

    fn ends_on_ctrl_c(mut self) {
        interrupt(&self.process);
        assert_eq!(self.process.wait().expect("it ends").code(), Some(0));
    }

    fn emit(&self, rollout: &str, more: &[&str]) -> Output {
        let line =
            ["emit", "--rollout", rollout, "--service", "user-db", "--version", "1.0.0", "--event", "Ready"];
        self.pavane(&[&line[..], more].concat())
    }
}
