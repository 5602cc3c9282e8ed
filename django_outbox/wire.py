"""CloudEvents 1.0 in Kafka's binary mode: an event as a message, and a message as an event.

Source of the rules: CloudEvents specification 1.0.2, its Kafka protocol binding and the
documented extensions ``sequence``, ``partitionkey`` and ``traceparent``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from .brokers.base import Header, Message
from .events import Event
from .exceptions import MessageUnusable

__all__ = ["dataschema", "decode_headers", "dump", "encode_headers", "event_of", "key_text", "message_of"]

_VERSION = re.compile(r"[:/.]v(\d+)(?:\.json)?$")
_OWN = ("ce_", "content-type")


def dump(payload: Any) -> bytes:
    """``payload`` as compact JSON. Raises ``TypeError`` or ``ValueError`` for what JSON has no form for."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def dataschema(type: str, version: int) -> str:
    """The absolute URI that names the schema of an event type in one version."""
    return f"urn:django-outbox:schema:{type}:v{version}"


def message_of(event: Event) -> Message:
    """The message that carries ``event``, which comes from our own outbox."""
    fields = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": event.source,
        "ce_type": event.type,
        "ce_time": event.time.isoformat() if event.time else None,
        "ce_subject": event.key,
        "ce_sequence": f"{event.sequence:019d}",
        "ce_partitionkey": event.key,
        "ce_dataschema": dataschema(event.type, event.version),
        "ce_epoch": str(event.epoch),
        "ce_operation": event.operation,
        "content-type": "application/json",
        **event.headers,
    }
    headers = tuple((name, value.encode()) for name, value in fields.items() if value is not None)
    return Message(event.topic, event.key.encode(), dump(event.payload), headers)


def event_of(message: Message) -> Event:
    """The event that ``message`` carries.

    A foreign CloudEvent has no sequence. A message without CloudEvents headers becomes an event
    of type ``<topic>.message``. Raises ``MessageUnusable`` when there is no key or no value, when
    the value is no JSON, or when a header that should be a number or a time is none.
    """
    if not message.key:
        raise MessageUnusable(f"A message of {message.topic} has no key; expected the key of its row.")
    if message.value is None:
        raise MessageUnusable(f"A message of {message.topic} has no value; expected JSON.")
    headers = {name.lower(): _text(value) for name, value in message.headers if value is not None}
    sequence = _number(headers, "ce_sequence")
    type_ = headers.get("ce_type") or f"{message.topic}.message"
    operation = headers.get("ce_operation") or _operation(type_, sequence)
    return Event(
        id=headers.get("ce_id")
        or headers.get("id")
        or f"{message.topic}/{message.partition}/{message.offset}",
        type=type_,
        topic=message.topic,
        key=key_text(message.key),
        sequence=sequence,
        epoch=None if sequence is None else _number(headers, "ce_epoch") or 1,
        version=_version(headers.get("ce_dataschema", "")),
        operation=operation,
        payload=_payload(message),
        source=headers.get("ce_source", ""),
        time=_time(headers.get("ce_time")),
        headers={name: value for name, value in headers.items() if not name.startswith(_OWN)},
        snapshot=operation == "snapshot",
    )


def key_text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _payload(message: Message) -> Any:
    assert message.value is not None
    try:
        return json.loads(message.value, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MessageUnusable(
            f"The value of {message.topic}/{message.partition}/{message.offset} is no JSON: {error}. "
            "Its bytes are kept; mend the producer, then skip or retry it."
        ) from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _number(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 19 and int(value) < 2**63):
        raise MessageUnusable(f"The header {name} must be a whole number below 2**63, not {value!r}.")
    return int(value)


def _time(value: str | None) -> datetime | None:
    """The time in UTC. Numbers are Debezium's forms: milli- or microseconds since 1970."""
    if value is None:
        return None
    try:
        if value.isascii() and value.isdigit() and len(value) <= 17:
            return datetime.fromtimestamp(int(value) / (1_000_000 if len(value) > 14 else 1_000), UTC)
        parsed = parse_datetime(value)
        if parsed is not None and timezone.is_aware(parsed):
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass  # said below, with the value
    raise MessageUnusable(f"The header ce_time must be an RFC 3339 time with its zone, not {value[:100]!r}.")


def _version(uri: str) -> int:
    found = _VERSION.search(unquote(uri))
    return int(found[1]) if found else 1


def _operation(type_: str, sequence: int | None) -> str:
    word = type_.rpartition(".")[2]
    return (
        word
        if sequence is not None and word in ("created", "updated", "deleted", "snapshot", "skipped")
        else "fact"
    )


def encode_headers(headers: tuple[Header, ...]) -> bytes:
    """Headers as bytes that hold any header, for a binary column."""
    latin = [[name, None if value is None else value.decode("latin-1")] for name, value in headers]
    return json.dumps(latin).encode()


def decode_headers(encoded: bytes) -> tuple[Header, ...]:
    """The headers that ``encode_headers`` was given."""
    return tuple(
        (name, None if value is None else value.encode("latin-1"))
        for name, value in json.loads(bytes(encoded))
    )
