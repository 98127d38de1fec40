//! What flows on a live log against what is declared: the findings, the picture, and the page of all events, from a real
//! broker and a real registry.

use std::path::Path;

use pavane_bus::wire::Contract;
use pavane_bus::{Encoded, Writer};
use pavane_events::service::{DeploymentComplete, DeploymentStarted, Drained};
use pavane_events::{Body, EventId, EventType, Service};
use pavane_tests::program::Program;
use pavane_tests::real::Services;
use pavane_tests::stage::Stage;
use serde_json::Value;

use crate::ground::said;

const SEASON: &str = "apiVersion: pavane/v1\nkind: Choreography\n\
    metadata: { name: season-7, owner: arena, runbook: \"https://runbooks.example/season\" }\nsteps:\n  \
    - { id: pools, expect: matchmaking.Ready, within: 5m }\n  \
    - { id: tournament, after: [pools], expect: tournament.DeploymentComplete, within: 5m }\n  \
    - { id: prizes, after: [tournament], expect: prizes.DeploymentComplete, within: 5m }\n";

/// Matchmaking's own form of `Ready`, and one that nobody was told of.
fn ready(namespace: &str, more: &str) -> String {
    format!(
        r#"{{
  "type": "record", "name": "Ready", "namespace": "{namespace}", "doc": "A pool is open.",
  "fields": [
    {{ "name": "prerequisite", "type": "string", "doc": "What is ready.", "default": "" }},
    {{ "name": "detail", "type": "string", "doc": "More.", "default": "" }},
    {{ "name": "pools", "type": {{ "type": "array", "items": "string" }}, "doc": "Open pools.", "default": [] }},
    {{ "name": "seats", "type": "int", "doc": "How many seats.", "default": 8 }}{more}
  ]
}}
"#
    )
}

fn sidecar(service: &str, team: &str, on: &str) -> String {
    format!(
        "service: {service}\ndomain: arena\nteam: {team}\njournal: /var/lib/pavane/{service}\n\
         version: {{ env: VERSION }}\nreactions:\n  - {{ on: {on}, emit: DeploymentComplete, run: {{ exec: [./up] }} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_flows_on_a_real_log_is_held_against_what_is_declared_and_drawn() {
    let test = "what_flows_on_a_real_log_is_held_against_what_is_declared_and_drawn";
    let Some(services) = Services::get(test).await else { return };
    let stage = Stage::set("drift", "arena", &services).await.unwrap();
    let namespace = format!("drift.r{}.matchmaking", std::process::id());
    declare(&stage, &namespace);
    let folder = stage.path("checkout");
    let (schemas, by) = (folder.join("schemas").display().to_string(), "ana");
    stage.pavane(&["schemas", "push", "--from-here", "--by", by, &schemas]).await.unwrap();
    flow(&stage, &namespace).await;

    let topic = format!("{}.lifecycle", stage.settings().prefix);
    let (code, told) = pavane(&stage, &folder, &["schemas", "drift", "--output", "json"]).await;
    assert_eq!(code, 1, "{told}");
    assert_eq!(findings(&told), expected(&namespace), "{topic}: {told}");
    // the same log as a file holds the same
    let file = stage.path("arena.jsonl").display().to_string();
    pavane(&stage, &folder, &["replay", "--export", &file]).await;
    let (code, told) =
        pavane(&stage, &folder, &["schemas", "drift", "--file", &file, "--output", "json"]).await;
    assert_eq!((code, findings(&told)), (1, expected(&namespace)), "{told}");

    let (code, drawn) = pavane(&stage, &folder, &["graph", "--observed", "--output", "json"]).await;
    let json: Value = serde_json::from_str(&drawn).unwrap_or_else(|error| panic!("{code}: {error}: {drawn}"));
    let edges = json["sheets"][0]["edges"].as_array().unwrap();
    let undeclared = edges.iter().filter(|edge| edge["seen"]["declared"] == false).count();
    assert_eq!((undeclared, edges.len()), (2, 5), "{edges:#?}");
    let (_, shown) = pavane(&stage, &folder, &["graph", "--observed"]).await;
    assert!(shown.contains("!! moves on") && shown.contains("chat"), "{shown}");

    published_by(&stage, &folder, &namespace, by).await;
}

/// Who pushed is shown, and the page of a place without any file tells what the registry and the log know.
async fn published_by(stage: &Stage, folder: &Path, namespace: &str, by: &str) {
    let (_, listed) = pavane(stage, folder, &["schemas", "list"]).await;
    let line = listed.lines().find(|line| line.starts_with("matchmaking.Ready  ")).expect("it was pushed");
    assert!(line.contains(namespace) && line.ends_with(&format!("  by {by}, desk")), "{listed}");
    let (_, listed) = pavane(stage, folder, &["schemas", "list", "--output", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed["schemas"][0]["by"], &listed["schemas"][0]["whence"]), (&by.into(), &"desk".into()));
    let nowhere = tempfile::tempdir().unwrap();
    let (code, page) = pavane(stage, nowhere.path(), &["schemas", "docs"]).await;
    assert_eq!(code, 0, "{page}");
    let schema = format!("| schema | `{namespace}.Ready` in the registry |\n| said by | matchmaking |");
    assert!(page.contains("## matchmaking.Ready\n") && page.contains(&schema), "{page}");
}

/// Files that declare less, and more, than what flows.
fn declare(stage: &Stage, namespace: &str) {
    for (file, text) in [
        ("schemas/services/matchmaking/Ready.avsc", ready(namespace, "")),
        ("season.yaml", SEASON.to_owned()),
        ("tournament.yaml", sidecar("tournament", "competition", "matchmaking.Ready")),
        ("ladder.yaml", sidecar("ladder", "ranking", "tournament.DeploymentComplete")),
    ] {
        let path = stage.path("checkout").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Writes a log: matchmaking by its own form and by one that nobody knows, services that move on others' words.
async fn flow(stage: &Stage, namespace: &str) {
    let bus = stage.bus().await.unwrap();
    let writer = bus.writer().await.unwrap();
    let matchmaking = Service::new("matchmaking").unwrap();
    let body = br#"{"prerequisite":"pools","pools":["a"]}"#;
    let own = writer.encode_json(&matchmaking, EventType::Ready, body).await.unwrap();
    let event = said(stage.domain(), "matchmaking", "e-0", pavane_events::service::Ready::default());
    let Encoded { value, dataschema } = own;
    writer.append_encoded(&event.envelope, EventType::Ready, value, &dataschema).await.unwrap();
    say(&writer, stage, ("tournament", "e-1", Some("e-0")), DeploymentStarted::default()).await;
    say(&writer, stage, ("tournament", "e-2", Some("e-0")), DeploymentComplete::default()).await;
    say(&writer, stage, ("chat", "e-3", Some("e-0")), DeploymentComplete::default()).await;
    say(&writer, stage, ("chat", "e-4", Some("e-2")), DeploymentComplete::default()).await;
    say(&writer, stage, ("tournament", "e-5", Some("e-99")), Drained::default()).await;
    let strange = ready(
        &format!("{namespace}.later"),
        ",\n    { \"name\": \"region\", \"type\": \"string\", \"doc\": \"Where.\", \"default\": \"\" }",
    );
    let id = bus.registry().register(&format!("{namespace}.later.Ready"), &strange).await.unwrap();
    let contract = Contract::parse(&strange).unwrap();
    let Encoded { value, dataschema } = pavane_bus::wire::encode_json(&contract, id, body).unwrap();
    let event = said(stage.domain(), "matchmaking", "e-6", pavane_events::service::Ready::default());
    writer.append_encoded(&event.envelope, EventType::Ready, value, &dataschema).await.unwrap();
}

async fn say(
    writer: &Writer,
    stage: &Stage,
    (service, id, cause): (&str, &str, Option<&str>),
    body: impl Into<Body>,
) {
    let mut event = said(stage.domain(), service, id, body);
    event.envelope.causation = cause.map(|id| EventId::new(id).unwrap());
    writer.append(&event).await.unwrap();
}

/// Code and message of what must be found.
fn expected(namespace: &str) -> Vec<(String, String)> {
    let strange = Contract::parse(&ready(
        &format!("{namespace}.later"),
        ",\n    { \"name\": \"region\", \"type\": \"string\", \"doc\": \"Where.\", \"default\": \"\" }",
    ));
    let fingerprint: String = strange.unwrap().fingerprint().chars().take(12).collect();
    let mut all: Vec<(String, String)> = [
        ("PAV540", "chat.DeploymentComplete flows, and no file knows chat: seen 2 times, first at offset 3"),
        ("PAV540", "tournament.Drained flows, and no file says that tournament says it: seen 1 time, first at offset 5"),
        ("PAV542", "ladder.DeploymentComplete is declared, and was never seen in 7 records"),
        ("PAV542", "prizes.DeploymentComplete is declared, and was never seen in 7 records"),
        ("PAV543", "the field seats of matchmaking.Ready was never filled: seen 2 times, first at offset 0"),
        ("PAV544", "chat moves on matchmaking.Ready, and no choreography and no sidecar file says so: seen 1 time, first at offset 3"),
        ("PAV544", "chat moves on tournament.DeploymentComplete, and no choreography and no sidecar file says so: seen 1 time, first at offset 4"),
    ]
    .map(|(code, message)| (code.to_owned(), message.to_owned()))
    .into();
    let message = format!(
        "matchmaking.Ready is written by a schema that no file here is ({fingerprint}): seen 1 time, first at offset 6"
    );
    all.push(("PAV541".to_owned(), message));
    all.sort();
    all
}

/// Code and message of what was found, without the name of the log.
fn findings(told: &str) -> Vec<(String, String)> {
    let json: Value = serde_json::from_str(told).unwrap_or_else(|error| panic!("{error}: {told}"));
    let word = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let bare = |message: String| {
        message.split(" of /").next().unwrap().split(" of drift-").next().unwrap().to_owned()
    };
    let list = json["findings"].as_array().unwrap().iter();
    let mut all: Vec<(String, String)> =
        list.map(|one| (word(one, "code"), bare(word(one, "message")))).collect();
    all.sort();
    all
}

/// Runs `pavane` in a folder; the exit code and what it printed.
async fn pavane(stage: &Stage, folder: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Program::Pavane.command().await.unwrap();
    let output = stage.direct(&mut command).args(arguments).current_dir(folder).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let code = output.status.code().unwrap();
    assert!(code < 2, "{arguments:?}: {code}: {}", String::from_utf8_lossy(&output.stderr));
    (code, told)
}
