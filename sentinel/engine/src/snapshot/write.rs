//! From the fold to lines. Every struct is taken apart field by field, so that one that is added is not forgotten here.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pavane_events::{Body, Domain, Envelope, Event, Instance, Source};
use serde::Serialize;
use serde_json::Value;

use crate::alert::About;
use crate::clock::Clock;
use crate::effect::{Alert, Draft};
use crate::fold::Fold;
use crate::input::BlindCause;
use crate::phase::PhaseState;
use crate::rollout::{Pending, Rollout};
use crate::rollouts::Rollouts;
use crate::score::Score;
use crate::sequences::Sequence;
use crate::spoken::{More, Word};
use crate::step::{Rejection, Seldom, Stall, StepState, Violation};
use crate::view::{Deed, Verdict};

use super::domain;
use super::written::{self, FORMAT, Head, Line, Number, length};

/// How many identities stand on a line.
const SEEN: usize = 3 * 1_024;

/// Writes a fold. What follows from the rest (who owns what, how much is open, which plans are shared) is not written.
pub(super) fn write(fold: &Fold) -> Vec<u8> {
    let Fold {
        domain,
        sentinel: _,
        clock,
        offset,
        held,
        hold_told,
        rollouts,
        owners: _,
        open: _,
        queued: _,
        owed,
        decided: _,
        burning,
        left_over: _,
        sequences,
        settings,
        brakes,
        services,
        drifting,
        skew,
        reminders: _,
        schedules,
        blind,
        rules,
        knows: _,
        ended,
        scores: _,
        newest_score: _,
        short_ways: _,
        seen,
        early,
    } = fold;
    let mut lines = Lines::default();
    lines.put(&Head { pavane_snapshot: FORMAT, rules: *rules, domain: domain.clone(), offset: *offset });
    lines.put(&Line { clock: Some(time(clock)), ..Line::default() });
    lines.stands(*held, hold_told.as_deref(), *blind);
    for line in domain::lines(settings, brakes, services, drifting, skew, schedules) {
        lines.put(&line);
    }
    lines.rollouts(rollouts);
    let numbers: Vec<u64> = rollouts.iter().map(|(n, _)| n).collect();
    let place = |n: u64| numbers.binary_search(&n).ok();
    lines.ended(ended.iter().map(|n| place(*n)).collect());
    for ((n, about), alert) in burning {
        // an alert of a rollout that is forgotten can neither be asked for nor be over any more
        if let Some(place) = place(*n) {
            lines.put(&Line { burning: Some(Box::new(burns(place, *about, alert))), ..Line::default() });
        }
    }
    for (_, owed) in owed.iter() {
        lines.put(&Line { owed: draft(&owed.0).map(Box::new), ..Line::default() });
    }
    for record in early {
        lines.put(&Line { early: Some(Box::new(event(domain, record))), ..Line::default() });
    }
    for (source, counted) in sequences.iter() {
        lines.put(&Line { sequence: Some(sequence(source, counted)), ..Line::default() });
    }
    lines.seen(seen.iter());
    lines.end()
}

/// The lines that were written so far.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

impl Lines {
    /// What ended, by the places of the rollouts; -1 stands for one that is forgotten.
    fn ended(&mut self, places: Vec<Option<usize>>) {
        if !places.is_empty() {
            let number =
                |place: Option<usize>| place.and_then(|place| i64::try_from(place).ok()).unwrap_or(-1);
            let ended = places.into_iter().map(number).collect();
            self.put(&Line { ended: Some(ended), ..Line::default() });
        }
    }

    fn put(&mut self, line: &impl Serialize) {
        serde_json::to_writer(&mut self.bytes, line).expect("all of it is text, and a Vec takes every byte");
        self.bytes.push(b'\n');
        self.count += 1;
    }

    /// Why nothing goes on in the whole domain.
    fn stands(&mut self, held: Option<i64>, told: Option<&Alert>, blind: Option<BlindCause>) {
        if held.is_some() || blind.is_some() {
            let blind = blind.map(|blind| blind.as_str().to_owned());
            self.put(&Line { held: held.map(Number::of), blind, ..Line::default() });
        }
        if let Some(alert) = told {
            self.put(&Line { hold_told: Some(Box::new(domain::Hold::of(alert))), ..Line::default() });
        }
    }

    fn rollouts(&mut self, rollouts: &Rollouts) {
        let mut plans = BTreeSet::new();
        let mut last: Option<&Arc<Score>> = None;
        for rollout in rollouts.values() {
            let score = &rollout.score;
            if !last.is_some_and(|last| Arc::ptr_eq(last, score))
                && plans.insert((score.digest.as_str(), score.rules))
            {
                let rules = Some(score.rules).filter(|rules| *rules != 1);
                self.put(&Line { plan: Some(score.json.to_string()), rules, ..Line::default() });
            }
            last = Some(score);
            self.put(&Line { rollout: Some(Box::new(self::rollout(rollout))), ..Line::default() });
        }
    }

    fn seen(&mut self, mut identities: impl ExactSizeIterator<Item = [u64; 2]>) {
        while identities.len() > 0 {
            let bytes = identities.by_ref().take(SEEN).flatten().flat_map(u64::to_le_bytes);
            let seen = STANDARD_NO_PAD.encode(bytes.collect::<Vec<u8>>());
            self.put(&Line { seen: Some(seen), ..Line::default() });
        }
    }

    fn end(mut self) -> Vec<u8> {
        let end = Some(self.count + 1);
        self.put(&Line { end, ..Line::default() });
        self.bytes
    }
}

fn time(clock: &Clock) -> written::Clock {
    let Clock { now, last, adjust, leaps, grace } = clock;
    let leaps = leaps.iter().map(|leap| (Number::of(leap.offset), length(leap.by))).collect();
    written::Clock { now: *now, last: *last, adjust: length(*adjust), grace: Some(length(*grace)), leaps }
}

fn rollout(rollout: &Rollout) -> written::Rollout {
    let crate::rollout::Seldom { paused, stopped, phases, closes, pending, ended, decision, verdicts } =
        &**rollout;
    let untouched = rollout.steps.known().rev().take_while(|state| state.is_untouched()).count();
    let steps = rollout.steps.known().take(rollout.steps.touched() - untouched).map(step).collect();
    written::Rollout {
        id: rollout.id.clone(),
        plan: rollout.score.kept_as(),
        status: rollout.status,
        started: rollout.started.into(),
        started_raw: rollout.started_raw,
        begun_by: rollout.begun_by.clone(),
        epoch: Number::of(rollout.epoch),
        attempt: Number::of(rollout.attempt),
        steps,
        paused: *paused,
        stopped: stopped.map(Into::into),
        phases: phases.iter().map(phase).collect(),
        closes: *closes,
        pending: pending.as_ref().map(self::pending),
        ended: *ended,
        decision: decision.map(Number::of),
        verdicts: verdicts.all().iter().map(verdict).collect(),
    }
}

fn phase(phase: &PhaseState) -> written::Phase {
    let PhaseState { begun, attempt, approved, missing, unheard } = phase.clone();
    let rejected = Number::of(attempt - 1);
    written::Phase { begun: begun.map(Into::into), rejected, approved, missing, unheard }
}

fn pending(pending: &Pending) -> written::Pending {
    let Pending { event, accepted, step, id } = pending;
    let event = event.as_str().to_owned();
    written::Pending { event, accepted: Number::of(*accepted), step: *step, id: id.clone() }
}

fn verdict(verdict: &Verdict) -> written::Verdict {
    let Verdict { kind, deed, cause, offset } = *verdict;
    let (step, gate) = match deed {
        Deed::Rollout => (None, None),
        Deed::Step(i) => (Some(i), None),
        Deed::Gate(k) => (None, Some(k)),
    };
    written::Verdict { kind: kind.to_owned(), step, gate, cause, offset: Number::of(offset) }
}

fn step(state: &StepState) -> written::Step {
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
    } = &**state;
    written::Step {
        words: state.words.iter().map(|(by, said)| word(by, said)).collect(),
        anchor: state.anchor.map(Into::into),
        full: state.full.map(Into::into),
        attempts: Number::of(state.attempt - 1),
        overridden: *overridden,
        stall: stall.as_ref().map(self::stall),
        rejection: rejection.as_ref().map(self::rejection),
        taint: taint.as_ref().map(|taint| (Number::of(taint.offset), taint.why.clone())),
        taint_schema: taint.as_ref().and_then(|taint| taint.schema_id),
        taint_field: taint.as_ref().map_or(String::new(), |taint| taint.field.clone()),
        violation: violation.as_ref().map(self::violation),
        turn: turn.map(Into::into),
        turns: Number::of(*turns),
        answers: answers.clone(),
        goes_back: *goes_back,
        counted: *counted,
        members: members.clone(),
        overridden_by: overridden_by.clone(),
    }
}

fn word(by: &Instance, word: &Word) -> written::Word {
    let Word { saying, moved, offset, more } = word;
    let More { version, from, detail, exit, boot, sequence } = more.as_deref().cloned().unwrap_or_default();
    let (by, offset) = (by.clone(), Number::of(*offset));
    written::Word { by, said: *saying, offset, moved: *moved, version, from, detail, exit, boot, sequence }
}

fn stall(stall: &Stall) -> written::Stall {
    let Stall { proof, cause, raw, missing, in_hand, metric } = stall.clone();
    written::Stall { proof, cause, raw, missing, in_hand, metric }
}

fn rejection(rejection: &Rejection) -> written::Rejection {
    let Rejection { offset, unread, instance, producer, schema_id, field, detail } = rejection.clone();
    let (offset, unread) = (Number::of(offset), unread.map(Number::of));
    written::Rejection { offset, unread, instance, producer, schema_id, field, detail }
}

fn violation(violation: &Violation) -> written::Violation {
    let Violation { offset, instance, missing, accepted } = violation.clone();
    written::Violation { offset: Number::of(offset), instance, missing, accepted }
}

fn sequence(source: &Source, counted: &Sequence) -> written::Sequence {
    let Sequence { boot, number, skipped, left_out, unreadable, before, forked, read } = counted.clone();
    let left_out = left_out.map(|(first, last)| (Number::of(first), Number::of(last)));
    let (source, number, unreadable) = (source.clone(), number.unsigned_abs(), Number::of(unreadable));
    let read = Number::of(read);
    written::Sequence { source, boot, number, skipped, left_out, unreadable, before, forked, read }
}

fn burns(rollout: usize, about: About, alert: &Alert) -> written::Burning {
    let Alert { id, status: _, labels, annotations, since, deadline, starts_at, ends_at: _ } = alert.clone();
    let (concern, of) = about.written();
    let concern = concern.to_owned();
    written::Burning { rollout, concern, of, id, labels, annotations, since, deadline, starts_at }
}

/// What is owed always has an id: that is how it is known again on the log.
fn draft(draft: &Draft) -> Option<written::Draft> {
    let Draft { id, rollout, causation, service, body } = draft.clone();
    let event = body.event_type().as_str().to_owned();
    Some(written::Draft { id: id?, rollout, causation, service, event, body: json(&body) })
}

fn event(domain: &Domain, record: &pavane_events::Record) -> written::Record {
    let pavane_events::Record { offset, at, event: Event { envelope, body } } = record.clone();
    let Envelope {
        id,
        source,
        domain: of,
        time,
        subject,
        rollout,
        causation,
        service,
        instance,
        zone,
        version,
        boot,
        sequence,
        replica,
        traceparent,
    } = envelope;
    debug_assert_eq!(of, *domain, "a partition is folded domain by domain");
    let (offset, event, body) = (Number::of(offset), body.event_type().as_str().to_owned(), json(&body));
    written::Record {
        offset,
        at,
        id,
        source,
        time,
        subject,
        rollout,
        causation,
        service,
        instance,
        zone,
        version,
        boot,
        sequence,
        replica,
        traceparent,
        event,
        body,
    }
}

fn json(body: &Body) -> Value {
    serde_json::to_value(body).expect("no body has a key that is not text")
}
