"""The settings: one dict, ``DJANGO_OUTBOX``, read lazily into one frozen object."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from .exceptions import SettingsError

__all__ = ["Settings", "get_settings", "nearest", "problems"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``DJANGO_OUTBOX`` with its defaults. The names are those of the dict in lower case."""

    service: str
    kafka: Mapping[str, Any] = field(default_factory=dict)
    broker: str = "kafka"
    relay: str = "internal"
    wake_up: bool = True
    max_event_bytes: int = 900_000
    keep_sent_seconds: int = 604_800
    hole_wait_seconds: float = 60
    handler_seconds: float = 60
    max_attempts: int = 10
    peers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    relay_batch_events: int = 500
    relay_token_seconds: float = 15
    publish_seconds: float = 10
    idle_poll_seconds: float = 0.25
    sweep_seconds: int = 10
    prune_seconds: int = 600
    consume_batch_events: int = 500
    consume_batch_seconds: float = 5


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "Mapping[str, Any]": (Mapping,),
    "Mapping[str, Mapping[str, str]]": (Mapping,),
}
_WORDS = {"broker": ("kafka", "memory"), "relay": ("internal", "external")}
_MAY_BE_ZERO = {"keep_sent_seconds", "hole_wait_seconds"}


def nearest(name: str, known: list[str]) -> str:
    """``"; did you mean 'X'?"`` for the known name closest to ``name``, else the known names."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."


def problems(raw: object) -> list[str]:
    """Everything that is wrong with ``raw``, the value of ``DJANGO_OUTBOX``; a sentence each."""
    if not isinstance(raw, Mapping):
        return [f"DJANGO_OUTBOX must be a dict such as {{'SERVICE': 'shop'}}, not {raw!r}."]
    known = {f.name.upper(): f for f in fields(Settings)}
    found = [
        f"DJANGO_OUTBOX has an unknown setting {name!r}; {nearest(str(name).upper(), list(known))}"
        for name in raw
        if name not in known
    ]
    for name, spec in known.items():
        if name in raw:
            found += _value_problems(name, str(spec.type), raw[name])
        elif spec.default is MISSING and spec.default_factory is MISSING:
            found.append(f"DJANGO_OUTBOX needs {name!r}: the name of this service, such as 'shop'.")
    return found or _relation_problems(raw)


def _relation_problems(raw: Mapping[str, Any]) -> list[str]:
    token = raw.get("RELAY_TOKEN_SECONDS", Settings.relay_token_seconds)
    publish = raw.get("PUBLISH_SECONDS", Settings.publish_seconds)
    if publish > token - 2:
        sentence = (
            f"DJANGO_OUTBOX['RELAY_TOKEN_SECONDS'] ({token}) must exceed 'PUBLISH_SECONDS' ({publish}) by 2 "
            "at least, so that a relay holds its lanes while it waits for the broker."
        )
        return [sentence]
    return []


def _value_problems(name: str, kind: str, value: object) -> list[str]:
    expected = _KINDS[kind]
    if not isinstance(value, expected) or (isinstance(value, bool) and kind != "bool"):
        names = " or ".join(t.__name__.lower() for t in expected)
        return [f"DJANGO_OUTBOX[{name!r}] must be of type {names}, not {value!r}."]
    words = _WORDS.get(name.lower())
    if words and value not in words:
        return [f"DJANGO_OUTBOX[{name!r}] must be one of {', '.join(map(repr, words))}, not {value!r}."]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = 0 if name.lower() in _MAY_BE_ZERO else None
        if value < 0 or (low is None and value == 0):
            least = "of zero or more" if low == 0 else "above zero"
            return [f"DJANGO_OUTBOX[{name!r}] must be a number {least}, not {value!r}."]
        if name.endswith("_SECONDS") and name != "KEEP_SENT_SECONDS" and not value <= 86_400:
            return [f"DJANGO_OUTBOX[{name!r}] must be a day (86400) at most, not {value!r}."]
    if name == "SERVICE" and not _is_name(str(value)):
        return [f"DJANGO_OUTBOX['SERVICE'] must be letters, digits, '-' or '_', not {value!r}."]
    return []


def _is_name(value: str) -> bool:
    return bool(value) and value.isascii() and all(c.isalnum() or c in "-_" for c in value)


@cache
def get_settings() -> Settings:
    """The settings of this process; raises ``SettingsError`` with every problem that they have."""
    raw = getattr(django_settings, "DJANGO_OUTBOX", {})
    found = problems(raw)
    if found:
        raise SettingsError("\n".join(found))
    return Settings(**{name.lower(): value for name, value in raw.items()})


def _reset(*, setting: str, **_: object) -> None:
    if setting == "DJANGO_OUTBOX":
        get_settings.cache_clear()


setting_changed.connect(_reset, dispatch_uid="django_outbox.conf")
