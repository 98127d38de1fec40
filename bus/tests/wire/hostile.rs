//! Whatever bytes come, the answer is an event or a defect: never a panic, never a wrong event.

use pavane_bus::wire::{self, Contract, SchemaRefused, catalog, open, to_json};
use pavane_events::{EventType, UnreadableReason};

use crate::{contract, event, headers_of};

#[test]
fn a_datum_that_ends_anywhere_too_early_is_a_defect() {
    for &event_type in EventType::ALL {
        let written = event(event_type);
        let encoded = wire::encode(&written.body, 7).expect("encoded");
        let headers = headers_of(&written, &encoded.dataschema);
        for end in 0..encoded.value.len() {
            let read = open(&headers, Some(b"shop"), Some(&encoded.value[..end]))
                .and_then(|sealed| sealed.decode(catalog::of(event_type)));
            let defect = read.expect_err("it is cut short");
            let expected = if end < 5 { UnreadableReason::ShortValue } else { UnreadableReason::BadDatum };
            assert_eq!(defect.reason, expected, "{event_type} cut at {end}: {defect}");
        }
    }
}

#[test]
fn a_datum_with_any_byte_changed_is_an_event_or_a_defect() {
    for &event_type in EventType::ALL {
        let written = event(event_type);
        let encoded = wire::encode(&written.body, 7).expect("encoded");
        let headers = headers_of(&written, &encoded.dataschema);
        let flips = (0..8).map(|bit| 1_u8 << bit).chain([0xff, 0x7f]);
        let (mut events, mut defects) = (0, 0);
        for mask in flips {
            for place in 0..encoded.value.len() {
                let mut value = encoded.value.clone();
                value[place] ^= mask;
                let read = open(&headers, Some(b"shop"), Some(&value));
                match read.and_then(|sealed| sealed.decode(catalog::of(event_type))) {
                    Ok(read) if place > 4 => {
                        assert_ne!(read, written, "{event_type}: {mask:#x} at {place} changed nothing");
                        events += 1;
                    }
                    Ok(_) => events += 1,
                    Err(_) => defects += 1,
                }
            }
        }
        assert!(events > 0 && defects > 0, "{event_type}: {events} events, {defects} defects");
    }
}

#[test]
fn one_byte_more_than_the_datum_is_a_defect() {
    for &event_type in EventType::ALL {
        let mut value = wire::encode(&event(event_type).body, 7).expect("encoded").value;
        value.push(0);
        let defect = to_json(catalog::of(event_type), &value).expect_err("it trails");
        assert_eq!((defect.field.as_str(), defect.detail.as_str()), ("", "1 bytes follow the datum"));
    }
}

const SHAPES: &str = r#"{"type": "record", "name": "Shapes", "fields": [
    {"name": "text", "type": "string"}, {"name": "texts", "type": {"type": "array", "items": "string"}},
    {"name": "map", "type": {"type": "map", "values": "int"}}, {"name": "maybe", "type": ["null", "int"]},
    {"name": "side", "type": {"type": "enum", "name": "Side", "symbols": ["LEFT", "RIGHT"]}},
    {"name": "yes", "type": "boolean"}]}"#;

#[test]
fn what_a_datum_claims_is_held_against_what_it_holds() {
    let shapes = contract(SHAPES);
    let sound = [2, b'a', 2, 2, b'b', 0, 2, 2, b'k', 2, 0, 2, 2, 0, 1];
    assert!(to_json(&shapes, &framed(&sound)).is_ok());
    let ten = [0xff; 9];
    let table: [(&str, Vec<u8>, &str); 15] = [
        ("a length that is negative", vec![1], "/text: the datum claims -1 more and 0 bytes are left"),
        (
            "a length of 10 MiB",
            vec![0x80, 0x80, 0x80, 0x0a, b'x'],
            "/text: the datum claims 10485760 more and 1 bytes",
        ),
        (
            "the largest length",
            [&ten[..], &[1]].concat(),
            "/text: the datum claims -9223372036854775808 more",
        ),
        ("a number of 65 bits", [&ten[..], &[2]].concat(), "/text: a number takes more than 64 bits"),
        (
            "a number of eleven bytes",
            [&ten[..], &[0x81, 0]].concat(),
            "/text: a number takes more than 64 bits",
        ),
        ("text that is not UTF-8", vec![4, 0xc3, 0x28], "/text: the text is not UTF-8"),
        ("a lone surrogate", vec![6, 0xed, 0xa0, 0x80], "/text: the text is not UTF-8"),
        ("an overlong form", vec![4, 0xc0, 0xaf], "/text: the text is not UTF-8"),
        (
            "nine million items",
            vec![0, 0x80, 0xd1, 0xca, 0x08, 0],
            "/texts: the datum claims 9000000 more and 1 bytes",
        ),
        (
            "a block shorter than it says",
            vec![0, 1, 10, 0, 0, 0, 0, 0, 0],
            "/texts: a block is not as long as it says",
        ),
        (
            "a block of a negative size",
            vec![0, 1, 1, 0],
            "/texts: the datum claims -1 more and 1 bytes are left",
        ),
        ("a key that comes twice", vec![0, 0, 4, 2, b'k', 2, 2, b'k', 2, 0], "/map/k: the key comes twice"),
        ("a branch that is not there", vec![0, 0, 0, 4], "/maybe: there is no branch 2"),
        ("a symbol that is not there", vec![0, 0, 0, 0, 1], "/side: there is no symbol -1"),
        ("a boolean of 2", vec![0, 0, 0, 0, 0, 2], "/yes: [2] is no boolean"),
    ];
    for (what, datum, said) in table {
        let defect = to_json(&shapes, &framed(&datum)).expect_err(what);
        assert_eq!(defect.reason, UnreadableReason::BadDatum, "{what}");
        let told = format!("{}: {}", defect.field, defect.detail);
        assert!(told.starts_with(said), "{what}: {told}");
    }
}

#[test]
fn a_value_that_is_not_in_the_wire_format_is_named() {
    let written = event(EventType::Ready);
    let encoded = wire::encode(&written.body, 7).expect("encoded");
    let headers = headers_of(&written, &encoded.dataschema);
    let table: [(Option<Vec<u8>>, UnreadableReason); 6] = [
        (None, UnreadableReason::ShortValue),
        (Some(Vec::new()), UnreadableReason::ShortValue),
        (Some(vec![0, 0, 0, 7]), UnreadableReason::ShortValue),
        (Some(br#"{"prerequisite":"x"}"#.to_vec()), UnreadableReason::BadMagic),
        (Some(vec![1, 0, 0, 0, 7, 0]), UnreadableReason::BadMagic),
        (Some(vec![0; wire::MAX_VALUE + 1]), UnreadableReason::TooLarge),
    ];
    for (value, reason) in table {
        let defect = open(&headers, Some(b"shop"), value.as_deref()).expect_err("not a value of ours");
        assert_eq!(defect.reason, reason, "{defect}");
    }
    // An eight-byte id: the four bytes that follow are not the datum.
    let long_id = [&[0, 0, 0, 0, 0, 0, 0, 0, 7][..], &encoded.value[5..]].concat();
    let sealed = open(&headers, Some(b"shop"), Some(&long_id)).expect("an id");
    assert_eq!(sealed.schema_id(), 0);
}

#[test]
fn schemas_that_could_hurt_a_reader_are_refused() {
    let recursive = r#"{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}"#;
    assert!(matches!(Contract::parse(recursive), Err(SchemaRefused::Recursive { name }) if name == "N"));
    for items in [
        r#""null""#,
        r#"{"type":"record","name":"E","fields":[]}"#,
        r#"{"type":"fixed","name":"F","size":0}"#,
    ] {
        let schema = format!(
            r#"{{"type":"record","name":"B","fields":[{{"name":"a","type":{{"type":"array","items":{items}}}}}]}}"#
        );
        assert!(matches!(Contract::parse(&schema), Err(SchemaRefused::ZeroWidthItems)), "{items}");
    }
    for levels in [20, 58, 100, 5000] {
        let (open, close) = (r#"{"type":"array","items":"#.repeat(levels), "}".repeat(levels));
        let schema =
            format!(r#"{{"type":"record","name":"D","fields":[{{"name":"a","type":{open}"int"{close}}}]}}"#);
        assert!(matches!(Contract::parse(&schema), Err(SchemaRefused::TooDeep { .. })), "{levels}");
    }
    assert!(matches!(Contract::parse(r#""string""#), Err(SchemaRefused::NotARecord)));
    assert!(matches!(Contract::parse("{"), Err(SchemaRefused::Invalid(_))));
    let long = format!(r#"{{"type":"record","name":"L","doc":"{}","fields":[]}}"#, "x".repeat(300_000));
    assert!(matches!(Contract::parse(&long), Err(SchemaRefused::TooLarge { .. })));
}

#[test]
fn a_schema_with_any_byte_changed_or_lost_is_fit_or_refused() {
    let text = include_str!("dressed.avsc").trim_end();
    let datum = framed(&[0; 64]);
    let (mut fit, mut refused) = (0, 0);
    for place in 0..text.len() {
        for byte in *b"\0\"{],0aI." {
            let mut changed = text.as_bytes().to_vec();
            changed[place] = byte;
            let changed = String::from_utf8(changed).expect("all of it is ASCII");
            match Contract::parse(&changed) {
                Ok(contract) => {
                    drop(contract.readable());
                    drop(contract.misfit_defaults());
                    drop(to_json(&contract, &datum));
                    fit += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(Contract::parse(&text[..place]).is_err(), "cut at {place}");
    }
    assert!(fit > 1000 && refused > 1000, "{fit} fit, {refused} refused");
}

#[test]
fn a_type_that_is_called_by_an_alias_is_refused() {
    let schema = r#"{"type":"record","name":"R","namespace":"n","fields":[
        {"name":"a","type":{"type":"fixed","name":"F","aliases":["G"],"size":1}},{"name":"b","type":"G"}]}"#;
    let refused = Contract::parse(schema).expect_err("an alias is no name to call a type by");
    assert!(matches!(refused, SchemaRefused::Defective { .. }), "{refused}");
    assert!(refused.to_string().contains("/fields/1/type: no type G stands above this"), "{refused}");
}

#[test]
fn defaults_that_multiply_cost_a_reader_nothing() {
    let mut schema = r#""int""#.to_owned();
    for level in 0..14 {
        let default = if level == 0 { "0" } else { "{}" };
        let again = if level == 0 { "\"int\"".to_owned() } else { format!("\"L{}\"", level - 1) };
        let more = ["b", "c", "d", "e"]
            .map(|name| format!(r#",{{"name":"{name}","type":{again},"default":{default}}}"#));
        schema = format!(
            r#"{{"type":"record","name":"L{level}","fields":[{{"name":"a","type":{schema},"default":{default}}}{}]}}"#,
            more.concat()
        );
    }
    let contract = Contract::parse_to_read(&schema).expect("flat enough");
    assert!(contract.readable().is_err());
}

fn framed(datum: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, 7], datum].concat()
}
