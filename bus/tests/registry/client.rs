//! A registry in trouble is asked again and never poisons an id; what is no registry is told as such.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use pavane_bus::registry::RegistryError;
use pavane_bus::{Registry, Settings};
use pavane_events::UnreadableReason;
use serde_json::json;

use crate::{INT, client, record, started};

/// What one request gets.
#[derive(Clone)]
struct Canned {
    status: u16,
    body: String,
}

fn canned(status: u16, body: impl Into<String>) -> Canned {
    Canned { status, body: body.into() }
}

/// A server that gives these answers in turn, and the last one for ever; it remembers what it was asked.
struct Script {
    url: String,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Script {
    async fn play(answers: impl IntoIterator<Item = Canned>) -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answers) =
            (Arc::clone(&asked), Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>())));
        let service = Router::new().fallback(async move |request: Request<Body>| {
            let asked = (format!("{} {}", request.method(), request.uri()), request.headers().clone());
            log.lock().expect("sound").push(asked);
            let mut answers = answers.lock().expect("sound");
            let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
            let Canned { status, body } = answer.expect("an answer is left");
            Response::builder().status(status).body(Body::from(body)).expect("a response")
        });
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("sound").iter().map(|(line, _)| line.clone()).collect()
    }
}

fn found() -> Canned {
    canned(200, json!({ "schema": record(INT) }).to_string())
}

#[tokio::test]
async fn a_bad_answer_is_not_kept_and_a_good_one_is_kept_for_ever() {
    for bad in [
        canned(500, json!({ "error_code": 50001, "message": "store" }).to_string()),
        canned(500, "<html>"),
        canned(429, json!({ "error_code": 42900, "message": "slow down" }).to_string()),
        canned(504, ""),
        canned(502, "<html>bad gateway</html>"),
    ] {
        let script = Script::play([bad, found(), canned(500, "")]).await;
        let registry = client(&script.url);
        let error = registry.contract(7).await.expect_err("trouble");
        assert!(matches!(error, RegistryError::Troubled { .. }) && error.is_transient(), "{error}");
        assert!(error.to_string().contains(&script.url), "{error}");
        for _ in 0..3 {
            let contract = registry.contract(7).await.expect("an answer").expect("a contract");
            assert_eq!(contract.full_name(), "test.R");
        }
        assert_eq!(script.asked().len(), 2, "{:?}", script.asked());
    }
}

#[tokio::test]
async fn many_readers_of_one_id_ask_once() {
    let script = Script::play([found()]).await;
    let registry = client(&script.url);
    let readers = (0..20).map(|_| {
        let registry = registry.clone();
        async move { registry.contract(7).await.expect("an answer").expect("a contract") }
    });
    futures::future::join_all(readers).await;
    assert_eq!(script.asked(), ["GET /schemas/ids/7?deleted=true"]);
}

#[tokio::test]
async fn an_id_that_a_lagging_registry_learns_of_is_found() {
    let unknown = canned(404, json!({ "error_code": 40403, "message": "Schema 7 not found" }).to_string());
    let script = Script::play([unknown, found()]).await;
    let contract = client(&script.url).contract(7).await.expect("an answer");
    assert!(contract.is_ok(), "the second answer knew it");
}

#[tokio::test]
async fn an_id_that_was_asked_for_twice_stays_unknown_for_a_while() {
    let unknown = canned(404, json!({ "error_code": 40403, "message": "Schema 7 not found" }).to_string());
    let script = Script::play([unknown]).await;
    let registry = client(&script.url);
    for _ in 0..2 {
        let defect = registry.contract(7).await.expect("an answer").expect_err("unknown");
        assert_eq!(defect.reason, UnreadableReason::UnknownSchema);
        assert_eq!(script.asked().len(), 2, "asked twice, then known to be unknown");
    }
}

#[tokio::test]
async fn an_address_where_something_else_answers_makes_no_record_unreadable() {
    for (status, body) in [(404, "<html>not found</html>"), (200, "<html>welcome</html>"), (301, "")] {
        let script = Script::play([canned(status, body)]).await;
        let registry = client(&script.url);
        let error = registry.contract(7).await.expect_err("no registry");
        assert!(!matches!(error, RegistryError::Refused { .. }), "{error}");
        let error = registry.id_of("test.R", &record(INT)).await.expect_err("no registry");
        assert!(error.to_string().contains("Confluent-compatible"), "{error}");
    }
}

#[tokio::test]
async fn an_id_is_believed_only_of_the_schema_that_was_asked_for() {
    let answer =
        |schema: &str| canned(200, json!({ "subject": "test.R", "id": 7, "schema": schema }).to_string());
    let spaced = record(INT).replace(':', " : ");
    let script = Script::play([answer(&record(INT)), answer(&spaced), answer(r#"{"type":"string"}"#)]).await;
    for id in [Some(7), Some(7), None] {
        let found = client(&script.url).id_of("test.R", &record(INT)).await;
        assert_eq!(found.as_ref().ok(), id.map(Some).as_ref(), "{found:?}");
        assert!(id.is_some() || matches!(found, Err(RegistryError::OtherSchema { .. })), "{found:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let script = Script::play([canned(200, "x".repeat(2 * 1024 * 1024))]).await;
    let error = client(&script.url).id_of("test.R", &record(INT)).await.expect_err("too long");
    assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address_and_is_worth_another_try() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let registry = client(&url);
    for error in [
        registry.contract(7).await.expect_err("nobody"),
        registry.id_of("test.R", "{}").await.expect_err("nobody"),
    ] {
        assert!(matches!(error, RegistryError::Unreachable { .. }) && error.is_transient(), "{error}");
        assert!(error.to_string().contains(&url) && error.to_string().contains("refused"), "{error}");
    }
}

#[tokio::test]
async fn who_we_are_goes_with_every_request() {
    type Change = fn(&mut Settings);
    let table: [(Change, &str, &str); 3] = [
        (
            |settings| settings.registry_access.token = Some("t0ken".to_owned()),
            "authorization",
            "Bearer t0ken",
        ),
        (
            |settings| {
                settings.registry_access.user = Some("reader".to_owned());
                settings.registry_access.password = Some("pass".to_owned());
            },
            "authorization",
            "Basic cmVhZGVyOnBhc3M=",
        ),
        (
            |settings| {
                settings.registry_access.headers.insert("X-Team".to_owned(), "identity".to_owned());
            },
            "x-team",
            "identity",
        ),
    ];
    for (change, header, expected) in table {
        let script =
            Script::play([canned(401, json!({ "error_code": 40101, "message": "who?" }).to_string())]).await;
        let mut settings = Settings::new("127.0.0.1:1", &script.url);
        change(&mut settings);
        let registry = Registry::new(&settings).expect("a usable address");
        for error in [
            registry.contract(7).await.expect_err("denied"),
            registry.id_of("test.R", "{}").await.expect_err("denied"),
        ] {
            assert!(matches!(error, RegistryError::Denied { status: 401, .. }), "{error}");
            assert!(!error.is_transient());
        }
        let asked = script.asked.lock().expect("sound");
        assert_eq!(asked.len(), 2);
        assert!(asked.iter().all(|(_, headers)| headers[header] == expected), "{asked:?}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_refused_before_anything_is_asked() {
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::new("127.0.0.1:1", "http://127.0.0.1:8081");
        change(&mut settings);
        Registry::new(&settings).expect_err("unusable").to_string()
    };
    assert!(
        refused(&|settings| settings.registry = "registry:8081".to_owned())
            .contains("neither http:// nor https://")
    );
    assert!(refused(&|settings| settings.registry = "nowhere".to_owned()).contains("it is no URL"));
    let with_password = refused(&|settings| settings.registry = "http://me:hunter2@registry".to_owned());
    assert!(with_password.contains("registry.user") && !with_password.contains("hunter2"), "{with_password}");
    let header = |settings: &mut Settings| {
        settings.registry_access.headers.insert("a b".to_owned(), "c".to_owned());
    };
    assert!(refused(&header).contains("the header \"a b\""));
    let no_file = refused(&|settings| settings.registry_access.ca_file = Some("/nowhere/ca.pem".into()));
    assert!(no_file.contains("/nowhere/ca.pem"), "{no_file}");
}

#[tokio::test]
async fn a_schema_that_nothing_may_be_read_by_makes_its_records_unreadable() {
    let recursive = r#"{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}"#;
    for (answer, said) in [
        (json!({ "schema": recursive }), "contains itself"),
        (json!({ "schema": "message M {}", "schemaType": "PROTOBUF" }), "it is PROTOBUF"),
        (json!({ "schema": "{" }), "parse the schema"),
        (
            json!({ "schema": record(INT), "references": [{ "name": "x", "subject": "x", "version": 1 }] }),
            "refers to other subjects",
        ),
    ] {
        let script = Script::play([canned(200, answer.to_string())]).await;
        let defect = client(&script.url).contract(7).await.expect("an answer").expect_err("not fit");
        assert_eq!(defect.reason, UnreadableReason::Incompatible);
        assert!(defect.detail.contains(said), "{}", defect.detail);
    }
}

#[tokio::test]
async fn a_registry_that_was_away_is_asked_again() {
    let (embedded, registry) = started().await;
    let id = registry.register("test.R", &record(INT)).await.expect("registered");
    embedded.set_available(false);
    assert!(registry.contract(id).await.expect_err("away").is_transient());
    embedded.set_available(true);
    assert!(registry.contract(id).await.expect("back").is_ok());
    embedded.set_available(false);
    assert!(registry.contract(id).await.expect("kept").is_ok());
}
