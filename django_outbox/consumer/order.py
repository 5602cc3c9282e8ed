"""The rule of order: what an event is to its key, by source, epoch and sequence."""

from __future__ import annotations

import enum

from .models import ConsumerKey
from .received import Received, printable

__all__ = ["Verdict", "conflict", "judge", "move", "waits_for", "wants"]


class Verdict(enum.Enum):
    """``HANDLE``: it is its turn. ``DROP``: it was there before. ``HOLE``: a number is missing
    before it. ``CONFLICT``: it contradicts what is known of the key."""

    HANDLE = "handle"
    DROP = "drop"
    HOLE = "hole"
    CONFLICT = "conflict"


def judge(key: ConsumerKey, item: Received) -> Verdict:  # noqa: PLR0911 - a table of rules
    """What the event of ``item`` is to ``key``, leaving aside that the key may be parked.

    A message without a number is filtered by its position alone. So is one whose headers cannot be
    read: its turn is now, and it fails.
    """
    event = item.event
    if event is None:
        return Verdict.HANDLE
    number, source = item.number, printable(event.source, 255)
    if number is None:
        return Verdict.HANDLE if key.sequence is None else Verdict.CONFLICT
    if key.sequence is None or key.epoch is None:
        return Verdict.CONFLICT if key.source not in ("", source) else Verdict.HANDLE
    last = (key.epoch, key.sequence)
    if number[0] < last[0]:
        return Verdict.DROP
    if number[0] > last[0]:
        return Verdict.HANDLE  # the first of a new epoch may have any number, and another owner
    if source != key.source:
        return Verdict.CONFLICT
    if number == last and printable(event.id, 255) != key.event_id:
        return Verdict.CONFLICT
    if number <= last:
        return Verdict.DROP
    return Verdict.HANDLE if number[1] == last[1] + 1 else Verdict.HOLE


def conflict(key: ConsumerKey, item: Received) -> str:
    """Why ``judge`` said ``CONFLICT``, and what to do."""
    event = item.event
    assert event is not None
    what = f"{event.type} {event.id} of {event.source or 'an unnamed source'}"
    cure = "Find out who writes to this key; then skip this message, or retry it."
    if item.number is None:
        return f"{what} has no sequence, but its key has events of {key.source}, numbered. {cure}"
    if key.source != printable(event.source, 255):
        return f"{what} came on a key that has events of {key.source}. A topic has one owner. {cure}"
    return (
        f"{what} has epoch {event.epoch} and number {event.sequence}, as {key.event_id} has, which was "
        f"handled: a number was used twice, as after a restore of the owner's database. {cure}"
    )


def wants(key: ConsumerKey) -> int:
    """The number that must come next."""
    return (key.sequence or 0) + 1


def waits_for(key: ConsumerKey) -> str:
    """The error of an event that waits at a hole; by it a wait that began is known."""
    return f"waits for number {wants(key)} of epoch {key.epoch}"


def move(key: ConsumerKey, item: Received) -> None:
    """The event was handled or skipped: it is now the last one of its key."""
    event = item.event
    if event is None:
        return
    key.source = printable(event.source, 255)
    key.event_id = printable(event.id, 255)
    if item.number is not None:
        key.epoch, key.sequence = item.number
