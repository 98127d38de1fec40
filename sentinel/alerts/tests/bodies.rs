//! What each kind of receiver is sent, held against golden files; and what hostile labels can do to it: nothing.
//! `UPDATE_GOLDEN=1` writes the files anew.

use std::path::PathBuf;

use pavane_alerts::body::template::{Target, Words};
use pavane_alerts::body::{alertmanager, cloudevents, mail, pagerduty, slack, webhook};
use pavane_alerts::{CHANGE, Input, Notification, Notifier, Route, Tree};
use pavane_events::{EventId, Timestamp};
use pavane_sentinel_engine::{Alert, AlertStatus};

const URL: &str = "https://pavane.example/";

fn stall(id: &str, step: &str) -> Alert {
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Alert {
        id: EventId::new(id).expect("a name"),
        status: AlertStatus::Firing,
        labels: map(&[
            ("alertname", "RolloutStalled"),
            ("domain", "shop"),
            ("rollout", "r-42"),
            ("step", step),
            ("service", "user-service"),
            ("cause", "not_finished"),
            ("severity", "page"),
            ("owner", "identity"),
        ]),
        annotations: map(&[
            (
                "summary",
                "users-v2: user-service.DeploymentComplete is missing from 2 of 3 instances (not finished)",
            ),
            (
                "description",
                "Rollout r-42 stands still at step users: user-service.DeploymentComplete is missing from 2 of 3 \
                 instances, 5m after its window began. The cause is not finished: picked up, never finished.",
            ),
            ("missing", "user-service.DeploymentComplete"),
            ("culprit", "user-service"),
            ("culprit_owner", "identity"),
            ("lacking", "user-service-1, user-service-2"),
            ("offsets", "9, 11"),
            ("heartbeats", "88, 89"),
            ("progress", "1 of 3 steps done (schema at offset 5); step users has 1 of 3 instances"),
            ("waiting", "messaging (social)"),
            ("outlook", "it waits: user-service.DeploymentComplete lifts the stall when it comes after all"),
            ("next_step", "look what holds user-service-1, user-service-2 up"),
            ("page", "docs/verdicts/not_finished.md"),
            ("why", "pavane why r-42"),
            ("runbook_url", "https://runbooks.example/users-v2"),
        ]),
        since: Some(Timestamp(1_795_269_300_000)),
        deadline: Some(Timestamp(1_795_269_600_000)),
        starts_at: Timestamp(1_795_269_600_250),
        ends_at: None,
    }
}

fn over(mut alert: Alert) -> Alert {
    alert.status = AlertStatus::Resolved;
    alert.ends_at = Some(Timestamp(1_795_269_700_000));
    alert
}

/// What a receiver is told of these, each raised a second after the one before.
fn told(alerts: &[Alert]) -> Vec<Notification> {
    let receiver = "platform".to_owned();
    let root = Route { receiver: Some(receiver.clone()), interval: Some(0), ..Route::default() };
    let mut notifier = Notifier::new(Tree::new(&root, &[receiver]).expect("a tree"), Vec::new());
    let start = Timestamp(1_795_269_600_300);
    let mut sent = notifier.handle(start, Input::Live);
    for (n, alert) in (0_i64..).zip(alerts) {
        sent.extend(notifier.handle(start.plus(n * 400_000), Input::Alert(alert.clone())));
    }
    sent
}

/// A rollout that has started, as who wants changes is told of it.
fn changed() -> Notification {
    let mut change = over(stall("change-1", "users"));
    for (name, text) in [("alertname", CHANGE), ("change", "started")] {
        change.labels.insert(name.to_owned(), text.to_owned());
    }
    change.labels.retain(|name, _| !["step", "service", "cause", "severity"].contains(&name.as_str()));
    let summary = "users-v2: rollout r-42 started by ann: the\u{7} new names".to_owned();
    change.annotations.retain(|name, _| ["why", "runbook_url"].contains(&name.as_str()));
    change.annotations.insert("summary".to_owned(), summary);
    (change.starts_at, change.ends_at) = (Timestamp(1_795_269_000_000), Some(Timestamp(1_795_269_000_000)));
    let names = ["pager".to_owned()];
    let root = Route { receiver: Some("pager".to_owned()), ..Route::default() };
    let tree = Tree::new(&root, &names).expect("a tree").with_changes(&names);
    let mut notifier = Notifier::new(tree, Vec::new());
    let mut told = notifier.handle(Timestamp(1_795_269_000_300), Input::Live);
    told.extend(notifier.handle(Timestamp(1_795_269_000_300), Input::Alert(change.clone())));
    let again = notifier
        .handle(Timestamp(1_795_269_000_900), Input::Told(told[0].row(Timestamp(1_795_269_000_800), "a")));
    assert!(told.len() == 1 && again.is_empty());
    assert!(
        notifier.handle(Timestamp(1_795_269_001_000), Input::Alert(change)).is_empty(),
        "it is told once"
    );
    told.remove(0)
}

fn firing() -> Notification {
    told(&[stall("d1", "users")]).remove(0)
}

fn resolved() -> Notification {
    told(&[stall("d1", "users"), over(stall("d1", "users"))]).remove(1)
}

fn words(target: Target) -> Words {
    Words::new(None, None, target).expect("our own")
}

#[track_caller]
fn golden(name: &str, bytes: &[u8]) {
    let value: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
    same(name, &format!("{value:#}\n"));
}

#[track_caller]
#[expect(clippy::disallowed_methods, reason = "golden files are read, and written when asked for")]
fn same(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("a file");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}");
}

#[test]
fn each_kind_of_receiver_reads_its_own_shape() {
    golden("webhook-firing.json", &webhook::body(&firing(), URL));
    golden("webhook-resolved.json", &webhook::body(&resolved(), ""));
    golden("cloudevents.json", &cloudevents::body(&firing(), "/pavane/sentinel", URL));
    golden("alertmanager-firing.json", &alertmanager::body(&firing().alerts, URL));
    golden("alertmanager-resolved.json", &alertmanager::body(&resolved().alerts, ""));
    golden("slack.json", &slack::body(&firing(), &words(Target::Slack), URL).expect("a body"));
    let page =
        |news: &Notification| pagerduty::body(news, &words(Target::Plain), "R0UT1NG", URL).expect("a body");
    golden("pagerduty-trigger.json", &page(&firing()));
    golden("pagerduty-resolve.json", &page(&resolved()));
    golden("pagerduty-change.json", &pagerduty::change(&changed(), "R0UT1NG", URL));
    let (subject, text) = mail::letter(&firing(), &words(Target::Plain), URL).expect("a letter");
    same("mail.txt", &format!("{subject}\n\n{text}"));
}

#[test]
fn an_incident_is_closed_under_the_key_that_opened_it() {
    let key = |news: &Notification| {
        let body = pagerduty::body(news, &words(Target::Plain), "k", URL).expect("a body");
        let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        (value["dedup_key"].clone(), value["event_action"].clone())
    };
    let (opened, closed) = (key(&firing()), key(&resolved()));
    assert_eq!(opened.0, closed.0);
    assert_eq!((opened.1, closed.1), ("trigger".into(), "resolve".into()));
}

#[test]
fn every_replica_composes_the_same_bytes_under_the_same_id() {
    assert_eq!(firing(), firing());
    assert_ne!(firing().id, resolved().id);
    assert_eq!(webhook::body(&firing(), URL), webhook::body(&firing(), URL));
}

#[test]
fn a_hostile_label_is_a_text_and_nothing_else() {
    let mut alert = stall("d1", "users");
    let evil =
        "<!channel> <https://evil.example|click> *bold* @everyone\r\nBcc: x@evil.example\u{7} {{ 7*7 }}";
    alert.annotations.insert("summary".to_owned(), evil.to_owned());
    alert.labels.insert("service".to_owned(), evil.to_owned());
    let news = told(&[alert]).remove(0);
    let body = slack::body(&news, &words(Target::Slack), URL).expect("a body");
    let text = String::from_utf8(body).expect("text");
    assert!(
        !text.contains("<!channel>") && !text.contains("<https") && !text.contains("@everyone"),
        "{text}"
    );
    assert!(!text.contains("\\u0007") && !text.contains("49"), "{text}");
    let (subject, _) = mail::letter(&news, &words(Target::Plain), URL).expect("a letter");
    assert!(!subject.contains(['\r', '\n', '\u{7}']), "{subject:?}");
    assert!(subject.contains("{{ 7*7 }}"), "what an event says is never a template: {subject}");
}

#[test]
fn a_body_stays_small_whatever_a_hook_has_written() {
    let mut alert = stall("d1", "users");
    for name in ["description", "evidence", "summary"] {
        alert.annotations.insert(name.to_owned(), "ü".repeat(100_000));
    }
    let news = told(&[alert]).remove(0);
    assert!(webhook::body(&news, "").len() < 24_000);
    assert!(slack::body(&news, &words(Target::Slack), "").expect("a body").len() < 20_000);
    assert!(pagerduty::body(&news, &words(Target::Plain), "k", "").expect("a body").len() < 100_000);
}

#[test]
fn a_template_of_the_file_is_tried_before_the_first_alert() {
    for (text, says) in [
        ("{{ alerts[0].labels.alertname", "<string>:1"),
        ("{% include 'x' %}", "unknown"),
        ("{% for a in range(100000000) %}x{% endfor %}", ""),
        ("{{ alerts | nosuch }}", "nosuch"),
    ] {
        let error = Words::new(None, Some(text.to_owned()), Target::Plain).expect_err(text).to_string();
        assert!(error.starts_with("use the template: ") && error.contains(says), "{text}: {error}");
    }
    let mine = Words::new(
        Some("{{ alerts[0].labels.owner | upper }}: {{ nothing.at.all }}".to_owned()),
        None,
        Target::Plain,
    );
    assert_eq!(mine.expect("a template").title(&firing(), URL).expect("a title"), "IDENTITY:");
}
