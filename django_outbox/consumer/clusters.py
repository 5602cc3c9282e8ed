"""Whether the log that the broker has is the one in which the positions were written."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..brokers.base import Broker, BrokerUnavailable, Partition
from .models import Position
from .positions import Positions

__all__ = ["HOW_TO_DECIDE", "Clusters"]

log = logging.getLogger("django_outbox.consumer")
_SECONDS = 2.0
HOW_TO_DECIDE = (
    "To begin at the earliest message, stop the group and delete this row of django_outbox.Position (effects "
    "still happen once, the sequences see to that); or consume with a new group."
)


class Clusters:
    """Compares cluster and topic with what the positions say, for partitions that were just given."""

    def __init__(self, broker: Broker, positions: Positions) -> None:
        self.broker, self.positions = broker, positions

    def check(self, partitions: Iterable[Partition]) -> tuple[dict[Partition, int], dict[Partition, str]]:
        """Partitions that start anew, with their offset, and those that must stop, with the reason.

        Raises ``BrokerUnavailable`` when the broker does not say who it is.
        """
        partitions = sorted(partitions)
        self._ask({partition.topic for partition in partitions})
        restarted: dict[Partition, int] = {}
        stopped: dict[Partition, str] = {}
        for partition, row in self.positions.read(partitions).items():
            reason = self._difference(row)
            if not reason:
                self._complete(row)
            elif self.is_development:
                restarted[partition] = self._restart(row, reason)
            else:
                stopped[partition] = f"{reason} Its offsets say nothing there. {HOW_TO_DECIDE}"
        return restarted, stopped

    @property
    def is_development(self) -> bool:
        """librdkafka's built-in cluster, whose log is gone when its process ends."""
        return (self.positions.cluster_id or "").startswith("mock")

    def earliest(self, partition: Partition) -> int:
        return self.broker.watermarks(partition, _SECONDS)[0]

    def _ask(self, topics: set[str]) -> None:
        cluster = self.broker.cluster_id(_SECONDS)
        if cluster is None:
            raise BrokerUnavailable("The broker does not say which cluster it is.")
        self.positions.cluster_id = cluster
        self.positions.topic_ids.update(self.broker.topic_ids(sorted(topics), _SECONDS))

    def _difference(self, row: Position) -> str:
        cluster, topic = self.positions.cluster_id, self.positions.topic_ids.get(row.topic)
        where = f"{row.topic}/{row.partition} of group {row.group}"
        if row.cluster_id is not None and row.cluster_id != cluster:
            return f"{where} was read from cluster {row.cluster_id}; the broker is cluster {cluster} now."
        if row.topic_id is not None and topic is not None and row.topic_id != topic:
            return f"{where}: the topic was deleted and made again (its id was {row.topic_id}, is {topic})."
        return ""

    def _complete(self, row: Position) -> None:
        topic = self.positions.topic_ids.get(row.topic)
        if row.cluster_id is None or (row.topic_id is None and topic is not None):
            row.cluster_id, row.topic_id = self.positions.cluster_id, topic
            row.save(using=self.positions.using, update_fields=["cluster_id", "topic_id"])

    def _restart(self, row: Position, reason: str) -> int:
        log.warning("%s A development broker keeps nothing: starting from the beginning.", reason)
        earliest = self.earliest(Partition(row.topic, row.partition))
        self.positions.restart(row, earliest)
        return earliest
