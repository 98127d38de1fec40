//! One step of a rollout: what its instances said, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut, Index, IndexMut};

use pavane_events::service::EventRejected;
use pavane_events::{Cause, Evidence, Instance, Record, Service, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::Mark;
use crate::diagnosis::record::rejected;
use crate::spoken::{Saying, Word, Words};

/// What an instance answered to the request to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Complete,
    Failed,
    Refused,
}

/// Why a step is taken to stand still, by what proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proof {
    /// The deadline passed and no instance had said anything.
    NotStarted,
    /// The deadline passed and the count was not full.
    NotFinished,
    /// A record on the log says so.
    Cited,
    /// The deadline of its compensation passed.
    Compensation,
    /// The metric that its phase is watched by broke its bound.
    Breach,
}

/// Who counted a step as met, whatever its service says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overriding {
    /// Who says it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Where it stands on the log.
    pub offset: i64,
    /// The broker's time of it.
    pub at: Timestamp,
}

/// A step that stands still.
#[derive(Clone, Debug)]
pub(crate) struct Stall {
    pub(crate) proof: Proof,
    pub(crate) cause: Cause,
    /// The unadjusted append time of the accepted proposal: a heartbeat that justifies a rollback is later.
    pub(crate) raw: Timestamp,
    /// What is missing, where it is no event.
    pub(crate) missing: Option<String>,
    /// Whether the plan's remedy has been taken, or a person has gone on without it: the sentinel does no more by itself.
    pub(crate) in_hand: bool,
    /// The value that broke the bound of its phase.
    pub(crate) metric: Option<Evidence>,
}

/// An event that a service which waits for the step could not read.
#[derive(Clone, Debug)]
pub(crate) struct Rejection {
    pub(crate) offset: i64,
    /// Where the event stands that it could not read.
    pub(crate) unread: Option<i64>,
    pub(crate) instance: Option<Instance>,
    /// Who said it.
    pub(crate) producer: Option<Service>,
    pub(crate) schema_id: Option<i64>,
    /// JSON pointer of the field that differs; empty where that is not known.
    pub(crate) field: String,
    pub(crate) detail: String,
}

impl Rejection {
    /// What a record says of an event that somebody could not read.
    pub(crate) fn of(record: &Record, said: &EventRejected) -> Self {
        Self {
            offset: record.offset,
            unread: Some(said.offset),
            instance: record.event.envelope.instance.clone(),
            producer: said.producer.clone(),
            schema_id: said.schema_id,
            field: said.field.clone(),
            detail: rejected(said),
        }
    }
}

/// A record that nobody can read and that could have been the awaited event.
#[derive(Clone, Debug)]
pub(crate) struct Taint {
    pub(crate) offset: i64,
    /// Why nobody can, for a person.
    pub(crate) why: String,
    pub(crate) schema_id: Option<i64>,
    /// As [`Rejection::field`].
    pub(crate) field: String,
}

/// An event of the step that came before any of its prerequisites.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) offset: i64,
    pub(crate) instance: Instance,
    pub(crate) missing: Vec<String>,
    pub(crate) accepted: bool,
}

/// What is known of one step.
///
/// A step that goes as planned has nothing but words and windows, so all that few have lies [apart](Seldom). It is read
/// and written as if it did not.
#[derive(Clone, Debug)]
pub(crate) struct StepState {
    pub(crate) words: Words,
    /// When its window began.
    pub(crate) anchor: Option<Mark>,
    /// When its count was complete.
    pub(crate) full: Option<Mark>,
    pub(crate) attempt: i64,
    seldom: Option<Box<Seldom>>,
}

/// What few steps have.
#[derive(Clone, Debug)]
pub(crate) struct Seldom {
    pub(crate) stall: Option<Stall>,
    pub(crate) rejection: Option<Rejection>,
    pub(crate) taint: Option<Taint>,
    pub(crate) violation: Option<Violation>,
    /// When its turn to go back came.
    pub(crate) turn: Option<Mark>,
    pub(crate) turns: i64,
    pub(crate) answers: BTreeMap<Instance, Answer>,
    /// Whether it is part of the way back.
    pub(crate) goes_back: bool,
    /// How many instances it wants, where the plan asks for a share of them and they have been counted.
    pub(crate) counted: Option<u32>,
    /// The instances that may move, where its phase picked some.
    pub(crate) members: BTreeSet<Instance>,
    /// Whether a person counted it as met.
    pub(crate) overridden: bool,
    /// Who did; the last one.
    pub(crate) overridden_by: Option<Overriding>,
}

impl Seldom {
    const NOTHING: Self = Self {
        stall: None,
        rejection: None,
        taint: None,
        violation: None,
        turn: None,
        turns: 0,
        answers: BTreeMap::new(),
        goes_back: false,
        counted: None,
        members: BTreeSet::new(),
        overridden: false,
        overridden_by: None,
    };
}

impl Deref for StepState {
    type Target = Seldom;

    fn deref(&self) -> &Seldom {
        static NOTHING: Seldom = Seldom::NOTHING;
        self.seldom.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for StepState {
    fn deref_mut(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_with(|| Box::new(Seldom::NOTHING))
    }
}

impl StepState {
    const UNTOUCHED: Self = Self { words: Words::NONE, anchor: None, full: None, attempt: 1, seldom: None };

    /// Whether it has nothing but words and windows.
    pub(crate) const fn is_plain(&self) -> bool {
        self.seldom.is_none()
    }

    /// Whether its window is open, nothing was said of it yet, and nothing ever went another way than planned.
    pub(crate) const fn awaits_first_word(&self) -> bool {
        let open = self.anchor.is_some() && self.full.is_none();
        open && self.is_plain() && self.words.is_empty()
    }

    /// Whether nothing is known of it.
    pub(crate) fn is_untouched(&self) -> bool {
        let Seldom {
            stall,
            rejection,
            taint,
            violation,
            turn,
            turns,
            answers,
            goes_back,
            counted,
            members,
            overridden,
            overridden_by,
        } = &**self;
        let nothing = stall.is_none() && rejection.is_none() && taint.is_none() && violation.is_none();
        let forward = turn.is_none() && *turns == 0 && answers.is_empty() && !goes_back;
        let plain = self.words.is_empty() && self.anchor.is_none() && self.full.is_none();
        plain
            && self.attempt == 1
            && nothing
            && forward
            && counted.is_none()
            && members.is_empty()
            && !overridden
            && overridden_by.is_none()
    }

    /// What few steps have, if this one has it.
    pub(crate) fn seldom_mut(&mut self) -> Option<&mut Seldom> {
        self.seldom.as_deref_mut()
    }

    /// Whether an instance has come: it has said the awaited event last, or a person says so.
    pub(crate) fn has_come(&self) -> bool {
        self.overridden || self.words.values().any(|word| word.saying == Saying::Awaited)
    }

    /// Whether an instance's last word is the awaited event of a version that does not count.
    pub(crate) fn is_contradicted(&self) -> bool {
        self.words.values().any(|word| word.saying == Saying::WrongVersion)
    }

    /// The cause of a stall that cites the record at this offset.
    pub(crate) fn cited(&self, offset: i64) -> Cause {
        let is_it = |word: &&Word| word.offset == offset && word.saying == Saying::WrongVersion;
        match &self.rejection {
            Some(rejection) if rejection.offset == offset => Cause::ContractBroken,
            _ if self.words.values().any(|word| is_it(&word)) => Cause::Conflict,
            _ => Cause::Failed,
        }
    }

    /// The instances that have something to go back from.
    pub(crate) fn moved(&self) -> impl Iterator<Item = &Instance> {
        self.words.iter().filter(|(_, word)| word.moved).map(|(instance, _)| instance)
    }

    /// Whether every instance that moved has answered the request to go back.
    pub(crate) fn answered(&self) -> bool {
        self.moved().all(|instance| self.answers.contains_key(instance))
    }

    /// Whether every instance that moved is back.
    pub(crate) fn compensated(&self) -> bool {
        self.moved().all(|instance| self.answers.get(instance) == Some(&Answer::Complete))
    }
}

/// The steps of a rollout. Those after the last one that anything is known of are not there yet.
///
/// Of a rollout that is young only the first is known, so that one lies in place.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    first: Option<StepState>,
    others: Vec<StepState>,
    len: usize,
}

impl Steps {
    /// So many steps of which nothing is known.
    pub(crate) const fn untouched(len: usize) -> Self {
        Self { first: None, others: Vec::new(), len }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Of how many steps, from the first on, something may be known. Nothing is awaited of the others.
    pub(crate) fn touched(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// Whether the count of every step is full.
    pub(crate) fn are_full(&self) -> bool {
        self.touched() == self.len && self.known().all(|state| state.full.is_some())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &StepState> {
        (0..self.len).map(|i| &self[i])
    }

    /// The steps, from the first on, of which something is known.
    pub(crate) fn known(&self) -> impl DoubleEndedIterator<Item = &StepState> {
        self.first.iter().chain(&self.others)
    }

    /// Fetches what is known of them; what it returns means nothing. It asks what takes no branch: else the processor waits.
    pub(crate) fn fetch(&self) -> i64 {
        let asked = |state: &StepState| [state.words.is_empty(), state.is_plain(), state.full.is_none()];
        let one =
            |all, state| asked(state).map(i64::from).iter().fold(all ^ state.attempt, |all, one| all ^ one);
        self.known().fold(0, one)
    }

    /// The steps that something may be known of.
    pub(crate) fn touched_mut(&mut self) -> impl Iterator<Item = &mut StepState> {
        self.first.iter_mut().chain(&mut self.others)
    }

    /// A step, if something may be known of it.
    pub(crate) fn get_mut(&mut self, i: usize) -> Option<&mut StepState> {
        match i.checked_sub(1) {
            None => self.first.as_mut(),
            Some(other) => self.others.get_mut(other),
        }
    }

    /// Takes room for so many besides the first: for all of a small plan at once.
    #[cold]
    fn grow(&mut self, needed: usize) {
        const SMALL: usize = 8;
        let all = self.len - 1;
        let room = if self.len <= SMALL { all } else { needed.max(2 * self.others.len()).min(all) };
        self.others.reserve_exact(room - self.others.len());
    }
}

impl Index<usize> for Steps {
    type Output = StepState;

    fn index(&self, i: usize) -> &StepState {
        static UNTOUCHED: StepState = StepState::UNTOUCHED;
        let known = match i.checked_sub(1) {
            None => self.first.as_ref(),
            Some(other) => self.others.get(other),
        };
        known.unwrap_or(&UNTOUCHED)
    }
}

impl IndexMut<usize> for Steps {
    fn index_mut(&mut self, i: usize) -> &mut StepState {
        let Some(other) = i.checked_sub(1) else {
            return self.first.get_or_insert(StepState::UNTOUCHED);
        };
        self.first.get_or_insert(StepState::UNTOUCHED);
        if other >= self.others.len() {
            if other >= self.others.capacity() {
                self.grow(i);
            }
            // mostly one more, which is written in place
            while self.others.len() <= other {
                self.others.push(StepState::UNTOUCHED);
            }
        }
        &mut self.others[other]
    }
}
