//! What the registry does by itself, which the project relies on or works around.

use pavane_tests::real;
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
