"""Rows that change because a row they point at goes: ``SET_NULL``, ``SET_DEFAULT``, ``SET()``.

Django's collector updates them without a signal of their own, so the target's signals tell.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.signals import post_delete, pre_delete

from .capture import record_updated
from .publications import Publication, publications
from .record import require_atomic

__all__ = ["connect"]

_UNLINKED = "_outbox_unlinked"
_QUIET = (models.CASCADE, models.PROTECT, models.RESTRICT, models.DO_NOTHING)


def connect() -> None:
    """Listen to the deletes of every model at which a published foreign key points that way."""
    for publication in publications():
        for field in publication.columns.values():
            if isinstance(field, models.ForeignKey) and field.remote_field.on_delete not in _QUIET:
                _connect(publication, field)


def _connect(publication: Publication, field: models.ForeignKey[Any, Any]) -> None:
    for target in apps.get_models():
        if target._meta.concrete_model is field.remote_field.model._meta.concrete_model:
            uid = f"django_outbox.{publication.label}.{field.name}"
            collect = partial(_before_delete, publication.model, field)
            pre_delete.connect(collect, sender=target, weak=False, dispatch_uid=uid)
            post_delete.connect(_after_delete, sender=target, dispatch_uid="django_outbox.cascades")


def _before_delete(
    model: type[models.Model],
    field: models.ForeignKey[Any, Any],
    *,
    instance: models.Model,
    using: str,
    **_: object,
) -> None:
    """Find the rows while they still point at ``instance``, and lock them."""
    require_atomic(using)
    value = getattr(instance, field.target_field.attname)
    rows = model._base_manager.using(using).select_for_update().order_by("pk")
    pks = list(rows.filter(**{field.attname: value}).values_list("pk", flat=True))
    if pks:
        instance.__dict__.setdefault(_UNLINKED, []).append((model, field.name, pks))


def _after_delete(*, instance: models.Model, using: str, **_: object) -> None:
    """They were written by now; those that were deleted as well are no longer there to be read."""
    for model, name, pks in instance.__dict__.pop(_UNLINKED, ()):
        record_updated(model, pks, [name], using)
