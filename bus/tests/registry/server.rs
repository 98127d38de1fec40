//! The embedded registry takes and refuses schemas as the real ones do, in their words.

use pavane_bus::embedded;
use pavane_bus::registry::RegistryError;
use serde_json::{Value, json};

use crate::{INT, STRING, client, record, started};

#[tokio::test]
async fn it_holds_every_embedded_schema_under_its_record_s_name() {
    let registry = embedded::Registry::start().await.expect("a free port");
    let client = client(&registry.url());
    for one in pavane_schemas::ALL {
        let id = client.id_of(one.subject, one.schema).await.expect("an answer").expect("registered");
        let contract = client.contract(id).await.expect("an answer").expect("a contract");
        assert_eq!(contract.full_name(), one.subject);
    }
}

#[tokio::test]
async fn the_same_content_has_the_same_id_however_it_is_written() {
    let (_embedded, registry) = started().await;
    let id = registry.register("test.R", &record(INT)).await.expect("registered");
    let spaced = record(INT).replace(',', " ,\n ");
    assert_eq!(registry.register("test.R", &spaced).await.expect("registered"), id);
    assert_eq!(registry.register("other", &spaced).await.expect("registered"), id);
    assert_eq!(registry.id_of("test.R", &spaced).await.expect("an answer"), Some(id));
    assert_eq!(registry.versions("test.R").await.expect("an answer").len(), 1);
    assert_eq!(registry.id_of("test.R", &record(STRING)).await.expect("an answer"), None);
    assert_eq!(registry.id_of("test.S", &spaced).await.expect("an answer"), None);
}

#[tokio::test]
async fn what_old_and_new_cannot_read_of_each_other_is_refused_until_the_subject_says_none() {
    let (_embedded, registry) = started().await;
    let id = registry.register("test.R", &record(INT)).await.expect("registered");
    let check = registry.check("test.R", &record(STRING)).await.expect("an answer");
    assert!(!check.compatible && check.messages.iter().any(|message| message.contains("/a")), "{check:?}");
    let error = registry.register("test.R", &record(STRING)).await.expect_err("incompatible");
    assert!(matches!(error, RegistryError::Incompatible { .. }), "{error}");
    assert!(error.to_string().contains("/a: the writer has"), "{error}");

    assert_eq!(registry.compatibility("test.R").await.expect("an answer"), None);
    registry.set_compatibility("test.R", "NONE").await.expect("set");
    assert_eq!(registry.compatibility("test.R").await.expect("an answer").as_deref(), Some("NONE"));
    let forced = registry.register("test.R", &record(STRING)).await.expect("forced");
    assert_ne!(forced, id);
    let error = registry.set_compatibility("test.R", "SOMETIMES").await.expect_err("no such level");
    assert!(matches!(error, RegistryError::Refused { code: 42203, .. }), "{error}");
}

#[tokio::test]
async fn each_level_looks_in_its_own_directions_and_as_far_back() {
    let with = |more: &str| record(&format!(r#"{INT},{{"name":"b","type":"int"{more}}}"#));
    let (plain, bare, defaulted) = (record(INT), with(""), with(r#","default":1"#));
    // A field without default: old readers read the new, new readers cannot read the old.
    for (level, added, taken) in [
        ("BACKWARD", false, true),
        ("FORWARD", true, false),
        ("FULL", false, false),
        ("FULL_TRANSITIVE", false, false),
        ("NONE", true, true),
    ] {
        for (first, second, taken_in) in [(&plain, &bare, added), (&bare, &plain, taken)] {
            let (_embedded, registry) = started().await;
            registry.set_compatibility("test.R", level).await.expect("set");
            registry.register("test.R", first).await.expect("the first is always taken");
            assert_eq!(registry.register("test.R", second).await.is_ok(), taken_in, "{level}");
        }
    }
    // Two steps that are each fine, and not together: b loses its place, then comes back without default.
    for (level, taken_in) in [("BACKWARD", true), ("BACKWARD_TRANSITIVE", false)] {
        let (_embedded, registry) = started().await;
        registry.set_compatibility("test.R", level).await.expect("set");
        for schema in [&plain, &defaulted] {
            registry.register("test.R", schema).await.expect("compatible");
        }
        assert_eq!(registry.register("test.R", &bare).await.is_ok(), taken_in, "{level}");
    }
}

#[tokio::test]
async fn it_answers_in_the_words_of_the_protocol() {
    let (embedded, registry) = started().await;
    registry.register("test.R", &record(INT)).await.expect("registered");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let offer = |schema: &str| Some(json!({ "schema": schema }));
    let table: [(&str, &str, Option<Value>, u16, Value); 16] = [
        ("GET", "/subjects", None, 200, json!(["test.R"])),
        ("GET", "/subjects/test.R/versions", None, 200, json!([1])),
        (
            "GET",
            "/subjects/test.R/versions/latest",
            None,
            200,
            json!({"subject":"test.R","version":1,"id":1,"schema":record(INT)}),
        ),
        (
            "POST",
            "/subjects/test.R",
            offer(&record(INT)),
            200,
            json!({"subject":"test.R","version":1,"id":1,"schema":record(INT)}),
        ),
        ("POST", "/subjects/test.R/versions", offer(&record(INT)), 200, json!({"id":1})),
        ("GET", "/schemas/ids/1?deleted=true", None, 200, json!({"schema":record(INT)})),
        ("GET", "/config", None, 200, json!({"compatibilityLevel":"FULL_TRANSITIVE"})),
        (
            "GET",
            "/config/test.R?defaultToGlobal=true",
            None,
            200,
            json!({"compatibilityLevel":"FULL_TRANSITIVE"}),
        ),
        ("PUT", "/config", Some(json!({"compatibility":"FULL"})), 200, json!({"compatibility":"FULL"})),
        ("GET", "/schemas/types", None, 200, json!(["AVRO"])),
        ("GET", "/schemas/ids/9", None, 404, json!(40403)),
        ("GET", "/subjects/none/versions", None, 404, json!(40401)),
        ("GET", "/subjects/test.R/versions/9", None, 404, json!(40402)),
        ("GET", "/config/test.R", None, 404, json!(40408)),
        ("POST", "/subjects/test.R/versions", offer("{"), 422, json!(42201)),
        ("POST", "/subjects/test.R/versions", offer(&record(STRING)), 409, json!(409)),
    ];
    for (method, path, body, status, expected) in table {
        let method = method.parse().expect("a method");
        let mut request = http.request(method, format!("{}{path}", embedded.url()));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/vnd.schemaregistry.v1+json")
                .body(body.to_string());
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        let body: Value = answer.json().await.expect("JSON");
        let found = if status == 200 { &body } else { &body["error_code"] };
        assert_eq!(found, &expected, "{path}: {body}");
        assert!(status == 200 || body["message"].is_string(), "{path}: {body}");
    }
}
