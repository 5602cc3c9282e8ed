"""Copies of another service's rows, and tables for the effects of handlers."""

from django.db import models

from django_outbox import ReplicaModel


class Note(models.Model):
    """What a handler wrote down."""

    text = models.TextField()
    only_once = models.CharField(max_length=100, unique=True, null=True)

    def __str__(self) -> str:
        return self.text


class Place(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Reading(models.Model):
    """Its foreign key is checked at COMMIT where the database can."""

    place = models.ForeignKey(Place, models.CASCADE)

    def __str__(self) -> str:
        return f"reading {self.pk}"


class Item(ReplicaModel):
    """Copies every field that the payload names."""

    item_uuid = models.UUIDField(unique=True)
    name = models.CharField(max_length=50)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    seen_at = models.DateTimeField(null=True)

    class Replica:
        topic = "depot.item"
        key = "item_uuid"


class Stock(ReplicaModel):
    """Has a parent and a field of its own; a deleted row is marked."""

    code = models.CharField(max_length=20, unique=True)
    item = models.ForeignKey(Item, models.DO_NOTHING, to_field="item_uuid", null=True)
    amount = models.IntegerField()
    remark = models.CharField(max_length=50, default="")

    class Replica:
        topic = "depot.stock"
        key = "code"
        fields = {"code": "code", "item": "item", "amount": "quantity"}
        on_delete = "mark"


class Shelf(ReplicaModel):
    """A deleted row is kept."""

    code = models.CharField(max_length=20, primary_key=True)
    label = models.CharField(max_length=50)

    class Replica:
        topic = "depot.shelf"
        key = "code"
        owner = "warehouse"
        on_delete = "keep"
        versions = [1, 2]
