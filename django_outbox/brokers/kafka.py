"""Kafka, by way of confluent-kafka (librdkafka)."""

from __future__ import annotations

import concurrent.futures
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka import Message as RawMessage
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from ..exceptions import BrokerError
from .absences import Absences, logger
from .base import (
    BrokerUnavailable,
    Delivery,
    Message,
    OffsetOutOfRange,
    Partition,
    Verdict,
)
from .handles import HandleOwner, client_log
from .options import Role, client_options, local_problems, suggestion, verdict

__all__ = ["KafkaBroker", "option_problems"]

_ACKNOWLEDGED = Delivery(Verdict.ACKNOWLEDGED)
_SLICE_SECONDS = 0.5  # the longest call into C, so that signal handlers run
_PROBE_SECONDS = 1.0
_DROPPED_COMMITS = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._NO_OFFSET,
}


_silence = logging.getLogger("django_outbox.brokers.silence")
_silence.disabled = True

_KINDS: dict[Role, Callable[..., Any]] = {
    "producer": Producer,
    "consumer": Consumer,
    "admin": AdminClient,
}


def _new_handle(role: Role, options: Mapping[str, Any], log: Any = client_log) -> Any:
    try:
        return _KINDS[role](dict(options), logger=log)
    except (KafkaException, TypeError, ValueError) as error:
        raise BrokerError(_option_sentence(_words(error))) from error


def _words(error: BaseException) -> str:
    inner = error.args[0] if error.args else error
    return str(inner.str()) if isinstance(inner, KafkaError) else str(inner)


def _option_sentence(words: str) -> str:
    sentence = f"DJANGO_OUTBOX['KAFKA'] is refused by librdkafka: {words}"
    if words.startswith("No such configuration property"):
        hint = suggestion(words.split('"')[1])
        sentence += f"; {hint}" if hint else "."
    return sentence


def option_problems(options: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with ``DJANGO_OUTBOX["KAFKA"]``, a sentence each; asks no network."""
    found = local_problems(options)
    quiet = {
        name: value
        for name, value in options.items()
        if name not in ("bootstrap.servers", "metadata.broker.list")
    }
    roles: tuple[Role, ...] = ("producer", "consumer")
    for role in roles:
        made = client_options(role, quiet)
        if role == "consumer":
            made["group.id"] = "check"
        try:
            _new_handle(role, made, _silence)
        except BrokerError as error:
            if str(error) not in found:
                found.append(str(error))
    return found


class KafkaPublisher(HandleOwner):
    """An idempotent producer, made when first used and again after fork, time-out or fatal error."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__()
        self._options = options
        self._trouble: KafkaError | None = None

    def publish(self, messages: Sequence[Message], deadline_seconds: float) -> list[Delivery]:
        end = time.monotonic() + deadline_seconds
        reports: list[Delivery | None] = [None] * len(messages)
        unsent = self._hand_over(messages, reports, end)
        answer_by = end - min(_PROBE_SECONDS, deadline_seconds / 5)
        while self._producer().flush(_slice(answer_by)) and time.monotonic() < answer_by:
            pass
        if unsent or len(self._producer()) or self._fatal():
            self._give_up(messages, reports, end)
        return [report or Delivery(Verdict.TRANSIENT, "no report") for report in reports]

    def close(self) -> None:
        if self._handle is not None:
            self._handle.flush(_SLICE_SECONDS)
            self._discard()

    def _producer(self) -> Any:
        if self._handle is None:
            options = client_options("producer", self._options)
            theirs = options.pop("error_cb", None)
            self._trouble = None
            self._handle = _new_handle("producer", {**options, "error_cb": partial(self._note, theirs)})
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
            return Delivery(Verdict.TRANSIENT, "no report from the broker before the deadline")
        return Delivery(Verdict.UNAVAILABLE, "no broker answered before the deadline")

    def _fatal(self) -> bool:
        return self._trouble is not None and self._trouble.fatal()

    def _discard(self) -> None:
        self._handle = None


_PURGED = "purged"
_FATAL = "fatal"


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
            producer.poll(_slice(end))
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


def _slice(end: float) -> float:
    return max(0.0, min(_SLICE_SECONDS, end - time.monotonic()))


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
        self._handle = _new_handle(
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
            raw = self._member().poll(_slice(end))
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
                self._handle.list_topics(timeout=_SLICE_SECONDS)
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


class KafkaBroker(HandleOwner):
    """The cluster of ``bootstrap.servers``. ``options`` are ``DJANGO_OUTBOX["KAFKA"]``.

    Raises ``BrokerError`` when the options are wrong as far as that can be told without librdkafka;
    what only it can tell is raised by the first use of each role.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__()
        found = local_problems(options)
        if found:
            raise BrokerError("\n".join(found))
        self._options = dict(options)

    def publisher(self) -> KafkaPublisher:
        return KafkaPublisher(self._options)

    def subscriber(
        self,
        topics: Sequence[str],
        group: str,
        *,
        on_assign: Callable[[Sequence[Partition]], Mapping[Partition, int]],
        on_revoke: Callable[[Sequence[Partition]], None],
    ) -> KafkaSubscriber:
        return KafkaSubscriber(self._options, topics, group, on_assign, on_revoke)

    def cluster_id(self, timeout_seconds: float) -> str | None:
        # Not the clients' own cluster_id(): that one is remembered from their first answer.
        try:
            answer = _result(self._admin().describe_cluster(request_timeout=timeout_seconds), timeout_seconds)
        except BrokerUnavailable:
            return None
        return str(answer.cluster_id) if answer.cluster_id else None

    def topic_ids(self, topics: Sequence[str], timeout_seconds: float) -> dict[str, str | None]:
        if not topics:
            return {}
        answers = self._admin().describe_topics(
            TopicCollection(list(topics)), request_timeout=timeout_seconds
        )
        found: dict[str, str | None] = {}
        for topic, future in answers.items():
            answer = _result(future, timeout_seconds)
            if answer is not None:
                found[topic] = str(answer.topic_id) if _is_known(answer.topic_id) else None
        return found

    def watermarks(self, partition: Partition, timeout_seconds: float) -> tuple[int, int]:
        target = _targets([partition])[0]
        futures = [
            self._admin().list_offsets({target: spec}, request_timeout=timeout_seconds)[target]
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
        ]
        try:
            low, high = (_result(future, timeout_seconds) for future in futures)
        except BrokerUnavailable:
            # A partition that does not exist looks like one without a leader.
            if partition.number in self.partitions(partition.topic, timeout_seconds):
                raise
            low = high = None
        if low is None or high is None:
            raise BrokerError(f"There is no partition {partition.topic}[{partition.number}].")
        return low.offset, high.offset

    def partitions(self, topic: str, timeout_seconds: float) -> tuple[int, ...]:
        try:
            answer = self._admin().list_topics(topic, timeout=timeout_seconds).topics[topic]
        except KafkaException as error:
            raise _answer_error(error) from error
        if answer.error is not None and verdict(answer.error.name()) is not Verdict.CONFIGURATION:
            raise BrokerUnavailable(f"Topic {topic!r}: {answer.error.str()}")
        return tuple(sorted(answer.partitions))

    def _admin(self) -> Any:
        if self._handle is None:
            self._handle = _new_handle("admin", client_options("admin", self._options))
        return self._handle


def _result(future: concurrent.futures.Future[Any], timeout_seconds: float) -> Any:
    """The answer; None when there is no such topic or partition."""
    try:
        return future.result(timeout_seconds + 1)
    except concurrent.futures.TimeoutError as error:
        raise BrokerUnavailable(f"Kafka did not answer within {timeout_seconds} s.") from error
    except KafkaException as error:
        unknown = (
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError._UNKNOWN_TOPIC,
            KafkaError._UNKNOWN_PARTITION,
        )
        if error.args[0].code() in unknown:
            return None
        raise _answer_error(error) from error


def _answer_error(error: KafkaException) -> BrokerError:
    kind = BrokerError if verdict(error.args[0].name()) is Verdict.CONFIGURATION else BrokerUnavailable
    return kind(f"Kafka did not answer: {_words(error)}")


def _is_known(topic_id: Any) -> bool:
    """Whether a broker gave an identity: the mock gives all zeros."""
    return topic_id is not None and bool(
        topic_id.get_most_significant_bits() or topic_id.get_least_significant_bits()
    )
