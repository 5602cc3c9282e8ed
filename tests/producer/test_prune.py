"""Pruning takes what was sent long ago, and nothing else."""

from datetime import timedelta

import pytest
from django.utils import timezone

from django_outbox import record_event
from django_outbox.producer import prune as pruning
from django_outbox.producer.models import HeldKey, OutboxEvent
from django_outbox.tasks import prune_events

pytestmark = pytest.mark.django_db(databases=["default", "other"])


def record(age_days: float, *, sent: bool) -> OutboxEvent:
    record_event("shop.product.seen", key="k", payload={})
    event = OutboxEvent.objects.order_by("id").last()
    assert event is not None
    moment = timezone.now() - timedelta(days=age_days)
    OutboxEvent.objects.filter(pk=event.pk).update(
        sent=sent, sent_at=moment if sent else None, recorded_at=moment
    )
    return event


def test_only_old_sent_rows_go(monkeypatch) -> None:
    """P2, trap 27: unsent rows and those of dead keys stay however old; slices are small."""
    monkeypatch.setattr(pruning, "SLICE", 2)
    for _ in range(5):
        record(8, sent=True)
    kept = [record(6, sent=True), record(100, sent=False)]
    HeldKey.objects.create(
        key_hash=kept[0].key_hash,
        topic="shop.product",
        key="k",
        next_try_at=timezone.now(),
        dead=True,
        error="x",
    )
    assert prune_events() == 5
    assert list(OutboxEvent.objects.order_by("id")) == kept


def test_history_need_not_be_kept(settings) -> None:
    """``KEEP_SENT_SECONDS`` 0 leaves nothing of what was sent."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "KEEP_SENT_SECONDS": 0}
    record(0, sent=True)
    unsent = record(0, sent=False)
    prune_events()
    assert list(OutboxEvent.objects.all()) == [unsent]


def test_with_an_external_relay_rows_go_by_their_age(settings) -> None:
    """Nobody marks them, so ``recorded_at`` counts."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "RELAY": "external"}
    record(8, sent=False)
    young = record(6, sent=False)
    assert prune_events() == 1
    assert list(OutboxEvent.objects.all()) == [young]
