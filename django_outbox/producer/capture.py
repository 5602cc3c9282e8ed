"""Capture: what happens to rows of published models becomes drafts, which are recorded.

By Django's signals, because fixtures and the admin's collector pass every overridden method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import models
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save

from ..exceptions import KeyChanged
from .payloads import key_of, payload_of
from .publications import Publication, publication_of, publications_of
from .record import record, require_atomic, row_draft

__all__ = ["connect", "record_created", "record_rows", "record_updated", "remember_key", "touches"]

_LOADED = "_outbox_loaded_key"
_DOOMED = "_outbox_doomed"


def connect(model: type[models.Model]) -> None:
    """Listen to the changes of ``model``, which is published, or whose parent is."""
    uid = f"django_outbox.{model._meta.label}"
    pre_save.connect(_before_save, sender=model, dispatch_uid=uid)
    post_save.connect(_after_save, sender=model, dispatch_uid=uid)
    pre_delete.connect(_before_delete, sender=model, dispatch_uid=uid)
    post_delete.connect(_after_delete, sender=model, dispatch_uid=uid)


def remember_key(instance: models.Model) -> None:
    """Note the key with which a row was read, so that a save that changes it is refused."""
    publication = publication_of(instance.__class__)
    if publication is not None and not publication.key_field.primary_key:
        name = publication.key_field.attname
        if name in instance.__dict__:
            instance.__dict__[_LOADED] = instance.__dict__[name]


def _before_save(
    sender: type[models.Model],
    instance: models.Model,
    using: str,
    update_fields: frozenset[str] | None = None,
    **_: object,
) -> None:
    require_atomic(using)
    for publication in publications_of(sender):
        field = publication.key_field
        saved = update_fields is None or bool({field.name, field.attname} & update_fields)
        if saved and not field.primary_key and field.attname in instance.__dict__:
            if instance.__dict__[field.attname] is None:
                key_of(publication, instance.__dict__, using)  # which says that there is none
            _refuse_changed_key(publication, instance, using)


def _refuse_changed_key(publication: Publication, instance: models.Model, using: str) -> None:
    """The key may not change: the copies under the old one would stay for ever."""
    field = publication.key_field
    if _LOADED in instance.__dict__ and publication.model is instance._meta.concrete_model:
        old = instance.__dict__[_LOADED]
    elif instance.pk is None:
        return
    else:
        rows = publication.model._base_manager.using(using).filter(pk=instance.pk)
        old = rows.values_list(field.attname, flat=True).first()
    new = instance.__dict__[field.attname]
    if (
        old is not None
        and not hasattr(new, "resolve_expression")
        and field.to_python(new) != field.to_python(old)
    ):
        raise KeyChanged(
            f"{publication.label} {instance.pk}: {publication.key} is the key of its events and cannot "
            f"change from {str(old)!r} to {str(new)!r}. Delete the row and create it anew."
        )


def _after_save(
    sender: type[models.Model],
    instance: models.Model,
    created: bool,
    using: str,
    update_fields: frozenset[str] | None = None,
    **_: object,
) -> None:
    operation = "created" if created else "updated"
    for publication in publications_of(sender):
        if update_fields is not None and not touches(publication, update_fields):
            continue
        if update_fields is None and not _is_stale(publication, instance):
            record_rows(publication, operation, [instance.__dict__], using)
        else:
            record_rows(publication, operation, _read(publication, [instance.pk], using), using)
    remember_key(instance)


def touches(publication: Publication, names: Iterable[str]) -> bool:
    """Whether writing ``names`` may change what is published; a computed column may hang on any."""
    columns = publication.columns.values()
    if any(getattr(field, "generated", False) for field in columns):
        return True
    own = {name for field in columns for name in (field.name, field.attname)}
    return not own.isdisjoint(names)


def _is_stale(publication: Publication, instance: models.Model) -> bool:
    """Whether the instance may not show the row as it stands: deferred, computed or generated."""
    values = instance.__dict__
    for field in (publication.key_field, *publication.columns.values()):
        if field.attname not in values or getattr(field, "generated", False):
            return True
        if hasattr(values[field.attname], "resolve_expression") or _is_changed_on_its_way(field, values):
            return True
    return False


def _is_changed_on_its_way(field: models.Field[Any, Any], values: Mapping[str, Any]) -> bool:
    """Whether the database holds another value than the instance: rounded, or changed by a field of
    the project's own."""
    value = values[field.attname]
    if isinstance(field, models.DecimalField) and value is not None:
        exponent = field.to_python(value).as_tuple().exponent
        return not isinstance(exponent, int) or exponent < -field.decimal_places
    return not type(field).__module__.startswith("django.")


def _read(publication: Publication, pks: Sequence[Any], using: str) -> list[Mapping[str, Any]]:
    """Rows by primary key, in its order, by attname. They were written or locked by this transaction."""
    manager = publication.model._base_manager.using(using)
    return list(manager.filter(pk__in=pks).order_by("pk").values(*publication.attnames))


def record_rows(
    publication: Publication, operation: str, rows: Iterable[Mapping[str, Any]], using: str
) -> None:
    """Record one operation on many rows, given as values by attname."""
    drafts = [
        row_draft(
            publication, operation, key_of(publication, row, using), payload_of(publication, row, using)
        )
        for row in rows
    ]
    record(drafts, using)


def record_updated(model: type[models.Model], pks: Sequence[Any], names: Iterable[str], using: str) -> None:
    """Record that the columns ``names`` of the rows ``pks`` were written."""
    names = set(names)
    for publication in publications_of(model):
        if touches(publication, names):
            record_rows(publication, "updated", _read(publication, pks, using), using)


def record_created(model: type[models.Model], instances: Sequence[models.Model], using: str) -> None:
    """Record that ``instances`` were inserted."""
    for publication in publications_of(model):
        if any(_is_stale(publication, instance) for instance in instances):
            rows: Iterable[Mapping[str, Any]] = _read(publication, [i.pk for i in instances], using)
        else:
            rows = [instance.__dict__ for instance in instances]
        record_rows(publication, "created", rows, using)


def _before_delete(sender: type[models.Model], instance: models.Model, using: str, **_: object) -> None:
    """Read the row under its lock: the event says how it stood, and that it was still there.

    The collector sends the signals of published parents for instances of their own.
    """
    require_atomic(using)
    publication = publication_of(sender)
    if publication is None:
        return
    rows = publication.model._base_manager.using(using).select_for_update().filter(pk=instance.pk)
    row = rows.values(*publication.attnames).first()
    if row is not None:
        key, payload = key_of(publication, row, using), payload_of(publication, row, using)
        instance.__dict__[_DOOMED] = row_draft(publication, "deleted", key, payload)


def _after_delete(sender: type[models.Model], instance: models.Model, using: str, **_: object) -> None:
    draft = instance.__dict__.pop(_DOOMED, None)
    if draft is not None:
        record([draft], using)
