//! A signed POST: Alertmanager's webhook body or one of CloudEvents, under a Standard Webhooks signature.

use pavane_alerts::Notification;
use pavane_alerts::body::template::TemplateError;
use pavane_alerts::body::{cloudevents, webhook};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::{Message, Post};
use crate::alert::call::{Answer, Line, failed};
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;
use crate::alert::signature::Secrets;
use crate::config::{Format, Webhook as Config};

/// What speaks, in CloudEvents.
const SOURCE: &str = "/pavane/sentinel";

/// A receiver of signed notifications over HTTP.
pub(crate) struct Webhook {
    config: Config,
    line: Line,
    external_url: String,
}

impl Webhook {
    pub(crate) fn new(config: Config, external_url: String) -> anyhow::Result<Self> {
        Secrets::read(&config.secret_file).map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        let line = Line::new(config.allowed, config.url.starts_with("http:"))?;
        Ok(Self { config, line, external_url })
    }

    /// The same with less patience.
    #[cfg(test)]
    pub(crate) fn within(mut self, limit: std::time::Duration) -> Self {
        self.line = self.line.within(limit);
        self
    }

    /// Names and values that are plain by what made them: an id of ours, a number, base64.
    fn headers(&self, message: &Message, secrets: &Secrets) -> Option<HeaderMap> {
        let timestamp = jiff::Timestamp::now().as_second();
        let content = match self.config.format {
            Format::Alertmanager => "application/json",
            Format::CloudEvents => cloudevents::CONTENT_TYPE,
        };
        let pairs = [
            (CONTENT_TYPE, content.to_owned()),
            (HeaderName::from_static("webhook-id"), message.id.clone()),
            (HeaderName::from_static("webhook-timestamp"), timestamp.to_string()),
            (
                HeaderName::from_static("webhook-signature"),
                secrets.sign(&message.id, timestamp, &message.body),
            ),
        ];
        pairs.into_iter().map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?))).collect()
    }
}

impl Post for Webhook {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        let body = match self.config.format {
            Format::Alertmanager => webhook::body(news, &self.external_url),
            Format::CloudEvents => cloudevents::body(news, SOURCE, &self.external_url),
        };
        Ok(Message { id: news.id.clone(), body, ..Message::default() })
    }

    async fn post(&self, message: &Message) -> Answer {
        let secrets = match Secrets::read(&self.config.secret_file) {
            Ok(secrets) => secrets,
            Err(error) => return failed(Fault::Secret, format!("failed to {error}"), Pace::Soon(None)),
        };
        let Some(headers) = self.headers(message, &secrets) else {
            return failed(
                Fault::Id,
                format!("the id {:?} is no value of a header", message.id),
                Pace::Slowly,
            );
        };
        self.line.post(&self.config.url, headers, message.body.clone()).await
    }
}

#[cfg(test)]
mod tests;
