//! What `pavane diff` tells: only what changed in meaning, and what that means for a rollout.

use pavane_choreography::{Approval, Bound, Instances, Method, OnStall, Phase, Plan, Share, Watch, read};
use pavane_events::{PhaseId, StepId};
use pavane_review::difference::{About, Difference, between};

const BASE: &str = "\
apiVersion: pavane/v1
kind: Choreography
metadata: { name: users-v2, owner: identity, runbook: https://runbooks.example/users-v2 }
steps:
  - id: schema
    expect: user-db.Ready
    within: 10m
    reversible: false
  - id: users
    expect: user-service.DeploymentComplete
    version: \">=2.0.0, <3\"
    within: 15m
    on_stall: rollback
  - id: messaging
    after: [schema]
    expect: messaging.DeploymentComplete
    within: 2m
";

#[test]
fn form_alone_is_no_difference() {
    let reformed = BASE
        .replace("steps:\n", "# who moves\nmethod: choreography\nsteps:\n\n")
        .replace("version: \">=2.0.0, <3\"", "instances: 1\n    version: '>=2.0.0,<3'")
        .replace("within: 10m", "within: 600s");
    let difference = between(&plan(BASE), &plan(&reformed));
    assert!(difference.same && difference.changes.is_empty(), "{difference:#?}");
    assert_eq!(difference.old.digest, difference.new.digest);
    let text = difference.to_text();
    assert!(text.starts_with("users-v2: no change in meaning (digest "), "{text}");
}

#[test]
fn another_order_of_steps_or_bounds_is_another_digest_and_the_same_meaning() {
    let old = plan(BASE);
    let mut new = plan(&BASE.replace(">=2.0.0, <3", "<3, ^2"));
    new.steps.swap(0, 1);
    let difference = between(&old, &new);
    assert!(difference.same);
    assert!(difference.to_text().contains("the same, written in another order"), "{}", difference.to_text());
}

#[test]
fn a_new_prerequisite_says_how_much_later_the_step_may_start() {
    let told = told(&BASE.replace("after: [schema]", "after: [schema, users]"));
    assert_eq!(
        told,
        "\
users-v2: 1 change in meaning, digest OLD → NEW

step messaging
  ~ after: schema → schema, users
      waits for users too: it can start later by up to 5m

critical path 15m → 17m: users, messaging
"
    );
}

#[test]
fn a_prerequisite_that_stood_there_through_others_changes_no_start() {
    let chain = BASE.replace("expect: user-service", "after: [schema]\n    expect: user-service");
    let chain =
        chain.replace("after: [schema]\n    expect: messaging", "after: [users]\n    expect: messaging");
    let both = chain.replace("after: [users]", "after: [schema, users]");
    let [there, back] = [(&chain, &both), (&both, &chain)].map(|(old, new)| between(&plan(old), &plan(new)));
    assert_eq!(
        [meanings(&there), meanings(&back)],
        [
            ["waited for schema already, through others: it starts as late as before at the latest"],
            ["still waits for schema, through others: it starts as late as before at the latest"],
        ]
    );
}

#[test]
fn a_renamed_step_is_recognised_and_those_who_wait_for_it_are_the_same() {
    let new = BASE.replace("id: schema", "id: tables").replace("[schema]", "[tables]");
    let difference = between(&plan(BASE), &plan(&new));
    let [renamed] = difference.changes.as_slice() else { panic!("{difference:#?}") };
    assert_eq!((renamed.what, renamed.names.as_slice()), ("renamed", &["tables".to_owned()][..]));
    assert_eq!((renamed.old.as_deref(), renamed.new.as_deref()), (Some("schema"), Some("tables")));
}

#[test]
fn steps_that_come_and_go_say_who_takes_part() {
    let audit = BASE.replace("messaging", "audit");
    let fresh = BASE.to_owned()
        + "  - { id: audit, after: [users], expect: audit.Ready, within: 1m, owner: trust }\n";
    let difference = between(&plan(BASE), &plan(&fresh));
    assert_eq!(meanings(&difference), ["audit of trust takes part, and has 1m for it"]);
    let difference = between(&plan(&audit), &plan(BASE));
    assert_eq!(
        meanings(&difference),
        [
            "messaging of identity takes part, and has 2m for it",
            "nobody waits for audit.DeploymentComplete: audit takes no part and is not asked back either",
        ]
    );
}

#[test]
fn each_field_of_a_step_is_told_with_what_it_does() {
    let cases = [
        ("within: 15m", "within: 20m", "silence is told 5m later"),
        ("within: 15m", "within: 5m", "silence is told 10m sooner, and who takes longer than 5m stalls"),
        ("\">=2.0.0, <3\"", "\">=2.0.0, <4\"", "3.0.0 counts"),
        ("\">=2.0.0, <3\"", "\">=2.1.0, <3\"", "2.0.0 does not count any more"),
        (
            "expect: messaging",
            "version: \">=1\"\n    expect: messaging",
            "0.0.0 does not count any more, an event without a version does not count",
        ),
        ("    version: \">=2.0.0, <3\"\n", "", "any version counts, and an event without one too"),
        ("on_stall: rollback", "on_stall: alert", "its owner is told, and all else goes on"),
        ("within: 15m", "within: 15m\n    instances: 3", "3 must say it: with fewer running it stalls"),
        ("within: 15m", "within: 15m\n    started_within: 30s", "who has not begun after 30s stalls at once"),
        (
            "within: 15m",
            "within: 15m\n    healthy_for: 10s",
            "it is met once it has been full for 10s without a break",
        ),
        (
            "within: 15m",
            "within: 15m\n    owner: people",
            "people is told when it stalls, and identity is not",
        ),
        (
            "within: 15m",
            "within: 15m\n    severity: ticket",
            "a stall of it wakes nobody: somebody looks at it in working hours",
        ),
        (
            "within: 15m",
            "within: 15m\n    compensate: { within: 5m }",
            "it has 10m less to go back: silence is told 10m sooner, and who takes longer than 5m stalls",
        ),
    ];
    for (old, new, meaning) in cases {
        let difference = between(&plan(BASE), &plan(&BASE.replace(old, new)));
        let told = meanings(&difference);
        assert!(told.contains(&meaning), "{old} → {new}: {told:#?}");
    }
}

#[test]
fn what_is_never_asked_back_names_all_that_stays_with_it() {
    let old = plan(BASE);
    let mut new = old.clone();
    let messaging = new.steps.iter_mut().find(|step| step.id.as_str() == "messaging").expect("it is there");
    messaging.reversible = false;
    let difference = between(&old, &new);
    assert_eq!(
        meanings(&difference),
        ["it is never asked back: once it has moved it stays, and schema with it"]
    );
}

#[test]
fn a_change_that_befalls_many_alike_is_told_once() {
    let old = plan(BASE);
    let mut new = old.clone();
    for step in &mut new.steps {
        step.healthy_for = 10_000;
        step.zone = Some("eu".parse().unwrap_or_else(|_| panic!("a name")));
    }
    let difference = between(&old, &new);
    let names: Vec<_> = difference.changes.iter().map(|change| (change.what, change.names.len())).collect();
    assert_eq!(names, [("zone", 3), ("healthy_for", 3)]);
}

#[test]
fn phases_tell_their_gates() {
    let old = phased();
    let mut new = old.clone();
    new.phases[0].soak = 60_000;
    new.phases[1].approval = Some(Approval { by: "sre".to_owned() });
    new.phases[1].cohort = Share::new(5);
    new.steps[2].instances = Instances::Share(Share::new(5).expect("a share"));
    let query = "sum(rate(errors[1m]))".to_owned();
    let bound = Bound::AtMost(1.into());
    new.phases[0].watch =
        Some(Watch { query, bound, hold: 60_000, every: 10_000, on_breach: OnStall::Rollback });
    let difference = between(&old, &new);
    let phases: Vec<_> = difference
        .changes
        .iter()
        .filter(|change| change.about == About::Phase)
        .map(|change| change.what)
        .collect();
    assert_eq!(phases, ["soak", "watch", "approval", "cohort"]);
    let text = difference.to_text();
    for line in [
        "  + approval: sre\n",
        "      it does not begin before sre has said so: pavane approve ROLLOUT others\n",
        "      it is complete once all its steps have been met for 1m\n",
        "  + watch: sum(rate(errors[1m])) at most 1 for 1m\n",
        // 15m of users, a minute of soak, a minute of watch, 2m of messaging.
        "critical path 17m → 19m: users, messaging\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn a_step_that_moves_to_another_phase_and_phases_in_another_order_are_told() {
    let old = phased();
    let mut new = old.clone();
    new.phases.reverse();
    let difference = between(&old, &new);
    assert_eq!(meanings(&difference), ["the gates come in another order"]);
    let mut new = old.clone();
    let users = new.phases[0].steps.pop().expect("a step");
    new.phases[1].steps.insert(0, users);
    let difference = between(&old, &new);
    assert_eq!(meanings(&difference), ["it opens schema together", "it opens users, messaging together"]);
}

#[test]
fn the_text_fits_into_eighty_columns_and_the_json_names_everything() {
    let mut new = phased();
    new.owner = "an-owner-with-a-name-that-goes-on-for-rather-a-long-while-before-it-ends".to_owned();
    new.runbook = None;
    let difference = between(&plan(BASE), &new);
    for line in difference.to_text().lines() {
        assert!(line.chars().count() <= 80 || !line.trim().contains(' '), "{line}");
    }
    let json = serde_json::to_value(&difference).expect("plain data");
    assert_eq!(json["same"], false);
    for field in ["about", "names", "what", "old", "new", "meaning"] {
        assert!(json["changes"][0].get(field).is_some(), "{field}");
    }
    assert_eq!(json["new"]["critical_path"], serde_json::json!(["users", "messaging"]));
}

fn plan(text: &str) -> Plan {
    read(text, "plan.yaml").unwrap_or_else(|defects| panic!("{defects:#?}"))
}

/// The base plan in two phases: the first opens the tables and the users, the second all others.
fn phased() -> Plan {
    let phase = |id: &str, steps: &[&str]| Phase {
        id: PhaseId::new(id).expect("a name"),
        steps: steps.iter().map(|id| StepId::new(*id).expect("a name")).collect(),
        approval: None,
        cohort: None,
        soak: 0,
        watch: None,
    };
    let phases = vec![phase("first", &["schema", "users"]), phase("others", &["messaging"])];
    Plan { method: Method::Hybrid, phases, ..plan(BASE) }
}

fn meanings(difference: &Difference) -> Vec<&str> {
    difference.changes.iter().map(|change| change.meaning.as_str()).collect()
}

/// The text of the difference between the base and another plan, without the digests.
fn told(new: &str) -> String {
    let difference = between(&plan(BASE), &plan(new));
    let text = difference.to_text();
    text.replace(&difference.old.digest[..12], "OLD").replace(&difference.new.digest[..12], "NEW")
}
