//! A letter, by SMTP.

use std::time::Duration;

use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use pavane_alerts::Notification;
use pavane_alerts::body::mail;
use pavane_alerts::body::template::{TemplateError, Words};
use reqwest::Url;

use super::{Message, Post, secret};
use crate::alert::call::{Answer, failed};
use crate::alert::egress;
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;
use crate::config::{Encryption, Mail as Config};

/// How long one attempt takes at most.
const TOTAL: Duration = Duration::from_secs(30);

/// People who read letters.
pub(crate) struct Mail {
    config: Config,
    words: Words,
    from: Mailbox,
    to: Vec<Mailbox>,
    external_url: String,
}

impl Mail {
    pub(crate) fn new(config: Config, words: Words, external_url: String) -> anyhow::Result<Self> {
        if let Some((_, path)) = &config.login {
            secret(path).map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        }
        let from = config.from.parse()?;
        let to = config.to.iter().map(|to| Ok(to.parse()?)).collect::<anyhow::Result<_>>()?;
        Ok(Self { config, words, from, to, external_url })
    }

    async fn send(&self, message: &Message) -> Result<(), Answer> {
        let slow =
            |what: &str, why: String| failed(Fault::Mail, format!("failed to {what}: {why}"), Pace::Slowly);
        let mut letter = lettre::Message::builder()
            .from(self.from.clone())
            .subject(&message.subject)
            .message_id(Some(format!("<{}@pavane>", message.id)))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            letter = letter.to(to.clone());
        }
        let letter =
            letter.body(message.body.clone()).map_err(|error| slow("write the letter", error.to_string()))?;
        let transport = self.transport().await?;
        let sent = transport.send(letter).await;
        sent.map(|_| ()).map_err(|error| {
            let why = format!("failed to send the letter: {error}");
            failed(Fault::Mail, why, if error.is_permanent() { Pace::Slowly } else { Pace::Soon(None) })
        })
    }

    /// Goes to an address that was looked at; the certificate must be that of the name.
    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Answer> {
        let Config { host, port, encryption, login, allowed, .. } = &self.config;
        let refused = |why: String| failed(Fault::Egress, why, Pace::Slowly);
        let scheme = if *encryption == Encryption::None { "http" } else { "https" };
        let url =
            Url::parse(&format!("{scheme}://{host}:{port}/")).map_err(|error| refused(error.to_string()))?;
        let addresses = egress::vetted(&url, *allowed, egress::lookup).await;
        let addresses = addresses.map_err(|error| refused(format!("failed to {error}")))?;
        let address = addresses.first().ok_or_else(|| refused(format!("{host} has no address")))?;
        let parameters = || {
            TlsParameters::new(host.clone())
                .map_err(|error| failed(Fault::Tls, error.to_string(), Pace::Slowly))
        };
        let tls = match encryption {
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(parameters()?),
            Encryption::Tls => Tls::Wrapper(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
            .port(*port)
            .tls(tls)
            .timeout(Some(TOTAL));
        if let Some((user, path)) = login {
            let password = secret(path)
                .map_err(|error| failed(Fault::Secret, format!("failed to {error}"), Pace::Soon(None)))?;
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(builder.build())
    }
}

impl Post for Mail {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        let (subject, text) = mail::letter(news, &self.words, &self.external_url)?;
        Ok(Message { id: news.id.clone(), subject, body: text.into_bytes(), ..Message::default() })
    }

    async fn post(&self, message: &Message) -> Answer {
        match tokio::time::timeout(TOTAL, self.send(message)).await {
            Ok(Ok(())) => Answer::Delivered,
            Ok(Err(answer)) => answer,
            Err(_) => failed(Fault::Timeout, format!("no answer within {TOTAL:?}"), Pace::Soon(None)),
        }
    }
}
