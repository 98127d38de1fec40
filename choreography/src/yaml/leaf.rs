//! What a single value can be: text, name, number, duration, address, one of several words.

use std::ops::RangeInclusive;
use std::str::FromStr;

use pavane_events::{Millis, Service};

use super::book::Reported;
use super::choice::did_you_mean;
use super::item::Item;
use super::shape;
use crate::diagnostic::Code;

/// The longest duration that is read, in milliseconds: 90 days, as long as the log is kept.
pub const MAX_DURATION: Millis = 90 * 24 * 60 * 60 * 1000;

/// The longest text that is read, in bytes.
const MAX_TEXT: usize = 4096;

impl Item<'_> {
    /// Reads a text of 1 to 4096 bytes without control characters or marks that turn the reading direction.
    pub fn text(&self) -> Result<String, Reported> {
        self.shaped(shape::text)?;
        let text = self.scalar("a text")?;
        let refuse = |what: &str, help: &str| {
            Err(self.refuse(Code::BadText, format!("`{}` {what}", self.field()), help))
        };
        match text {
            "" => refuse("is an empty text", "write something or leave the field out"),
            _ if text.len() > MAX_TEXT => refuse("is longer than 4096 bytes", "shorten it"),
            _ if text.chars().any(deceives) => refuse(
                "holds control characters or direction marks",
                "a text is one line of visible characters",
            ),
            _ => Ok(text.to_owned()),
        }
    }

    /// Reads a checked name, e.g. a [`Service`] or a [`Version`](pavane_events::Version).
    pub fn name<T: FromStr<Err: std::fmt::Display>>(&self) -> Result<T, Reported> {
        self.shaped(shape::name)?;
        let text = self.scalar("a name")?;
        text.parse().map_err(|error: T::Err| self.refuse(Code::BadName, error.to_string(), ""))
    }

    /// Reads a label of our own kind of name: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    pub fn label(&self) -> Result<String, Reported> {
        self.shaped(shape::name)?;
        let text = self.scalar("a name")?;
        if Service::new(text).is_ok() {
            return Ok(text.to_owned());
        }
        let message = format!("`{}` is not a name: {:?}", self.field(), shown(text));
        Err(self.refuse(Code::BadName, message, "use 1 to 64 characters of A-Z a-z 0-9 and `._-`"))
    }

    /// Reads a whole number within a range.
    pub fn count(&self, range: RangeInclusive<u32>) -> Result<u32, Reported> {
        self.shaped(|| shape::count(&range))?;
        let (low, high) = (range.start(), range.end());
        let wanted = format!("a whole number from {low} to {high}");
        let text = self.unquoted(&wanted)?;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            let message = format!("`{}` is {}; it wants {wanted}", self.field(), shown(text));
            self.refuse(Code::BadNumber, message, "")
        })
    }

    /// Reads a decimal number such as `0.01`, of at most 15 digits: as many as survive every journey.
    pub fn decimal(&self) -> Result<serde_json::Number, Reported> {
        self.shaped(shape::decimal)?;
        let text = self.unquoted("a number")?;
        decimal(text).ok_or_else(|| {
            let message = format!("`{}` is {}; it wants a decimal number", self.field(), shown(text));
            self.refuse(Code::BadNumber, message, "write e.g. `0.01` or `3`, with at most 15 digits")
        })
    }

    /// Reads a time of day such as `22:00`, as the minute of the day.
    pub fn time_of_day(&self) -> Result<u32, Reported> {
        self.shaped(shape::time_of_day)?;
        let text = self.scalar("a time of day")?;
        minute_of_day(text).ok_or_else(|| {
            let message = format!("`{}` is not a time of day: {:?}", self.field(), shown(text));
            self.refuse(Code::BadTime, message, "write hours and minutes from \"00:00\" to \"23:59\", in UTC")
        })
    }

    /// Reads `true` or `false`.
    pub fn boolean(&self) -> Result<bool, Reported> {
        self.shaped(shape::boolean)?;
        match self.unquoted("`true` or `false`")? {
            "true" => Ok(true),
            "false" => Ok(false),
            text => {
                let message = format!("`{}` is {}; it wants `true` or `false`", self.field(), shown(text));
                Err(self.refuse(Code::WrongType, message, ""))
            }
        }
    }

    /// Reads a duration such as `250ms`, `30s` or `1h30m`, of 1 ms to 90 days.
    pub fn duration(&self) -> Result<Millis, Reported> {
        self.duration_in(1..=MAX_DURATION)
    }

    /// Reads a duration within a range of milliseconds.
    pub fn duration_in(&self, range: RangeInclusive<Millis>) -> Result<Millis, Reported> {
        self.shaped(shape::duration)?;
        let text = self.scalar("a duration")?;
        let length = millis(text).ok_or_else(|| self.not_a_duration(text))?;
        if range.contains(&length) {
            return Ok(length);
        }
        let message = format!(
            "`{}` is {}; it must be {} to {}",
            self.field(),
            shown(text),
            lasting(*range.start()),
            lasting(*range.end())
        );
        Err(self.refuse(Code::BadDuration, message, ""))
    }

    /// Reads two durations such as `1s..30s`, the first not above the second.
    pub fn duration_range(&self) -> Result<RangeInclusive<Millis>, Reported> {
        self.shaped(shape::duration_range)?;
        let text = self.scalar("two durations such as `1s..30s`")?;
        let both = text.split_once("..").and_then(|(low, high)| Some((millis(low)?, millis(high)?)));
        match both {
            Some((low, high)) if 0 < low && low <= high && high <= MAX_DURATION => Ok(low..=high),
            Some(_) | None => {
                let message = format!(
                    "`{}` is {}; it wants two durations, the shorter first",
                    self.field(),
                    shown(text)
                );
                Err(self.refuse(Code::BadDuration, message, "write e.g. `1s..30s`"))
            }
        }
    }

    /// Reads a version requirement such as `>=2.0.0, <3`.
    pub fn version_requirement(&self) -> Result<semver::VersionReq, Reported> {
        self.shaped(shape::version_requirement)?;
        let text = self.scalar("a version requirement")?;
        semver::VersionReq::parse(text).map_err(|error| {
            let message = format!("`{}` is not a version requirement: {error}", self.field());
            self.refuse(Code::BadVersion, message, "write e.g. `2.1.0` or `\">=2.0.0, <3\"`")
        })
    }

    /// Reads an `http` or `https` URL.
    pub fn url(&self) -> Result<String, Reported> {
        self.shaped(shape::url)?;
        let text = self.text()?;
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        if host.is_some_and(|host| !host.is_empty()) && !text.contains(char::is_whitespace) {
            return Ok(text);
        }
        let message = format!("`{}` is not a URL: {:?}", self.field(), shown(&text));
        Err(self.refuse(Code::BadAddress, message, "write e.g. `https://runbooks.example/users`"))
    }

    /// Reads an address to listen at, such as `127.0.0.1:3650`.
    pub fn socket(&self) -> Result<std::net::SocketAddr, Reported> {
        self.shaped(shape::socket)?;
        let text = self.scalar("an address")?;
        text.parse().map_err(|_| {
            let message = format!("`{}` is not an address with a port: {:?}", self.field(), shown(text));
            self.refuse(Code::BadAddress, message, "write e.g. `127.0.0.1:3650`")
        })
    }

    /// Reads one of several words.
    pub fn one_of<T: Clone>(&self, choices: &[(&str, T)]) -> Result<T, Reported> {
        self.shaped(|| shape::word(&words(choices)))?;
        let text = self.scalar("a word")?;
        if let Some((_, meant)) = choices.iter().find(|(word, _)| *word == text) {
            return Ok(meant.clone());
        }
        let message = format!("`{}` cannot be {:?}", self.field(), shown(text));
        Err(self.refuse(Code::UnknownChoice, message, did_you_mean(text, &words(choices))))
    }

    fn not_a_duration(&self, text: &str) -> Reported {
        let message = format!("`{}` is not a duration: {:?}", self.field(), shown(text));
        self.refuse(Code::BadDuration, message, "write e.g. `250ms`, `30s`, `10m` or `1h30m`")
    }
}

fn words<'w, T>(choices: &[(&'w str, T)]) -> Vec<&'w str> {
    choices.iter().map(|(word, _)| *word).collect()
}

/// A text as it may stand in a message: its beginning, without anything that could deceive.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let clean = |c| if deceives(c) { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(LONGEST).map(clean).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// Whether a character shows a person something else than what stands there: control characters, marks of direction, and
/// what is invisible.
pub fn deceives(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let invisible = matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{2028}' | '\u{2029}');
    c.is_control() || turns || invisible
}

fn decimal(text: &str) -> Option<serde_json::Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
    let written = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !written(whole) || !part.is_none_or(written) || whole.len() + part.map_or(0, str::len) > 15 {
        return None;
    }
    match part {
        None => text.parse::<i64>().ok().map(serde_json::Number::from),
        Some(_) => text.parse().ok().and_then(serde_json::Number::from_f64),
    }
}

fn minute_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let part = |digits: &str, below: u32| {
        let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = if two { digits.parse().ok()? } else { return None };
        (number < below).then_some(number)
    };
    Some(part(hours, 24)? * 60 + part(minutes, 60)?)
}

/// Units from the largest to the smallest, in milliseconds.
const UNITS: [(&str, Millis); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// The milliseconds of a duration whose units stand in descending order, each at most once.
fn millis(text: &str) -> Option<Millis> {
    let (mut rest, mut total, mut allowed) = (text, 0_i64, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let place = allowed.iter().position(|(name, _)| *name == unit)?;
        let length = number.parse::<Millis>().ok()?.checked_mul(allowed[place].1)?;
        total = total.checked_add(length)?;
        (rest, allowed) = (tail, &allowed[place + 1..]);
    }
    (!text.is_empty()).then_some(total)
}

/// A length of time as it is written in files, e.g. `1d2h`, `5m10s` or `250ms`; less than nothing is `0s`.
pub fn lasting(length: Millis) -> String {
    let (mut text, mut rest) = (String::new(), length.max(0));
    for (name, unit) in UNITS {
        if rest >= unit {
            text = format!("{text}{}{name}", rest / unit);
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
