"""What the monolith keeps of the catalog service's events."""

from django.db import models

from django_outbox import ReplicaModel
from example_project.frame.history import History
from example_project.monolith.products.models import Market, Product

__all__ = ["CatalogEntry", "EntryHistory"]


class CatalogEntry(ReplicaModel):
    """A product in a market, as the catalog service last told it. Only the stream writes here."""

    entry_uuid = models.UUIDField("UUID", unique=True)
    # The entries of a deleted product are removed by their owner, a moment later: no constraint here.
    product = models.ForeignKey(
        Product,
        to_field="product_uuid",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="entries",
    )
    market = models.ForeignKey(
        Market, to_field="iso_code", on_delete=models.DO_NOTHING, db_constraint=False, related_name="entries"
    )
    availability_date = models.DateField()
    availability_end_date = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "catalog entries"

    class Replica:
        topic = "catalog.entry"
        key = "entry_uuid"
        versions = [1]

    def __str__(self) -> str:
        return f"{self.product_id} in {self.market_id}"


class EntryHistory(History):
    """One line for each event of an entry that arrived."""

    class Meta(History.Meta):
        verbose_name_plural = "entry history"
