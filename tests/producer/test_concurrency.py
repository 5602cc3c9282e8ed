"""Two connections at once. What a database cannot do at all is SQLite's: it lets one writer in."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction

from django_outbox import record_event
from django_outbox.producer.models import OutboxEvent, OutboxKey
from tests.shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


def in_threads(*functions: Callable[[], None]) -> None:
    """Run each in a thread with a connection of its own; raises what they raise."""
    errors: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised again by the main thread
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


def test_many_writers_of_one_key_number_without_gaps_or_doubles() -> None:
    """P4, trap 7: without a shared row of theirs the key's own row puts them in order."""

    def write() -> None:
        for number in range(15):
            with transaction.atomic():
                record_event("shop.product.seen", key=f"k{number % 2}", payload={})

    in_threads(write, write, write, write)
    for key in ("k0", "k1"):
        numbers = list(OutboxEvent.objects.filter(key=key).order_by("id").values_list("sequence", flat=True))
        assert numbers == list(range(1, len(numbers) + 1)), "ids ascend with sequences"
    assert OutboxEvent.objects.count() == 60


def test_first_writers_of_one_topic_do_not_wait_for_one_commit() -> None:
    """Different keys of a topic are independent from the first event on."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets one writer in at a time")
    order: list[str] = []
    begun, done = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            record_event("shop.product.seen", key="slow", payload={})
            begun.set()
            done.wait(10)
            order.append("slow")

    def fast() -> None:
        begun.wait(10)
        with transaction.atomic():
            record_event("shop.product.seen", key="fast", payload={})
        order.append("fast")
        done.set()

    in_threads(slow, fast)
    assert order == ["fast", "slow"]


def test_a_late_commit_of_a_lower_id_is_not_skipped(broker, publish) -> None:
    """P2, trap 12: the scan starts at the bottom, so an id that commits late is found."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets one writer in at a time")
    low_is_open, high_is_sent = threading.Event(), threading.Event()

    def low() -> None:
        with transaction.atomic():
            record_event("shop.product.seen", key="low", payload={})
            low_is_open.set()
            high_is_sent.wait(10)

    def high() -> None:
        low_is_open.wait(10)
        with transaction.atomic():
            record_event("shop.product.seen", key="high", payload={})
        publish()
        high_is_sent.set()

    in_threads(low, high)
    assert [message.key for message in broker.messages("shop.product")] == [b"high"]
    publish()
    assert [message.key for message in broker.messages("shop.product")] == [b"high", b"low"]


def test_two_savers_of_one_row_publish_in_commit_order(broker, publish) -> None:
    """P4: the order of sequences is the order in which the row was written."""
    product = Product.objects.create(name="0")

    def save(name: str) -> Callable[[], None]:
        def run() -> None:
            for _ in range(10):
                with transaction.atomic():
                    row = Product.objects.select_for_update().get(pk=product.pk)
                    row.stock += 1
                    row.name = name
                    row.save()
                    time.sleep(0.001)

        return run

    in_threads(save("a"), save("b"))
    stocks = [row.payload["stock"] for row in OutboxEvent.objects.order_by("sequence")]
    assert stocks == list(range(21))
    assert OutboxKey.objects.get().last_sequence == 21
