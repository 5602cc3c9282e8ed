"""Tries parked keys again, between batches, in the process that has their partition."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db import Error, transaction
from django.db.models import Q

from .. import databases
from ..brokers.base import Partition
from ..conf import get_settings
from ..events import WHOLE_STATE
from .failures import Failure, Interrupted, is_trouble, last_line, too_slow
from .keys import log
from .models import ConsumerKey, ParkedMessage
from .order import Verdict, conflict, judge, move, waits_for, wants
from .positions import Positions
from .queues import due_next, give_up_numbers, queue_of
from .received import Received, unstored
from .running import Runner

__all__ = ["Retries"]

_PAGE = 100
_KEYS = 200
State = ParkedMessage.State


class Retries:
    """``end_of(partition)`` asks the broker for the next offset to be written, or None without an answer."""

    def __init__(
        self, group: str, using: str, positions: Positions, end_of: Callable[[Partition], int | None]
    ) -> None:
        self.group, self.using, self.positions, self.end_of = group, using, positions, end_of
        self.runner = Runner(group, using)
        self._too_slow: dict[uuid.UUID, Failure] = {}

    def run(self, partitions: Collection[Partition], seconds: float = 1.0) -> int:
        """Try the due keys of these partitions, for about ``seconds``; gives the number of events handled.

        Raises what ``Delivery.deliver`` raises. Must run outside a transaction.
        """
        end, handled = time.monotonic() + seconds, 0
        owned = [partition for partition in partitions if partition in self.positions.seen]
        for key, partition in self.due(owned):
            handled += self.retry(key, partition, max(0.0, end - time.monotonic()))
            if time.monotonic() >= end:
                break
        return handled

    def due(self, partitions: Collection[Partition]) -> list[tuple[uuid.UUID, Partition]]:
        """Keys whose time has come, the longest waiting first."""
        if not partitions:
            return []
        owned = Q()
        for topic in {partition.topic for partition in partitions}:
            owned |= Q(topic=topic, partition__in=[p.number for p in partitions if p.topic == topic])
        rows = (
            ParkedMessage.objects.using(self.using)
            .filter(
                owned,
                group=self.group,
                state=State.WAITING,
                next_try_at__lte=databases.now(self.using),
                key_row__isnull=False,
            )
            .order_by("next_try_at", "pk")
            .values_list("key_row_id", "topic", "partition")[:_KEYS]
        )
        return list({key: (key, Partition(topic, number)) for key, topic, number in rows}.values())

    def retry(self, key_id: uuid.UUID, partition: Partition, seconds: float = 1.0) -> int:
        """Handle the key's queue in order until an event fails, it is empty, or the time is up."""
        end_offset = self._end_for_hole(key_id, partition)  # the network is asked outside the transaction
        self.runner.slow = []
        try:
            with transaction.atomic(using=self.using, durable=True):
                databases.end_idle_transactions(self.using, get_settings().handler_seconds)
                position = self.positions.lock([partition])[partition]
                key = ConsumerKey.objects.using(self.using).select_for_update().get(pk=key_id)
                drain = _Drain(self, key, position.next_offset, end_offset, self._too_slow.pop(key_id, None))
                drain.run(time.monotonic() + seconds)
        except (Interrupted, Error) as error:
            if is_trouble(error, self.using) and self.runner.slow:
                self._too_slow[key_id] = too_slow()
            raise
        for item, row in drain.failed:
            reason = last_line(row.error)
            log.warning("%s: %s failed again, is %s: %s", self.group, item, row.state, reason)
        return drain.handled

    def _end_for_hole(self, key_id: uuid.UUID, partition: Partition) -> int | None:
        key = ConsumerKey.objects.using(self.using).get(pk=key_id)
        head = queue_of(key, self.using).first()
        if head is None or head.release_offset is not None:
            return None
        return self.end_of(partition) if judge(key, unstored(head)) is Verdict.HOLE else None


class _Drain:
    """One key's queue in one transaction."""

    def __init__(
        self,
        retries: Retries,
        key: ConsumerKey,
        next_offset: int,
        end_offset: int | None,
        slow: Failure | None,
    ) -> None:
        self.runner, self.using, self.key = retries.runner, retries.using, key
        self.next_offset, self.end_offset, self.slow = next_offset, end_offset, slow
        self.failed: list[tuple[Received, ParkedMessage]] = []
        self.now: datetime = databases.now(self.using)
        self._done: list[int] = []
        self._first = True
        self.handled = 0

    def run(self, until: float) -> None:
        stopped = timed_out = False
        while not stopped and not timed_out:
            page = list(queue_of(self.key, self.using)[:_PAGE])
            for row in page:
                stopped = not self._try(row)
                timed_out = time.monotonic() >= until
                if stopped or timed_out:
                    break
            self._delete()
            if len(page) < _PAGE:
                break
        if stopped:
            self._unmark_others()
        else:
            due_next(self.key, self.using, self.now)
        self.key.save(using=self.using)

    def _try(self, row: ParkedMessage) -> bool:
        """Whether the next of the queue may follow."""
        head, self._first = self._first, False
        if row.state == State.FAILED or (head and row.next_try_at and row.next_try_at > self.now):
            self._head = row
            return False
        item = unstored(row)
        verdict = judge(self.key, item)
        if verdict is Verdict.DROP:
            self._done.append(row.pk)
            return True
        if verdict is Verdict.CONFLICT:
            return self._fail(row, item, Failure(conflict(self.key, item), final=True))
        if verdict is Verdict.HOLE and not self._over(row, item):
            return False
        return self._handle(row, item)

    def _handle(self, row: ParkedMessage, item: Received) -> bool:
        slow, self.slow = self.slow, None
        if item.error:
            return self._fail(row, item, Failure(item.error, final=True))
        ran = slow or self.runner.alone(item, set(), batches=True)
        if isinstance(ran, Failure):
            return self._fail(row, item, ran)
        move(self.key, item)
        self._done.append(row.pk)
        return True

    def _fail(self, row: ParkedMessage, item: Received, failure: Failure) -> bool:
        state, row.attempts, delay = failure.after(row.attempts, get_settings().max_attempts)
        row.state, row.error = state, failure.error
        row.next_try_at = None if delay is None else self.now + timedelta(seconds=delay)
        row.save(using=self.using, update_fields=["state", "attempts", "error", "next_try_at"])
        self.failed.append((item, row))
        self._head = row
        if state is State.SKIPPED:
            move(self.key, item)
            return True
        return False

    def _over(self, row: ParkedMessage, item: Received) -> bool:
        """Whether the wait at the hole before ``row`` is over; then its numbers are given up."""
        if row.error != waits_for(self.key):  # it became the head just now: its own wait begins
            row.release_offset = None
            return self._wait(row, get_settings().hole_wait_seconds)
        if row.release_offset is None:
            if self.end_offset is None:
                return self._wait(row, 1)
            row.release_offset = self.end_offset
        if self.next_offset < row.release_offset:
            return self._wait(row, 1)
        if item.error or item.event is None or item.event.operation not in WHOLE_STATE:
            self._fail(row, item, Failure(_hole_text(self.key, item), final=True))
            return False
        give_up_numbers(self.key, row, item, self.using)
        return True

    def _wait(self, row: ParkedMessage, seconds: float) -> bool:
        row.error = waits_for(self.key)
        row.next_try_at = self.now + timedelta(seconds=seconds)
        row.save(using=self.using, update_fields=["error", "next_try_at", "release_offset"])
        log.info("%s: %s %s %s", row.group, row.topic, self.key.key, row.error)
        self._head = row
        return False

    def _delete(self) -> None:
        self.handled += len(self._done)
        if self._done:
            ParkedMessage.objects.using(self.using).filter(pk__in=self._done).delete()
            self._done = []

    def _unmark_others(self) -> None:
        """Only the head has a time: a mark behind it would wake the key for nothing."""
        behind = queue_of(self.key, self.using).exclude(pk=self._head.pk).order_by()
        behind.filter(next_try_at__isnull=False).update(next_try_at=None)


def _hole_text(key: ConsumerKey, item: Received) -> str:
    what = item.event.type if item.event else "The message"
    return (
        f"Number {wants(key)} of epoch {key.epoch} never came, and {what} does not carry the whole state of "
        "its row, so handlers would miss something for good. Have the missing numbers published again, or "
        "give them up: the admin of consumer keys has an action for it."
    )
