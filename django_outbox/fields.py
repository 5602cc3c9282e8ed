"""A column for an identity, see ``events.identity``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = ["HashField"]

if TYPE_CHECKING:
    _Field = models.Field[UUID, UUID]
else:
    _Field = models.Field  # subscripted for type checkers alone

_TYPES = {"postgresql": "uuid", "mysql": "binary(16)"}


class HashField(_Field):
    """Sixteen bytes of a hash, as a ``UUID`` in Python.

    No UUIDField: MariaDB's type for UUIDs refuses some values that are no UUIDs by the book.
    """

    description = "Hash of 16 bytes"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return _TYPES.get(connection.vendor, "char(32)")

    def to_python(self, value: Any) -> UUID | None:
        if value is None or isinstance(value, UUID):
            return value
        return UUID(bytes=bytes(value)) if isinstance(value, (bytes, memoryview)) else UUID(str(value))

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        found = self.to_python(value)
        if found is None or connection.vendor == "postgresql":
            return found
        return found.bytes if connection.vendor == "mysql" else found.hex

    def from_db_value(self, value: Any, expression: object, connection: BaseDatabaseWrapper) -> UUID | None:
        return self.to_python(value)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj))
