"""Contracts: which JSON Schema a payload of an event type and version must fit.

A schema comes from ``schemas/<type>.v<N>.json`` of an installed app, or is registered by the
owner's wing, which derives it from the model. Where there is none, any JSON will do. Validators
are built once. With the extra ``fast`` jsonschema-rs gives the verdict and jsonschema the words.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

from .events import Event
from .exceptions import PayloadInvalid

jsonschema_rs: Any
try:
    import jsonschema_rs
except ImportError:  # the extra "fast" is not installed
    jsonschema_rs = None

__all__ = ["check_payload", "check_received", "register", "reset", "schema_of", "schema_problems"]

Schema = dict[str, Any]
_registered: dict[tuple[str, int], Callable[[], Schema | None]] = {}


def register(type: str, version: int, schema: Callable[[], Schema | None]) -> None:
    """Name the schema of a type and version; a file of an app goes before it. Called once, lazily."""
    _registered[type, version] = schema
    reset()


def reset() -> None:
    """Forget what was built; files are read again."""
    for cached in (schema_of, _files, _validator):
        cached.cache_clear()


@cache
def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for app in reversed(list(apps.get_app_configs())):  # the first installed app wins
        found.update({path.stem: path for path in Path(app.path, "schemas").glob("*.v*.json")})
    return found


@cache
def schema_of(type: str, version: int) -> Schema | None:
    """The schema of a type and version, or None. Raises ``PayloadInvalid`` for a broken file."""
    path = _files().get(f"{type}.v{version}")
    if path is not None:
        return _read(path)
    registered = _registered.get((type, version))
    return registered() if registered else None


def _read(path: Path) -> Schema:
    try:
        schema: Schema = json.loads(path.read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
    except (ValueError, SchemaError) as error:
        reason = error.message if isinstance(error, SchemaError) else str(error)
        raise PayloadInvalid(f"{path} is no JSON Schema (2020-12): {reason}") from error
    return schema


def schema_problems() -> list[str]:
    """What is wrong with the schema files of the installed apps; a sentence each."""
    found = []
    for path in _files().values():
        try:
            _read(path)
        except PayloadInvalid as error:
            found.append(str(error))
    return found


@cache
def _validator(type: str, version: int) -> Callable[[Any], str | None] | None:
    schema = schema_of(type, version)
    if schema is None:
        return None
    slow = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    fast = (
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        if jsonschema_rs is not None
        else None
    )

    def complaint(payload: Any) -> str | None:
        if fast is not None and fast.is_valid(payload):
            return None
        error = best_match(slow.iter_errors(payload))
        if error is not None:
            return f"at {error.json_path}: {error.message}"
        return None if fast is None else next(f"{e.message}" for e in fast.iter_errors(payload))

    return complaint


def check_payload(type: str, version: int, payload: Any) -> None:
    """Raises ``PayloadInvalid`` when ``payload`` does not fit the schema of the type, if it has one."""
    validator = _validator(type, version)
    complaint = validator(payload) if validator else None
    if complaint is not None:
        raise PayloadInvalid(
            f"The payload of {type} (version {version}) does not fit its schema {complaint}. "
            f"Mend the value, or change the schema in schemas/{type}.v{version}.json and raise the version."
        )


def check_received(event: Event) -> None:
    """The same for an event that was received; markers of skipped events carry nothing to check."""
    if event.operation != "skipped":
        check_payload(event.type, event.version, event.payload)
