//! A part of a log: from one place to another, a place being an offset or a moment of the broker's time.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pavane_events::{Entry, Timestamp};
use pavane_sentinel_engine::Engine;

use super::source::Records;
use crate::commands::Context;
use crate::failure::Failure;

/// Which records of which log.
#[derive(Args, Clone, Debug)]
pub struct Range {
    /// Read a file that `pavane replay --export` wrote, instead of the domain's log.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Look from here on: an offset, a moment in UTC or a day.
    #[arg(long, value_name = "PLACE")]
    pub from: Option<Place>,
    /// Look up to here, exclusive: an offset, a moment in UTC or a day.
    #[arg(long, value_name = "PLACE")]
    pub to: Option<Place>,
}

/// An offset, or a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An offset of the domain's partition.
    Offset(i64),
    /// A moment of the broker's time.
    Moment(Timestamp),
}

impl Range {
    /// The records of the file that is named, or of the domain's log, to the end that it has at this moment.
    pub async fn records(&self, context: Context<'_>) -> Result<Records, Failure> {
        if let Some(file) = &self.file {
            return Ok(Records::of_file(file)?.with_bytes());
        }
        let domain = context.connection.domain()?;
        let bus = context.connection.bus().await?;
        Records::of_log(&bus, &domain).await
    }

    /// Whether an entry stands before the range.
    pub fn is_before(&self, entry: &Entry) -> bool {
        self.from.is_some_and(|from| !from.is_reached(entry))
    }

    /// Whether an entry stands behind the range: nothing more is wanted.
    pub fn is_over(&self, entry: &Entry) -> bool {
        self.to.is_some_and(|to| to.is_reached(entry))
    }
}

impl Place {
    /// Whether whoever has read so far has read nothing that stands there or after it.
    pub fn is_ahead_of(self, engine: &Engine) -> bool {
        match self {
            Self::Offset(offset) => engine.position() < offset,
            Self::Moment(at) => engine.time() < at,
        }
    }

    /// Whether an entry stands there or after it.
    pub fn is_reached(self, entry: &Entry) -> bool {
        match self {
            Self::Offset(offset) => entry.offset() >= offset,
            Self::Moment(at) => entry.at() >= at,
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(offset) = text.parse::<i64>() {
            return if offset >= 0 {
                Ok(Self::Offset(offset))
            } else {
                Err("no offset is below 0".to_owned())
            };
        }
        let moment = |at: jiff::Timestamp| Self::Moment(Timestamp(at.as_millisecond()));
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(moment(at));
        }
        let day = text.parse::<Date>().ok().and_then(|day| day.to_zoned(TimeZone::UTC).ok());
        let day = day.filter(|_| !text.contains('T')).map(|day| moment(day.timestamp()));
        day.ok_or_else(|| {
            "write an offset (41), a moment (2026-01-05T10:02:03Z) or a day (2026-01-05)".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_offset_a_moment_or_a_day_in_utc() {
        assert_eq!("41".parse(), Ok(Place::Offset(41)));
        assert_eq!("1970-01-01T00:00:01.5Z".parse(), Ok(Place::Moment(Timestamp(1_500))));
        assert_eq!("1970-01-02".parse(), Ok(Place::Moment(Timestamp(86_400_000))));
        for bad in ["-1", "soon", "", "2026-13-01", "1970-01-02T10:00"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
