"""Which models are public, and what of them: ``class Outbox`` read into a ``Publication``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.core.signals import setting_changed
from django.db import models
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from ..conf import get_settings, nearest
from ..exceptions import PublicationError

__all__ = [
    "Publication",
    "declare",
    "declared",
    "is_topic",
    "problems",
    "publication_of",
    "publications",
    "publications_of",
]

OPTIONS = ("topic", "key", "fields", "version", "schema", "partitions", "retention_seconds", "compacted")
_declared: dict[type[models.Model], Mapping[str, Any]] = {}


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What a model publishes. ``key`` and ``fields`` are names of its fields."""

    model: type[models.Model]
    topic: str
    key: str
    fields: tuple[str, ...]
    version: int = 1
    schema: Mapping[str, Any] | None = None
    partitions: int | None = None
    retention_seconds: int | None = None
    compacted: bool = False

    @property
    def label(self) -> str:
        return self.model._meta.label

    def field(self, name: str) -> models.Field[Any, Any]:
        found = self.model._meta.pk if name == "pk" else self.model._meta.get_field(name)
        assert isinstance(found, models.Field)
        return found

    @property
    def key_field(self) -> models.Field[Any, Any]:
        return self.field(self.key)

    @property
    def columns(self) -> dict[str, models.Field[Any, Any]]:
        """The published fields, by their names in the payload."""
        return {name: self.field(name) for name in self.fields}

    @property
    def attnames(self) -> tuple[str, ...]:
        """What must be read of a row for its key and payload."""
        return tuple(dict.fromkeys([self.key_field.attname, *(f.attname for f in self.columns.values())]))


def declare(model: type[models.Model], options: Mapping[str, Any]) -> None:
    """Remember that ``model`` is published with ``options``, which are judged later, by checks."""
    _declared[model] = dict(options)
    _forget()


def declared() -> tuple[type[models.Model], ...]:
    return tuple(_declared)


@cache
def publications() -> tuple[Publication, ...]:
    """Every publication that can be used; the others are errors of ``manage.py check``."""
    return tuple(_build(model) for model in _declared if not problems(model))


@cache
def publication_of(model: type[models.Model]) -> Publication | None:
    """The publication of the model's own table; None where it is not published.

    Raises ``PublicationError`` with everything that is wrong with its ``class Outbox``.
    """
    concrete = model._meta.concrete_model or model
    if concrete not in _declared:
        return None
    found = problems(concrete)
    if found:
        raise PublicationError("\n".join(found))
    return _build(concrete)


def publications_of(model: type[models.Model]) -> list[Publication]:
    """Those of the model and of its published parents (multi-table inheritance)."""
    concrete = model._meta.concrete_model or model
    tables = [concrete, *concrete._meta.all_parents]
    return [found for table in tables if (found := publication_of(table))]


def _build(model: type[models.Model]) -> Publication:
    options = dict(_declared[model])
    pk = model._meta.pk
    assert pk is not None
    options.setdefault("topic", f"{get_settings().service}.{model._meta.model_name}")
    options.setdefault("key", pk.name)
    return Publication(**{**options, "fields": tuple(options["fields"]), "model": model})


def problems(model: type[models.Model]) -> list[str]:
    """What is wrong with ``class Outbox`` of ``model``; a sentence each."""
    options = _declared[model]
    where = f"{model._meta.label}.Outbox"
    found = [
        f"{where} has an unknown option {name!r}; {nearest(name, list(OPTIONS))}"
        for name in options
        if name not in OPTIONS
    ]
    fields = options.get("fields")
    if not isinstance(fields, (list, tuple)) or not fields:
        found.append(f"{where} needs 'fields', a list of the names that are public, not {fields!r}.")
        fields = []
    names = [("fields", name) for name in fields]
    if "key" in options:
        names.append(("key", options["key"]))
    for option, name in names:
        found += _field_problems(model, where, option, name)
    found += _value_problems(where, options)
    return found


def _field_problems(model: type[models.Model], where: str, option: str, name: Any) -> list[str]:
    known = [field.name for field in model._meta.get_fields() if isinstance(field, models.Field)]
    try:
        if not isinstance(name, str):
            raise FieldDoesNotExist
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return [
            f"{where}.{option} names {name!r}, which is no field of the model; {nearest(str(name), known)}"
        ]
    reason = _column_reason(model, field)
    if not reason and option == "key" and isinstance(field, models.Field):
        reason = _key_reason(field)
    return [f"{where}.{option} names {name!r}, {reason}"] if reason else []


def _column_reason(model: type[models.Model], field: Any) -> str:
    """Why the field cannot be published, or nothing."""
    if not isinstance(field, models.Field) or field.many_to_many:
        return "which is no column of the table; name a column."
    if field.model is not model and field.model._meta.concrete_model is not model:
        owner = field.model._meta.label
        return f"a column of {owner}: writes there would not be seen here. Publish that model as well."
    return ""


def _key_reason(field: models.Field[Any, Any]) -> str:
    """Why the field cannot be the key, or nothing."""
    if getattr(field, "generated", False) or isinstance(field, models.JSONField):
        return "which is computed or JSON: name a plain column that never changes."
    if not field.unique:
        return "which is not unique: two rows would share one key. Add unique=True."
    if field.null:
        return "which may be null: every event needs a key."
    return ""


def _value_problems(where: str, options: Mapping[str, Any]) -> list[str]:
    found = []
    topic = options.get("topic")
    if topic is not None and not is_topic(topic):
        found.append(f"{where}.topic must be 1 to 230 letters, digits, '.', '_' or '-', not {topic!r}.")
    for name in ("version", "partitions", "retention_seconds"):
        value = options.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            found.append(f"{where}.{name} must be a whole number from 1 on, not {value!r}.")
    schema = options.get("schema")
    if schema is not None:
        found += _schema_problems(where, schema)
    if not isinstance(options.get("compacted", False), bool):
        found.append(f"{where}.compacted must be True or False, not {options['compacted']!r}.")
    return found


def _schema_problems(where: str, schema: object) -> list[str]:
    if not isinstance(schema, Mapping):
        return [f"{where}.schema must be a dict, a JSON Schema, not {schema!r}."]
    try:
        Draft202012Validator.check_schema(dict(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)
    except SchemaError as error:
        return [f"{where}.schema is no JSON Schema (2020-12): {error.message} at {error.json_path}."]
    return []


def is_topic(value: object) -> bool:
    """Kafka's rule for names; 230 leaves room for the type's last word."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= 230
        and value.isascii()
        and all(c.isalnum() or c in "._-" for c in value)
        and value not in (".", "..")
    )


def _forget() -> None:
    publication_of.cache_clear()
    publications.cache_clear()


def _reset(*, setting: str, **_: object) -> None:
    if setting == "DJANGO_OUTBOX":
        _forget()


setting_changed.connect(_reset, dispatch_uid="django_outbox.publications")
