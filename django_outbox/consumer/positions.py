"""Where a group stands in each partition, and the fence that keeps a stale process out."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping

from django.utils import timezone

from ..brokers.base import Partition
from ..events import identity
from .failures import Overtaken
from .models import Position

__all__ = ["Positions", "position_id"]


def position_id(group: str, partition: Partition) -> uuid.UUID:
    return identity(group, partition.topic, str(partition.number))


class Positions:
    """The positions of one group as this process last saw them.

    ``lock`` compares them with the database: whatever else may have moved one, a zombie, a lost
    answer to a COMMIT, an operator, shows there, and nothing is handled twice.
    """

    def __init__(self, group: str, using: str) -> None:
        self.group, self.using = group, using
        self.seen: dict[Partition, int] = {}
        self.cluster_id: str | None = None
        self.topic_ids: dict[str, str | None] = {}

    def load(self, partitions: Collection[Partition]) -> dict[Partition, Position]:
        """Read the rows and remember them; what has no row is forgotten."""
        rows = self.read(partitions)
        for partition in partitions:
            self.seen.pop(partition, None)
        self.seen.update({partition: row.next_offset for partition, row in rows.items()})
        return rows

    def read(self, partitions: Collection[Partition]) -> dict[Partition, Position]:
        """The rows as the database has them now."""
        found = Position.objects.using(self.using).filter(pk__in=self._ids(partitions))
        return {Partition(row.topic, row.partition): row for row in found}

    def forget(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self.seen.pop(partition, None)

    def ensure(self, firsts: Mapping[Partition, int]) -> None:
        """Make rows for partitions of which this process knows none, beginning at these offsets.

        A row must be there before it is locked. Commits by itself; must run outside a transaction.
        """
        new = {partition: offset for partition, offset in firsts.items() if partition not in self.seen}
        if not new:
            return
        rows = [
            Position(
                id=position_id(self.group, partition),
                group=self.group,
                topic=partition.topic,
                partition=partition.number,
                next_offset=offset,
                cluster_id=self.cluster_id,
                topic_id=self.topic_ids.get(partition.topic),
            )
            for partition, offset in sorted(new.items())
        ]
        Position.objects.using(self.using).bulk_create(rows, ignore_conflicts=True)
        self.seen.update(new)

    def lock(self, partitions: Collection[Partition]) -> dict[Partition, Position]:
        """Lock the rows, in order, until the transaction ends; raises ``Overtaken`` on a difference."""
        locked = (
            Position.objects.using(self.using)
            .select_for_update()
            .filter(pk__in=self._ids(partitions))
            .order_by("pk")
        )
        rows = {Partition(row.topic, row.partition): row for row in locked}
        for partition in sorted(partitions):
            row = rows.get(partition)
            if row is None or row.next_offset != self.seen.get(partition):
                raise Overtaken(partition)
        return rows

    def advance(self, rows: Mapping[Partition, Position], offsets: Mapping[Partition, int]) -> None:
        """Move locked rows to the next offsets. ``saw`` must follow the commit."""
        moved = [rows[partition] for partition in sorted(offsets)]
        for row in moved:
            row.next_offset = offsets[Partition(row.topic, row.partition)]
            row.updated_at = timezone.now()
        Position.objects.using(self.using).bulk_update(moved, ["next_offset", "updated_at"])

    def saw(self, offsets: Mapping[Partition, int]) -> None:
        """Remember offsets whose transaction is committed."""
        self.seen.update(offsets)

    def restart(self, row: Position, offset: int) -> None:
        """Let the position begin at ``offset`` of the log that the broker has now."""
        row.next_offset, row.cluster_id = offset, self.cluster_id
        row.topic_id = self.topic_ids.get(row.topic)
        row.save(using=self.using)
        self.seen[Partition(row.topic, row.partition)] = offset

    def _ids(self, partitions: Iterable[Partition]) -> list[uuid.UUID]:
        return [position_id(self.group, partition) for partition in partitions]
