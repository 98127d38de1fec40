//! The words that people read, as templates: ours, or those of the file.
//!
//! A template sees one value, the notification, and nothing of the machine: no files, no includes, and so much work and
//! text at most. What it puts out is escaped for where it goes, so that no label of a hostile event becomes a link, a mention
//! or a header.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use thiserror::Error;

use super::{annotations, common, link, rfc3339, shortened};
use crate::{Labels, Notification, value};

/// How much work a template may be, in the engine's own unit of about one instruction.
const FUEL: u64 = 200_000;
/// The longest text that a template may put out, in characters.
const LONGEST_TEXT: usize = 12_000;

/// The title where the file has none.
pub const TITLE: &str = "[{{ status | upper }}{% if count > 1 %} {{ count }}{% endif %}] \
{{ alerts[0].annotations.summary or alerts[0].labels.alertname }}";

/// The text where the file has none.
pub const TEXT: &str = "{% for alert in alerts %}\
{{ alert.annotations.summary or alert.labels.alertname }}{% if alert.status == 'resolved' %} (over){% endif %}
{% if alert.annotations.description %}{{ alert.annotations.description }}
{% endif %}{% if alert.annotations.next_step %}Next: {{ alert.annotations.next_step }}
{% endif %}{% if alert.annotations.runbook_url %}Runbook: {{ alert.annotations.runbook_url }}
{% endif %}{% if alert.annotations.page_url %}About it: {{ alert.annotations.page_url }}
{% endif %}{% if alert.link %}{{ alert.link }}
{% endif %}
{% endfor %}{% if truncated %}… and {{ truncated }} more.
{% endif %}";

/// For whom a text is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Slack's markup: `&`, `<` and `>` are its own.
    Slack,
    /// Plain text: nothing but control characters is taken out.
    Plain,
}

/// Why a template cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("use the template: {why}")]
pub struct TemplateError {
    /// What is wrong with it, and in which line of it.
    pub why: String,
}

/// The title and the text of what one receiver is told.
#[derive(Clone, Debug)]
pub struct Words {
    title: String,
    text: String,
    target: Target,
}

impl Words {
    /// The words of the file, ours where it has none; tried on a notification, so that a defect shows before the first alert.
    pub fn new(title: Option<String>, text: Option<String>, target: Target) -> Result<Self, TemplateError> {
        let (title, text) =
            (title.unwrap_or_else(|| TITLE.to_owned()), text.unwrap_or_else(|| TEXT.to_owned()));
        let words = Self { title, text, target };
        words.render(&words.title, &Seen::sample())?;
        words.render(&words.text, &Seen::sample())?;
        Ok(words)
    }

    /// The title, in one line.
    pub fn title(&self, news: &Notification, external_url: &str) -> Result<String, TemplateError> {
        let title = self.render(&self.title, &Seen::of(news, external_url))?;
        Ok(title.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The text.
    pub fn text(&self, news: &Notification, external_url: &str) -> Result<String, TemplateError> {
        Ok(self.render(&self.text, &Seen::of(news, external_url))?.trim_end().to_owned())
    }

    fn render(&self, source: &str, seen: &Seen) -> Result<String, TemplateError> {
        let mut house = Environment::empty();
        house.add_filter("upper", |text: String| text.to_uppercase());
        house.add_filter("join", |parts: Vec<String>, by: String| parts.join(&by));
        house.set_fuel(Some(FUEL));
        house.set_undefined_behavior(UndefinedBehavior::Chainable);
        let target = self.target;
        house.set_auto_escape_callback(|_| AutoEscape::Custom("receiver".into()));
        house.set_formatter(move |out, _, value| {
            let text =
                if value.is_undefined() || value.is_none() { String::new() } else { value.to_string() };
            out.write_str(&escaped(&text, target)).map_err(minijinja::Error::from)
        });
        let text =
            house.render_str(source, Serde(seen)).map_err(|error| TemplateError { why: chain(&error) })?;
        Ok(shortened(&text, LONGEST_TEXT))
    }
}

/// A text that came from elsewhere, as it may stand there.
pub fn escaped(text: &str, target: Target) -> String {
    let mut out = String::with_capacity(text.len());
    let mut begins = true;
    for c in text.chars().filter(|c| !c.is_control() || *c == '\n') {
        match (target, c) {
            (Target::Slack, '&') => out.push_str("&amp;"),
            (Target::Slack, '<') => out.push_str("&lt;"),
            (Target::Slack, '>') => out.push_str("&gt;"),
            // at the beginning of a word these would be mark-up, or a mention
            (Target::Slack, '*' | '_' | '~' | '`' | '@') if begins => out.extend([c, '\u{200b}']),
            (Target::Slack | Target::Plain, c) => out.push(c),
        }
        begins = !c.is_alphanumeric();
    }
    out
}

fn chain(error: &minijinja::Error) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        said = format!("{said}: {source}");
        cause = source.source();
    }
    said
}

/// What a template sees.
#[derive(Debug, Serialize)]
struct Seen {
    /// `firing` or `resolved`.
    status: &'static str,
    /// Why it is told.
    reason: &'static str,
    receiver: String,
    /// How many alerts it is about.
    count: usize,
    /// How many of them are not listed.
    truncated: usize,
    group_labels: Labels,
    common_labels: Labels,
    external_url: String,
    alerts: Vec<One>,
}

#[derive(Debug, Serialize)]
struct One {
    status: &'static str,
    labels: Labels,
    annotations: Labels,
    starts_at: String,
    ends_at: String,
    link: String,
}

impl Seen {
    fn of(news: &Notification, external_url: &str) -> Self {
        let one = |alert: &pavane_sentinel_engine::Alert| One {
            status: alert.status.as_str(),
            labels: alert.labels.clone(),
            annotations: annotations(alert, external_url),
            starts_at: rfc3339(alert.starts_at),
            ends_at: alert.ends_at.map(rfc3339).unwrap_or_default(),
            link: link(&alert.labels, external_url),
        };
        Self {
            status: news.status().as_str(),
            reason: news.reason.as_str(),
            receiver: news.receiver.clone(),
            count: news.alerts.len() + news.truncated,
            truncated: news.truncated,
            group_labels: news.group_labels.clone(),
            common_labels: common(news.alerts.iter().map(|alert| &alert.labels)),
            external_url: external_url.to_owned(),
            alerts: news.alerts.iter().map(one).collect(),
        }
    }

    /// Something to try a template on.
    fn sample() -> Self {
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let labels: Labels =
            map(&[("alertname", "RolloutStalled"), ("severity", "page"), ("owner", "identity")]);
        let one = One {
            status: "firing",
            annotations: map(&[("summary", "nothing is the matter"), ("description", "this is a try")]),
            starts_at: value(&labels, "").to_owned(),
            ends_at: String::new(),
            link: String::new(),
            labels: labels.clone(),
        };
        Self {
            status: "firing",
            reason: "first notification",
            receiver: "sample".to_owned(),
            count: 1,
            truncated: 0,
            group_labels: Labels::new(),
            common_labels: labels,
            external_url: String::new(),
            alerts: vec![one],
        }
    }
}
