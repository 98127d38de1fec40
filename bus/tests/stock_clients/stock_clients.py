"""Reads records that we wrote, and writes one that we read, with clients that know nothing of us.

    stock_clients.py read    --bootstrap HOST:PORT --registry URL --topic T --count N [--timeout SECONDS]
    stock_clients.py produce --bootstrap HOST:PORT --registry URL --topic T --domain D --service S --rollout R
                             [--event Ready] [--body JSON]
    stock_clients.py say     --door URL --domain D --rollout R
    stock_clients.py read-lines --file FILE
    stock_clients.py junit   --file FILE

`read` reads the first N records of the topic, each three times: with confluent-kafka's AvroDeserializer and the
registry, with fastavro and the bytes behind the schema id, and the envelope with the CloudEvents SDK. It prints one
JSON object a line: partition, offset, key, timestamp_type, attributes, extensions, data, agree. It ends with 1 when the
two Avro readings differ or the envelope is no CloudEvent, and with 2 when the time is up before N records have come.

`produce` writes one event in binary mode, in its domain's partition, and prints where it stands.

`say` says an event through a sidecar's door with the CloudEvents SDK, structured and in binary mode. `read-lines` reads a
file of structured CloudEvents, one a line, with the SDK. `junit` reads a report with a stock reader of JUnit's XML.

Needs confluent-kafka[avro,schemaregistry], cloudevents, fastavro and junitparser.
"""

import argparse
import hashlib
import io
import json
import pathlib
import sys
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone

import fastavro
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event, to_binary_event, to_structured_event
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from fastavro.schema import parse_schema, to_parsing_canonical_form
from junitparser import JUnitXml

SCHEMAS = pathlib.Path(__file__).resolve().parents[3] / "schemas"
# The client waits for ever for an answer unless it is told otherwise; so bounded, it asks again.
ANSWER = 10.0
STAMPS = {TIMESTAMP_CREATE_TIME: "CreateTime", TIMESTAMP_LOG_APPEND_TIME: "LogAppendTime"}


def main():
    arguments = parse_arguments()
    modes = {"read": read, "produce": produce, "say": say, "read-lines": read_lines, "junit": junit}
    sys.exit(modes[arguments.mode](arguments))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    for mode in ("read", "produce"):
        sub = modes.add_parser(mode)
        for name in ("--bootstrap", "--registry", "--topic"):
            sub.add_argument(name, required=True)
        sub.add_argument("--timeout", type=float, default=120.0)
        if mode == "read":
            sub.add_argument("--count", type=int, required=True)
        else:
            for name in ("--domain", "--service", "--rollout"):
                sub.add_argument(name, required=True)
            sub.add_argument("--event", default="Ready")
            sub.add_argument("--body", default='{"prerequisite": "schema-v2", "detail": "said by a stock client"}')
    sub = modes.add_parser("say")
    for name in ("--door", "--domain", "--rollout"):
        sub.add_argument(name, required=True)
    for mode in ("read-lines", "junit"):
        modes.add_parser(mode).add_argument("--file", required=True)
    return parser.parse_args()


def read(arguments):
    registry = SchemaRegistryClient({"url": arguments.registry, "timeout": ANSWER})
    # by its default strategy it would ask for associations of topics, which Apicurio does not have and, when busy,
    # sometimes never answers
    deserialize = AvroDeserializer(registry, conf={"subject.name.strategy": record_subject_name_strategy})
    consumer = Consumer({
        "bootstrap.servers": arguments.bootstrap,
        "group.id": f"stock-{uuid.uuid4()}",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 50,
    })
    partitions = consumer.list_topics(arguments.topic, timeout=arguments.timeout).topics[arguments.topic].partitions
    consumer.assign([TopicPartition(arguments.topic, partition, 0) for partition in partitions])
    deadline, seen, sound = time.monotonic() + arguments.timeout, 0, True
    try:
        while seen < arguments.count:
            if time.monotonic() > deadline:
                print(f"{seen} of {arguments.count} records within {arguments.timeout} s", file=sys.stderr)
                return 2
            message = consumer.poll(0.2)
            if message is None:
                continue
            if message.error():
                raise SystemExit(f"{arguments.topic}: {message.error()}")
            seen += 1
            row = reading(message, registry, deserialize)
            sound = sound and row["agree"]
            print(json.dumps(row, ensure_ascii=False), flush=True)
    finally:
        consumer.close()
    return 0 if sound else 1


def reading(message, registry, deserialize):
    """One record as three stock libraries see it."""
    headers = {name: value.decode() for name, value in message.headers() or []}
    value = message.value()
    by_confluent = deserialize(value, SerializationContext(message.topic(), MessageField.VALUE))
    assert value[0] == 0, "no magic byte"
    writer = json.loads(registry.get_schema(int.from_bytes(value[1:5], "big")).schema_str)
    datum = io.BytesIO(value[5:])
    by_fastavro = fastavro.schemaless_reader(datum, parse_schema(writer), None)
    as_kafka = KafkaMessage(headers=dict(message.headers()), key=message.key(), value=value)
    event = from_binary(as_kafka, JSONFormat())
    named = headers["ce_dataschema"].removeprefix("urn:pavane:schema:sha256:")
    agree = (
        by_confluent == by_fastavro
        and not datum.read()
        and named == fingerprint(writer)
        and event.get_type().rsplit(".", 1)[1] == writer["name"]
        and message.key().decode().split("/")[0] == headers["ce_partitionkey"]
    )
    attributes = {name: plain(value) for name, value in event.get_attributes().items()}
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "key": message.key().decode(),
        "timestamp_type": STAMPS.get(message.timestamp()[0], "none"),
        "attributes": attributes,
        "traceparent": headers.get("traceparent"),
        "data": by_confluent,
        "agree": agree,
    }


def plain(value):
    return value.isoformat() if isinstance(value, datetime) else value


def fingerprint(schema):
    return hashlib.sha256(to_parsing_canonical_form(parse_schema(schema)).encode()).hexdigest()


def produce(arguments):
    schema = (SCHEMAS / "lifecycle" / "v1" / f"{arguments.event}.avsc").read_text()
    registry = SchemaRegistryClient({"url": arguments.registry, "timeout": ANSWER})
    serialize = AvroSerializer(registry, schema, conf={
        "auto.register.schemas": False,
        "subject.name.strategy": record_subject_name_strategy,
    })
    context = SerializationContext(arguments.topic, MessageField.VALUE)
    service = arguments.service
    headers = {
        "content-type": "application/avro",
        "ce_specversion": "1.0",
        "ce_id": str(uuid.uuid4()),
        "ce_source": f"/pavane/{arguments.domain}/{service}/{service}-0",
        "ce_type": f"io.pavane.lifecycle.v1.{arguments.event}",
        "ce_time": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "ce_subject": f"service/{service}",
        "ce_dataschema": f"urn:pavane:schema:sha256:{fingerprint(json.loads(schema))}",
        "ce_partitionkey": arguments.domain,
        "ce_correlationid": arguments.rollout,
        "ce_sequence": f"{1:019}",
        "ce_pavaneservice": service,
        "ce_pavaneinstance": f"{service}-0",
        "ce_pavaneversion": "1.0.0",
        "ce_pavaneboot": "stock",
    }
    delivered = []
    producer = Producer({
        "bootstrap.servers": arguments.bootstrap,
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
    })
    producer.produce(
        arguments.topic,
        key=arguments.domain.encode(),
        value=serialize(json.loads(arguments.body), context),
        headers=[(name, value.encode()) for name, value in headers.items()],
        on_delivery=lambda error, message: delivered.append((error, message)),
    )
    producer.flush(arguments.timeout)
    if not delivered or delivered[0][0] is not None:
        print(f"{arguments.topic}: {delivered[0][0] if delivered else 'no answer'}", file=sys.stderr)
        return 1
    message = delivered[0][1]
    print(json.dumps({"id": headers["ce_id"], "partition": message.partition(), "offset": message.offset()}))
    return 0


def say(arguments):
    failed = 0
    for mode, write in (("structured", to_structured_event), ("binary", to_binary_event)):
        event = CloudEvent(
            attributes={
                "specversion": "1.0",
                "id": f"python-{mode}",
                "source": f"/pavane/{arguments.domain}/user-db/user-db-0",
                "type": "io.pavane.lifecycle.v1.Ready",
                "subject": "service/user-db",
                "time": datetime.now(timezone.utc),
                "datacontenttype": "application/json",
                "correlationid": arguments.rollout,
                "pavaneversion": "1.0.0",
            },
            data={"prerequisite": mode, "detail": "said through the door"},
        )
        message = write(event)
        request = urllib.request.Request(
            f"{arguments.door}/v1/events", data=message.body, headers=message.headers, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            status, text, failed = refusal.code, refusal.read().decode(), 1
        print(json.dumps({"mode": mode, "id": event.get_id(), "status": status, "answer": text}))
    return failed


def read_lines(arguments):
    types = []
    for line in pathlib.Path(arguments.file).read_text().splitlines():
        headers = {"content-type": "application/cloudevents+json"}
        event = from_structured_event(HTTPMessage(headers=headers, body=line.encode()))
        types.append(event.get_type())
    print(json.dumps({"types": types}))
    return 0


def junit(arguments):
    report = JUnitXml.fromfile(arguments.file)
    suites = [report] if report.__class__.__name__ == "TestSuite" else list(report)
    failed = [case.name for suite in suites for case in suite if any(one._tag == "failure" for one in case.result)]
    print(json.dumps({
        "tests": sum(suite.tests for suite in suites),
        "failures": sum(suite.failures for suite in suites),
        "cases": [case.name for suite in suites for case in suite],
        "failed": failed,
    }))
    return 0


if __name__ == "__main__":
    main()
