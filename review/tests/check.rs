//! Where the line runs between an error, a warning, a note and nothing at all.

#![cfg(test)]

use pavane_choreography::Expect;
use pavane_choreography::diagnostic::{Diagnostic, Place};
use pavane_events::{EventType, Service};
use pavane_review::check::{Choreography, Project, check};
use pavane_review::participant::{Hook, On, Participant, Reaction};

const HEAD: &str = "apiVersion: pavane/v1\nkind: Choreography\nmetadata: { name: a, owner: t, runbook: \"https://r.example\" }\n";

#[test]
fn a_name_that_is_nearly_known_is_an_error_a_forgotten_file_a_warning_and_what_ci_says_a_note() {
    let steps = |third: &str| {
        format!(
            "{HEAD}steps:\n{}{}{}",
            step("a", "api.DeploymentComplete", ""),
            step("b", "web.DeploymentComplete", ""),
            step("c", third, "")
        )
    };
    let found = |third: &str| {
        severities(&steps(third), vec![service("api", On::Due), service("web", On::Due)], "PAV410")
    };
    let slip = format!("{HEAD}steps:\n{}", step("a", "appi.DeploymentComplete", ""));
    assert_eq!(
        severities(&slip, vec![service("api", On::Due), service("web", On::Due)], "PAV410"),
        ["error"]
    );
    assert_eq!(found("appi.DeploymentComplete"), ["warning"], "the plan moves api beside it");
    assert_eq!(found("store.DeploymentComplete"), ["warning"]);
    assert_eq!(found("store.Ready"), ["note"]);
    assert_eq!(severities(&steps("store.Ready"), vec![service("other", On::Due)], "PAV410"), [""; 0]);
}

#[test]
fn a_reaction_on_one_of_several_fires_when_any_of_them_comes_and_one_on_all_needs_all() {
    let plan = format!(
        "{HEAD}steps:\n{}{}",
        step("a", "db.Ready", ""),
        step("b", "api.DeploymentComplete", "after: [a], ")
    );
    let both = vec![expect("db", EventType::Ready), expect("cache", EventType::Ready)];
    assert_eq!(severities(&plan, vec![service("api", On::AnyOf(both.clone()))], "PAV414"), [""; 0]);
    assert_eq!(severities(&plan, vec![service("api", On::AllOf(both))], "PAV414"), ["error"]);
}

#[test]
fn a_reaction_wants_a_version_that_the_step_before_can_bring_or_another_event_must_do() {
    let found = |on: fn(Vec<Expect>) -> On, wanted: &str, others: &[&str]| {
        let events = [&["db"], others].concat();
        let plan = format!(
            "{HEAD}steps:\n{}{}{}",
            step("a", "db.Ready", "version: \">=2.0.0, <3\", "),
            step("c", "cache.Ready", ""),
            step("b", "api.DeploymentComplete", "after: [a, c], ")
        );
        let events = events.iter().map(|name| expect(name, EventType::Ready)).collect();
        let mut api = service("api", on(events));
        api.reactions[0].version = Some(wanted.parse().expect("a range"));
        severities(&plan, vec![api], "PAV419")
    };
    assert_eq!(found(On::AllOf, ">=2.1", &[]), [""; 0]);
    assert_eq!(found(On::AllOf, ">=3.0.0", &[]), ["error"]);
    assert_eq!(found(On::AllOf, ">=3.0.0", &["cache"]), ["error"], "all of them are wanted");
    assert_eq!(
        found(On::AnyOf, ">=3.0.0", &["cache"]),
        ["warning"],
        "the other one may come in that version"
    );
}

#[test]
fn what_runs_together_is_held_against_what_the_plan_brings_and_nothing_is_guessed() {
    let found = |of_db: &str, of_api: &str, code: &str| {
        let db = step("db", "db.DeploymentComplete", &format!("{of_db}, "));
        let api = step("api", "api.DeploymentComplete", &format!("version: \">=2\", {of_api}, "));
        severities(&format!("{HEAD}steps:\n{db}{api}"), Vec::new(), code)
    };
    let none: [&str; 0] = [];
    let both =
        |of_db: &str, of_api: &str| [found(of_db, of_api, "PAV460"), found(of_db, of_api, "PAV461")].concat();
    let wants = |range: &str| format!("after: [db], runs_with: {{ db: \"{range}\" }}");
    assert_eq!(both("version: \">=5, <6\"", &wants(">=5, <7")), none);
    assert_eq!(both("version: \">=7\"", &wants(">=5, <7")), ["error"]);
    assert_eq!(both("owner: them", &wants(">=5, <7")), none, "what it brings is not said");
    assert_eq!(
        both("zone: eu, version: \">=7\"", &format!("zone: us, {}", wants("<7"))),
        none,
        "they do not meet"
    );
    assert_eq!(both("zone: eu, version: \">=7\"", &wants("<7")), ["error"]);
    assert_eq!(
        both("version: \">=7\"", "after: [db], runs_with: { cache: \"<7\" }"),
        none,
        "another plan's matter"
    );
    assert_eq!(both("version: \">=5\"", "runs_with: { db: \">=5\" }"), ["warning"], "it may come before");
    assert_eq!(both("version: \">=5\"", "runs_with: { db: \">=4\" }"), none, "it runs with an older one too");
    assert_eq!(both("version: \">=5\"", "runs_with: { api: \">=1\" }"), none);
    assert_eq!(both("version: \">=5\"", "runs_with: { api: \"<1\" }"), ["error"], "not even with itself");
    assert_eq!(found("owner: them", "runs_with: { db: \">=5, <4\" }", "PAV418"), ["error"]);
    assert_eq!(
        found("owner: them", "runs_with: { dbb: \">=5\" }", "PAV410"),
        ["error"],
        "a slip of the hand"
    );
    assert_eq!(found("owner: them", "runs_with: { cache: \">=5\" }", "PAV410"), none);
}

#[test]
fn a_phase_makes_a_sidecar_move_only_where_there_are_phases() {
    let steps = step("a", "api.DeploymentComplete", "");
    let phases = "phases:\n  - { id: p, steps: [a] }\n";
    let sidecar = || vec![service("api", On::Phase)];
    assert_eq!(severities(&format!("{HEAD}steps:\n{steps}"), sidecar(), "PAV414"), ["error"]);
    let hybrid = format!("{HEAD}method: hybrid\nsteps:\n{steps}{phases}");
    assert_eq!(severities(&hybrid, sidecar(), "PAV414"), [""; 0]);
}

#[test]
fn a_circle_through_several_steps_is_named_edge_by_edge_with_every_line() {
    let plan = format!(
        "{HEAD}steps:\n{}{}{}",
        step("a", "api.DeploymentComplete", ""),
        step("b", "web.DeploymentComplete", "after: [a], "),
        step("c", "app.DeploymentComplete", "after: [b], ")
    );
    let waits = On::AllOf(vec![expect("app", EventType::DeploymentComplete)]);
    let found = findings(&plan, vec![service("api", waits)]);
    let circle = found.iter().find(|one| one.code == "PAV415").expect("a circle");
    assert!(circle.message.ends_with("a -> b -> c -> a"), "{}", circle.message);
    for edge in ["`b` waits for `a` in line 6", "`c` waits for `b` in line 7", "in line 7 of api.yaml"] {
        assert!(circle.help.contains(edge), "{}", circle.help);
    }
}

#[test]
fn one_attempt_that_outlasts_the_window_is_a_warning_all_attempts_together_a_note() {
    let plan = |more: &str| format!("{HEAD}steps:\n{}", step("a", "api.DeploymentComplete", more));
    let slow = |timeout, attempts| {
        let mut one = service("api", On::Due);
        one.reactions[0].hook = Some(Hook { timeout, attempts, waits: 0 });
        vec![one]
    };
    assert_eq!(severities(&plan(""), slow(301_000, 1), "PAV421"), ["warning"]);
    assert_eq!(severities(&plan(""), slow(200_000, 2), "PAV421"), ["note"]);
    assert_eq!(severities(&plan(""), slow(150_000, 2), "PAV421"), [""; 0]);
    let in_turn = plan("instances: 6, max_parallel: 2, ");
    assert_eq!(severities(&in_turn, slow(101_000, 1), "PAV421"), ["warning"], "three rounds");
    assert_eq!(severities(&in_turn, slow(100_000, 1), "PAV421"), [""; 0]);
}

#[test]
fn a_gate_lets_an_irreversible_step_follow_wherever_it_stands_between() {
    let steps = format!(
        "steps:\n{}{}{}",
        step("a", "api.DeploymentComplete", ""),
        step("b", "web.DeploymentComplete", "after: [a], "),
        step("c", "db.Ready", "after: [b], reversible: false, ")
    );
    let phases = |b: &str, c: &str| {
        format!(
            "{HEAD}method: hybrid\n{steps}phases:\n  - {{ id: one, steps: [a] }}\n  - {{ id: two, steps: [b]{b} }}\n  - {{ id: three, steps: [c]{c} }}\n"
        )
    };
    let found = |plan: &str| {
        let found = findings(plan, Vec::new()).into_iter().find(|one| one.code == "PAV430");
        found.map(|one| one.message).unwrap_or_default()
    };
    assert!(found(&format!("{HEAD}{steps}")).contains("follows `a`, `b`"));
    assert!(
        found(&phases(", approval: true", "")).contains("follows `b` with"),
        "a gate before two covers one alone"
    );
    assert_eq!(found(&phases("", ", approval: true")), "");
}

#[test]
fn what_never_fits_into_the_maintenance_window_is_an_error_what_may_not_fit_a_warning() {
    let plan = |within: &str, soak: &str| {
        format!(
            "{HEAD}method: hybrid\nmaintenance: {{ days: [sat], from: \"22:00\", to: \"23:00\" }}\nsteps:\n  - {{ id: a, expect: api.Ready, within: {within} }}\n  - {{ id: b, expect: web.Ready, within: {within} }}\nphases:\n  - {{ id: one, steps: [a], soak: {soak} }}\n  - {{ id: two, steps: [b] }}\n"
        )
    };
    assert_eq!(severities(&plan("10m", "30m"), Vec::new(), "PAV423"), [""; 0]);
    assert_eq!(
        severities(&plan("20m", "30m"), Vec::new(), "PAV423"),
        ["warning"],
        "phases come one after another"
    );
    assert_eq!(severities(&plan("1m", "1h"), Vec::new(), "PAV423"), ["error"]);
}

#[test]
fn files_of_one_folder_are_meant_together_and_those_of_several_may_not_be() {
    let text = format!("{HEAD}steps:\n{}", step("a", "api.DeploymentComplete", ""));
    let found = |first: &str, second: &str| -> Vec<&'static str> {
        let choreographies = vec![choreography(first, &text), choreography(second, &text)];
        let found = check(&Project { choreographies, ..Project::default() });
        found.iter().filter(|one| one.code == "PAV401").map(|one| one.severity.as_str()).collect()
    };
    assert_eq!(found("x/a.yaml", "x/b.yaml"), ["error"]);
    assert_eq!(found("staging/a.yaml", "live/a.yaml"), ["note"]);
}

fn step(id: &str, expect: &str, more: &str) -> String {
    format!("  - {{ id: {id}, {more}expect: {expect}, within: 5m }}\n")
}

fn expect(service: &str, event: EventType) -> Expect {
    Expect { service: Service::new(service).expect("a name"), event }
}

/// A service that moves so and can go back, with quick hooks.
fn service(name: &str, on: On) -> Participant {
    let place = Place { line: 7, column: 3 };
    let hook = Some(Hook { timeout: 1_000, attempts: 1, waits: 0 });
    let reaction =
        |on, emit| Reaction { on, place, version: None, instances: 1, emit, hook, ready_within: 0 };
    Participant {
        file: format!("{name}.yaml"),
        service: Service::new(name).expect("a name"),
        place,
        domain: "shop".parse().expect("a name"),
        team: String::new(),
        zone: None,
        reactions: vec![
            reaction(on, EventType::DeploymentComplete),
            reaction(On::RollbackRequested, EventType::RollbackComplete),
        ],
        consumes: Vec::new(),
    }
}

fn choreography(file: &str, text: &str) -> Choreography {
    let (plan, places) = pavane_choreography::read_with_places(text, file)
        .unwrap_or_else(|defects| panic!("{text}\n{defects:#?}"));
    Choreography { file: file.to_owned(), plan, places }
}

fn findings(plan: &str, participants: Vec<Participant>) -> Vec<Diagnostic> {
    let choreographies = vec![choreography("plan.yaml", plan)];
    check(&Project { choreographies, participants, ..Project::default() })
}

fn severities(plan: &str, participants: Vec<Participant>, code: &str) -> Vec<&'static str> {
    let found = findings(plan, participants);
    found.iter().filter(|one| one.code == code).map(|one| one.severity.as_str()).collect()
}
