//! A registry that serves another schema under a known id: it is named, and nothing is judged by it.

use pavane_events::service::DeploymentComplete;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_lies_is_told_as_tampered_with_and_nobody_is_judged_by_it() {
    let stage = Stage::set().await;
    let player = stage.enter("a", Share::OfGroup).await;
    stage.say("r-1", "start", None, start(2_000)).await;
    until("the rollout is open", async || player.get("/api/v1/rollouts/r-1").await.1["status"] == "open")
        .await;
    let (id, _) = registered(&stage, "DeploymentComplete").await;
    let (_, other) = registered(&stage, "Drained").await;
    stage.embedded.registry().lie(id, Some(&other));
    let done = DeploymentComplete::default();
    stage.say("r-1", "done", Some(("user-service", "user-service-0")), done).await;
    let blind = async || {
        let labels = |body: &Value| body["alerts"][0]["labels"].clone();
        stage.inbox().iter().map(|(_, body)| labels(body)).any(|labels| {
            labels["alertname"] == "Blind"
                && labels["cause"] == "registry_tamper"
                && labels["severity"] == "page"
        })
    };
    until("it is told", blind).await;
    let told = stage.inbox().iter().any(|(_, body)| {
        let text = body["alerts"][0]["annotations"]["description"].as_str().unwrap_or_default();
        text.contains("(RegistryTamper)") && text.contains("judges nothing")
    });
    assert!(told, "{:?}", stage.inbox());
    stage.embedded.registry().lie(id, None);
    until("the rollout ends", async || player.get("/api/v1/rollouts/r-1").await.1["status"] == "completed")
        .await;
    assert!(stage.on_the_log(EventType::RolloutStalled).await.is_empty());
    assert!(stage.keys(Topic::DeadLetters).await.is_empty());
    player.leave().await;
}

/// The id and the text of a built-in schema, as the registry holds them.
async fn registered(stage: &Stage, event: &str) -> (u32, String) {
    let subject = format!("io.pavane.lifecycle.v1.{event}");
    let url = format!("{}/subjects/{subject}/versions/latest", stage.embedded.registry_url());
    let answer = reqwest::get(url).await.expect("an answer").text().await.expect("a text");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let id = u32::try_from(answer["id"].as_u64().expect("an id")).expect("32 bits");
    (id, answer["schema"].as_str().expect("a text").to_owned())
}
