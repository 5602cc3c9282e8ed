"""``django_outbox.testing``: what a user's own tests need."""

import pytest

from django_outbox import Drop
from django_outbox.consumer.handlers import handles, handles_batch, registry
from django_outbox.exceptions import PayloadInvalid
from django_outbox.testing import captured_events, handle_event, make_event
from tests.shop.models import Product

pytest_plugins = ["django_outbox.testing.plugin"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_handlers():
    with registry.isolated():
        yield


def test_events_of_a_block_are_captured() -> None:
    """Inside a ``TestCase``'s transaction, without Kafka; what comes later is not in it."""
    Product.objects.create(name="before")
    with captured_events() as events:
        assert events.types == []
        product = Product.objects.create(name="Saw")
        product.delete()
    Product.objects.create(name="after")
    assert events.types == ["shop.product.created", "shop.product.deleted"]
    assert events[0].payload["name"] == "Saw"
    assert [event.key for event in events.of("shop.product.deleted")] == [str(product.product_uuid)]


def test_the_fixture_captures_a_whole_test(outbox_events) -> None:
    """``outbox_events`` grows as the test goes on, and can be cleared."""
    Product.objects.create(name="Saw")
    assert outbox_events.types == ["shop.product.created"]
    outbox_events.clear()
    assert len(outbox_events) == 0


def test_a_handler_runs_on_an_event_made_from_a_dict() -> None:
    """Single and batch handlers, with an event that went over the wire."""
    seen = []

    @handles("crm.customer.*")
    def one(event):
        seen.append((event.word, event.key, event.payload))

    @handles_batch("crm.customer.changed")
    def many(events):
        seen.append([event.sequence for event in events])

    ran = handle_event({"type": "crm.customer.changed", "key": 7, "payload": {"a": 1}} | {"key": "7"})
    assert seen == [("changed", "7", {"a": 1}), [1]]
    assert [name.rpartition(".")[2] for name in ran] == ["one", "many"]


def test_what_a_handler_raises_comes_out_and_its_effects_are_gone() -> None:
    """The test sees the handler's own error."""

    @handles("crm.customer.*")
    def fails(event):
        Product.objects.create(name="half")
        raise Drop("not for us")

    with pytest.raises(Drop, match="not for us"):
        handle_event({"type": "crm.customer.changed"})
    assert not Product.objects.exists()


def test_an_event_that_nobody_reads_is_an_error() -> None:
    """A typing mistake in a test does not pass silently."""

    @handles("crm.customer.*")
    def one(event): ...

    with pytest.raises(LookupError, match=r"Nothing of group 'shop' reads 'crm.custmer.changed'"):
        handle_event({"type": "crm.custmer.changed"})


def test_a_payload_that_breaks_its_schema_is_an_error() -> None:
    """As it is for a consumer."""

    @handles("shop.product.*")
    def one(event): ...

    with pytest.raises(PayloadInvalid, match=r"required"):
        handle_event({"type": "shop.product.created", "payload": {}})


def test_an_unknown_name_of_an_event_is_an_error() -> None:
    """With the nearest name."""
    with pytest.raises(TypeError, match="An event has no 'paylod'; did you mean 'payload'"):
        make_event({"type": "a.b", "paylod": {}})
    with pytest.raises(TypeError, match="needs a type"):
        make_event(payload={})
