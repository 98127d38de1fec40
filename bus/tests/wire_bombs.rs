//! Records of a few bytes that ask for much memory or a deep stack get neither. A process of its own, so that
//! what is measured is theirs alone.

use pavane_bus::wire::{Contract, to_json};

/// How much more memory this process has ever held than before, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

#[test]
fn bombs_cost_next_to_nothing() {
    let refused_schemas = [
        wrapped(r#"{"type":"array","items":"null"}"#),
        wrapped(r#"{"type":"array","items":{"type":"array","items":"null"}}"#),
        r#"{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}"#.to_owned(),
        r#"{"type":"record","name":"N","fields":[{"name":"next","type":{"type":"array","items":"N"}}]}"#
            .to_owned(),
        diamond(200),
    ];
    let (strings, lists) = (
        Contract::parse(&wrapped(r#"{"type":"array","items":"string"}"#)).expect("fit"),
        Contract::parse(&wrapped(r#"{"type":"array","items":{"type":"array","items":"int"}}"#)).expect("fit"),
    );
    let wide = Contract::parse(&diamond(8)).expect("fit");
    let bombs: [(&Contract, Vec<u8>); 5] = [
        (&strings, [&count(9_000_000)[..], &[0]].concat()),
        (&strings, [&count(1_000_000)[..], &vec![0; 1_000_001]].concat()),
        (&lists, count(18_000).repeat(1000)),
        (&lists, [&count(500_000)[..], &vec![0; 500_001]].concat()),
        (&wide, vec![0; 1_000_000]),
    ];
    let before = peak_kib();
    for schema in refused_schemas {
        Contract::parse(&schema).expect_err("it could hurt a reader");
    }
    for (contract, datum) in bombs {
        let value = [&[0, 0, 0, 0, 1], datum.as_slice()].concat();
        to_json(contract, &value).expect_err("more values than a datum may hold, or than there are bytes");
    }
    let grown = peak_kib() - before;
    assert!(grown < 24 * 1024, "the bombs took {grown} KiB");
}

fn wrapped(schema: &str) -> String {
    format!(r#"{{"type":"record","name":"W","fields":[{{"name":"a","type":{schema}}}]}}"#)
}

/// Records of which each holds the next eight times: 8^levels values from a short schema.
fn diamond(levels: usize) -> String {
    let mut schema = r#""int""#.to_owned();
    for level in 0..levels {
        let reuse = if level == 0 { "\"int\"".to_owned() } else { format!("\"L{}\"", level - 1) };
        let more: Vec<_> = (1..8).map(|field| format!(r#",{{"name":"f{field}","type":{reuse}}}"#)).collect();
        let more = more.concat();
        schema = format!(
            r#"{{"type":"record","name":"L{level}","fields":[{{"name":"f0","type":{schema}}}{more}]}}"#
        );
    }
    schema
}

fn count(items: u64) -> Vec<u8> {
    let (mut bits, mut bytes) = (items << 1, Vec::new());
    while bits > 0x7f {
        bytes.push(u8::try_from(bits & 0x7f).expect("seven bits") | 0x80);
        bits >>= 7;
    }
    bytes.push(u8::try_from(bits).expect("seven bits"));
    bytes
}
