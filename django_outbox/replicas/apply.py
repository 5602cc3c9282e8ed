"""Applies events to copies, and connects every copy of the service to its topic."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from ..consumer.appliers import register_applier
from ..events import Event
from ..exceptions import PayloadInvalid
from .models import ReplicaModel, replica_models
from .options import BASE_FIELDS
from .problems import option_problems

__all__ = ["apply", "connect"]


def connect() -> None:
    """Have the service's group apply the events of every copy that has usable options."""
    for model in replica_models():
        if not option_problems(model):
            options = model.replica_options()
            register_applier(options.topic, options.versions, _Apply(model), f"copy {model._meta.label}")


class _Apply:
    """``apply`` for one model. Equal to another one of the same model, so that it is connected once."""

    def __init__(self, model: type[ReplicaModel]) -> None:
        self.model = model

    def __call__(self, event: Event, using: str) -> None:
        apply(self.model, event, using)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Apply) and other.model is self.model

    def __hash__(self) -> int:
        return hash(self.model)


def apply(model: type[ReplicaModel], event: Event, using: str) -> None:
    """Bring one event into the copy. Inside a transaction, under the lock of the event's key.

    An event that is not newer than the copy changes nothing. Facts are no state and change nothing.
    """
    if event.operation == "fact":
        return
    key = _key(model, event)
    rows = model.unguarded(using).filter(**{model.replica_options().key: key})
    copy = rows.first()
    if copy is not None and _is_older(event, copy):
        return
    if event.operation == "deleted":
        _delete(rows, event)
    elif copy is None:
        named = _values(model, event)
        model.unguarded(using).bulk_create([model(**{**named, **_stamp(event)})])
    else:
        rows.update(**_values(model, event), **_stamp(event))


def _is_older(event: Event, copy: ReplicaModel) -> bool:
    if event.sequence is None or copy.outbox_sequence is None:
        return False
    return (event.epoch or 0, event.sequence) <= (copy.outbox_epoch or 0, copy.outbox_sequence)


def _delete(rows: models.QuerySet[ReplicaModel], event: Event) -> None:
    on_delete = rows.model.replica_options().on_delete
    if on_delete == "delete":
        rows.delete()
    else:
        rows.update(**{**_stamp(event), "outbox_deleted": on_delete == "mark"})


def _stamp(event: Event) -> dict[str, Any]:
    return {
        "outbox_epoch": event.epoch,
        "outbox_sequence": event.sequence,
        "outbox_updated_at": event.time or timezone.now(),
        "outbox_deleted": False,
    }


def _key(model: type[ReplicaModel], event: Event) -> Any:
    """The copy's key, from the message's key: that is what order is kept by."""
    options = model.replica_options()
    field = model._meta.get_field(options.key)
    key = _to_python(model, field, event.key, event)
    name = (options.fields or {}).get(options.key, options.key)
    if isinstance(event.payload, dict) and name in event.payload:
        named = _to_python(model, field, event.payload[name], event)
        if named != key:
            raise PayloadInvalid(
                f"{event.type} has the key {event.key!r}, but its {name} is {event.payload[name]!r}: "
                f"class Replica of {model._meta.label} must have as its key the field by which the owner "
                f"keys {event.topic}."
            )
    return key


def _values(model: type[ReplicaModel], event: Event) -> dict[str, Any]:
    """The copied fields, by the names under which Django writes them."""
    options, payload = model.replica_options(), event.payload
    if not isinstance(payload, dict):
        raise PayloadInvalid(
            f"The payload of {event.type} is no JSON object; {model._meta.label} copies names."
        )
    key_field: Any = model._meta.get_field(options.key)
    found = {key_field.attname: _key(model, event)}
    for field in model._meta.concrete_fields:
        if field.name in BASE_FIELDS or field is key_field or not model.copies(field.name):
            continue
        name = field.name if options.fields is None else options.fields[field.name]
        if name in payload:
            found[field.attname] = _to_python(model, field, payload[name], event)
        elif options.fields is not None:
            raise PayloadInvalid(
                f"The payload of {event.type} (version {event.version}) has no {name!r}, which class Replica "
                f"of {model._meta.label} copies; it has {', '.join(sorted(payload))}."
            )
    return found


def _to_python(model: type[ReplicaModel], field: Any, value: Any, event: Event) -> Any:
    target = field.target_field if field.is_relation else field
    try:
        return target.to_python(value)
    except (ValidationError, ValueError, TypeError) as error:
        raise PayloadInvalid(
            f"{event.type} has a value that {model._meta.label}.{field.name} cannot hold: {error}"
        ) from error
