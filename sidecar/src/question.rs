//! Asks the service: which version it runs, whether it is well.

use std::time::Duration;

use pavane_bus::http::spoken;
use pavane_events::Version;
use reqwest::Client;
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{Command, Question};
use crate::hook::{causes, text};
use crate::program::{self, End};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks which version runs: the answer is the version as text, or JSON with a field `version`.
pub(crate) async fn version(client: &Client, question: &Question) -> Result<Version, String> {
    let answer = ask(client, question).await?;
    let answer = answer.trim();
    let json: Option<Value> = serde_json::from_str(answer).ok();
    let field = json.as_ref().and_then(|json| json.get("version")?.as_str());
    let quoted = json.as_ref().and_then(Value::as_str);
    let version = field.or(quoted).unwrap_or_else(|| answer.lines().next().unwrap_or_default());
    Version::new(version.trim()).map_err(|error| error.to_string())
}

/// Asks whether the service is well; the error says what is wrong.
pub(crate) async fn well(client: &Client, question: &Question) -> Result<(), String> {
    ask(client, question).await.map(drop)
}

async fn ask(client: &Client, question: &Question) -> Result<String, String> {
    match question {
        Question::Http(url) => match timeout(PATIENCE, get(client, url)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("GET {}: no answer within {} s", spoken(url), PATIENCE.as_secs())),
        },
        Question::Exec(command) => written(command, PATIENCE).await,
        Question::File(path) => {
            tokio::fs::read_to_string(path).await.map_err(|error| format!("{}: {error}", path.display()))
        }
        Question::Env(name) => std::env::var(name).map_err(|error| format!("${name}: {error}")),
    }
}

/// What a program writes before it ends well; the error says how it ended.
pub(crate) async fn written(command: &Command, limit: Duration) -> Result<String, String> {
    let name = command.argv.first().map_or("", String::as_str);
    let none: [(&str, &str); 0] = [];
    let finished = program::run(command, none, None, limit, &CancellationToken::new()).await;
    match finished.end {
        End::Exited(exit) if exit.is_success() => Ok(finished.stdout),
        End::Exited(exit) => Err(format!("{name} {exit}")),
        End::NotStarted(error) => Err(format!("{name} could not be started: {error}")),
        End::TimedOut | End::CutOff => Err(format!("{name} had not ended after {} ms", limit.as_millis())),
    }
}

/// The body of a page that answers with success; the error says what it answered.
pub(crate) async fn get(client: &Client, url: &str) -> Result<String, String> {
    let told = spoken(url);
    let said = |error: reqwest::Error| format!("GET {told}: {}", causes(&error.without_url()));
    let response = client.get(url).send().await.map_err(said)?;
    let status = response.status();
    let body = text(response).await.map_err(said)?;
    if status.is_success() {
        return Ok(body);
    }
    let first = body.lines().next().unwrap_or_default();
    let first: String = first.chars().take(200).collect();
    Err(format!("GET {told} answered {}: {first}", status.as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_version_is_read_from_text_and_from_json() {
        for (answer, read) in [
            ("2.0.0\n", Ok("2.0.0")),
            (r#"{"version":"2.1.0","commit":"abc"}"#, Ok("2.1.0")),
            (r#""2.2.0""#, Ok("2.2.0")),
            ("v2\nsecond line", Ok("v2")),
            ("", Err(())),
            ("{{7*7}}", Err(())),
        ] {
            let argv = vec!["printf".into(), "%s".into(), answer.into()];
            let question = Question::Exec(Command { argv, env: [].into() });
            let found = version(&Client::new(), &question).await;
            assert_eq!(found.as_ref().map(Version::as_str).map_err(|_| ()), read, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("version");
        let error = version(&Client::new(), &Question::File(missing.clone())).await.unwrap_err();
        assert!(error.contains(&missing.display().to_string()), "{error}");
        let failing = Command { argv: vec!["false".into()], env: [].into() };
        let error = well(&Client::new(), &Question::Exec(failing)).await.unwrap_err();
        assert_eq!(error, "false exited with 1");
        let error =
            well(&Client::new(), &Question::Http("http://127.0.0.1:1/readyz".into())).await.unwrap_err();
        assert!(error.starts_with("GET http://127.0.0.1:1/readyz: "), "{error}");
    }
}
