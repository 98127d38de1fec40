//! Pairs of schemas on which those who judge compatibility are held against each other: made by rules, and the traps by
//! hand.

/// A writer and a reader.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// What it is about.
    pub(crate) name: String,
    pub(crate) writer: String,
    pub(crate) reader: String,
    /// Why we refuse what others take; none where all must agree.
    pub(crate) stricter: Option<&'static str>,
}

const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

const MEANING: &str = "the same bytes would mean something else";
const FIRST_BRANCH: &str = "older libraries want the default of a union to be of its first branch";
const DANGEROUS: &str = "a few bytes could ask a reader for much memory or a deep stack";

/// Every pair.
pub(crate) fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    promotions(&mut pairs);
    unions(&mut pairs);
    enums(&mut pairs);
    records(&mut pairs);
    names(&mut pairs);
    logical(&mut pairs);
    defaults(&mut pairs);
    dangers(&mut pairs);
    pairs
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"A","namespace":"n","fields":[{fields}]}}"#)
}

fn field(of: &str) -> String {
    record(&format!(r#"{{"name":"a","type":{of}}}"#))
}

fn add(pairs: &mut Vec<Pair>, name: impl Into<String>, writer: String, reader: String) {
    pairs.push(Pair { name: name.into(), writer, reader, stricter: None });
}

fn stricter(
    pairs: &mut Vec<Pair>,
    name: impl Into<String>,
    writer: String,
    reader: String,
    why: &'static str,
) {
    pairs.push(Pair { name: name.into(), writer, reader, stricter: Some(why) });
}

fn both(pairs: &mut Vec<Pair>, name: &str, one: &str, other: &str) {
    add(pairs, format!("{name}, forth"), one.to_owned(), other.to_owned());
    add(pairs, format!("{name}, back"), other.to_owned(), one.to_owned());
}

fn promotions(pairs: &mut Vec<Pair>) {
    for from in PRIMITIVES {
        for to in PRIMITIVES {
            let of = |name: &str| field(&format!("\"{name}\""));
            add(pairs, format!("{from} to {to}"), of(from), of(to));
        }
    }
    for (from, to) in [("int", "long"), ("long", "int"), ("string", "bytes"), ("int", "string")] {
        let of =
            |kind: &str, part: &str, name: &str| field(&format!(r#"{{"type":"{kind}","{part}":"{name}"}}"#));
        add(pairs, format!("items {from} to {to}"), of("array", "items", from), of("array", "items", to));
        add(pairs, format!("values {from} to {to}"), of("map", "values", from), of("map", "values", to));
        let deep = |name: &str| {
            field(&format!(r#"{{"type":"map","values":{{"type":"array","items":["null","{name}"]}}}}"#))
        };
        add(pairs, format!("deep {from} to {to}"), deep(from), deep(to));
    }
    both(
        pairs,
        "array and map",
        &field(r#"{"type":"array","items":"int"}"#),
        &field(r#"{"type":"map","values":"int"}"#),
    );
    both(pairs, "array and its items", &field(r#"{"type":"array","items":"int"}"#), &field("\"int\""));
}

fn unions(pairs: &mut Vec<Pair>) {
    let unions = [
        r#"["null"]"#,
        r#"["null","int"]"#,
        r#"["int","null"]"#,
        r#"["null","long"]"#,
        r#"["null","string"]"#,
        r#"["null","int","string"]"#,
        r#"["null","double","bytes"]"#,
        "\"int\"",
        "\"string\"",
    ];
    for from in unions {
        for to in unions {
            add(pairs, format!("{from} to {to}"), field(from), field(to));
        }
    }
    let named = |name: &str, more: &str| {
        format!(r#"{{"type":"record","name":"{name}","fields":[{{"name":"x","type":"int"}}{more}]}}"#)
    };
    let more = r#",{"name":"y","type":"int"}"#;
    both(
        pairs,
        "a record alone and in a union",
        &field(&named("P", "")),
        &field(&format!(r#"["null",{}]"#, named("P", ""))),
    );
    both(
        pairs,
        "records of other names",
        &field(&format!(r#"["null",{}]"#, named("P", ""))),
        &field(&format!(r#"["null",{}]"#, named("Q", ""))),
    );
    both(
        pairs,
        "a branch that grew a field",
        &field(&format!(r#"["null",{}]"#, named("P", ""))),
        &field(&format!(r#"["null",{}]"#, named("P", more))),
    );
    both(
        pairs,
        "two records and one",
        &field(&format!("[{},{}]", named("P", ""), named("Q", more))),
        &field(&format!("[{}]", named("P", ""))),
    );
}

fn enums(pairs: &mut Vec<Pair>) {
    let of = |symbols: &[&str], default: &str| {
        let symbols: Vec<String> = symbols.iter().map(|symbol| format!("\"{symbol}\"")).collect();
        let default = if default.is_empty() { String::new() } else { format!(r#","default":"{default}""#) };
        field(&format!(r#"{{"type":"enum","name":"E","symbols":[{}]{default}}}"#, symbols.join(",")))
    };
    let sets = [
        of(&["a"], ""),
        of(&["a", "b"], ""),
        of(&["b", "a"], ""),
        of(&["a", "b", "c"], ""),
        of(&["a", "b"], "a"),
        of(&["a", "b", "c"], "b"),
    ];
    for (i, from) in sets.iter().enumerate() {
        for (j, to) in sets.iter().enumerate() {
            add(pairs, format!("symbols {i} to {j}"), from.clone(), to.clone());
        }
    }
    both(pairs, "an enum and a string", &sets[0], &field("\"string\""));
    both(pairs, "enums of other names", &sets[0], &sets[0].replace("\"E\"", "\"F\""));
    let new = r#"{"name":"m","type":{"type":"enum","name":"M","symbols":["u"],"default":"u"}}"#;
    both(pairs, "a field of an enum whose default is the enum's alone", &record(""), &record(new));
}

fn records(pairs: &mut Vec<Pair>) {
    let fields = [
        "",
        r#"{"name":"x","type":"int"}"#,
        r#"{"name":"x","type":"int","default":0}"#,
        r#"{"name":"x","type":"long","default":0}"#,
        r#"{"name":"x","type":["null","int"],"default":null}"#,
        r#"{"name":"x","type":["null","int"]}"#,
        r#"{"name":"y","type":"int","aliases":["x"]}"#,
        r#"{"name":"x","type":"int"},{"name":"y","type":"int","default":0}"#,
        r#"{"name":"y","type":"int"},{"name":"x","type":"int"}"#,
    ];
    for (i, from) in fields.iter().enumerate() {
        for (j, to) in fields.iter().enumerate() {
            add(pairs, format!("fields {i} to {j}"), record(from), record(to));
        }
    }
    add(
        pairs,
        "an alias that names a second field of the writer",
        record(r#"{"name":"x","type":"int"},{"name":"y","type":"int"}"#),
        record(r#"{"name":"x","type":"int","aliases":["y"]}"#),
    );
    let tree = |more: &str| {
        format!(
            r#"{{"type":"record","name":"A","namespace":"n","fields":[{{"name":"v","type":"int"}}{more}]}}"#
        )
    };
    both(
        pairs,
        "a nested record that is gone",
        &tree(r#",{"name":"p","type":{"type":"record","name":"P","fields":[]}}"#),
        &tree(""),
    );
}

fn names(pairs: &mut Vec<Pair>) {
    let plain = record(r#"{"name":"x","type":"int"}"#);
    both(pairs, "another name", &plain, &plain.replace("\"A\"", "\"B\""));
    both(pairs, "another namespace", &plain, &plain.replace("\"n\"", "\"m.k\""));
    add(
        pairs,
        "another name with an alias",
        plain.clone(),
        plain.replace("\"A\"", "\"B\"").replace("\"fields\"", "\"aliases\":[\"n.A\"],\"fields\""),
    );
    add(
        pairs,
        "another name with a short alias",
        plain.clone(),
        plain.replace("\"A\"", "\"B\"").replace("\"fields\"", "\"aliases\":[\"A\"],\"fields\""),
    );
    add(
        pairs,
        "another name with a foreign alias",
        plain.clone(),
        plain.replace("\"A\"", "\"B\"").replace("\"fields\"", "\"aliases\":[\"m.A\"],\"fields\""),
    );
    let fixed =
        |name: &str, size: u32| field(&format!(r#"{{"type":"fixed","name":"{name}","size":{size}}}"#));
    both(pairs, "a fixed of another size", &fixed("F", 4), &fixed("F", 8));
    both(pairs, "a fixed of another name", &fixed("F", 4), &fixed("G", 4));
    both(pairs, "a fixed and bytes", &fixed("F", 4), &field("\"bytes\""));
    both(pairs, "the same fixed", &fixed("F", 4), &fixed("F", 4));
    let point = r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}"#;
    let first = record(&format!(r#"{{"name":"a","type":{point}}},{{"name":"b","type":"P"}}"#));
    let second = record(&format!(r#"{{"name":"b","type":{point}}},{{"name":"a","type":"P"}}"#));
    both(pairs, "a definition that moved", &first, &second);
    let full = record(&format!(r#"{{"name":"b","type":{point}}},{{"name":"a","type":["null","n.P"]}}"#));
    both(pairs, "a definition that moved, used by its full name in a union", &first, &full);
    let other = record(&format!(
        r#"{{"name":"a","type":{}}},{{"name":"b","type":"P"}}"#,
        point.replace("int", "string")
    ));
    both(pairs, "a definition that changed and is used twice", &first, &other);
    let inner = r#"{"type":"record","name":"n.inner.P","fields":[{"name":"q","type":{"type":"enum","name":"Q","symbols":["a"]}}]}"#;
    let shortly = record(&format!(r#"{{"name":"a","type":{inner}}},{{"name":"b","type":"n.inner.Q"}}"#));
    both(pairs, "names of an inner namespace", &shortly, &shortly);
}

fn logical(pairs: &mut Vec<Pair>) {
    let of = |base: &str, logical: &str| field(&format!(r#"{{"type":"{base}"{logical}}}"#));
    let changes = [
        ("long", r#","logicalType":"timestamp-millis""#, r#","logicalType":"timestamp-micros""#),
        ("long", r#","logicalType":"timestamp-millis""#, ""),
        ("long", r#","logicalType":"timestamp-millis""#, r#","logicalType":"local-timestamp-millis""#),
        ("int", r#","logicalType":"date""#, r#","logicalType":"time-millis""#),
        ("int", r#","logicalType":"date""#, ""),
        ("string", r#","logicalType":"uuid""#, ""),
        ("bytes", r#","logicalType":"decimal","precision":9,"scale":2"#, ""),
    ];
    for (base, one, other) in changes {
        stricter(pairs, format!("{base}{one} to {other}"), of(base, one), of(base, other), MEANING);
        stricter(pairs, format!("{base}{other} to {one}"), of(base, other), of(base, one), MEANING);
        add(pairs, format!("{base}{one} as it is"), of(base, one), of(base, one));
    }
    let decimal = |precision: u32, scale: u32| {
        of("bytes", &format!(r#","logicalType":"decimal","precision":{precision},"scale":{scale}"#))
    };
    // Avro's own rule says that decimals of another scale or precision do not match; Java's check does not look.
    stricter(pairs, "a decimal of another scale", decimal(9, 2), decimal(9, 3), MEANING);
    stricter(pairs, "a decimal of another precision", decimal(9, 2), decimal(12, 2), MEANING);
}

fn defaults(pairs: &mut Vec<Pair>) {
    let old = record("");
    for (text, why) in [
        (r#"["null","int"],"default":1"#, Some(FIRST_BRANCH)),
        (r#"["int","null"],"default":null"#, Some(FIRST_BRANCH)),
        (r#"["null",{"type":"array","items":"int"}],"default":[]"#, Some(FIRST_BRANCH)),
        (r#"["int","null"],"default":1"#, None),
        (r#""int","default":"x""#, None),
        (r#""int","default":2147483648"#, None),
        (r#""long","default":1.5"#, None),
        (r#""string","default":null"#, None),
        (r#"{"type":"array","items":"int"},"default":{}"#, None),
        (r#"{"type":"array","items":"int"},"default":["x"]"#, None),
        (r#"{"type":"map","values":"int"},"default":{"a":1}"#, None),
        (r#"{"type":"enum","name":"E","symbols":["a"]},"default":"a""#, None),
        (r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]},"default":{}"#, None),
        (r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]},"default":{"x":1}"#, None),
        (r#""bytes","default":"\u00ff""#, None),
        (r#""boolean","default":0"#, None),
    ] {
        let new = record(&format!(r#"{{"name":"a","type":{text}}}"#));
        pairs.push(Pair { name: format!("default {text}"), writer: old.clone(), reader: new, stricter: why });
    }
}

fn dangers(pairs: &mut Vec<Pair>) {
    let tree = record(r#"{"name":"v","type":"int"},{"name":"next","type":["null","A"],"default":null}"#);
    stricter(pairs, "a record that contains itself", tree.clone(), tree, DANGEROUS);
    let nulls = field(r#"{"type":"array","items":"null"}"#);
    stricter(pairs, "items without bytes", nulls.clone(), nulls, DANGEROUS);
    let deep = |levels: usize| {
        field(&format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(levels), "}".repeat(levels)))
    };
    add(pairs, "sixteen levels", deep(14), deep(14));
    stricter(pairs, "seventeen levels", deep(15), deep(15), DANGEROUS);
    for broken in [
        r#"{"type":"record","name":"A","fields":[{"name":"a","type":"Nothing"}]}"#,
        r#"{"type":"record","name":"A","fields":[{"name":"a","type":["int","int"]}]}"#,
        r#"{"type":"record","name":"A","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
        r#"{"type":"record","name":"A","fields":[{"name":"a","type":["int",["null"]]}]}"#,
        r#"{"type":"record","name":"A-B","fields":[]}"#,
        r#"{"type":"record","name":"A"}"#,
        r#"{"type":"record","name":"A","fields":[{"name":"a","type":{"type":"enum","name":"E","symbols":["x","x"]}}]}"#,
        r#"{"type":"record","name":"A","fields":[{"name":"a","type":{"type":"fixed","name":"F"}}]}"#,
        r#"{"type":"record","name":"A","fields":[{"name":"a","type":{"type":"enum","name":"E","symbols":["x"],"default":"y"}}]}"#,
        "{",
    ] {
        add(pairs, format!("no schema: {broken}"), record(""), broken.to_owned());
    }
}
