"""A Kafka cluster: who publishes to it, who subscribes, and what it says of itself."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from ...exceptions import BrokerError
from ..base import BrokerUnavailable, Partition, Verdict
from .handles import HandleOwner, new_handle, words
from .options import client_options, local_problems
from .publisher import KafkaPublisher
from .subscriber import KafkaSubscriber
from .verdicts import verdict

__all__ = ["KafkaBroker"]


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

    def publisher(self, stopping: Callable[[], bool] = lambda: False) -> KafkaPublisher:
        return KafkaPublisher(self._options, stopping)

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
        target = TopicPartition(*partition)
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
            self._handle = new_handle("admin", client_options("admin", self._options))
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
    return kind(f"Kafka did not answer: {words(error)}")


def _is_known(topic_id: Any) -> bool:
    """Whether a broker gave an identity: the mock gives all zeros."""
    return topic_id is not None and bool(
        topic_id.get_most_significant_bits() or topic_id.get_least_significant_bits()
    )
