"""Hands messages to Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as RawMessage

from ..base import Delivery, Message, Verdict
from .handles import SLICE_SECONDS, HandleOwner, new_handle, slice_seconds
from .options import client_options
from .verdicts import verdict

__all__ = ["KafkaPublisher"]

_ACKNOWLEDGED = Delivery(Verdict.ACKNOWLEDGED)
_PURGED = "purged"
_FATAL = "fatal"
_PROBE_SECONDS = 1.0
_STOP_SECONDS = 1.0


class KafkaPublisher(HandleOwner):
    """An idempotent producer, made when first used and again after fork, time-out or fatal error."""

    def __init__(self, options: Mapping[str, Any], stopping: Callable[[], bool]) -> None:
        super().__init__()
        self._options = options
        self._stopping = stopping
        self._trouble: KafkaError | None = None

    def publish(self, messages: Sequence[Message], deadline_seconds: float) -> list[Delivery]:
        end = time.monotonic() + deadline_seconds
        reports: list[Delivery | None] = [None] * len(messages)
        unsent = self._hand_over(messages, reports, end)
        answer_by = end - min(_PROBE_SECONDS, deadline_seconds / 5)
        while self._producer().flush(slice_seconds(answer_by)) and time.monotonic() < answer_by:
            if self._stopping():
                answer_by = min(answer_by, time.monotonic() + _STOP_SECONDS)
        if unsent or len(self._producer()) or self._fatal():
            self._give_up(messages, reports, min(end, answer_by + _PROBE_SECONDS))
        return [report or Delivery(Verdict.UNREPORTED, "no report") for report in reports]

    def close(self) -> None:
        if self._handle is not None:
            self._handle.flush(SLICE_SECONDS)
            self._discard()

    def _producer(self) -> Any:
        if self._handle is None:
            options = client_options("producer", self._options)
            theirs = options.pop("error_cb", None)
            self._trouble = None
            self._handle = new_handle("producer", {**options, "error_cb": partial(self._note, theirs)})
        return self._handle

    def _note(self, theirs: Callable[[KafkaError], None] | None, error: KafkaError) -> None:
        if error.fatal() or verdict(error.name()) is Verdict.CONFIGURATION:
            self._trouble = error
        if theirs is not None:
            theirs(error)

    def _hand_over(self, messages: Sequence[Message], reports: list[Delivery | None], end: float) -> bool:
        """Queue all messages; True when time ran out before the last one found room."""
        producer = self._producer()
        stopped: set[tuple[str, bytes]] = set()
        for index, message in enumerate(messages):
            lane = (message.topic, message.key) if message.key is not None else None
            if lane in stopped:
                reports[index] = Delivery(
                    Verdict.TRANSIENT, "not sent: an earlier message of its key was refused"
                )
                continue
            try:
                if not _produce(producer, message, partial(_report, reports, index), end):
                    return True
            except KafkaException as error:
                reports[index] = _delivery(error.args[0])
                if lane is not None:
                    stopped.add(lane)
        return False

    def _give_up(self, messages: Sequence[Message], reports: list[Delivery | None], end: float) -> None:
        """Find out who is to blame for the missing reports, then make sure that nothing goes out later."""
        producer = self._handle
        topics = self._ask_for_topics(end)
        producer.poll(0)
        producer.purge()
        producer.poll(0)
        reason = self._reason_for_silence(reports, topics)
        for index, report in enumerate(reports):
            if report is None or report.error in (_PURGED, _FATAL):
                missing = topics is not None and messages[index].topic not in topics
                reports[index] = _no_such_topic(messages[index].topic) if missing else reason
        self._discard()

    def _ask_for_topics(self, end: float) -> set[str] | None:
        try:
            answer = self._handle.list_topics(timeout=max(0.0, end - time.monotonic()))
        except KafkaException:
            return None
        return set(answer.topics)

    def _reason_for_silence(self, reports: Sequence[Delivery | None], topics: set[str] | None) -> Delivery:
        trouble = self._trouble
        if trouble is not None and verdict(trouble.name()) is Verdict.CONFIGURATION:
            return Delivery(Verdict.CONFIGURATION, trouble.str())
        if topics is not None or any(report and report.acknowledged for report in reports):
            return Delivery(Verdict.UNREPORTED, "no report from the broker before the deadline")
        return Delivery(Verdict.UNAVAILABLE, "no broker answered before the deadline")

    def _fatal(self) -> bool:
        return self._trouble is not None and self._trouble.fatal()

    def _discard(self) -> None:
        self._handle = None


def _produce(producer: Any, message: Message, report: Callable[..., None], end: float) -> bool:
    """Queue one message, waiting for room until ``end``; False when there was none."""
    while True:
        try:
            producer.produce(
                message.topic,
                key=message.key,
                value=message.value,
                headers=list(message.headers),
                on_delivery=report,
            )
        except BufferError:
            if time.monotonic() >= end:
                return False
            producer.poll(slice_seconds(end))
        else:
            return True


def _report(
    reports: list[Delivery | None], index: int, error: KafkaError | None, message: RawMessage
) -> None:
    reports[index] = _ACKNOWLEDGED if error is None else _delivery(error)


def _delivery(error: KafkaError) -> Delivery:
    if error.code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
        return Delivery(Verdict.TRANSIENT, _PURGED)
    if error.code() == KafkaError._FATAL:
        return Delivery(Verdict.TRANSIENT, _FATAL)
    return Delivery(verdict(error.name()), error.str())


def _no_such_topic(topic: str) -> Delivery:
    return Delivery(Verdict.CONFIGURATION, f"topic {topic!r} does not exist")
