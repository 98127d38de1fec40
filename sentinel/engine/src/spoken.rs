//! The last words of the instances about a step, in the order of their names.

use pavane_events::{Instance, Version};
use serde::{Deserialize, Serialize};

use crate::few::Few;

/// What an instance said last about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Saying {
    Started,
    /// The awaited event.
    Awaited,
    /// The awaited event, of a version that does not count.
    WrongVersion,
    Failed,
    Drained,
}

/// The last word of one instance about a step.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) saying: Saying,
    /// Whether the instance has begun to change itself in this rollout: one that only said `Ready` has nothing to
    /// go back from.
    pub(crate) moved: bool,
    pub(crate) offset: i64,
    /// What words without a version and a number do not have.
    pub(crate) more: Option<Box<More>>,
}

/// What a word says besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct More {
    pub(crate) version: Option<Version>,
    pub(crate) from: Option<Version>,
    /// Why, and below it the last lines of a hook.
    pub(crate) detail: String,
    /// What a hook ended with, where one failed.
    pub(crate) exit: Option<i64>,
    pub(crate) boot: Option<String>,
    pub(crate) sequence: Option<i64>,
}

impl More {
    /// Itself, unless there is nothing in it.
    pub(crate) fn kept(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

impl Word {
    /// Whether this word was said after another of the same boot, whichever came to the log first.
    pub(crate) fn is_later_than(&self, other: &Self) -> bool {
        let (Some(own), Some(other)) = (&self.more, &other.more) else { return false };
        own.boot.is_some() && own.boot == other.boot && own.sequence > other.sequence
    }

    /// The version that it is about.
    pub(crate) fn version(&self) -> Option<&Version> {
        self.more.as_ref()?.version.as_ref()
    }

    /// The version that ran before.
    pub(crate) fn from(&self) -> Option<&Version> {
        self.more.as_ref()?.from.as_ref()
    }

    /// Why, for a person; empty where nothing is said of it.
    pub(crate) fn detail(&self) -> &str {
        self.whole().lines().next().unwrap_or("")
    }

    /// The last lines of the hook, where it is one.
    pub(crate) fn output(&self) -> impl Iterator<Item = &str> {
        self.whole().lines().skip(1)
    }

    /// What the hook ended with, where one failed and ended by itself.
    pub(crate) fn exit(&self) -> Option<i64> {
        self.more.as_ref()?.exit
    }

    fn whole(&self) -> &str {
        self.more.as_ref().map_or("", |more| &more.detail)
    }

    /// Takes over what an earlier word of the same instance said for good.
    pub(crate) fn follow(&mut self, before: &Self) {
        self.moved |= before.moved;
        if self.from().is_none()
            && let Some(from) = before.from()
        {
            self.more.get_or_insert_default().from = Some(from.clone());
        }
    }
}

/// The last word of each instance. They are few, so a sorted list is smaller and quicker than a tree; and mostly there is
/// one, which lies in place.
#[derive(Clone, Debug)]
pub(crate) struct Words(Few<(Instance, Word)>);

impl Words {
    pub(crate) const NONE: Self = Self(Few::None);

    /// The word of the first that speaks.
    pub(crate) const fn one(instance: Instance, word: Word) -> Self {
        Self(Few::One((instance, word)))
    }

    pub(crate) fn get(&self, instance: &Instance) -> Option<&Word> {
        self.place(instance).ok().map(|place| &self.0.all()[place].1)
    }

    pub(crate) fn contains_key(&self, instance: &Instance) -> bool {
        self.place(instance).is_ok()
    }

    pub(crate) fn insert(&mut self, instance: Instance, word: Word) {
        match self.place(&instance) {
            Ok(place) => self.0.all_mut()[place].1 = word,
            Err(place) => self.0.insert(place, (instance, word)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Instance, &Word)> {
        self.0.all().iter().map(|(instance, word)| (instance, word))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Instance> {
        self.0.all().iter().map(|(instance, _)| instance)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Word> {
        self.0.all().iter().map(|(_, word)| word)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, instance: &Instance) -> Result<usize, usize> {
        self.0.all().binary_search_by(|(other, _)| other.cmp(instance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_the_order_of_names_whoever_spoke_first() {
        let name = |name: &str| Instance::new(name).expect("a name");
        let word = |offset| Word { saying: Saying::Awaited, moved: true, offset, more: None };
        let mut words = Words::NONE;
        assert!(words.is_empty());
        for (offset, by) in (0..).zip(["b", "b", "c", "a", "c"]) {
            words.insert(name(by), word(offset));
        }
        let said: Vec<_> = words.iter().map(|(by, word)| (by.as_str(), word.offset)).collect();
        assert_eq!(said, [("a", 3), ("b", 1), ("c", 4)]);
        assert!(words.contains_key(&name("a")) && words.get(&name("d")).is_none());
    }
}
