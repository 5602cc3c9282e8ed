"""``class Replica`` of a model, read into one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from django.db import models

__all__ = ["BASE_FIELDS", "OPTIONS", "OnDelete", "ReplicaOptions", "given_options", "options_of"]

OnDelete = Literal["delete", "mark", "keep"]
BASE_FIELDS = frozenset({"outbox_epoch", "outbox_sequence", "outbox_updated_at", "outbox_deleted"})
OPTIONS = ["topic", "key", "versions", "owner", "fields", "on_delete"]


@dataclass(frozen=True, slots=True)
class ReplicaOptions:
    """``fields`` maps own field names to names in the payload; None: those that have the same name."""

    topic: str
    key: str
    versions: tuple[int, ...]
    owner: str
    fields: Mapping[str, str] | None
    on_delete: OnDelete

    @classmethod
    def of(cls, model: type[models.Model]) -> ReplicaOptions:
        """The options with their defaults, whatever they are worth."""
        given = given_options(model)
        topic = str(given.get("topic", ""))
        fields = given.get("fields")
        if fields is not None and not isinstance(fields, Mapping):
            fields = {name: name for name in fields}
        return cls(
            topic=topic,
            key=str(given.get("key", "")),
            versions=tuple(given.get("versions", (1,))),
            owner=str(given.get("owner", topic.partition(".")[0])),
            fields=fields,
            on_delete=given.get("on_delete", "delete"),
        )


@cache
def options_of(model: type[models.Model]) -> ReplicaOptions:
    """The options of a model, read once."""
    return ReplicaOptions.of(model)


def given_options(model: type[models.Model]) -> dict[str, Any]:
    """What ``class Replica`` says, as it says it."""
    inner = getattr(model, "Replica", None)
    if inner is None:
        return {}
    return {name: getattr(inner, name) for name in dir(inner) if not name.startswith("_")}
