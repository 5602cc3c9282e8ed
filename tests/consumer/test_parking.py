"""What cannot be handled is kept, its key waits in order, and all others go on."""

import time
from collections.abc import Sequence

import pytest
from django.db import Error, IntegrityError, OperationalError, connection

from django_outbox import Drop, Park, RetryLater, event_parked, handles, handles_batch
from django_outbox.consumer import parking
from django_outbox.consumer.failures import Interrupted, Overtaken
from django_outbox.consumer.models import ConsumerKey
from django_outbox.events import Event
from tests.copies.models import Note, Reading

from .stream import (
    GROUP,
    Poison,
    Stream,
    foreign,
    key_of,
    make_due,
    message,
    note,
    notes,
    numbers,
    position,
    rows,
)


def test_a_poison_message_parks_its_key_and_others_go_on(stream: Stream) -> None:
    """The culprit is kept, its successors wait behind it, other keys are handled (trap 36)."""
    handles("depot.item.*")(Poison("A2"))
    stream.handle(message("A", 1), message("A", 2), message("B", 1), message("A", 3), message("B", 2))
    assert notes() == ["A1", "B1", "B2"]
    assert numbers() == [2, 3]
    assert position().next_offset == 5
    head = rows()[0]
    assert (head.state, head.attempts) == ("waiting", 1)
    assert "ValueError: no" in head.error
    assert "Traceback" in head.error


def test_a_retry_after_the_cure_drains_the_key_in_order(stream: Stream) -> None:
    """Once the handler is mended the waiting events are handled in order and the key is free."""
    poison = Poison("A2")
    handles("depot.item.*")(poison)
    stream.handle(message("A", 1), message("A", 2), message("A", 3))
    poison.bad.clear()
    assert stream.first.retry() == 0, "its time has not come"
    make_due()
    assert stream.first.retry() == 2
    stream.handle(message("A", 4))
    assert notes() == ["A1", "A2", "A3", "A4"]
    assert rows() == []
    assert not key_of("A").parked


def test_a_retry_that_fails_backs_off_and_fails_for_good_in_the_end(stream: Stream, settings) -> None:
    """After MAX_ATTEMPTS the key is held until an operator retries it."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "MAX_ATTEMPTS": 3}
    poison = Poison("A1")
    handles("depot.item.*")(poison)
    stream.handle(message("A", 1), message("A", 2))
    for _ in range(3):
        make_due()
        stream.first.retry()
    assert [(row.state, row.attempts) for row in rows()] == [("failed", 3), ("waiting", 0)]
    poison.bad.clear()
    assert parking.retry(ConsumerKey.objects.filter(group=GROUP)) == 1
    stream.first.retry()
    assert notes() == ["A1", "A2"]


def test_a_policy_of_skipping_passes_over_with_a_record(stream: Stream, settings) -> None:
    """With on_failure='skip' the event is passed over after its attempts, and kept as skipped."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "MAX_ATTEMPTS": 2}
    handles("depot.item.*", on_failure="skip")(Poison("A1"))
    stream.handle(message("A", 1), message("A", 2))
    make_due()
    stream.first.retry()
    assert notes() == ["A2"]
    assert [(row.state, row.sequence) for row in rows()] == [("skipped", 1)]
    assert (key_of("A").sequence, key_of("A").parked) == (2, False)


def test_of_two_policies_hold_wins(stream: Stream, settings) -> None:
    """One handler that holds is enough to hold the key."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "MAX_ATTEMPTS": 1}
    handles("depot.item.*", on_failure="skip")(Poison("A1"))
    handles("depot.item.*")(note)
    stream.handle(message("A", 1))
    assert [row.state for row in rows()] == ["failed"]


def test_half_of_a_failed_event_is_undone(stream: Stream) -> None:
    """An earlier handler's effects go when a later handler of the same event fails (trap 33)."""
    handles("depot.item.*")(note)
    handles("depot.item.*")(Poison("A1", "B1", "C1"))
    stream.handle(message("A", 1), message("B", 1), message("C", 1), message("D", 1))
    assert notes() == ["D1", "D1"]


def test_an_integrity_error_parks_its_event_alone(stream: Stream) -> None:
    """A broken transaction is undone, the attempt is counted, the others are handled (trap 33)."""

    @handles("depot.item.*")
    def once_each(event: Event) -> None:
        Note.objects.create(text=f"{event.key}{event.sequence}", only_once=event.key)

    stream.handle(message("A", 1), message("A", 2), message("B", 1))
    assert notes() == ["A1", "B1"]
    assert [(row.sequence, row.attempts) for row in rows()] == [(2, 1)]
    assert "IntegrityError" in rows()[0].error


def test_a_swallowed_database_error_is_found_out(stream: Stream) -> None:
    """A handler that catches an error of the database and goes on parks its own event, no other."""
    Note.objects.create(text="", only_once="taken")

    @handles("depot.item.*")
    def swallows(event: Event) -> None:
        if event.key == "A":
            try:
                Note.objects.create(text="half", only_once="taken")
            except IntegrityError:
                return
        note(event)

    stream.handle(message("A", 1), message("B", 1))
    assert notes() == ["", "B1"]
    assert [bytes(row.message_key or b"") for row in rows()] == [b"A"]


def test_a_deferred_constraint_finds_its_culprit(stream: Stream) -> None:
    """A foreign key that fails at COMMIT parks the event that wrote it (trap 50)."""
    if not connection.features.can_defer_constraint_checks:
        pytest.skip("this database checks at once")

    @handles("depot.item.*")
    def refers(event: Event) -> None:
        if event.key == "B":
            Reading.objects.create(place_id=4711)
        note(event)

    stream.handle(message("A", 1), message("B", 1), message("C", 1))
    assert notes() == ["A1", "C1"]
    assert Reading.objects.count() == 0
    assert [bytes(row.message_key or b"") for row in rows()] == [b"B"]


def test_a_batch_handlers_culprits_are_found(stream: Stream) -> None:
    """The list is halved until the culprits are known; what else they did is undone too."""

    @handles_batch("depot.item.*")
    def index(events: Sequence[Event]) -> None:
        if any(event.key in ("k3", "k7") for event in events):
            raise ValueError("cannot index")
        Note.objects.create(text=f"indexed {len(events)}")

    handles("depot.item.*")(note)
    stream.handle(*(message(f"k{number}", 1) for number in range(10)))
    expected = [f"k{number}1" for number in range(10) if number not in (3, 7)]
    assert notes() == [*expected, "indexed 8"]
    assert sorted(bytes(row.message_key or b"") for row in rows()) == [b"k3", b"k7"]


def test_many_culprits_are_found_in_slices(stream: Stream) -> None:
    """With more culprits than one the rest of a large batch is handled all the same."""
    handles("depot.item.*")(Poison(*(f"k{number}1" for number in range(0, 120, 7))))
    stream.handle(*(message(f"k{number}", 1) for number in range(120)))
    bad = set(range(0, 120, 7))
    assert notes() == [f"k{number}1" for number in range(120) if number not in bad]
    assert len(rows("waiting")) == len(bad)


def test_retry_later_waits_and_counts_no_attempt(stream: Stream) -> None:
    """A handler may put its event off; its key waits that long."""
    poison = Poison("A1", error=lambda: RetryLater(30))
    handles("depot.item.*")(poison)
    stream.handle(message("A", 1), message("A", 2))
    (first, _) = rows()
    assert (first.state, first.attempts) == ("waiting", 0)
    assert first.next_try_at is not None
    assert 25 < (first.next_try_at - first.parked_at).total_seconds() < 35


def test_what_a_handler_says_goes_before_what_it_says_it_over(stream: Stream) -> None:
    """``Park`` raised over the trouble of some database parks the event and stops nobody."""

    @handles("depot.item.*")
    def careful(event: Event) -> None:
        if event.key == "A":
            try:
                raise OperationalError("database is locked")
            except OperationalError:
                raise Park("look at it")  # noqa: B904 - the context is what the test is about
        note(event)

    stream.handle(message("A", 1), message("B", 1))
    assert notes() == ["B1"]
    assert [row.state for row in rows()] == ["failed"]


@pytest.mark.parametrize("seconds", ["soon", float("inf"), float("nan"), 10**15])
def test_a_time_that_is_none_parks_its_event_alone(stream: Stream, seconds: float) -> None:
    """``RetryLater`` with such an argument is the handler's error, and not the end of the process."""
    handles("depot.item.*")(Poison("A1", error=lambda: RetryLater(seconds)))
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("B", 1))
    assert notes() == ["B1", "B1"]
    assert "RetryLater(seconds) takes a number" in rows()[0].error


def test_park_waits_for_an_operator(stream: Stream) -> None:
    """A handler may park its event with a reason; nothing tries it again by itself."""
    handles("depot.item.*")(Poison("A1", error=lambda: Park("ask accounting")))
    stream.handle(message("A", 1))
    make_due()
    assert stream.first.retry() == 0
    assert [row.state for row in rows()] == ["failed"]
    assert "ask accounting" in rows()[0].error


def test_drop_undoes_its_handler_alone(stream: Stream) -> None:
    """A handler that drops an event leaves nothing; other handlers of it and the key go on."""
    handles("depot.item.*")(Poison("A1", "B1", "C1", error=lambda: Drop("not ours")))
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("B", 1), message("C", 1), message("A", 2))
    assert notes() == ["A1", "B1", "C1", "A2", "A2"]
    assert rows() == []


def test_a_handler_that_idles_too_long_is_to_blame(stream: Stream, settings) -> None:
    """When the server ended the transaction of a slow handler, its event parks and others go on."""
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "HANDLER_SECONDS": 0.005}

    @handles("depot.item.*")
    def slow(event: Event) -> None:
        if event.key == "A":
            time.sleep(0.01)
            raise OperationalError("database is locked") from _Ended()
        note(event)

    class _Ended(Exception):
        sqlstate = "25P03"

    with pytest.raises((Interrupted, Error)):
        stream.handle(message("A", 1), message("B", 1))
    connection.close_if_unusable_or_obsolete()  # PostgreSQL really ended it
    settings.DJANGO_OUTBOX = {**settings.DJANGO_OUTBOX, "HANDLER_SECONDS": 60}
    stream.first.resume()
    stream.first.catch_up()
    assert notes() == ["B1"]
    assert "HANDLER_SECONDS" in rows()[0].error


def test_a_repeated_event_waits_once(stream: Stream) -> None:
    """Duplicates of events that wait are not kept twice, nor handled twice."""
    poison = Poison("A1")
    handles("depot.item.*")(poison)
    stream.handle(message("A", 1), message("A", 2), message("A", 1), message("A", 2))
    assert numbers() == [1, 2]
    poison.bad.clear()
    make_due()
    stream.first.retry()
    assert notes() == ["A1", "A2"]


def test_a_skip_moves_the_sequence_and_frees_the_next(stream: Stream) -> None:
    """An operator passes over the first waiting event; a repetition of it is dropped."""
    handles("depot.item.*")(Poison("A1"))
    stream.handle(message("A", 1), message("A", 2))
    assert parking.skip(ConsumerKey.objects.all()) == []
    stream.first.retry()
    stream.handle(message("A", 1), message("A", 3))
    assert notes() == ["A2", "A3"]
    assert [(row.state, row.sequence) for row in rows()] == [("skipped", 1)]


def test_a_process_that_lost_the_partition_retries_nothing(stream: Stream) -> None:
    """A retry compares the position like a delivery does."""
    poison = Poison("A1")
    handles("depot.item.*")(poison)
    stream.handle(message("A", 1))
    frozen = stream.process()
    stream.handle(message("B", 1))
    poison.bad.clear()
    make_due()
    with pytest.raises(Overtaken):
        frozen.retry()
    assert notes() == ["B1"]


def test_event_parked_is_sent_after_the_commit(stream: Stream) -> None:
    """Receivers hear what was put aside, and a failing receiver harms nobody."""
    heard: list[tuple[str, bool]] = []

    def hear(sender: object, event: Event, group: str, error: str, **_: object) -> None:
        heard.append((f"{group} {event.key}{event.sequence}", connection.in_atomic_block))
        raise ValueError("receiver")

    handles("depot.item.*")(Poison("A1"))
    event_parked.connect(hear)
    try:
        stream.handle(message("A", 1), foreign(b"B"))
    finally:
        event_parked.disconnect(hear)
    assert heard == [("shop A1", False)]
    assert notes() == ["BNone"]
