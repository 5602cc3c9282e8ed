"""Fetches messages from Kafka."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as RawMessage

from ...exceptions import BrokerError
from ..absences import Absences, logger
from ..base import Message, OffsetOutOfRange, Partition, Verdict
from .handles import SLICE_SECONDS, HandleOwner, new_handle, slice_seconds
from .options import client_options
from .verdicts import verdict

__all__ = ["KafkaSubscriber"]

_DROPPED_COMMITS = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._NO_OFFSET,
}


class KafkaSubscriber(HandleOwner):
    """A member of a group, with cooperative rebalances and offsets that only the caller decides."""

    def __init__(
        self,
        options: Mapping[str, Any],
        topics: Sequence[str],
        group: str,
        on_assign: Callable[[Sequence[Partition]], Mapping[Partition, int]],
        on_revoke: Callable[[Sequence[Partition]], None],
    ) -> None:
        super().__init__()
        self._on_assign, self._on_revoke = on_assign, on_revoke
        self._assigned: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._joined = False
        self._failures: list[Exception] = []
        self._absences = Absences()
        self._next_look = 0.0
        made = client_options("consumer", options)
        self._brokers = f"Kafka at {made.get('bootstrap.servers') or made.get('metadata.broker.list')}"
        self._handle = new_handle(
            "consumer",
            {
                **made,
                "group.id": group,
                "error_cb": partial(self._note, made.get("error_cb")),
                "on_commit": _committed,
            },
        )
        self._handle.subscribe(list(topics), on_assign=self._assign, on_revoke=self._revoke)

    def fetch(self, limit: int, timeout_seconds: float) -> list[Message]:
        end = time.monotonic() + timeout_seconds
        while True:
            self._raise_failure()
            raw = self._member().poll(slice_seconds(end))
            fetched = [] if raw is None else [raw]
            if fetched and limit > 1:
                fetched += self._handle.consume(limit - 1, 0)
            messages = self._usable(fetched)
            if messages:
                return messages
            self._raise_failure()
            self._look_for_brokers()
            if time.monotonic() >= end:
                return []

    def seek(self, partition: Partition, offset: int) -> None:
        target = [TopicPartition(partition.topic, partition.number, offset)]
        try:
            self._member().seek(target[0])
        except KafkaException:
            # After an offset out of range there is nothing that could seek: start the partition anew.
            self._handle.incremental_unassign(target)
            self._handle.incremental_assign(target)
            if partition in self._paused:
                self._handle.pause(target)

    def pause(self, partitions: Iterable[Partition]) -> None:
        chosen = self._assigned.intersection(partitions)
        self._paused |= chosen
        self._member().pause(_targets(chosen))

    def resume(self, partitions: Iterable[Partition]) -> None:
        chosen = self._assigned.intersection(partitions)
        self._paused -= chosen
        self._member().resume(_targets(chosen))

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        owned = [TopicPartition(p.topic, p.number, offsets[p]) for p in offsets if p in self._assigned]
        if owned:
            try:
                self._member().commit(offsets=owned, asynchronous=True)
            except KafkaException as error:
                _committed(error.args[0], owned)

    def assignment(self) -> frozenset[Partition]:
        return frozenset(self._assigned)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None
            self._raise_failure()

    def _member(self) -> Any:
        if self._handle is None:
            raise BrokerError("This subscriber is closed, or belongs to a parent process; make a new one.")
        return self._handle

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures.pop(0)

    def _usable(self, fetched: Sequence[RawMessage]) -> list[Message]:
        messages = []
        for raw in fetched:
            error = raw.error()
            if error is not None:
                self._fail(raw, error)
            else:
                messages.append(_message(raw))
        if messages and self._brokers in self._absences:
            self._absences.back(self._brokers)
        # A rebalance inside the fetch may have taken partitions whose messages were already here.
        return [message for message in messages if message.at in self._assigned]

    def _fail(self, raw: RawMessage, error: KafkaError) -> None:
        topic, code = raw.topic() or "", error.code()
        if code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            self._failures.append(self._out_of_range(raw))
        elif code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
            self._absences.missed(f"Topic {topic}", error.str())
        elif error.fatal() or verdict(error.name()) is Verdict.CONFIGURATION:
            words = f"{self._brokers} refuses the group or topic {topic!r}: {error.str()}"
            self._failures.append(BrokerError(words))
        else:
            logger.info("%s: %s", self._brokers, error.str())

    def _out_of_range(self, raw: RawMessage) -> Exception:
        partition = Partition(raw.topic() or "", raw.partition() or 0)
        try:
            low, high = self._handle.get_watermark_offsets(_targets([partition])[0], timeout=2.0)
        except KafkaException:
            low, high = -1, -1
        return OffsetOutOfRange(partition, raw.offset() or 0, low, high)

    def _note(self, theirs: Callable[[KafkaError], None] | None, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._absences.missed(self._brokers, error.str())
        elif error.fatal() or (verdict(error.name()) is Verdict.CONFIGURATION and not self._joined):
            self._failures.append(BrokerError(f"{self._brokers} cannot be used: {error.str()}"))
        if theirs is not None:
            theirs(error)

    def _look_for_brokers(self) -> None:
        """librdkafka reports that brokers are away, never that they are back."""
        if self._brokers in self._absences and time.monotonic() >= self._next_look:
            try:
                self._handle.list_topics(timeout=SLICE_SECONDS)
                self._absences.back(self._brokers)
            except KafkaException:
                self._next_look = time.monotonic() + 2

    def _assign(self, handle: Any, given: Sequence[TopicPartition]) -> None:
        partitions = sorted(Partition(one.topic, one.partition) for one in given)
        self._joined = True
        for topic in {partition.topic for partition in partitions}:
            self._absences.back(f"Topic {topic}")
        starts: Mapping[Partition, int] = {}
        try:
            starts = self._on_assign(partitions)
        except Exception as error:  # noqa: BLE001 - the caller's; C code lies between, so fetch raises it
            self._failures.append(error)
            partitions = []
        self._assigned |= set(partitions)
        handle.incremental_assign(
            [TopicPartition(p.topic, p.number, starts.get(p, OFFSET_BEGINNING)) for p in partitions]
        )

    def _revoke(self, handle: Any, taken: Sequence[TopicPartition]) -> None:
        partitions = sorted(self._assigned.intersection(Partition(one.topic, one.partition) for one in taken))
        self._assigned -= set(partitions)
        self._paused -= set(partitions)
        try:
            self._on_revoke(partitions)
        except Exception as error:  # noqa: BLE001 - as above
            self._failures.append(error)
        handle.incremental_unassign(list(taken))


def _committed(error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
    if error is None:
        return
    dropped = error.code() in _DROPPED_COMMITS or verdict(error.name()) is Verdict.UNAVAILABLE
    level = logging.DEBUG if dropped else logging.WARNING
    logger.log(level, "Offsets of %d partitions were not committed: %s", len(partitions), error.str())


def _targets(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(partition.topic, partition.number) for partition in partitions]


def _message(raw: RawMessage) -> Message:
    return Message(
        topic=raw.topic() or "",
        key=raw.key(),
        value=raw.value(),
        headers=tuple(raw.headers() or ()),  # type: ignore[arg-type]
        partition=raw.partition() or 0,
        offset=raw.offset() or 0,
        timestamp_ms=raw.timestamp()[1],
    )
