//! What a reaction lets through of what it reacts to, and what becomes of what it cannot judge.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use std::collections::BTreeMap;

use pavane_choreography::{Instances, Method, Plan};
use pavane_events::command::StepOverridden;
use pavane_events::service::Ready;
use pavane_events::{Body, EventType, StepId};
use pavane_sidecar_engine::{Condition, Reaction, Sieve, Trigger};
use stage::{ROLLOUT, Stage, on, phase, plan, reaction, upgrade};

const NOTHING: [&str; 0] = [];

#[test]
fn an_event_counts_when_the_condition_holds_for_it() {
    let mut stage = Stage::ready(vec![upgrade_if("event.data.prerequisite == 'schema-v2'")]);
    stage.start();
    assert_eq!(stage.service("user-db", "user-db-0", ready("schema-v1")), NOTHING);
    assert_eq!(stage.service("user-db", "user-db-0", ready("schema-v2")), ["observe"]);
    stage.version("1.0.0");
    let trigger = stage.said[0].envelope.causation.clone();
    assert_eq!(trigger.unwrap().as_str(), "e-3", "the event that was let through is the cause");
}

#[test]
fn an_instance_counts_by_its_last_word_and_each_once() {
    let two = Reaction { instances: 2, ..upgrade_if("event.data.prerequisite == 'v2'") };
    let mut stage = Stage::ready(vec![two]);
    let mut plan = plan();
    plan.steps[0].instances = Instances::Count(2);
    stage.start_with(ROLLOUT, &plan);
    stage.service("user-db", "a", ready("v2"));
    stage.service("user-db", "a", ready("v1"));
    assert_eq!(stage.service("user-db", "b", ready("v2")), NOTHING, "a has taken its word back");
    assert_eq!(stage.service("user-db", "a", ready("v2")), ["observe"]);
}

#[test]
fn two_reactions_on_one_event_part_by_what_they_let_through() {
    let reactions =
        ["schema", "cache"].map(|what| upgrade_if(&format!("event.data.prerequisite == '{what}'")));
    let mut stage = Stage::ready(reactions.to_vec());
    stage.start();
    stage.service("user-db", "user-db-0", ready("cache"));
    stage.version("1.0.0");
    let begun = stage.deliver();
    assert_eq!(begun[1], "hook user-db.Ready if event.data.prerequisite == 'cache' #1");
}

#[test]
fn only_events_of_a_version_in_the_range_count() {
    let on_three = Sieve { version: Some(">=3.0.0".parse().unwrap()), when: None };
    let mut stage = Stage::ready(vec![Reaction { sieve: on_three, ..upgrade() }]);
    stage.start();
    assert_eq!(stage.schema_ready(), NOTHING, "it runs 2.0.0");
    let source = "/pavane/shop/user-db/user-db-0";
    let newer = stage.event(source, Some(ROLLOUT), Some(("user-db", "user-db-0")), Some("3.1.0"), ready(""));
    assert_eq!(stage.append(newer), ["observe"]);
}

#[test]
fn a_rollout_is_told_apart_by_its_labels() {
    for (environment, begins) in [("prod", true), ("staging", false)] {
        let sieve = when("rollout.labels.environment == 'prod'");
        for trigger in [Trigger::RolloutStarted, on("user-db.Ready")] {
            let reaction = reaction(trigger, EventType::DeploymentComplete);
            let mut stage = Stage::ready(vec![Reaction { sieve: sieve.clone(), ..reaction }]);
            stage.start_with(ROLLOUT, &labelled(environment));
            assert_eq!(stage.schema_ready() == ["observe"], begins, "{environment}");
        }
    }
}

#[test]
fn a_phase_counts_when_the_condition_holds_for_it() {
    for (phase, begins) in [("second", true), ("first", false)] {
        let sieve = when(&format!("event.data.phase == '{phase}'"));
        let reaction = Reaction { on: Trigger::PhaseBegun, sieve, ..upgrade() };
        let mut stage = Stage::ready(vec![reaction]);
        stage.start_with(ROLLOUT, &phased());
        stage.begin("first", &[]);
        stage.schema_ready();
        assert_eq!(stage.begin("second", &[]) == ["observe"], begins, "{phase}");
    }
}

#[test]
fn what_a_condition_cannot_judge_is_rejected_once_and_set_aside() {
    let mut stage = Stage::ready(vec![upgrade_if("rollout.labels.environment == 'prod'")]);
    stage.start();
    let said = stage.schema_ready();
    assert_eq!(said, ["tell unjudged", "write rejected 1", "say EventRejected", "dead letter 1"]);
    let Body::EventRejected(body) = &stage.said[0].body else { panic!("{:?}", stage.said) };
    assert_eq!((body.reason.as_str(), body.offset), ("unjudged", 1));
    assert!(body.detail.contains("user-db.Ready if rollout.labels.environment"), "{}", body.detail);
    assert_eq!(stage.crash(), NOTHING, "the journal knows of it");
}

#[test]
fn a_person_who_says_that_a_step_counts_as_met_is_not_sifted() {
    let mut stage = Stage::ready(vec![upgrade_if("event.data.prerequisite == 'never'")]);
    stage.start();
    assert_eq!(stage.schema_ready(), NOTHING);
    let step = StepId::new("schema").unwrap();
    let (by, reason) = ("ada".to_owned(), String::new());
    assert_eq!(stage.command(ROLLOUT, StepOverridden { step, by, reason }), ["observe"]);
}

fn upgrade_if(condition: &str) -> Reaction {
    Reaction { sieve: when(condition), ..upgrade() }
}

fn when(condition: &str) -> Sieve {
    Sieve { version: None, when: Some(Condition::parse(condition).unwrap()) }
}

fn ready(prerequisite: &str) -> Ready {
    Ready { prerequisite: prerequisite.to_owned(), detail: String::new() }
}

fn labelled(environment: &str) -> Plan {
    let labels = BTreeMap::from([("environment".to_owned(), environment.to_owned())]);
    Plan { labels, ..plan() }
}

fn phased() -> Plan {
    let phases = vec![phase("first", &["schema"], None), phase("second", &["users", "messaging"], None)];
    Plan { method: Method::Hybrid, phases, ..plan() }
}
