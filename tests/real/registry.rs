//! What the registry does by itself, which the project relies on or works around.

use pavane_tests::real::{self, Services};
use pavane_tests::stage::liar::Liar;
use pavane_tests::stage::{Stage, script};
use serde_json::{Value, json};

const MEDIA: &str = "application/vnd.schemaregistry.v1+json";

async fn send(request: reqwest::RequestBuilder, body: Value) -> (u16, Value) {
    let answer = request.header("content-type", MEDIA).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn schema(name: &str, field: &str) -> Value {
    let record = json!({
        "type": "record", "name": name, "namespace": "io.pavane.test",
        "fields": [{ "name": "x", "type": field }],
    });
    json!({ "schema": record.to_string() })
}

#[tokio::test]
async fn the_registry_enforces_compatibility_only_after_it_was_told_to() {
    let Some(base) = real::registry("the_registry_enforces_compatibility_only_after_it_was_told_to").await
    else {
        return;
    };
    let client = reqwest::Client::new();
    let versions = format!("{base}/subjects/io.pavane.test.Enforced/versions");
    let (code, _) = send(client.post(&versions), schema("Enforced", "string")).await;
    assert_eq!(code, 200);
    // this is why `pavane schemas push` sets the compatibility before it registers
    let (code, _) = send(client.post(&versions), schema("Enforced", "int")).await;
    assert_eq!(code, 200, "without a rule the registry takes anything; if that changed, so may push");

    let guarded = "io.pavane.test.Guarded";
    let versions = format!("{base}/subjects/{guarded}/versions");
    let rule = json!({ "compatibility": "FULL_TRANSITIVE" });
    let (code, _) = send(client.put(format!("{base}/config/{guarded}")), rule).await;
    assert_eq!(code, 200);
    let (code, _) = send(client.post(&versions), schema("Guarded", "string")).await;
    assert_eq!(code, 200);
    let (code, refusal) = send(client.post(&versions), schema("Guarded", "int")).await;
    assert_eq!(code, 409, "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_sets_the_level_before_it_registers_anything_and_a_dry_run_changes_nothing() {
    let test = "a_push_sets_the_level_before_it_registers_anything_and_a_dry_run_changes_nothing";
    let Some(services) = Services::get(test).await else { return };
    let liar = Liar::before(&services.registry).await.unwrap();
    let stage = Stage::set("push", "shop", &Services { registry: liar.url(), ..services }).await.unwrap();
    let subject = format!("push.r{}.matchmaking.Ready", std::process::id());
    let schema = std::fs::read_to_string(script::path("schemas/services/matchmaking/Ready.avsc")).unwrap();
    let schema = schema.replace("io.pavane.arena.matchmaking", subject.trim_end_matches(".Ready"));
    let folder = stage.path("schemas/services/matchmaking");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("Ready.avsc"), schema).unwrap();
    let schemas = stage.path("schemas").display().to_string();
    let changes = |from: usize| -> Vec<String> {
        let changes = |one: &String| {
            one.starts_with("PUT ") || one.starts_with("DELETE ") || one.ends_with("/versions")
        };
        liar.asked().into_iter().skip(from).filter(|one| changes(one) && !one.starts_with("GET ")).collect()
    };

    let from = liar.asked().len();
    let told = stage.pavane(&["schemas", "push", "--dry-run", &schemas]).await.unwrap();
    let own = |told: &Value| {
        told["schemas"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["subject"] == subject.as_str())
            .cloned()
            .unwrap()
    };
    assert_eq!(own(&told)["outcome"], "would_register", "{told}");
    let compatibility = format!("POST /compatibility/subjects/{subject}/versions");
    assert_eq!(
        changes(from).into_iter().filter(|one| *one != compatibility).collect::<Vec<_>>(),
        Vec::<String>::new()
    );

    let from = liar.asked().len();
    let told = stage.pavane(&["schemas", "push", "--from-here", "--by", "ana", &schemas]).await.unwrap();
    assert_eq!(
        (&own(&told)["outcome"], &told["by"], &told["whence"]),
        (&"registered".into(), &"ana".into(), &"desk".into())
    );
    assert_eq!(
        changes(from),
        [format!("PUT /config/{subject}"), format!("POST /subjects/{subject}/versions")]
    );
}
