"""The backlog: unsent rows, read so that no key and no lane holds up another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connections

from ..databases import now
from .models import HeldKey, Lane, OutboxEvent

__all__ = ["busy_lanes", "oldest_first", "read"]


def read(using: str, token: UUID, limit: int) -> list[OutboxEvent]:
    """The next batch of the relay that holds ``token``: about ``limit`` rows, a share of each lane.

    Within a lane in the order of ids, always from the bottom: a lower id may commit late. Keys that
    are held and not due are left out.
    """
    lanes = busy_lanes(using, token)
    if not lanes:
        return []
    share = -(-limit // len(lanes))
    sql, parameters = _shares_sql(using, lanes, share)
    return oldest_first(list(OutboxEvent.objects.using(using).raw(sql, parameters)))


def oldest_first(rows: list[OutboxEvent]) -> list[OutboxEvent]:
    """Leave out what may not go in one batch: a key's first event goes alone.

    If its successors went with it and it were refused, a consumer could not see the hole.
    """
    alone: set[UUID] = set()
    batch = []
    for row in rows:
        if row.key_hash not in alone:
            batch.append(row)
            if row.first:
                alone.add(row.key_hash)
    return batch


def busy_lanes(using: str, token: UUID) -> list[int]:
    """Lanes of the token that have unsent rows: one probe of the index each."""
    connection = connections[using]
    quote = connection.ops.quote_name
    holder = Lane._meta.get_field("holder").get_db_prep_value(token, connection)
    sql = (
        f"SELECT l.number FROM {quote(Lane._meta.db_table)} l WHERE l.holder = %s AND EXISTS ("
        f"SELECT 1 FROM {quote(OutboxEvent._meta.db_table)} e WHERE e.lane = l.number AND {_unsent(using)})"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [holder])
        return [row[0] for row in cursor.fetchall()]


def _shares_sql(using: str, lanes: list[int], share: int) -> tuple[str, list[Any]]:
    """One arm for each lane, since one LIMIT over all would let a busy lane take the batch."""
    connection = connections[using]
    quote = connection.ops.quote_name
    events, held_keys = quote(OutboxEvent._meta.db_table), quote(HeldKey._meta.db_table)
    columns = ", ".join(f"e.{quote(str(field.column))}" for field in OutboxEvent._meta.concrete_fields)
    dead = "h.dead" if connection.vendor != "mysql" else "h.dead = 1"
    is_held = f"h.key_hash = e.key_hash AND ({dead} OR h.next_try_at > %s)"
    moment: Any = connection.ops.adapt_datetimefield_value(now(using))
    arms: list[str] = []
    parameters: list[Any] = []
    for lane in lanes:
        arms.append(
            f"SELECT * FROM (SELECT {columns} FROM {events} e WHERE {_unsent(using)} AND e.lane = %s"
            f" AND NOT EXISTS (SELECT 1 FROM {held_keys} h WHERE {is_held})"
            f" ORDER BY e.id LIMIT %s) AS lane_{lane}"
        )
        parameters += [lane, moment, share]
    return " UNION ALL ".join(arms), parameters


def _unsent(using: str) -> str:
    """The condition in the very form that the database's index on unsent rows needs."""
    return "e.sent = 0" if connections[using].vendor == "mysql" else "NOT e.sent"
