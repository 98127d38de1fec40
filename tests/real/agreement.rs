//! Who judges whether one schema reads another: Java's Avro and a real registry are asked live, the embedded registry and
//! the checks of a pull request too. We agree with the others, or are stricter for a reason that stands in the battery.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use pavane_contracts::{Schema, bounds, can_read};
use pavane_tests::place::workspace;
use pavane_tests::real::{self, cache, jdk::Jdk};
use serde_json::{Value, json};

use crate::battery::{Pair, pairs};

const MEDIA: &str = "application/vnd.schemaregistry.v1+json";

/// What somebody says of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// The reader reads all that the writer writes.
    Reads,
    /// It does not.
    Differs,
    /// One of the two is no schema that is taken.
    Refused,
    /// Nobody can say: it throws.
    Throws,
}

#[tokio::test]
async fn java_a_real_registry_the_embedded_one_and_we_agree_or_we_are_stricter_for_a_reason() {
    let test = "java_a_real_registry_the_embedded_one_and_we_agree_or_we_are_stricter_for_a_reason";
    let Some(apicurio) = real::registry(test).await else { return };
    let embedded = pavane_bus::embedded::Registry::start_empty().await.expect("a port");
    let pairs = pairs();
    assert!(pairs.len() >= 200, "{}", pairs.len());
    let java = java(&pairs);
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_nanos();
    let run = format!("{}.{since}", std::process::id());
    let client = reqwest::Client::new();
    let (mut wrong, mut reasons) = (Vec::new(), BTreeMap::new());
    for (at, (pair, java)) in pairs.iter().zip(java).enumerate() {
        let ours = ours(pair);
        let subject = format!("agreement.{run}.{at}");
        let theirs = registry(&client, &apicurio, &subject, pair).await;
        let built_in = registry(&client, &embedded.url(), &subject, pair).await;
        let told = format!(
            "{}: java {java:?}, registry {theirs:?}, embedded {built_in:?}, ours {ours:?}",
            pair.name
        );
        if built_in != ours {
            wrong.push(format!("the embedded registry differs from us: {told}"));
        }
        for other in [java, theirs] {
            // Where two fields go by one name Java's Avro throws, and the registry says that the schema is none.
            let alike =
                other == ours || (java == Verdict::Throws && ours == Verdict::Differs && other >= ours);
            match pair.stricter {
                None if !alike => wrong.push(format!("no reason is given: {told}")),
                Some(_) if ours <= other => wrong.push(format!("we are not stricter here: {told}")),
                Some(why) => *reasons.entry(why).or_insert(0) += 1,
                None => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} pairs:\n{}", wrong.len(), pairs.len(), wrong.join("\n"));
    assert!(reasons.len() >= 3, "{reasons:?}");
}

/// What the checks of a pull request say.
fn ours(pair: &Pair) -> Verdict {
    let parsed = [&pair.writer, &pair.reader].map(|text| Schema::parse(text));
    let [Ok(writer), Ok(reader)] = parsed else { return Verdict::Refused };
    let fit = |schema: &Schema| bounds::check(schema).is_empty() && schema.misfit_defaults().is_empty();
    match (fit(&writer) && fit(&reader), can_read(&writer, &reader).is_empty()) {
        (false, _) => Verdict::Refused,
        (true, true) => Verdict::Reads,
        (true, false) => Verdict::Differs,
    }
}

/// What Java's Avro says: its checker is run from the jars that the registry is made of.
fn java(pairs: &[Pair]) -> Vec<Verdict> {
    let jdk = Jdk::find().expect("the registry runs on it");
    let jars = cache::apicurio().expect("the registry was started").join("lib/main/*");
    let mut child = Command::new(&jdk.java)
        .arg("-cp")
        .arg(jars)
        .arg(workspace().join("tests/real/Judge.java"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("java runs");
    let lines: String = pairs.iter().flat_map(|pair| [&pair.writer, "\t", &pair.reader, "\n"]).collect();
    child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let words = String::from_utf8(output.stdout).expect("words");
    let verdicts: Vec<Verdict> = words
        .lines()
        .map(|word| match word {
            "reads" => Verdict::Reads,
            "differs" => Verdict::Differs,
            "throws" => Verdict::Throws,
            "refused" => Verdict::Refused,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(verdicts.len(), pairs.len());
    verdicts
}

/// What a registry says: the writer's schema is registered, and the reader's offered as the next that must read it.
async fn registry(client: &reqwest::Client, base: &str, subject: &str, pair: &Pair) -> Verdict {
    let send = async |request: reqwest::RequestBuilder, body: Value| {
        let answer =
            request.header("content-type", MEDIA).body(body.to_string()).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.expect("JSON"))
    };
    let level = json!({ "compatibility": "BACKWARD" });
    let (status, answer) = send(client.put(format!("{base}/config/{subject}")), level).await;
    assert_eq!(status, 200, "{answer}");
    let versions = format!("{base}/subjects/{subject}/versions");
    let (status, answer) = send(client.post(&versions), json!({ "schema": pair.writer })).await;
    match status {
        200 => {}
        422 => return Verdict::Refused,
        other => panic!("{}: {other} {answer}", pair.name),
    }
    let check = format!("{base}/compatibility/subjects/{subject}/versions/latest");
    let (status, answer) = send(client.post(check), json!({ "schema": pair.reader })).await;
    match (status, answer["is_compatible"].as_bool()) {
        (200, Some(true)) => Verdict::Reads,
        (200, Some(false)) => Verdict::Differs,
        (422, _) => Verdict::Refused,
        other => panic!("{}: {other:?} {answer}", pair.name),
    }
}
