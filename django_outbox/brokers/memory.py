"""A broker inside one process, for unit tests. Its partitions agree with Kafka's."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Condition
from uuid import uuid4

from ..exceptions import BrokerError
from .absences import Absences
from .base import BrokerUnavailable, Delivery, Message, OffsetOutOfRange, Partition, Verdict

__all__ = ["MemoryBroker", "murmur2"]

_ACKNOWLEDGED = Delivery(Verdict.ACKNOWLEDGED)
_NAME = "The memory broker"


def murmur2(key: bytes) -> int:
    """The hash by which Kafka's Java clients choose a partition (32 bits, unsigned)."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(key)) & mask
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


@dataclass
class _Log:
    """One partition: its messages from offset ``low`` on."""

    low: int = 0
    messages: list[Message] = field(default_factory=list)

    @property
    def high(self) -> int:
        return self.low + len(self.messages)


@dataclass
class _Topic:
    logs: list[_Log]
    topic_id: str = field(default_factory=lambda: uuid4().hex)
    written: list[Message] = field(default_factory=list)


@dataclass
class _Group:
    members: list[MemorySubscriber] = field(default_factory=list)
    owners: dict[Partition, MemorySubscriber] = field(default_factory=dict)
    committed: dict[Partition, int] = field(default_factory=dict)


class MemoryBroker:
    """Topics appear when first named. Safe to use from several threads."""

    def __init__(self, partitions: int = 4) -> None:
        self._partitions = partitions
        self._changed = Condition()
        self._topics: dict[str, _Topic] = {}
        self._groups: dict[str, _Group] = {}
        self._refusals: list[tuple[Callable[[Message], bool], Delivery]] = []
        self._is_down = False
        self._turns = itertools.count()
        self._cluster_id = uuid4().hex

    # What a test does to the broker

    def down(self) -> None:
        """From now on nothing is answered; the log stays."""
        with self._changed:
            self._is_down = True

    def up(self) -> None:
        with self._changed:
            self._is_down = False
            self._changed.notify_all()

    def refuse(
        self,
        predicate: Callable[[Message], bool],
        verdict: Verdict = Verdict.PERMANENT,
        error: str = "refused",
    ) -> None:
        """Give ``verdict`` to each message that fits; until ``accept_all``."""
        with self._changed:
            self._refusals.append((predicate, Delivery(verdict, error)))

    def accept_all(self) -> None:
        with self._changed:
            self._refusals.clear()

    def messages(self, topic: str) -> list[Message]:
        """Everything that was ever written to ``topic``, in the order of writing."""
        with self._changed:
            return list(self._topic(topic).written)

    def committed(self, group: str) -> dict[Partition, int]:
        with self._changed:
            return dict(self._group(group).committed)

    def delete_records(self, partition: Partition, before: int) -> None:
        """Remove what lies before offset ``before``, as retention does."""
        with self._changed:
            log = self._log(partition)
            removed = min(max(before, log.low), log.high) - log.low
            log.messages = log.messages[removed:]
            log.low += removed

    # What every broker does

    def publisher(self, stopping: Callable[[], bool] = lambda: False) -> MemoryPublisher:
        return MemoryPublisher(self)

    def subscriber(
        self,
        topics: Sequence[str],
        group: str,
        *,
        on_assign: Callable[[Sequence[Partition]], Mapping[Partition, int]],
        on_revoke: Callable[[Sequence[Partition]], None],
    ) -> MemorySubscriber:
        with self._changed:
            subscriber = MemorySubscriber(self, tuple(topics), group, on_assign, on_revoke)
            self._group(group).members.append(subscriber)
            self._changed.notify_all()
        return subscriber

    def cluster_id(self, timeout_seconds: float) -> str | None:
        return None if self._is_down else self._cluster_id

    def topic_ids(self, topics: Sequence[str], timeout_seconds: float) -> dict[str, str | None]:
        with self._answering():
            return {name: self._topics[name].topic_id for name in topics if name in self._topics}

    def watermarks(self, partition: Partition, timeout_seconds: float) -> tuple[int, int]:
        with self._answering():
            log = self._log(partition)
            return log.low, log.high

    def partitions(self, topic: str, timeout_seconds: float) -> tuple[int, ...]:
        with self._answering():
            known = self._topics.get(topic)
            return tuple(range(len(known.logs))) if known else ()

    # For the publisher and the subscriber, under the lock

    def _answering(self) -> Condition:
        if self._is_down:
            raise BrokerUnavailable(f"{_NAME} is down.")
        return self._changed

    def _topic(self, name: str) -> _Topic:
        return self._topics.setdefault(name, _Topic([_Log() for _ in range(self._partitions)]))

    def _log(self, partition: Partition) -> _Log:
        logs = self._topic(partition.topic).logs
        if not 0 <= partition.number < len(logs):
            raise BrokerError(f"There is no partition {partition.topic}[{partition.number}].")
        return logs[partition.number]

    def _group(self, name: str) -> _Group:
        return self._groups.setdefault(name, _Group())

    def _take(self, message: Message) -> Delivery:
        for predicate, delivery in self._refusals:
            if predicate(message):
                return delivery
        topic = self._topic(message.topic)
        hashed = next(self._turns) if message.key is None else murmur2(message.key) & 0x7FFFFFFF
        number = hashed % len(topic.logs)
        log = topic.logs[number]
        written = replace(
            message, partition=number, offset=log.high, timestamp_ms=time.time_ns() // 1_000_000
        )
        log.messages.append(written)
        topic.written.append(written)
        return _ACKNOWLEDGED


class MemoryPublisher:
    """Answers at once, also while the broker is down."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def publish(self, messages: Sequence[Message], deadline_seconds: float) -> list[Delivery]:
        broker, stopped = self._broker, set()
        deliveries = []
        with broker._changed:
            if broker._is_down:
                return [Delivery(Verdict.UNAVAILABLE, f"{_NAME} is down.")] * len(messages)
            for message in messages:
                lane = (message.topic, message.key)
                if lane in stopped:
                    words = "not sent: an earlier message of its key was refused"
                    deliveries.append(Delivery(Verdict.TRANSIENT, words))
                    continue
                delivery = broker._take(message)
                deliveries.append(delivery)
                if not delivery.acknowledged and message.key is not None:
                    stopped.add(lane)
            broker._changed.notify_all()
        return deliveries

    def close(self) -> None:
        """There is nothing to close."""


class MemorySubscriber:
    """A member of a group; takes and gives up partitions in its own ``fetch``, as Kafka's do."""

    def __init__(
        self,
        broker: MemoryBroker,
        topics: Sequence[str],
        group: str,
        on_assign: Callable[[Sequence[Partition]], Mapping[Partition, int]],
        on_revoke: Callable[[Sequence[Partition]], None],
    ) -> None:
        self._broker, self._topics, self._group_name = broker, topics, group
        self._on_assign, self._on_revoke = on_assign, on_revoke
        self._next: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._told: set[Partition] = set()
        self._absences = Absences()
        self._closed = False

    def fetch(self, limit: int, timeout_seconds: float) -> list[Message]:
        end = time.monotonic() + timeout_seconds
        while True:
            self._rebalance()
            with self._broker._changed:
                messages = self._available(limit)
                remaining = end - time.monotonic()
                if messages or remaining <= 0:
                    return messages
                if not self._rebalance_due():
                    self._broker._changed.wait(remaining)

    def seek(self, partition: Partition, offset: int) -> None:
        self._next[partition] = offset
        self._told.discard(partition)

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused |= self._next.keys() & set(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused -= set(partitions)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        with self._broker._changed:
            owned = {partition: offsets[partition] for partition in offsets if partition in self._next}
            self._group().committed.update(owned)

    def assignment(self) -> frozenset[Partition]:
        return frozenset(self._next)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._next:
                self._on_revoke(sorted(self._next))
        finally:
            with self._broker._changed:
                group = self._group()
                group.members.remove(self)
                self._give_up([one for one, owner in group.owners.items() if owner is self])

    def _group(self) -> _Group:
        return self._broker._group(self._group_name)

    def _available(self, limit: int) -> list[Message]:
        if self._closed:
            raise BrokerError("This subscriber is closed; make a new one.")
        if self._broker._is_down:
            self._absences.missed(_NAME, "down")
            return []
        self._absences.back(_NAME)
        found: list[Message] = []
        for partition in sorted(self._next.keys() - self._paused - self._told):
            log, start = self._broker._log(partition), self._next[partition]
            if not log.low <= start <= log.high:
                if found:
                    break
                self._told.add(partition)
                raise OffsetOutOfRange(partition, start, log.low, log.high)
            taken = log.messages[start - log.low :][: limit - len(found)]
            self._next[partition] += len(taken)
            found += taken
        return found

    def _share(self) -> set[Partition]:
        """What this member is to own: the topics' partitions dealt out among the members in turn."""
        group = self._group()
        share = set()
        for topic in self._topics:
            members = [member for member in group.members if topic in member._topics]
            for number in range(len(self._broker._topic(topic).logs)):
                if members[number % len(members)] is self:
                    share.add(Partition(topic, number))
        return share

    def _rebalance_due(self) -> bool:
        share, owners = self._share(), self._group().owners
        free = {partition for partition in share if partition not in owners}
        return bool(free or self._next.keys() - share)

    def _rebalance(self) -> None:
        with self._broker._changed:
            if self._closed or self._broker._is_down:
                return
            share, owners = self._share(), self._group().owners
            lost = sorted(self._next.keys() - share)
            gained = sorted(partition for partition in share if partition not in owners)
            owners.update(dict.fromkeys(gained, self))
        # The callbacks may use a database; the lock is not held meanwhile.
        if lost:
            self._on_revoke(lost)
            with self._broker._changed:
                self._give_up(lost)
        if gained:
            starts = self._on_assign(gained)
            with self._broker._changed:
                for partition in gained:
                    self._next[partition] = starts.get(partition, self._broker._log(partition).low)

    def _give_up(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            self._next.pop(partition, None)
            self._paused.discard(partition)
            self._told.discard(partition)
            self._group().owners.pop(partition, None)
        self._broker._changed.notify_all()
