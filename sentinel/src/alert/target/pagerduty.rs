//! Whoever is on call, by PagerDuty's Events API.

use pavane_alerts::Notification;
use pavane_alerts::body::pagerduty;
use pavane_alerts::body::template::{TemplateError, Words};

use super::{Message, Post, secret};
use crate::alert::call::{Answer, Line, json};
use crate::config::PagerDuty as Config;

/// An integration of a service at PagerDuty.
pub(crate) struct PagerDuty {
    config: Config,
    words: Words,
    line: Line,
    external_url: String,
}

impl PagerDuty {
    pub(crate) fn new(config: Config, words: Words, external_url: String) -> anyhow::Result<Self> {
        secret(&config.routing_key_file).map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        let line = Line::new(config.allowed, config.url.starts_with("http:"))?;
        Ok(Self { config, words, line, external_url })
    }
}

impl Post for PagerDuty {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        let key = secret(&self.config.routing_key_file)
            .map_err(|error| TemplateError { why: format!("failed to {error}") })?;
        let body = pagerduty::body(news, &self.words, &key, &self.external_url)?;
        Ok(Message { id: news.id.clone(), subject: String::new(), body })
    }

    async fn post(&self, message: &Message) -> Answer {
        self.line.post(&self.config.url, json(), message.body.clone()).await
    }
}
