"""The keys of one batch, inside one transaction: read in bulk, judged in memory, saved in bulk."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connections

from .. import databases
from ..conf import get_settings
from .failures import Failure
from .models import ConsumerKey, ParkedMessage
from .order import Verdict, conflict, judge, move, waits_for, wants
from .received import Received, printable, stored

__all__ = ["WAITS_BEHIND", "Ledger", "log", "save_keys"]

log = logging.getLogger("django_outbox.consumer")
State = ParkedMessage.State
WAITS_BEHIND = "waits behind an earlier event"
_FILLED = ["partition", "offset", "event_id", "type", "error"]
_FILLED += ["message_key", "message_value", "message_headers"]
_Place = tuple[uuid.UUID, int, int]


class Ledger:
    """What becomes of the keys of a batch. Made new for each transaction; ``save`` writes it."""

    def __init__(self, group: str, using: str, items: Sequence[Received]) -> None:
        self.group, self.using = group, using
        self.parked: list[tuple[Received, ParkedMessage]] = []
        self._changed: dict[uuid.UUID, ConsumerKey] = {}
        self._filled: list[ParkedMessage] = []
        self._now: datetime | None = None
        self._keys = self._load(items)
        self._places = self._load_places(items)

    def _load(self, items: Sequence[Received]) -> dict[uuid.UUID, ConsumerKey]:
        ids = {item.key_id for item in items if item.key_id is not None}
        rows = ConsumerKey.objects.using(self.using).select_for_update().filter(pk__in=ids).order_by("pk")
        return {row.pk: row for row in rows}

    def _load_places(self, items: Sequence[Received]) -> dict[_Place, ParkedMessage]:
        """Kept rows with the numbers of this batch, of keys where that can matter."""
        ids, sequences = set(), set()
        for item in items:
            key = self._keys.get(item.key_id) if item.key_id else None
            number = item.number
            if key and number and (key.parked or number <= (key.epoch or 0, key.sequence or 0)):
                ids.add(key.pk)
                sequences.add(number[1])
        if not ids:
            return {}
        rows = ParkedMessage.objects.using(self.using).filter(
            key_row_id__in=ids,
            sequence__in=sequences,
            state__in=[State.WAITING, State.FAILED, State.MISSING],
        )
        return {_place(row): row for row in rows.order_by("-pk")}

    def key(self, item: Received) -> ConsumerKey:
        """The row of the item's key; a new one, not parked and without a number, where there is none."""
        assert item.key_id is not None
        assert item.message.key is not None
        row = self._keys.get(item.key_id)
        if row is None:
            row = self._keys[item.key_id] = ConsumerKey(
                id=item.key_id,
                group=self.group,
                topic=item.message.topic,
                key=printable(item.message.key.decode("utf-8", "backslashreplace")),
            )
        return row

    def takes(self, item: Received) -> bool:
        """Whether it is the item's turn. If not, what becomes of it is noted here."""
        if item.key_id is None:
            self._keep(item, None, State.UNUSABLE, item.error)
            return False
        key = self.key(item)
        verdict = judge(key, item)
        if verdict is Verdict.DROP:
            self._drop(key, item)
        elif verdict is Verdict.CONFLICT:
            self._keep(item, key, State.FAILED, conflict(key, item), numbered=False)
        elif key.parked:
            self._queue(key, item)
        elif verdict is Verdict.HOLE:
            self._hole(key, item)
        else:
            return True
        return False

    def move(self, item: Received) -> None:
        """The item was handled."""
        key = self.key(item)
        move(key, item)
        self._changed[key.pk] = key

    def fail(self, item: Received, failure: Failure) -> None:
        """The item failed for the first time: it parks its key, or is passed over with a record."""
        state, attempts, delay = failure.after(0, get_settings().max_attempts)
        row = self._keep(item, self.key(item), state, failure.error, delay=delay)
        row.attempts = attempts
        if state is State.SKIPPED:
            self.move(item)

    def save(self) -> None:
        save_keys(self.using, self._changed.values())
        ParkedMessage.objects.using(self.using).bulk_create([row for _, row in self.parked])
        if self._filled:
            ParkedMessage.objects.using(self.using).bulk_update(
                self._filled,
                _FILLED,
            )

    def _drop(self, key: ConsumerKey, item: Received) -> None:
        assert item.number is not None
        row = self._places.get((key.pk, *item.number))
        if row is None or row.state != State.MISSING or row.message_value is not None:
            log.debug("%s: dropped %s, it was there before", self.group, item)
            return
        came = stored(self.group, item, key)
        for name in ("partition", "offset", "event_id", "type", "message_key", "message_value"):
            setattr(row, name, getattr(came, name))
        row.message_headers = came.message_headers
        row.error = f"Number {item.number[1]} came after it was given up; it was not handled."
        self._filled.append(row)
        log.warning("%s: %s came after its number was given up; kept, not handled", self.group, item)

    def _queue(self, key: ConsumerKey, item: Received) -> None:
        number = item.number
        twin = self._places.get((key.pk, *number)) if number else None
        if twin is None:
            due = number is not None and number == (key.epoch, wants(key))
            self._keep(item, key, State.WAITING, WAITS_BEHIND, delay=0 if due else None)
        elif item.event and twin.event_id != printable(item.event.id, 255):
            error = f"{item.event.id} has the number of {twin.event_id}, which waits: it was used twice."
            self._keep(item, key, State.FAILED, error)

    def _hole(self, key: ConsumerKey, item: Received) -> None:
        seconds = get_settings().hole_wait_seconds
        self._keep(item, key, State.WAITING, waits_for(key), delay=seconds)

    def _keep(
        self,
        item: Received,
        key: ConsumerKey | None,
        state: State,
        error: str,
        *,
        delay: float | None = None,
        numbered: bool = True,
    ) -> ParkedMessage:
        row = stored(self.group, item, key)
        row.state, row.error = state, printable(error)
        if not numbered:
            row.epoch = row.sequence = None
        if delay is not None:
            row.next_try_at = self.now() + timedelta(seconds=delay)
        if key is not None:
            key.parked = key.parked or state != State.SKIPPED
            self._changed[key.pk] = key
            if row.sequence is not None:
                self._places.setdefault(_place(row), row)
        self.parked.append((item, row))
        return row

    def now(self) -> datetime:
        if self._now is None:
            self._now = databases.now(self.using)
        return self._now


def _place(row: ParkedMessage) -> _Place:
    assert row.key_row_id is not None
    return (row.key_row_id, row.epoch or 0, row.sequence or 0)


def save_keys(using: str, keys: Iterable[ConsumerKey]) -> None:
    """Insert or update; one statement for all."""
    rows = sorted(keys, key=lambda key: key.pk)
    target = connections[using].features.supports_update_conflicts_with_target
    ConsumerKey.objects.using(using).bulk_create(
        rows,
        update_conflicts=True,
        update_fields=["source", "epoch", "sequence", "event_id", "parked"],
        unique_fields=["id"] if target else None,
    )
