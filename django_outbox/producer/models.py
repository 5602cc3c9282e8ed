"""The owner's tables. They live on every alias whose models are published."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..events import Event, uuid7
from ..fields import HashField


class OutboxEvent(models.Model):
    """One event. Written in the transaction of the change; ``sent`` once the broker has it.

    ``id`` is drawn under the key's lock, so within a key ids ascend with sequences. ``first`` marks
    the first event of its key in its epoch. Unsent rows have an index of their own, see
    ``migrations/_operations.py``.
    """

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(default=uuid7, editable=False)
    topic = models.CharField(max_length=249)
    key = models.TextField()
    key_hash = HashField()
    lane = models.PositiveSmallIntegerField()
    sequence = models.BigIntegerField()
    epoch = models.IntegerField()
    first = models.BooleanField()
    type = models.CharField(max_length=255)
    version = models.PositiveIntegerField(default=1)
    operation = models.CharField(max_length=16)
    payload = models.JSONField()
    headers = models.JSONField(default=dict)
    recorded_at = models.DateTimeField()
    sent = models.BooleanField(default=False)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("event")
        constraints = (
            models.UniqueConstraint(fields=["key_hash", "sequence"], name="outbox_event_sequence"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.key} #{self.sequence}"

    def as_event(self, service: str) -> Event:
        """The event as consumers will see it."""
        return Event(
            id=str(self.event_id),
            type=self.type,
            topic=self.topic,
            key=self.key,
            sequence=self.sequence,
            epoch=self.epoch,
            version=self.version,
            operation=self.operation,
            payload=self.payload,
            source=f"/{service}",
            time=self.recorded_at,
            headers=self.headers,
            snapshot=self.operation == "snapshot",
        )


class OutboxKey(models.Model):
    """The counter of a key. Its row's lock makes the order of sequences the order of commits.

    Outlives deletes, so that a key that is deleted and made again goes on counting.
    ``epoch_began`` is the sequence with which the key's epoch began.
    """

    key_hash = HashField(primary_key=True)
    topic = models.CharField(max_length=249)
    key = models.TextField()
    epoch = models.IntegerField()
    epoch_began = models.BigIntegerField()
    last_sequence = models.BigIntegerField()

    class Meta:
        verbose_name = _("key")

    def __str__(self) -> str:
        return f"{self.topic} {self.key} #{self.last_sequence}"


class OutboxTopic(models.Model):
    """A topic that this service owns, and its epoch. ``id`` is the identity of the name."""

    id = HashField(primary_key=True)
    name = models.CharField(max_length=249)
    owner = models.CharField(max_length=100)
    epoch = models.IntegerField(default=1)

    class Meta:
        verbose_name = _("topic")

    def __str__(self) -> str:
        return self.name


class HeldKey(models.Model):
    """A key in trouble. While its row is here and not due, the relay leaves the key out."""

    key_hash = HashField(primary_key=True)
    topic = models.CharField(max_length=249)
    key = models.TextField()
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    dead = models.BooleanField(default=False)
    error = models.TextField()

    class Meta:
        verbose_name = _("held key")

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"


class Relay(models.Model):
    """A running relay. It is alive until ``alive_until`` by the database's clock.

    ``standing`` relays share the lanes among themselves; a task's short one takes what is free.
    """

    token = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=255)
    standing = models.BooleanField()
    alive_until = models.DateTimeField()

    class Meta:
        verbose_name = _("relay")

    def __str__(self) -> str:
        return self.name


class Lane(models.Model):
    """One of the 64 lanes and the token of the relay that holds it."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    holder = models.UUIDField(null=True, blank=True)

    class Meta:
        verbose_name = _("lane")

    def __str__(self) -> str:
        return str(self.number)


class BackfillRun(models.Model):
    """The progress of a backfill: the rows up to ``cursor`` have their snapshot events."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        DONE = "done", _("done")

    model = models.CharField(max_length=255)
    cursor = models.TextField(blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.RUNNING)
    rate = models.PositiveIntegerField(null=True, blank=True, help_text=_("Rows a second, at most."))
    rows = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("backfill run")

    def __str__(self) -> str:
        return f"{self.model} {self.state}"
