//! What people live to see, told as timelines: who is told what, when, and when not.

mod timeline;

use pavane_alerts::route::Escalation;
use pavane_alerts::{Fate, Input, Matcher, Notifier, Route, Tree};
use pavane_events::Timestamp;
use timeline::Timeline;

/// Everything to platform; what identity owns to identity, and to the boss when identity cannot be reached.
fn routes() -> Route {
    let identity = Route {
        receiver: Some("identity".to_owned()),
        matchers: vec![Matcher::equal("owner", "identity")],
        escalate: Some(Escalation { to: "boss".to_owned(), after: 120_000 }),
        ..Route::default()
    };
    Route { receiver: Some("platform".to_owned()), routes: vec![identity], ..Route::default() }
}

fn expect(script: &str, expected: &str) {
    let played = Timeline::new(&routes()).play(script);
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(played.lines().collect::<Vec<_>>(), expected, "\n{played}");
}

#[test]
fn a_page_goes_out_at_once_and_its_end_too() {
    expect(
        "at 1s raise a step=users
         at 40m end a
         at 9h wait",
        "1s platform: first notification: +a
         40m platform: all alerts resolved: -a",
    );
}

#[test]
fn the_owner_is_told_and_nobody_else() {
    expect("at 1s raise a owner=identity\n at 1h wait", "1s identity: first notification: +a");
}

#[test]
fn a_ticket_waits_half_a_minute_for_others_and_a_blip_is_never_told() {
    expect(
        "at 10s raise a severity=ticket step=users
         at 20s raise b severity=ticket step=search
         at 1h raise blip severity=ticket rollout=r2
         at 1h wait
         at 2h wait",
        "40s platform: first notification: +a +b
         3630s platform: first notification: +blip",
    );
    expect("at 10s raise a severity=ticket\n at 20s end a\n at 1h wait", "");
}

#[test]
fn a_rollout_is_one_story_that_goes_on_every_five_minutes_at_most() {
    expect(
        "at 60s raise a step=users
         at 61s raise b step=search
         at 62s raise c step=mail
         at 10m end a
         at 20m end b
         at 30m end c
         at 1h wait",
        "1m platform: first notification: +a
         6m platform: new alerts added: +a +b +c
         11m platform: some alerts resolved: +b +c -a
         20m platform: some alerts resolved: +c -b
         30m platform: all alerts resolved: -c",
    );
}

#[test]
fn what_burns_on_is_told_again_after_four_hours() {
    expect(
        "at 1h raise a
         at 10h wait",
        "1h platform: first notification: +a
         5h platform: repeat interval elapsed: +a
         9h platform: repeat interval elapsed: +a",
    );
}

#[test]
fn a_silence_mutes_until_it_ends_and_says_so() {
    expect(
        "at 1s silence s domain=shop for 1h
         at 60s raise a
         at 2h end a
         at 3h wait",
        "61m platform: first notification: +a
         2h platform: all alerts resolved: -a",
    );
}

#[test]
fn why_somebody_was_not_told_can_be_asked() {
    let timeline = Timeline::new(&routes()).played(
        "at 1s silence s step=users for 1h
         at 2s raise blind alertname=Blind rollout= step= domain=dark
         at 3s raise a step=users
         at 4s raise b step=search domain=dark rollout=r2
         at 5s raise c step=mail rollout=r3
         at 6s raise d severity=ticket rollout=r4",
    );
    let fates: Vec<_> = timeline
        .notifier
        .alerts()
        .map(|alert| (alert.id.as_str().to_owned(), timeline.notifier.fates(alert)))
        .collect();
    let fate = |name: &str| fates.iter().find(|(id, _)| id.starts_with(name)).expect(name).1[0].1.clone();
    assert_eq!(fate("a-"), Fate::Silenced("s".to_owned()));
    assert!(matches!(fate("b-"), Fate::Inhibited(by) if by.as_str().starts_with("blind")));
    assert_eq!(fate("c-"), Fate::Told);
    assert_eq!(fate("d-"), Fate::Waits(Timestamp(36_000)));
}

#[test]
fn what_only_follows_is_not_told_while_its_reason_burns() {
    expect(
        "at 1s raise users step=users waiting=search,_mail
         at 2s raise search step=search
         at 10m end users
         at 1h wait",
        "1s platform: first notification: +users
         10m platform: new alerts added: +search -users",
    );
    expect(
        "at 1s raise blind alertname=Blind rollout= replica=a
         at 2s raise a
         at 10m end blind
         at 11m end a
         at 20m wait",
        "1s platform: first notification: +blind
         10m platform: all alerts resolved: -blind
         602s platform: first notification: +a
         902s platform: all alerts resolved: -a",
    );
}

#[test]
fn whoever_cannot_be_reached_is_not_the_last_to_know() {
    expect(
        "at 1s lose identity
         at 60s raise a owner=identity
         at 1h end a
         at 2h wait",
        "1m identity: first notification: +a
         3m boss: escalated: not delivered: +a
         1h boss: all alerts resolved: -a
         1h identity: all alerts resolved: -a",
    );
}

#[test]
fn a_rollback_that_fails_is_told_above_as_well() {
    expect(
        "at 1s raise a owner=identity alertname=RolloutPartial",
        "1s boss: escalated: rollback failed: +a
         1s identity: first notification: +a",
    );
}

#[test]
fn what_begins_and_ends_again_and_again_is_told_as_one_that_has_not_ended() {
    expect(
        "at 60s raise a step=users
         at 2m end a
         at 4m raise a step=users
         at 5m end a
         at 6m raise a step=users
         at 7m end a
         at 8m raise a step=users
         at 9m end a
         at 2h wait",
        "1m platform: first notification: +a
         6m platform: all alerts resolved: -a -a
         19m platform: all alerts resolved: -a -a",
    );
}

#[test]
fn ten_thousand_stalls_at_once_are_five_pages_at_most() {
    let mut timeline = Timeline::new(&routes());
    for n in 0..10_000 {
        timeline = timeline.played(&format!("at 1s raise a{n} rollout=r{n}"));
    }
    timeline.until(240_000);
    let counts: Vec<_> =
        timeline.sent.iter().map(|one| (one.firing.len(), one.alerts.len(), one.truncated)).collect();
    assert_eq!(counts, [(1, 1, 0), (1, 1, 0), (1, 1, 0), (9_997, 40, 9_957)]);
    for n in 0..10_000 {
        timeline = timeline.played(&format!("at 10m end a{n}"));
    }
    timeline.until(3_600_000);
    let ended: usize = timeline.sent.iter().map(|one| one.resolved.len()).sum();
    assert_eq!((ended, timeline.notifier.alerts().count()), (10_000, 0));
}

/// A timeline over a file without routes.
fn by_default() -> Timeline {
    Timeline::of(Notifier::new(Tree::of_all(&["platform".to_owned()]), Vec::new()))
}

#[test]
fn without_routes_a_storm_is_five_pages_at_most_too() {
    for (spread, begin) in [(0, 1), (6, 600)] {
        let mut timeline = by_default();
        for n in 0..10_000 {
            let at = begin + n * spread / 1_000;
            timeline = timeline.played(&format!("at {at}s raise a{n} rollout=r{n}"));
        }
        timeline.until(timeline.now + 10 * 60_000);
        let told: usize =
            timeline.sent.iter().filter(|one| one.reason.as_str() != "repeat interval elapsed").count();
        let heard: std::collections::BTreeSet<_> =
            timeline.sent.iter().flat_map(|one| one.firing.clone()).collect();
        assert_eq!(heard.len(), 10_000, "spread over {spread} ms each");
        assert!(told <= 5, "{told} pages, spread over {spread} ms each");
        let now = timeline.now / 1_000;
        for n in 0..10_000 {
            timeline = timeline.played(&format!("at {now}s end a{n}"));
        }
        timeline.until(timeline.now + 3_600_000);
        assert_eq!(timeline.notifier.alerts().count(), 0, "everything that ended is told and forgotten");
    }
}

#[test]
fn without_routes_a_few_at_once_are_told_within_half_a_minute() {
    let played = by_default().play(
        "at 1s raise a
         at 1s raise b step=search
         at 1s raise c rollout=r2
         at 1s raise d rollout=r3
         at 2s raise e rollout=r4
         at 20s raise f rollout=r5
         at 3m raise g rollout=r6
         at 4m end d
         at 4m end a
         at 10m wait",
    );
    let expected = "1s platform: first notification: +a
1s platform: first notification: +b
1s platform: first notification: +c
11s platform: first notification: +d +e
41s platform: new alerts added: +d +e +f
3m platform: first notification: +g
4m platform: some alerts resolved: +e +f -d
4m platform: all alerts resolved: -a";
    assert_eq!(played, expected, "\n{played}");
}

#[test]
fn the_alert_that_always_burns_goes_to_whom_it_is_meant_for_and_again_and_again() {
    let tree = Tree::new(&routes(), &timeline::RECEIVERS.map(str::to_owned)).expect("a tree");
    let tree = tree.with_watchdog(&["boss".to_owned()], 300_000);
    let played = Timeline::of(Notifier::new(tree, Vec::new())).play(
        "at 1s raise w alertname=Watchdog rollout= severity=none
         at 2m raise held alertname=DomainHeld rollout= severity=ticket
         at 11m end w
         at 12m wait",
    );
    let expected = "1s boss: first notification: +w
150s platform: first notification: +held
301s boss: repeat interval elapsed: +w
601s boss: repeat interval elapsed: +w
11m boss: all alerts resolved: -w";
    assert_eq!(played, expected, "\n{played}");
}

#[test]
fn what_a_person_has_stopped_is_all_that_is_told_of_it() {
    expect(
        "at 1s raise paused alertname=RolloutPaused severity=ticket
         at 2s raise a step=users
         at 3s raise other rollout=r2
         at 10m end paused
         at 11m end other
         at 1h wait",
        "2s platform: first notification: +paused
         3s platform: first notification: +other
         10m platform: new alerts added: +a -paused
         11m platform: all alerts resolved: -other",
    );
    expect(
        "at 1s raise held alertname=DomainHeld rollout= severity=ticket
         at 2s raise a step=users
         at 3m raise blind alertname=Blind rollout= replica=a
         at 10m end blind
         at 11m end held
         at 30m end a
         at 1h wait",
        "31s platform: first notification: +held
         3m platform: first notification: +blind
         10m platform: all alerts resolved: -blind
         11m platform: all alerts resolved: -held
         902s platform: first notification: +a
         30m platform: all alerts resolved: -a",
    );
}

#[test]
fn what_another_replica_told_is_not_told_again() {
    let mut owner = Timeline::new(&routes()).played("at 1s raise a\n at 2s raise b rollout=r2");
    owner.until(60_000);
    let tree = Tree::new(&routes(), &timeline::RECEIVERS.map(str::to_owned)).expect("a tree");
    let mut heir = Notifier::new(tree, vec![]);
    for one in &owner.sent {
        let _none = heir.handle(Timestamp(60_000), Input::Told(one.row(Timestamp(1_000), "a")));
    }
    for alert in owner.notifier.alerts().cloned() {
        let _none = heir.handle(Timestamp(60_000), Input::Alert(alert));
    }
    assert_eq!(heir.handle(Timestamp(60_000), Input::Live), []);
    let again = heir.handle(Timestamp(5 * 3_600_000), Input::Tick);
    assert_eq!(again.len(), 2, "it repeats all the same: {again:?}");
    assert!(owner.sent.iter().all(|one| !heir.is_needed(one)) && again.iter().all(|one| heir.is_needed(one)));
}

/// A generator of small random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn whatever_happens_each_receiver_hears_of_an_end_once_and_never_before_the_beginning() {
    let (mut ended, mut repeated, mut unheard) = (0, 0, 0);
    for seed in 0..300 {
        let (mut dice, mut timeline, mut raised) = (Dice(seed), Timeline::new(&routes()), Vec::new());
        let mut now = 0;
        for n in 0..40 {
            now += dice.below(400);
            let line = match dice.below(6) {
                0..=2 => {
                    raised.push(n);
                    let (rollout, severity) =
                        (dice.below(4), ["page", "ticket"][usize::from(dice.below(2) == 0)]);
                    format!(
                        "at {now}s raise a{n} rollout=r{rollout} step=s{} severity={severity}",
                        dice.below(3)
                    )
                }
                3 | 4 if !raised.is_empty() => {
                    let n =
                        raised.swap_remove(usize::try_from(dice.below(raised.len() as u64)).expect("small"));
                    format!("at {now}s end a{n}")
                }
                _ => format!("at {now}s silence s{n} rollout=r{} for {}s", dice.below(4), dice.below(2_000)),
            };
            timeline = timeline.played(&line);
        }
        now += 5 * 3_600;
        for n in raised {
            timeline = timeline.played(&format!("at {now}s end a{n}"));
        }
        timeline.until(i64::try_from(now).expect("small") * 1_000 + 48 * 3_600_000);
        assert_eq!(timeline.notifier.alerts().count(), 0, "seed {seed}: everything that ended is forgotten");
        let mut told = std::collections::BTreeMap::new();
        for one in &timeline.sent {
            for mark in &one.firing {
                assert_ne!(told.insert(mark, true), Some(false), "seed {seed}: it burns after its end");
            }
            for mark in &one.resolved {
                unheard += usize::from(!told.contains_key(mark));
                assert_ne!(told.insert(mark, false), Some(false), "seed {seed}: it ends twice");
                ended += 1;
            }
            repeated += usize::from(one.reason == pavane_alerts::Reason::Repeated);
        }
        assert!(
            told.values().all(|burns| !burns),
            "seed {seed}: something was told to burn and never to end"
        );
    }
    assert!(ended > 1_000 && repeated > 10 && unheard > 10, "{ended} {repeated} {unheard}");
}
