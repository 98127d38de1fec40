//! What we write for others is read by those who defined it: `CloudEvents` by two SDKs, `CDEvents` by the official one,
//! `AsyncAPI` by its parser, SARIF by its schema, `JUnit` by a stock reader.
//!
//! The scripts lie in `tests/real/node/` and `bus/tests/stock_clients/`.

use std::path::Path;
use std::process::Output;

use cdevents_sdk::CDEvent;
use pavane_events::EventType;
use pavane_tests::program::Program;
use pavane_tests::real::Services;
use pavane_tests::real::node::Node;
use pavane_tests::real::python::Python;
use pavane_tests::stage::Stage;
use serde_json::Value;

use crate::stock::say_everything;
use crate::{ground, stock};

const DOCUMENTS: &str = "tests/real/node/documents.cjs";

#[tokio::test]
async fn an_exported_log_is_read_by_the_sdks_of_cloudevents_and_of_cdevents() {
    let test = "an_exported_log_is_read_by_the_sdks_of_cloudevents_and_of_cdevents";
    let Some(services) = Services::get(test).await else { return };
    let Some(node) = Node::get(test) else { return };
    let stage = Stage::set("standards", "shop", &services).await.unwrap();
    let bus = ground::bus(&services, "standards").await;
    say_everything(&bus.writer().await.unwrap(), stage.domain()).await;
    let export = async |format: &[&str], file: &str| {
        let file = stage.path(file).display().to_string();
        let line = [&["events", "export", "--out", &file], format].concat();
        let run = Program::Pavane.run(|command| stage.direct(command).args(&line));
        run.await.unwrap();
        std::fs::read_to_string(file).unwrap()
    };
    let cloud = export(&["--format", "cloudevents"], "cloud.jsonl").await;
    assert_eq!(cloud.lines().count(), EventType::ALL.len());
    let file = stage.path("cloud.jsonl").display().to_string();
    let by_node = told(&node.run(DOCUMENTS, &["cloudevents", &file]).unwrap());
    let by_python = Python::get().unwrap().run(stock::SCRIPT, &["read-lines", "--file", &file]).unwrap();
    let mut types: Vec<String> = EventType::ALL.iter().map(|event| event.full_name()).collect();
    for read in [&by_node, &told(&by_python)] {
        assert_eq!(read["types"], serde_json::json!(types));
    }
    let cd = export(&["--format", "cdevents"], "cd.jsonl").await;
    types.clear();
    for line in cd.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let kind = value["context"]["type"].as_str().unwrap().to_owned();
        if kind.starts_with("dev.cdevents.") {
            let read: CDEvent = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!((read.ty(), read.version()), (kind.as_str(), "0.5.1"));
            assert_eq!(serde_json::to_value(&read).unwrap(), value, "nothing is lost on the way");
        } else {
            custom(&value);
        }
        types.push(kind);
    }
    assert_eq!(types.len(), cd.lines().count());
    assert!(types.iter().filter(|kind| kind.starts_with("dev.cdevents.")).count() >= 13, "{types:?}");
    let wrapped = export(&["--format", "cdevents", "--wrapped"], "wrapped.jsonl").await;
    assert_eq!(wrapped.lines().count(), types.len());
    let file = stage.path("wrapped.jsonl").display().to_string();
    let read = told(&node.run(DOCUMENTS, &["cloudevents", &file]).unwrap());
    assert_eq!(read["types"], serde_json::json!(types));
}

/// The shape that the specification gives a type of somebody's own, which no SDK knows.
fn custom(value: &Value) {
    let kind = value["context"]["type"].as_str().unwrap();
    let parts: Vec<&str> = kind.splitn(5, '.').collect();
    let ["dev", "cdeventsx", subject, predicate, version] = parts[..] else { panic!("{kind}") };
    assert!(subject.starts_with("pavane-") && !predicate.is_empty() && version == "0.1.0", "{kind}");
    for field in ["specversion", "id", "source", "timestamp"] {
        assert!(value["context"][field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {value}");
    }
    assert!(value["subject"]["id"].is_string() && value["subject"]["content"].is_object(), "{value}");
}

#[tokio::test]
async fn the_asyncapi_document_of_a_checkout_passes_the_official_parser() {
    let Some(node) = Node::get("the_asyncapi_document_of_a_checkout_passes_the_official_parser") else {
        return;
    };
    let folder = story();
    let document = pavane(folder.path(), &["schemas", "asyncapi", "--kafka", "kafka.example:9092"], 0).await;
    let read = documents(&node, "asyncapi", &folder, &document);
    assert_eq!((&read["version"], &read["title"]), (&"3.0.0".into(), &"Events of the domain arena".into()));
    assert_eq!(read["channels"], serde_json::json!(["pavane.lifecycle"]));
    let has = |list: &str, name: &str| read[list].as_array().unwrap().iter().any(|one| one == name);
    assert!(has("messages", "matchmaking.Ready") && has("messages", "RolloutStalled"), "{read}");
    assert!(has("sends", "matchmaking.Ready.say") && has("receives", "tournament.read"), "{read}");
    let broken = document.replace("\"3.0.0\"", "\"3.0.0\",\"oops\":1");
    let file = folder.path().join("broken.json");
    std::fs::write(&file, broken).unwrap();
    let output = node.run(DOCUMENTS, &["asyncapi", file.to_str().unwrap()]).unwrap();
    assert_eq!(output.status.code(), Some(1), "the parser would have seen it");
}

#[tokio::test]
async fn findings_pass_the_schemas_and_readers_of_those_who_take_them() {
    let Some(node) = Node::get("findings_pass_the_schemas_and_readers_of_those_who_take_them") else {
        return;
    };
    let folder = story();
    std::fs::write(folder.path().join(READY), CHANGED).unwrap();
    let check = async |form: &str| {
        pavane(folder.path(), &["schemas", "check", "--base", "main", "--format", form], 1).await
    };
    let json: Value = serde_json::from_str(&check("json").await).unwrap();
    let count = json["findings"].as_array().unwrap().len();
    assert!(count > 2, "{json}");
    for form in ["sarif", "gitlab"] {
        let read = documents(&node, form, &folder, &check(form).await);
        assert_eq!(read["results"], count, "{form}");
    }
    let file = folder.path().join("junit.xml");
    std::fs::write(&file, check("junit").await).unwrap();
    let junit =
        Python::get().unwrap().run(stock::SCRIPT, &["junit", "--file", file.to_str().unwrap()]).unwrap();
    let read = told(&junit);
    assert_eq!((&read["tests"], &read["failures"]), (&1.into(), &1.into()), "{read}");
    assert_eq!(read["failed"], serde_json::json!([READY]), "{read}");
}

const READY: &str = "schemas/services/matchmaking/Ready.avsc";
const BEFORE: &str = r#"{
  "type": "record", "name": "Ready", "namespace": "shop.matchmaking", "doc": "A pool is open.",
  "fields": [
    { "name": "prerequisite", "type": "string", "doc": "What is ready.", "default": "" },
    { "name": "detail", "type": "string", "doc": "More.", "default": "" }
  ]
}
"#;
const CHANGED: &str = r#"{
  "type": "record", "name": "Ready", "namespace": "shop.matchmaking", "doc": "A pool is open.",
  "fields": [
    { "name": "prerequisite", "type": "int", "doc": "What is <ready> & \"good\".", "default": 0 },
    { "name": "detail", "type": "string", "default": "" }
  ]
}
"#;

/// A checkout whose `main` holds the story as it was.
fn story() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let sidecar = "service: tournament\ndomain: arena\nteam: competition\njournal: /var/lib/pavane/j\n\
                   version: { env: VERSION }\nreactions:\n  - { on: matchmaking.Ready, emit: DeploymentComplete, \
                   run: { exec: [./up] } }\n";
    for (file, text) in [(READY, BEFORE), ("tournament.yaml", sidecar)] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
    for line in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "first"]] {
        let done = std::process::Command::new("git").args(who).args(line).current_dir(folder.path()).status();
        assert!(done.unwrap().success(), "{line:?}");
    }
    folder
}

/// What `pavane` prints in a folder; it must end so.
async fn pavane(folder: &Path, arguments: &[&str], code: i32) -> String {
    let mut command = Program::Pavane.command().await.unwrap();
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn documents(node: &Node, mode: &str, folder: &tempfile::TempDir, text: &str) -> Value {
    let file = folder.path().join(format!("{mode}.out"));
    std::fs::write(&file, text).unwrap();
    told(&node.run(DOCUMENTS, &[mode, file.to_str().unwrap()]).unwrap())
}

fn told(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(said.lines().last().expect("a line")).unwrap()
}
