//! Two names for one thing: each of them is one more thing to agree on, and one of them will be listened for in vain.

use crate::place::Spot;
use crate::schema::{Schema, Shape};

/// Words that people take for one another at the end of an event's name; each row is one thing.
const ALIKE: [&[&str]; 9] = [
    &["complete", "completed", "done", "finished", "succeeded", "success"],
    &["start", "started", "begin", "begun", "began", "starting"],
    &["ready", "healthy", "up", "available", "readyfortraffic"],
    &["fail", "failed", "failure", "error", "errored"],
    &["create", "created", "added", "add"],
    &["delete", "deleted", "removed", "remove"],
    &["update", "updated", "changed", "change", "modified"],
    &["cancel", "cancelled", "canceled", "aborted", "abort"],
    &["rollback", "rolledback", "reverted", "revert"],
];

/// Whether two names say the same to a person: alike but for case, underscores, a plural, or a word for the same.
pub fn alike(one: &str, other: &str) -> bool {
    key(&words(one)) == key(&words(other))
}

/// Every field of a record that is alike an earlier one of the same record: where, its name, and the other's.
pub fn fields(schema: &Schema) -> Vec<(Spot, String, String)> {
    let mut found = Vec::new();
    for kind in &schema.types {
        let Shape::Record(record) = &kind.shape else { continue };
        let mut keys: std::collections::BTreeMap<Vec<String>, &str> = std::collections::BTreeMap::new();
        for field in &record.fields {
            let key: Vec<String> = words(&field.name).iter().map(|word| singular(word)).collect();
            if let Some(earlier) = keys.get(&key) {
                let spot = schema.spot(field.at, &field.pointer);
                found.push((spot, field.name.clone(), (*earlier).to_owned()));
            } else {
                keys.insert(key, &field.name);
            }
        }
    }
    found
}

/// The words of a name, in small letters: `userId`, `user_id` and `UserID` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = '_';
    for c in name.chars() {
        if c == '_' || c == '-' || c == '.' {
            before = '_';
            continue;
        }
        let begins = before == '_' || (c.is_ascii_uppercase() && !before.is_ascii_uppercase());
        match words.last_mut() {
            Some(word) if !begins => word.push(c.to_ascii_lowercase()),
            Some(_) | None => words.push(c.to_ascii_lowercase().to_string()),
        }
        before = c;
    }
    words
}

/// What two names that are alike share: the last words count by what they mean, the others in the singular.
fn key(words: &[String]) -> Vec<String> {
    let means = |text: &str| ALIKE.iter().find(|row| row.contains(&text)).map(|row| row[0].to_owned());
    for length in (1..=3.min(words.len())).rev() {
        let (head, tail) = words.split_at(words.len() - length);
        if let Some(meaning) = means(&tail.concat()) {
            return head.iter().map(|word| singular(word)).chain([meaning]).collect();
        }
    }
    words.iter().map(|word| singular(word)).collect()
}

fn singular(word: &str) -> String {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem.to_owned(),
        Some(_) | None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_take_for_one_another_are_alike() {
        for (one, other) in [
            ("DeploymentComplete", "DeploymentCompleted"),
            ("DeploymentComplete", "DeploymentFinished"),
            ("Ready", "ReadyForTraffic"),
            ("Ready", "Healthy"),
            ("OrderCreated", "OrdersCreated"),
            ("OrderCreated", "order_added"),
            ("UserRolledBack", "UserReverted"),
        ] {
            assert!(alike(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("DeploymentStarted", "DeploymentComplete"),
            ("RolloutPaused", "RolloutResumed"),
            ("Ready", "Drained"),
            ("OrderCreated", "UserCreated"),
            ("RollbackComplete", "RollbackRefused"),
            ("RolloutCompleted", "DeploymentComplete"),
            ("address", "addresse"),
        ] {
            assert!(!alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_field_that_is_there_under_another_spelling_is_found() {
        let field = |name: &str| format!(r#"{{"name":"{name}","type":"string"}}"#);
        let fields: Vec<String> = ["user_id", "region", "userId", "regions", "status"].map(field).to_vec();
        let text = format!(r#"{{"type":"record","name":"A","fields":[{}]}}"#, fields.join(","));
        let found = super::fields(&Schema::parse(&text).expect("a schema"));
        let pairs: Vec<(&str, &str)> =
            found.iter().map(|(_, one, other)| (one.as_str(), other.as_str())).collect();
        assert_eq!(pairs, [("userId", "user_id"), ("regions", "region")]);
        assert_eq!(found[0].0.pointer, "/fields/2");
    }
}
