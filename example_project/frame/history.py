"""A history of what a service received, on purpose without any protection of its own.

A line is appended for each call: an event that was handled twice would show twice.
"""

from django.db import models
from django.utils import timezone

from django_outbox import Event

__all__ = ["History"]


class History(models.Model):
    """One line for each event that a handler got."""

    event_id = models.CharField(max_length=64, db_index=True)
    type = models.CharField(max_length=100)
    key = models.CharField(max_length=100, db_index=True)
    sequence = models.BigIntegerField(null=True)
    text = models.CharField(max_length=500)
    recorded_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.type} {self.key}"

    @classmethod
    def append(cls, event: Event, text: str) -> None:
        """Write the line of ``event``; must run in the handler's transaction."""
        cls._default_manager.create(
            event_id=event.id,
            type=event.type,
            key=event.key,
            sequence=event.sequence,
            text=text[:500],
            recorded_at=event.time,
        )
