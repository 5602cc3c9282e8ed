"""Two processes at once on one partition, on a database with row locks."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import Error, connection, connections

from django_outbox import handles
from django_outbox.brokers.memory import MemoryBroker
from django_outbox.consumer.failures import Interrupted, Overtaken
from django_outbox.consumer.worker import ConsumerWorker
from django_outbox.events import Event

from .stream import Poison, Stream, foreign, make_due, message, note, notes, rows


@pytest.fixture(autouse=True)
def _needs_a_server(transactional_db: None) -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("SQLite has one writer at a time and no server that could end a transaction")


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run ``work`` on connections of its own; the list gets what it gave or raised."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Overtaken as error:
            results.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_a_second_process_waits_for_the_first_and_handles_nothing(stream: Stream) -> None:
    """Both fetched the same messages; the position's lock lets one commit, the other drops its batch."""
    inside, go = threading.Event(), threading.Event()

    @handles("depot.item.*")
    def slow(event: Event) -> None:
        note(event)
        inside.set()
        assert go.wait(10)

    stream.write(foreign(b"X"))
    first, second = stream.process(), stream.process()
    one, first_result = in_thread(first.catch_up)
    assert inside.wait(10)
    two, second_result = in_thread(second.catch_up)
    time.sleep(0.3)
    assert second_result == [], "it waits for the lock"
    go.set()
    one.join()
    two.join()
    assert first_result == [None]
    assert isinstance(second_result[0], Overtaken)
    assert notes() == ["XNone"]


def test_a_retry_and_a_delivery_never_run_at_once(stream: Stream) -> None:
    """While a retry drains a key, a delivery that would queue behind it waits (trap 51)."""
    poison = Poison("A1")
    handles("depot.item.*")(poison)
    stream.handle(message("A", 1))
    poison.bad.clear()
    make_due()
    stream.write(message("A", 2))
    one, _ = in_thread(stream.process().retry)
    two, _ = in_thread(stream.process().catch_up)
    one.join()
    two.join()
    stream.first.resume()
    stream.first.retry()
    assert notes() == ["A1", "A2"]
    assert rows() == []


def test_members_that_come_and_go_handle_everything_once(stream: Stream) -> None:
    """Three members in turn share four partitions; one leaves in the middle (traps 34, 35)."""
    handles("depot.item.*")(note)
    broker = MemoryBroker()
    done = threading.Event()

    def publish(number: int) -> None:
        broker.publisher().publish([message(f"k{key}", number) for key in range(20)], 1)

    def member(stop: Callable[[], bool]) -> tuple[threading.Thread, list[object]]:
        return in_thread(lambda: ConsumerWorker("shop", broker, say=lambda _: None).run(stop))

    publish(1)
    first = member(done.is_set)
    leaves = time.monotonic() + 0.7
    second = member(lambda: time.monotonic() > leaves)
    for number in range(2, 8):
        publish(number)
        time.sleep(0.15)
    third = member(done.is_set)
    publish(8)
    end = time.monotonic() + 20
    while len(notes()) < 160 and time.monotonic() < end:
        time.sleep(0.1)
    done.set()
    for thread, _ in (first, second, third):
        thread.join()
    assert [result for _, result in (first, second, third)] == [[0], [0], [0]]
    written = notes()
    for key in range(20):
        mine = [text for text in written if text.startswith(f"k{key}") and len(text) == len(f"k{key}") + 1]
        assert mine == [f"k{key}{number}" for number in range(1, 9)]
    assert rows() == []


def test_the_server_ends_a_transaction_that_idles(stream: Stream, settings) -> None:
    """A handler that sleeps past HANDLER_SECONDS loses its transaction and parks; the next ones go on."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "HANDLER_SECONDS": 0.3}

    @handles("depot.item.*")
    def sleepy(event: Event) -> None:
        note(event)
        if event.key == "A":
            time.sleep(1)

    stream.write(message("A", 1), message("B", 1))

    def rounds() -> None:
        consumer = stream.process()
        try:
            consumer.catch_up()
        except (Interrupted, Error):
            connection.close()
        else:
            pytest.fail("the server ended nothing")
        consumer.resume()
        consumer.catch_up()

    thread, result = in_thread(rounds)
    thread.join()
    assert result == [None]
    assert notes() == ["B1"]
    assert "longer than HANDLER_SECONDS (0.3 s)" in rows()[0].error
