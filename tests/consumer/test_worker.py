"""The loop: start, stop, other logs, trouble."""

import time
from collections.abc import Callable

import pytest
from django.db import OperationalError

from django_outbox import handles
from django_outbox.brokers.base import Partition
from django_outbox.brokers.memory import MemoryBroker
from django_outbox.consumer.models import Position
from django_outbox.consumer.worker import ConsumerWorker
from django_outbox.events import Event

from .stream import TOPIC, Poison, make_due, message, note, notes, rows

pytestmark = pytest.mark.django_db(transaction=True)


class Shop:
    """A broker with one partition, and what its consumers said."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(partitions=1)
        self.said: list[str] = []

    def publish(self, *messages) -> None:
        assert all(one.acknowledged for one in self.broker.publisher().publish(messages, 1))

    def worker(self, group: str = "shop") -> ConsumerWorker:
        return ConsumerWorker(group, self.broker, say=self.said.append)

    def once(self) -> int:
        return self.worker().run(lambda: False, once=True)

    def until(self, enough: Callable[[], bool], worker: ConsumerWorker | None = None) -> int:
        end = time.monotonic() + 10

        def stop() -> bool:
            assert time.monotonic() < end, f"waited too long; handled {notes()}"
            return enough()

        return (worker or self.worker()).run(stop)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_new_group_begins_at_the_earliest_message(shop: Shop) -> None:
    """What was there before the group's first start is handled too (trap 38)."""
    shop.publish(message("A", 1), message("A", 2))
    handles("depot.item.*")(note)
    assert shop.once() == 0
    assert notes() == ["A1", "A2"]
    assert shop.broker.committed("shop") == {Partition(TOPIC, 0): 2}


def test_a_second_start_goes_on_from_the_database(shop: Shop) -> None:
    """The broker's committed offset decides nothing (trap 32)."""
    handles("depot.item.*")(note)
    shop.publish(message("A", 1))
    shop.once()
    shop.broker._group("shop").committed.clear()
    shop.publish(message("A", 2))
    assert shop.once() == 0
    assert notes() == ["A1", "A2"]


def test_once_says_what_is_parked_and_exits_with_one(shop: Shop) -> None:
    """Keys that are parked are printed with the reason; the next run after their time drains them."""
    poison = Poison("A1")
    handles("depot.item.*")(poison)
    shop.publish(message("A", 1), message("B", 1))
    assert shop.once() == 1
    assert shop.said == ["Parked: depot.item A (waiting): ValueError: no"]
    poison.bad.clear()
    make_due()
    assert shop.once() == 0
    assert notes() == ["B1", "A1"]


def test_once_without_topic_says_so_and_ends(shop: Shop) -> None:
    """A topic that is not there yet holds nothing back."""
    handles("depot.nothing.*")(note)
    assert shop.once() == 0
    assert shop.said == ["Topic depot.nothing does not exist yet; there is nothing to consume from it."]


def test_once_without_broker_ends_with_one(shop: Shop) -> None:
    """An absent broker is said, not waited for for ever."""
    handles("depot.item.*")(note)
    shop.broker.down()
    worker = shop.worker()
    worker.patience_seconds = 0.2
    assert worker.run(lambda: False, once=True) == 1
    assert shop.said == [
        "No broker answers; waiting for it.",
        "No broker answered within 0.2 s; nothing was consumed.",
    ]


def test_an_absent_broker_is_waited_for(shop: Shop) -> None:
    """Without --once the loop says once that it waits, and goes on when the broker is there."""
    handles("depot.item.*")(note)
    shop.publish(message("A", 1))
    shop.broker.down()
    began = time.monotonic()

    def enough() -> bool:
        if time.monotonic() - began > 0.7:
            shop.broker.up()
        return notes() == ["A1"]

    assert shop.until(enough) == 0
    assert shop.said == ["No broker answers; waiting for it."]


def test_an_idle_loop_stops_at_once(shop: Shop) -> None:
    """A stop on an idle topic leaves the group within a second (trap 41)."""
    handles("depot.item.*")(note)
    shop.publish(message("A", 1))
    asked: list[float] = []

    def enough() -> bool:
        if notes() and not asked:
            asked.append(time.monotonic())
        return bool(asked)

    assert shop.until(enough) == 0
    assert time.monotonic() - asked[0] < 1
    assert shop.broker._group("shop").members == []


@pytest.mark.slow
def test_trouble_with_the_database_is_waited_out(shop: Shop) -> None:
    """A deadlock in a handler repeats the batch in the same process, and parks nothing (trap 42)."""
    troubles = [OperationalError("database is locked"), OperationalError("database is locked")]

    @handles("depot.item.*")
    def troubled(event: Event) -> None:
        note(event)
        if event.sequence == 2 and troubles:
            raise troubles.pop() from _Deadlock

    shop.publish(message("A", 1), message("A", 2), message("B", 1))
    assert shop.until(lambda: len(notes()) == 3) == 0
    assert notes() == ["A1", "A2", "B1"]
    assert rows() == []


class _Deadlock(Exception):
    """PostgreSQL's; SQLite says that it is locked."""

    sqlstate = "40P01"


def test_a_moved_position_sends_the_subscriber_there(shop: Shop) -> None:
    """After a difference the loop goes on at the database's position, and repeats nothing."""
    handles("depot.item.*")(note)
    shop.publish(message("A", 1), message("A", 2))
    worker = shop.worker()
    confused: list[bool] = []

    def enough() -> bool:
        if len(notes()) == 2 and not confused:
            confused.append(True)
            worker.positions.seen[Partition(TOPIC, 0)] = 1
            shop.publish(message("A", 3))
        return len(notes()) >= 3

    assert shop.until(enough, worker) == 0
    assert notes() == ["A1", "A2", "A3"]


def test_a_batch_that_takes_too_long_is_cut_and_fetched_again(shop: Shop, settings) -> None:
    """The rest of a cut batch is handled in the next round; nothing is lost."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "CONSUME_BATCH_SECONDS": 0.000001}
    handles("depot.item.*")(note)
    shop.publish(*(message("A", number) for number in range(1, 6)))
    assert shop.once() == 0
    assert notes() == ["A1", "A2", "A3", "A4", "A5"]


def test_another_cluster_stops_the_partition(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Offsets of another cluster say nothing: the partition is left alone, with words (trap 59)."""
    handles("depot.item.*")(note)
    shop.publish(message("A", 1))
    shop.once()
    other = Shop()
    other.publish(message("A", 2), message("A", 3))
    assert other.once() == 1
    assert notes() == ["A1"]
    assert "was read from cluster" in other.said[0]
    assert "delete this row of django_outbox.Position" in other.said[0]
    Position.objects.all().delete()
    assert other.once() == 0
    assert notes() == ["A1", "A2", "A3"]


def test_a_topic_that_was_made_again_stops_the_partition(shop: Shop) -> None:
    """The same name is another log (trap 59)."""
    handles("depot.item.*")(note)
    shop.publish(message("A", 1))
    shop.once()
    del shop.broker._topics[TOPIC]
    shop.publish(message("A", 2), message("A", 3))
    assert shop.once() == 1
    assert notes() == ["A1"]
    assert "the topic was deleted and made again" in shop.said[-1]


def test_an_offset_that_retention_removed_stops_the_partition(shop: Shop) -> None:
    """Messages that are gone are not jumped over silently (trap 38)."""
    handles("depot.item.*")(note)
    shop.publish(message("A", 1))
    shop.once()
    shop.publish(message("A", 2), message("A", 3))
    shop.broker.delete_records(Partition(TOPIC, 0), 2)
    assert shop.once() == 1
    assert notes() == ["A1"]
    assert "goes on at offset 1; the broker holds 2 up to 3" in shop.said[-1]


def test_a_restarted_member_goes_on_in_every_partition(shop: Shop) -> None:
    """Each partition has a position of its own."""
    handles("depot.item.*")(note)
    shop.broker = MemoryBroker(partitions=2)
    shop.publish(*(message(f"k{number}", 1) for number in range(6)))
    shop.until(lambda: len(notes()) == 6)
    shop.publish(*(message(f"k{number}", 2) for number in range(6)))
    shop.until(lambda: len(notes()) == 12)
    assert sorted(notes()) == sorted(f"k{number}{n}" for number in range(6) for n in (1, 2))
