"""What the catalog service owns and publishes."""

import uuid

from django.db import models

from django_outbox import OutboxMixin
from example_project.catalog.shop_copy.models import Market, Product

__all__ = ["CatalogEntry"]


class CatalogEntry(OutboxMixin, models.Model):
    """A product in a market, from one day on, perhaps to another one."""

    entry_uuid = models.UUIDField("UUID", default=uuid.uuid4, unique=True, editable=False)
    # Copies come and go with their stream, so the database holds no constraint on them.
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
        constraints = [
            models.UniqueConstraint(fields=["product", "market"], name="one_entry_per_product_and_market")
        ]

    class Outbox:
        topic = "catalog.entry"
        key = "entry_uuid"
        fields = ["entry_uuid", "product", "market", "availability_date", "availability_end_date"]

    def __str__(self) -> str:
        return f"{self.product_id} in {self.market_id}"
