"""The databases that have an outbox."""

from __future__ import annotations

from django.db import connections, router

from .models import OutboxEvent

__all__ = ["outbox_aliases"]


def outbox_aliases() -> list[str]:
    """The aliases whose routers allow the outbox's tables and that have them.

    Raises Django's ``OperationalError`` when a database does not answer.
    """
    found = []
    for alias in connections:
        mirror = connections[alias].settings_dict.get("TEST", {}).get("MIRROR")
        if mirror is None and router.allow_migrate_model(alias, OutboxEvent):
            with connections[alias].cursor() as cursor:
                if OutboxEvent._meta.db_table in connections[alias].introspection.table_names(cursor):
                    found.append(alias)
    return found
