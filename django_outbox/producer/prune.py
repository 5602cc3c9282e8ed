"""Pruning: rows that were sent long ago go, in small slices. Unsent rows never do."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q

from ..conf import get_settings
from ..databases import now
from .models import OutboxEvent, Relay

__all__ = ["prune"]

SLICE = 1000


def prune(using: str) -> int:
    """Delete what was sent ``KEEP_SENT_SECONDS`` ago; gives the number of rows.

    With ``RELAY = "external"`` nobody marks rows; then their age counts from ``recorded_at``.
    """
    settings = get_settings()
    cutoff = now(using) - timedelta(seconds=settings.keep_sent_seconds)
    old = Q(sent=True, sent_at__lte=cutoff)
    if settings.relay == "external":
        old |= Q(recorded_at__lte=cutoff)
    events = OutboxEvent.objects.using(using)
    count = 0
    while ids := list(events.filter(old).order_by("id").values_list("id", flat=True)[:SLICE]):
        count += events.filter(old, id__in=ids).delete()[0]
    Relay.objects.using(using).filter(alive_until__lt=now(using) - timedelta(days=1)).delete()
    return count
