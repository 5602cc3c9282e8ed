"""Held keys: trouble belongs to a key, and all its events wait behind it."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from ..conf import get_settings
from ..databases import now
from .lanes import Lanes
from .models import HeldKey, OutboxEvent

__all__ = ["bury", "count_attempt", "delay", "free", "retry"]

logger = logging.getLogger("django_outbox.relay")


def count_attempt(lanes: Lanes, event: OutboxEvent, error: str) -> None:
    """The event failed while others passed: its key waits, and is dead after ``MAX_ATTEMPTS``."""
    _hold(lanes, event, error, limit=get_settings().max_attempts)


def delay(lanes: Lanes, event: OutboxEvent, error: str) -> None:
    """Nothing was heard of the event while others passed, as when one broker of several is away:
    its key waits, so that it holds up no other, and never dies of it."""
    _hold(lanes, event, error, limit=None)


def bury(lanes: Lanes, event: OutboxEvent, error: str) -> None:
    """The broker will never take the event: its key is dead until an operator decides."""
    _hold(lanes, event, error, limit=0)


def _hold(lanes: Lanes, event: OutboxEvent, error: str, *, limit: int | None) -> None:
    """``limit`` is the number of attempts after which the key is dead; None for never."""
    with transaction.atomic(using=lanes.using):
        lanes.assert_alive()
        moment = now(lanes.using)
        held, _ = (
            HeldKey.objects.using(lanes.using)
            .select_for_update()
            .get_or_create(
                key_hash=event.key_hash,
                defaults={"topic": event.topic, "key": event.key, "next_try_at": moment, "error": error},
            )
        )
        held.attempts += 1
        held.dead = limit is not None and held.attempts >= limit
        held.next_try_at = moment + timedelta(seconds=_backoff_seconds(held.attempts))
        held.error = f"{event.type} #{event.sequence} ({event.event_id}): {error}"
        held.save(using=lanes.using)
    logger.error(
        "Event %s of key %r on %s was not taken (%s); the key is %s.",
        event.event_id,
        event.key,
        event.topic,
        error,
        "dead until an operator retries it" if held.dead else "tried again later",
    )


def _backoff_seconds(attempts: int) -> float:
    """1 s doubling to 600 s, with jitter so that keys do not come back all at once."""
    return float(min(600, 2 ** (attempts - 1))) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret


def free(using: str, key_hashes: Iterable[UUID]) -> None:
    """The keys were published: their trouble is over."""
    held = HeldKey.objects.using(using)
    if held.exists():
        held.filter(key_hash__in=list(key_hashes)).delete()


def retry(keys: QuerySet[HeldKey]) -> int:
    """Make held keys due at once, dead ones too; gives their number. The relay does the work."""
    return keys.update(dead=False, attempts=0, next_try_at=now(keys.db))
