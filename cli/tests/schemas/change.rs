//! What a change breaks, and whom: the sentence that names who would wait in vain.

use serde_json::Value;

use crate::{POOLS, READY, TOURNAMENT, check, code, commit, findings, put, ready, run, stdout, story};

#[test]
fn the_change_that_once_stalled_a_season_names_who_would_wait_in_vain() {
    let folder = story();
    put(&folder, READY, &ready("int", "0", &format!(",\n    {POOLS}")));
    let output = check(&folder, &["--base", "main", "--output", "json"]);
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    let findings = findings(&output);
    let breaks = findings.iter().find(|one| one["code"] == "PAV530").expect("somebody breaks");
    assert_eq!(
        breaks["message"],
        "matchmaking.Ready changes, and `tournament` (team competition) cannot read it: /prerequisite: the writer has int \
         where the reader has string; in the choreography `season-7` the step `tournament` would stall"
    );
    assert_eq!((&breaks["file"], &breaks["line"], &breaks["column"]), (&READY.into(), &4.into(), &39.into()));
    let fields: Vec<&String> = breaks.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "severity", "file", "line", "column", "message", "help"]);
    let order = findings.iter().find(|one| one["code"] == "PAV531").expect("an order is named");
    assert_eq!(
        order["message"],
        "no order of roll-out carries this change of matchmaking.Ready: `tournament` and matchmaking would have to change in one moment"
    );
    let codes: Vec<&str> = findings.iter().filter_map(|one| one["code"].as_str()).collect();
    for expected in ["PAV508", "PAV521", "PAV531"] {
        assert!(codes.contains(&expected), "{expected} in {codes:?}");
    }
}

#[test]
fn a_change_that_everybody_can_read_passes() {
    let folder = story();
    let more = r#"{ "name": "region", "type": ["null", "string"], "doc": "Where.", "default": null }"#;
    put(&folder, READY, &ready("string", "\"\"", &format!(",\n    {POOLS},\n    {more}")));
    let output = check(&folder, &[]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let told = format!("{READY}\n  + /region: [null, string] = null\n\n1 file checked, nothing found\n");
    assert_eq!(stdout(&output), told);
}

#[test]
fn a_field_that_a_service_says_it_uses_may_not_go_default_or_not() {
    let folder = story();
    put(&folder, READY, &ready("string", "\"\"", ""));
    assert_eq!(code(&check(&folder, &[])), 0, "nobody says that it uses the pools");
    let uses = format!("{TOURNAMENT}consumes:\n  - {{ event: matchmaking.Ready, fields: [pools] }}\n");
    put(&folder, "services/tournament.yaml", &uses);
    let output = check(&folder, &[]);
    assert_eq!(code(&output), 1);
    let told = "`tournament` (team competition) cannot read it: /pools: it was array of string, and is not written any more";
    assert!(stdout(&output).contains(told), "{}", stdout(&output));
    assert!(stdout(&output).contains("(services/tournament.yaml:9)"), "{}", stdout(&output));
}

#[test]
fn a_change_that_can_be_read_one_way_names_who_is_upgraded_first_in_the_order_of_the_choreographies() {
    let folder = story();
    let seats =
        |kind: &str| format!(r#"{{ "name": "seats", "type": "{kind}", "doc": "How many.", "default": 0 }}"#);
    put(&folder, READY, &ready("string", "\"\"", &format!(",\n    {}", seats("int"))));
    let uses = "consumes:\n  - { event: matchmaking.Ready, fields: [seats] }\n";
    let prizes = TOURNAMENT.replace("tournament", "prizes").replace("competition", "rewards");
    put(&folder, "services/tournament.yaml", &format!("{TOURNAMENT}{uses}"));
    put(&folder, "services/prizes.yaml", &format!("{prizes}{uses}"));
    commit(&folder);
    let order = |output: &std::process::Output| {
        let findings = findings(output);
        let found = findings.iter().find(|one| one["code"] == "PAV531");
        found.map(|one| one["message"].as_str().unwrap().to_owned()).expect("an order is named")
    };
    let told = |from: &str, to: &str| {
        put(&folder, READY, &ready("string", "\"\"", &format!(",\n    {}", seats(from))));
        commit(&folder);
        put(&folder, READY, &ready("string", "\"\"", &format!(",\n    {}", seats(to))));
        order(&check(&folder, &["--base", "HEAD", "--output", "json"]))
    };
    assert_eq!(
        told("int", "long"),
        "who reads matchmaking.Ready must be upgraded first: `tournament`, then `prizes`, then matchmaking"
    );
    assert_eq!(
        told("long", "int"),
        "matchmaking must be upgraded first, then who reads matchmaking.Ready: `tournament`, then `prizes`"
    );
}

#[test]
fn a_reader_by_a_schema_of_its_own_is_held_to_that_schema() {
    let folder = story();
    let uses = format!("{TOURNAMENT}consumes:\n  - {{ event: matchmaking.Ready, schema: reads.avsc }}\n");
    put(&folder, "services/tournament.yaml", &uses);
    put(&folder, "services/reads.avsc", &ready("string", "\"\"", &format!(",\n    {POOLS}")));
    assert_eq!(code(&check(&folder, &[])), 0, "{}", stdout(&check(&folder, &[])));
    let text = POOLS.replace(r#"{ "type": "array", "items": "string" }"#, "\"string\"").replace("[]", "\"\"");
    put(&folder, READY, &ready("string", "\"\"", &format!(",\n    {text}")));
    let output = check(&folder, &[]);
    let told = "`tournament` (team competition) cannot read it: /pools: the writer has string where the reader has array of string";
    assert!(code(&output) == 1 && stdout(&output).contains(told), "{}", stdout(&output));
}

#[test]
fn two_schemas_are_told_apart_field_by_field_with_who_reads_whom() {
    let folder = story();
    put(&folder, "new.avsc", &ready("string", "\"\"", ""));
    let output = run(folder.path(), &["schemas", "diff", READY, "new.avsc"]);
    let told = "- /pools: array of string = []\nold and new read each other: any order of roll-out will do\n";
    assert_eq!((code(&output), stdout(&output).as_str()), (0, told));
    put(&folder, "new.avsc", &ready("int", "0", ""));
    let output = run(folder.path(), &["schemas", "diff", READY, "new.avsc", "--output", "json"]);
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&json["backward"], &json["forward"]), (&false.into(), &false.into()));
    assert_eq!(json["changes"][0]["field"], "/prerequisite");
    put(&folder, "new.avsc", "{");
    assert_eq!(code(&run(folder.path(), &["schemas", "diff", READY, "new.avsc"])), 3);
}
