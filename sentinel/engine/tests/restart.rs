//! A sentinel that begins with a snapshot and reads the rest holds and does what one does that read the whole log: the
//! same bytes, the same effects, the same picture, wherever the log is cut.

mod floor;
mod stage;
mod troupe;

use std::collections::BTreeSet;

use floor::domain;
use pavane_events::{Entry, EventType};
use pavane_sentinel_engine::{Effect, Engine, Input, RULES, SnapshotError, Status};
use serde_json::Value;
use stage::Stage;
use troupe::history;

const SEEDS: u64 = 60;
const ACTS: usize = 60;

/// An engine that follows the log and says nothing.
fn reader() -> Engine {
    Engine::new(domain(), "s2".to_owned())
}

fn restored(snapshot: &[u8]) -> Engine {
    Engine::restore(domain(), "s3".to_owned(), snapshot).expect("it was written by this program")
}

/// What comes of reading, and is the log's alone.
fn read(engine: &mut Engine, entries: &[Entry]) -> Vec<Effect> {
    let effects = entries.iter().flat_map(|entry| engine.handle(0, Input::Read(entry.clone())));
    effects.filter(|effect| !matches!(effect, Effect::Blind { .. } | Effect::Sighted { .. })).collect()
}

fn picture(engine: &Engine) -> Value {
    serde_json::to_value(engine.view()).expect("a view is JSON")
}

#[test]
fn wherever_a_log_is_cut_snapshot_and_rest_are_the_whole() {
    let mut cuts = 0;
    for seed in 0..SEEDS {
        let log = history(seed, ACTS);
        let mut whole = reader();
        let mut snapshots = vec![whole.snapshot()];
        let mut effects = Vec::new();
        for entry in &log {
            effects.push(read(&mut whole, std::slice::from_ref(entry)));
            snapshots.push(whole.snapshot());
        }
        let stride = 1 + usize::try_from(seed % 5).expect("small");
        for cut in (0..=log.len()).step_by(stride) {
            let mut engine = restored(&snapshots[cut]);
            assert_eq!(engine.position() + 1, i64::try_from(cut).expect("a short log"));
            assert!(
                engine.snapshot() == snapshots[cut],
                "seed {seed}, cut {cut}: it is not what was written"
            );
            let rest = read(&mut engine, &log[cut..]);
            assert_eq!(rest, effects[cut..].concat(), "seed {seed}, cut {cut}");
            assert!(engine.snapshot() == *snapshots.last().expect("one at least"), "seed {seed}, cut {cut}");
            assert_eq!(picture(&engine), picture(&whole), "seed {seed}, cut {cut}");
            cuts += 1;
        }
    }
    assert!(cuts > 2_000, "{cuts} cuts");
}

#[test]
fn the_histories_reach_all_that_a_snapshot_can_hold() {
    let mut reached = BTreeSet::new();
    for seed in 0..SEEDS {
        let mut engine = reader();
        for entry in history(seed, ACTS) {
            read(&mut engine, &[entry]);
            note_all(&engine.snapshot(), &mut reached);
        }
    }
    let missing: Vec<&str> = EVERYTHING.split_whitespace().filter(|what| !reached.contains(*what)).collect();
    assert!(missing.is_empty(), "no history reaches {missing:?}");
    let unknown: Vec<&String> = reached.iter().filter(|what| !EVERYTHING.contains(what.as_str())).collect();
    assert!(unknown.is_empty(), "a snapshot holds what this test does not ask for: {unknown:?}");
}

/// Every field of a snapshot, and every word that one of them can be.
const EVERYTHING: &str = "
    pavane_snapshot rules domain offset clock clock.now clock.last clock.adjust clock.grace clock.leaps held plan ended
    hold_told hold_told.id hold_told.labels hold_told.annotations hold_told.starts_at
    sequence sequence.source sequence.boot sequence.number sequence.skipped sequence.left_out sequence.unreadable
    sequence.before sequence.forked sequence.read seen end
    rollout rollout.id rollout.plan rollout.status rollout.started rollout.started_raw rollout.begun_by rollout.epoch
    rollout.attempt rollout.steps rollout.paused rollout.stopped rollout.phases rollout.closes rollout.pending
    rollout.ended rollout.decision rollout.verdicts
    rollout.status=queued rollout.status=open rollout.status=rolling_back rollout.status=completed
    rollout.status=rolled_back rollout.status=partial rollout.status=aborted
    rollout.steps.words rollout.steps.anchor rollout.steps.full rollout.steps.attempts rollout.steps.overridden
    rollout.steps.stall rollout.steps.rejection rollout.steps.taint rollout.steps.violation rollout.steps.turn
    rollout.steps.turns rollout.steps.answers rollout.steps.goes_back rollout.steps.counted rollout.steps.members
    rollout.steps.words.by rollout.steps.words.said rollout.steps.words.offset rollout.steps.words.moved
    rollout.steps.words.version rollout.steps.words.from rollout.steps.words.detail rollout.steps.words.boot
    rollout.steps.words.sequence rollout.steps.words.exit rollout.steps.rejection.unread rollout.steps.taint_schema rollout.steps.taint_field
    rollout.steps.words.said=started rollout.steps.words.said=awaited rollout.steps.words.said=wrong_version
    rollout.steps.words.said=failed rollout.steps.words.said=drained
    rollout.steps.stall.proof rollout.steps.stall.cause rollout.steps.stall.raw rollout.steps.stall.missing
    rollout.steps.stall.in_hand
    rollout.steps.stall.metric rollout.steps.stall.proof=not_started rollout.steps.stall.proof=not_finished
    rollout.steps.stall.proof=cited rollout.steps.stall.proof=compensation rollout.steps.stall.proof=breach
    rollout.steps.rejection.offset rollout.steps.rejection.instance rollout.steps.rejection.detail
    rollout.steps.rejection.producer rollout.steps.rejection.schema_id rollout.steps.rejection.field
    rollout.steps.violation.offset rollout.steps.violation.instance rollout.steps.violation.missing
    rollout.steps.violation.accepted
    rollout.steps.answers=complete rollout.steps.answers=failed
    rollout.phases.begun rollout.phases.rejected rollout.phases.approved
    rollout.pending.event rollout.pending.accepted rollout.pending.step rollout.pending.id
    rollout.pending.event=RollbackRequested rollout.pending.event=RolloutPaused rollout.pending.event=RolloutCompleted
    rollout.pending.event=RolloutRolledBack rollout.pending.event=RolloutPartial rollout.pending.event=PhaseBegun
    rollout.verdicts.kind rollout.verdicts.step rollout.verdicts.gate rollout.verdicts.cause rollout.verdicts.offset
    burning burning.rollout burning.concern burning.of burning.id burning.labels burning.annotations burning.since
    burning.deadline burning.starts_at
    burning.concern=stall burning.concern=sequence burning.concern=uncertain burning.concern=gate
    burning.concern=withheld burning.concern=late burning.concern=partial burning.concern=frozen
    burning.concern=cohort burning.concern=metric burning.concern=approval burning.concern=orphan burning.concern=paused burning.concern=orphan_step
    burning.concern=in_the_way
    rollout.phases.missing rollout.phases.unheard rollout.steps.overridden_by rollout.steps.overridden_by.by
    rollout.steps.overridden_by.reason rollout.steps.overridden_by.offset rollout.steps.overridden_by.at
    own.known own.known.service own.known.known_good own.known.left own.known.owner
    own.drifting own.drifting.service own.drifting.instance own.drifting.version own.drifting.offset own.drifting.raw
    own.scheduled own.scheduled.choreography own.scheduled.every own.scheduled.owner own.scheduled.runbook
    own.scheduled.rollout own.scheduled.offset own.scheduled.raw own.scheduled.from own.scheduled.missed
    own.claim own.claim.service own.claim.choreography own.claim.rollout own.claim.step own.claim.offset own.claim.version
    own.claim.with own.claim.wanted own.claim.owner own.claim.runbook own.claim.lasts
    own.skewed own.skewed.service own.skewed.version own.skewed.with own.skewed.with_version own.skewed.alert
    own.skewed.alert.id own.skewed.alert.labels own.skewed.alert.annotations own.skewed.alert.starts_at
    own own.configured own.configured.offset own.configured.said own.rollbacks own.asked_back own.asked_back.service
    own.asked_back.target own.asked_back.at
    owed owed.id owed.rollout owed.causation owed.service owed.event owed.body
    early early.offset early.at early.id early.source early.rollout early.service early.instance early.version
    early.boot early.sequence early.event early.body
";

/// Notes every field of a snapshot, and the words that matter.
fn note_all(snapshot: &[u8], reached: &mut BTreeSet<String>) {
    for line in snapshot.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        note("", &serde_json::from_slice(line).expect("a line is JSON"), reached);
    }
}

fn note(path: &str, value: &Value, reached: &mut BTreeSet<String>) {
    const WORDS: [&str; 6] = [
        "rollout.status",
        "rollout.steps.words.said",
        "rollout.steps.stall.proof",
        "rollout.steps.answers",
        "rollout.pending.event",
        "burning.concern",
    ];
    /// What is within is other people's.
    const CLOSED: [&str; 13] = [
        "own.known.known_good",
        "own.known.left",
        "own.configured.said",
        "hold_told.labels",
        "hold_told.annotations",
        "own.skewed.alert.labels",
        "own.skewed.alert.annotations",
        "burning.labels",
        "burning.annotations",
        "owed.body",
        "early.body",
        "rollout.steps.stall.metric",
        "rollout.steps.members",
    ];
    if !path.is_empty() {
        reached.insert(path.to_owned());
    }
    match value {
        _ if CLOSED.contains(&path) => {}
        Value::Object(fields) if path == "rollout.steps.answers" => {
            fields.values().for_each(|answer| note(path, answer, reached));
        }
        Value::Object(fields) => {
            let dot = if path.is_empty() { "" } else { "." };
            fields.iter().for_each(|(key, value)| note(&format!("{path}{dot}{key}"), value, reached));
        }
        Value::Array(values) => values.iter().for_each(|value| note(path, value, reached)),
        Value::String(word) if WORDS.contains(&path) => {
            reached.insert(format!("{path}={word}"));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_sentinel_that_was_restored_judges_and_says_what_the_dead_one_owed() {
    for cut in 0..60 {
        let mut stage = Stage::new(&floor::plan());
        let rise = |stage: &mut Stage| {
            let snapshot = stage.engine.snapshot();
            stage.engine = Engine::restore(domain(), "s1".to_owned(), &snapshot).expect("sound");
            stage.feed(Input::Speaks(true));
            stage.feed(Input::CaughtUp);
        };
        stage.log.says("r1", "db-0", "2.0.0", floor::ready());
        let mut left = cut;
        for _ in 0..20 {
            stage.log.time += 1_000;
            stage.feed(Input::Tick);
            while stage.feed_next() {
                left -= 1;
                if left == 0 {
                    rise(&mut stage);
                }
            }
        }
        assert_eq!(stage.verdicts(), ["RolloutStalled users unreachable"], "cut {cut}");
        assert_eq!(stage.said(EventType::RolloutStalled).len(), 1, "cut {cut}");
        stage.says("users-0", floor::complete());
        stage.says("chat-0", floor::complete());
        assert_eq!(stage.ended, [Status::Completed], "cut {cut}");
    }
}

/// A snapshot with much in it.
fn full() -> Vec<u8> {
    let mut engine = reader();
    let mut fullest = engine.snapshot();
    for entry in history(7, ACTS) {
        read(&mut engine, &[entry]);
        if engine.snapshot().len() > fullest.len() {
            fullest = engine.snapshot();
        }
    }
    fullest
}

#[test]
fn what_a_newer_program_adds_is_read_past() {
    let snapshot = String::from_utf8(full()).expect("text");
    let lines = snapshot.lines().count();
    let added = snapshot.replace("\"id\":", "\"mood\":{\"gay\":[1]},\"id\":");
    let added = added.replace(
        &format!("{{\"end\":{lines}}}"),
        &format!("{{\"mood\":\"gay\"}}\n{{\"end\":{}}}", lines + 1),
    );
    assert!(added != snapshot);
    assert!(restored(added.as_bytes()).snapshot() == snapshot.as_bytes());
}

#[test]
fn what_cannot_be_judged_by_is_refused_by_name() {
    let snapshot = String::from_utf8(full()).expect("text");
    let refused = |from: &str, to: &str| {
        let changed = snapshot.replacen(from, to, 1);
        assert!(changed != snapshot, "the snapshot has no {from}");
        Engine::restore(domain(), "s".to_owned(), changed.as_bytes()).expect_err("it must be refused")
    };
    let refusal = refused("\"pavane_snapshot\":1", "\"pavane_snapshot\":2,\"another\":true");
    assert!(matches!(refusal, SnapshotError::NewerFormat { found: 2, known: 1 }), "{refusal}");
    let refusal = refused(&format!("\"rules\":{RULES}"), &format!("\"rules\":{}", RULES + 1));
    assert!(
        matches!(refusal, SnapshotError::NewerRules { found, known: RULES } if found > RULES),
        "{refusal}"
    );
    let refusal = refused("\"domain\":\"shop\"", "\"domain\":\"bank\"");
    assert!(matches!(refusal, SnapshotError::OtherDomain { .. }), "{refusal}");
    let refusal = refused("\"status\":\"", "\"status\":\"un");
    assert!(matches!(refusal, SnapshotError::Line { .. }), "{refusal}");
    let refusal = refused("{\"plan\":\"{\\\"name\\\":\\\"users", "{\"plan\":\"{\\\"name\\\":\\\"abusers");
    assert!(matches!(refusal, SnapshotError::Contradiction { .. }), "{refusal}");
}

#[test]
fn a_torn_snapshot_is_known_as_one_wherever_it_is_torn() {
    let snapshot = full();
    for end in 0..snapshot.len() - 1 {
        let torn =
            Engine::restore(domain(), "s".to_owned(), &snapshot[..end]).expect_err("its end is missing");
        let known = matches!(torn, SnapshotError::NoSnapshot | SnapshotError::Torn);
        assert!(known, "{end} bytes: {torn}");
    }
}

#[test]
fn hostile_bytes_are_an_error_or_a_fold_that_can_go_on() {
    let snapshot = full();
    let rest = history(8, ACTS);
    let (mut dice, mut taken) = (troupe::Dice::new(1), 0);
    for _ in 0..600 {
        let mut bytes = snapshot.clone();
        for _ in 0..=dice.below(2) {
            spoil(&mut bytes, &mut dice);
        }
        if let Ok(mut engine) = Engine::restore(domain(), "s".to_owned(), &bytes) {
            let _ = engine.handle(1, Input::Speaks(true));
            let _ = engine.handle(1, Input::CaughtUp);
            for entry in &rest {
                let _ = engine.handle(2, Input::Read(entry.clone()));
            }
            let _ = engine.handle(600_000, Input::Tick);
            let _ = (engine.view(), engine.snapshot());
            taken += 1;
        }
    }
    assert!(taken > 60, "{taken} were sound enough to go on with");
}

/// Puts a number, a word or a byte in the place of another.
fn spoil(bytes: &mut Vec<u8>, dice: &mut troupe::Dice) {
    let place = dice.below(bytes.len());
    if dice.below(4) == 0 {
        bytes[place] = u8::try_from(dice.below(256)).expect("a byte");
        return;
    }
    let digits = |from: usize| bytes[from..].iter().position(u8::is_ascii_digit).map(|at| from + at);
    let Some(from) = digits(place) else { return };
    let len = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let numbers = ["0", "1", "-1", "2", "5", "9007199254740992", "-9007199254740992", "9223372036854775807"];
    bytes.splice(from..from + len, dice.one_of(&numbers).bytes());
}
