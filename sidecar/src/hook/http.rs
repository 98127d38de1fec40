//! A hook that is a request to the service.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use pavane_bus::http::spoken;
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{Call, HookOutcome};
use reqwest::{RequestBuilder, Response, header};
use tokio_util::sync::CancellationToken;

use super::{Caller, answer, signature, told};
use crate::config::Post;

/// The most that is read of an answer, in bytes.
const LONGEST: usize = 64 * 1024;

/// Posts the event to the service and takes its answer.
pub(super) async fn call(
    caller: &Caller,
    post: &Post,
    call: &Call,
    traceparent: Option<&str>,
    limit: Duration,
    cut: &CancellationToken,
) -> HookOutcome {
    let told = spoken(&post.url);
    let failure = |why: &str| Failure { reason: format!("POST {told}: {why}"), ..Failure::default() };
    let body = told::event(caller, call).to_string();
    let signed = match &post.secret_file {
        Some(file) => signed(file, call, &body).await.map(Some),
        None => Ok(None),
    };
    let signed = match signed {
        Ok(signed) => signed,
        Err(why) => return HookOutcome::Retry(failure(&why)),
    };
    let mut request = caller
        .client
        .post(&post.url)
        .header(header::CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
        .header("pavane-run", &call.run)
        .header("pavane-attempt", call.attempt)
        .header("pavane-timeout-ms", call.limit)
        .header("pavane-deadline", (Timestamp::now() + limit).to_string())
        .body(body);
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    if let Some((url, token)) = caller.callback(call) {
        request = request.header("pavane-callback", url).header("pavane-callback-token", token);
    }
    for (name, value) in signed.into_iter().flatten() {
        request = request.header(name, value);
    }
    tokio::select! {
        answered = answered(request) => match answered {
            Ok((status, body)) => answer::of_response(status, &body),
            Err(error) => HookOutcome::Retry(failure(&causes(&error.without_url()))),
        },
        () = tokio::time::sleep(limit) => {
            HookOutcome::Retry(failure(&format!("no answer within {} ms", limit.as_millis())))
        }
        () = cut.cancelled() => HookOutcome::Failed(failure("cut off before its answer")),
    }
}

/// The headers of a signed request. An attempt is a message of its own, and so is each call of it.
async fn signed(file: &Path, call: &Call, body: &str) -> Result<[(&'static str, String); 3], String> {
    let timestamp = Timestamp::now().as_second();
    let id = format!("{}.{}.{}", call.run, call.attempt, call.ticket);
    let signature = signature::sign(file, &id, timestamp, body).await?;
    Ok([("webhook-id", id), ("webhook-timestamp", timestamp.to_string()), ("webhook-signature", signature)])
}

async fn answered(request: RequestBuilder) -> Result<(u16, String), reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    Ok((status, text(response).await?))
}

/// The body of an answer, as much of it as is read.
pub(crate) async fn text(mut response: Response) -> Result<String, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= LONGEST {
            body.truncate(LONGEST);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// An error with what lies behind it: the outermost alone says little.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(cause) = inner {
        text = format!("{text}: {cause}");
        inner = cause.source();
    }
    text
}
