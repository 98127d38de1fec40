//! Alertmanager's own API: it groups and routes by itself, and forgets what it is not told again.

use std::time::Duration;

use pavane_alerts::Notification;
use pavane_alerts::body::alertmanager;
use pavane_alerts::body::template::TemplateError;
use pavane_sentinel_engine::Alert;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::{Message, Post, secret};
use crate::alert::call::{Answer, Line, failed, json};
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;
use crate::config::Alertmanager as Config;

/// How often it is told again what burns: well within its `resolve_timeout` of five minutes.
pub(crate) const AGAIN: Duration = Duration::from_mins(1);

/// One or more Alertmanagers that belong together; each is told everything.
pub(crate) struct Alertmanager {
    config: Config,
    lines: Vec<(String, Line)>,
    external_url: String,
}

impl Alertmanager {
    pub(crate) fn new(config: Config, external_url: String) -> anyhow::Result<Self> {
        if let Some(path) = &config.token_file {
            secret(path).map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        }
        let line = |url: &String| {
            let address = format!("{}{}", url.trim_end_matches('/'), alertmanager::PATH);
            Ok((address, Line::new(config.allowed, url.starts_with("http:"))?))
        };
        let lines = config.urls.iter().map(line).collect::<anyhow::Result<_>>()?;
        Ok(Self { config, lines, external_url })
    }

    /// Tells it again what burns.
    pub(crate) async fn remind(&self, alerts: &[Alert]) -> Answer {
        let body = alertmanager::body(alerts, &self.external_url);
        self.post(&Message { body, ..Message::default() }).await
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = json();
        if let Some(path) = &self.config.token_file {
            let token = secret(path).map_err(|error| format!("failed to {error}"))?;
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| format!("failed to use the token in {}: it is no header", path.display()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }
}

impl Post for Alertmanager {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        let body = alertmanager::body(&news.alerts, &self.external_url);
        Ok(Message { id: news.id.clone(), body, ..Message::default() })
    }

    /// Delivered when one of them has it: the others are told within a minute, with everything that burns.
    async fn post(&self, message: &Message) -> Answer {
        let headers = match self.headers() {
            Ok(headers) => headers,
            Err(why) => return failed(Fault::Secret, why, Pace::Soon(None)),
        };
        let mut answer = failed(Fault::Config, "no address is configured".to_owned(), Pace::Slowly);
        let mut delivered = false;
        for (url, line) in &self.lines {
            let one = line.post(url, headers.clone(), message.body.clone()).await;
            delivered |= one == Answer::Delivered;
            answer = one;
        }
        if delivered { Answer::Delivered } else { answer }
    }
}
