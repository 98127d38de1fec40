//! Tries a receiver: a firing and a resolved alert by the way that real ones take, and a change where it wants changes.

use pavane_alerts::{CHANGE, Input, Notification, Notifier, Tree};
use pavane_events::EventId;
use pavane_sentinel_engine::{Alert, AlertStatus};

use crate::alert::call::Answer;
use crate::alert::delivery::Route;
use crate::alert::target::Target;
use crate::clock::wall;
use crate::config::Config;

/// What came of one notification of a trial.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Tried {
    /// `firing` or `resolved`; `changed` for a change.
    pub status: &'static str,
    /// The id that it was sent under.
    pub id: String,
    /// Why the receiver did not take it; none when it did.
    pub failure: Option<String>,
}

/// Sends a firing and then a resolved alert to one receiver of the file, and a change where it is told of those; one
/// attempt each. None when the file has no such receiver.
pub async fn try_receiver(config: &Config, name: &str) -> anyhow::Result<Option<Vec<Tried>>> {
    let Some(receiver) = config.receivers.iter().find(|receiver| receiver.name == name) else {
        return Ok(None);
    };
    let route = Route::new(name.to_owned(), Target::new(receiver, &config.external_url)?);
    let mut all = Vec::new();
    for news in told(config, name, receiver.wants_changes()) {
        all.push(tried(&route, &news).await);
    }
    Ok(Some(all))
}

async fn tried(route: &Route<Target>, news: &Notification) -> Tried {
    let failure = match route.attempt(news).await {
        Answer::Delivered => None,
        Answer::Failed { why, .. } => Some(why),
    };
    let status = if news.is_change() { "changed" } else { news.status().as_str() };
    Tried { status, id: news.id.clone(), failure }
}

/// What the receiver is told of an alert that begins and ends, and of a change.
fn told(config: &Config, name: &str, changes: bool) -> Vec<Notification> {
    let names = [name.to_owned()];
    let changes: &[String] = if changes { &names } else { &[] };
    let tree = Tree::of_all(&names).with_changes(changes);
    let mut notifier = Notifier::new(tree, Vec::new());
    let alert = alert(config);
    let over =
        Alert { status: AlertStatus::Resolved, ends_at: Some(alert.starts_at.plus(1)), ..alert.clone() };
    let mut change = over.clone();
    change.labels.insert("alertname".to_owned(), CHANGE.to_owned());
    change.labels.insert("change".to_owned(), "test".to_owned());
    change.id = EventId::new(format!("change-{}", alert.id)).expect("a name");
    let (now, later) = (alert.starts_at, alert.starts_at.plus(1));
    let _none = notifier.handle(now, Input::Live);
    let all = [(now, alert), (later, over), (later, change)];
    all.into_iter().flat_map(|(at, alert)| notifier.handle(at, Input::Alert(alert))).collect()
}

fn alert(config: &Config) -> Alert {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let rollout = format!("test-{}", &id[20..]);
    let domain = config.domains.first().map_or("none", |domain| domain.as_str());
    let labels = [
        ("alertname", "Test"),
        ("domain", domain),
        ("rollout", &rollout),
        ("severity", "ticket"),
        ("owner", "platform"),
        ("cause", "test"),
    ];
    let annotations = [
        ("summary", "a test of this receiver; nothing is the matter"),
        ("description", "`pavane alerts test` sent this to see whether alerts arrive. It ends by itself."),
    ];
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Alert {
        id: EventId::new(format!("test-{id}")).expect("a name"),
        status: AlertStatus::Firing,
        labels: map(&labels),
        annotations: map(&annotations),
        since: None,
        deadline: None,
        starts_at: wall(),
        ends_at: None,
    }
}
