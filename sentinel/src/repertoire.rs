//! Follows the published choreographies, once for all domains, and tells each loop those of its own: a plan may
//! name an event that starts it.
//!
//! Nothing waits for it. A row that cannot be read stops nothing either: whatever stood under its name before is
//! not started any more, since somebody has replaced it.

use std::collections::BTreeMap;

use pavane_bus::{Row, TableItem, Topic};
use pavane_choreography::Published;
use pavane_events::Domain;
use tokio::sync::mpsc;

use crate::connection::Connection;
use crate::happening::Happening;
use crate::table::Table;
use crate::telemetry::UnreadableRow;

/// Follows them for as long as the process lives.
pub(crate) async fn follow(
    connection: Connection,
    loops: BTreeMap<Domain, mpsc::Sender<Happening>>,
) -> anyhow::Result<()> {
    let mut table = Table::new(connection, Topic::Choreographies, "read the published choreographies");
    let mut told = Told::default();
    loop {
        if let TableItem::Row(row) = table.next().await?
            && let Some((to, happening)) = told.news(row, &loops)
        {
            // The loop ends only with the process, which takes this task along.
            let _ended = to.send(happening).await;
        }
    }
}

/// What was told already: a table that starts over repeats its rows.
#[derive(Debug, Default)]
struct Told {
    /// The place of the row under each key that was told last.
    newest: BTreeMap<String, i64>,
}

impl Told {
    /// What a row means and for whom; nothing when it is of a domain that is not watched, or was told before.
    fn news<'a>(
        &mut self,
        row: Row,
        loops: &'a BTreeMap<Domain, mpsc::Sender<Happening>>,
    ) -> Option<(&'a mpsc::Sender<Happening>, Happening)> {
        let Row { key, value, offset, .. } = row;
        let (domain, name) = key.split_once('/')?;
        let (domain, to) = loops.get_key_value(&Domain::new(domain).ok()?)?;
        if self.newest.get(&key).is_some_and(|newest| *newest >= offset) {
            return None;
        }
        let plan = value.and_then(|value| match Published::from_json(&key, &value) {
            Ok(row) => Some(Box::new(row.plan)),
            Err(error) => {
                UnreadableRow { domain, key: &key, offset, error: &error }.emit();
                None
            }
        });
        let happening = Happening::Published { name: name.to_owned(), plan };
        self.newest.insert(key, offset);
        Some((to, happening))
    }
}

#[cfg(test)]
mod tests {
    use pavane_choreography::Plan;
    use pavane_choreography::plan::{Expect, Step};
    use pavane_events::{EventType, Service, StepId, Timestamp};

    use super::*;

    #[test]
    fn a_row_is_told_to_the_loop_of_its_domain_once() {
        let (mut told, loops) = (Told::default(), loops());
        let first = || row("shop/users-v2", 7, Some(published("users-v2")));
        let (name, plan) = news(&mut told, first(), &loops).expect("news");
        assert_eq!((name.as_str(), plan.map(|plan| plan.name)), ("users-v2", Some("users-v2".to_owned())));
        assert!(news(&mut told, first(), &loops).is_none(), "a table that starts over repeats its rows");
        let withdrawn = news(&mut told, row("shop/users-v2", 8, None), &loops);
        assert_eq!(withdrawn, Some(("users-v2".to_owned(), None)));
    }

    #[test]
    fn what_is_not_watched_is_not_told() {
        let (mut told, loops) = (Told::default(), loops());
        for key in ["forum/users-v2", "users-v2", "/users-v2", "no good/users-v2", ""] {
            assert!(news(&mut told, row(key, 7, Some(published("users-v2"))), &loops).is_none(), "{key}");
        }
    }

    #[test]
    fn what_cannot_be_read_withdraws_what_stood_there() {
        let (mut told, loops) = (Told::default(), loops());
        news(&mut told, row("shop/users-v2", 7, Some(published("users-v2"))), &loops).expect("news");
        for (offset, value) in [(8, "{}"), (9, "\u{1}"), (10, &published("other"))] {
            let row = row("shop/users-v2", offset, Some(value.to_owned()));
            assert_eq!(news(&mut told, row, &loops), Some(("users-v2".to_owned(), None)), "{value}");
        }
    }

    type News = (String, Option<Plan>);

    fn news(told: &mut Told, row: Row, loops: &BTreeMap<Domain, mpsc::Sender<Happening>>) -> Option<News> {
        let (_, happening) = told.news(row, loops)?;
        let Happening::Published { name, plan } = happening else { panic!("something else") };
        Some((name, plan.map(|plan| *plan)))
    }

    fn loops() -> BTreeMap<Domain, mpsc::Sender<Happening>> {
        let (door, _) = mpsc::channel(1);
        BTreeMap::from([(Domain::new("shop").expect("a name"), door)])
    }

    fn row(key: &str, offset: i64, value: Option<String>) -> Row {
        let (key, value) = (key.to_owned(), value.map(String::into_bytes));
        Row { key, value, at: Timestamp(1), partition: 0, offset }
    }

    fn published(name: &str) -> String {
        let service = Service::new("user-service").expect("a name");
        let expect = Expect { service, event: EventType::DeploymentComplete };
        let step = Step::new(StepId::new("users").expect("a name"), expect, 1_000, "identity");
        let plan = Plan::new(name, "identity", vec![step]);
        Published::new(plan, String::new(), "ada".to_owned(), String::new()).to_json()
    }
}
