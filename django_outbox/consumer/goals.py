"""Where a consumer that runs once ends, and what it leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence

from ..brokers.base import Broker, Partition
from .failures import last_line
from .models import ConsumerKey
from .positions import Positions
from .queues import queue_of

__all__ = ["Goals"]

_ANSWER_SECONDS = 10.0
_QUIET_SECONDS = 5.0  # after it a partition is at its end, whatever its offsets say
_MOST_LINES = 20


class Goals:
    """The ends that the topics have now. Asks the broker; raises ``BrokerUnavailable``."""

    def __init__(
        self, broker: Broker, positions: Positions, topics: Sequence[str], say: Callable[[str], None]
    ) -> None:
        self.positions, self.say = positions, say
        self.reached = False
        self._ends: dict[Partition, int] = {}
        self._joined = self._expects_partitions = False
        self._busy_at = time.monotonic()
        for topic in topics:
            numbers = broker.partitions(topic, _ANSWER_SECONDS)
            if not numbers:
                say(f"Topic {topic} does not exist yet; there is nothing to consume from it.")
            self._expects_partitions |= bool(numbers)
            for partition in (Partition(topic, number) for number in numbers):
                low, high = broker.watermarks(partition, _ANSWER_SECONDS)
                if high > low:
                    self._ends[partition] = high

    @property
    def at_the_end(self) -> bool:
        """Whether nothing is to be fetched any more; what is due may still be to do."""
        return self._joined and not self._ends

    def look(self, usable: Collection[Partition], stopped: Collection[Partition], *, busy: bool) -> None:
        """After a round: is everything there, and nothing due that was handled just now?"""
        if busy:
            self._busy_at = time.monotonic()
        quiet = time.monotonic() - self._busy_at > _QUIET_SECONDS
        others = [p for p in self._ends if p not in usable and p not in stopped]
        elsewhere = {} if busy else self.positions.read(others)
        for partition, end in list(self._ends.items()):
            row = elsewhere.get(partition)
            at = row.next_offset if row else self.positions.seen.get(partition, -1)
            # Compaction and transactions leave offsets at the end that hold no message.
            if at >= end or partition in stopped or (quiet and partition in usable):
                del self._ends[partition]
        self._joined = self._joined or bool(usable or stopped) or quiet or not self._expects_partitions
        self.reached = self._joined and not self._ends and not busy

    def held_back(self, group: str, stopped: Iterable[str]) -> int:
        """Say what is parked or stopped; 1 when something is, else 0."""
        using = self.positions.using
        lines = list(stopped)
        if self._ends:
            left = ", ".join(f"{p.topic}/{p.number}" for p in self._ends)
            lines.append(f"Stopped before the end of {left}.")
        keys = ConsumerKey.objects.using(using).filter(group=group, parked=True).order_by("topic", "key")
        for key in keys[:_MOST_LINES]:
            head = queue_of(key, using).first()
            reason = last_line(head.error) if head else ""
            lines.append(f"Parked: {key.topic} {key.key} ({head.state if head else 'empty'}): {reason}")
        more = keys.count() - _MOST_LINES
        if more > 0:
            lines.append(f"... and {more} more parked keys.")
        for line in lines:
            self.say(line)
        return 1 if lines else 0
