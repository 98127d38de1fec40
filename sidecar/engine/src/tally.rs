//! The count of a step's instances' last words.
//!
//! A step wants n distinct instances whose last word in the rollout is the awaited event. What an instance said
//! before does not matter, and neither does what reaches the log late (a lower sequence number of the same boot).

use std::collections::BTreeMap;

use pavane_events::{Envelope, Instance};

/// What an instance said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has begun, or it said the awaited event with a version that does not count.
    Started,
    /// The awaited event.
    Said,
    /// It failed.
    Failed,
    /// It takes no more work.
    Drained,
}

/// The last words of a step's instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    needed: u32,
    overridden: bool,
    words: BTreeMap<Instance, Last>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Last {
    word: Word,
    boot: Option<String>,
    sequence: Option<i64>,
}

impl Tally {
    /// A count that is full with so many instances.
    pub fn new(needed: u32) -> Self {
        Self { needed, ..Self::default() }
    }

    /// Takes the word of whoever wrote the envelope; true when it was what filled the count.
    pub fn hear(&mut self, word: Word, envelope: &Envelope) -> bool {
        let (speaker, was) = (speaker(envelope), self.is_full());
        if self.words.get(&speaker).is_some_and(|last| last.is_newer_than(envelope)) {
            return false;
        }
        let last = Last { word, boot: envelope.boot.clone(), sequence: envelope.sequence };
        self.words.insert(speaker, last);
        !was && self.is_full()
    }

    /// Counts as full from here on, whatever the instances say; true when it was not full before.
    pub fn override_count(&mut self) -> bool {
        let was = self.is_full();
        self.overridden = true;
        !was
    }

    /// Is full with so many instances from here on; true when that fills it.
    pub fn want(&mut self, needed: u32) -> bool {
        let was = self.is_full();
        self.needed = needed;
        !was && self.is_full()
    }

    /// Whether the count is full.
    pub fn is_full(&self) -> bool {
        self.reaches(self.needed)
    }

    /// Whether at least so many distinct instances have said the awaited event last, or a person says so.
    pub fn reaches(&self, instances: u32) -> bool {
        self.overridden || self.said().count() >= instances as usize
    }

    /// The instances that have said the awaited event last.
    pub fn said(&self) -> impl Iterator<Item = &Instance> {
        self.words.iter().filter(|(_, last)| last.word == Word::Said).map(|(instance, _)| instance)
    }

    /// Whether a person says that it counts as full.
    pub const fn is_overridden(&self) -> bool {
        self.overridden
    }

    /// What an instance said last.
    pub fn word_of(&self, instance: &Instance) -> Option<Word> {
        self.words.get(instance).map(|last| last.word)
    }
}

impl Last {
    fn is_newer_than(&self, envelope: &Envelope) -> bool {
        self.boot.is_some() && self.boot == envelope.boot && self.sequence > envelope.sequence
    }
}

/// Who speaks: the instance, or the service where none is named (CI, a deploy tool).
pub fn speaker(envelope: &Envelope) -> Instance {
    let service = || envelope.service.as_ref().map_or("unnamed", |service| service.as_str());
    envelope.instance.clone().unwrap_or_else(|| Instance::new(service()).expect("a service is a name"))
}

#[cfg(test)]
mod tests {
    use pavane_events::{Domain, EventId, Source};

    use super::*;

    #[test]
    fn instances_count_once_and_by_their_last_word() {
        let mut tally = Tally::new(2);
        assert!(!tally.hear(Word::Said, &from("a", "x", 1)));
        assert!(!tally.hear(Word::Said, &from("a", "x", 2)), "the same instance again");
        assert!(tally.hear(Word::Said, &from("b", "y", 1)), "the second one fills it");
        assert!(!tally.hear(Word::Failed, &from("a", "x", 3)));
        assert!(!tally.is_full(), "taken back");
        assert!(tally.hear(Word::Said, &from("a", "x", 4)), "filled again");
    }

    #[test]
    fn an_older_word_of_the_same_boot_changes_nothing_and_a_new_boot_does() {
        let mut tally = Tally::new(1);
        assert!(tally.hear(Word::Said, &from("a", "x", 5)));
        tally.hear(Word::Started, &from("a", "x", 4));
        assert!(tally.is_full());
        tally.hear(Word::Drained, &from("a", "later-boot", 1));
        assert!(!tally.is_full());
    }

    #[test]
    fn an_override_is_a_full_count() {
        let mut tally = Tally::new(3);
        assert!(tally.override_count());
        assert!(!tally.override_count());
        tally.hear(Word::Failed, &from("a", "x", 1));
        assert!(tally.is_full());
    }

    fn from(instance: &str, boot: &str, sequence: i64) -> Envelope {
        let id = EventId::new(format!("{boot}-{sequence}")).unwrap();
        let mut envelope =
            Envelope::new(Domain::new("shop").unwrap(), Source::new("/pavane/shop/s").unwrap(), id);
        envelope.instance = Some(Instance::new(instance).unwrap());
        envelope.boot = Some(boot.to_owned());
        envelope.sequence = Some(sequence);
        envelope
    }
}
