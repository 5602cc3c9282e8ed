"""What is recorded, and that it stands and falls with the transaction of the change."""

import json
import uuid
from datetime import datetime
from decimal import Decimal

import pytest
from django.core import serializers
from django.db import IntegrityError, connections, transaction
from django.db.models import F
from django.utils import timezone

from django_outbox import record_event
from django_outbox.exceptions import KeyChanged, NotRecordable, PayloadInvalid, RecordError
from django_outbox.producer.models import OutboxEvent, OutboxKey
from tests.shop.models import Category, Product, ProductProxy, Review, Special, Supplier

pytestmark = pytest.mark.django_db(databases=["default", "other"])


def types(using: str = "default") -> list[str]:
    return list(OutboxEvent.objects.using(using).order_by("id").values_list("type", flat=True))


def last(using: str = "default") -> OutboxEvent:
    event = OutboxEvent.objects.using(using).order_by("id").last()
    assert event is not None
    return event


def test_a_new_row_is_recorded_with_exactly_its_published_fields() -> None:
    """The payload has the names in ``fields``: text for UUID and Decimal, zone and microseconds in times."""
    category = Category.objects.create(name="tools")
    product = Product.objects.create(name="Saw", price="9.9", category=category, note="not public")
    event = last()
    assert (event.type, event.operation, event.topic) == ("shop.product.created", "created", "shop.product")
    assert (event.key, event.sequence, event.epoch, event.first) == (str(product.product_uuid), 1, 1, True)
    assert event.payload == {
        "product_uuid": str(product.product_uuid),
        "name": "Saw",
        "price": "9.90",
        "discontinued": False,
        "category": category.pk,
        "supplier": None,
        "maker": None,
        "stock": 0,
        "changed_at": product.changed_at.isoformat(timespec="microseconds"),
    }
    assert (event.sent, event.sent_at) == (False, None)


def test_a_full_save_always_records_and_counts_on() -> None:
    """Each save has the next sequence of its key."""
    product = Product.objects.create(name="Saw")
    product.name = "Fine saw"
    product.save()
    product.save()
    rows = OutboxEvent.objects.order_by("id").values_list("type", "sequence", "first")
    assert list(rows) == [
        ("shop.product.created", 1, True),
        ("shop.product.updated", 2, False),
        ("shop.product.updated", 3, False),
    ]


def test_a_rolled_back_transaction_leaves_no_event_and_no_hole() -> None:
    """P1, trap 3: neither a savepoint nor a transaction that rolls back leaves an event or a gap."""
    product = Product.objects.create(name="Saw")
    with transaction.atomic():
        product.save()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            product.save()
            raise ZeroDivisionError
        product.save()
    assert list(OutboxEvent.objects.order_by("id").values_list("sequence", flat=True)) == [1, 2, 3]
    assert OutboxKey.objects.get().last_sequence == 3


@pytest.mark.django_db(transaction=True)
def test_a_save_in_autocommit_is_one_transaction_with_its_event() -> None:
    """P1, trap 1: when recording fails, the row is not there either."""
    product = Product.objects.create(name="Saw")
    with pytest.raises(PayloadInvalid):
        Review.objects.create(product=product, stars=6)
    assert not Review.objects.exists()
    assert types() == ["shop.product.created"]


def test_the_event_goes_to_the_database_of_its_row() -> None:
    """Trap 2: the outbox lives on the alias of the model that changed."""
    Product.objects.using("other").create(name="Saw")
    assert types("default") == []
    assert types("other") == ["shop.product.created"]


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_a_rollback_on_the_other_database_leaves_no_event() -> None:
    """Trap 2: a rollback on B takes the event of B along, whatever happens on the default alias."""
    with transaction.atomic(), pytest.raises(ZeroDivisionError), transaction.atomic(using="other"):
        Product.objects.using("other").create(name="Saw")
        raise ZeroDivisionError
    assert (types("default"), types("other")) == ([], [])


def test_update_fields_without_a_public_one_record_nothing() -> None:
    """A save that writes no published column is nobody else's business."""
    product = Product.objects.create(name="Saw")
    product.note = "private"
    product.save(update_fields=["note"])
    assert types() == ["shop.product.created"]


def test_update_fields_publish_the_row_as_it_stands_and_not_the_stale_object() -> None:
    """Trap 5: what another process wrote meanwhile is in the payload, what was not saved is not."""
    product = Product.objects.create(name="Saw")
    Product.objects.filter(pk=product.pk).update(stock=7)
    product.price = Decimal("3.00")
    product.stock = 99
    product.save(update_fields=["price"])
    assert (last().payload["price"], last().payload["stock"]) == ("3.00", 7)


def test_expressions_and_deferred_fields_are_read_back() -> None:
    """Trap 5: ``F()`` and deferred columns show as the database has them."""
    product = Product.objects.create(name="Saw", stock=1)
    product.stock = F("stock") + 4
    product.save()
    assert last().payload["stock"] == 5
    slim = Product.objects.only("name").get(pk=product.pk)
    slim.name = "Axe"
    slim.save()
    assert (last().payload["name"], last().payload["stock"]) == ("Axe", 5)


def test_a_deleted_row_is_recorded_as_it_stood() -> None:
    """The last event of a key shows the row and not the object in memory; making it anew counts on."""
    product = Product.objects.create(name="Saw")
    product.name = "never saved"
    product.delete()
    assert (last().type, last().payload["name"]) == ("shop.product.deleted", "Saw")
    Product.objects.create(name="Saw", product_uuid=last().key)
    assert (last().type, last().sequence, last().first) == ("shop.product.created", 3, False)


def test_deleting_a_row_that_is_gone_records_nothing() -> None:
    """Somebody else's delete had its event already."""
    product = Product.objects.create(name="Saw")
    Product.objects.get().delete()
    product.delete()
    assert types() == ["shop.product.created", "shop.product.deleted"]


def test_bulk_writes_are_recorded() -> None:
    """Trap 4: bulk_create, bulk_update, update and delete of a queryset, an event for each row."""
    products = Product.objects.bulk_create([Product(name=name) for name in "abc"])
    assert types() == ["shop.product.created"] * 3
    OutboxEvent.objects.all().delete()
    assert Product.objects.filter(name__in="ab").update(stock=5) == 2
    assert [row.payload["stock"] for row in OutboxEvent.objects.all()] == [5, 5]
    OutboxEvent.objects.all().delete()
    for product in products:
        product.name += "!"
    assert Product.objects.bulk_update(products, ["name"]) == 3
    assert sorted(row.payload["name"] for row in OutboxEvent.objects.all()) == ["a!", "b!", "c!"]
    OutboxEvent.objects.all().delete()
    Product.objects.all().delete()
    assert types() == ["shop.product.deleted"] * 3


def test_an_update_of_a_private_column_stays_one_statement(django_assert_num_queries) -> None:
    """``QuerySet.update`` without a published column costs nothing and records nothing."""
    Product.objects.create(name="Saw")
    with django_assert_num_queries(1):
        Product.objects.update(note="private")
    assert types() == ["shop.product.created"]


def test_an_update_whose_filter_names_the_written_column_records_what_it_wrote() -> None:
    """The rows are found before they are written; afterwards the filter no longer fits them."""
    Product.objects.bulk_create([Product(name="a"), Product(name="b")])
    OutboxEvent.objects.all().delete()
    assert Product.objects.filter(stock=0).update(stock=1) == 2
    assert types() == ["shop.product.updated"] * 2


@pytest.mark.parametrize("how", [{"ignore_conflicts": True}, {"update_conflicts": True}])
def test_a_bulk_write_that_cannot_be_known_is_refused_before_it_writes(how: dict[str, bool]) -> None:
    """Trap 4: the message names what to do instead, and no row is there."""
    with pytest.raises(NotRecordable, match="no database says which rows it wrote"):
        Product.objects.bulk_create([Product(name="a")], **how)
    assert not Product.objects.exists()


def test_cascades_and_foreign_keys_speak_of_keys() -> None:
    """A foreign key to a published row shows that row's key; a cascade records what it deletes."""
    product = Product.objects.create(name="Saw")
    Review.objects.create(product=product, stars=5)
    assert last().payload["product"] == str(product.product_uuid)
    product.delete()
    assert sorted(types()[-2:]) == ["shop.product.deleted", "shop.review.deleted"]


def test_rows_that_a_delete_unlinks_are_recorded() -> None:
    """Trap 4: ``SET_NULL`` and ``SET()`` write rows without a signal of their own."""
    supplier = Supplier.objects.create(name="Acme")
    unlinked = Product.objects.create(name="Saw", supplier=supplier, maker=supplier)
    Product.objects.create(name="Axe")
    OutboxEvent.objects.all().delete()
    Supplier.objects.filter(name="Acme").delete()
    events = list(OutboxEvent.objects.order_by("id"))
    assert {(event.type, event.key) for event in events} == {
        ("shop.product.updated", str(unlinked.product_uuid))
    }
    assert events[-1].payload["supplier"] is None
    assert events[-1].payload["maker"] == Supplier.objects.get(name="house brand").pk


def test_a_multi_table_child_records_for_its_published_parent() -> None:
    """Trap 6: the parent's event goes out when the child is saved and when it is deleted."""
    special = Special.objects.create(name="Saw", reason="sale")
    special.name = "Axe"
    special.save()
    special.delete()
    assert types() == ["shop.product.created", "shop.product.updated", "shop.product.deleted"]
    assert last().payload["name"] == "Axe"


def test_a_proxy_is_its_parent() -> None:
    """Trap 6: a row that is written through a proxy is recorded once, as its parent's."""
    proxy = ProductProxy.objects.create(name="Saw")
    ProductProxy.objects.update(stock=3)
    proxy.delete()
    assert types() == ["shop.product.created", "shop.product.updated", "shop.product.deleted"]


def test_a_fixture_is_recorded() -> None:
    """Trap 6: ``raw`` saves pass every overridden method, and are recorded all the same."""
    row = {
        "name": "Saw",
        "product_uuid": str(uuid.uuid4()),
        "price": "1",
        "changed_at": "2026-01-02T03:04:05Z",
    }
    [loaded] = serializers.deserialize("json", json.dumps([{"model": "shop.product", "fields": row}]))
    loaded.save()
    assert types() == ["shop.product.created"]
    assert last().payload["changed_at"] == "2026-01-02T03:04:05.000000+00:00"


def test_a_changed_key_is_refused_with_both_values() -> None:
    """Trap 58: the copies under the old key would stay for ever."""
    product = Product.objects.create(name="Saw")
    old, new = product.product_uuid, uuid.uuid4()
    product.product_uuid = new
    with pytest.raises(KeyChanged, match=f"from '{old}' to '{new}'"), transaction.atomic():
        product.save()
    blind = Product(pk=product.pk, name="Saw", product_uuid=new)
    with pytest.raises(KeyChanged), transaction.atomic():
        blind.save()
    with pytest.raises(KeyChanged):
        Product.objects.update(product_uuid=new)
    assert types() == ["shop.product.created"]


def test_a_row_without_a_key_is_refused() -> None:
    """The message names the model, the field and the value."""
    words = "Product has no usable key: product_uuid is None"
    with pytest.raises(RecordError, match=words), transaction.atomic():
        Product.objects.create(name="Saw", product_uuid=None)


def test_a_payload_that_is_too_large_fails_the_write(settings) -> None:
    """Trap 10: in the request, and not in the relay an hour later."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "MAX_EVENT_BYTES": 100}
    with pytest.raises(PayloadInvalid, match="MAX_EVENT_BYTES allows 100"), transaction.atomic():
        Product.objects.create(name="Saw")
    assert not Product.objects.exists()


def test_a_payload_that_breaks_its_schema_fails_the_write() -> None:
    """P10, trap 10: the message says the type, the place, the reason and where the schema is."""
    product = Product.objects.create(name="Saw")
    words = r"shop.review.created \(version 1\).*at \$.stars.*maximum"
    with pytest.raises(PayloadInvalid, match=words), transaction.atomic():
        Review.objects.create(product=product, stars=6)
    assert not Review.objects.exists()


def test_what_json_has_no_form_for_fails_the_write() -> None:
    """Trap 10: a NUL in a text, which PostgreSQL refuses in JSON, is refused everywhere."""
    with pytest.raises(PayloadInvalid, match="NUL"), transaction.atomic():
        record_event("shop.product.seen", key="k", payload={"a": "a\0b"})


def test_a_failed_write_records_nothing() -> None:
    """An IntegrityError of the row itself leaves no event."""
    product = Product.objects.create(name="Saw")
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.create(name="Saw", product_uuid=product.product_uuid)
    assert types() == ["shop.product.created"]


def test_keys_that_differ_in_case_or_blanks_are_different_keys() -> None:
    """Trap 53: each has a counter of its own, on every database."""
    for key in ("Key", "key", "key ", "kéy"):
        record_event("shop.product.seen", key=key, payload={})
    assert set(OutboxEvent.objects.values_list("sequence", flat=True)) == {1}
    assert OutboxKey.objects.count() == 4


def test_saving_costs_few_statements(django_assert_max_num_queries) -> None:
    """A full save of a loaded row: the row, the topic, the counter and the event, and a savepoint's two."""
    product = Product.objects.create(name="Saw")
    product = Product.objects.get(pk=product.pk)
    with django_assert_max_num_queries(4 + 2 * connections["default"].features.uses_savepoints):
        product.save()


def test_bulk_create_costs_few_statements(django_assert_max_num_queries) -> None:
    """A thousand rows are recorded set-wise: the statements do not grow with the rows."""
    with django_assert_max_num_queries(20):
        Product.objects.bulk_create([Product(name=str(number)) for number in range(300)], batch_size=300)
    assert OutboxEvent.objects.count() == 300


def test_a_decimal_is_published_as_the_database_rounds_it() -> None:
    """Trap 5: the payload shows the row, and the row was rounded."""
    product = Product.objects.create(name="Saw", price=Decimal("1.125"))
    product = Product.objects.get(pk=product.pk)
    assert last().payload["price"] == f"{product.price:.2f}"


def test_a_time_is_published_in_utc_whatever_its_zone() -> None:
    """The payload of a new row and that of the row read back are the same text."""
    zone = timezone.get_fixed_timezone(120)
    [product] = Product.objects.bulk_create(
        [Product(name="Saw", changed_at=datetime(2026, 1, 2, tzinfo=zone))]
    )
    first = last().payload["changed_at"]
    Product.objects.filter(pk=product.pk).update(stock=1)
    changed_at = Product.objects.get(pk=product.pk).changed_at
    assert last().payload["changed_at"] == changed_at.isoformat(timespec="microseconds")
    assert first.endswith("+00:00")


def test_a_primary_key_cannot_be_updated() -> None:
    """The rows could not be told again afterwards, and their event would be lost."""
    product = Product.objects.create(name="Saw")
    with pytest.raises(KeyChanged, match="a primary key cannot be updated"):
        Product.objects.filter(pk=product.pk).update(id=product.pk + 1, name="Axe")
    assert types() == ["shop.product.created"]
