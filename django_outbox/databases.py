"""What differs from database to database, and what Django has no word for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.utils import timezone

__all__ = ["end_idle_transactions", "is_transient", "now", "share_lock"]

# PostgreSQL's classes: connection, rollback by the server, resources, shutdown; 55P03 lock timeout.
_POSTGRESQL_CLASSES = ("08", "40", "53", "57", "55P03", "25P03")
_MYSQL_CODES = {
    1040,
    1053,
    1077,
    1080,
    1158,
    1159,
    1160,
    1161,
    1203,
    1205,
    1213,
    1927,
    2002,
    2003,
    2006,
    2013,
    4031,
}


def now(using: str) -> datetime:
    """The database's clock, which all processes share. SQLite has none but this machine's."""
    connection = connections[using]
    if connection.vendor == "sqlite":
        return timezone.now()
    expression = "clock_timestamp()" if connection.vendor == "postgresql" else "UTC_TIMESTAMP(6)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}")
        value: datetime = cursor.fetchone()[0]
    return value if timezone.is_aware(value) else value.replace(tzinfo=timezone.get_fixed_timezone(0))


def share_lock(using: str) -> str:
    """The clause that reads rows so that nobody changes them before the transaction ends."""
    return {"postgresql": " FOR SHARE", "mysql": " LOCK IN SHARE MODE"}.get(connections[using].vendor, "")


def end_idle_transactions(using: str, seconds: float) -> None:
    """Let the server end this transaction when it idles longer than ``seconds``.

    So a frozen process does not keep its locks. Must run inside the transaction. SQLite has no
    server that could do it; MySQL knows a time-out for the whole session only.
    """
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT set_config('idle_in_transaction_session_timeout', %s, true)",
                [f"{int(seconds * 1000)}"],
            )
        elif connection.vendor == "mysql":
            name = (
                "idle_transaction_timeout"
                if getattr(connection, "mysql_is_mariadb", False)
                else "wait_timeout"
            )
            cursor.execute(f"SET SESSION {name} = %s", [max(1, int(seconds))])


def is_transient(error: BaseException, using: str) -> bool:
    """Whether the same statements may succeed when they are run again.

    True for a lost connection, a deadlock, a lock that was not had in time, a server that is
    stopping or full; false for what the statements themselves brought about.
    """
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, DatabaseError):
        return False
    cause: Any = error.__cause__ or error
    vendor = connections[using].vendor
    if vendor == "postgresql":
        return _postgresql_is_transient(error, getattr(cause, "sqlstate", None))
    if vendor == "mysql":
        return bool(error.args) and error.args[0] in _MYSQL_CODES
    return isinstance(error, OperationalError) and ("locked" in str(error) or "busy" in str(error))


def _postgresql_is_transient(error: DatabaseError, state: str | None) -> bool:
    if state is None:  # psycopg raises a lost connection without a state
        return isinstance(error, OperationalError)
    return state.startswith(_POSTGRESQL_CLASSES) and state != "57014"
