"""What a broker must do. Every broker passes the same contract suite (``tests/brokers``).

A *publisher* hands messages over and says of each what became of it. A *subscriber* fetches
messages of the partitions that its group gives it. Neither knows of events, tables or Django.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..exceptions import BrokerError

__all__ = [
    "Broker",
    "BrokerUnavailable",
    "Delivery",
    "Header",
    "Message",
    "OffsetOutOfRange",
    "Partition",
    "Publisher",
    "Subscriber",
    "Verdict",
]

Header = tuple[str, bytes | None]


class Partition(NamedTuple):
    """One partition of a topic. Sorts by topic, then number."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Message:
    """A record of a topic, as bytes. ``partition`` and ``offset`` are -1 until the broker gave them."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    partition: int = -1
    offset: int = -1
    timestamp_ms: int = -1

    @property
    def at(self) -> Partition:
        return Partition(self.topic, self.partition)


class Verdict(enum.Enum):
    """What became of one message.

    ``PERMANENT``: the broker will never take it (too large, invalid). A broker refuses whole
    batches, so in a batch of several this may blame an innocent: only ``publish([message])``, the
    message alone, is a judgement.
    ``TRANSIENT``: the broker refused it for now; it may be taken later.
    ``UNREPORTED``: the broker answers, but no report came in time; nobody is to blame.
    ``CONFIGURATION``: nothing will be taken until somebody changes something (authorisation,
    unknown topic, TLS, SASL); no message is to blame.
    ``UNAVAILABLE``: the broker did not answer at all; no message is to blame.
    """

    ACKNOWLEDGED = "acknowledged"
    PERMANENT = "permanent"
    TRANSIENT = "transient"
    UNREPORTED = "unreported"
    CONFIGURATION = "configuration"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The verdict on one message, with the broker's words where it was not taken."""

    verdict: Verdict
    error: str = ""

    @property
    def acknowledged(self) -> bool:
        return self.verdict is Verdict.ACKNOWLEDGED


class BrokerUnavailable(BrokerError):
    """No broker answered a question in the time that was given for it; asking again may help."""


class OffsetOutOfRange(BrokerError):
    """A partition has no message at the offset where its group goes on: retention removed it, or
    the log is another one. Seek to go on; nothing is skipped by itself.
    """

    def __init__(self, partition: Partition, offset: int, low: int, high: int) -> None:
        self.partition, self.offset, self.low, self.high = partition, offset, low, high
        super().__init__(
            f"{partition.topic}[{partition.number}] has no offset {offset}: the broker holds {low} up to"
            f" {high} (-1: unknown). Nothing is skipped by itself: `seek` decides where to go on;"
            " consume_events stops this partition alone and logs what an operator can do."
        )


class Publisher(Protocol):
    """Hands messages to the broker. Belongs to the process that made it; never shared over fork."""

    def publish(self, messages: Sequence[Message], deadline_seconds: float) -> list[Delivery]:
        """Send all messages and wait; one ``Delivery`` for each, in their order.

        Messages of one key are appended in the order given. Blocks up to ``deadline_seconds``.
        When it returns, nothing of the batch is queued any more: what has no report by then is
        purged and comes back as ``UNREPORTED`` (or ``UNAVAILABLE`` when no broker answered). After
        a refusal before sending, later messages of that key in the batch are not sent either and
        come back as ``TRANSIENT``; a refusal by the broker comes too late for that.
        Never raises for a message; raises ``BrokerError`` when the options are unusable.
        """

    def close(self) -> None: ...


class Subscriber(Protocol):
    """Fetches messages as one member of a consumer group."""

    def fetch(self, limit: int, timeout_seconds: float) -> list[Message]:
        """Up to ``limit`` messages; empty after ``timeout_seconds`` without any.

        Returns as soon as the first message is there, with what lies fetched behind it. Runs the
        callbacks of a rebalance. An absent broker or topic is no error: it is logged once, by
        name, and waited for. Raises ``BrokerError`` when waiting is of no use, ``OffsetOutOfRange``
        once per partition (after ``seek`` it goes on), and what ``on_assign`` or ``on_revoke``
        raised; after that the subscriber is to be closed.
        """

    def seek(self, partition: Partition, offset: int) -> None:
        """Go on at ``offset``; messages of the partition that lie fetched are forgotten."""

    def pause(self, partitions: Iterable[Partition]) -> None: ...

    def resume(self, partitions: Iterable[Partition]) -> None: ...

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the group's next offsets, for lag tools. A commit that a rebalance overtook is dropped."""

    def assignment(self) -> frozenset[Partition]: ...

    def close(self) -> None:
        """Leave the group at once, so that others take over without waiting for a time-out."""


class Broker(Protocol):
    """One cluster. Questions raise ``BrokerUnavailable`` when no answer comes in time."""

    def publisher(self, stopping: Callable[[], bool] = lambda: False) -> Publisher:
        """Once ``stopping()`` is true, ``publish`` waits a second or two for reports, and no longer."""

    def subscriber(
        self,
        topics: Sequence[str],
        group: str,
        *,
        on_assign: Callable[[Sequence[Partition]], Mapping[Partition, int]],
        on_revoke: Callable[[Sequence[Partition]], None],
    ) -> Subscriber:
        """Join ``group``. ``on_assign`` gives the offset at which each new partition starts; a
        partition that it leaves out starts at its earliest message. ``on_revoke`` hears of
        partitions that were taken away or lost, also by ``close``. Both run inside ``fetch`` or
        ``close``, in the caller's thread.
        """

    def cluster_id(self, timeout_seconds: float) -> str | None:
        """The identity of the cluster; None when it does not answer in time."""

    def topic_ids(self, topics: Sequence[str], timeout_seconds: float) -> dict[str, str | None]:
        """The identity of each topic that exists; None as value where the broker has none."""

    def watermarks(self, partition: Partition, timeout_seconds: float) -> tuple[int, int]:
        """The earliest offset that is there and the next offset to be written."""

    def partitions(self, topic: str, timeout_seconds: float) -> tuple[int, ...]:
        """The numbers of the topic's partitions; empty where there is no such topic."""
