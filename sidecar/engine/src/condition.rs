//! A condition on what is reacted to, written in CEL: read once with the file, asked for each event that comes.
//!
//! It is a function of the event and of its rollout alone, and its cost is bounded before it is ever asked: a short
//! text, `all`, `exists` and `exists_one` that do not stand within each other, and nothing that makes lists. So one
//! question costs at most as many steps as the text has characters, for each element of the data.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr, SelectExpr};
use cel::{Context, Env, Program, Value};
use pavane_choreography::Method;
use pavane_events::{Body, Instance, Record, Service, Version, Zone};
use serde::Serialize;

/// The most bytes that a condition may have.
pub const LONGEST: usize = 512;

/// How many steps a condition may have: whoever reads and judges it may have to go down one for each, and the stack of a
/// thread has an end. An operator is one, and how deep brackets stand counts six times.
const STEPS: usize = 40;
const BRACKET: usize = 6;

/// What may be asked of an event and of its rollout.
const EVENT: [&str; 9] =
    ["type", "service", "instance", "zone", "version", "id", "source", "subject", "data"];
const ROLLOUT: [&str; 7] = ["id", "choreography", "owner", "method", "labels", "by", "reason"];

/// What may be called, with the operators.
const FUNCTIONS: [&str; 26] = [
    "_&&_",
    "_||_",
    "!_",
    "_==_",
    "_!=_",
    "_<_",
    "_<=_",
    "_>_",
    "_>=_",
    "_+_",
    "_-_",
    "_*_",
    "_/_",
    "_%_",
    "-_",
    "_?_:_",
    "_[_]",
    "@in",
    "@not_strictly_false",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "string",
    "int",
    "double",
];

/// A condition that was read; two are equal when their texts are.
#[derive(Clone)]
pub struct Condition {
    text: String,
    program: Arc<Program>,
    words: Arc<Env>,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// What a condition may ask of a rollout.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About<'a> {
    pub(crate) id: &'a str,
    pub(crate) choreography: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) method: Method,
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) by: &'a str,
    pub(crate) reason: &'a str,
}

/// What a condition may ask of an event; what it does not say is null.
#[derive(Debug, Serialize)]
struct Said<'a> {
    #[serde(rename = "type")]
    event: &'static str,
    service: Option<&'a str>,
    instance: Option<&'a str>,
    zone: Option<&'a str>,
    version: Option<&'a str>,
    id: &'a str,
    source: &'a str,
    subject: Option<&'a str>,
    data: &'a Body,
}

impl Condition {
    /// Reads a condition, or says why it is none that can be asked.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        if text.len() > LONGEST {
            let what = format!("it has {} bytes; {LONGEST} are the most", text.len());
            return Err(Flaw { what, help: "let the hook decide what takes so many words".to_owned() });
        }
        let steps = steps(text);
        if steps > STEPS {
            let what = format!("its operators and brackets make {steps} steps; {STEPS} are the most");
            return Err(Flaw { what, help: "say it more plainly, or let the hook decide".to_owned() });
        }
        let words = Env::stdlib();
        let program = words.compile(text).map_err(|errors| {
            let told =
                errors.errors.iter().map(|error| format!("{} (at character {})", error.msg, error.pos.1));
            let what = told.take(3).collect::<Vec<_>>().join("; ");
            Flaw { what, help: "write e.g. `event.data.prerequisite == \"schema-v2\"`".to_owned() }
        })?;
        inspect(program.expression(), &mut Vec::new(), false)?;
        Ok(Self { text: text.to_owned(), program: Arc::new(program), words: Arc::new(words) })
    }

    /// The condition as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it holds for an event of a rollout; or why that cannot be said.
    pub(crate) fn holds(&self, record: &Record, about: &About<'_>) -> Result<bool, String> {
        let mut context = Context::with_env(Arc::clone(&self.words));
        let known = |error: &dyn fmt::Display| format!("the event cannot be asked: {error}");
        context.add_variable("event", said(record)).map_err(|error| known(&error))?;
        context.add_variable("rollout", about).map_err(|error| known(&error))?;
        match self.program.execute(&context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it comes to {other:?}, which is neither true nor false")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// How many steps down a text may take, wherever its operators and brackets stand.
fn steps(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    text.matches(['+', '-', '*', '/', '%', '<', '>', '=', '?']).count() + BRACKET * deepest
}

fn said(record: &Record) -> Said<'_> {
    let (envelope, body) = (&record.event.envelope, &record.event.body);
    Said {
        event: body.event_type().as_str(),
        service: envelope.service.as_ref().map(Service::as_str),
        instance: envelope.instance.as_ref().map(Instance::as_str),
        zone: envelope.zone.as_ref().map(Zone::as_str),
        version: envelope.version.as_ref().map(Version::as_str),
        id: envelope.id.as_str(),
        source: envelope.source.as_str(),
        subject: envelope.subject.as_deref(),
        data: body,
    }
}

/// Looks for what nobody knows and for what could cost more than its length; `bound` are the names that the text gives.
fn inspect<'e>(expr: &'e IdedExpr, bound: &mut Vec<&'e str>, within: bool) -> Result<(), Flaw> {
    match &expr.expr {
        Expr::Unspecified | Expr::Literal(_) => Ok(()),
        Expr::Ident(name) => {
            if bound.contains(&name.as_str()) || name == "event" || name == "rollout" {
                return Ok(());
            }
            flaw(format!("`{name}` is not known"), "ask `event` and `rollout`; texts stand in quotes")
        }
        Expr::Select(select) => {
            field(select, bound)?;
            inspect(&select.operand, bound, within)
        }
        Expr::Call(call) => {
            if !FUNCTIONS.contains(&call.func_name.as_str()) {
                let known: Vec<_> = FUNCTIONS.iter().filter(|name| is_word(name)).copied().collect();
                let help = format!("there are has, all, exists, exists_one, {}", known.join(", "));
                return flaw(format!("`{}` is not known", call.func_name), &help);
            }
            call.target.iter().try_for_each(|target| inspect(target, bound, within))?;
            call.args.iter().try_for_each(|argument| inspect(argument, bound, within))
        }
        Expr::List(list) => list.elements.iter().try_for_each(|element| inspect(element, bound, within)),
        Expr::Comprehension(comprehension) => every(comprehension, bound, within),
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                inspect(&entry.key, bound, within)?;
                inspect(&entry.value, bound, within)
            }
            EntryExpr::StructField(entry) => inspect(&entry.value, bound, within),
        }),
        Expr::Struct(made) => {
            flaw(format!("`{}` cannot be made here", made.type_name), "compare texts, numbers and lists")
        }
    }
}

fn every<'e>(loop_: &'e ComprehensionExpr, bound: &mut Vec<&'e str>, within: bool) -> Result<(), Flaw> {
    if matches!(loop_.accu_init.expr, Expr::List(_) | Expr::Map(_)) {
        let help = "`all`, `exists` and `exists_one` say of a list what you want to know";
        return flaw("`map` and `filter` are not read: they make lists".to_owned(), help);
    }
    if within {
        let help = "say it of one list at a time";
        return flaw("one of `all`, `exists`, `exists_one` stands within another".to_owned(), help);
    }
    inspect(&loop_.iter_range, bound, true)?;
    let known = bound.len();
    bound.push(&loop_.iter_var);
    bound.extend(loop_.iter_var2.as_deref());
    bound.push(&loop_.accu_var);
    let parts = [&loop_.accu_init, &loop_.loop_cond, &loop_.loop_step, &loop_.result];
    let outcome = parts.into_iter().try_for_each(|part| inspect(part, bound, true));
    bound.truncate(known);
    outcome
}

/// Whether what is asked of `event` or `rollout` itself is there to be asked.
fn field(select: &SelectExpr, bound: &[&str]) -> Result<(), Flaw> {
    let Expr::Ident(of) = &select.operand.expr else { return Ok(()) };
    let known: &[&str] = match of.as_str() {
        name if bound.contains(&name) => return Ok(()),
        "event" => &EVENT,
        "rollout" => &ROLLOUT,
        _ => return Ok(()),
    };
    if known.contains(&select.field.as_str()) {
        return Ok(());
    }
    flaw(format!("`{of}.{}` is not known", select.field), &format!("`{of}` has {}", known.join(", ")))
}

fn is_word(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn flaw<T>(what: String, help: &str) -> Result<T, Flaw> {
    Err(Flaw { what, help: help.to_owned() })
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use pavane_events::service::Ready;
    use pavane_events::{Domain, Envelope, Event, EventId, Source, Timestamp};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_condition_asks_the_event_its_data_and_its_rollout() {
        for (text, expected) in [
            ("event.data.prerequisite == 'schema-v2'", Ok(true)),
            ("event.data.prerequisite.startsWith('cache')", Ok(false)),
            ("event.type == \"Ready\" && event.service in ['user-db', 'cache']", Ok(true)),
            ("event.zone == 'eu'", Ok(false)),
            ("rollout.labels.environment == 'prod' && rollout.owner != ''", Ok(true)),
            ("has(rollout.labels.tier) && rollout.labels.tier == 'gold'", Ok(false)),
            ("rollout.method == 'choreography' && rollout.id == 'r-1'", Ok(true)),
            ("['prod', 'canary'].exists(name, rollout.labels.environment == name)", Ok(true)),
            ("size(event.data.prerequisite)", Err("neither true nor false")),
            ("rollout.labels.tier == 'gold'", Err("tier")),
            ("event.data.prerequisite > 3", Err("overload")),
            ("1 / size(event.data.detail) > 0", Err("zero")),
        ] {
            let held = Condition::parse(text).unwrap().holds(&ready(), &about(&labels()));
            match (held, expected) {
                (Ok(held), Ok(expected)) => assert_eq!(held, expected, "{text}"),
                (Err(why), Err(part)) => assert!(why.to_lowercase().contains(part), "{text}: {why}"),
                (held, _) => panic!("{text}: {held:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused_when_it_is_read_and_says_what_can() {
        for (text, words) in [
            ("event.data.prerequisite = 'x'", "at character"),
            ("event.dat.prerequisite == 'x'", "`event.dat` is not known"),
            ("rollout.label == 'x'", "`rollout.label` is not known"),
            ("envelope.id == 'x'", "`envelope` is not known"),
            ("event.id.matches('(a+)+$')", "`matches` is not known"),
            ("[1, 2].map(x, x + 1) == [2, 3]", "they make lists"),
            ("[1].all(x, [2].all(y, x < y))", "stands within another"),
            ("[[1].exists(x, x > 0)].all(y, y)", "stands within another"),
            ("google.type.Thing{} == 1", ""),
            ("", ""),
            (&format!("{}true", "!".repeat(2_000)), "512 are the most"),
            (&format!("{}true{}", "(".repeat(40), ")".repeat(40)), "40 are the most"),
            (&format!("{}1", "true ? 1 : ".repeat(41)), "40 are the most"),
        ] {
            let flaw = Condition::parse(text).unwrap_err();
            assert!(flaw.what.contains(words) && !flaw.help.is_empty(), "{text}: {flaw:?}");
        }
    }

    #[test]
    fn the_longest_that_is_read_is_also_judged() {
        for text in [
            format!("{}1 > 0", "1+".repeat(38)),
            format!("event.data{} in []", ".a".repeat(248)),
            format!("{}true", "!".repeat(508)),
            format!("{}1 < 0", "-".repeat(37)),
            format!("{}true", "true&&".repeat(84)),
            format!("{}true{}", "(".repeat(6), ")".repeat(6)),
            format!("{}{}1{}", "1+".repeat(26), "(1+".repeat(2), ")".repeat(2)),
            format!("[{}1].exists(x, x in [2])", "1,".repeat(239)),
            format!("{}1 in [1]", "true ? 1 : ".repeat(34)),
        ] {
            assert!(text.len() <= LONGEST, "{}", text.len());
            let condition = Condition::parse(&text).unwrap();
            drop(condition.holds(&ready(), &about(&labels())));
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[a-z0-9.()'\"\\[\\]{}?:&|!<>=+,*/% \\\\-]{0,120}|\\PC{0,60}") {
            if let Ok(condition) = Condition::parse(&text) {
                let labels = labels();
                let about = about(&labels);
                prop_assert_eq!(condition.holds(&ready(), &about), condition.holds(&ready(), &about));
            }
        }
    }

    fn labels() -> BTreeMap<String, String> {
        BTreeMap::from([("environment".to_owned(), "prod".to_owned())])
    }

    fn about(labels: &BTreeMap<String, String>) -> About<'_> {
        let method = Method::Choreography;
        About { id: "r-1", choreography: "users", owner: "identity", method, labels, by: "ci", reason: "" }
    }

    fn ready() -> Record {
        let source = Source::new("/pavane/shop/user-db/user-db-0").unwrap();
        let mut envelope = Envelope::new(Domain::new("shop").unwrap(), source, EventId::new("e-1").unwrap());
        envelope.service = Some(Service::new("user-db").unwrap());
        let body = Ready { prerequisite: "schema-v2".to_owned(), detail: String::new() };
        Record { offset: 7, at: Timestamp(0), event: Event { envelope, body: body.into() } }
    }
}
