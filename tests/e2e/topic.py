"""The topics as any other client sees them: confluent-kafka and nothing of ours."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence

from confluent_kafka import Message, Producer

from example_project.demo.ledger import Entry, read_messages

__all__ = ["PRODUCTS", "events", "of_key", "produce", "repeat", "shape_faults"]

PRODUCTS = "shop.product"
ACKNOWLEDGED_SECONDS = 20

Headers = list[tuple[str, bytes]]


def of_key(bootstrap: str, keys: Collection[str]) -> list[Message]:
    """The messages of these products that are in the topic now, in its order."""
    wanted = {key.encode() for key in keys}
    return [message for message in read_messages(bootstrap, [PRODUCTS]) if message.key() in wanted]


def events(messages: Iterable[Message]) -> list[Entry]:
    """What the headers say of each."""
    found = []
    for message in messages:
        headers = dict(message.headers() or [])
        sequence, event_id = int(headers["ce_sequence"]), str(uuid.UUID(headers["ce_id"].decode()))
        found.append(Entry(str(message.topic()), (message.key() or b"").decode(), sequence, event_id))
    return found


def shape_faults(messages: Sequence[Message]) -> list[str]:
    """Keys that lie in two partitions, and numbers that two events have."""
    partitions = {(message.key(), message.partition()) for message in messages}
    keys = [key for key, _ in partitions]
    numbers = [(entry.key, entry.sequence) for entry in set(events(messages))]
    return [f"{key!r} is in two partitions" for key in set(keys) if keys.count(key) > 1] + [
        f"{number} is that of two events" for number in set(numbers) if numbers.count(number) > 1
    ]


def produce(bootstrap: str, key: str, value: bytes, headers: Headers | None = None) -> None:
    """Append one message to the products' topic and wait until the broker has it."""
    _append(bootstrap, [(key.encode(), value, headers or [])])


def repeat(bootstrap: str, messages: Iterable[Message]) -> None:
    """Append messages once more, byte for byte, as a relay does that died before it could mark them."""
    _append(bootstrap, [(m.key() or b"", m.value() or b"", list(m.headers() or [])) for m in messages])


def _append(bootstrap: str, records: Iterable[tuple[bytes, bytes, Headers]]) -> None:
    # The partitioner of JVM clients: keys of UUIDs lie where the relay put them.
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "acks": "all"})
    failures = []
    for key, value, headers in records:
        producer.produce(
            PRODUCTS,
            key=key,
            value=value,
            headers=headers,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    left = producer.flush(ACKNOWLEDGED_SECONDS)
    assert not left and not failures, failures
