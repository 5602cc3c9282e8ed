"""Facts that are no change of a row."""

import pytest
from django.db import transaction

from django_outbox import event_recorded, record_event
from django_outbox.exceptions import NotAtomic, PayloadInvalid, RecordError
from django_outbox.producer.models import OutboxEvent
from tests.shop.models import Category, Product

pytestmark = pytest.mark.django_db


def test_a_fact_has_the_topic_and_key_of_its_row() -> None:
    """It shares the sequence of the row's changes."""
    product = Product.objects.create(name="Saw")
    record_event("shop.product.recalled", instance=product, payload={"reason": "brakes"})
    event = OutboxEvent.objects.order_by("id").last()
    assert (event.topic, event.key, event.sequence) == ("shop.product", str(product.product_uuid), 2)
    assert (event.operation, event.payload) == ("fact", {"reason": "brakes"})


def test_a_fact_may_carry_a_trace() -> None:
    """``headers`` reach the message."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    record_event("shop.product.seen", key="k", payload={}, headers={"traceparent": trace})
    assert OutboxEvent.objects.get().headers == {"traceparent": trace}


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_is_refused() -> None:
    """The message names what to write."""
    with pytest.raises(NotAtomic, match=r"transaction.atomic\(using='default'\)"):
        record_event("shop.product.seen", key="k", payload={})
    assert not OutboxEvent.objects.exists()


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        ("recalled", "a dot and one word"),
        ("shop.product.", "a dot and one word"),
        ("shop.other.recalled", "a dot and one word"),
        ("shop.product.deleted", "kept for changes of rows"),
        ("...recalled", "a dot and one word"),
    ],
)
def test_a_wrong_type_is_refused(type_: str, message: str) -> None:
    """A type is its topic, a dot and a word that is not reserved."""
    product = Product.objects.create(name="Saw")
    with pytest.raises(RecordError, match=message):
        record_event(type_, instance=product, payload={})


def test_a_missing_key_is_refused() -> None:
    """Without a row somebody has to say what the event is about."""
    with pytest.raises(RecordError, match="needs key="):
        record_event("shop.product.seen", payload={})


def test_a_row_of_another_kind_is_refused() -> None:
    """Only published models have a topic."""
    with pytest.raises(RecordError, match=r"shop.Category is not published"):
        record_event("shop.category.seen", instance=Category.objects.create(name="x"), payload={})


def test_a_row_that_is_gone_is_refused() -> None:
    """The row is locked first, so it has to be there."""
    product = Product.objects.create(name="Saw")
    Product.objects.get().delete()
    with pytest.raises(RecordError, match="has no row"):
        record_event("shop.product.recalled", instance=product, payload={})


@pytest.mark.parametrize("payload", [None, {"a": object()}, {1: "a"}, {"a": float("nan")}, {"a": "\ud800"}])
def test_what_is_no_json_is_refused(payload: object) -> None:
    """P10: with the place and the kind of what came."""
    with pytest.raises(PayloadInvalid):
        record_event("shop.product.seen", key="k", payload=payload)
    assert not OutboxEvent.objects.exists()


def test_a_topic_of_another_owner_is_refused() -> None:
    """Trap 60: a topic has one owning service."""
    from django_outbox.producer.models import OutboxTopic

    record_event("crm.customer.seen", key="k", payload={})
    OutboxTopic.objects.filter(name="crm.customer").update(owner="crm")
    with pytest.raises(RecordError, match="belongs to 'crm'; this service is 'shop'"):
        record_event("crm.customer.seen", key="k", payload={})


def test_receivers_hear_of_it_inside_the_transaction() -> None:
    """``event_recorded`` brings the event with its number; an exception fails the transaction."""
    heard = []

    def receiver(event, using, **_):
        heard.append((event.type, event.sequence, using))
        if event.payload == {"fail": True}:
            raise ZeroDivisionError

    event_recorded.connect(receiver)
    try:
        record_event("shop.product.seen", key="k", payload={})
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            record_event("shop.product.seen", key="k", payload={"fail": True})
    finally:
        event_recorded.disconnect(receiver)
    assert heard == [("shop.product.seen", 1, "default"), ("shop.product.seen", 2, "default")]
    assert OutboxEvent.objects.count() == 1


@pytest.mark.parametrize("what", [{"key": "k" * 1_000_000}, {"key": "k", "headers": {"a": "x" * 1_000_000}}])
def test_a_key_or_headers_that_no_broker_takes_are_refused(what: dict[str, object]) -> None:
    """Trap 10: the limit counts them too; at the broker the key would be dead."""
    with pytest.raises(PayloadInvalid, match="MAX_EVENT_BYTES"):
        record_event("shop.product.seen", payload={}, **what)


def test_headers_with_a_nul_are_refused() -> None:
    """PostgreSQL would refuse them with an error of its own."""
    with pytest.raises(RecordError, match="headers="):
        record_event("shop.product.seen", key="k", payload={}, headers={"a": "\0"})
