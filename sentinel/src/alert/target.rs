//! One kind of receiver each: what it is sent, and by which way.

use pavane_alerts::Notification;
use pavane_alerts::body::template::TemplateError;

use crate::alert::call::Answer;
use crate::config::{Kind, Receiver};

pub(crate) mod alertmanager;
pub(crate) mod command;
pub(crate) mod mail;
pub(crate) mod pagerduty;
pub(crate) mod slack;
pub(crate) mod webhook;

use alertmanager::Alertmanager;
use command::Command;
use mail::Mail;
use pagerduty::PagerDuty;
use slack::Slack;
use webhook::Webhook;

/// A notification as its receiver reads it: the same bytes in every attempt.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The same for every attempt of every replica; receivers tell doubles by it.
    pub(crate) id: String,
    /// What stands above a letter; empty elsewhere.
    pub(crate) subject: String,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Whether it tells a change, which some take elsewhere than alerts.
    pub(crate) change: bool,
}

/// Brings notifications to one receiver.
pub(crate) trait Post: Send + Sync + 'static {
    /// Writes a notification down as the receiver reads it.
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError>;

    /// Makes one attempt; never longer than a bound of its own.
    fn post(&self, message: &Message) -> impl Future<Output = Answer> + Send;
}

/// The receivers of a file.
pub(crate) enum Target {
    Webhook(Webhook),
    Alertmanager(Alertmanager),
    Slack(Slack),
    PagerDuty(PagerDuty),
    Mail(Box<Mail>),
    Command(Command),
}

impl Target {
    /// Reads the secrets once, so that a missing one is found before the first alert.
    pub(crate) fn new(receiver: &Receiver, external_url: &str) -> anyhow::Result<Self> {
        let external_url = external_url.to_owned();
        let words = receiver.words.clone();
        Ok(match receiver.kind.clone() {
            Kind::Webhook(config) => Self::Webhook(Webhook::new(config, external_url)?),
            Kind::Alertmanager(config) => Self::Alertmanager(Alertmanager::new(config, external_url)?),
            Kind::Slack(config) => Self::Slack(Slack::new(config, words, external_url)?),
            Kind::PagerDuty(config) => Self::PagerDuty(PagerDuty::new(config, words, external_url)?),
            Kind::Mail(config) => Self::Mail(Box::new(Mail::new(config, words, external_url)?)),
            Kind::Command(config) => Self::Command(Command::new(config, external_url)),
        })
    }

    /// The Alertmanager, which wants to be told again and again what burns.
    pub(crate) const fn alertmanager(&self) -> Option<&Alertmanager> {
        match self {
            Self::Alertmanager(target) => Some(target),
            Self::Webhook(_) | Self::Slack(_) | Self::PagerDuty(_) | Self::Mail(_) | Self::Command(_) => None,
        }
    }
}

impl Post for Target {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        match self {
            Self::Webhook(target) => target.compose(news),
            Self::Alertmanager(target) => target.compose(news),
            Self::Slack(target) => target.compose(news),
            Self::PagerDuty(target) => target.compose(news),
            Self::Mail(target) => target.compose(news),
            Self::Command(target) => target.compose(news),
        }
    }

    async fn post(&self, message: &Message) -> Answer {
        match self {
            Self::Webhook(target) => target.post(message).await,
            Self::Alertmanager(target) => target.post(message).await,
            Self::Slack(target) => target.post(message).await,
            Self::PagerDuty(target) => target.post(message).await,
            Self::Mail(target) => target.post(message).await,
            Self::Command(target) => target.post(message).await,
        }
    }
}

/// Reads a secret that stands alone in a file.
pub(crate) fn secret(path: &std::path::Path) -> Result<String, crate::error::SecretError> {
    use crate::error::SecretError;
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|source| SecretError::Unreadable { path: path.to_owned(), source })?;
    let text = text.trim();
    let plain = !text.is_empty() && !text.contains(char::is_control);
    if plain { Ok(text.to_owned()) } else { Err(SecretError::Empty { path: path.to_owned() }) }
}
