//! A part of a log: from one place to another, a place being an offset or a moment of the broker's time.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pavane_events::{Entry, Timestamp};
use pavane_sentinel_engine::Engine;

use super::court::Court;
use super::source::Records;
use crate::commands::Context;
use crate::failure::Failure;
use crate::outage;

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
        Ok(self.records_alone(context).await?.with_bytes())
    }

    /// The same, without the bytes of a file's records.
    async fn records_alone(&self, context: Context<'_>) -> Result<Records, Failure> {
        if let Some(file) = &self.file {
            return Records::of_file(file);
        }
        let domain = context.connection.domain()?;
        let bus = context.connection.bus().await?;
        Records::of_log(&bus, &domain).await
    }

    /// The records, and who judges them: where the log's beginning is gone, from the newest snapshot before the range on. What
    /// that leaves out is said.
    pub async fn judged(&self, context: Context<'_>) -> Result<(Records, Court), Failure> {
        let records = self.records_alone(context).await?;
        let (domain, begins) = (records.head().domain.clone(), records.head().begins);
        let mut kept = None;
        if begins > 0 && self.file.is_none() {
            let bus = context.connection.bus().await?;
            let all = pavane_sentinel::all_kept(&bus, &domain, "replay", begins).await.map_err(outage::of)?;
            kept = before(all, self.from);
        }
        let court = kept.map_or_else(|| Court::new(&domain, begins), Court::resumed);
        self.warn(begins, &court, context);
        Ok((records, court))
    }

    /// The records, and who judges them knowing nothing but what is there. What that leaves out is said.
    pub async fn from_the_first(&self, context: Context<'_>) -> Result<(Records, Court), Failure> {
        let records = self.records_alone(context).await?;
        let court = Court::new(&records.head().domain, records.head().begins);
        self.warn(records.head().begins, &court, context);
        Ok((records, court))
    }

    /// Says what cannot be seen of a log whose beginning is gone.
    fn warn(&self, begins: i64, court: &Court, context: Context<'_>) {
        if begins > 0 {
            context.console.warn(&self.unseen(begins, court));
        }
    }

    fn unseen(&self, begins: i64, court: &Court) -> String {
        let known = court.position();
        if known < 0 {
            return format!(
                "warning: the log begins at offset {begins}, and no snapshot is read that it goes on from: what was \
                 decided before is not known, nor whether what is said now was accepted then"
            );
        }
        let range = match self.from {
            Some(Place::Offset(from)) if from > known => "",
            Some(_) | None => "; of the range, what lies up to there is not judged again",
        };
        format!(
            "warning: the log begins at offset {begins}: what was decided up to offset {known} is known from a \
             snapshot{range}"
        )
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

/// Of the snapshots, the newest first, the one to go on from: the newest before the range, or the one that leaves least of
/// it out.
fn before(mut kept: Vec<Engine>, from: Option<Place>) -> Option<Engine> {
    let place = kept.iter().position(|engine| from.is_some_and(|from| from.is_ahead_of(engine)));
    match place {
        Some(place) => Some(kept.swap_remove(place)),
        None => kept.pop(),
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::Domain;

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

    fn engine(position: i64) -> Engine {
        Engine::begun_after(Domain::new("shop").expect("a name"), "replay".to_owned(), position)
    }

    #[test]
    fn the_newest_snapshot_before_the_range_is_taken_or_the_one_that_leaves_least_out() {
        let of = |from: Option<i64>| {
            let kept = vec![engine(90), engine(60), engine(30)];
            before(kept, from.map(Place::Offset)).map(|engine| engine.position())
        };
        assert_eq!(
            [of(Some(91)), of(Some(90)), of(Some(31)), of(Some(30))],
            [Some(90), Some(60), Some(30), Some(30)]
        );
        assert_eq!(of(None), Some(30));
        assert!(before(Vec::new(), None).is_none());
    }
}
