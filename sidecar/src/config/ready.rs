//! When the service as a whole is well, as it stands in the file.

use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Item, Reported};
use pavane_events::Millis;
use pavane_sidecar_engine::Hold;

use super::check::{Check, check};

/// How long after a hook the service must be well and have held it, unless the file says otherwise.
const WITHIN: Millis = 120_000;
/// The most checks of one service: each is a question every few seconds, and a series of its own.
const MOST: usize = 32;

/// When the service as a whole is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// How its checks decide on a reaction.
    pub hold: Hold,
    /// The checks that must all be well; at least one, with different names.
    pub checks: Vec<Check>,
}

impl Ready {
    /// What holds for a service that says nothing of itself but that its process runs.
    pub(super) const fn of_process() -> Self {
        Self { hold: Hold { within: WITHIN, healthy_for: 0 }, checks: Vec::new() }
    }
}

/// Reads when the service is well.
pub(super) fn ready(item: &Item<'_>) -> Result<Ready, Reported> {
    item.fields(|f| {
        let checks = f.required("all", checks);
        let within = f.optional("within", Item::duration);
        let healthy_for = f.optional("healthy_for", Item::duration);
        let (checks, within, healthy_for) = (checks?, within?, healthy_for?);
        let hold = Hold { within: within.unwrap_or(WITHIN), healthy_for: healthy_for.unwrap_or(0) };
        let least = hold.healthy_for.saturating_add(checks.iter().map(shortest).max().unwrap_or(0));
        if least >= hold.within {
            let message = format!(
                "`within` is {} ms, and no service can pass: its checks and `healthy_for` take {least} ms at least",
                hold.within
            );
            return Err(f.refuse(Code::Contradiction, message, "make `within` longer"));
        }
        Ok(Ready { hold, checks })
    })
}

/// How long a check takes at least until it is well, in milliseconds.
fn shortest(check: &Check) -> Millis {
    check.terms.every.saturating_mul(Millis::from(check.terms.passes - 1))
}

fn checks(item: &Item<'_>) -> Result<Vec<Check>, Reported> {
    let mut names: Vec<String> = Vec::new();
    let read = item.list(|item| {
        let check = check(item)?;
        if names.contains(&check.terms.name) {
            let message = format!("there is a check {} already", check.terms.name);
            return Err(item.refuse(Code::Duplicate, message, "give each a name of its own"));
        }
        names.push(check.terms.name.clone());
        Ok(check)
    })?;
    if read.is_empty() || read.len() > MOST {
        let message = format!("`all` holds {} checks; it wants 1 to {MOST}", read.len());
        return Err(item.refuse(
            Code::WrongType,
            message,
            "write e.g. `- { name: port, tcp: \"127.0.0.1:8080\" }`",
        ));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use pavane_sidecar_engine::health::{Amount, Bound, Side};

    use super::super::{Config, Probe, Queue};
    use super::*;

    #[test]
    fn a_composite_is_read_as_it_is_meant() {
        let ready = read(
            "ready:\n  within: 1m\n  healthy_for: 10s\n  all:\n    - { name: web, http: \"http://a/readyz\" }\n    \
             - { name: cache, redis: { address: \"a:6379\" }, at_most: 20ms, back_at: 10ms, every: 5s, passes: 2, \
             failures: 4, grace: 30s, timeout: 200ms }\n    \
             - { name: jobs, queue: { http: \"http://a/q\", field: /depth }, at_most: 100 }\n    \
             - { name: free, prometheus: { url: \"http://p\", query: up }, at_least: 0.5, back_at: 0.75 }\n",
        )
        .unwrap();
        assert_eq!(ready.hold, Hold { within: 60_000, healthy_for: 10_000 });
        let [web, cache, jobs, free] = &ready.checks[..] else { panic!("four checks") };
        assert_eq!((&web.probe, web.terms.bound), (&Probe::Http("http://a/readyz".into()), None));
        assert_eq!(
            (web.terms.every, web.terms.passes, web.terms.failures, web.terms.grace),
            (2_000, 1, 3, 0)
        );
        let bound = |side, limit, back| Some(Bound { side, limit: amount(limit), back: amount(back) });
        assert_eq!(cache.terms.bound, bound(Side::AtMost, 20.0, 10.0));
        assert_eq!((cache.terms.every, cache.terms.passes, cache.terms.failures), (5_000, 2, 4));
        assert_eq!((cache.terms.grace, cache.timeout.as_millis(), cache.terms.unit), (30_000, 200, "ms"));
        assert_eq!(jobs.terms.bound, bound(Side::AtMost, 100.0, 100.0));
        let field = Some("/depth".to_owned());
        assert_eq!(jobs.probe, Probe::Queue(Queue::Http { url: "http://a/q".into(), field }));
        assert_eq!(free.terms.bound, bound(Side::AtLeast, 0.5, 0.75));
    }

    #[test]
    fn a_check_that_can_prove_nothing_is_refused_with_its_place() {
        for (check, words) in [
            ("{ name: a, queue: { exec: [a] } }", "proves nothing without a bound"),
            ("{ name: a, tcp: \"a:1\", at_least: 5ms }", "asks for a slow answer"),
            ("{ name: a, tcp: \"a:1\", at_most: 5 }", "at_most"),
            ("{ name: a, tcp: \"a:1\", back_at: 5ms }", "without `at_most`"),
            ("{ name: a, tcp: \"a:1\", at_most: 5ms, back_at: 6ms }", "wrong side of the bound"),
            ("{ name: a, kafka_lag: { group: g, topic: t }, at_least: 5, back_at: 4 }", "wrong side"),
            ("{ name: a, tcp: nowhere }", "not a host and a port"),
            ("{ name: a }", "is missing"),
            ("{ name: a, tcp: \"a:1\", http: \"http://a\" }", "exclude each other"),
            ("{ name: a, tcp: \"a:1\", passes: 200 }", "no service can pass"),
            ("{ name: a, queue: { exec: [a], field: /b }, at_most: 1 }", "this is a program"),
            ("{ name: a, sql: { url: \"mysql://a\" } }", "not that of a database"),
            ("{ tcp: \"a:1\" }", "`name` is missing"),
        ] {
            let defects = read(&format!("ready:\n  all:\n    - {check}\n")).unwrap_err();
            let found = defects.iter().any(|(line, message)| *line >= 5 && message.contains(words));
            assert!(found, "{check}: {words} is not among {defects:?}");
        }
        let twice = "ready:\n  all:\n    - { name: a, tcp: \"a:1\" }\n    - { name: a, tcp: \"a:2\" }\n";
        assert!(read(twice).unwrap_err()[0].1.contains("there is a check a already"));
        assert!(read("ready:\n  all: []\n").unwrap_err()[0].1.contains("it wants 1 to 32"));
    }

    #[test]
    fn a_password_in_the_file_is_refused_and_not_repeated() {
        for url in ["postgres://shop:canary-7@a/shop", "postgres://shop:canary-7@a:port/shop"] {
            let defects = read(&format!("ready:\n  all:\n    - {{ name: a, sql: {{ url: \"{url}\" }} }}\n"));
            let defects = defects.unwrap_err();
            assert!(!format!("{defects:?}").contains("canary-7"), "{defects:?}");
        }
    }

    #[test]
    fn what_says_that_the_service_runs_waits_for_the_checks_and_nothing_else_does() {
        let text = "ready: { within: 1m, all: [{ name: a, tcp: \"a:1\" }] }\nreactions:\n  - on: b.Ready\n  \
                    - { on: c.Ready, emit: Ready }\n  - { on: RollbackRequested, run: { exec: [a] } }\n";
        let config = Config::from_yaml(&format!("{HEAD}{text}"), "a").unwrap();
        let held: Vec<_> = config.reactions.iter().map(|known| known.terms.hold.is_some()).collect();
        assert_eq!(held, [true, false, true]);
        assert_eq!(config.reactions[0].terms.longest(), 60_000);
    }

    const HEAD: &str = "service: a\ndomain: shop\ninstance: a-0\njournal: /tmp/j\nversion: { env: V }\n";

    fn read(text: &str) -> Result<Ready, Vec<(u32, String)>> {
        let config = Config::from_yaml(&format!("{HEAD}{text}"), "a");
        let config = config.map_err(|defects| {
            defects.into_iter().map(|defect| (defect.line, defect.message)).collect::<Vec<_>>()
        })?;
        Ok(config.ready.unwrap())
    }

    fn amount(value: f64) -> Amount {
        Amount::new(value).unwrap()
    }
}
