//! What came of rollouts, and who was called because of them, is counted from 0 on.

use pavane_events::command::RULES;

use super::*;

/// The number of a series on the page of metrics; none where there is no such series.
async fn number(sentinel: &Player, series: &str) -> Option<f64> {
    let page = reqwest::get(format!("http://{}/metrics", sentinel.http)).await.expect("an answer");
    let page = page.text().await.expect("text");
    page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

async fn ended(sentinel: &Player, status: &str) -> f64 {
    let series = format!("pavane_rollouts_ended_total{{domain=\"counted\",status=\"{status}\"}}");
    number(sentinel, &series).await.unwrap_or_else(|| panic!("no {series}"))
}

async fn called(sentinel: &Player, what: &str) -> f64 {
    let series = format!("pavane_alerts_delivered_total{{receiver=\"counted\",what=\"{what}\"}}");
    number(sentinel, &series).await.unwrap_or_else(|| panic!("no {series}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_rollouts_end_and_whom_they_wake_is_counted_from_nothing_on() {
    let stage = Stage::set().await;
    let text = format!(
        "domains: [shop, counted]\nhttp: 127.0.0.1:0\nreplica: a\nreceivers:\n- name: counted\n  webhook: {{ url: \"{}\", \
         secret_file: \"{}\", allow_loopback: true }}\ndead_man: {{ pings: [{{ domain: counted, url: \"{}\", \
         allow_loopback: true }}] }}\n",
        stage.webhook,
        stage.secret.path().display(),
        stage.webhook
    );
    let config = Config::from_yaml(&text, "sentinel.yaml").expect("a good file");
    let sentinel = stage.enter_as(config, Share::OfGroup).await;
    let statuses = ["completed", "rolled_back", "partial", "aborted"];
    for status in statuses {
        assert!(ended(&sentinel, status).await.abs() < f64::EPSILON, "{status}");
    }
    for what in ["page", "ticket", "over", "change"] {
        assert!(called(&sentinel, what).await.abs() < f64::EPSILON, "{what}");
    }
    for series in [
        "pavane_alerts_given_up_total{receiver=\"counted\"}",
        "pavane_alerts_pending{receiver=\"counted\"}",
        "pavane_dead_man_failed_total{domain=\"counted\",reason=\"timeout\"}",
        "pavane_sentinel_log_lies_total{cause=\"log_rewound\",domain=\"counted\"}",
    ] {
        assert_eq!(number(&sentinel, series).await, Some(0.0), "{series}");
    }

    // one stalls and is late, one is aborted
    stage.say_in("counted", "r-1", "start-1", None, start(500)).await;
    until("somebody is woken", async || called(&sentinel, "page").await > 0.5).await;
    let done = DeploymentComplete::default();
    stage.say_in("counted", "r-1", "done-1", Some(("user-service", "user-service-0")), done).await;
    until("it is complete", async || ended(&sentinel, "completed").await > 0.5).await;
    until("and told to be over", async || called(&sentinel, "over").await > 0.5).await;
    stage.say_in("counted", "r-2", "start-2", None, start(600_000)).await;
    stage.say_in("counted", "r-2", "abort-2", None, pavane_events::command::RolloutAborted::default()).await;
    until("the other has ended", async || ended(&sentinel, "aborted").await > 0.5).await;
    let mut counts = Vec::new();
    for status in statuses {
        counts.push(ended(&sentinel, status).await);
    }
    assert_eq!(counts, [1.0, 0.0, 0.0, 1.0], "of two, one failed");
    for status in ["aborted", "completed"] {
        let series =
            format!("pavane_rollout_duration_seconds_count{{domain=\"counted\",status=\"{status}\"}}");
        assert_eq!(number(&sentinel, &series).await, Some(1.0), "{series}");
    }
    assert_eq!((called(&sentinel, "page").await, called(&sentinel, "ticket").await), (1.0, 0.0));
    let series =
        "pavane_step_duration_seconds_count{choreography=\"other\",domain=\"counted\",step=\"other\"}";
    assert_eq!(
        number(&sentinel, series).await,
        Some(1.0),
        "the step that was met, of a plan that is not published"
    );
    sentinel.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_a_domain_is_seen_is_a_number_of_its_own_and_how_long_it_is_not_is_counted() {
    let stage = Stage::set().await;
    let text = "domains: [seen, unseen]\nhttp: 127.0.0.1:0\nreplica: a\n";
    let config = Config::from_yaml(text, "sentinel.yaml").expect("a good file");
    let sentinel = stage.enter_as(config, Share::OfGroup).await;
    let sighted = async |domain: &str| {
        number(&sentinel, &format!("pavane_sentinel_sighted{{domain=\"{domain}\"}}")).await
    };
    for domain in ["seen", "unseen"] {
        until("it is seen, and the page says so", async || sighted(domain).await == Some(1.0)).await;
    }

    // what begins under rules that this program does not know cannot be judged by it
    let newer = RolloutStarted { rules: RULES + 1, ..start(600_000) };
    stage.say_in("unseen", "r-1", "start-1", None, newer).await;
    until("it is not seen any more", async || sighted("unseen").await == Some(0.0)).await;
    let episodes = "pavane_sentinel_blind_episodes_total{cause=\"newer_rules\",domain=\"unseen\"}";
    until("an episode is counted", async || number(&sentinel, episodes).await.is_some_and(|n| n > 0.0)).await;
    let seconds = "pavane_sentinel_blind_seconds_total{domain=\"unseen\"}";
    until("and its seconds", async || number(&sentinel, seconds).await.is_some_and(|s| s > 0.0)).await;
    until("the other domain is seen as before", async || sighted("seen").await == Some(1.0)).await;
    sentinel.leave().await;
}
