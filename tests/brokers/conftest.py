"""The brokers that the contract runs on, and what a test does to each of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from django_outbox.brokers.base import Message, Partition
from django_outbox.brokers.development import DevelopmentBroker
from django_outbox.brokers.kafka import KafkaBroker
from django_outbox.brokers.memory import MemoryBroker

from ..services import require

TOO_LARGE = b"x" * 1_100_000
# Short waits for tests; everything else is as users have it.
QUICK = {
    "topic.metadata.refresh.interval.ms": 300,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 200,
    "fetch.wait.max.ms": 10,
}


_PUBLISHERS: dict[str, Any] = {}


@dataclass
class Member:
    """A subscriber that notes its rebalances; starts at the beginning or where ``starts`` says."""

    starts: dict[Partition, int] = field(default_factory=dict)
    assigned: list[Partition] = field(default_factory=list)
    revoked: list[Partition] = field(default_factory=list)
    subscriber: Any = None

    def on_assign(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        self.assigned += partitions
        return {partition: self.starts[partition] for partition in partitions if partition in self.starts}

    def on_revoke(self, partitions: Sequence[Partition]) -> None:
        self.revoked += partitions

    def fetch_until(self, enough: Callable[[list[Message]], bool], seconds: float = 15) -> list[Message]:
        fetched: list[Message] = []
        end = time.monotonic() + seconds
        while not enough(fetched):
            assert time.monotonic() < end, f"waited {seconds} s with {len(fetched)} messages"
            fetched += self.subscriber.fetch(500, 0.1)
        return fetched

    def fetch_count(self, count: int, seconds: float = 15) -> list[Message]:
        return self.fetch_until(lambda fetched: len(fetched) >= count, seconds)


class Rig:
    """One broker under test."""

    address = ""

    def __init__(self, broker: Any) -> None:
        self.broker = broker
        self.members: list[Member] = []
        self.publishers: list[Any] = []

    def topic(self, partitions: int = 4) -> str:
        """The name of a new topic that exists."""
        raise NotImplementedError

    def topic_named(self, name: str, partitions: int = 4) -> str:
        raise NotImplementedError

    def down(self) -> None:
        raise NotImplementedError

    def up(self) -> None:
        raise NotImplementedError

    def member(self, topic: str, group: str = "", **arguments: Any) -> Member:
        member = Member(**arguments)
        member.subscriber = self.broker.subscriber(
            [topic], group or topic, on_assign=member.on_assign, on_revoke=member.on_revoke
        )
        self.members.append(member)
        return member

    def publisher(self) -> Any:
        publisher = self.broker.publisher()
        self.publishers.append(publisher)
        return publisher

    def lasting_publisher(self) -> Any:
        """One that other tests use too: a new idempotent producer takes half a second to begin."""
        if not self.address:
            return self.publisher()
        if self.address not in _PUBLISHERS:
            _PUBLISHERS[self.address] = self.publisher()
        return _PUBLISHERS[self.address]

    def publish(self, topic: str, *pairs: tuple[bytes | None, bytes | None]) -> None:
        publisher = self.lasting_publisher()
        deliveries = publisher.publish([Message(topic, key, value) for key, value in pairs], 10)
        assert all(delivery.acknowledged for delivery in deliveries), deliveries

    def broker_log(self, topic: str) -> list[Message]:
        """Everything that is in the topic now, read by a group of its own."""
        numbers = [Partition(topic, number) for number in self.broker.partitions(topic, 5)]
        count = sum(self.broker.watermarks(partition, 5)[1] for partition in numbers)
        return self.member(topic, f"{topic}.{uuid.uuid4().hex}").fetch_count(count)

    def close(self) -> None:
        for closable in [*[member.subscriber for member in self.members], *self.publishers]:
            if closable not in _PUBLISHERS.values():
                closable.close()


class MemoryRig(Rig):
    def __init__(self) -> None:
        super().__init__(MemoryBroker())
        self.broker.refuse(lambda message: message.value is not None and len(message.value) >= len(TOO_LARGE))

    def topic(self, partitions: int = 4) -> str:
        assert partitions == 4
        return f"memory.{uuid.uuid4().hex[:8]}"

    def down(self) -> None:
        self.broker.down()

    def up(self) -> None:
        self.broker.up()


class DevelopmentRig(Rig):
    def __init__(self, development: DevelopmentBroker) -> None:
        self.development = development
        self.address = development.bootstrap_servers
        options = {"bootstrap.servers": self.address, **QUICK}
        # A group that lost its last member is joined again after this time (less a second).
        super().__init__(KafkaBroker({**options, "session.timeout.ms": 1500, "heartbeat.interval.ms": 100}))

    def topic(self, partitions: int = 4) -> str:
        return self.topic_named(f"development.{uuid.uuid4().hex[:8]}", partitions)

    def topic_named(self, name: str, partitions: int = 4) -> str:
        self.development.create_topic(name, partitions)
        return name

    def down(self) -> None:
        self.development.down()

    def up(self) -> None:
        self.development.up()


class KafkaRig(Rig):
    def __init__(self, servers: str) -> None:
        self.address = servers
        self._admin = AdminClient({"bootstrap.servers": servers})
        # Members hear of a rebalance in their next heartbeat.
        super().__init__(KafkaBroker({"bootstrap.servers": servers, **QUICK, "heartbeat.interval.ms": 100}))

    def topic(self, partitions: int = 4) -> str:
        return self.topic_named(f"kafka.{uuid.uuid4().hex[:8]}", partitions)

    def topic_named(self, name: str, partitions: int = 4, **config: str) -> str:
        """``config`` are settings of the topic, with underscores for dots."""
        dotted = {setting.replace("_", "."): value for setting, value in config.items()}
        self._admin.create_topics([NewTopic(name, partitions, 1, config=dotted)])[name].result(10)
        return name


KAFKA = pytest.param("kafka", marks=pytest.mark.service)
KINDS = ["memory", "development", KAFKA]


@pytest.fixture(scope="session")
def development() -> Iterator[DevelopmentBroker]:
    with DevelopmentBroker(port=0) as broker:
        yield broker


def _rig(kind: str, request: pytest.FixtureRequest) -> Iterator[Rig]:
    rig: Rig
    if kind == "memory":
        rig = MemoryRig()
    elif kind == "development":
        rig = DevelopmentRig(request.getfixturevalue("development"))
    else:
        rig = KafkaRig(require("kafka"))
    yield rig
    rig.close()


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Every broker in turn."""
    yield from _rig(request.param, request)


@pytest.fixture(params=["development", KAFKA])
def kafka_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Every broker that speaks Kafka's protocol."""
    yield from _rig(request.param, request)


@pytest.fixture(params=["memory", "development"])
def switched_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Every broker that a test can take down; it is up again afterwards."""
    rigs = _rig(request.param, request)
    rig = next(rigs)
    yield rig
    rig.up()
    next(rigs, None)
