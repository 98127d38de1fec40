//! A command of the operator's: the notification on its standard input.

use std::process::Stdio;

use pavane_alerts::Notification;
use pavane_alerts::body::template::TemplateError;
use pavane_alerts::body::webhook;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;

use super::{Message, Post};
use crate::alert::call::{Answer, failed};
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;
use crate::config::Command as Config;

/// The exit code that says: try again soon (`EX_TEMPFAIL`).
const TRY_AGAIN: i32 = 75;

/// A command, its arguments apart: no shell reads them, and nothing of an event stands in them.
pub(crate) struct Command {
    config: Config,
    external_url: String,
}

impl Command {
    pub(crate) const fn new(config: Config, external_url: String) -> Self {
        Self { config, external_url }
    }

    async fn run(&self, message: &Message) -> std::io::Result<Answer> {
        let (program, arguments) = self.config.argv.split_first().expect("the file names a program");
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .env("PAVANE_NOTIFICATION_ID", &message.id)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        give(&mut child, &message.body).await;
        let status = child.wait().await?;
        Ok(match status.code() {
            Some(0) => Answer::Delivered,
            Some(TRY_AGAIN) => {
                failed(Fault::Command, format!("{program} asks to be run again"), Pace::Soon(None))
            }
            Some(code) => failed(Fault::Command, format!("{program} ended with {code}"), Pace::Slowly),
            None => failed(Fault::Command, format!("{program} was ended by a signal"), Pace::Soon(None)),
        })
    }
}

/// A command that does not read what it is given may still do its work.
async fn give(child: &mut Child, body: &[u8]) {
    if let Some(mut stdin) = child.stdin.take() {
        let _unread = stdin.write_all(body).await;
    }
}

impl Post for Command {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        let body = webhook::body(news, &self.external_url);
        Ok(Message { id: news.id.clone(), body, ..Message::default() })
    }

    async fn post(&self, message: &Message) -> Answer {
        let limit = self.config.timeout;
        match tokio::time::timeout(limit, self.run(message)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => failed(
                Fault::Command,
                format!("failed to run {}: {error}", self.config.argv[0]),
                Pace::Slowly,
            ),
            Err(_) => failed(
                Fault::Timeout,
                format!("{} did not end within {limit:?}", self.config.argv[0]),
                Pace::Soon(None),
            ),
        }
    }
}
