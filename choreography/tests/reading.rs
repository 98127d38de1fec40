//! The reader that all our files go through: what each kind of value accepts, refuses, and says.

#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "`Item::text` is for one lifetime of the item, the readers here are for all"
)]

use std::collections::BTreeMap;

use pavane_choreography::diagnostic::{Code, Diagnostic, Place};
use pavane_choreography::expectation::{event_name, event_of_service};
use pavane_choreography::yaml::{self, Item, Reported};
use pavane_events::Version;

#[test]
fn durations_are_exact_and_bounded() {
    let cases = [
        ("250ms", 250),
        ("30s", 30_000),
        ("10m", 600_000),
        ("1h30m", 5_400_000),
        ("1d2h3m4s5ms", 93_784_005),
        ("\"90d\"", 7_776_000_000),
    ];
    for (text, millis) in cases {
        assert_eq!(value(text, |i| i.duration()), Ok(millis), "{text}");
    }
    for text in [
        "0s",
        "-1s",
        "1",
        "s",
        "1 m",
        "1m1m",
        "1s1m",
        "1.5s",
        "1M",
        "91d",
        "1w",
        "9223372036854775807d",
        "ten",
    ] {
        assert_eq!(code(text, |i| i.duration()), Code::BadDuration, "{text}");
    }
    assert_eq!(value("0s", |i| i.duration_in(0..=10)), Ok(0));
    assert_eq!(value("1s..30s", |i| i.duration_range()), Ok(1000..=30_000));
    for text in ["30s..1s", "1s", "1s..", "..1s", "0s..1s", "1s..91d", "1s..2s..3s"] {
        assert_eq!(code(text, |i| i.duration_range()), Code::BadDuration, "{text}");
    }
}

#[test]
fn a_plain_scalar_is_the_text_that_stands_there() {
    for text in ["1.10", "no", "0x10", "2026-11-21", "1e3", "Off"] {
        assert_eq!(value(text, |i| i.text()), Ok(text.to_owned()));
    }
    assert_eq!(value("1.10.0-rc.1", |i| i.name::<Version>()).map(String::from), Ok("1.10.0-rc.1".to_owned()));
    for text in ["", "~", "null", "[]", "{}"] {
        assert_eq!(code(text, |i| i.text()), Code::WrongType, "{text}");
    }
    assert_eq!(value("\"null\"", |i| i.text()), Ok("null".to_owned()));
}

#[test]
fn a_text_cannot_deceive_the_one_who_reads_it() {
    for text in [r#""a\nb""#, r#""\e[31m""#, r#""a\u202eb""#, r#""a\u200bb""#, r#""""#, "|\n  a\n  b"] {
        assert_eq!(code(text, |i| i.text()), Code::BadText, "{text}");
    }
    assert_eq!(code(&"x".repeat(4097), |i| i.text()), Code::BadText);
    let long = format!("\"\\e[31m{}\"", "x".repeat(1000));
    let told = refused(&long, |i| i.duration()).message;
    assert!(told.len() < 200 && !told.contains('\u{1b}'), "{told}");
}

#[test]
fn numbers_are_whole_and_within_their_range() {
    assert_eq!(value("7", |i| i.count(1..=9)), Ok(7));
    for text in ["0", "10", "-1", "+1", "1.0", "1e0", "0x1", "1_0", "99999999999", "seven"] {
        assert_eq!(code(text, |i| i.count(1..=9)), Code::BadNumber, "{text}");
    }
    assert_eq!(code("\"7\"", |i| i.count(1..=9)), Code::WrongType);
}

#[test]
fn truth_is_written_in_one_way() {
    assert_eq!((value("true", |i| i.boolean()), value("false", |i| i.boolean())), (Ok(true), Ok(false)));
    for text in ["yes", "no", "on", "True", "1", "\"true\""] {
        assert_eq!(code(text, |i| i.boolean()), Code::WrongType, "{text}");
    }
}

#[test]
fn addresses_are_checked_before_anyone_calls_them() {
    assert!(value("http://127.0.0.1:8080/version?a=b", |i| i.url()).is_ok());
    for text in ["ftp://a", "https://", "https:///a", "a.example", "\"https://a b\"", "javascript:alert(1)"] {
        assert_eq!(code(text, |i| i.url()), Code::BadAddress, "{text}");
    }
    assert_eq!(value("127.0.0.1:3650", |i| i.socket()).map(|at| at.port()), Ok(3650));
    for text in ["127.0.0.1", "localhost:1", ":80", "1.2.3.4:99999"] {
        assert_eq!(code(text, |i| i.socket()), Code::BadAddress, "{text}");
    }
}

#[test]
fn events_are_those_that_services_say() {
    assert_eq!(
        value("user-db.Ready", event_of_service).map(|e| e.to_string()),
        Ok("user-db.Ready".to_owned())
    );
    assert_eq!(
        value("eu.user-db.Ready", event_of_service).map(|e| e.service.to_string()),
        Ok("eu.user-db".into())
    );
    assert_eq!(
        value("RollbackComplete", event_name).map(|e| e.to_string()),
        Ok("RollbackComplete".to_owned())
    );
    for text in ["Ready", "user-db.Raedy", "user-db.Pulse", "user-db.RollbackRequested", "user-db."] {
        assert_eq!(code(text, event_of_service), Code::BadEvent, "{text}");
    }
    assert_eq!(refused("user-db.Raedy", event_of_service).help, "did you mean `Ready`?");
    assert_eq!(code("\".Ready\"", event_of_service), Code::BadName);
}

#[test]
fn exactly_one_of_several_fields_is_read() {
    fn probe(item: &Item<'_>) -> Result<String, Reported> {
        item.fields(|f| f.exactly_one(&[("http", Item::url), ("file", Item::text)]))
    }
    assert_eq!(value("{ file: VERSION }", probe), Ok("VERSION".to_owned()));
    assert_eq!(code("{}", probe), Code::MissingField);
    assert_eq!(code("{ file: a, http: \"http://a\" }", probe), Code::Contradiction);
    assert_eq!(refused("{ fiel: a, file: a }", probe).help, "did you mean `file`?");
}

#[test]
fn every_bad_entry_of_a_list_and_of_a_map_is_told() {
    let found = all("[1s, x, 2s, y]", |i| i.list(Item::duration)).expect_err("two defects");
    assert_eq!(found.iter().map(|found| found.column).collect::<Vec<_>>(), [13, 20]);
    let found = all("{ a: 1s, b: x, c: y }", |i| i.entries(Item::duration)).expect_err("two defects");
    assert_eq!(found.len(), 2);
    let read = all("{ b: 2s, a: 1s }", |i| i.entries(Item::duration));
    assert_eq!(read, Ok(BTreeMap::from([("a".to_owned(), 1000), ("b".to_owned(), 2000)])));
}

#[test]
fn a_value_can_be_refused_after_it_was_read() {
    let late = |item: &Item<'_>| {
        let found = item.spanned(Item::duration)?;
        assert_eq!(found.item.place(), Place { line: 1, column: 8 });
        Err::<(), _>(found.item.refuse(Code::Contradiction, "too long for that", ""))
    };
    assert_eq!(refused("1m", late).to_string(), "a.yaml:1:8: error[PAV020]: too long for that");
}

#[test]
fn a_defect_that_was_reported_refuses_the_file_though_a_value_was_read() {
    let found = yaml::read("a: 1s\na: 2s\n", "a.yaml", |i| i.fields(|f| f.required("a", Item::duration)));
    assert_eq!(found.expect_err("a field stands twice")[0].code, "PAV006");
}

#[test]
fn a_hostile_file_is_refused_like_any_other() {
    let names = (0..25_000).fold(String::new(), |text, n| text + &format!("s{n},"));
    let step =
        |after: &str| format!("{HEAD}  - {{ id: a, after: [{after}], expect: a.Ready, within: 1m }}\n");
    assert!(pavane_choreography::read(&step(&names), "a.yaml").is_err());
    let keys = (0..25_000).fold(String::new(), |text, n| text + &format!("withn{n}: 1\n"));
    assert!(pavane_choreography::read(&keys, "a.yaml").is_err());
    let twice = "a: 1\n".repeat(50_000);
    assert_eq!(pavane_choreography::read(&twice, "a.yaml").expect_err("bad").len(), 101);
}

#[test]
fn a_file_that_would_grow_without_end_when_written_out_is_refused_in_time() {
    let refused = |text: &str| {
        let found = pavane_choreography::read(text, "a.yaml").expect_err("a hostile file");
        found.into_iter().map(|found| found.code).collect::<Vec<_>>()
    };
    let list = |count: usize, entry: &str| vec![entry; count].join(", ");
    let values = (0..1000).map(|n| format!("v{n}")).collect::<Vec<_>>().join(", ");
    let matrix = format!("matrix: {{ a: [{values}], b: [{values}], c: [{values}] }}\n");
    let step = |id: &str, after: &str| {
        format!("{HEAD}  - {{ id: {id}, after: [{after}], expect: a.Ready, within: 1m }}\n")
    };
    assert_eq!(refused(&(matrix.clone() + &step("\"s-{a}-{b}-{c}\"", ""))), ["PAV108"]);
    assert_eq!(refused(&(matrix + &step("s", &list(50_000, "\"{a}{b}{c}\"")))), ["PAV108"]);
    assert_eq!(refused(&step(&format!("\"{}\"", "{".repeat(900_000)), "")), ["PAV011"]);
    let steps = (0..900).fold(HEAD.to_owned(), |text, n| {
        text + &format!(
            "  - {{ id: s{n}, expect: s{n}.Ready, within: 1m, after: [{}] }}\n",
            list(150, "zzzz")
        )
    });
    assert_eq!(refused(&steps).len(), 101);
    let zones = (0..400).map(|n| format!("z{n}")).collect::<Vec<_>>().join(", ");
    let phase = |n: usize| {
        format!(
            "  - {{ id: p{n}, steps: [a], zones: {{ names: [{zones}] }}, cohorts: [1%, 2%, 3%, 100%] }}\n"
        )
    };
    let phases = (0..300).map(phase).collect::<String>();
    let hybrid = format!("method: hybrid\n{}phases:\n{phases}", step("a", ""));
    assert!(refused(&hybrid).contains(&"PAV108".to_owned()));
}

const HEAD: &str = "apiVersion: pavane/v1\nkind: Choreography\nmetadata: { name: a, owner: a }\nsteps:\n";

fn all<T>(text: &str, read: impl FnOnce(&Item<'_>) -> Result<T, Reported>) -> Result<T, Vec<Diagnostic>> {
    yaml::read(&format!("value: {text}\n"), "a.yaml", |item| item.fields(|f| f.required("value", read)))
}

fn value<T>(text: &str, read: impl FnOnce(&Item<'_>) -> Result<T, Reported>) -> Result<T, String> {
    all(text, read).map_err(|found| found[0].to_string())
}

fn refused<T: std::fmt::Debug>(
    text: &str,
    read: impl FnOnce(&Item<'_>) -> Result<T, Reported>,
) -> Diagnostic {
    let found = all(text, read).expect_err(text);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("one")
}

fn code<T: std::fmt::Debug>(text: &str, read: impl FnOnce(&Item<'_>) -> Result<T, Reported>) -> Code {
    let found = refused(text, read).code;
    Code::ALL.iter().copied().find(|code| code.as_str() == found).expect("a code of the table")
}
