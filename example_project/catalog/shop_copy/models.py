"""What the catalog service keeps of the shop's events."""

from django.db import models

from django_outbox import ReplicaModel
from example_project.frame.history import History

__all__ = ["Market", "Product", "ProductHistory"]


class Market(ReplicaModel):
    """A market, as the shop last told it; a deleted one is only marked, so that entries keep their parent."""

    iso_code = models.CharField("ISO code", max_length=2, unique=True)
    name = models.CharField(max_length=100)

    class Meta:
        ordering = ["iso_code"]

    class Replica:
        topic = "shop.market"
        key = "iso_code"
        versions = [1]
        on_delete = "mark"

    def __str__(self) -> str:
        return f"{self.name} ({self.iso_code})"


class Product(ReplicaModel):
    """A product, as the shop last told it; a deleted one is only marked."""

    product_uuid = models.UUIDField("UUID", unique=True)
    name = models.CharField(max_length=200)
    product_category = models.CharField("category", max_length=100)
    discontinued = models.BooleanField(default=False)

    class Meta:
        ordering = ["name", "id"]

    class Replica:
        topic = "shop.product"
        key = "product_uuid"
        versions = [1]
        on_delete = "mark"

    def __str__(self) -> str:
        return self.name


class ProductHistory(History):
    """One line for each event of a product that arrived."""

    class Meta(History.Meta):
        verbose_name_plural = "product history"
