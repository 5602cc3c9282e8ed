"""Running handlers on events that a test makes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from ..conf import nearest
from ..consumer.failures import Blamed, Interrupted
from ..consumer.groups import alias_of, default_group
from ..consumer.handlers import registry
from ..consumer.received import receive
from ..consumer.running import Runner
from ..events import OPERATIONS, Event
from ..wire import message_of

__all__ = ["handle_event", "make_event"]


def make_event(values: Mapping[str, Any] | None = None, /, **more: Any) -> Event:
    """An event from a dict; ``type`` is needed, the rest has defaults that fit it.

    Raises ``TypeError`` for a name that ``Event`` has not.
    """
    given = {**(values or {}), **more}
    names = [field.name for field in fields(Event)]
    for name in given:
        if name not in names:
            raise TypeError(f"An event has no {name!r}; {nearest(name, names)}")
    if "type" not in given:
        raise TypeError("An event needs a type, such as 'shop.product.updated'.")
    topic, _, word = given["type"].rpartition(".")
    operation = word if word in OPERATIONS else "fact"
    defaults: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "topic": topic,
        "key": "1",
        "sequence": 1,
        "epoch": 1,
        "version": 1,
        "operation": operation,
        "payload": {},
        "source": f"/{topic.partition('.')[0]}",
        "time": timezone.now(),
        "snapshot": given.get("operation", operation) == "snapshot",
    }
    return Event(**{**defaults, **given})


def handle_event(event: Event | Mapping[str, Any], *, group: str | None = None) -> list[str]:
    """Run what ``group`` (the service's own by default) has for ``event``, as a consumer would.

    The event goes over the wire format and through its schema; then copies are applied and
    handlers run, batch handlers with a list of this one event, all in one transaction. Gives the
    names of the handlers that ran. Positions and sequences are not looked at, so every call runs.

    Raises what a handler raises, and ``LookupError`` when nothing of the group reads the event.
    """
    group = group or default_group()
    using = alias_of(group)
    made = event if isinstance(event, Event) else make_event(event)
    item = receive(group, message_of(made))
    assert item.event is not None, item.error
    item = replace(item, event=replace(item.event, replayed=made.replayed, snapshot=made.snapshot))
    handlers = registry.matching(made, group)
    if not handlers and made.topic not in registry.topics(group):
        raise LookupError(
            f"Nothing of group {group!r} reads {made.type!r}; its topics are {registry.topics(group)}."
        )
    runner = Runner(group, using)
    try:
        with transaction.atomic(using=using):
            runner.batches([(item, runner.single(item, set()))])
            runner.tell(item)
    except Blamed as blamed:
        raise blamed.blames[0].error from None
    except Interrupted as interrupted:
        raise (interrupted.__cause__ or interrupted) from None
    return [handler.name for handler in handlers if handler.accepts(made.version)]
