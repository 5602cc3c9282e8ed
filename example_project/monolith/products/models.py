"""What the monolith owns and publishes."""

import uuid

from django.core.validators import RegexValidator
from django.db import models

from django_outbox import OutboxMixin

__all__ = ["Market", "Product"]


_two_letters = RegexValidator(r"^[A-Z]{2}\Z", "Two capital letters, such as DE.")


class Market(OutboxMixin, models.Model):
    """A country in which products are sold."""

    iso_code = models.CharField("ISO code", max_length=2, unique=True, validators=[_two_letters])
    name = models.CharField(max_length=100)

    class Meta:
        ordering = ["iso_code"]

    class Outbox:
        topic = "shop.market"
        key = "iso_code"
        fields = ["iso_code", "name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.iso_code})"


class Product(OutboxMixin, models.Model):
    """Something that is, or was, sold. A discontinued one gets no new catalog entries."""

    product_uuid = models.UUIDField("UUID", default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    product_category = models.CharField("category", max_length=100)
    discontinued = models.BooleanField(default=False)

    class Meta:
        ordering = ["name", "id"]

    class Outbox:
        topic = "shop.product"
        key = "product_uuid"
        fields = ["product_uuid", "name", "product_category", "discontinued"]

    def __str__(self) -> str:
        return self.name
