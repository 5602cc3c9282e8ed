"""A batch: once, in order, in one transaction with the position."""

import pytest
from django.db import OperationalError, connection

from django_outbox import event_handled, handles, handles_batch
from django_outbox.consumer.failures import Interrupted, Overtaken
from django_outbox.events import Event

from .stream import AT, GROUP, Stream, foreign, key_of, message, note, notes, numbers, position, rows


def test_events_are_handled_once_and_in_order(stream: Stream) -> None:
    """Each event of a batch reaches its handler once, in the order of the partition."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("B", 1), message("A", 2))
    assert notes() == ["A1", "B1", "A2"]
    assert position().next_offset == 3
    assert (key_of("A").epoch, key_of("A").sequence) == (1, 2)


def test_a_duplicate_in_a_batch_and_after_it_is_dropped(stream: Stream) -> None:
    """An event that a relay repeats is handled once, beside itself and later (trap 19)."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("A", 1), message("A", 2))
    stream.handle(message("A", 1), message("A", 2), message("A", 3))
    assert notes() == ["A1", "A2", "A3"]
    assert rows() == []


def test_an_event_without_handler_moves_position_and_sequence(stream: Stream) -> None:
    """What nobody handles is passed over, and leaves no hole."""
    handles("depot.item.deleted")(note)
    stream.handle(message("A", 1, operation="created"), message("A", 2, operation="deleted"))
    assert notes() == ["A2"]
    assert key_of("A").sequence == 2


def test_a_crash_before_the_broker_is_told_repeats_nothing(stream: Stream) -> None:
    """A new process resumes from the database, whatever the broker's offset says (trap 32)."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), foreign(b"X"))
    stream.write(message("A", 2))
    stream.process().catch_up()
    assert notes() == ["A1", "XNone", "A2"]


def test_a_frozen_process_commits_nothing_when_it_wakes_up(stream: Stream) -> None:
    """What another process handled meanwhile is not handled again by the one that slept (trap 34)."""
    handles("depot.item.*")(note)
    stream.write(foreign(b"X"), message("A", 1))
    frozen, other = stream.process(), stream.process()
    fetched = frozen.fetch()
    other.catch_up()
    with pytest.raises(Overtaken):
        frozen.delivery.deliver(fetched)
    assert notes() == ["XNone", "A1"]
    assert position().next_offset == 2


def test_the_overtaken_process_goes_on_from_the_database(stream: Stream) -> None:
    """After a difference the position is loaded anew, and nothing is lost or repeated (trap 35)."""
    handles("depot.item.*")(note)
    stream.handle(foreign(b"X"))
    frozen = stream.process()
    stream.handle(foreign(b"X"))
    stream.write(foreign(b"Y"))
    frozen.catch_up_after_overtaking()
    assert notes() == ["XNone", "XNone", "YNone"]


def test_a_lost_answer_to_commit_repeats_nothing(stream: Stream) -> None:
    """When COMMIT succeeded and the process believes it failed, the comparison shows it."""
    handles("depot.item.*")(note)
    stream.write(foreign(b"X"))
    before = dict(stream.first.positions.seen)
    stream.first.catch_up()
    stream.first.positions.seen = before
    stream.first.catch_up_after_overtaking()
    assert notes() == ["XNone"]


def test_messages_below_the_position_are_not_handled(stream: Stream) -> None:
    """A fetch that reaches back is cut at the position."""
    handles("depot.item.*")(note)
    stream.handle(foreign(b"X"), foreign(b"Y"))
    stream.write(foreign(b"Z"))
    stream.first.delivery.deliver(stream.log)
    assert notes() == ["XNone", "YNone", "ZNone"]


def test_database_trouble_parks_nothing_and_the_batch_is_repeated(stream: Stream) -> None:
    """A transient error, raised from a handler, undoes the batch and blames nobody (trap 42)."""
    troubles = [OperationalError("database is locked")]

    @handles("depot.item.*")
    def troubled(event: Event) -> None:
        note(event)
        if event.sequence == 2 and troubles:
            error = troubles.pop()
            error.__cause__ = _Deadlock()
            raise error

    with pytest.raises((Interrupted, OperationalError)):
        stream.handle(message("A", 1), message("A", 2))
    assert notes() == []
    assert rows() == []
    stream.first.resume()
    stream.first.catch_up()
    assert notes() == ["A1", "A2"]


class _Deadlock(Exception):
    sqlstate = "40P01"


@pytest.mark.parametrize("stopping", [KeyboardInterrupt, SystemExit])
def test_a_stop_inside_a_handler_is_not_swallowed(stream: Stream, stopping: type[BaseException]) -> None:
    """Ctrl-C in a handler ends the process and undoes the whole batch (trap 30)."""

    @handles("depot.item.*")
    def interrupted(event: Event) -> None:
        note(event)
        if event.sequence == 2:
            raise stopping

    with pytest.raises(stopping):
        stream.handle(message("A", 1), message("A", 2))
    assert notes() == []
    assert rows() == []


def test_a_batch_ends_when_it_is_told_and_goes_on_later(stream: Stream) -> None:
    """When the time is up the batch is committed up to the event at hand."""
    handles("depot.item.*")(note)
    stream.first.delivery.enough = lambda: True
    stream.handle(message("A", 1), message("A", 2))
    assert notes() == ["A1"]
    assert stream.first.positions.seen[AT] == 1
    stream.first.delivery.enough = lambda: False
    stream.first.catch_up()
    assert notes() == ["A1", "A2"]


def test_batch_handlers_get_the_list_after_the_single_ones(stream: Stream) -> None:
    """A batch handler is called once, with the events of the batch in order."""
    lists: list[list[int | None]] = []

    @handles_batch("depot.item.*")
    def index(events: list[Event]) -> None:
        lists.append([event.sequence for event in events])
        assert notes() == ["A1", "A2", "A3"]

    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("A", 2), message("A", 3))
    assert lists == [[1, 2, 3]]


def test_two_groups_have_their_own_positions(stream: Stream) -> None:
    """Handlers of another group do not run here."""
    handles("depot.item.*", group="search")(note)
    stream.handle(message("A", 1))
    assert notes() == []
    assert position().group == GROUP


def test_event_handled_is_sent_inside_the_transaction(stream: Stream) -> None:
    """Receivers hear of each event that handlers ran for, and may still undo it."""
    heard: list[str] = []

    def hear(sender: object, event: Event, group: str, **_: object) -> None:
        assert connection.in_atomic_block
        heard.append(f"{group} {event.key}{event.sequence}")

    handles("depot.item.updated")(note)
    event_handled.connect(hear)
    try:
        stream.handle(message("A", 1, operation="created"), message("A", 2))
    finally:
        event_handled.disconnect(hear)
    assert heard == ["shop A2"]


def test_snapshots_reach_only_handlers_that_ask(stream: Stream) -> None:
    """A snapshot event moves the sequence; handlers see it with snapshots=True alone."""
    handles("depot.item.*")(note)

    @handles("depot.item.*", snapshots=True)
    def wants_all(event: Event) -> None:
        note(event)

    stream.handle(message("A", 1, operation="snapshot"), message("A", 2))
    assert notes() == ["A1", "A2", "A2"]


def test_a_skipped_marker_moves_the_sequence_and_runs_nothing(stream: Stream) -> None:
    """What the owner's operator skipped makes no hole."""
    handles("depot.item.*")(note)
    skipped = message("A", 2, operation="skipped", payload={})
    stream.handle(message("A", 1), skipped, message("A", 3))
    assert notes() == ["A1", "A3"]
    assert numbers() == []


def test_keys_that_differ_in_case_and_blanks_are_different(stream: Stream) -> None:
    """No collation makes one key of two (trap 53)."""
    handles("depot.item.*")(note)
    stream.handle(message("a", 1), message("A", 1), message("A ", 1), message("ä", 1))
    assert notes() == ["a1", "A1", "A 1", "ä1"]
