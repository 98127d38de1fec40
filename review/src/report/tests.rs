//! What each form of the findings promises to whoever reads it.

use pavane_choreography::diagnostic::{Code, Place};
use serde_json::Value;

use super::sarif::Tool;
use super::*;

const SOURCE: &str = "a: 1\nsteps: [{ id: \"x y\", after: [z] }]\n";

fn report() -> Report {
    let at = |line, column| Place { line, column };
    let evil = "100%\n::error::<&\"'>\u{1b}[31m";
    let findings = vec![
        Diagnostic::new(Code::Cycle, "odd, name:1.yaml", at(2, 31), evil, "take it out"),
        Diagnostic::new(Code::HookOutlasts, "odd, name:1.yaml", at(2, 15), "slow", "").warning(),
        Diagnostic::new(Code::AcrossTeams, "ü/b.yaml", at(9, 1), "a waits for b", "talk").note(),
    ];
    let texts = [("odd, name:1.yaml", SOURCE), ("clean.yaml", ""), ("ü/b.yaml", "")];
    Report { findings, texts: texts.map(|(file, text)| (file.to_owned(), text.to_owned())).into() }
}

fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').expect("a colour ends").1;
    }
    plain + rest
}

#[test]
fn a_person_sees_the_line_the_mark_and_the_way_out() {
    let text = human::human(&report(), true);
    let wanted = "error[PAV104]: 100% ::error::<&\"'>\u{fffd}[31m\n --> odd, name:1.yaml:2:31\n  |\n\
                  2 | steps: [{ id: \"x y\", after: [z] }]\n  |                               ^\n  \
                  = help: take it out\n\nwarning[PAV421]: slow\n --> odd, name:1.yaml:2:15\n  |\n\
                  2 | steps: [{ id: \"x y\", after: [z] }]\n  |               ^^^^^\n\n\
                  note[PAV442]: a waits for b\n --> ü/b.yaml:9:1\n  = help: talk\n\n\
                  3 files checked: 1 error, 1 warning, 1 note\n";
    assert_eq!(plain(&text), wanted);
    let clean = Report { findings: Vec::new(), ..report() };
    assert_eq!(human::human(&clean, false), "3 files checked, nothing found\n");
}

#[test]
fn notes_take_a_line_each_and_many_stand_by_their_codes() {
    let text = plain(&human::human(&report(), false));
    let brief =
        "1 note; --notes shows each with its line and what to do\n  ü/b.yaml:9:1 PAV442: a waits for b\n\n";
    assert!(text.ends_with(&format!("\n\n{brief}3 files checked: 1 error, 1 warning, 1 note\n")), "{text}");
    assert!(
        text.starts_with("error[PAV104]: 100%") && text.contains("warning[PAV421]: slow\n -->"),
        "{text}"
    );
    let note = |line| Diagnostic::new(Code::AcrossTeams, "a", Place { line, column: 1 }, "so", "").note();
    let mut findings: Vec<Diagnostic> = (1..=12).map(note).collect();
    findings.push(Diagnostic::new(Code::Template, "b", Place::START, "later", "").note());
    let text = plain(&human::human(&Report { findings, texts: BTreeMap::new() }, false));
    let group = text.split_once("  PAV442 a team waits for another team (12)\n").expect("a heading").1;
    assert_eq!(group.matches("    a:").count(), 10, "{text}");
    assert!(group.contains("    a:10:1: so\n    and 2 more\n\n0 files"), "{text}");
}

#[test]
fn a_long_line_is_shown_around_the_mark() {
    let source = format!("{}bad {}", "x ".repeat(200), "y ".repeat(200));
    let finding = Diagnostic::new(Code::NotYaml, "a", Place { line: 1, column: 401 }, "so", "");
    let report = Report { findings: vec![finding], texts: [("a".to_owned(), source)].into() };
    let text = plain(&human::human(&report, false));
    let lines: Vec<&str> = text.lines().collect();
    let at = lines[4].chars().position(|c| c == '^').expect("a mark");
    assert_eq!(lines[3].chars().skip(at).take(3).collect::<String>(), "bad", "{text}");
    assert_eq!(lines[4].matches('^').count(), 3);
    assert!(lines[3].chars().count() < 120, "{text}");
}

#[test]
fn a_program_finds_seven_fields_in_each_finding() {
    let json: Value = serde_json::from_str(&json::json(&report())).expect("JSON");
    for finding in json["findings"].as_array().expect("a list") {
        let fields: Vec<&str> = finding.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(fields, ["code", "severity", "file", "line", "column", "message", "help"]);
    }
    assert_eq!(json["findings"][2]["severity"], "note");
    assert_eq!(json["summary"], serde_json::json!({ "files": 3, "errors": 1, "warnings": 1, "notes": 1 }));
}

#[test]
fn no_text_of_a_file_becomes_a_workflow_command() {
    let text = github::github(&report());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        "::error file=odd%2C name%3A1.yaml,line=2,col=31,title=PAV104::100%25%0A::error::<&\"'>\u{fffd}[31m%0Ahelp: take it out"
    );
    assert!(lines[1].starts_with("::warning ") && lines[2].starts_with("::notice "));
}

#[test]
fn sarif_names_each_rule_once_and_points_to_each_place() {
    let page = |code: Code| code.meaning();
    let tool = Tool { version: "0.1.0", docs: Some("https://docs.example/codes/"), page };
    let log: Value = serde_json::from_str(&sarif::sarif(&report(), tool)).expect("JSON");
    let run = &log["runs"][0];
    assert_eq!(
        (log["version"].as_str(), run["columnKind"].as_str()),
        (Some("2.1.0"), Some("unicodeCodePoints"))
    );
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), 3);
    for result in run["results"].as_array().expect("results") {
        let at = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("a small one");
        assert_eq!(rules[at]["id"], result["ruleId"]);
        let docs = format!("https://docs.example/codes/{}.md", result["ruleId"].as_str().expect("a code"));
        assert_eq!(rules[at]["helpUri"], docs.as_str());
    }
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "odd%2C%20name%3A1.yaml");
    assert_eq!(place["region"], serde_json::json!({ "startLine": 2, "startColumn": 31 }));
    assert_eq!(
        run["results"][2]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "%C3%BC/b.yaml"
    );
    let bare = sarif::sarif(&report(), Tool { docs: None, ..tool });
    assert!(bare.contains("\"urn:pavane:code:PAV104\""));
}

#[test]
fn junit_has_a_case_for_each_file_and_fails_those_that_must_be_mended() {
    let text = junit::junit(&report(), false);
    assert!(text.contains("tests=\"3\" failures=\"1\""), "{text}");
    assert_eq!(text.matches("<testcase ").count(), 3);
    assert!(text.contains("message=\"100%&#10;::error::&lt;&amp;&quot;&apos;&gt;\u{fffd}[31m\""), "{text}");
    assert_eq!(text.matches("<failure ").count(), 1);
    assert_eq!(text.matches("<system-out>").count(), 2);
    assert!(text.contains("name=\"clean.yaml\"/>"));
    let strict = junit::junit(&Report { findings: report().findings[1..].to_vec(), ..report() }, true);
    assert!(strict.contains("failures=\"1\"") && strict.contains("type=\"PAV421\""), "{strict}");
}
