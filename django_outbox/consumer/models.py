"""The consumer's tables. They live on the alias of the group."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..fields import HashField


class Position(models.Model):
    """Where a group stands in a partition; this, not Kafka, decides where a consumer resumes.

    ``id`` is the identity of group, topic and partition. ``topic_id`` is None where the broker has
    none.
    """

    id = HashField(primary_key=True)
    group = models.CharField(max_length=249)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    next_offset = models.BigIntegerField()
    cluster_id = models.CharField(max_length=255, null=True)  # noqa: DJ001 - None: not told yet
    topic_id = models.CharField(max_length=255, null=True)  # noqa: DJ001 - None: the broker has none
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("position")

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition} @{self.next_offset}"


class ConsumerKey(models.Model):
    """What a group knows of a key: duplicate filter, version guard and tombstone at once.

    ``id`` is the identity of group, topic and the key's bytes. ``epoch`` and ``sequence`` are those
    of the last event handled or skipped, never of the last one seen; None for foreign messages.
    """

    id = HashField(primary_key=True)
    group = models.CharField(max_length=249)
    topic = models.CharField(max_length=249)
    key = models.TextField()
    source = models.CharField(max_length=255, blank=True)
    epoch = models.IntegerField(null=True)
    sequence = models.BigIntegerField(null=True)
    event_id = models.CharField(max_length=255, blank=True)
    parked = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("consumer key")

    def __str__(self) -> str:
        return f"{self.group} {self.topic} {self.key} #{self.sequence}"


class ParkedMessage(models.Model):
    """A message that could not be handled, or that waits behind one, with its bytes.

    ``waiting``: is tried again at ``next_try_at`` (set on the first of its key alone).
    ``failed``: an operator decides. ``missing``: a number that was given up; no bytes yet.
    ``skipped``: passed over, kept as a record. ``unusable``: cannot be read as an event of a key.
    ``key_row`` is None for unusable messages alone.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        FAILED = "failed", _("failed")
        MISSING = "missing", _("missing")
        SKIPPED = "skipped", _("skipped")
        UNUSABLE = "unusable", _("unusable")

    id = models.BigAutoField(primary_key=True)
    group = models.CharField(max_length=249)
    key_row = models.ForeignKey(ConsumerKey, models.PROTECT, null=True, related_name="messages")
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    epoch = models.IntegerField(null=True)
    sequence = models.BigIntegerField(null=True)
    event_id = models.CharField(max_length=255, blank=True)
    type = models.CharField(max_length=255, blank=True)
    message_key = models.BinaryField(null=True)
    message_value = models.BinaryField(null=True)
    message_headers = models.BinaryField(default=bytes)
    state = models.CharField(max_length=16, choices=State)
    error = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    release_offset = models.BigIntegerField(
        null=True, help_text=_("The end of the partition when the wait at a hole ended.")
    )
    parked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("parked message")
        indexes = (
            models.Index(fields=["key_row", "epoch", "sequence"], name="outbox_parked_order"),
            models.Index(fields=["next_try_at"], name="outbox_parked_due"),
        )

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset} {self.state}"


class WaitingChild(models.Model):
    """The newest event of a replica's row whose parent is not there yet.

    ``parent`` is the identity of group, topic and key of the parent that it waits for.
    """

    id = models.BigAutoField(primary_key=True)
    key_row = models.OneToOneField(ConsumerKey, models.PROTECT, related_name="waiting_child")
    parent = HashField(db_index=True)
    replica = models.CharField(max_length=255)
    epoch = models.IntegerField()
    sequence = models.BigIntegerField()
    message_key = models.BinaryField()
    message_value = models.BinaryField()
    message_headers = models.BinaryField(default=bytes)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("waiting child")
        verbose_name_plural = _("waiting children")

    def __str__(self) -> str:
        return f"{self.replica} #{self.sequence}"
