//! `pavane schemas check --registry` against a real registry: every version counts, not the newest alone.

use std::path::Path;

use pavane_tests::program::Program;
use pavane_tests::real;
use serde_json::{Value, json};

const MEDIA: &str = "application/vnd.schemaregistry.v1+json";
const FILE: &str = "schemas/services/matchmaking/Ready.avsc";

/// Matchmaking's form of `Ready` with these further fields.
fn ready(namespace: &str, more: &str) -> String {
    format!(
        "{{\n  \"type\": \"record\", \"name\": \"Ready\", \"namespace\": \"{namespace}\", \"doc\": \"A pool is open.\",\n  \
         \"fields\": [\n    {{ \"name\": \"prerequisite\", \"type\": \"string\", \"doc\": \"What is ready.\", \"default\": \"\" }},\n    \
         {{ \"name\": \"detail\", \"type\": \"string\", \"doc\": \"More.\", \"default\": \"\" }}{more}\n  ]\n}}\n"
    )
}

fn seats(kind: &str) -> String {
    format!(",\n    {{ \"name\": \"seats\", \"type\": \"{kind}\", \"doc\": \"How many.\", \"default\": 0 }}")
}

#[tokio::test]
async fn every_version_in_a_real_registry_counts_and_the_findings_are_those_of_a_check() {
    let test = "every_version_in_a_real_registry_counts_and_the_findings_are_those_of_a_check";
    let Some(registry) = real::registry(test).await else { return };
    let namespace = format!("checked.r{}", std::process::id());
    let versions = [seats("int"), String::new(), seats("int")].map(|more| ready(&namespace, &more));
    register(&registry, &format!("{namespace}.Ready"), &versions[..2]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();

    std::fs::write(&path, &versions[2]).unwrap();
    let (code, json) = check(folder.path(), &registry, &[]).await;
    assert_eq!((code, json["findings"].as_array().unwrap().len()), (0, 0), "{json}");

    // It fits the newest version, which has no such field, and not the first.
    std::fs::write(&path, ready(&namespace, &seats("string").replace("0 }", "\"\" }"))).unwrap();
    let (code, json) = check(folder.path(), &registry, &[]).await;
    let told = json["findings"].as_array().unwrap();
    assert_eq!(code, 1, "{json}");
    let message = told[0]["message"].as_str().unwrap();
    assert!(message.contains("/seats") && message.ends_with("against version 1 in the registry"), "{json}");
    let fields: Vec<&String> = told[0].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "severity", "file", "line", "column", "message", "help"]);
    assert_eq!(
        (&told[0]["file"], &told[0]["line"], &json["summary"]["errors"]),
        (&FILE.into(), &6.into(), &told.len().into())
    );
    let (code, json) = check(folder.path(), &registry, &["--mode", "full"]).await;
    assert_eq!((code, json["findings"].as_array().unwrap().len()), (0, 0), "the newest alone: {json}");
}

/// Registers versions one after the other.
async fn register(registry: &str, subject: &str, versions: &[String]) {
    let client = reqwest::Client::new();
    for text in versions {
        let body = json!({ "schema": text }).to_string();
        let request =
            client.post(format!("{registry}/subjects/{subject}/versions")).header("content-type", MEDIA);
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());
    }
}

async fn check(folder: &Path, registry: &str, more: &[&str]) -> (i32, Value) {
    let mut command = Program::Pavane.command().await.unwrap();
    let line = ["schemas", "check", "--output", "json", "--registry", registry];
    let output = command.args(line).args(more).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let json =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {:?}", output.stderr));
    (output.status.code().unwrap(), json)
}
