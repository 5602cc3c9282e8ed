"""What runs before the handlers of the service's own group: the copies register themselves here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..events import Event

__all__ = ["Applier", "appliers_of", "isolated_appliers", "register_applier", "topics_applied"]

Apply = Callable[[Event, str], None]


@dataclass(frozen=True, slots=True)
class Applier:
    """``apply(event, using)`` brings one event into a copy, inside the consumer's transaction."""

    topic: str
    versions: frozenset[int]
    apply: Apply
    name: str


_appliers: list[Applier] = []


def register_applier(topic: str, versions: Iterable[int], apply: Apply, name: str = "") -> None:
    """Have ``apply`` called for every event of ``topic``, before handlers; a second time changes nothing.

    An event of another version than ``versions`` parks its key.
    """
    applier = Applier(topic, frozenset(versions), apply, name or getattr(apply, "__qualname__", repr(apply)))
    if applier not in _appliers:
        _appliers.append(applier)


def appliers_of(topic: str) -> tuple[Applier, ...]:
    return tuple(applier for applier in _appliers if applier.topic == topic)


def topics_applied() -> set[str]:
    return {applier.topic for applier in _appliers}


@contextmanager
def isolated_appliers() -> Iterator[None]:
    """Within it there are no appliers but those registered within it."""
    kept = _appliers[:]
    _appliers.clear()
    try:
        yield
    finally:
        _appliers[:] = kept
