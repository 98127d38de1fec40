//! The demo, as a program sees it: one object on standard output, and the story as it is told.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[test]
fn the_story_comes_out_as_told_in_under_a_minute() {
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_pavane"))
        .args(["demo", "--headless", "--output", "json"])
        .output()
        .expect("the program runs");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(begun.elapsed() < Duration::from_mins(1), "it took {:?}", begun.elapsed());
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    let report: Value = serde_json::from_str(&stdout).expect("one JSON object");
    assert_eq!(keys(&report), ["acts", "seconds"]);
    let acts = report["acts"].as_array().expect("a list");
    let outcomes: Vec<&Value> = acts.iter().map(|act| &act["outcome"]).collect();
    assert_eq!(outcomes, ["completed", "stalled", "rolled_back"]);
    for act in acts {
        assert_eq!(keys(act), ["name", "rollout", "outcome", "verdicts", "alerts", "fault_to_alert_ms"]);
        for verdict in act["verdicts"].as_array().expect("a list") {
            assert_eq!(keys(verdict), ["kind", "step", "cause", "service", "owner", "offset"]);
        }
    }
    goes_through(&acts[0]);
    breaks_a_contract(&acts[1]);
    hangs(&acts[2]);
}

fn goes_through(act: &Value) {
    assert_eq!(verdicts(act), [json!(["RolloutCompleted", null, null, null])]);
    assert_eq!((&act["alerts"], &act["fault_to_alert_ms"]), (&json!([]), &Value::Null));
}

fn breaks_a_contract(act: &Value) {
    assert_eq!(verdicts(act), [json!(["RolloutStalled", "ratings", "contract_broken", "matchmaking"])]);
    let alert = &act["alerts"][0];
    assert_eq!((&alert["alertname"], &alert["status"]), (&json!("RolloutStalled"), &json!("firing")));
    assert_eq!((&alert["service"], &alert["owner"]), (&json!("matchmaking"), &json!("play")));
    let ms = act["fault_to_alert_ms"].as_u64().expect("a time");
    assert!(ms < 5_000, "the alert took {ms} ms, and the window is ten minutes");
}

fn hangs(act: &Value) {
    let told = [
        json!(["RolloutStalled", "matchmaking", "not_finished", "matchmaking"]),
        json!(["RollbackRequested", "matchmaking", "not_finished", "matchmaking"]),
        json!(["RolloutRolledBack", null, null, null]),
    ];
    assert_eq!(verdicts(act), told);
    assert_eq!(act["alerts"][0]["cause"], "not_finished");
    let ms = act["fault_to_alert_ms"].as_u64().expect("a time");
    assert!((3_000..15_000).contains(&ms), "the alert took {ms} ms, and the window is five seconds");
}

fn verdicts(act: &Value) -> Vec<Value> {
    let verdicts = act["verdicts"].as_array().expect("a list").iter();
    verdicts.map(|one| json!([one["kind"], one["step"], one["cause"], one["service"]])).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}
