"""The consumer's loop: fetch, deliver, tell the broker, try parked keys again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from django.db import Error, close_old_connections, connections

from ..brokers.base import Broker, BrokerUnavailable, Message, OffsetOutOfRange, Partition, Subscriber
from ..conf import get_settings
from .clusters import HOW_TO_DECIDE, Clusters
from .deliver import Delivery
from .failures import Interrupted, Overtaken, backoff_seconds, is_trouble
from .goals import Goals
from .groups import alias_of
from .handlers import registry
from .keys import log
from .positions import Positions
from .retries import Retries

__all__ = ["ConsumerWorker", "Stop"]

Stop = Callable[[], bool] | threading.Event
_IDLE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_ANSWER_SECONDS = 1.5


class ConsumerWorker:
    """One member of ``group``. ``say`` takes the lines that a person at the terminal should see."""

    def __init__(
        self, group: str, broker: Broker, using: str | None = None, say: Callable[[str], None] = print
    ) -> None:
        self.group, self.broker, self.say = group, broker, say
        self.using = using or alias_of(group)
        self.topics = registry.topics(group)
        self.positions = Positions(group, self.using)
        self.clusters = Clusters(broker, self.positions)
        self.delivery = Delivery(group, self.using, self.positions, self._enough)
        self.retries = Retries(group, self.using, self.positions, self._end_of)
        self.stopped: dict[Partition, str] = {}
        self.patience_seconds = 25.0  # for the first answer of a broker, with ``once``
        self._stop: Callable[[], bool] = lambda: False
        self._batch_began = 0.0
        self._unchecked: set[Partition] = set()
        self._astray = False  # whether the subscriber must be sent to the positions
        self._must_rejoin = False
        self._troubles = 0

    def run(self, stop: Stop, once: bool = False) -> int:
        """Consume until ``stop``, or with ``once`` up to where the topics end now; gives the exit code.

        With ``once``: 0, or 1 when keys are parked, partitions stopped, or no broker answered, and says so.
        """
        self._stop = stop.is_set if isinstance(stop, threading.Event) else stop
        if not self._wait_for_broker(self.patience_seconds if once else None):
            return 1 if once else 0
        goals = Goals(self.broker, self.positions, self.topics, self.say) if once else None
        while not self._done(goals):
            subscriber = self.broker.subscriber(
                self.topics, self.group, on_assign=self._assigned, on_revoke=self._revoked
            )
            try:
                self._consume(subscriber, goals)
            finally:
                self._close(subscriber)
        return goals.held_back(self.group, self.stopped.values()) if goals else 0

    def _consume(self, subscriber: Subscriber, goals: Goals | None) -> None:
        self._must_rejoin = False
        while not (self._done(goals) or self._must_rejoin):
            try:
                busy = self._turn(subscriber, 0.05 if goals and goals.at_the_end else _IDLE_SECONDS)
                self._troubles = 0
                if goals:
                    goals.look(subscriber.assignment() - self.stopped.keys(), self.stopped, busy=busy)
            except Overtaken as error:
                log.info("%s: %s; going on from there", self.group, error)
                self._astray = True
            except OffsetOutOfRange as error:
                self._out_of_range(subscriber, error)
            except (BrokerUnavailable, Interrupted, Error) as error:
                self._pause_for(error)
            close_old_connections()

    def _turn(self, subscriber: Subscriber, idle_seconds: float) -> bool:
        """One round, which waits up to ``idle_seconds`` for messages; whether anything was handled."""
        if self._astray:
            self._go_to_positions(subscriber)
        messages = subscriber.fetch(get_settings().consume_batch_events, idle_seconds)
        restarted = self._check_new(subscriber)
        usable = subscriber.assignment() - self.stopped.keys()
        messages = [message for message in messages if message.at in usable and message.at not in restarted]
        if messages:
            self._deliver(subscriber, messages)
        handled = 0 if self._stop() else self.retries.run(usable)
        return bool(messages or handled or restarted)

    def _deliver(self, subscriber: Subscriber, messages: Sequence[Message]) -> None:
        self._astray = True  # until it is known that all of them are handled
        self._batch_began = time.monotonic()
        offsets = self.delivery.deliver(messages)
        seen = self.positions.seen
        for partition in {message.at for message in messages if message.offset >= seen[message.at]}:
            subscriber.seek(partition, seen[partition])  # the time was up: fetched again
        self._astray = False
        if offsets:
            subscriber.commit(offsets)

    def _enough(self) -> bool:
        spent = time.monotonic() - self._batch_began
        return self._stop() or spent > get_settings().consume_batch_seconds

    def _assigned(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        try:
            rows = self.positions.load(partitions)
        except Error:
            self._must_rejoin = True  # the subscriber hands the error on, and is then of no use
            raise
        self._unchecked |= set(partitions)
        for partition in partitions:
            self.stopped.pop(partition, None)
        log.info("%s: was given %s", self.group, _names(partitions))
        return {partition: row.next_offset for partition, row in rows.items()}

    def _revoked(self, partitions: Sequence[Partition]) -> None:
        self._unchecked -= set(partitions)
        self.positions.forget(partitions)
        for partition in partitions:
            self.stopped.pop(partition, None)
        log.info("%s: gave up %s", self.group, _names(partitions))

    def _check_new(self, subscriber: Subscriber) -> Collection[Partition]:
        """Before the first message of a partition is handled: is its log the one that was read so far?"""
        if not self._unchecked:
            return ()
        self._astray = True
        restarted, stopped = self.clusters.check(self._unchecked)
        for partition, offset in restarted.items():
            subscriber.seek(partition, offset)
        for partition, reason in stopped.items():
            self._stop_partition(subscriber, partition, reason)
        self._unchecked.clear()
        self._astray = False
        return restarted

    def _stop_partition(self, subscriber: Subscriber, partition: Partition, reason: str) -> None:
        subscriber.pause([partition])
        self.stopped[partition] = reason
        log.error("%s: stopped reading %s/%s. %s", self.group, partition.topic, partition.number, reason)

    def _out_of_range(self, subscriber: Subscriber, error: OffsetOutOfRange) -> None:
        if self._unchecked:
            try:
                restarted = self._check_new(subscriber)
            except (BrokerUnavailable, Error) as trouble:
                self._pause_for(trouble)
                return
            if error.partition in restarted or error.partition in self.stopped:
                return
        seen = self.positions.seen.get(error.partition)
        if seen is not None and error.offset not in (seen, -1):
            subscriber.seek(error.partition, seen)  # said of a place that was left since
            return
        reason = (
            f"Group {self.group} goes on at offset {error.offset}; the broker holds {error.low} up to "
            f"{error.high}. What lies between is gone: nothing is skipped by itself. {HOW_TO_DECIDE}"
        )
        self._stop_partition(subscriber, error.partition, reason)

    def _go_to_positions(self, subscriber: Subscriber) -> None:
        """Load the positions anew, and fetch from there."""
        assigned = subscriber.assignment() - self.stopped.keys()
        rows = self.positions.load(assigned)
        for partition in assigned:
            row = rows.get(partition)
            subscriber.seek(partition, row.next_offset if row else self.clusters.earliest(partition))
        self._astray = False

    def _pause_for(self, error: Exception) -> None:
        """Wait after trouble that passes by itself; whatever else is raised on."""
        if not (isinstance(error, BrokerUnavailable) or is_trouble(error, self.using)):
            raise error
        self._astray = True
        self._troubles += 1
        seconds = backoff_seconds(self._troubles, _LONGEST_PAUSE_SECONDS)
        log.warning("%s: trying again in %.1f s, nothing was parked: %s", self.group, seconds, error)
        connections[self.using].close_if_unusable_or_obsolete()
        self._sleep(seconds)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stop() and (left := end - time.monotonic()) > 0:
            time.sleep(min(0.1, left))

    def _wait_for_broker(self, seconds: float | None) -> bool:
        """Wait until a broker answers, for ever or ``seconds``; says once that it waits."""
        began = time.monotonic()
        told = False
        while not self._stop():
            if self.broker.cluster_id(_ANSWER_SECONDS) is not None:
                return True
            if seconds is not None and time.monotonic() - began > seconds:
                self.say(f"No broker answered within {seconds:g} s; nothing was consumed.")
                return False
            if not told:
                self.say("No broker answers; waiting for it.")
                told = True
            self._sleep(0.5)
        return False

    def _done(self, goals: Goals | None) -> bool:
        return self._stop() or (goals is not None and goals.reached)

    def _end_of(self, partition: Partition) -> int | None:
        try:
            return self.broker.watermarks(partition, _ANSWER_SECONDS)[1]
        except BrokerUnavailable:
            return None

    def _close(self, subscriber: Subscriber) -> None:
        stopped = dict(self.stopped)
        subscriber.close()
        self.stopped.update(stopped)


def _names(partitions: Collection[Partition]) -> str:
    return ", ".join(f"{partition.topic}/{partition.number}" for partition in sorted(partitions))
