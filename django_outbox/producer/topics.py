"""The rows of the topics that this service owns: who owns them, and which epoch it is."""

from __future__ import annotations

from django.db import connections

from ..conf import get_settings
from ..databases import share_lock
from ..events import identity
from ..exceptions import RecordError
from .models import OutboxTopic
from .publications import publications

__all__ = ["epoch_of", "make_topic_rows"]


def epoch_of(topic: str, using: str) -> int:
    """The epoch of a topic, read so that nobody raises it before this transaction ends.

    Raises ``RecordError`` when another service owns the topic.
    """
    found = _read(topic, using)
    if found is None:  # a topic that no model declares, or a table emptied since post_migrate
        _make([topic], using)
        found = _read(topic, using)
    assert found is not None
    owner, epoch = found
    if owner != get_settings().service:
        raise RecordError(
            f"The topic {topic} belongs to {owner!r}; this service is {get_settings().service!r}. "
            "Only the owner of a topic records its events."
        )
    return epoch


def _read(topic: str, using: str) -> tuple[str, int] | None:
    connection = connections[using]
    table = connection.ops.quote_name(OutboxTopic._meta.db_table)
    key = OutboxTopic._meta.pk.get_db_prep_value(identity(topic), connection)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT owner, epoch FROM {table} WHERE id = %s{share_lock(using)}", [key])
        row = cursor.fetchone()
    return None if row is None else (row[0], row[1])


def make_topic_rows(using: str) -> None:
    """Make the rows of every declared topic, so that first writers do not queue behind one commit."""
    _make(sorted({publication.topic for publication in publications()}), using)


def _make(topics: list[str], using: str) -> None:
    owner = get_settings().service
    rows = [OutboxTopic(id=identity(name), name=name, owner=owner) for name in topics]
    OutboxTopic.objects.using(using).bulk_create(rows, ignore_conflicts=True)
