"""Who drives relays: the standing command, and the short drain of a task or of ``--once``."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, close_old_connections, connections
from django.db.models import QuerySet

from ..brokers import get_broker
from ..brokers.base import Broker, Publisher
from ..conf import get_settings
from ..databases import is_transient, now
from .aliases import outbox_aliases
from .models import HeldKey, Lane, OutboxEvent
from .models import Relay as RelayRow
from .relay import Outcome, Relay

__all__ = ["drain", "drain_all", "drain_to_the_end", "run"]

logger = logging.getLogger("django_outbox.relay")

LEAST_POLL_SECONDS = 0.005
BLOCKED_SECONDS = 1.0


def run(stopping: Callable[[], bool], wait: Callable[[float], object]) -> None:
    """Publish whatever is recorded, on every alias that has an outbox, until ``stopping()``.

    ``wait(seconds)`` pauses and returns early when the process is to stop. A database or broker
    that does not answer is waited for.
    """
    publisher = get_broker().publisher(stopping)
    relays: list[Relay] = []
    pause = LEAST_POLL_SECONDS
    try:
        while not stopping():
            close_old_connections()
            try:
                relays = relays or [Relay(alias, publisher, standing=True) for alias in outbox_aliases()]
                outcomes = [relay.step() for relay in relays if not stopping()]
            except DatabaseError as error:
                _wait_for_database(error, wait)
                continue
            pause = _next_pause(outcomes, pause)
            wait(pause)
    finally:
        _close(relays, publisher)


def _next_pause(outcomes: list[Outcome], pause: float) -> float:
    """No pause while there is work; else twice the last one, up to ``IDLE_POLL_SECONDS``."""
    if Outcome.SENT in outcomes:
        return 0.0
    if Outcome.BLOCKED in outcomes:
        return BLOCKED_SECONDS
    return min(max(2 * pause, LEAST_POLL_SECONDS), get_settings().idle_poll_seconds)


def _wait_for_database(error: DatabaseError, wait: Callable[[float], object]) -> None:
    if not any(is_transient(error, alias) for alias in connections):
        raise error
    logger.warning("A database does not answer (%s); trying again.", error.__class__.__name__)
    connections.close_all()
    wait(BLOCKED_SECONDS)


def _close(relays: list[Relay], publisher: Publisher) -> None:
    for relay in relays:
        try:
            relay.close()
        except DatabaseError as error:
            logger.warning(
                "Lanes of %r were not handed over (%s); they are free in a moment.", relay.using, error
            )
    publisher.close()


def drain_all() -> bool:
    """Publish what is unsent on every alias, as far as lanes are free; whether nothing was blocked."""
    drained = [drain(alias) for alias in outbox_aliases()]
    return all(drained)


def drain(using: str) -> bool:
    """Publish until nothing that can be done now is left; False when the broker took nothing.

    Looks once more after the lanes were let go: a writer's task may have found them taken just
    after the last look.
    """
    outcome = Outcome.IDLE
    while outcome is not Outcome.BLOCKED and _has_work(using):
        relay = Relay(using, _publisher(), standing=False)
        try:
            while (outcome := relay.step()) is Outcome.SENT:
                pass
        finally:
            relay.close()
    return outcome is not Outcome.BLOCKED


class _Kept(threading.local):
    broker: Broker | None = None
    publisher: Publisher | None = None


_kept = _Kept()


def _publisher() -> Publisher:
    """A publisher for short drains, kept by its thread: a new connection for each task costs more
    than the task."""
    broker = get_broker()
    if _kept.publisher is None or _kept.broker is not broker:
        _kept.broker, _kept.publisher = broker, broker.publisher()
    return _kept.publisher


def _has_work(using: str) -> bool:
    """Whether unsent rows lie in lanes that no living relay holds, of keys that are not held."""
    taken = Lane.objects.using(using).filter(holder__in=_living(using)).values("number")
    held = HeldKey.objects.using(using)
    waiting = (held.filter(dead=True) | held.filter(next_try_at__gt=now(using))).values("key_hash")
    unsent = OutboxEvent.objects.using(using).filter(sent=False)
    return unsent.exclude(lane__in=taken).exclude(key_hash__in=waiting).exists()


def _living(using: str) -> list[UUID]:
    relays = RelayRow.objects.using(using).filter(alive_until__gt=now(using))
    return list(relays.values_list("token", flat=True))


def drain_to_the_end(using: str) -> list[str]:
    """``drain``, and wait for the lanes of relays that died; what was held back, a line each.

    Rows in the lanes of living relays are theirs.
    """
    silent = _lifetimes(using)
    deadline = time.monotonic() + get_settings().relay_token_seconds + 1
    while True:
        if not drain(using):
            return [f"{_unsent(using).count()} events of {using!r}: the broker takes nothing"]
        if not (silent and _unsent(using).exists() and time.monotonic() < deadline):
            break
        time.sleep(0.2)
        alive = _lifetimes(using)
        silent = {token: until for token, until in silent.items() if alive.get(token) == until}
    return [f"key {held.key!r} of {held.topic}: {held.error}" for held in HeldKey.objects.using(using)]


def _unsent(using: str) -> QuerySet[OutboxEvent]:
    return OutboxEvent.objects.using(using).filter(sent=False)


def _lifetimes(using: str) -> dict[UUID, datetime]:
    relays = RelayRow.objects.using(using).filter(alive_until__gt=now(using))
    return dict(relays.values_list("token", "alive_until"))
