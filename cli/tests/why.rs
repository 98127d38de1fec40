//! What `pavane why` says, on one screen, about rollouts in every kind of trouble: held byte by byte.
//!
//! Each rollout is played against the real engines in virtual time, and looked at from a moment of it.
//! `UPDATE_GOLDEN=1` writes the screens anew; read the difference before it is committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pavane_cli::why::sheet;
use pavane_events::{Domain, Entry, Heartbeat, Instance, RolloutId, Service, Timestamp, Version};
use pavane_rehearsal::{Performance, Piece, Sidecars, Stage, scenario};
use pavane_sentinel_engine::diagnosis::{Beat, Chronicle, Delivery, Diagnosis, Facts, diagnose};
use pavane_sentinel_engine::{Engine, Input};

/// The most lines that a screen has.
const SCREEN: usize = 44;

/// A rollout, and the moment at which one asks.
struct Case {
    name: &'static str,
    plan: &'static str,
    timeline: &'static str,
    /// The first record that says this; at the end when it is empty.
    after: &'static str,
    /// So many milliseconds later.
    later: i64,
    rollout: &'static str,
    step: Option<&'static str>,
    /// Instances, what they do, and how long ago they were heard.
    beats: &'static [(&'static str, &'static str, i64)],
    missing: bool,
}

const START: &str = "  - at: 0s\n    start: { by: ada }\n";

const PLAIN: Case = Case {
    name: "",
    plan: "users-v2.yaml",
    timeline: "",
    after: "",
    later: 0,
    rollout: "first",
    step: None,
    beats: &[],
    missing: true,
};

/// Three in a row and one beside them, all of which only alert.
const DIAMOND: &str = "cascade.yaml";

const CASES: [Case; 20] = [
    Case { name: "completed", missing: false, ..PLAIN },
    Case { name: "within-its-window", after: "Ready", later: 20_000, missing: false, ..PLAIN },
    Case {
        name: "not-started",
        timeline: "  - at: 30s\n    fail: { service: user-service, how: start }\n",
        after: "RolloutStalled",
        later: 400,
        beats: &[
            ("user-service-0", "idle", 300),
            ("user-service-1", "idle", 700),
            ("user-service-2", "idle", 90),
        ],
        ..PLAIN
    },
    Case {
        name: "rolled-back",
        timeline: "  - at: 30s\n    fail: { service: user-service, how: start }\n",
        ..PLAIN
    },
    Case {
        name: "not-finished",
        plan: DIAMOND,
        timeline: "  - at: 0s\n    delay: { event: mail.DeploymentStarted, by: 4s }\n  - at: 0s\n    fail: { service: mail, how: hang }\n",
        after: "RolloutStalled",
        later: 100,
        beats: &[("mail-0", "hook", 700)],
        ..PLAIN
    },
    Case {
        name: "failed",
        plan: DIAMOND,
        timeline: "  - at: 0s\n    fail: { service: users, how: hook }\n",
        ..PLAIN
    },
    Case {
        name: "contract-broken",
        plan: "matchmaking.yaml",
        timeline: "  - at: 10s\n    publish: { service: matchmaking, event: Ready, schema: v2 }\n",
        ..PLAIN
    },
    Case {
        name: "lost",
        plan: DIAMOND,
        timeline: "  - at: 0s\n    lose: { event: users.DeploymentComplete }\n",
        ..PLAIN
    },
    Case {
        name: "undelivered",
        plan: DIAMOND,
        timeline: "  - at: 0s\n    delay: { event: users.DeploymentComplete, by: 6m }\n",
        after: "RolloutStalled",
        later: 1_000,
        beats: &[("users-0", "done", 200)],
        ..PLAIN
    },
    Case {
        name: "unreachable",
        timeline: "  - after: user-service.DeploymentStarted\n    in: 5s\n    fail: { service: messaging, how: die }\n",
        beats: &[("messaging-0", "idle", 400_000)],
        ..PLAIN
    },
    Case {
        name: "paused",
        timeline: "  - at: 20s\n    pause: { by: grace, reason: a sale is on }\n",
        ..PLAIN
    },
    Case {
        name: "held",
        timeline: "  - at: 20s\n    hold: { by: grace, reason: the network is being mended }\n",
        after: "DomainHeld",
        later: 90_000,
        ..PLAIN
    },
    Case { name: "approval-awaited", plan: "hybrid.yaml", ..PLAIN },
    Case {
        name: "rejected",
        plan: "hybrid.yaml",
        timeline: "  - at: 10m\n    reject: { phase: till, by: grace, reason: a sale is on }\n",
        ..PLAIN
    },
    Case {
        name: "queued-behind-one-that-stands-still",
        plan: "queue.yaml",
        timeline: "  - at: 0s\n    fail: { service: mail, how: hang }\n  - at: 20s\n    start: { by: grace, rollout: second }\n",
        rollout: "second",
        ..PLAIN
    },
    Case {
        name: "way-back-fails",
        timeline: "  - at: 0s\n    fail: { service: user-service, how: revert }\n  - after: messaging.DeploymentStarted\n    in: 1s\n    rollback: { by: grace, reason: logins fail }\n",
        ..PLAIN
    },
    Case {
        name: "way-back-is-not-answered",
        timeline: "  - after: messaging.DeploymentStarted\n    in: 1s\n    fail: { service: user-service, how: die }\n  - after: messaging.DeploymentStarted\n    in: 2s\n    rollback: { by: grace, reason: logins fail }\n",
        ..PLAIN
    },
    Case {
        name: "aborted",
        timeline: "  - at: 40s\n    abort: { by: grace, reason: the wrong plan }\n",
        ..PLAIN
    },
    Case {
        name: "the-first-of-a-chain",
        plan: DIAMOND,
        timeline: "  - at: 0s\n    fail: { service: mail, how: hang }\n  - at: 0s\n    fail: { service: users, how: start }\n  - at: 5s\n    say: { event: users.DeploymentComplete, version: 2.0.0 }\n  - at: 3m\n    say: { event: users.DeploymentFailed, version: 2.0.0 }\n",
        ..PLAIN
    },
    Case {
        name: "a-step-that-waits",
        timeline: "  - at: 30s\n    fail: { service: user-service, how: start }\n",
        after: "RolloutStalled",
        later: 400,
        step: Some("messaging"),
        ..PLAIN
    },
];

#[test]
fn every_trouble_is_told_on_one_screen_from_the_first_that_is_missing() {
    let mut wrong = Vec::new();
    for case in &CASES {
        let diagnosis = answer(case);
        let found = anstream::adapter::strip_str(&sheet(&diagnosis)).to_string();
        let path = folder().join(format!("{}.txt", case.name));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &found).expect("the folder is ours");
        }
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        if found != wanted {
            wrong.push(format!("{} reads otherwise:\n{found}", case.name));
        }
        assert_eq!(diagnosis.missing, case.missing, "{}:\n{found}", case.name);
        assert!(found.lines().count() <= SCREEN, "{} is longer than a screen:\n{found}", case.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_first_of_a_chain_is_named_and_those_behind_it_wait() {
    let case = CASES.iter().find(|case| case.name == "the-first-of-a-chain").expect("it is there");
    let diagnosis = answer(case);
    let first = &diagnosis.awaited[0];
    assert_eq!((first.service.as_str(), first.step.as_str()), ("users", "users"));
    assert!(first.waiting.contains(&"mail".to_owned()), "{:?}", first.waiting);
}

#[test]
fn for_programs_the_answer_keeps_its_shape() {
    let case = CASES.iter().find(|case| case.name == "not-finished").expect("it is there");
    let answer = serde_json::to_value(answer(case)).expect("it is plain data");
    for field in [
        "rollout",
        "choreography",
        "owner",
        "status",
        "missing",
        "headline",
        "asked_at",
        "started_at",
        "ended_at",
        "stopped_by",
        "awaited",
        "chain",
        "decisions",
        "told",
        "outlook",
        "next",
        "runbook",
        "trace_id",
    ] {
        assert!(answer.get(field).is_some(), "{field}: {answer:#}");
    }
    let first = &answer["awaited"][0];
    assert_eq!(
        (&first["service"], &first["cause"], &first["lacking"][0]),
        (&"mail".into(), &"not_finished".into(), &"mail-0".into())
    );
    assert_eq!(first["page"], "docs/verdicts/not_finished.md");
}

#[test]
fn what_hostile_words_bring_moves_no_cursor() {
    let mut diagnosis = answer(&CASES[2]);
    diagnosis.headline = "a\u{1b}[2Jb\u{202e}c".to_owned();
    diagnosis.next = vec!["d\u{7}e\nf".to_owned()];
    let told = anstream::adapter::strip_str(&sheet(&diagnosis)).to_string();
    assert!(told.starts_with("✗ a[2Jbc\n") && told.contains("next       def\n"), "{told}");
}

fn answer(case: &Case) -> Diagnosis {
    let performance = play(case);
    let now = moment(case, &performance);
    let domain = performance.log.iter().find_map(domain).expect("a record");
    let mut engine = Engine::new(domain.clone(), "cli".to_owned());
    let rollout = RolloutId::new(case.rollout).expect("a name");
    let mut chronicle = Chronicle::of(rollout.clone());
    for entry in performance.log.iter().take_while(|entry| entry.at() <= now) {
        chronicle.read(entry);
        let _orders = engine.handle(0, Input::Read(entry.clone()));
    }
    let view = engine.view();
    let beats: Vec<Beat> = case.beats.iter().map(|beat| heard(&domain, *beat, now, view.offset)).collect();
    let told = chronicle.decisions().find(|decision| decision.event == "RolloutStalled");
    let deliveries: Vec<Delivery> = told.map(|told| delivered(&told.id, now)).into_iter().collect();
    let facts = Facts { view: &view, chronicle: &chronicle, beats: &beats, deliveries: &deliveries, now };
    diagnose(&facts, &rollout, case.step).expect("it is known")
}

fn play(case: &Case) -> Performance {
    let text = format!(
        "apiVersion: pavane/v1\nkind: Scenario\nname: {}\nplan: {}\ntimeline:\n{START}{}expect:\n  - never: {{ said: Drained }}\n",
        case.name, case.plan, case.timeline
    );
    let script = scenario::read(&text, case.name, &mut |plan| piece(plan));
    let script = script.unwrap_or_else(|defects| panic!("{}: {defects:#?}", case.name));
    Stage::new(script, &Sidecars::new()).play(1)
}

fn piece(name: &str) -> Result<Arc<Piece>, String> {
    let own = folder().join(name);
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rehearsal/tests/scenarios").join(name);
    let path = if own.exists() { own } else { other };
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let plan = pavane_choreography::read(&text, name).map_err(|defects| format!("{defects:#?}"))?;
    Ok(Arc::new(Piece::new(plan)))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/why")
}

fn moment(case: &Case, performance: &Performance) -> Timestamp {
    let said = |entry: &&Entry| match entry {
        Entry::Event(record) => record.event.body.event_type().as_str() == case.after,
        Entry::Unreadable(_) => false,
    };
    let end = || performance.begins.plus(performance.length);
    performance.log.iter().find(said).map_or_else(end, Entry::at).plus(case.later)
}

fn domain(entry: &Entry) -> Option<Domain> {
    match entry {
        Entry::Event(record) => Some(record.event.envelope.domain.clone()),
        Entry::Unreadable(_) => None,
    }
}

fn heard(domain: &Domain, (instance, phase, ago): (&str, &str, i64), now: Timestamp, position: i64) -> Beat {
    let (service, _) = instance.rsplit_once('-').expect("a service and a number");
    let heartbeat = Heartbeat {
        domain: domain.clone(),
        service: Service::new(service).expect("a name"),
        instance: Instance::new(instance).expect("a name"),
        zone: None,
        boot: "b1".to_owned(),
        version: Version::new("1.9.0").ok(),
        phase: phase.to_owned(),
        rollout: None,
        acknowledged: 3,
        outbox: i64::from(phase == "done" && ago == 200),
        position,
    };
    Beat { heartbeat, offset: 900, at: now.plus(-ago) }
}

fn delivered(alert: &str, at: Timestamp) -> Delivery {
    Delivery { alert: alert.to_owned(), receiver: "on-call".to_owned(), status: "firing".to_owned(), at }
}
