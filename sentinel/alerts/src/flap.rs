//! What begins and ends again and again is told as one that has not ended.

use std::collections::{BTreeMap, VecDeque};

use pavane_events::{Millis, Timestamp};

use crate::Labels;

/// How far back beginnings are counted: half an hour.
const LOOK_BACK: Millis = 30 * 60_000;
/// From so many beginnings on it flaps.
const MANY: usize = 3;
/// How long something that flaps must be quiet before its end is believed: ten minutes.
const QUIET: Millis = 10 * 60_000;

/// When each alert began and ended lately, by its labels.
#[derive(Debug, Default)]
pub(crate) struct Flaps {
    stories: BTreeMap<Labels, Story>,
    /// When it is worth while to forget again.
    forget_at: Timestamp,
}

#[derive(Debug, Default)]
struct Story {
    began: VecDeque<Timestamp>,
    /// When the last one ended; none while one burns.
    ended: Option<Timestamp>,
}

impl Flaps {
    /// An alert with these labels began.
    pub(crate) fn begins(&mut self, labels: &Labels, at: Timestamp) {
        let story = self.stories.entry(labels.clone()).or_default();
        story.ended = None;
        story.began.push_back(at);
        while story.began.len() > MANY
            || story.began.front().is_some_and(|first| at.since(*first) > LOOK_BACK)
        {
            story.began.pop_front();
        }
    }

    /// An alert with these labels ended.
    pub(crate) fn ends(&mut self, labels: &Labels, at: Timestamp) {
        if let Some(story) = self.stories.get_mut(labels) {
            story.ended = Some(at);
        }
    }

    /// When the end of an alert with these labels is believed; none while it flaps and burns again.
    pub(crate) fn believed(&self, labels: &Labels, ended: Timestamp) -> Option<Timestamp> {
        match self.stories.get(labels) {
            Some(story) if story.began.len() >= MANY => story.ended.map(|last| last.max(ended).plus(QUIET)),
            Some(_) | None => Some(ended),
        }
    }

    /// Forgets what is too old to count.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        if now < self.forget_at {
            return;
        }
        self.forget_at = now.plus(QUIET);
        let is_fresh = |last: &Timestamp| now.since(*last) <= LOOK_BACK;
        self.stories.retain(|_, story| story.ended.is_none_or(|ended| is_fresh(&ended)));
    }
}
