"""A migration operation that Django has no word for."""

from __future__ import annotations

from typing import Any

from django.db.migrations.operations.base import Operation


class AddUnsentIndex(Operation):
    """The index by which relays find unsent rows.

    Partial where the database has partial indexes. Elsewhere Django would silently make a full
    index on (lane, id), which grows with the history of what was sent; there ``sent`` leads.
    """

    name = "outbox_event_unsent"
    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The index is no part of the model's state."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if not self.allowed(app_label, schema_editor):
            return
        quote = schema_editor.quote_name
        table = quote(to_state.apps.get_model(app_label, "OutboxEvent")._meta.db_table)
        if schema_editor.connection.features.supports_partial_indexes:
            columns, where = "(lane, id)", " WHERE NOT sent"
        else:
            columns, where = "(sent, lane, id)", ""
        schema_editor.execute(f"CREATE INDEX {quote(self.name)} ON {table} {columns}{where}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if not self.allowed(app_label, schema_editor):
            return
        quote = schema_editor.quote_name
        on = ""
        if schema_editor.connection.vendor == "mysql":
            on = " ON " + quote(from_state.apps.get_model(app_label, "OutboxEvent")._meta.db_table)
        schema_editor.execute(f"DROP INDEX {quote(self.name)}{on}")

    def allowed(self, app_label: str, schema_editor: Any) -> bool:
        from django.db import router

        return router.allow_migrate(schema_editor.connection.alias, app_label)

    def describe(self) -> str:
        return "Create the index of unsent events"
