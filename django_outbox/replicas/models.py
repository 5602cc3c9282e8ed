"""``ReplicaModel``: a local copy of another service's rows, written by their events alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Self

from django.apps import apps
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..exceptions import ReplicaReadOnly
from .options import BASE_FIELDS, ReplicaOptions, options_of

__all__ = ["ReplicaManager", "ReplicaModel", "ReplicaQuerySet", "replica_models"]


def _refusal(model: type[ReplicaModel], what: str) -> ReplicaReadOnly:
    options = model.replica_options()
    return ReplicaReadOnly(
        f"{model._meta.label} is a copy of rows that the service {options.owner!r} owns, and {what}. Change "
        f"the row there; its event on topic {options.topic!r} changes the copy. Fields of your own (not in "
        "class Replica.fields) may be written with update() or save(update_fields=[...])."
    )


class ReplicaQuerySet(models.QuerySet[Any]):
    """Reads like any other. Writes only fields that are not copied; the rest raises ``ReplicaReadOnly``."""

    def update(self, **values: Any) -> int:
        self.model.refuse_copied(values, "update() was called with")
        return super().update(**values)

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        fields = list(fields)
        self.model.refuse_copied(fields, "bulk_update() was called with")
        return super().bulk_update(objs, fields, batch_size=batch_size)

    def bulk_create(self, *args: Any, **options: Any) -> list[Any]:
        raise _refusal(self.model, "bulk_create() was called")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise _refusal(self.model, "delete() was called")


ReplicaManager = models.Manager.from_queryset(ReplicaQuerySet)


class ReplicaModel(models.Model):
    """A copy of rows that another service owns, kept by the events of their topic.

    ``class Replica`` names ``topic`` and ``key`` (a unique field), and may name ``versions`` (of the
    schema that are read, default ``[1]``), ``owner`` (default: the topic's first part), ``fields`` (a
    list of names, or own names and the payload's; default: every field that the payload names) and
    ``on_delete``: what becomes of the copy when the owner's row goes: ``"delete"``, ``"mark"``
    (``outbox_deleted``) or ``"keep"``.

    Applying an event sends no ``pre_save`` or ``post_save``: react to the event with ``@handles``.
    Fixtures are loaded as they are.
    """

    outbox_epoch = models.IntegerField(_("epoch"), null=True, editable=False)
    outbox_sequence = models.BigIntegerField(_("sequence"), null=True, editable=False)
    outbox_updated_at = models.DateTimeField(_("changed at the owner"), null=True, editable=False)
    outbox_deleted = models.BooleanField(_("deleted at the owner"), default=False, editable=False)

    objects = ReplicaManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        fields: Collection[str] | None = options.get("update_fields")
        if fields is None or self._state.adding:
            raise _refusal(type(self), "save() was called")
        self.refuse_copied(fields, "save() was called with")
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        raise _refusal(type(self), "delete() was called")

    @classmethod
    def replica_options(cls) -> ReplicaOptions:
        """What ``class Replica`` says, with its defaults."""
        return options_of(cls)

    @classmethod
    def copies(cls, name: str) -> bool:
        """Whether the field comes from the owner."""
        options = cls.replica_options()
        if name in BASE_FIELDS or name == options.key:
            return True
        return name != _automatic_key(cls) if options.fields is None else name in options.fields

    @classmethod
    def refuse_copied(cls, names: Collection[str], what: str) -> None:
        """Raises ``ReplicaReadOnly`` when one of ``names`` is a copied field."""
        attnames = {field.attname: field.name for field in cls._meta.concrete_fields}
        copied = [name for name in names if cls.copies(attnames.get(name, name))]
        if copied:
            raise _refusal(cls, f"{what} {', '.join(copied)}")

    @classmethod
    def unguarded(cls, using: str) -> models.QuerySet[Self]:
        """For the stream alone: all rows, writable, whatever managers the model has."""
        return models.QuerySet(model=cls, using=using)


def _automatic_key(model: type[models.Model]) -> str:
    key = model._meta.pk
    return key.name if isinstance(key, models.AutoField) else ""


def replica_models() -> list[type[ReplicaModel]]:
    """Every concrete copy of the installed apps."""
    return [model for model in apps.get_models() if issubclass(model, ReplicaModel) and not model._meta.proxy]
