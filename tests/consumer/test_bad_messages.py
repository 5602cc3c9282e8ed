"""Whatever the bytes are: kept, said, and the next message is handled."""

import pytest

from django_outbox import contracts, handles
from django_outbox.consumer import parking
from django_outbox.consumer.models import ConsumerKey
from django_outbox.wire import decode_headers

from .stream import Poison, Stream, foreign, key_of, make_due, message, note, notes, numbers, rows


@pytest.mark.parametrize(
    ("bad", "state", "says"),
    [
        (foreign(b"A", b"no json"), "failed", "is no JSON"),
        (foreign(b"A", b"\xff\xfe"), "failed", "is no JSON"),
        (foreign(b"A", b"NaN"), "failed", "NaN is not JSON"),
        (foreign(b"A", None), "unusable", "no value"),
        (foreign(b"", b"{}"), "unusable", "no key"),
        (foreign(None, b"{}"), "unusable", "no key"),
        (foreign(b"A", b"{}", ("ce_sequence", b"\0")), "failed", "ce_sequence must be a whole number"),
        (foreign(b"A", b"{}", ("ce_sequence", b"1"), ("ce_epoch", b"9" * 12)), "failed", "ce_epoch"),
        (foreign(b"A", b"{}", ("ce_time", b"yesterday")), "failed", "ce_time must be"),
        (foreign(b"\0\xff", b"no json", ("x\0", b"\0\xff")), "failed", "is no JSON"),
        (foreign(b"A", b"[1", ("ce_id", b"\0" * 300), ("ce_source", b"\xff" * 300)), "failed", "is no JSON"),
    ],
)
def test_a_bad_message_is_kept_and_the_next_is_handled(stream: Stream, bad, state: str, says: str) -> None:
    """Nothing that a message holds stops the consumer; bytes and reason are kept (traps 37, 63)."""
    handles("depot.item.*")(note)
    stream.handle(message("Z", 1), bad, message("Z", 2))
    assert notes() == ["Z1", "Z2"]
    (row,) = rows()
    assert row.state == state
    assert says in row.error
    assert row.message_value is None if bad.value is None else bytes(row.message_value or b"") == bad.value
    assert row.message_key is None if bad.key is None else bytes(row.message_key or b"") == bad.key
    assert decode_headers(bytes(row.message_headers)) == bad.headers


def test_later_events_wait_behind_bytes_that_are_no_json(stream: Stream) -> None:
    """A value that is no JSON parks its key; skipped by an operator, the rest is handled in order."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("A", 2, value=b"{"), message("A", 3))
    assert notes() == ["A1"]
    assert numbers() == [2, 3]
    parking.skip(ConsumerKey.objects.all())
    stream.first.retry()
    assert notes() == ["A1", "A3"]


def test_a_json_list_is_handed_over(stream: Stream) -> None:
    """Any JSON is a payload, where no schema says otherwise (trap 37)."""
    payloads: list[object] = []

    @handles("depot.item.*")
    def keep(event) -> None:
        payloads.append(event.payload)

    stream.handle(foreign(b"A", b"[1, 2]"))
    assert payloads == [[1, 2]]


def test_a_version_that_nobody_reads_parks_its_key(stream: Stream) -> None:
    """A schema version from the future is kept and said (trap 37)."""
    handles("depot.item.*", versions=[1, 2])(note)
    stream.handle(message("A", 1), message("A", 2, version=3), message("B", 1, version=2))
    assert notes() == ["A1", "B1"]
    assert "schema version 3" in rows()[0].error


def test_a_payload_against_its_schema_parks_its_key(stream: Stream) -> None:
    """The error says what of which type does not fit; nothing of the event is handled."""
    handles("depot.item.*")(note)
    schema = {"type": "object", "properties": {"number": {"type": "integer"}}}
    contracts.register("depot.item.updated", 1, lambda: schema)
    try:
        stream.handle(message("A", 1, payload={"number": "one"}), message("B", 1))
    finally:
        contracts._registered.pop(("depot.item.updated", 1))
        contracts.reset()
    assert notes() == ["B1"]
    assert "depot.item.updated (version 1) does not fit" in rows()[0].error


def test_a_foreign_message_on_a_key_of_its_own_is_handled(stream: Stream) -> None:
    """Without a sequence the position alone filters; the source is remembered."""
    handles("depot.item.*")(note)
    stream.handle(foreign(b"X", b"{}", ("ce_source", b"/legacy"), ("ce_type", b"depot.item.moved")))
    assert notes() == ["XNone"]
    assert key_of("X").source == "/legacy"


@pytest.mark.parametrize(
    "intruder",
    [
        foreign(b"A", b"{}", ("ce_source", b"/legacy")),
        message("A", 1, source="/other", id="other"),
        message("A", 2, source="/other"),
    ],
)
def test_another_source_on_a_key_of_ours_parks_it(stream: Stream, intruder) -> None:
    """Two services that write to one key are told apart, and the key waits for a decision (trap 60)."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), intruder, message("A", 2), message("B", 1))
    assert notes() == ["A1", "B1"]
    assert rows()[0].state == "failed"
    assert "/depot" in rows()[0].error
    assert parking.skip(ConsumerKey.objects.filter(key="A")) == []
    stream.first.retry()
    assert notes() == ["A1", "B1", "A2"]


def test_ours_on_a_key_of_a_foreign_source_parks_it(stream: Stream) -> None:
    """The other way round it is a conflict too (trap 60)."""
    handles("depot.item.*")(note)
    stream.handle(foreign(b"A", b"{}", ("ce_source", b"/legacy")), message("A", 1))
    assert notes() == ["ANone"]
    assert "/legacy" in rows()[0].error


def test_a_number_that_is_used_twice_parks_its_key(stream: Stream) -> None:
    """The same number with another event id is no duplicate: an owner was restored (trap 54)."""
    handles("depot.item.*")(note)
    stream.handle(message("A", 1), message("A", 1, id="another fact"), message("A", 2))
    assert notes() == ["A1"]
    assert "number was used twice" in rows()[0].error


def test_a_number_that_is_used_twice_among_the_waiting_is_noticed(stream: Stream) -> None:
    """Events that wait are compared as well (trap 54)."""
    poison = Poison("A1")
    handles("depot.item.*")(poison)
    stream.handle(message("A", 1), message("A", 2), message("A", 2, id="another fact"))
    assert [row.state for row in rows()] == ["waiting", "waiting", "failed"]
    poison.bad.clear()
    make_due()
    stream.first.retry()
    assert notes() == ["A1", "A2"]
    assert key_of("A").parked
