"""Appends one record under each key with a stock producer, and prints where the broker put it.

usage: partitions.py HOST:PORT TOPIC KEY...   prints {"key": partition, ...}
"""

import json
import sys

from confluent_kafka import Producer


def main(kafka, topic, *keys):
    placed, failed = {}, []

    def delivered(error, message):
        if error is not None:
            failed.append(str(error))
        else:
            placed[message.key().decode()] = message.partition()

    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "acks": "all"})
    for key in keys:
        producer.produce(topic, key=key.encode(), value=b"not ours", on_delivery=delivered)
    unanswered = producer.flush(30)
    if failed or unanswered:
        sys.exit(f"{unanswered} unanswered, failed: {failed}")
    print(json.dumps(placed))


main(*sys.argv[1:])
