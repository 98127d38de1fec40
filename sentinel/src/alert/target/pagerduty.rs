//! Whoever is on call, by PagerDuty's Events API; and what changed, by its Change Events API.

use std::path::Path;

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
        let keys = config.changes.iter().map(|changes| &changes.routing_key_file);
        for path in keys.chain([&config.routing_key_file]) {
            secret(path).map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        }
        let line = Line::new(config.allowed, config.url.starts_with("http:"))?;
        Ok(Self { config, words, line, external_url })
    }
}

impl Post for PagerDuty {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        let (change, url) = (news.is_change(), &self.external_url);
        let body = match self.config.changes.as_ref().filter(|_| change) {
            Some(changes) => pagerduty::change(news, &key(&changes.routing_key_file)?, url),
            None => pagerduty::body(news, &self.words, &key(&self.config.routing_key_file)?, url)?,
        };
        Ok(Message { id: news.id.clone(), body, change, ..Message::default() })
    }

    async fn post(&self, message: &Message) -> Answer {
        let changes = self.config.changes.as_ref().filter(|_| message.change);
        let url = changes.map_or(&self.config.url, |changes| &changes.url);
        self.line.post(url, json(), message.body.clone()).await
    }
}

fn key(path: &Path) -> Result<String, TemplateError> {
    secret(path).map_err(|error| TemplateError { why: format!("failed to {error}") })
}
