"""Seeing what a test recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import overload

from django.db import DEFAULT_DB_ALIAS

from ..conf import get_settings
from ..events import Event
from ..producer.models import OutboxEvent

__all__ = ["CapturedEvents", "captured_events"]


class CapturedEvents(Sequence[Event]):
    """The events that were recorded since its making and not rolled back, as they stand now."""

    def __init__(self, using: str = DEFAULT_DB_ALIAS) -> None:
        self._rows = OutboxEvent.objects.using(using).order_by("id")
        newest = self._rows.last()
        self._after = newest.id if newest else 0
        self._until: int | None = None

    def stop(self) -> None:
        """Take in no more."""
        newest = self._rows.last()
        self._until = newest.id if newest else 0

    def _events(self) -> list[Event]:
        rows = self._rows.filter(id__gt=self._after)
        if self._until is not None:
            rows = rows.filter(id__lte=self._until)
        return [row.as_event(get_settings().service) for row in rows]

    @property
    def types(self) -> list[str]:
        """The types of the events, in order."""
        return [event.type for event in self._events()]

    def of(self, type: str) -> list[Event]:
        """The events of one type, in order."""
        return [event for event in self._events() if event.type == type]

    def clear(self) -> None:
        """Forget what was recorded until now."""
        newest = self._rows.last()
        self._after = newest.id if newest else 0

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        return self._events()[index]

    def __len__(self) -> int:
        return len(self._events())

    def __repr__(self) -> str:
        return f"<CapturedEvents {self.types}>"


@contextmanager
def captured_events(using: str = DEFAULT_DB_ALIAS) -> Iterator[CapturedEvents]:
    """The events that are recorded within the block, as a sequence that grows meanwhile::

    with captured_events() as events:
        product.save()
    assert events.types == ["shop.product.updated"]
    """
    events = CapturedEvents(using)
    try:
        yield events
    finally:
        events.stop()
