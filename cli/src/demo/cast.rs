//! Who dances and what they are told: the files under `cli/demo`, built in, with their placeholders filled.

/// The domain of the demo.
pub const DOMAIN: &str = "arena";

/// The services, in the order in which they enter.
pub const SERVICES: [&str; 5] = ["user-db", "user-service", "messaging", "matchmaking", "tournament"];

/// Act 1's plan.
pub const USERS_V2: &str = include_str!("../../demo/plans/users-v2.yaml");
/// Act 2's plan.
pub const SEASON_7: &str = include_str!("../../demo/plans/season-7.yaml");
/// Act 3's plan.
pub const PLATFORM_V3: &str = include_str!("../../demo/plans/platform-v3.yaml");

/// Matchmaking's own `Ready`, as it was agreed.
pub const READY: &str = include_str!("../../demo/schemas/services/matchmaking/Ready.avsc");
/// Matchmaking's own `Ready`, as it became.
pub const READY_BROKEN: &str = include_str!("../../demo/schemas/Ready.broken.avsc");

/// The sentinel's file.
const SENTINEL: &str = include_str!("../../demo/sentinel.yaml");

/// The sidecar's file of a service; none for a service that does not dance here.
fn sidecar_file(service: &str) -> Option<&'static str> {
    match service {
        "user-db" => Some(include_str!("../../demo/sidecars/user-db.yaml")),
        "user-service" => Some(include_str!("../../demo/sidecars/user-service.yaml")),
        "messaging" => Some(include_str!("../../demo/sidecars/messaging.yaml")),
        "matchmaking" => Some(include_str!("../../demo/sidecars/matchmaking.yaml")),
        "tournament" => Some(include_str!("../../demo/sidecars/tournament.yaml")),
        _ => None,
    }
}

/// The sidecar's file of a service of [`SERVICES`].
///
/// `service_url` is where the service answers, `http` where the sidecar shall, `journal` its journal's path.
pub fn sidecar(service: &str, service_url: &str, http: &str, journal: &str) -> Option<String> {
    let file = sidecar_file(service)?;
    Some(fill(file, &[("service", service_url), ("http", http), ("journal", journal)]))
}

/// The sentinel's file: where it answers, what it is called, whom it tells, and the file with the secret.
pub fn sentinel(http: &str, replica: &str, receiver: &str, secret_file: &str) -> String {
    let values = [("http", http), ("replica", replica), ("receiver", receiver), ("secret_file", secret_file)];
    fill(SENTINEL, &values)
}

fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let replace =
        |text: String, (name, value): &(&str, &str)| text.replace(&format!("{{{{{name}}}}}"), value);
    values.iter().fold(text.to_owned(), replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_of_every_file_is_filled() {
        for service in SERVICES {
            let text = sidecar(service, "http://s", "127.0.0.1:1", "/j").expect("it dances");
            assert!(!text.contains("{{") && text.contains("http://s/version"), "{text}");
        }
        let text = sentinel("127.0.0.1:1", "a", "http://r", "/s");
        assert!(!text.contains("{{") && text.contains("http://127.0.0.1:1"), "{text}");
    }

    #[test]
    fn the_files_are_sound() {
        for service in SERVICES {
            let text = sidecar(service, "http://127.0.0.1:2", "127.0.0.1:1", "/j").expect("it dances");
            pavane_sidecar::Config::from_yaml(&text, service).expect("a sound file");
        }
        let secret = std::env::temp_dir().join("pavane-demo-secret-of-nobody");
        let text =
            sentinel("127.0.0.1:1", "a", "http://127.0.0.1:4003/alerts", &secret.display().to_string());
        pavane_sentinel::Config::from_yaml(&text, "sentinel.yaml").expect("a sound file");
        for plan in [USERS_V2, SEASON_7, PLATFORM_V3] {
            crate::document::parse(plan.to_owned(), "plan.yaml").expect("a sound plan");
        }
    }
}
