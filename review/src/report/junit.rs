//! Findings as `JUnit` XML: one case a file, failed when something in it must be mended.

use pavane_choreography::diagnostic::{Diagnostic, Severity};

use super::{Report, count};
use crate::words::{counted, escaped};

/// One suite. `strict` says that warnings fail a case too; what does not fail it stands in its output.
pub fn junit(report: &Report, strict: bool) -> String {
    let fails = |finding: &&&Diagnostic| match finding.severity {
        Severity::Error => true,
        Severity::Warning => strict,
        Severity::Note => false,
    };
    let (mut cases, mut failed) = (String::new(), 0);
    let files = report.by_file();
    for (file, findings) in &files {
        let (bad, rest): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
            findings.iter().partition(|finding| fails(finding));
        failed += usize::from(!bad.is_empty());
        cases.push_str(&case(file, &bad, &rest));
    }
    let tests = files.len();
    let numbers = format!("name=\"pavane check\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\"");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {numbers}>\n  <testsuite {numbers} skipped=\"0\">\n\
         {cases}  </testsuite>\n</testsuites>\n"
    )
}

fn case(file: &str, bad: &[&Diagnostic], rest: &[&Diagnostic]) -> String {
    let open = format!("    <testcase classname=\"pavane.check\" name=\"{}\"", escaped(file));
    if bad.is_empty() && rest.is_empty() {
        return format!("{open}/>\n");
    }
    let mut text = format!("{open}>\n");
    if let Some(first) = bad.first() {
        let more = match bad.len() {
            1 => String::new(),
            all => format!(" (and {} more)", counted(all - 1, "finding")),
        };
        let message = escaped(&format!("{}{more}", first.message));
        let told = escaped(&lines(bad));
        let code = escaped(&first.code);
        let failure = format!("      <failure type=\"{code}\" message=\"{message}\">{told}</failure>\n");
        text.push_str(&failure);
    }
    if !rest.is_empty() {
        let told = count(rest.iter().copied()).told();
        let told = escaped(&format!("{told}\n{}", lines(rest)));
        let output = format!("      <system-out>{told}</system-out>\n");
        text.push_str(&output);
    }
    text + "    </testcase>\n"
}

fn lines(findings: &[&Diagnostic]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
