"""Identities, lanes and ids."""

import time
import uuid

import pytest

from django_outbox.events import LANES, identity, lane_of, uuid7


def test_the_identity_of_a_key_is_part_of_the_format() -> None:
    """BLAKE2b of topic, NUL and key, 16 bytes: these values may never change."""
    assert identity("shop.product", "1") == uuid.UUID("b8d68103-32da-6b6d-da05-3c9b09e9c128")
    assert identity("shop.product", b"1") == identity("shop.product", "1")
    assert identity("ab", "c") != identity("a", "bc")
    assert lane_of(identity("shop.product", "1")) == identity("shop.product", "1").bytes[0] % 64


def test_lanes_are_used_evenly() -> None:
    """Keys spread over all lanes."""
    lanes = [lane_of(identity("t", str(number))) for number in range(6400)]
    assert {lanes.count(lane) > 50 for lane in range(LANES)} == {True}


def test_uuid7_is_a_valid_version_7_that_ascends_with_time() -> None:
    """RFC 9562: version 7, variant 10, milliseconds in the first 48 bits."""
    first = uuid7()
    time.sleep(0.002)
    second = uuid7()
    assert (first.version, first.variant) == (7, uuid.RFC_4122)
    assert first < second
    assert abs((first.int >> 80) - time.time_ns() // 1_000_000) < 5_000
    assert len({uuid7() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("parts", [("a", "b"), ("a", b"b")])
def test_text_and_bytes_are_one(parts: tuple[str | bytes, ...]) -> None:
    """A key's hash is that of its UTF-8 bytes."""
    assert identity(*parts) == identity("a", "b")
