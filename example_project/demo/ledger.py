"""Reads what happened, past all our own code: the databases by SQL, the topics by confluent-kafka."""

from __future__ import annotations

import sqlite3
import sys
import time
import urllib.parse
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from .terminal import DemoFailed

__all__ = ["Entry", "entries", "handled_faults", "query", "read_messages", "read_topics", "topic_faults"]

ANSWER_SECONDS = 10
SHOWN = 3


class Entry(NamedTuple):
    """One event, as a table or a topic has it."""

    topic: str
    key: str
    sequence: int
    event_id: str

    @property
    def place(self) -> str:
        return f"{self.topic} key {self.key} #{self.sequence}"


def query(database_url: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of ``sql`` in the database of a service, read only; UUIDs as text."""
    url = urllib.parse.urlsplit(database_url)
    if url.scheme == "sqlite":
        path = urllib.parse.unquote(url.path.removeprefix("/"))
        connection = sqlite3.connect(f"file:{urllib.parse.quote(path)}?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
    import psycopg

    with psycopg.connect(database_url) as session:
        session.read_only = True
        return session.execute(sql.encode()).fetchall()


def entries(rows: Iterable[Sequence[Any]]) -> list[Entry]:
    """Rows of topic, key, sequence and event id."""
    return [Entry(topic, key, int(number), str(uuid.UUID(str(id_)))) for topic, key, number, id_ in rows]


def read_topics(bootstrap: str, topics: Sequence[str]) -> list[Entry]:
    """Every event of ``topics`` from the first to the last one, per partition in the topic's order."""
    return [_entry(message) for message in read_messages(bootstrap, topics)]


def read_messages(bootstrap: str, topics: Sequence[str]) -> list[Message]:
    """Every message of ``topics``, as confluent-kafka gives it."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "demo-auditor", "enable.auto.commit": False}
    )
    try:
        ends = _ends(consumer, topics)
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in ends])
        found: list[Message] = []
        deadline = time.monotonic() + ANSWER_SECONDS
        while ends:
            if time.monotonic() > deadline:
                raise DemoFailed(f"These partitions could not be read to their end: {ends}.")
            for message in consumer.consume(1000, 0.1):
                if error := message.error():
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise DemoFailed(f"The topics cannot be read: {error}.")
                    continue
                found.append(message)
            for at in consumer.position(consumer.assignment()):
                if at.offset >= ends.get((at.topic, at.partition), sys.maxsize):
                    del ends[at.topic, at.partition]
        return found
    finally:
        consumer.close()


def _ends(consumer: Consumer, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    known = consumer.list_topics(timeout=ANSWER_SECONDS).topics
    if absent := [topic for topic in topics if topic not in known]:
        raise DemoFailed(f"The broker has no topic {' or '.join(absent)}; it has {', '.join(known)}.")
    ends = {}
    for topic in topics:
        for number in known[topic].partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_SECONDS)
            if end > 0:
                ends[topic, number] = end
    return ends


def _entry(message: Any) -> Entry:
    headers = dict(message.headers() or [])
    return Entry(
        message.topic(), message.key().decode(), int(headers["ce_sequence"]), headers["ce_id"].decode()
    )


def topic_faults(published: Sequence[Entry], recorded: Sequence[Entry]) -> list[str]:
    """What is wrong with the topics: holes, wrong order, losses. Repeats are allowed, and no fault."""
    faults = []
    last: dict[tuple[str, str], int] = defaultdict(int)
    for entry in published:
        key = (entry.topic, entry.key)
        if entry.sequence == last[key] + 1:
            last[key] = entry.sequence
        elif entry.sequence > last[key]:
            faults.append(f"{entry.place} comes after #{last[key]}")
            last[key] = entry.sequence
    return _few(faults + [f"{e.place} is not in the topic" for e in sorted({*recorded} - {*published})])


def handled_faults(handled: Sequence[Entry], recorded: Sequence[Entry]) -> list[str]:
    """What is wrong with a history: something twice, missing, out of order, or never recorded."""
    faults = [f"{e.place} was handled {n} times" for e, n in Counter(handled).items() if n > 1]
    faults += [f"{e.place} was never handled" for e in sorted({*recorded} - {*handled})]
    faults += [f"{e.place} was handled and never recorded" for e in sorted({*handled} - {*recorded})]
    last: dict[tuple[str, str], int] = defaultdict(int)
    for entry in handled:
        key = (entry.topic, entry.key)
        if entry.sequence < last[key]:
            faults.append(f"{entry.place} was handled after #{last[key]}")
        last[key] = entry.sequence
    return _few(faults)


def _few(faults: list[str]) -> list[str]:
    more = len(faults) - SHOWN
    return faults if more <= 0 else [*faults[:SHOWN], f"and {more} more like these"]
