"""The parked messages of a key, in the order in which they are to be handled."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, QuerySet

from .keys import log
from .models import ConsumerKey, ParkedMessage
from .order import wants
from .received import Received

__all__ = ["MOST_MISSING", "due_next", "give_up_numbers", "queue_of"]

MOST_MISSING = 1000  # rows written for one hole
State = ParkedMessage.State


def queue_of(key: ConsumerKey, using: str) -> QuerySet[ParkedMessage]:
    """What waits or failed, in (epoch, sequence) order; what has no number comes first, by offset."""
    return (
        ParkedMessage.objects.using(using)
        .filter(key_row=key, state__in=[State.WAITING, State.FAILED])
        .order_by(
            F("epoch").asc(nulls_first=True), F("sequence").asc(nulls_first=True), "partition", "offset", "pk"
        )
    )


def due_next(key: ConsumerKey, using: str, now: datetime) -> None:
    """Make the head of the key's queue due now; an empty queue means that the key is free."""
    head = queue_of(key, using).first()
    key.parked = head is not None
    if head is not None and head.state == State.WAITING:
        head.next_try_at = now
        head.save(using=using, update_fields=["next_try_at"])


def give_up_numbers(key: ConsumerKey, head: ParkedMessage, item: Received, using: str) -> None:
    """Write the numbers before ``head`` down as missing, so that it is the head's turn.

    At most ``MOST_MISSING`` rows; the last one says how far the numbers go.
    """
    assert item.number is not None
    first, last = wants(key), item.number[1] - 1
    rows = [
        ParkedMessage(
            group=key.group,
            key_row=key,
            topic=head.topic,
            partition=head.partition,
            offset=-1,
            epoch=key.epoch,
            sequence=number,
            state=State.MISSING,
            error=f"Number {number} never came; {item.event.type if item.event else ''} {last + 1} went on.",
        )
        for number in range(first, min(last + 1, first + MOST_MISSING))
    ]
    if last >= first + MOST_MISSING:
        rows[-1].error += f" So did the numbers up to {last}: only {MOST_MISSING} of a hole get rows."
    ParkedMessage.objects.using(using).bulk_create(rows)
    log.warning("%s: gave up numbers %s to %s of %s %s", key.group, first, last, key.topic, key.key)
    key.sequence = last
