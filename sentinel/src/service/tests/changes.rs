//! What changed is told once to whoever wants it, and to nobody as an alert.

use super::*;

/// A file whose only receiver is PagerDuty, here.
fn config(stage: &Stage, replica: &str, key: &tempfile::NamedTempFile) -> Config {
    let text = format!(
        "domains: [shop]\nhttp: 127.0.0.1:0\nreplica: {replica}\nexternal_url: https://pavane.example\nreceivers:\n\
         - name: pager\n  pagerduty: {{ routing_key_file: {}, url: \"{}/enqueue\", changes: true, allow_loopback: true }}\n",
        key.path().display(),
        stage.webhook,
    );
    Config::from_yaml(&text, "sentinel.yaml").expect("a good file")
}

/// The changes that arrived: what changed, and in a sentence.
fn changes(inbox: &Inbox) -> Vec<(String, String)> {
    let inbox = inbox.lock().expect("no panic");
    let read = |(_, body): &(HeaderMap, Bytes)| {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert!(body.get("event_action").is_none(), "no incident: {body:#}");
        (text(&body["payload"]["custom_details"]["change"]), text(&body["payload"]["summary"]))
    };
    inbox.iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_that_starts_and_ends_is_a_change_told_once_over_replicas_and_restarts() {
    let mut stage = Stage::set().await;
    let inbox = Inbox::default();
    stage.webhook = receiver_at("/in/change/enqueue", inbox.clone(), stage.open.clone()).await;
    let mut key = tempfile::NamedTempFile::new().expect("a file");
    writeln!(key, "{}", "k1".repeat(16)).expect("written");
    let first = stage.enter_as(config(&stage, "a", &key), Share::OfGroup).await;
    let standby = stage.enter_as(config(&stage, "b", &key), Share::OfNobody).await;
    stage.say("r-1", "start-1", None, start(60_000)).await;
    until("the start is told", async || changes(&inbox).len() == 1).await;
    stage.say("r-1", "start-2", None, start(60_000)).await;
    let done = DeploymentComplete::default();
    stage.say("r-1", "done-1", Some(("user-service", "user-service-0")), done).await;
    until("the end is told", async || changes(&inbox).len() == 2).await;
    let noted = async || {
        stage.keys(Topic::Notifications).await.iter().filter(|key| key.starts_with("told/")).count() == 2
    };
    until("both are noted", noted).await;
    first.leave().await;

    // Whoever reads all of it anew tells the next change first.
    let second = stage.enter_as(config(&stage, "c", &key), Share::OfGroup).await;
    stage.say("r-2", "start-3", None, start(60_000)).await;
    until("the next start is told", async || changes(&inbox).len() > 2).await;
    stage.say("r-2", "abort-1", None, pavane_events::command::RolloutAborted::default()).await;
    until("its end is told", async || changes(&inbox).iter().any(|(word, _)| word == "aborted")).await;
    let told = changes(&inbox);
    let of_first: Vec<_> = told.iter().filter(|(_, text)| text.contains("r-1")).collect();
    assert_eq!(
        of_first.iter().map(|told| told.0.as_str()).collect::<Vec<_>>(),
        ["started", "completed"],
        "{told:?}"
    );
    assert_eq!(told[0].1, "users-v2: rollout r-1 started by test");
    assert!(told[1].1.starts_with("users-v2: rollout r-1 completed after "), "{told:?}");
    assert_eq!(told[2], ("started".to_owned(), "users-v2: rollout r-2 started by test".to_owned()));
    second.leave().await;
    standby.leave().await;
}
