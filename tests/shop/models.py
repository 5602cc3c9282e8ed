"""Published models for the tests of the owner's side."""

import uuid

from django.db import models

from django_outbox import OutboxMixin


class Category(models.Model):
    name = models.CharField(max_length=50)


class Supplier(models.Model):
    name = models.CharField(max_length=50)


def house_brand() -> "Supplier":
    return Supplier.objects.get_or_create(name="house brand")[0]


class Product(OutboxMixin, models.Model):
    product_uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    discontinued = models.BooleanField(default=False)
    category = models.ForeignKey(Category, models.CASCADE, null=True)
    supplier = models.ForeignKey(Supplier, models.SET_NULL, null=True)
    maker = models.ForeignKey(Supplier, models.SET(house_brand), null=True, related_name="made")
    stock = models.IntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)
    note = models.TextField(blank=True)

    class Outbox:
        topic = "shop.product"
        key = "product_uuid"
        fields = [
            "product_uuid",
            "name",
            "price",
            "discontinued",
            "category",
            "supplier",
            "maker",
            "stock",
            "changed_at",
        ]


class Review(OutboxMixin, models.Model):
    """Topic and key are the defaults, the schema is not; its foreign key points at a published model."""

    product = models.ForeignKey(Product, models.CASCADE)
    stars = models.IntegerField()

    class Outbox:
        fields = ["id", "product", "stars"]
        schema = {"type": "object", "properties": {"stars": {"type": "integer", "minimum": 1, "maximum": 5}}}


class Special(Product):
    """A multi-table child without an Outbox of its own."""

    reason = models.CharField(max_length=50)


class ProductProxy(Product):
    class Meta:
        proxy = True
