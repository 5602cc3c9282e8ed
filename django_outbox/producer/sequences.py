"""The counter of each key: gapless, drawn under the key's lock in the business transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections

from .models import OutboxKey

__all__ = ["Demand", "Drawn", "draw"]


class Demand(NamedTuple):
    """How many numbers a key needs, and the epoch of its topic."""

    topic: str
    key: str
    epoch: int
    numbers: int


class Drawn(NamedTuple):
    """The last of the numbers drawn, and the number with which the key's epoch began."""

    last: int
    epoch_began: int


def draw(demands: Mapping[UUID, Demand], using: str) -> dict[UUID, Drawn]:
    """Draw numbers for many keys in one statement and keep their rows locked until the commit.

    Keys are taken in the order of their hashes, so two transactions never wait for each other.
    """
    connection = connections[using]
    if connection.vendor == "mysql" and not getattr(connection, "mysql_is_mariadb", False):
        return _draw_and_read(demands, using)
    sql, parameters = _upsert(demands, using)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} RETURNING key_hash, last_sequence, epoch_began", parameters)
        hash_of = OutboxKey._meta.pk.to_python
        return {hash_of(row[0]): Drawn(row[1], row[2]) for row in cursor.fetchall()}


def _draw_and_read(demands: Mapping[UUID, Demand], using: str) -> dict[UUID, Drawn]:
    """MySQL has no RETURNING; the rows are ours by now, so reading them is safe."""
    sql, parameters = _upsert(demands, using)
    with connections[using].cursor() as cursor:
        cursor.execute(sql, parameters)
    rows = OutboxKey.objects.using(using).select_for_update().filter(pk__in=demands)
    return {row.key_hash: Drawn(row.last_sequence, row.epoch_began) for row in rows}


def _upsert(demands: Mapping[UUID, Demand], using: str) -> tuple[str, list[Any]]:
    connection = connections[using]
    table = connection.ops.quote_name(OutboxKey._meta.db_table)
    key_column = connection.ops.quote_name("key")
    values, parameters = [], []
    for key_hash in sorted(demands):
        demand = demands[key_hash]
        values.append("(%s, %s, %s, %s, 1, %s)")
        hash_value = OutboxKey._meta.pk.get_db_prep_value(key_hash, connection)
        parameters += [hash_value, demand.topic, demand.key, demand.epoch, demand.numbers]
    columns = f"(key_hash, topic, {key_column}, epoch, epoch_began, last_sequence)"
    conflict = _ON_DUPLICATE if connection.vendor == "mysql" else _ON_CONFLICT.format(table=table)
    return f"INSERT INTO {table} {columns} VALUES {', '.join(values)} {conflict}", parameters


# MySQL assigns from left to right, so what depends on the old epoch and number comes first.
_ON_DUPLICATE = (
    "ON DUPLICATE KEY UPDATE"
    " epoch_began = IF(epoch < VALUES(epoch), last_sequence + 1, epoch_began),"
    " epoch = GREATEST(epoch, VALUES(epoch)),"
    " last_sequence = last_sequence + VALUES(last_sequence)"
)
_ON_CONFLICT = (
    "ON CONFLICT (key_hash) DO UPDATE SET"
    " epoch_began = CASE WHEN {table}.epoch < excluded.epoch"
    " THEN {table}.last_sequence + 1 ELSE {table}.epoch_began END,"
    " epoch = CASE WHEN {table}.epoch < excluded.epoch THEN excluded.epoch ELSE {table}.epoch END,"
    " last_sequence = {table}.last_sequence + excluded.last_sequence"
)
