//! What the rules promise: every difference is found, where it stands, and nothing that is none.

use pavane_contracts::Direction::{Backward, Forward};
use pavane_contracts::change::changes;
use pavane_contracts::style::{Rule, remarks};
use pavane_contracts::{Direction, Kind, Mode, Place, Schema, bounds, can_read};

fn schema(text: &str) -> Schema {
    Schema::parse(text).unwrap_or_else(|defects| panic!("{text}: {defects:?}"))
}

fn record(fields: &str) -> Schema {
    schema(&format!(r#"{{"type":"record","name":"A","namespace":"a.b","fields":[{fields}]}}"#))
}

fn kinds(writer: &Schema, reader: &Schema) -> Vec<(Kind, String)> {
    can_read(writer, reader).into_iter().map(|one| (one.kind, one.field)).collect()
}

#[test]
fn every_difference_is_found_with_its_field_and_both_places() {
    let old = schema(
        "{\"type\": \"record\", \"name\": \"A\", \"fields\": [\n  {\"name\": \"a\", \"type\": \"string\"},\n  {\"name\": \"b\", \"type\": {\"type\": \"array\", \"items\": \"int\"}}\n]}",
    );
    let new = schema(
        "{\"type\": \"record\", \"name\": \"A\", \"fields\": [\n  {\"name\": \"b\", \"type\": {\"type\": \"array\", \"items\": \"string\"}},\n  {\"name\": \"c\",\n   \"type\": \"long\"},\n  {\"name\": \"a\", \"type\": \"int\"}\n]}",
    );
    let found = can_read(&old, &new);
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.kind, one.field.as_str(), one.reader.pointer.as_str(), one.reader.place))
        .collect();
    assert_eq!(
        told,
        [
            (Kind::Type, "/b/*", "/fields/0/type/items", Place { line: 2, column: 52 }),
            (Kind::MissingDefault, "/c", "/fields/1", Place { line: 3, column: 3 }),
            (Kind::Type, "/a", "/fields/2/type", Place { line: 5, column: 25 }),
        ]
    );
    assert_eq!(found[0].writer.pointer, "/fields/1/type/items");
    assert_eq!(
        found[0].to_string().split(" (").next(),
        Some("/b/*: the writer has int where the reader has string")
    );
}

#[test]
fn a_type_is_the_same_wherever_it_is_defined() {
    let inner = r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}"#;
    let first = record(&format!(r#"{{"name":"a","type":{inner}}},{{"name":"b","type":"P"}}"#));
    let second = record(&format!(r#"{{"name":"b","type":{inner}}},{{"name":"a","type":"a.b.P"}}"#));
    assert_eq!(kinds(&first, &second), []);
    assert_eq!(kinds(&second, &first), []);
    let moved = record(&format!(
        r#"{{"name":"c","type":["null",{inner}],"default":null}},{{"name":"b","type":"P"}},{{"name":"a","type":"P"}}"#
    ));
    assert_eq!((kinds(&first, &moved), kinds(&moved, &first)), (vec![], vec![]));
}

#[test]
fn what_some_call_partly_compatible_is_not() {
    let wide = record(r#"{"name":"a","type":["null","int","string"]}"#);
    let narrow = record(r#"{"name":"a","type":["null","int"]}"#);
    assert_eq!(kinds(&narrow, &wide), []);
    assert_eq!(kinds(&wide, &narrow), [(Kind::Union, "/a".to_owned())]);
    let symbols = |symbols: &str, default: &str| {
        record(&format!(
            r#"{{"name":"a","type":{{"type":"enum","name":"E","symbols":[{symbols}]{default}}}}}"#
        ))
    };
    let (two, three) = (symbols(r#""a","b""#, ""), symbols(r#""a","b","c","d""#, ""));
    assert_eq!(kinds(&two, &three), []);
    assert_eq!(kinds(&three, &two), [(Kind::Symbol, "/a".to_owned()), (Kind::Symbol, "/a".to_owned())]);
    assert_eq!(kinds(&three, &symbols(r#""a","b""#, r#","default":"a""#)), []);
}

#[test]
fn the_same_bytes_with_another_meaning_are_a_difference() {
    let long = |logical: &str| record(&format!(r#"{{"name":"a","type":{{"type":"long"{logical}}}}}"#));
    let millis = long(r#","logicalType":"timestamp-millis""#);
    for other in [long(r#","logicalType":"timestamp-micros""#), long("")] {
        assert_eq!(kinds(&millis, &other), [(Kind::Logical, "/a".to_owned())]);
        assert!(can_read(&millis, &other).iter().all(|one| !one.kind.breaks_bytes()));
    }
    let number = |terms: &str| {
        record(&format!(r#"{{"name":"a","type":{{"type":"bytes","logicalType":"decimal",{terms}}}}}"#))
    };
    let (two, three) = (number(r#""precision":9,"scale":2"#), number(r#""precision":9,"scale":3"#));
    assert_eq!(kinds(&two, &three), [(Kind::Logical, "/a".to_owned())]);
    assert_eq!(kinds(&number(r#""precision":9"#), &number(r#""precision":9,"scale":0"#)), []);
}

#[test]
fn a_default_is_of_its_type_and_a_unions_of_the_first_branch() {
    for (field, fits) in [
        (r#"{"name":"a","type":["null","int"],"default":null}"#, true),
        (r#"{"name":"a","type":["null","int"],"default":1}"#, false),
        (r#"{"name":"a","type":["int","null"],"default":1}"#, true),
        (r#"{"name":"a","type":["int","null"],"default":null}"#, false),
        (r#"{"name":"a","type":"int","default":2147483648}"#, false),
        (r#"{"name":"a","type":"long","default":2147483648}"#, true),
        (r#"{"name":"a","type":"string","default":0}"#, false),
        (r#"{"name":"a","type":{"type":"array","items":"int"},"default":[1,"x"]}"#, false),
        (r#"{"name":"a","type":{"type":"fixed","name":"F","size":2},"default":"\u0000\u00ff"}"#, true),
        (r#"{"name":"a","type":{"type":"fixed","name":"F","size":2},"default":"x"}"#, false),
        (
            r#"{"name":"a","type":{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]},"default":{}}"#,
            false,
        ),
    ] {
        let found = record(field).misfit_defaults();
        assert_eq!(found.is_empty(), fits, "{field}: {found:?}");
        assert!(found.iter().all(|one| one.spot.pointer == "/fields/0/default"));
    }
}

#[test]
fn a_schema_that_could_hurt_a_reader_is_refused_at_its_place() {
    let refused =
        |text: &str| bounds::check(&schema(text)).into_iter().map(|one| one.spot.pointer).collect::<Vec<_>>();
    let tree = r#"{"type":"record","name":"T","fields":[{"name":"next","type":["null","T"]}]}"#;
    assert_eq!(refused(tree), ["/fields/0/type/1"]);
    let nulls =
        r#"{"type":"record","name":"T","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}"#;
    assert_eq!(refused(nulls), ["/fields/0/type/items"]);
    assert_eq!(refused(r#""int""#), [""]);
    assert_eq!(refused(r#"{"type":"record","name":"T","fields":[{"name":"a","type":{"type":"fixed","name":"F","size":65537}}]}"#).len(), 1);
    let nested = |levels: usize| {
        let open = r#"{"type":"array","items":"#.repeat(levels);
        format!(
            r#"{{"type":"record","name":"T","fields":[{{"name":"a","type":{open}"int"{}}}]}}"#,
            "}".repeat(levels)
        )
    };
    assert_eq!(refused(&nested(14)), Vec::<String>::new(), "16 levels");
    assert_eq!(refused(&nested(15)).len(), 1, "17 levels");
    assert_eq!(refused(&nested(16)).len(), 1, "18 levels are told once");
}

#[test]
fn recursive_schemas_can_be_compared_all_the_same() {
    let tree = |more: &str| {
        schema(&format!(
            r#"{{"type":"record","name":"T","fields":[{{"name":"v","type":"int"}},{{"name":"n","type":["null","T"]}}{more}]}}"#
        ))
    };
    assert_eq!(kinds(&tree(""), &tree("")), []);
    assert_eq!(
        kinds(&tree(""), &tree(r#",{"name":"x","type":"int"}"#)),
        [(Kind::MissingDefault, "/x".to_owned())]
    );
}

#[test]
fn a_level_says_which_versions_and_which_way() {
    let (a, b, c) = (
        record(r#"{"name":"x","type":"int"}"#),
        record(""),
        record(r#"{"name":"x","type":"string","default":""}"#),
    );
    let told = |mode: Mode| -> Vec<(usize, Direction)> {
        mode.breaches(&c, &[&a, &b]).into_iter().map(|one| (one.version, one.direction)).collect()
    };
    assert_eq!(told(Mode::Full), []);
    assert_eq!(told(Mode::FullTransitive), [(0, Backward), (0, Forward)]);
    assert_eq!(told(Mode::BackwardTransitive), [(0, Backward)]);
    assert_eq!(told(Mode::ForwardTransitive), [(0, Forward)]);
    assert_eq!(told(Mode::None), []);
    assert_eq!("full-transitive".parse(), Ok(Mode::FullTransitive));
    assert!("sideways".parse::<Mode>().is_err());
}

#[test]
fn what_makes_the_next_change_hard_is_remarked() {
    let found = remarks(&schema(
        r#"{"type":"record","name":"A","doc":"An event.","fields":[
  {"name":"a","doc":"A.","type":{"type":"enum","name":"E","doc":"E.","symbols":["x"]}},
  {"name":"b","type":"int"},
  {"name":"c","doc":"C.","type":["int","null"]},
  {"name":"d","doc":"D.","type":["null","int"],"default":null}]}"#,
    ));
    let told: Vec<(Rule, &str)> = found.iter().map(|one| (one.rule, one.spot.pointer.as_str())).collect();
    assert_eq!(
        told,
        [
            (Rule::DefaultSymbol, "/fields/0/type"),
            (Rule::Doc, "/fields/1"),
            (Rule::Optional, "/fields/2/type")
        ]
    );
}

#[test]
fn a_person_reads_a_change_field_by_field() {
    let old = record(
        r#"{"name":"a","type":"int"},{"name":"b","type":{"type":"record","name":"P","fields":[{"name":"x","type":"int","default":0}]}}"#,
    );
    let new = record(
        r#"{"name":"b","type":{"type":"record","name":"P","fields":[{"name":"x","type":"long","default":0}]}},{"name":"c","type":["null","string"],"default":null}"#,
    );
    let lines: Vec<String> =
        changes(&old, &new).iter().flat_map(pavane_contracts::change::Change::lines).collect();
    assert_eq!(
        lines,
        ["- /b/x: int = 0", "+ /b/x: long = 0", "+ /c: [null, string] = null", "- /a: int, no default"]
    );
}

#[test]
fn every_defect_of_a_text_is_told_with_its_place() {
    let text = "{\"type\": \"record\", \"name\": \"A-\", \"fields\": [\n  {\"name\": \"a\", \"type\": \"Nothing\"},\n  {\"name\": \"a\", \"type\": [\"int\", \"int\"]},\n  {\"type\": \"int\"}\n]}";
    let defects = Schema::parse(text).expect_err("defects");
    let told: Vec<_> = defects.iter().map(|one| (one.spot.pointer.as_str(), one.spot.place.line)).collect();
    assert_eq!(
        told,
        [("/name", 1), ("/fields/0/type", 2), ("/fields/1/type/1", 3), ("/fields/1", 3), ("/fields/2", 4)]
    );
    let broken = Schema::parse("{\n \"a\": }").expect_err("no JSON");
    assert!(broken[0].not_json && broken[0].spot.place == Place { line: 2, column: 7 });
}
