//! What we send is taken by programs that know nothing of us: the reference library of Standard Webhooks, a mail server
//! that insists on encryption and a password, and receivers that take nothing but what Slack and PagerDuty document.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pavane_tests::process::Process;
use pavane_tests::program::Program;
use pavane_tests::real::python::{self, Python};
use pavane_tests::strict::Strict;
use pavane_tests::wait;
use serde_json::{Value, json};
use tempfile::TempDir;

const SCRIPT: &str = "bus/tests/stock_clients/receivers.py";
const SOON: Duration = Duration::from_mins(1);
const OLD: &str = "whsec_b2xkIHNlY3JldCBvZiB0aGUgdGVzdHMsIGdvaW5n";
const NEW: &str = "whsec_bmV3IHNlY3JldCBvZiB0aGUgdGVzdHMsIGNvbWluZw==";

/// A sentinel's file with these receivers, in a folder with secrets.
fn file(folder: &TempDir, receivers: &str) -> Result<String> {
    let path = folder.path().join("sentinel.yaml");
    let text = format!("domains: [shop]\nexternal_url: https://pavane.example\nreceivers:\n{receivers}");
    std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    Ok(path.display().to_string())
}

fn put(folder: &TempDir, name: &str, text: &str) -> Result<String> {
    let path = folder.path().join(name);
    std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    Ok(path.display().to_string())
}

/// Sends a firing and a resolved alert to a receiver, as an operator does.
async fn tried(config: &str, receiver: &str, authority: Option<&Path>) -> Result<Output> {
    let mut command = Program::Pavane.command().await?;
    command.args(["--output", "json", "alerts", "test", "--config", config, "--receiver", receiver]);
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority);
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await?;
    output.context("failed to run pavane")
}

fn taken(output: &Output) -> Result<Value> {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it ended ({}): {said}{errors}", output.status);
    serde_json::from_str(&said).with_context(|| format!("failed to read: {said}"))
}

#[tokio::test]
async fn the_reference_library_verifies_our_signature_also_while_keys_are_changed() {
    if !python::is_there("the_reference_library_verifies_our_signature_also_while_keys_are_changed") {
        return;
    }
    verifies().await.unwrap();
}

async fn verifies() -> Result<()> {
    let (strict, folder) = (Strict::start().await?, tempfile::tempdir()?);
    let both = put(&folder, "both", &format!("{NEW}\n{OLD}\n"))?;
    let one = put(&folder, "one", NEW)?;
    let receiver = |name: &str, secret: &str, format: &str| {
        let url = strict.url(&format!("/{name}"));
        format!(
            "  - name: {name}\n    webhook: {{ url: \"{url}\", secret_file: {secret}, format: {format}, allow_loopback: true }}\n"
        )
    };
    let names =
        [("both", &both, "alertmanager"), ("one", &one, "alertmanager"), ("events", &both, "cloudevents")];
    let receivers: String =
        names.iter().map(|(name, secret, format)| receiver(name, secret, format)).collect();
    let config = file(&folder, &receivers)?;
    let mut deliveries = Vec::new();
    for (name, ..) in names {
        let told = taken(&tried(&config, name, None).await?)?;
        let came = strict.came(&format!("/{name}"));
        ensure!(came.len() == 2, "{name}: {came:?}");
        for (request, told) in came.iter().zip(told["notifications"].as_array().into_iter().flatten()) {
            let headers: serde_json::Map<_, _> =
                request.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            ensure!(headers["webhook-id"] == told["id"], "{headers:?} is not {told}");
            let secrets = if name == "one" { vec![NEW] } else { vec![NEW, OLD] };
            for secret in secrets {
                let body = STANDARD.encode(&request.body);
                deliveries.push(json!({ "secret": secret, "headers": headers, "body": body }));
            }
        }
    }
    let path = put(&folder, "deliveries.json", &serde_json::to_string(&deliveries)?)?;
    let output = Python::get()?.run(SCRIPT, &["verify", &path])?;
    let said = taken(&output)?;
    ensure!(said["verified"] == 10 && said["wrong"] == json!([]), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_mail_server_that_insists_on_encryption_and_a_password_takes_our_letters() {
    if !python::is_there("a_mail_server_that_insists_on_encryption_and_a_password_takes_our_letters") {
        return;
    }
    writes_letters().await.unwrap();
}

async fn writes_letters() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = folder.path().display().to_string();
    let login = ["--user", "pavane", "--password", "correct horse"];
    let arguments = [&["smtp", "--folder", &place][..], &login].concat();
    let (_server, port) = served("smtp", &arguments, &folder).await?;
    let good = put(&folder, "password", "correct horse")?;
    let bad = put(&folder, "wrong", "battery staple")?;
    let receiver = |name: &str, host: &str, password: &str| {
        format!(
            "  - name: {name}\n    email: {{ host: {host}, port: {}, from: \"Pavane <pavane@example.org>\", \
             to: [anna@example.org, \"Ben <ben@example.org>\"], user: pavane, password_file: {password}, allow_loopback: true }}\n",
            port["port"]
        )
    };
    let config = receiver("readers", "localhost", &good)
        + &receiver("stranger", "localhost", &bad)
        + &receiver("other-name", "127.0.0.1", &good);
    let (config, authority) = (file(&folder, &config)?, folder.path().join("ca.pem"));
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let first = tried(&config, "readers", Some(&authority)).await?;
    ensure!(first.status.code() == Some(1) && said(&first).contains("451"), "come again: {}", said(&first));
    taken(&tried(&config, "readers", Some(&authority)).await?)?;
    for (name, authority) in [
        ("stranger", Some(authority.as_path())),
        ("other-name", Some(authority.as_path())),
        // nobody vouches for the server
        ("readers", None),
    ] {
        let refused = tried(&config, name, authority).await?;
        ensure!(refused.status.code() == Some(1), "{name} with {authority:?}: {}", said(&refused));
    }
    let letters = std::fs::read_to_string(folder.path().join("letters.jsonl"))?;
    let letters: Vec<Value> = letters.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(letters.len() == 3, "the resolved one of the first time, and two of the second: {letters:#?}");
    for letter in &letters {
        ensure!(letter["encrypted"] == true && letter["authenticated"] == true, "{letter:#}");
        ensure!(letter["to"] == json!(["anna@example.org", "ben@example.org"]), "{letter:#}");
        let id = letter["headers"]["message-id"].as_str().unwrap_or_default();
        ensure!(id.starts_with("<n-") && id.ends_with("@pavane>"), "{letter:#}");
        ensure!(
            letter["text"].as_str().is_some_and(|text| text.contains("It ends by itself.")),
            "{letter:#}"
        );
    }
    let subject = |n: usize| letters[n]["headers"]["subject"].as_str().unwrap_or_default().to_owned();
    ensure!(subject(1).starts_with("[FIRING]") && subject(2).starts_with("[RESOLVED]"), "{letters:#?}");
    Ok(())
}

#[tokio::test]
async fn who_cannot_prove_who_it_is_gets_nothing() {
    if !python::is_there("who_cannot_prove_who_it_is_gets_nothing") {
        return;
    }
    proves().await.unwrap();
}

async fn proves() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = folder.path().display().to_string();
    let (_server, ports) = served("https", &["https", "--folder", &place], &folder).await?;
    let secret = put(&folder, "secret", NEW)?;
    let receiver = |name: &str| {
        let port = &ports[name];
        format!(
            "  - name: {name}\n    webhook: {{ url: \"https://localhost:{port}/in\", secret_file: {secret}, allow_loopback: true }}\n"
        )
    };
    let names = ["good", "other-name", "expired", "stranger"];
    let config = file(&folder, &names.map(receiver).concat())?;
    let authority = folder.path().join("ca.pem");
    taken(&tried(&config, "good", Some(&authority)).await?)?;
    for (name, authority) in [
        ("other-name", Some(authority.as_path())),
        ("expired", Some(authority.as_path())),
        ("stranger", Some(authority.as_path())),
        // nobody vouches for it
        ("good", None),
    ] {
        let refused = tried(&config, name, authority).await?;
        let said = String::from_utf8_lossy(&refused.stdout).into_owned();
        ensure!(refused.status.code() == Some(1) && said.contains("certificate"), "{name}: {said}");
    }
    let taken = std::fs::read_to_string(folder.path().join("taken.jsonl"))?;
    ensure!(taken.lines().count() == 2, "only the good one took anything: {taken}");
    Ok(())
}

/// A server of the script, and what it says once it listens.
async fn served(mode: &str, arguments: &[&str], folder: &TempDir) -> Result<(Process, Value)> {
    let python = tokio::task::spawn_blocking(Python::get).await??;
    let mut server = python.start(mode, SCRIPT, arguments, folder.path())?;
    let listening = folder.path().join(format!("{mode}.json"));
    let said = wait::until("the server to listen", SOON, async || match server.must_run() {
        Ok(()) => std::fs::read(&listening).ok().map(Ok),
        Err(ended) => Some(Err(ended)),
    });
    let said = serde_json::from_slice(&said.await??)?;
    Ok((server, said))
}

#[tokio::test]
async fn slack_and_pagerduty_get_what_their_documents_say() {
    channels().await.unwrap();
}

async fn channels() -> Result<()> {
    let (strict, folder) = (Strict::start().await?, tempfile::tempdir()?);
    let url = put(&folder, "slack", &strict.url("/slack"))?;
    let key = put(&folder, "key", &"k1".repeat(16))?;
    let own = put(&folder, "own", &"k2".repeat(16))?;
    let pager = |name: &str, more: &str| {
        let url = strict.url("/v2/enqueue");
        format!(
            "  - name: {name}\n    pagerduty: {{ routing_key_file: {key}, url: \"{url}\", allow_loopback: true{more} }}\n"
        )
    };
    let config = format!("  - name: channel\n    slack: {{ url_file: {url}, allow_loopback: true }}\n");
    let changes = [("same", ", changes: true".to_owned()), ("own", format!(", changes_key_file: {own}"))];
    let changes: String = changes.iter().map(|(name, more)| pager(name, more)).collect();
    let config = file(&folder, &(config + &pager("pager", "") + &changes))?;
    for (name, path) in [("channel", "/slack"), ("pager", "/v2/enqueue")] {
        taken(&tried(&config, name, None).await?)?;
        let came = strict.came(path);
        let refused: Vec<_> = came.iter().filter_map(|request| request.refused.clone()).collect();
        ensure!(came.len() == 2 && refused.is_empty(), "{name}: {refused:?}");
    }
    let events: Vec<Value> =
        strict.came("/v2/enqueue").iter().map(pavane_tests::strict::Request::json).collect::<Result<_>>()?;
    ensure!(events[0]["event_action"] == "trigger" && events[1]["event_action"] == "resolve", "{events:#?}");
    ensure!(
        events[0]["dedup_key"] == events[1]["dedup_key"],
        "closed under the key that opened it: {events:#?}"
    );
    ensure!(strict.came("/v2/change/enqueue").is_empty(), "who does not ask for changes is told of none");
    for name in ["same", "own"] {
        let told = taken(&tried(&config, name, None).await?)?;
        ensure!(told["notifications"][2]["status"] == "changed", "{name}: {told}");
    }
    let changes = strict.came("/v2/change/enqueue");
    let refused: Vec<_> = changes.iter().filter_map(|request| request.refused.clone()).collect();
    ensure!(changes.len() == 2 && refused.is_empty(), "{refused:?}");
    for (change, key) in changes.iter().zip(["k1", "k2"]) {
        let change = change.json()?;
        ensure!(change["routing_key"] == key.repeat(16), "each to its integration: {change:#}");
        ensure!(change["payload"]["source"] == "shop", "{change:#}");
    }
    Ok(())
}
