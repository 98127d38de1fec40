//! From lines to the fold. Nothing that stands there is believed before it is checked: an index has its place, a plan its
//! digest, a number its bounds; and what follows from the rest is worked out anew.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pavane_events::command::RULES;
use pavane_events::vocabulary::Decode;
use pavane_events::{Body, Domain, Envelope, Event, EventType, Lookup, Record};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::alert::About;
use crate::clock::{Clock, GRACE, Leap};
use crate::effect::{Alert, AlertStatus, Draft};
use crate::fold::{Fold, Owed};
use crate::input::BlindCause;
use crate::rollout::Status;
use crate::score::Score;
use crate::sequences::Sequence;
use crate::snapshot::SnapshotError;

use super::domain;
use super::written::{self, FORMAT, Head, Line};

mod rollout;

/// Why a line cannot be taken.
enum Defect {
    Json(serde_json::Error),
    What(String),
}

impl From<String> for Defect {
    fn from(what: String) -> Self {
        Self::What(what)
    }
}

/// Reads a fold back.
pub(super) fn read(domain: Domain, bytes: &[u8]) -> Result<Fold, SnapshotError> {
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let head = lines.next().map(|(_, line)| line).unwrap_or_default();
    let mut reader = Reader { fold: begin(domain, head)?, plans: Lookup::default(), rollouts: 0 };
    if !bytes.ends_with(b"\n") {
        return Err(SnapshotError::Torn);
    }
    for (i, bytes) in lines.filter(|(_, line)| !line.is_empty()) {
        let number = i + 1;
        let taken = line(bytes).and_then(|line| reader.take(number, line));
        match taken {
            Ok(false) => {}
            Ok(true) => {
                reader.fold.remind_again();
                return Ok(reader.fold);
            }
            Err(Defect::Json(source)) => return Err(SnapshotError::Line { number, source }),
            Err(Defect::What(what)) => return Err(SnapshotError::Contradiction { number, what }),
        }
    }
    Err(SnapshotError::Torn)
}

/// An empty fold at the offset that the first line names.
fn begin(domain: Domain, line: &[u8]) -> Result<Fold, SnapshotError> {
    /// What every format begins with.
    #[derive(Deserialize)]
    struct Format {
        pavane_snapshot: u32,
    }
    let format: Format = serde_json::from_slice(line).map_err(|_| SnapshotError::NoSnapshot)?;
    if format.pavane_snapshot > FORMAT {
        return Err(SnapshotError::NewerFormat { found: format.pavane_snapshot, known: FORMAT });
    }
    let head: Head =
        serde_json::from_slice(line).map_err(|source| SnapshotError::Line { number: 1, source })?;
    if head.rules > RULES {
        return Err(SnapshotError::NewerRules { found: head.rules, known: RULES });
    }
    if head.domain != domain {
        return Err(SnapshotError::OtherDomain { found: head.domain, expected: domain });
    }
    if !(-1..1 << 53).contains(&head.offset) {
        let what = format!("offset {} is none", head.offset);
        return Err(SnapshotError::Contradiction { number: 1, what });
    }
    let mut fold = Fold::new(domain);
    (fold.offset, fold.rules) = (head.offset, head.rules);
    Ok(fold)
}

fn line(bytes: &[u8]) -> Result<Line, Defect> {
    serde_json::from_slice(bytes).map_err(Defect::Json)
}

/// A fold that is being put together.
struct Reader {
    fold: Fold,
    plans: Lookup<String, Arc<Score>>,
    /// How many rollouts were read.
    rollouts: u64,
}

impl Reader {
    /// Takes a line. True for the last one.
    fn take(&mut self, number: usize, line: Line) -> Result<bool, Defect> {
        let Line {
            clock,
            held,
            hold_told,
            blind,
            own,
            plan,
            rules,
            rollout,
            ended,
            burning,
            owed,
            early,
            sequence,
            seen,
            end,
        } = line;
        if let Some(clock) = clock {
            self.fold.clock = time(clock);
        }
        self.fold.held = held.map(written::Number::get).or(self.fold.held);
        if let Some(told) = hold_told {
            self.hold_told(*told);
        }
        if let Some(blind) = blind {
            self.fold.blind = Some(cause(&blind)?);
        }
        if let Some(own) = own {
            domain::take(&mut self.fold, *own);
        }
        if let Some(plan) = plan {
            self.plan(&plan, rules.unwrap_or(1))?;
        }
        if let Some(rollout) = rollout {
            self.rollout(*rollout)?;
        }
        if let Some(ended) = ended {
            self.ended(&ended)?;
        }
        if let Some(burning) = burning {
            self.burning(*burning)?;
        }
        if let Some(owed) = owed {
            self.owed(draft(*owed)?);
        }
        if let Some(early) = early {
            let early = event(&self.fold.domain, *early)?;
            self.fold.early.push_back(early);
        }
        if let Some(sequence) = sequence {
            self.sequence(sequence)?;
        }
        if let Some(seen) = seen {
            self.seen(&seen)?;
        }
        match end {
            Some(end) if end != number as u64 => Err(format!("it is not line {end}").into()),
            end => Ok(end.is_some()),
        }
    }

    fn hold_told(&mut self, told: domain::Hold) {
        self.fold.hold_told = Some(Box::new(told.alert()));
    }

    fn plan(&mut self, json: &str, rules: i64) -> Result<(), Defect> {
        if !(1..=RULES).contains(&rules) {
            return Err(format!("it is judged by rules {rules}, which nobody knows").into());
        }
        let score = Score::read(json, &pavane_events::identity::sha256_hex(json), rules)?;
        self.fold.share(&score);
        self.plans.insert(score.kept_as(), score);
        Ok(())
    }

    fn rollout(&mut self, written: written::Rollout) -> Result<(), Defect> {
        let score = self.plans.get(&written.plan);
        let score = score.ok_or_else(|| format!("no plan {} stands above it", written.plan))?;
        if self.fold.find(&written.id).is_some() {
            return Err(format!("rollout {} stands above it already", written.id).into());
        }
        let rollout = rollout::of(written, score)?;
        let status = rollout.status;
        let n = self.fold.rollouts.push(rollout);
        self.rollouts += 1;
        if status.is_open() {
            self.fold.own(n);
        }
        if status == Status::Queued {
            self.fold.queued.insert(n);
        }
        Ok(())
    }

    fn ended(&mut self, places: &[i64]) -> Result<(), Defect> {
        /// What no rollout has for a number.
        const FORGOTTEN: u64 = u64::MAX;
        for place in places {
            let n = match *place {
                -1 => FORGOTTEN,
                place => self.number(place)?,
            };
            self.fold.ended.push_back(n);
        }
        Ok(())
    }

    /// The number of the rollout at a place.
    fn number(&self, place: i64) -> Result<u64, Defect> {
        let n = u64::try_from(place).ok().filter(|n| *n < self.rollouts);
        Ok(n.ok_or_else(|| format!("no rollout stands at place {place} above it"))?)
    }

    fn burning(&mut self, written: written::Burning) -> Result<(), Defect> {
        let written::Burning { rollout, concern, of, id, labels, annotations, since, deadline, starts_at } =
            written;
        let n = self.number(i64::try_from(rollout).unwrap_or(-1))?;
        let score = &self.fold.rollouts[n].score;
        let (steps, phases) = (score.plan.steps.len(), score.phases.len());
        let about = About::read(&concern, of, steps, phases);
        let about =
            about.ok_or_else(|| format!("this program knows no alert about {concern} {of} of the plan"))?;
        let (status, ends_at) = (AlertStatus::Firing, None);
        let alert = Alert { id, status, labels, annotations, since, deadline, starts_at, ends_at };
        let new = self.fold.burning.insert((n, about), alert).is_none();
        if let Some(rollout) = self.fold.rollouts.get_mut(n).filter(|_| new) {
            rollout.burning += 1;
        }
        self.fold.note_left_over(n);
        Ok(())
    }

    fn owed(&mut self, draft: Draft) {
        if let Some(id) = draft.id.clone() {
            self.fold.owed.insert(id, Owed(Arc::new(draft)));
        }
    }

    fn sequence(&mut self, written: written::Sequence) -> Result<(), Defect> {
        let written::Sequence { source, boot, number, skipped, left_out, unreadable, before, forked, read } =
            written;
        let number = i64::try_from(number).map_err(|_| format!("{number} is out of range"))?;
        let unreadable = unreadable.get().max(0);
        let read = read.get();
        let left_out = left_out.map(|(first, last)| (first.get(), last.get()));
        let sequence = Sequence { boot, number, skipped, left_out, unreadable, before, forked, read };
        self.fold.sequences.put(source, sequence);
        Ok(())
    }

    fn seen(&mut self, text: &str) -> Result<(), Defect> {
        let bytes = STANDARD_NO_PAD.decode(text).map_err(|error| error.to_string())?;
        let (identities, []) = bytes.as_chunks::<16>() else {
            return Err(format!("{} bytes are no identities", bytes.len()).into());
        };
        for identity in identities {
            let half = |from: usize| u64::from_le_bytes(std::array::from_fn(|i| identity[from + i]));
            self.fold.seen.put([half(0), half(8)]);
        }
        Ok(())
    }
}

fn time(written: written::Clock) -> Clock {
    let written::Clock { now, last, adjust, grace, leaps } = written;
    let leap = |(offset, by): (written::Number, written::Number)| Leap { offset: offset.get(), by: by.get() };
    let grace = grace.map_or(GRACE, written::Number::get).max(0);
    Clock { now, last, adjust: adjust.get(), leaps: leaps.into_iter().map(leap).collect(), grace }
}

/// The causes that the log itself can give.
fn cause(text: &str) -> Result<BlindCause, Defect> {
    let known = [BlindCause::NewerVocabulary, BlindCause::NewerRules];
    let cause = known.into_iter().find(|cause| cause.as_str() == text);
    Ok(cause.ok_or_else(|| format!("this program knows no blindness by {text}"))?)
}

fn draft(written: written::Draft) -> Result<Draft, Defect> {
    let written::Draft { id, rollout, causation, service, event, body } = written;
    Ok(Draft { id: Some(id), rollout, causation, service, body: self::body(&event, body)? })
}

fn event(domain: &Domain, written: written::Record) -> Result<Record, Defect> {
    let envelope = Envelope {
        time: written.time,
        subject: written.subject,
        rollout: written.rollout,
        causation: written.causation,
        service: written.service,
        instance: written.instance,
        zone: written.zone,
        version: written.version,
        boot: written.boot,
        sequence: written.sequence,
        replica: written.replica,
        traceparent: written.traceparent,
        ..Envelope::new(domain.clone(), written.source, written.id)
    };
    let body = body(&written.event, written.body)?;
    Ok(Record { offset: written.offset.get(), at: written.at, event: Event { envelope, body } })
}

fn body(event: &str, body: Value) -> Result<Body, Defect> {
    /// A body as it is written.
    struct Written(Value);
    impl Decode for Written {
        type Error = serde_json::Error;
        fn decode<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
            serde_json::from_value(self.0)
        }
    }
    Body::decode(event_type(event)?, Written(body)).map_err(Defect::Json)
}

fn event_type(event: &str) -> Result<EventType, Defect> {
    let known = EventType::from_short(event);
    Ok(known.ok_or_else(|| format!("this program knows no event {event}"))?)
}

fn placed(place: usize, places: usize, what: &str) -> Result<usize, Defect> {
    if place < places {
        return Ok(place);
    }
    Err(format!("the plan has {places} {what}s, and it names the one at place {place}").into())
}
