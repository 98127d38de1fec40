//! Somebody who is told, and how.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use pavane_alerts::body::pagerduty;
use pavane_alerts::body::template::{Target, Words};
use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Fields, Item, Reported};

use crate::alert::egress::{self, Allowed};

/// How long a command may run, in milliseconds.
const COMMAND: std::ops::RangeInclusive<i64> = 1_000..=300_000;
const DEFAULT_COMMAND: i64 = 30_000;
/// The port of a mail server that takes letters from programs.
const SUBMISSION: u32 = 587;

/// Somebody who is told.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// The name, unique in the file; the label of its metrics.
    pub name: String,
    /// How it is told.
    pub kind: Kind,
    /// The words of what people read: ours, or those of `title` and `text` in the file.
    pub words: Words,
}

impl Receiver {
    /// Whether it is told of what changed.
    pub const fn wants_changes(&self) -> bool {
        matches!(&self.kind, Kind::PagerDuty(PagerDuty { changes: Some(_), .. }))
    }
}

/// How a receiver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A signed POST.
    Webhook(Webhook),
    /// Alertmanager's own API.
    Alertmanager(Alertmanager),
    /// A channel.
    Slack(Slack),
    /// Whoever is on call.
    PagerDuty(PagerDuty),
    /// A letter.
    Mail(Mail),
    /// A command.
    Command(Command),
}

/// A receiver of signed notifications over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The address. Checked again at each attempt, with what its name leads to.
    pub url: String,
    /// The file that holds the keys.
    pub secret_file: PathBuf,
    /// What the body is.
    pub format: Format,
    /// What it may reach beyond public addresses over HTTPS.
    pub allowed: Allowed,
}

/// What the body of a webhook is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Alertmanager's webhook body, version 4.
    #[default]
    Alertmanager,
    /// The same as CloudEvents.
    CloudEvents,
}

/// One or more Alertmanagers that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alertmanager {
    /// Their addresses; each is told.
    pub urls: Vec<String>,
    /// The file that holds a bearer token.
    pub token_file: Option<PathBuf>,
    /// As [`Webhook::allowed`].
    pub allowed: Allowed,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slack {
    /// The file that holds the URL of the incoming webhook, which is the secret.
    pub url_file: PathBuf,
    /// As [`Webhook::allowed`].
    pub allowed: Allowed,
}

/// An integration at PagerDuty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagerDuty {
    /// The file that holds the routing key.
    pub routing_key_file: PathBuf,
    /// Where events go.
    pub url: String,
    /// How it is told of what changed; none where it is not.
    pub changes: Option<Changes>,
    /// As [`Webhook::allowed`].
    pub allowed: Allowed,
}

/// How PagerDuty is told of what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The file that holds the routing key of the integration that takes them.
    pub routing_key_file: PathBuf,
    /// Where they go.
    pub url: String,
}

/// People who read letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The mail server.
    pub host: String,
    /// Its port; 587 by default.
    pub port: u16,
    /// How the way there is encrypted.
    pub encryption: Encryption,
    /// The user, and the file that holds the password.
    pub login: Option<(String, PathBuf)>,
    /// Who writes.
    pub from: String,
    /// Who reads.
    pub to: Vec<String>,
    /// As [`Webhook::allowed`].
    pub allowed: Allowed,
}

/// How the way to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Begun in the clear, and encrypted before anything is said; refused where the server cannot.
    #[default]
    StartTls,
    /// From the first byte.
    Tls,
    /// Not at all; to this machine or a private network alone.
    None,
}

/// A command of the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// How long it may run.
    pub timeout: Duration,
}

/// Reads one receiver. Its name is kept in `named` whatever else is wrong with it: who means it does not err.
pub(super) fn receiver(f: &mut Fields<'_>, named: &RefCell<Vec<String>>) -> Result<Receiver, Reported> {
    let name = f.required("name", Item::label);
    named.borrow_mut().extend(name.iter().cloned());
    let title = f.optional("title", |item| item.spanned(Item::text));
    let text = f.optional("text", |item| item.spanned(template));
    let kind = f.exactly_one(&[
        ("webhook", |item| item.fields(webhook).map(Kind::Webhook)),
        ("alertmanager", |item| item.fields(alertmanager).map(Kind::Alertmanager)),
        ("slack", |item| item.fields(slack).map(Kind::Slack)),
        ("pagerduty", |item| item.fields(pagerduty_of).map(Kind::PagerDuty)),
        ("email", |item| item.fields(mail).map(Kind::Mail)),
        ("command", |item| item.fields(command).map(Kind::Command)),
    ]);
    let (name, kind, title, text) = (name?, kind?, title?, text?);
    let target = if matches!(kind, Kind::Slack(_)) { Target::Slack } else { Target::Plain };
    for template in [&title, &text].into_iter().flatten() {
        if let Err(error) = Words::new(None, Some(template.value.clone()), target) {
            let help = "see `docs/alerts.md` for what a template sees";
            return Err(template.item.refuse(Code::BadTemplate, format!("failed to {error}"), help));
        }
    }
    let value = |it: Option<pavane_choreography::yaml::Spanned<'_, String>>| it.map(|it| it.value);
    let words = Words::new(value(title), value(text), target).expect("tried just before");
    Ok(Receiver { name, kind, words })
}

/// A text of several lines.
fn template(item: &Item<'_>) -> Result<String, Reported> {
    item.scalar("a text").map(str::to_owned)
}

fn webhook(f: &mut Fields<'_>) -> Result<Webhook, Reported> {
    let url = f.required("url", |item| item.spanned(Item::text));
    let secret_file = f.required("secret_file", Item::text);
    let formats = [("alertmanager", Format::Alertmanager), ("cloudevents", Format::CloudEvents)];
    let format = f.optional("format", |item| item.one_of(&formats));
    let allowed = allowed(f)?;
    let url = checked(&url?, allowed)?;
    Ok(Webhook { url, secret_file: secret_file?.into(), format: format?.unwrap_or_default(), allowed })
}

fn alertmanager(f: &mut Fields<'_>) -> Result<Alertmanager, Reported> {
    let urls = f.required("urls", |item| item.list(|item| item.spanned(Item::text)));
    let token_file = f.optional("token_file", Item::text);
    let allowed = allowed(f)?;
    let urls: Vec<String> = urls?.iter().map(|url| checked(url, allowed)).collect::<Result<_, _>>()?;
    if urls.is_empty() {
        return Err(f.refuse(Code::MissingField, "`urls` names none", "name at least one Alertmanager"));
    }
    Ok(Alertmanager { urls, token_file: token_file?.map(PathBuf::from), allowed })
}

fn slack(f: &mut Fields<'_>) -> Result<Slack, Reported> {
    let url_file = f.required("url_file", Item::text);
    let allowed = allowed(f)?;
    Ok(Slack { url_file: url_file?.into(), allowed })
}

fn pagerduty_of(f: &mut Fields<'_>) -> Result<PagerDuty, Reported> {
    let routing_key_file = f.required("routing_key_file", Item::text);
    let url = f.optional("url", |item| item.spanned(Item::text));
    let wanted = f.optional("changes", Item::boolean);
    let own_key = f.optional("changes_key_file", Item::text);
    let allowed = allowed(f)?;
    let url = match url? {
        Some(url) => checked(&url, allowed)?,
        None => pagerduty::URL.to_owned(),
    };
    let (routing_key_file, own_key) = (PathBuf::from(routing_key_file?), own_key?.map(PathBuf::from));
    let wants = wanted?.unwrap_or(own_key.is_some());
    let changes = match pagerduty::changes_url(&url).filter(|_| wants) {
        Some(url) => {
            Some(Changes { routing_key_file: own_key.unwrap_or_else(|| routing_key_file.clone()), url })
        }
        None if wants => {
            let help =
                "give a `url` that ends with `/enqueue`, e.g. `https://events.eu.pagerduty.com/v2/enqueue`";
            return Err(f.refuse(Code::BadAddress, "nobody knows where changes go beside this `url`", help));
        }
        None => None,
    };
    Ok(PagerDuty { routing_key_file, url, changes, allowed })
}

fn mail(f: &mut Fields<'_>) -> Result<Mail, Reported> {
    let host = f.required("host", Item::text);
    let port = f.optional("port", |item| item.count(1..=65_535));
    let ways = [("starttls", Encryption::StartTls), ("tls", Encryption::Tls), ("none", Encryption::None)];
    let encryption = f.optional("encryption", |item| item.one_of(&ways));
    let user = f.optional("user", Item::text);
    let password_file = f.optional("password_file", Item::text);
    let from = f.required("from", mailbox);
    let to = f.required("to", |item| item.list(mailbox));
    let allowed = allowed(f)?;
    let (user, password_file, to) = (user?, password_file?, to?);
    if user.is_some() != password_file.is_some() {
        let message = "one of `user` and `password_file` stands without the other";
        return Err(f.refuse(Code::MissingField, message, "give both, or none"));
    }
    if to.is_empty() {
        return Err(f.refuse(Code::MissingField, "`to` names nobody", "name at least one reader"));
    }
    let port = u16::try_from(port?.unwrap_or(SUBMISSION)).expect("in the range of ports");
    let login = user.zip(password_file).map(|(user, path)| (user, PathBuf::from(path)));
    let encryption = encryption?.unwrap_or_default();
    Ok(Mail { host: host?, port, encryption, login, from: from?, to, allowed })
}

fn command(f: &mut Fields<'_>) -> Result<Command, Reported> {
    let argv = f.required("argv", |item| item.list(Item::text));
    let timeout = f.optional("timeout", |item| item.duration_in(COMMAND));
    let argv = argv?;
    if argv.is_empty() {
        return Err(f.refuse(
            Code::MissingField,
            "`argv` names no program",
            "write e.g. `argv: [/usr/local/bin/page]`",
        ));
    }
    let timeout = u64::try_from(timeout?.unwrap_or(DEFAULT_COMMAND)).unwrap_or_default();
    Ok(Command { argv, timeout: Duration::from_millis(timeout) })
}

fn mailbox(item: &Item<'_>) -> Result<String, Reported> {
    let text = item.text()?;
    match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(text),
        Err(error) => {
            let message = format!("`{text}` is no address of a person: {error}");
            Err(item.refuse(Code::BadAddress, message, "write e.g. `Identity <identity@example.org>`"))
        }
    }
}

pub(super) fn allowed(f: &mut Fields<'_>) -> Result<Allowed, Reported> {
    let loopback = f.optional("allow_loopback", Item::boolean);
    let private = f.optional("allow_private", Item::boolean);
    Ok(Allowed { loopback: loopback?.unwrap_or_default(), private: private?.unwrap_or_default() })
}

pub(super) fn checked(
    url: &pavane_choreography::yaml::Spanned<'_, String>,
    allowed: Allowed,
) -> Result<String, Reported> {
    match egress::check_url(&url.value, allowed) {
        Ok(_) => Ok(url.value.clone()),
        Err(refused) => {
            let message = format!("`{}` cannot be used: failed to {refused}", url.item.field());
            Err(url.item.refuse(Code::BadAddress, message, "write e.g. `https://alerts.example/in`"))
        }
    }
}
