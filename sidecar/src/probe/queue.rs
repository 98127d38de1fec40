//! How much waits, as the service or a program tells it.

use std::time::Duration;

use pavane_bus::http::spoken;
use pavane_sidecar_engine::health::Amount;
use reqwest::Client;
use serde_json::Value;

use super::number;
use crate::config::Queue;
use crate::question;

/// Asks for the number.
pub(super) async fn depth(client: &Client, told: &Queue, limit: Duration) -> Result<Amount, String> {
    match told {
        Queue::Http { url, field } => {
            let body = question::get(client, url).await?;
            let read = match field {
                Some(field) => of_field(&body, field),
                None => number(&body),
            };
            read.map_err(|error| format!("GET {}: {error}", spoken(url)))
        }
        Queue::Exec(command) => number(&question::written(command, limit).await?),
    }
}

/// The number in a field of a JSON text, be it written as a number or as a text.
fn of_field(body: &str, field: &str) -> Result<Amount, String> {
    let json: Value = serde_json::from_str(body).map_err(|_| "the answer is not JSON".to_owned())?;
    match json.pointer(field) {
        Some(Value::Number(value)) => number(&value.to_string()),
        Some(Value::String(text)) => number(text),
        Some(_) => Err(format!("{field} is not a number")),
        None => Err(format!("the answer has no {field}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_from_its_field_and_nothing_is_taken_for_one() {
        let body = r#"{"queue":{"depth":7,"text":" 8.5 ","off":true},"list":[3]}"#;
        let read = |field| of_field(body, field).map(Amount::get);
        assert_eq!(read("/queue/depth"), Ok(7.0));
        assert_eq!(read("/queue/text"), Ok(8.5));
        assert_eq!(read("/list/0"), Ok(3.0));
        for field in ["/queue/off", "/queue", "/none"] {
            assert!(read(field).is_err(), "{field}");
        }
        for body in ["", "NaN", "{}", "inf", r#"{"a":"NaN"}"#, r#"{"a":1e999}"#] {
            assert!(of_field(body, "/a").is_err() && number(body).is_err(), "{body}");
        }
    }
}
