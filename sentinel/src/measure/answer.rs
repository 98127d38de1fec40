//! What Prometheus answers to an instant query, and the one number in it.

use serde::Deserialize;
use serde_json::Value;

/// The longest reason that is told, in characters.
const LONGEST: usize = 200;

/// Why there is no number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The class of the reason; the label of its metric.
    pub(crate) class: &'static str,
    /// What happened, for a person: at most 200 characters on one line.
    pub(crate) why: String,
}

/// A number, and what was said beside it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// The number; NaN and the infinities too.
    pub(crate) value: f64,
    /// What Prometheus warns of, e.g. that a part of the data did not answer.
    pub(crate) warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Body {
    Success {
        data: Data,
        #[serde(default)]
        warnings: Vec<String>,
    },
    Error {
        #[serde(default)]
        error: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

/// A moment, and the number at that moment as text.
type Sample = (f64, String);

#[derive(Deserialize)]
struct Series {
    /// None for a native histogram.
    value: Option<Sample>,
}

impl Missing {
    /// A reason in the form in which people are told: no control characters, no marks that turn the reading
    /// direction, and short.
    pub(crate) fn new(class: &'static str, why: &str) -> Self {
        let tellable = |c: &char| {
            !c.is_control()
                && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let mut told: Vec<char> = why.chars().filter(tellable).take(LONGEST + 1).collect();
        if told.len() > LONGEST {
            told.truncate(LONGEST - 1);
            told.push('…');
        }
        Self { class, why: told.into_iter().collect() }
    }
}

/// Reads the body of an answer; `status` is the line of HTTP above it.
pub(crate) fn read(status: reqwest::StatusCode, body: &[u8]) -> Result<Reading, Missing> {
    match serde_json::from_slice(body) {
        Ok(Body::Success { data, warnings }) if status.is_success() => {
            Ok(Reading { value: number(data)?, warnings })
        }
        Ok(Body::Error { error }) => Err(Missing::new("error", &format!("Prometheus says: {error}"))),
        Err(_) if status.is_success() => Err(unread()),
        Err(_) if [401, 403].contains(&status.as_u16()) => {
            let why = format!(
                "Prometheus answered {status}; it wants a token: see `token_file` in the sentinel's file"
            );
            Err(Missing::new("refused", &why))
        }
        Ok(Body::Success { .. }) | Err(_) => {
            Err(Missing::new("refused", &format!("Prometheus answered {status}")))
        }
    }
}

fn number(data: Data) -> Result<f64, Missing> {
    let (_, text) = match data.result_type.as_str() {
        "scalar" => serde_json::from_value(data.result).map_err(|_| unread())?,
        "vector" => only(serde_json::from_value(data.result).map_err(|_| unread())?)?,
        other => {
            let why = format!("the query's result is a {other}; it must be one number");
            return Err(Missing::new("not_a_number", &why));
        }
    };
    text.parse().map_err(|_| unread())
}

fn only(mut series: Vec<Series>) -> Result<Sample, Missing> {
    let found = series.len();
    match (series.pop(), found) {
        (None, _) => Err(Missing::new("empty", "the query's result is empty: there are no such data")),
        (Some(Series { value: Some(sample) }), 1) => Ok(sample),
        (Some(Series { value: None }), 1) => {
            Err(Missing::new("not_a_number", "the query's result is a histogram; it must be one number"))
        }
        (Some(_), _) => {
            let why = format!(
                "the query's result has {found} series; it must be one: aggregate it, e.g. with sum()"
            );
            Err(Missing::new("several", &why))
        }
    }
}

fn unread() -> Missing {
    Missing::new(
        "unreadable",
        "what answers is not the HTTP API of Prometheus; see `url` in the sentinel's file",
    )
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn ok(data: &str) -> Result<Reading, Missing> {
        read(StatusCode::OK, format!(r#"{{"status":"success","data":{data}}}"#).as_bytes())
    }

    fn vector(result: &str) -> Result<Reading, Missing> {
        ok(&format!(r#"{{"resultType":"vector","result":{result}}}"#))
    }

    fn class(read: Result<Reading, Missing>) -> &'static str {
        read.expect_err("no number").class
    }

    #[test]
    fn a_scalar_and_a_vector_of_one_are_numbers() {
        let scalar = ok(r#"{"resultType":"scalar","result":[1795269300.5,"0.25"]}"#);
        assert_eq!(scalar, Ok(Reading { value: 0.25, warnings: Vec::new() }));
        let one = vector(r#"[{"metric":{"job":"users"},"value":[1795269300,"1e-3"]}]"#);
        assert_eq!(one.expect("a number").value.to_bits(), 0.001_f64.to_bits());
    }

    #[test]
    fn what_is_not_finite_is_a_value_all_the_same() {
        let value =
            |text: &str| vector(&format!(r#"[{{"metric":{{}},"value":[1,"{text}"]}}]"#)).expect(text).value;
        assert!(value("NaN").is_nan());
        assert!(value("+Inf") > f64::MAX && value("-Inf") < f64::MIN);
    }

    #[test]
    fn no_series_and_several_are_no_number() {
        assert_eq!(class(vector("[]")), "empty");
        let two = r#"[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"2"]}]"#;
        assert_eq!(class(vector(two)), "several");
        let histogram = r#"[{"metric":{},"histogram":[1,{"count":"2","sum":"3","buckets":[]}]}]"#;
        assert_eq!(class(vector(histogram)), "not_a_number");
        assert_eq!(class(ok(r#"{"resultType":"matrix","result":[]}"#)), "not_a_number");
        assert_eq!(class(ok(r#"{"resultType":"string","result":[1,"0.1"]}"#)), "not_a_number");
    }

    #[test]
    fn what_prometheus_says_is_told_without_what_deceives() {
        let body = "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"1:3: parse\\u001b[31m \\u202e error\"}";
        let missing = read(StatusCode::BAD_REQUEST, body.as_bytes()).expect_err("an error");
        assert_eq!(
            (missing.class, missing.why.as_str()),
            ("error", "Prometheus says: 1:3: parse[31m  error")
        );
        let long = format!(r#"{{"status":"error","error":"{}"}}"#, "ü".repeat(5000));
        let missing = read(StatusCode::UNPROCESSABLE_ENTITY, long.as_bytes()).expect_err("an error");
        assert_eq!((missing.why.chars().count(), missing.why.ends_with("ü…")), (LONGEST, true));
    }

    #[test]
    fn what_is_not_the_api_is_never_a_number() {
        for body in ["", "<html>", "[]", "{}", r#"{"status":"success"}"#, r#"{"status":"success","data":{}}"#]
        {
            assert_eq!(class(read(StatusCode::OK, body.as_bytes())), "unreadable", "{body}");
        }
        for result in [r#"[{"value":[1,"many"]}]"#, r#"[{"value":[1,2]}]"#, r#"{"value":[1,"2"]}"#, "null"] {
            assert_eq!(class(vector(result)), "unreadable", "{result}");
        }
        let good = br#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#;
        assert_eq!(class(read(StatusCode::BAD_GATEWAY, good)), "refused");
        let denied = read(StatusCode::UNAUTHORIZED, b"no").expect_err("denied");
        assert!(denied.why.contains("token_file"), "{}", denied.why);
    }

    #[test]
    fn a_warning_comes_with_the_number() {
        let body = br#"{"status":"success","warnings":["a store is away"],"data":{"resultType":"scalar","result":[1,"2"]}}"#;
        assert_eq!(read(StatusCode::OK, body).expect("a number").warnings, ["a store is away"]);
    }
}
