//! What a hook may answer.
//!
//! | answer | meaning |
//! |---|---|
//! | 2xx, exit 0 | done |
//! | 202, exit 99 | in progress: called again in 30 s |
//! | `{"status":"IN_PROGRESS","callbackDelaySeconds":5}` | in progress: called again in 5 s |
//! | `{"status":"RETRY","reason":"…"}`, 408, 425, 429, 5xx, exit 75, no answer in time | tried again, as `retry` says |
//! | `{"status":"FAILED","reason":"…"}`, any other status or exit | failed |
//! | `{"status":"DROP"}`, 404 | failed: nobody handles the event, and silence would look like a stall |
//!
//! A JSON answer counts as the body of a 2xx, or as the last line that a program writes to its standard output
//! before it exits with 0 or 99.

use pavane_events::Millis;
use pavane_sidecar_engine::HookOutcome;
use pavane_sidecar_engine::input::Failure;
use serde_json::Value;

use super::end_of;

/// When a hook that works on is called again unless it says.
const DELAY: Millis = 30_000;
/// The shortest wait that a hook can ask for.
const SHORTEST: Millis = 100;

/// The answer of a request, by its status and its body.
pub(super) fn of_response(status: u16, body: &str) -> HookOutcome {
    let failure = |reason: String| Failure { reason, exit_code: None, output: end_of(body) };
    match status {
        200..=299 => stated(body, &failure).unwrap_or(match status {
            202 => HookOutcome::InProgress { after: DELAY },
            _ => HookOutcome::Done,
        }),
        404 => HookOutcome::Failed(failure(
            "the hook answered 404: the service handles no such request".to_owned(),
        )),
        408 | 425 | 429 | 500..=599 => HookOutcome::Retry(failure(format!("the hook answered {status}"))),
        _ => HookOutcome::Failed(failure(format!("the hook answered {status}"))),
    }
}

/// The answer of a program, by its exit code and what it wrote.
pub(super) fn of_exit(code: i32, stdout: &str, output: &str) -> HookOutcome {
    let failure =
        |reason: String| Failure { reason, exit_code: Some(i64::from(code)), output: end_of(output) };
    let last = stdout.trim_end().lines().last().unwrap_or_default();
    match code {
        0 => stated(last, &failure).unwrap_or(HookOutcome::Done),
        75 => HookOutcome::Retry(failure("the hook exited with 75: try again".to_owned())),
        99 => stated(last, &failure).unwrap_or(HookOutcome::InProgress { after: DELAY }),
        _ => HookOutcome::Failed(failure(format!("the hook exited with {code}"))),
    }
}

/// The result that a hook tells by itself; none when the text is no result.
pub(super) fn of_callback(body: &str) -> Option<HookOutcome> {
    stated(body, &|reason: String| Failure { reason, exit_code: None, output: end_of(body) })
}

/// What a JSON answer states; none when the text is no such answer.
fn stated(text: &str, failure: &impl Fn(String) -> Failure) -> Option<HookOutcome> {
    let answer: Value = serde_json::from_str(text.trim()).ok()?;
    let status = answer.get("status")?.as_str()?;
    let given = answer.get("reason").and_then(Value::as_str).unwrap_or_default();
    let reason = |otherwise: &str| if given.is_empty() { otherwise.to_owned() } else { given.to_owned() };
    Some(match status {
        "SUCCESS" => HookOutcome::Done,
        "IN_PROGRESS" => {
            let seconds = answer.get("callbackDelaySeconds").and_then(Value::as_f64);
            HookOutcome::InProgress { after: seconds.map_or(DELAY, millis) }
        }
        "RETRY" => HookOutcome::Retry(failure(reason("the hook asks to be tried again"))),
        "FAILED" => HookOutcome::Failed(failure(reason("the hook says that it failed"))),
        "DROP" | "DEADLETTER" => HookOutcome::Failed(failure(reason("the hook does not handle this event"))),
        other => HookOutcome::Failed(failure(format!(
            "the hook answered the status {other:?}; it knows SUCCESS, IN_PROGRESS, RETRY, FAILED and DROP"
        ))),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to a day")]
fn millis(seconds: f64) -> Millis {
    ((seconds * 1000.0).clamp(0.0, 86_400_000.0) as Millis).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_means_what_the_table_says() {
        for (status, body, meaning) in [
            (200, "", "done"),
            (204, "", "done"),
            (200, "2.0.0", "done"),
            (200, r#"{"version":"2.0.0"}"#, "done"),
            (200, r#"{"status":"SUCCESS"}"#, "done"),
            (202, "", "again in 30000"),
            (200, r#"{"status":"IN_PROGRESS"}"#, "again in 30000"),
            (202, r#"{"status":"IN_PROGRESS","callbackDelaySeconds":1.5}"#, "again in 1500"),
            (200, r#"{"status":"IN_PROGRESS","callbackDelaySeconds":-1}"#, "again in 100"),
            (200, r#"{"status":"RETRY","reason":"warming up"}"#, "retry: warming up"),
            (503, "no", "retry: the hook answered 503"),
            (429, "", "retry: the hook answered 429"),
            (200, r#"{"status":"FAILED","reason":"no space"}"#, "failed: no space"),
            (200, r#"{"status":"DROP"}"#, "failed: the hook does not handle this event"),
            (400, "", "failed: the hook answered 400"),
            (301, "", "failed: the hook answered 301"),
            (404, "", "failed: the hook answered 404: the service handles no such request"),
        ] {
            assert_eq!(told(&of_response(status, body)), meaning, "{status} {body}");
        }
    }

    #[test]
    fn an_exit_means_what_the_table_says() {
        for (code, stdout, meaning) in [
            (0, "", "done"),
            (0, "working\n{\"status\":\"FAILED\",\"reason\":\"no\"}\n", "failed: no"),
            (99, "", "again in 30000"),
            (99, "{\"status\":\"IN_PROGRESS\",\"callbackDelaySeconds\":2}", "again in 2000"),
            (75, "", "retry: the hook exited with 75: try again"),
            (1, "{\"status\":\"SUCCESS\"}", "failed: the hook exited with 1"),
        ] {
            assert_eq!(told(&of_exit(code, stdout, "")), meaning, "{code} {stdout}");
        }
    }

    #[test]
    fn of_a_long_body_the_end_is_kept() {
        let HookOutcome::Failed(failure) = of_response(400, &format!("{}ü END", "ä".repeat(4_000))) else {
            panic!("a failure")
        };
        assert!(failure.output.len() <= 4096 && failure.output.ends_with("ü END"));
    }

    fn told(outcome: &HookOutcome) -> String {
        match outcome {
            HookOutcome::Done => "done".to_owned(),
            HookOutcome::InProgress { after } => format!("again in {after}"),
            HookOutcome::Retry(failure) => format!("retry: {}", failure.reason),
            HookOutcome::Failed(failure) => format!("failed: {}", failure.reason),
        }
    }
}
