//! The results of scenarios in three forms.

use pavane_review::words::escaped;
use std::fmt::Write as _;

use super::Outcome;

/// For people: a line for each scenario, and the transcript of each that failed.
pub(super) fn human(outcomes: &[Outcome]) -> String {
    let (mut text, mut file) = (String::new(), "");
    for outcome in outcomes {
        if outcome.file != file {
            file = &outcome.file;
            line(&mut text, file);
        }
        let mark = if outcome.holds { "ok    " } else { "FAILED" };
        let seed = if outcome.holds { String::new() } else { format!(" (seed {})", outcome.seed) };
        line(&mut text, &format!("  {mark} {}{seed}", outcome.scenario));
        for told in outcome.transcript.lines() {
            line(&mut text, format!("    {told}").trim_end());
        }
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.holds).count();
    let sum =
        if outcomes.len() == 1 { "1 scenario".to_owned() } else { format!("{} scenarios", outcomes.len()) };
    line(&mut text, &format!("{sum}, {failed} failed"));
    text
}

/// For programs: one object on one line.
pub(super) fn json(outcomes: &[Outcome]) -> String {
    let failed = outcomes.iter().filter(|outcome| !outcome.holds).count();
    format!("{}\n", serde_json::json!({ "scenarios": outcomes, "failed": failed }))
}

/// For CI: a suite for each file, a case for each scenario.
pub(super) fn junit(outcomes: &[Outcome]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let failed = |outcomes: &[Outcome]| outcomes.iter().filter(|outcome| !outcome.holds).count();
    line(&mut text, &format!("<testsuites tests=\"{}\" failures=\"{}\">", outcomes.len(), failed(outcomes)));
    for suite in outcomes.chunk_by(|one, other| one.file == other.file) {
        let file = escaped(&suite[0].file);
        let (tests, failures) = (suite.len(), failed(suite));
        line(&mut text, &format!("  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\">"));
        for outcome in suite {
            case(&mut text, &file, outcome);
        }
        line(&mut text, "  </testsuite>");
    }
    line(&mut text, "</testsuites>");
    text
}

fn case(text: &mut String, file: &str, outcome: &Outcome) {
    let name = escaped(&outcome.scenario);
    let head = format!("    <testcase classname=\"{file}\" name=\"{name}\"");
    if outcome.holds {
        return line(text, &format!("{head}/>"));
    }
    line(text, &format!("{head}>"));
    let broken = outcome.expectations.iter().filter(|judgement| !judgement.holds);
    let broken: Vec<String> =
        broken.map(|judgement| format!("{}: {}", judgement.expected, judgement.seen)).collect();
    let (message, told) = (escaped(&broken.join("; ")), escaped(&outcome.transcript));
    line(text, &format!("      <failure message=\"{message}\">{told}</failure>"));
    line(text, "    </testcase>");
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a text takes all");
}

#[cfg(test)]
mod tests {
    use pavane_rehearsal::Judgement;

    use super::*;

    #[test]
    fn what_fails_is_told_in_every_form() {
        let outcomes = [outcome("a.yaml", "goes well", true), outcome("b.yaml", "a <bad> day", false)];
        let human = human(&outcomes);
        assert!(human.contains("  ok     goes well") && human.contains("  FAILED a <bad> day (seed 7)"));
        assert!(human.ends_with("2 scenarios, 1 failed\n"), "{human}");
        let json: serde_json::Value = serde_json::from_str(&json(&outcomes)).expect("JSON");
        assert_eq!((&json["failed"], &json["scenarios"][1]["seed"]), (&1.into(), &7.into()));
        let junit = junit(&outcomes);
        assert!(junit.contains("name=\"a &lt;bad&gt; day\"") && junit.contains("failures=\"1\""), "{junit}");
    }

    fn outcome(file: &str, scenario: &str, holds: bool) -> Outcome {
        let (expected, seen) = ("it ends completed".to_owned(), "it is open".to_owned());
        Outcome {
            file: file.to_owned(),
            scenario: scenario.to_owned(),
            seed: 7,
            holds,
            expectations: vec![Judgement { expected, holds, seen }],
            transcript: if holds { String::new() } else { "the transcript".to_owned() },
        }
    }
}
