"""What a published model derives from: it opens the transaction and brings the managers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

from django.db import connections, models, router, transaction
from django.db.models.signals import class_prepared

from ..exceptions import KeyChanged, NotRecordable
from . import capture
from .publications import declare, publications_of

__all__ = ["OutboxManager", "OutboxMixin", "OutboxQuerySet"]

M = TypeVar("M", bound=models.Model)
SLICE = 1000


class OutboxQuerySet(models.QuerySet[M]):
    """Records what bulk writes do. A published model's own querysets derive from it."""

    def update(self, **values: Any) -> int:
        """As Django's; rows whose published fields are written get an event each.

        Raises ``KeyChanged`` when a key is among the values.
        """
        published = publications_of(self.model)
        for publication in published:
            if {publication.key_field.name, publication.key_field.attname} & values.keys():
                raise KeyChanged(
                    f"{publication.label}: {publication.key} is the key of its events and cannot be updated. "
                    "Delete the rows and create them anew."
                )
        pk = self.model._meta.pk
        if published and {pk.name, pk.attname, "pk"} & values.keys():
            raise KeyChanged(
                f"{self.model._meta.label}: a primary key cannot be updated, since the rows could not be "
                "told again. Delete the rows and create them anew."
            )
        if not any(capture.touches(publication, values) for publication in published):
            return super().update(**values)
        self._for_write = True
        with transaction.atomic(using=self.db):
            pks = self._lock()
            count = 0
            for start in range(0, len(pks), SLICE):
                part = pks[start : start + SLICE]
                count += models.QuerySet.update(self.order_by().filter(pk__in=part), **values)
                capture.record_updated(self.model, part, values, self.db)
            return count

    update.alters_data = True  # type: ignore[attr-defined]

    def _lock(self) -> list[Any]:
        """The primary keys of the matching rows, sorted, locked until the commit."""
        pks = sorted(self.order_by().values_list("pk", flat=True).distinct())
        rows = self.model._base_manager.using(self.db).select_for_update().order_by("pk")
        locked: list[Any] = []
        for start in range(0, len(pks), SLICE):
            locked += rows.filter(pk__in=pks[start : start + SLICE]).values_list("pk", flat=True)
        return locked

    def delete(self) -> tuple[int, dict[str, int]]:
        """As Django's, in one transaction with the events."""
        self._for_write = True
        with transaction.atomic(using=self.db):
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def bulk_create(
        self,
        objs: Iterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[M]:
        """As Django's, with a ``created`` event for each row.

        Raises ``NotRecordable`` before anything is written where the database cannot say which
        rows it wrote: with ``ignore_conflicts`` or ``update_conflicts``, or when it gives no
        automatic keys back.
        """
        if not publications_of(self.model):
            return super().bulk_create(
                objs, batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields
            )
        rows = list(objs)
        self._for_write = True
        self._refuse_unrecordable(rows, ignore_conflicts or update_conflicts)
        with transaction.atomic(using=self.db):
            created = super().bulk_create(rows, batch_size)
            capture.record_created(self.model, created, self.db)
        return created

    def _refuse_unrecordable(self, rows: Sequence[M], conflicts: bool) -> None:
        label = self.model._meta.label
        if conflicts:
            raise NotRecordable(
                f"{label}: bulk_create() cannot record with ignore_conflicts or update_conflicts, because no "
                "database says which rows it wrote. Read what is there, then bulk_create() and bulk_update()."
            )
        returns = connections[self.db].features.can_return_rows_from_bulk_insert
        if not returns and any(row.pk is None for row in rows):
            raise NotRecordable(
                f"{label}: this database gives no automatic keys back from bulk_create(); save the rows one "
                "by one, or use a key that Python makes, such as a UUID."
            )


class OutboxManager(models.Manager.from_queryset(OutboxQuerySet)):  # type: ignore[misc]
    """The manager of published models; a model's own manager derives from it."""


class OutboxMixin(models.Model):
    """A model whose changes are published. It says what is public in a ``class Outbox``::

        class Product(OutboxMixin, models.Model):
            class Outbox:
                topic = "shop.product"
                key = "product_uuid"
                fields = ["product_uuid", "name"]

    ``save()`` and ``delete()`` open a transaction on the model's alias, in which the event is
    recorded. They raise what ``record_event`` raises, and ``KeyChanged``.
    """

    objects = OutboxManager()

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, *args: Any, **options: Any) -> Any:
        instance = super().from_db(*args, **options)
        capture.remember_key(instance)
        return instance

    def save_base(self, *args: Any, **options: Any) -> None:
        using = options.get("using") or router.db_for_write(self.__class__, instance=self)
        with transaction.atomic(using=using, savepoint=False):
            super().save_base(*args, **{**options, "using": using})

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        using = using or router.db_for_write(self.__class__, instance=self)
        with transaction.atomic(using=using):
            return super().delete(using=using, keep_parents=keep_parents)


def _register(sender: type[models.Model], **_: object) -> None:
    """A published model is known as soon as its class is; it is judged by the checks."""
    if not issubclass(sender, OutboxMixin) or sender._meta.abstract:
        return
    if not sender._meta.proxy:
        options = _own_options(sender)
        if options is not None:
            declare(sender, options)
    capture.connect(sender)


def _own_options(model: type[models.Model]) -> dict[str, Any] | None:
    """The options of the model's ``class Outbox``, its own or of its abstract parents.

    A multi-table child without one is published as its parent alone; a model without any is an
    error that ``fields`` is missing.
    """
    for base in model.__mro__:
        meta = getattr(base, "_meta", None)
        if base is not model and meta is not None and not meta.abstract:
            return None
        options = base.__dict__.get("Outbox")
        if options is not None:
            return {name: value for name, value in vars(options).items() if not name.startswith("__")}
    return {}


class_prepared.connect(_register, dispatch_uid="django_outbox.mixins")
