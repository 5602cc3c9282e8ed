"""Copies: written by their stream alone, in order, as the owner's events say."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test.utils import isolate_apps
from django.utils import timezone

from django_outbox import OutboxError, ReplicaModel, handles
from django_outbox.brokers.base import Partition
from django_outbox.consumer.appliers import appliers_of
from django_outbox.consumer.deliver import Delivery
from django_outbox.consumer.handlers import registry
from django_outbox.consumer.models import ParkedMessage
from django_outbox.consumer.positions import Positions
from django_outbox.consumer.retries import Retries
from django_outbox.events import Event
from django_outbox.exceptions import PayloadInvalid, ReplicaReadOnly
from django_outbox.replicas.admin import ReplicaAdmin
from django_outbox.replicas.apply import apply, connect
from django_outbox.replicas.problems import option_problems
from django_outbox.wire import message_of
from tests.copies.models import Item, Note, Shelf, Stock

ONE = uuid.UUID(int=1)


def event(topic: str, key: object, sequence: int, operation: str = "updated", **payload: Any) -> Event:
    return Event(
        id=str(uuid.uuid4()),
        type=f"{topic}.{operation}",
        topic=topic,
        key=str(key),
        sequence=sequence,
        epoch=1,
        version=1,
        operation=operation,
        payload=payload,
        source="/depot",
        time=datetime(2026, 1, 2, 3, tzinfo=UTC),
        snapshot=operation == "snapshot",
    )


def item(sequence: int, operation: str = "updated", **payload: Any) -> Event:
    return event("depot.item", ONE, sequence, operation, **{"item_uuid": str(ONE), "name": "bolt", **payload})


def feed(*events: Event) -> None:
    for one in events:
        model = {"depot.item": Item, "depot.stock": Stock, "depot.shelf": Shelf}[one.topic]
        apply(model, one, "default")


@pytest.mark.django_db
def test_a_copy_follows_its_row() -> None:
    """Created, updated and deleted at the owner, so here; values have the types of the fields."""
    feed(item(1, "created", price="9.90", seen_at="2026-01-01T10:00:00.123456+00:00", unknown=[1]))
    copy = Item.objects.get()
    assert (copy.item_uuid, copy.name, copy.price) == (ONE, "bolt", Decimal("9.90"))
    assert copy.seen_at == datetime(2026, 1, 1, 10, 0, 0, 123456, UTC)
    assert (copy.outbox_epoch, copy.outbox_sequence) == (1, 1)
    assert copy.outbox_updated_at == datetime(2026, 1, 2, 3, tzinfo=UTC)
    feed(item(2, name="nut"))
    assert Item.objects.get().name == "nut"
    feed(item(3, "deleted"))
    assert not Item.objects.exists()


@pytest.mark.django_db
def test_a_snapshot_makes_the_copy_of_an_old_row() -> None:
    """The state of a row that did not change is copied like any other."""
    feed(item(7, "snapshot"))
    assert Item.objects.get().outbox_sequence == 7


@pytest.mark.django_db
def test_an_older_event_changes_nothing() -> None:
    """A copy is never overwritten by what is older than it (trap 39)."""
    feed(item(5, name="new"), item(4, name="old"), item(4, "deleted"))
    assert Item.objects.get().name == "new"


@pytest.mark.django_db
def test_facts_are_no_state() -> None:
    """An event that is no row change leaves the copy as it is."""
    feed(item(1, "created"), item(2, "fact", name="recalled"))
    assert (Item.objects.get().name, Item.objects.get().outbox_sequence) == ("bolt", 1)


@pytest.mark.django_db
def test_foreign_keys_hold_the_parents_key() -> None:
    """A foreign key of a copy is set from the payload's value, to the field that it points at."""
    feed(item(1, "created"), event("depot.stock", "s", 1, code="s", item=str(ONE), quantity=3))
    stock = Stock.objects.select_related("item").get()
    assert stock.item is not None
    assert (stock.item.name, stock.amount) == ("bolt", 3)


@pytest.mark.django_db
def test_a_deleted_row_may_be_marked_or_kept() -> None:
    """on_delete says what becomes of the copy; made again, it is no longer marked."""
    feed(event("depot.stock", "s", 1, code="s", item=None, quantity=3))
    feed(event("depot.stock", "s", 2, "deleted", code="s", item=None, quantity=3))
    assert Stock.objects.get().outbox_deleted
    feed(event("depot.stock", "s", 3, "created", code="s", item=None, quantity=4))
    assert not Stock.objects.get().outbox_deleted
    feed(event("depot.shelf", "x", 1, code="x", label="top"))
    feed(event("depot.shelf", "x", 2, "deleted", code="x", label="top"))
    shelf = Shelf.objects.get()
    assert (shelf.label, shelf.outbox_deleted, shelf.outbox_sequence) == ("top", False, 2)


@pytest.mark.django_db
def test_fields_of_ones_own_live_beside_the_copied_ones() -> None:
    """They may be written, and the stream leaves them alone."""
    feed(event("depot.stock", "s", 1, code="s", item=None, quantity=3))
    Stock.objects.update(remark="counted")
    stock = Stock.objects.get()
    stock.remark += " twice"
    stock.save(update_fields=["remark"])
    feed(event("depot.stock", "s", 2, code="s", item=None, quantity=4))
    assert (Stock.objects.get().remark, Stock.objects.get().amount) == ("counted twice", 4)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "write",
    [
        lambda: Stock(code="t", amount=1).save(),
        lambda: Stock.objects.create(code="t", amount=1),
        lambda: Stock.objects.get().save(),
        lambda: Stock.objects.get().save(update_fields=["amount", "remark"]),
        lambda: Stock.objects.get().delete(),
        lambda: Stock.objects.all().delete(),
        lambda: Stock.objects.update(amount=1),
        lambda: Stock.objects.update(item_id=ONE),
        lambda: Stock.objects.update(outbox_sequence=1),
        lambda: Stock.objects.bulk_create([Stock(code="t", amount=1)]),
        lambda: Stock.objects.bulk_update(list(Stock.objects.all()), ["amount"]),
        lambda: Stock.objects.update_or_create(code="s", defaults={"amount": 1}),
        lambda: Item(pk=1, item_uuid=ONE).stock_set.update(amount=1),
    ],
)
def test_writing_a_copy_names_the_owner(write) -> None:
    """Every way to write a copied field is refused, and the message says where to write instead."""
    feed(event("depot.stock", "s", 1, code="s", item=None, quantity=3))
    with pytest.raises(ReplicaReadOnly, match=r"copies.Stock is a copy.*'depot' owns.*topic 'depot.stock'"):
        write()
    assert Stock.objects.get().amount == 3


@pytest.mark.django_db
def test_a_payload_that_does_not_fit_says_what_is_missing() -> None:
    """A declared field without a value, a value of a wrong kind and another key are refused by name."""
    with pytest.raises(PayloadInvalid, match=r"has no 'quantity'.*copies.Stock.*it has code, item"):
        feed(event("depot.stock", "s", 1, code="s", item=None))
    with pytest.raises(PayloadInvalid, match=r"copies.Item.price cannot hold"):
        feed(item(1, price="cheap"))
    with pytest.raises(PayloadInvalid, match="must have as its key the field by which the owner"):
        feed(event("depot.item", ONE, 1, item_uuid=str(uuid.UUID(int=2)), name="x"))
    listed = replace(event("depot.item", ONE, 1), payload=[1])
    with pytest.raises(OutboxError, match="no JSON object"):
        apply(Item, listed, "default")


@pytest.mark.django_db(transaction=True)
def test_copies_are_applied_before_handlers_of_the_same_event() -> None:
    """A handler sees the copy as its event says; an event that cannot be applied parks its key."""
    connect()
    connect()
    assert len(appliers_of("depot.item")) == 1, "connected once"
    with registry.isolated():

        @handles("depot.item.*")
        def look(event: Event) -> None:
            Note.objects.create(text=Item.objects.get(item_uuid=event.key).name)

        _deliver(item(1, "created"), item(2, name="nut"), item(3, name="x" * 20, price="cheap"), item(4))
    assert list(Note.objects.order_by("pk").values_list("text", flat=True)) == ["bolt", "nut"]
    assert list(ParkedMessage.objects.order_by("pk").values_list("sequence", flat=True)) == [3, 4]


@pytest.mark.django_db(transaction=True)
def test_a_version_that_a_copy_does_not_read_parks_its_key() -> None:
    """A copy is not left behind by a schema version that it does not know (trap 37)."""
    connect()
    _deliver(replace(item(1, "created"), version=2))
    assert "schema version 2" in ParkedMessage.objects.get().error
    assert "copy copies.Item" in ParkedMessage.objects.get().error


def _deliver(*events: Event) -> None:
    messages = [replace(message_of(one), partition=0, offset=n) for n, one in enumerate(events)]
    Delivery("shop", "default", Positions("shop", "default")).deliver(messages)


@pytest.mark.django_db(transaction=True)
def test_a_child_before_its_parent_waits_and_is_applied_later() -> None:
    """The foreign key is real: the child's key parks, and goes on when the parent is there (trap 40)."""
    connect()
    positions = Positions("shop", "default")
    child = event("depot.stock", "s", 1, code="s", item=str(ONE), quantity=3)
    delivery = Delivery("shop", "default", positions)
    delivery.deliver([replace(message_of(child), partition=0, offset=0)])
    assert not Stock.objects.exists()
    delivery.deliver([replace(message_of(item(1, "created")), partition=0, offset=0)])
    ParkedMessage.objects.update(next_try_at=timezone.now() - timedelta(hours=1))
    Retries("shop", "default", positions, lambda _: 1).run([Partition("depot.stock", 0)])
    assert Stock.objects.get().item_id == ONE


def test_the_copies_of_these_tests_have_no_problems() -> None:
    """What is right is left alone."""
    assert [problem for model in (Item, Stock, Shelf) for problem in option_problems(model)] == []


def _problems(**options: Any) -> str:
    with isolate_apps("tests.copies"):

        class Parent(models.Model):
            code = models.CharField(max_length=5, unique=True)

            class Meta:
                app_label = "copies"

            def __str__(self) -> str:
                return self.code

        class Bad(ReplicaModel):
            code = models.CharField(max_length=5, unique=True)
            name = models.CharField(max_length=5)
            parent = models.ForeignKey(Parent, models.CASCADE, to_field="code")
            Replica = type("Replica", (), options) if options else None

            class Meta:
                app_label = "copies"

        return " | ".join(f"{message} {hint}" for message, hint, _ in option_problems(Bad))


_GOOD = {"topic": "a.b", "key": "code"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "copies.Bad has no class Replica."),
        ({"topic": "a.b"}, "needs 'key'"),
        ({"key": "code"}, "needs 'topic'"),
        ({**_GOOD, "verions": [1]}, "unknown option 'verions'; did you mean 'versions'?"),
        ({**_GOOD, "key": "cod"}, "key 'cod', which is no field; did you mean 'code'?"),
        ({**_GOOD, "key": "name"}, "key 'name', which is not unique"),
        ({**_GOOD, "fields": ["nam"]}, "copies 'nam', which is no field; did you mean 'name'?"),
        ({**_GOOD, "fields": "name"}, "has fields = 'name'"),
        ({**_GOOD, "versions": 1}, "has versions = 1"),
        ({**_GOOD, "on_delete": "cascade"}, "has on_delete = 'cascade'"),
        (_GOOD, "copies.Bad.parent of a copy has another on_delete than DO_NOTHING."),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], says: str) -> None:
    """Each mistake in class Replica has a message of its own, and no traceback (P10)."""
    assert says in _problems(**options)


def test_the_admin_of_a_copy_is_to_look_at(rf) -> None:
    """No adding, changing, deleting; the freshness stands at the end."""
    page = ReplicaAdmin(Stock, admin.site)
    request = rf.get("/")
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)
    assert page.get_fields(request)[0] == "code"
    assert page.get_fields(request)[-1] == "outbox_deleted"
