//! A channel, by an incoming webhook whose URL is the secret.

use pavane_alerts::Notification;
use pavane_alerts::body::slack;
use pavane_alerts::body::template::{TemplateError, Words};

use super::{Message, Post, secret};
use crate::alert::call::{Answer, Line, failed, json};
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;
use crate::config::Slack as Config;

/// A channel.
pub(crate) struct Slack {
    config: Config,
    words: Words,
    line: Line,
    external_url: String,
}

impl Slack {
    pub(crate) fn new(config: Config, words: Words, external_url: String) -> anyhow::Result<Self> {
        let url = secret(&config.url_file).map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        let line = Line::new(config.allowed, url.starts_with("http:"))?;
        Ok(Self { config, words, line, external_url })
    }
}

impl Post for Slack {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        let body = slack::body(news, &self.words, &self.external_url)?;
        Ok(Message { id: news.id.clone(), body, ..Message::default() })
    }

    async fn post(&self, message: &Message) -> Answer {
        let url = match secret(&self.config.url_file) {
            Ok(url) => url,
            Err(error) => return failed(Fault::Secret, format!("failed to {error}"), Pace::Soon(None)),
        };
        self.line.post(&url, json(), message.body.clone()).await
    }
}
