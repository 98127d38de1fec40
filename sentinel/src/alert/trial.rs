//! Tries a receiver: a firing and a resolved alert by the way that real ones take.

use pavane_alerts::{Input, Notification, Notifier, Tree};
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
    /// `firing` or `resolved`.
    pub status: &'static str,
    /// The id that it was sent under.
    pub id: String,
    /// Why the receiver did not take it; none when it did.
    pub failure: Option<String>,
}

/// Sends a firing and then a resolved alert to one receiver of the file, one attempt each. None when the file has no such
/// receiver.
pub async fn try_receiver(config: &Config, name: &str) -> anyhow::Result<Option<[Tried; 2]>> {
    let Some(receiver) = config.receivers.iter().find(|receiver| receiver.name == name) else {
        return Ok(None);
    };
    let route = Route::new(name.to_owned(), Target::new(receiver, &config.external_url)?);
    let [firing, resolved] = told(config, name);
    Ok(Some([tried(&route, &firing).await, tried(&route, &resolved).await]))
}

async fn tried(route: &Route<Target>, news: &Notification) -> Tried {
    let failure = match route.attempt(news).await {
        Answer::Delivered => None,
        Answer::Failed { why, .. } => Some(why),
    };
    Tried { status: news.status().as_str(), id: news.id.clone(), failure }
}

/// What the receiver is told of an alert that begins and ends.
fn told(config: &Config, name: &str) -> [Notification; 2] {
    let mut notifier = Notifier::new(Tree::of_all(&[name.to_owned()]), Vec::new());
    let alert = alert(config);
    let over =
        Alert { status: AlertStatus::Resolved, ends_at: Some(alert.starts_at.plus(1)), ..alert.clone() };
    let later = alert.starts_at.plus(1);
    let _none = notifier.handle(alert.starts_at, Input::Live);
    let mut told = notifier.handle(alert.starts_at, Input::Alert(alert));
    told.extend(notifier.handle(later, Input::Alert(over)));
    told.try_into().expect("an alert of a tree that tells everything at once is told twice")
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
