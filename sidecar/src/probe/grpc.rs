//! The standard health check of gRPC: `grpc.health.v1.Health/Check`, in plain text.
//!
//! One call with one field each way; the bytes are few enough to be written by hand, over the HTTP/2 that the client
//! for everything else speaks too.

use reqwest::{Client, Response, header};

use crate::hook::causes;

/// `SERVING`, of the statuses that the protocol knows.
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/// The most that is read of an answer, in bytes.
const LONGEST: usize = 1024;

/// Asks the server whether a service of it serves; the error says what it answered.
pub(super) async fn check(client: &Client, address: &str, service: &str) -> Result<(), String> {
    let url = format!("http://{address}/grpc.health.v1.Health/Check");
    let said = |error: reqwest::Error| format!("Check at {address}: {}", causes(&error));
    let request = client
        .post(&url)
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(frame(service));
    let mut response = request.send().await.map_err(said)?;
    // An error without an answer comes with the headers; one after an answer takes nothing back.
    if let Some(error) = refusal(&response) {
        return Err(format!("Check at {address}: {error}"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(said)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err(format!("Check at {address}: the answer is no health check's"));
        }
    }
    match status(&body) {
        Some(1) => Ok(()),
        Some(other) => {
            let name =
                usize::try_from(other).ok().and_then(|at| STATUSES.get(at)).unwrap_or(&"a status of its own");
            Err(format!("Check at {address}: {name}"))
        }
        None => Err(format!("Check at {address}: the answer holds no status")),
    }
}

fn refusal(response: &Response) -> Option<String> {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    match (response.status().as_u16(), text("grpc-status")) {
        (200, None | Some("0")) => None,
        (200, Some("5")) => Some("the server knows no such service".to_owned()),
        (200, Some("12")) => Some("the server has no health check".to_owned()),
        (200, Some(code)) => {
            Some(format!("gRPC status {code}: {}", text("grpc-message").unwrap_or_default()))
        }
        (status, _) => Some(format!("HTTP status {status}")),
    }
}

/// A request in its frame: not compressed, four bytes of length, then field 1 as a text where it is not empty.
fn frame(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        message.extend(varint(service.len()));
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend(message);
    frame
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
    bytes
}

/// The status in an answer: field 1, a number; 0 where a whole message leaves it out. None for anything else.
fn status(frame: &[u8]) -> Option<u64> {
    let (head, message) = frame.split_at_checked(5)?;
    let [0, length @ ..] = head else { return None };
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if usize::try_from(length) != Ok(message.len()) {
        return None;
    }
    match message {
        [] => Some(0),
        [0x08, status] if *status < 0x80 => Some(u64::from(*status)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_framed_as_the_protocol_says() {
        assert_eq!(frame(""), [0, 0, 0, 0, 0]);
        assert_eq!(frame("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = frame(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn only_a_whole_answer_with_a_status_is_believed() {
        for (bytes, read) in [
            (&[0, 0, 0, 0, 2, 8, 1][..], Some(1)),
            (&[0, 0, 0, 0, 2, 8, 2], Some(2)),
            (&[0, 0, 0, 0, 0], Some(0)),
            (&[], None),
            (&[0, 0, 0, 0, 2, 8], None),
            (&[0, 0, 0, 0, 2, 8, 1, 1], None),
            (&[1, 0, 0, 0, 2, 8, 1], None),
            (&[0, 0, 0, 0, 2, 16, 1], None),
            (&[0, 255, 255, 255, 255, 8, 1], None),
        ] {
            assert_eq!(status(bytes), read, "{bytes:?}");
        }
    }
}
