//! The embedded registry beside a real one: the same calls in the same order, and what each answers. Where they differ,
//! what Confluent documents decides, and the reason stands here and in `docs/contracts.md`.

use std::collections::BTreeMap;

use pavane_tests::real;
use serde_json::{Value, json};

const MEDIA: &str = "application/vnd.schemaregistry.v1+json";

/// A call, and why the two may answer it differently.
struct Call {
    line: &'static str,
    body: Value,
    differs: Option<&'static str>,
}

/// What was answered: the status, the code of an error, and what matters of the body.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    said: Value,
}

#[tokio::test]
async fn the_embedded_registry_answers_as_a_real_one_or_as_is_documented() {
    let test = "the_embedded_registry_answers_as_a_real_one_or_as_is_documented";
    let Some(apicurio) = real::registry(test).await else { return };
    let embedded = pavane_bus::embedded::Registry::start_empty().await.expect("a port");
    let run = format!("calls.r{}", std::process::id());
    let mut wrong = Vec::new();
    let (mut ours, mut theirs) = (Asker::new(&embedded.url(), &run), Asker::new(&apicurio, &run));
    let calls = calls();
    assert!(calls.len() >= 60, "{}", calls.len());
    for call in &calls {
        let (built_in, real) = (ours.ask(call).await, theirs.ask(call).await);
        let told = format!("{}\n  embedded {built_in:?}\n  real     {real:?}", call.line);
        match (built_in == real, call.differs) {
            (true, None) | (false, Some(_)) => {}
            (false, None) => wrong.push(format!("no reason is given: {told}")),
            (true, Some(why)) => wrong.push(format!("they agree by now ({why}): {told}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} calls:\n{}", wrong.len(), calls.len(), wrong.join("\n"));
}

/// One of the two registries, and the ids that it has given, in their order.
struct Asker {
    client: reqwest::Client,
    base: String,
    run: String,
    ids: Vec<i64>,
}

impl Asker {
    fn new(base: &str, run: &str) -> Self {
        Self { client: reqwest::Client::new(), base: base.to_owned(), run: run.to_owned(), ids: Vec::new() }
    }

    async fn ask(&mut self, call: &Call) -> Answer {
        let (method, path) = call.line.split_once(' ').expect("METHOD path");
        let mut path = path.replace("{s}", &self.run);
        for (at, id) in self.ids.iter().enumerate() {
            path = path.replace(&format!("{{id{at}}}"), &id.to_string());
        }
        let method = method.parse().expect("a method");
        let mut request =
            self.client.request(method, format!("{}{path}", self.base)).header("content-type", MEDIA);
        if !call.body.is_null() {
            request = request.body(call.body.to_string().replace("{s}", &self.run));
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a text");
        let said = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, said: self.plain(&said) }
    }

    /// What matters of a body: ids by the order in which they were given, schemas as JSON, of an error its code.
    fn plain(&mut self, said: &Value) -> Value {
        match said {
            Value::Object(parts) if parts.contains_key("error_code") => {
                json!({ "error_code": parts["error_code"] })
            }
            Value::Object(parts) => {
                let mut kept = BTreeMap::new();
                for name in [
                    "subject",
                    "version",
                    "is_compatible",
                    "compatibility",
                    "compatibilityLevel",
                    "references",
                ] {
                    if let Some(value) = parts.get(name).filter(|value| **value != json!([])) {
                        kept.insert(name, value.clone());
                    }
                }
                if let Some(id) = parts.get("id").and_then(Value::as_i64) {
                    let known = self.ids.iter().position(|known| *known == id);
                    let place = known.unwrap_or_else(|| {
                        self.ids.push(id);
                        self.ids.len() - 1
                    });
                    kept.insert("id", place.into());
                }
                if let Some(schema) = parts.get("schema").and_then(Value::as_str) {
                    kept.insert("schema", serde_json::from_str(schema).unwrap_or_else(|_| schema.into()));
                }
                json!(kept)
            }
            Value::Array(items) => items.iter().map(|one| self.plain(one)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => said.clone(),
        }
    }
}

fn record(name: &str, fields: &str) -> Value {
    let schema = format!(r#"{{"type":"record","name":"{name}","namespace":"{{s}}","fields":[{fields}]}}"#);
    json!({ "schema": schema, "schemaType": "AVRO" })
}

const A: &str = r#"{"name":"a","type":"string","default":""}"#;
const AB: &str = r#"{"name":"a","type":"string","default":""},{"name":"b","type":"int","default":0}"#;
const AC: &str = r#"{"name":"a","type":"string","default":""},{"name":"c","type":"int"}"#;
const BROKEN: &str = r#"{"name":"a","type":"strnig"}"#;

/// Confluent documents it so; Apicurio answers otherwise.
const UNSET: &str = "a subject without a level of its own is 40408";
const NO_NUMBER: &str = "what is no version's number is 42202";
const NOBODY: &str =
    "a version of a subject that is not there is 40401; all versions of one are none to be held against";
const PREFIX: &str = "subjectPrefix is heeded";
const DELETED: &str = "a subject that was deleted is 40401 to who asks by content";
const NOT_YET: &str = "what was not deleted first is 404 to who deletes it for good";

/// Why a call is answered otherwise wherever it is made.
fn always(line: &str) -> Option<&'static str> {
    match line {
        "GET /subjects/{s}.A/versions/0" | "GET /subjects/{s}.A/versions/two" => Some(NO_NUMBER),
        _ if line.contains("{s}.None/") => Some(NOBODY),
        _ if line.contains("subjectPrefix") => Some(PREFIX),
        "POST /subjects/{s}.B" => Some(DELETED),
        "DELETE /subjects/{s}.B?permanent=true" => Some(NOT_YET),
        _ => None,
    }
}

#[expect(clippy::too_many_lines, reason = "it is a list")]
fn calls() -> Vec<Call> {
    let mut all = Vec::new();
    let mut call = |line: &'static str, body: Value, differs: Option<&'static str>| {
        all.push(Call { line, body, differs: differs.or_else(|| always(line)) });
    };
    let none = Value::Null;
    // what is not there
    call("GET /subjects/{s}.A/versions", none.clone(), None);
    call("GET /subjects/{s}.A/versions/1", none.clone(), None);
    call("GET /subjects/{s}.A/versions/latest", none.clone(), None);
    call("POST /subjects/{s}.A", record("A", A), None);
    call("GET /schemas/ids/999999999", none.clone(), None);
    call("GET /config/{s}.A", none.clone(), Some(UNSET));
    call("DELETE /subjects/{s}.A", none.clone(), None);
    call("DELETE /subjects/{s}.A/versions/1", none.clone(), None);
    // levels
    for level in [
        "NONE",
        "BACKWARD",
        "BACKWARD_TRANSITIVE",
        "FORWARD",
        "FORWARD_TRANSITIVE",
        "FULL",
        "FULL_TRANSITIVE",
    ] {
        call("PUT /config/{s}.A", json!({ "compatibility": level }), None);
        call("GET /config/{s}.A", none.clone(), None);
    }
    call("PUT /config/{s}.A", json!({ "compatibility": "SIDEWAYS" }), None);
    call("GET /config/{s}.A?defaultToGlobal=true", none.clone(), None);
    // versions
    call("POST /subjects/{s}.A/versions", record("A", A), None);
    call("POST /subjects/{s}.A/versions", record("A", A), None);
    call("POST /subjects/{s}.A/versions?normalize=true", record("A", A), None);
    call("POST /subjects/{s}.A/versions", record("A", AB), None);
    call("POST /subjects/{s}.A/versions", record("A", AC), None);
    call("POST /subjects/{s}.A/versions", record("A", BROKEN), None);
    call("POST /subjects/{s}.A/versions", json!({ "schema": "{" }), None);
    call("GET /subjects/{s}.A/versions", none.clone(), None);
    for line in [
        "GET /subjects/{s}.A/versions/1",
        "GET /subjects/{s}.A/versions/2",
        "GET /subjects/{s}.A/versions/latest",
        "GET /subjects/{s}.A/versions/-1",
        "GET /subjects/{s}.A/versions/9",
        "GET /subjects/{s}.A/versions/0",
        "GET /subjects/{s}.A/versions/two",
        "GET /subjects/{s}.A/versions/1/schema",
        "GET /schemas/ids/{id0}",
        "GET /schemas/ids/{id1}/schema",
        "GET /schemas/ids/{id0}/subjects",
        "GET /schemas/ids/{id0}/versions",
    ] {
        call(line, none.clone(), None);
    }
    // by content
    call("POST /subjects/{s}.A", record("A", A), None);
    call("POST /subjects/{s}.A?normalize=true", record("A", AB), None);
    call("POST /subjects/{s}.A", record("A", AC), None);
    call("POST /subjects/{s}.B/versions", record("A", A), None);
    call("GET /schemas/ids/{id0}/versions", none.clone(), None);
    // would it be taken
    for line in [
        "POST /compatibility/subjects/{s}.A/versions/latest",
        "POST /compatibility/subjects/{s}.A/versions/1",
        "POST /compatibility/subjects/{s}.A/versions",
        "POST /compatibility/subjects/{s}.A/versions/9",
        "POST /compatibility/subjects/{s}.None/versions/latest",
        "POST /compatibility/subjects/{s}.None/versions",
    ] {
        call(line, record("A", AB), None);
        call(line, record("A", AC), None);
    }
    call("POST /compatibility/subjects/{s}.A/versions/latest", record("A", BROKEN), None);
    // references
    let uses = |version: i64| {
        let mut body = record(
            "U",
            r#"{"name":"one","type":"{s}.A"},{"name":"two","type":["null","{s}.A"],"default":null}"#,
        );
        body["references"] = json!([{ "name": "{s}.A", "subject": "{s}.A", "version": version }]);
        body
    };
    call("POST /subjects/{s}.U/versions", uses(1), None);
    call("POST /subjects/{s}.U", uses(1), None);
    call("GET /subjects/{s}.U/versions/1", none.clone(), None);
    call("POST /subjects/{s}.U/versions", uses(9), None);
    call("POST /subjects/{s}.U/versions", record("U", r#"{"name":"one","type":"{s}.A"}"#), None);
    // deleted, first so that it can be seen
    call("DELETE /subjects/{s}.B", none.clone(), None);
    for line in [
        "GET /subjects/{s}.B/versions",
        "GET /subjects/{s}.B/versions?deleted=true",
        "GET /subjects?subjectPrefix={s}.B",
        "GET /subjects?subjectPrefix={s}.B&deleted=true",
        "GET /schemas/ids/{id0}",
        "DELETE /subjects/{s}.B",
    ] {
        call(line, none.clone(), None);
    }
    call("POST /subjects/{s}.B", record("A", A), None);
    call("POST /subjects/{s}.B/versions", record("A", A), None);
    call("GET /subjects/{s}.B/versions", none.clone(), None);
    call("DELETE /subjects/{s}.B?permanent=true", none.clone(), None);
    call("DELETE /subjects/{s}.B/versions/9", none.clone(), None);
    call("DELETE /subjects/{s}.A/versions/2?permanent=true", none.clone(), Some(NOT_YET));
    call("DELETE /subjects/{s}.A/versions/2", none.clone(), None);
    call("GET /subjects/{s}.A/versions", none.clone(), None);
    call("GET /subjects/{s}.A/versions/latest", none.clone(), None);
    call("DELETE /subjects/{s}.A/versions/2?permanent=true", none.clone(), None);
    call("DELETE /config/{s}.A", none.clone(), None);
    call("GET /config/{s}.A", none, Some(UNSET));
    all
}
