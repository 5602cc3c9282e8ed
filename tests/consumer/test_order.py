"""Sequences, holes and epochs of a key."""

from django_outbox import handles
from django_outbox.consumer import parking
from django_outbox.consumer.models import ConsumerKey

from .stream import Poison, Stream, key_of, make_due, message, note, notes, numbers, rows


def test_a_hole_is_waited_for_and_order_is_kept(stream: Stream) -> None:
    """A1 A3 A2: the third waits for the second, which sets it free at once (trap 39)."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("A", 3))
    assert notes() == ["A1"]
    assert rows()[0].error == "waits for number 2 of epoch 1"
    stream.handle(message("A", 2))
    stream.first.retry()
    assert notes() == ["A1", "A2", "A3"]
    assert not key_of("A").parked


def test_the_order_among_the_waiting_is_that_of_numbers(stream: Stream) -> None:
    """A1 A4 A3 A2 A3: handled in order, each once."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("A", 4), message("A", 3), message("A", 2), message("A", 3))
    stream.first.retry()
    assert notes() == ["A1", "A2", "A3", "A4"]


def test_a_hole_is_given_up_only_when_the_partition_was_read_to_its_end(stream: Stream) -> None:
    """After the time the end of then is remembered; what lies fetched below it still counts."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("A", 3))
    stream.write(message("A", 2))
    make_due()
    stream.first.retry()
    assert notes() == ["A1"]
    assert rows()[0].release_offset == 3
    stream.first.catch_up()
    stream.first.retry()
    assert notes() == ["A1", "A2", "A3"]
    assert rows() == []


def test_a_number_that_was_given_up_is_missing_and_later_filled(stream: Stream) -> None:
    """With whole state behind it the key goes on; the number, when it comes, is kept and not run."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("A", 4))
    make_due()
    stream.first.retry()
    assert notes() == ["A1", "A4"]
    assert numbers(["missing"]) == [2, 3]
    stream.handle(message("A", 2), message("A", 5))
    assert notes() == ["A1", "A4", "A5"]
    filled, empty = rows("missing")
    assert bytes(filled.message_value or b"") == b'{"number":2}'
    assert filled.offset == 2
    assert empty.message_value is None


def test_a_fact_behind_a_hole_waits_for_an_operator(stream: Stream) -> None:
    """What carries no whole state would make a handler miss something: it fails, and can be released."""
    handles("depot.item.*")(note)
    fact = message("A", 3, operation="fact", type="depot.item.moved")
    stream.handle(message("A", 1), fact, message("A", 4))
    make_due()
    stream.first.retry()
    assert notes() == ["A1"]
    assert rows()[0].state == "failed"
    assert "Number 2 of epoch 1 never came" in rows()[0].error
    keys = ConsumerKey.objects.all()
    assert parking.skip(keys) == ["shop depot.item A: it waits for number 2; give that up first."]
    assert parking.give_up(keys) == []
    stream.first.retry()
    assert notes() == ["A1", "A3", "A4"]
    assert numbers(["missing"]) == [2]


def test_a_hole_behind_a_mended_event_gets_its_own_wait(stream: Stream) -> None:
    """A hole further back in the queue is waited for from the moment it comes first."""
    poison = Poison("A1")
    handles("depot.item.*")(poison)
    stream.handle(message("A", 1), message("A", 3))
    poison.bad.clear()
    make_due()
    stream.first.retry()
    assert notes() == ["A1"]
    assert rows()[0].error == "waits for number 2 of epoch 1"
    assert stream.first.retry() == 0
    assert numbers(["missing"]) == []


def test_the_first_event_of_a_key_may_have_any_number(stream: Stream) -> None:
    """A group that starts late has no hole before its first event."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 41), message("A", 42))
    assert notes() == ["A41", "A42"]


def test_a_new_epoch_begins_with_any_number_and_ends_the_old_one(stream: Stream) -> None:
    """After ownership moved, the new owner's numbers count and the old one's are dropped (trap 54)."""
    handles("depot.item.*")(note)
    new = message("A", 3, epoch=2, source="/new")
    stream.handle(message("A", 7), new, message("A", 8), message("A", 4, epoch=2, source="/new"))
    assert notes() == ["A7", "A3", "A4"]
    assert rows() == []
    assert (key_of("A").epoch, key_of("A").source) == (2, "/new")


def test_a_key_that_is_deleted_and_made_again_goes_on_counting(stream: Stream) -> None:
    """An update after a delete, come late, is not handled after it (trap 39)."""
    handles("depot.item.*")(note)
    stream.handle(
        message("A", 1, operation="created"),
        message("A", 2),
        message("A", 3, operation="deleted"),
        message("A", 2),
        message("A", 4, operation="created"),
    )
    assert notes() == ["A1", "A2", "A3", "A4"]


def test_a_hole_of_a_million_gets_a_thousand_rows(stream: Stream) -> None:
    """What is written for a hole is bounded, and says so."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("A", 1_000_000))
    make_due()
    stream.first.retry()
    assert notes() == ["A1", "A1000000"]
    assert len(rows("missing")) == 1000
    assert "up to 999999" in rows("missing")[-1].error


def test_an_older_epoch_is_handled_before_a_newer_one_among_the_waiting(stream: Stream) -> None:
    """Behind a parked event the order is that of (epoch, sequence), not of arrival."""
    poison = Poison("A7")
    handles("depot.item.*")(poison)
    new = message("A", 3, epoch=2, source="/new")
    stream.handle(message("A", 7), new, message("A", 8))
    poison.bad.clear()
    make_due()
    stream.first.retry()
    assert notes() == ["A7", "A8", "A3"]
    assert not key_of("A").parked
