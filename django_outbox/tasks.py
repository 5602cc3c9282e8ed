"""The Celery tasks. Both are safe to run at any time, by any number of workers at once."""

from __future__ import annotations

from celery import shared_task

from .conf import get_settings
from .producer.aliases import outbox_aliases
from .producer.prune import prune
from .producer.service import drain_all

__all__ = ["prune_events", "publish_unsent"]


@shared_task(name="django_outbox.publish_unsent", ignore_result=True)
def publish_unsent() -> None:
    """Publish what is unsent and nobody else is publishing. The hint after a commit and the
    periodic retry are this one task; it returns at once when there is nothing to do."""
    if get_settings().relay == "internal":
        drain_all()


@shared_task(name="django_outbox.prune_events", ignore_result=True)
def prune_events() -> int:
    """Delete events that were sent ``KEEP_SENT_SECONDS`` ago; gives their number."""
    return sum(prune(alias) for alias in outbox_aliases())
