//! The value of a query to a Prometheus server.

use pavane_bus::http::spoken;
use pavane_sidecar_engine::health::Amount;
use reqwest::{Client, Url};
use serde_json::Value;

use super::number;
use crate::question;

/// Asks for the one value of a query.
pub(super) async fn value(client: &Client, url: &str, query: &str) -> Result<Amount, String> {
    let base = url.trim_end_matches('/');
    let mut asked: Url = format!("{base}/api/v1/query")
        .parse()
        .map_err(|error| format!("{} is not a URL: {error}", spoken(base)))?;
    asked.query_pairs_mut().append_pair("query", query);
    let body = question::get(client, asked.as_str()).await?;
    sole(&body).map_err(|error| format!("{query}: {error}"))
}

/// The one value of an answer: a scalar, or a vector with one sample. A query without a value proves nothing, and one
/// with several does not say which is meant.
fn sole(body: &str) -> Result<Amount, String> {
    let json: Value = serde_json::from_str(body).map_err(|_| "the answer is not JSON".to_owned())?;
    let result = json.pointer("/data/result").and_then(Value::as_array);
    let result = result.ok_or_else(|| "the answer has no result".to_owned())?;
    let sample = match (json.pointer("/data/resultType").and_then(Value::as_str), &result[..]) {
        (Some("scalar"), [_, value]) => Some(value),
        (Some("vector"), [sample]) => sample.pointer("/value/1"),
        (Some("vector"), []) => return Err("the query has no value".to_owned()),
        (Some("vector"), several) => {
            return Err(format!("the query has {} values; aggregate them", several.len()));
        }
        _ => None,
    };
    number(
        sample
            .and_then(Value::as_str)
            .ok_or_else(|| "the result is neither a scalar nor a vector".to_owned())?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_read_and_none_or_several_are_refused() {
        let vector = |samples: &str| {
            format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{samples}]}}}}"#)
        };
        let sample = r#"{"metric":{},"value":[1,"0.25"]}"#;
        assert_eq!(sole(&vector(sample)).map(Amount::get), Ok(0.25));
        let scalar = r#"{"data":{"resultType":"scalar","result":[1,"3"]}}"#;
        assert_eq!(sole(scalar).map(Amount::get), Ok(3.0));
        for (body, words) in [
            (vector(""), "no value"),
            (vector(&format!("{sample},{sample}")), "2 values"),
            (vector(r#"{"value":[1,"NaN"]}"#), "not a number"),
            ("{}".to_owned(), "no result"),
            ("<html>".to_owned(), "not JSON"),
        ] {
            assert!(sole(&body).unwrap_err().contains(words), "{body}");
        }
    }
}
