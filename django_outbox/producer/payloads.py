"""What of a row goes into a payload, and the schema that such a payload fits."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.duration import duration_iso_string
from django.utils.functional import Promise

from ..exceptions import PayloadInvalid, RecordError
from .publications import Publication, publication_of

__all__ = ["derive_schema", "key_of", "payload_of", "plain"]


def payload_of(publication: Publication, row: Mapping[str, Any], using: str) -> dict[str, Any]:
    """The payload of a row, given as its values by attname: exactly the published names."""
    return {
        name: plain(_value(field, row[field.attname], using)) for name, field in publication.columns.items()
    }


def key_of(publication: Publication, row: Mapping[str, Any], using: str) -> str:
    """The key of a row as text. Raises ``RecordError`` when it has none."""
    field = publication.key_field
    value = plain(_value(field, row[field.attname], using))
    text = value if isinstance(value, str) else "" if value is None else str(value)
    if not text or "\0" in text:
        raise RecordError(
            f"A row of {publication.label} has no usable key: {publication.key} is {value!r}. "
            "Give the field a value before the row is saved."
        )
    return text


def _value(field: models.Field[Any, Any], value: Any, using: str) -> Any:
    if value is None:
        return None
    if isinstance(field, models.ForeignKey):
        return _key_of_target(field, value, using)
    value = field.to_python(value)
    if isinstance(field, models.DecimalField):
        return value.quantize(Decimal(1).scaleb(-field.decimal_places))
    if isinstance(value, datetime) and settings.USE_TZ:
        aware = timezone.make_aware(value) if timezone.is_naive(value) else value
        return aware.astimezone(UTC)  # as it comes back from the database
    return value


def _key_of_target(field: models.ForeignKey[Any, Any], value: Any, using: str) -> Any:
    """The key of the published row that a foreign key points at; else the stored value."""
    target = field.target_field
    published = publication_of(field.related_model)
    if published is None or published.key_field == target:
        return _value(target, value, using)
    manager = published.model._base_manager.using(using)
    return manager.values_list(published.key, flat=True).get(**{target.attname: value})


def plain(value: Any, path: str = "$") -> Any:
    """``value`` in JSON's own types.

    UUID, Decimal, dates and durations become text (ISO 8601, datetimes with zone and
    microseconds), bytes base64. Raises ``PayloadInvalid`` with the place of what has no form.
    """
    if value is None or (isinstance(value, (bool, int, float)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return plain(value.value, path)
    if isinstance(value, (str, Promise)):
        return _text(str(value), path)
    if isinstance(value, Mapping):
        return {_name(key, path): plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    return _scalar(value, path)


def _scalar(value: Any, path: str) -> str:
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_iso_string(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, models.fields.files.FieldFile):
        return value.name or ""
    raise PayloadInvalid(
        f"A payload cannot hold {value!r} ({type(value).__name__}) at {path}; expected text, numbers, "
        "booleans, None, lists, dicts, dates, UUID, Decimal or bytes."
    )


def _text(value: str, path: str) -> str:
    if "\0" in value or (not value.isprintable() and _has_surrogate(value)):
        raise PayloadInvalid(
            f"A payload cannot hold a NUL or half a surrogate pair: the text at {path} has one."
        )
    return value


def _has_surrogate(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def _name(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise PayloadInvalid(f"A payload's names must be text; {path} has {key!r} ({type(key).__name__}).")
    return _text(key, path)


_TYPES: tuple[tuple[type[models.Field[Any, Any]], dict[str, Any]], ...] = (
    (models.BooleanField, {"type": "boolean"}),
    (models.IntegerField, {"type": "integer"}),
    (models.FloatField, {"type": "number"}),
    (models.DecimalField, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
    (models.UUIDField, {"type": "string", "format": "uuid"}),
    (models.DateTimeField, {"type": "string", "format": "date-time"}),
    (models.DateField, {"type": "string", "format": "date"}),
    (models.TimeField, {"type": "string"}),
    (models.DurationField, {"type": "string"}),
    (models.BinaryField, {"type": "string", "contentEncoding": "base64"}),
    (models.CharField, {"type": "string"}),
    (models.TextField, {"type": "string"}),
    (models.FileField, {"type": "string"}),
    (models.GenericIPAddressField, {"type": "string"}),
)


def derive_schema(publication: Publication) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a publication's payload, from the model's fields."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{publication.topic} version {publication.version}",
        "type": "object",
        "properties": {name: _field_schema(field) for name, field in publication.columns.items()},
        "required": list(publication.fields),
        "additionalProperties": False,
    }


def _field_schema(field: models.Field[Any, Any]) -> dict[str, Any]:
    nullable = field.null
    while isinstance(field, models.ForeignKey):
        published = publication_of(field.related_model)
        field = published.key_field if published else field.target_field
    schema = next((dict(found) for kind, found in _TYPES if isinstance(field, kind)), {})
    if isinstance(field, models.CharField) and field.max_length:
        schema["maxLength"] = field.max_length
    if nullable and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema
