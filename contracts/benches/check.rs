//! What a check of many schemas with many versions each costs: parsing, every version against the newest both ways, and
//! the memory of it.
//!
//! `cargo bench -p pavane-contracts`

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a bench looks at the clock and at its own memory"
)]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::Instant;

use pavane_contracts::{Mode, Schema, bounds, style};

/// How many schemas, and how many versions of each.
const SCHEMAS: usize = 1_000;
const VERSIONS: usize = 20;

/// A schema of twelve fields that grows by a field with each version: a list of records, an enum and an optional one
/// among them.
fn text(schema: usize, version: usize) -> String {
    let doc = "What it is, in a sentence of a usual length that a person reads.";
    let mut fields: Vec<String> = (0..8)
        .map(|field| format!(r#"{{"name":"field_{field}","type":"string","doc":"{doc}","default":""}}"#))
        .collect();
    fields.push(format!(
        r#"{{"name":"lines","doc":"{doc}","default":[],"type":{{"type":"array","items":{{"type":"record","name":"Line","doc":"{doc}",
        "fields":[{{"name":"sku","type":"string","doc":"{doc}"}},{{"name":"count","type":"long","doc":"{doc}","default":1}}]}}}}}}"#
    ));
    fields.push(format!(
        r#"{{"name":"state","doc":"{doc}","default":"unknown","type":{{"type":"enum","name":"State","doc":"{doc}","symbols":["unknown","open","done"],"default":"unknown"}}}}"#
    ));
    fields.push(format!(r#"{{"name":"first","type":"Line","doc":"{doc}","default":{{"sku":""}}}}"#));
    fields.push(format!(r#"{{"name":"note","type":["null","string"],"doc":"{doc}","default":null}}"#));
    fields.extend((0..version).map(|added| {
        format!(r#"{{"name":"added_{added}","type":["null","long"],"doc":"{doc}","default":null}}"#)
    }));
    let fields = fields.join(",\n    ");
    format!(
        r#"{{"type":"record","name":"Event{schema}","namespace":"shop.events","doc":"{doc}","fields":[{fields}]}}"#
    )
}

fn main() {
    let texts: Vec<Vec<String>> =
        (0..SCHEMAS).map(|schema| (0..VERSIONS).map(|version| text(schema, version)).collect()).collect();
    let bytes: usize = texts.iter().flatten().map(String::len).sum();
    let before = peak();
    for run in 1..=3 {
        let (begun, cpu) = (Instant::now(), processor());
        let (mut found, mut pairs) = (0, 0);
        let mut kept = Vec::with_capacity(SCHEMAS);
        for versions in &texts {
            let parsed: Vec<Schema> =
                versions.iter().map(|text| Schema::parse(text).expect("a schema")).collect();
            let (new, old) = parsed.split_last().expect("versions");
            let old: Vec<&Schema> = old.iter().collect();
            found += Mode::FullTransitive.breaches(new, &old).len();
            found += bounds::check(new).len() + style::remarks(new).len() + new.misfit_defaults().len();
            pairs += 2 * old.len();
            // As the check does, the newest is kept until all has been told, and the versions before it are not.
            kept.extend(parsed.into_iter().next_back());
        }
        let (spent, cpu) = (begun.elapsed(), processor() - cpu);
        println!(
            "run {run}: {SCHEMAS} schemas of {VERSIONS} versions, {:.1} MB of text, {pairs} comparisons, {found} findings: \
             {:.0} ms, of the processor {cpu:.0} ms, {:.1} µs a comparison with its parsing; peak memory {:.0} MB, {:.0} MB of it before",
            bytes as f64 / 1e6,
            spent.as_secs_f64() * 1e3,
            cpu * 1e3 / f64::from(u32::try_from(pairs).expect("few")),
            peak(),
            before,
        );
    }
}

/// How long this process has had a processor, in milliseconds; 0 where the system does not say.
fn processor() -> f64 {
    let status = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = status.split_ascii_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.unwrap_or(0.0) / 1e6
}

/// The most memory that this process has had, in megabytes; 0 where the system does not say.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1e3
}
