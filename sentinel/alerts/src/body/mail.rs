//! A letter: a subject and a plain text.

use super::shortened;
use super::template::{TemplateError, Words};
use crate::Notification;

/// The longest subject, in characters.
const SUBJECT: usize = 200;

/// The subject and the text.
pub fn letter(
    news: &Notification,
    words: &Words,
    external_url: &str,
) -> Result<(String, String), TemplateError> {
    let subject = shortened(&words.title(news, external_url)?, SUBJECT);
    let text = words.text(news, external_url)?;
    Ok((subject, format!("{text}\n\n--\npavane · {} · {}\n", news.reason.as_str(), news.id)))
}
