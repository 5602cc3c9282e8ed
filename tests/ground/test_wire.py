"""Events as messages and back, and messages of strangers."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from django_outbox.brokers.base import Message
from django_outbox.events import Event
from django_outbox.exceptions import MessageUnusable
from django_outbox.wire import decode_headers, encode_headers, event_of, message_of

EVENT = Event(
    id="0190",
    type="shop.product.created",
    topic="shop.product",
    key="k1",
    sequence=12,
    epoch=3,
    version=2,
    operation="created",
    payload={"name": "Säge", "n": 1.5, "list": [None, True]},
    source="/shop",
    time=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    headers={"traceparent": "00-1-2-01"},
)


def test_an_event_survives_the_wire() -> None:
    """Every field comes back, microseconds and trace included."""
    assert event_of(message_of(EVENT)) == EVENT
    snapshot = replace(EVENT, operation="snapshot", type="shop.product.snapshot", snapshot=True)
    assert event_of(message_of(snapshot)) == snapshot


def test_a_sequence_sorts_as_text() -> None:
    """19 digits, zero-padded, read as a number."""
    assert dict(message_of(EVENT).headers)["ce_sequence"] == b"0000000000000000012"


def test_a_foreign_cloud_event_has_no_sequence() -> None:
    """Header names are read in any case; what is missing has sensible values."""
    headers = (("CE_ID", b"x"), ("ce_type", b"crm.customer.changed"), ("ce_source", b"/crm"))
    event = event_of(Message("crm.customer", b"7", b"{}", headers, 2, 5))
    assert (event.id, event.type, event.source) == ("x", "crm.customer.changed", "/crm")
    assert (event.sequence, event.epoch, event.operation, event.version) == (None, None, "fact", 1)


def test_a_message_without_headers_is_an_event_too() -> None:
    """Its id is its place on the topic."""
    event = event_of(Message("logs", b"7", b"[1]", (), 2, 5))
    assert (event.id, event.type, event.payload) == ("logs/2/5", "logs.message", [1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": None}, "has no key"),
        ({"key": b""}, "has no key"),
        ({"value": None}, "has no value"),
        ({"value": b"\xff\xfe"}, "is no JSON"),
        ({"value": b"{"}, "is no JSON"),
        ({"value": b"[NaN]"}, "NaN is not JSON"),
        ({"value": b"[" * 100_000}, "is no JSON"),
        (
            {"headers": (("ce_sequence", b"12a"),)},
            "ce_sequence must be a whole number below 2**63, not '12a'",
        ),
        ({"headers": (("ce_sequence", b"9" * 19),)}, "ce_sequence must be"),
        (
            {"headers": (("ce_time", b"yesterday"),)},
            "ce_time must be an RFC 3339 time with its zone, not 'yesterday'",
        ),
        ({"headers": (("ce_time", b"2026-13-01T00:00:00Z"),)}, "ce_time must be"),
        ({"headers": (("ce_time", b"2026-01-01T00:00:00"),)}, "ce_time must be"),
        ({"headers": (("ce_time", b"9999-12-31T23:59:59-14:00"),)}, "ce_time must be"),
        ({"headers": (("ce_time", b"0001-01-01T00:00:00+14:00"),)}, "ce_time must be"),
        ({"headers": (("ce_time", b"99999999999999999999"),)}, "ce_time must be"),
        ({"headers": (("ce_time", b"9" * 5000),)}, "ce_time must be"),
    ],
)
def test_what_cannot_be_read_is_said(changes: dict[str, object], words: str) -> None:
    """P10, trap 37: what was expected and what came."""
    message = replace(Message("shop.product", b"k", b"{}"), **changes)
    with pytest.raises(MessageUnusable, match=words.replace("*", r"\*")):
        event_of(message)


@pytest.mark.parametrize(
    ("value", "microsecond"), [(b"1767323045678", 678000), (b"1767323045678901", 678901)]
)
def test_numbers_are_read_as_times_too(value: bytes, microsecond: int) -> None:
    """Debezium gives milliseconds or microseconds since 1970."""
    event = event_of(Message("t", b"k", b"{}", (("ce_time", value),)))
    assert event.time is not None
    assert event.time.year == 2026
    assert abs(event.time.microsecond - microsecond) <= 1


def test_any_headers_can_be_kept() -> None:
    """Trap 63: NUL, bytes that are no UTF-8 and missing values come back as they were."""
    headers = (("a", b"\x00\xff"), ("b", None), ("a", "ü".encode()))
    assert decode_headers(encode_headers(headers)) == headers


def test_a_key_that_is_no_text_is_shown_with_backslashes() -> None:
    """Its bytes stay its identity; the text is for people."""
    assert event_of(Message("t", b"\xffk", b"{}")).key == "\\xffk"
