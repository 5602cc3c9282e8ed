"""What an event is, and what identifies a key."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

__all__ = [
    "LANES",
    "OPERATIONS",
    "RESERVED_WORDS",
    "WHOLE_STATE",
    "Event",
    "identity",
    "lane_of",
    "uuid7",
]

LANES: Final = 64  # part of the format: lane is the first byte of a key's hash modulo this
OPERATIONS: Final = ("created", "updated", "deleted", "fact", "snapshot", "skipped")
WHOLE_STATE: Final = frozenset({"created", "updated", "deleted", "snapshot"})
RESERVED_WORDS: Final = frozenset(OPERATIONS) - {"fact"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, as a handler sees it. Not to be changed, its payload neither.

    ``key`` is text (bytes that are no UTF-8 are shown with backslashes). ``sequence`` and
    ``epoch`` are None for a message that no outbox of this package wrote. ``payload`` holds plain
    JSON types. ``snapshot`` is true for the state of a row that did not change just now;
    ``replayed`` for an event that an operator asked to run again.
    """

    id: str
    type: str
    topic: str
    key: str
    sequence: int | None
    epoch: int | None
    version: int
    operation: str
    payload: Any
    source: str
    time: datetime | None
    headers: Mapping[str, str] = field(default_factory=dict)
    snapshot: bool = False
    replayed: bool = False

    @property
    def word(self) -> str:
        """The last part of the type: ``created`` of ``shop.product.created``."""
        return self.type.rpartition(".")[2]


def identity(*parts: str | bytes) -> uuid.UUID:
    """The 16 bytes that stand for ``parts`` on every database: BLAKE2b of them, NUL between.

    ``identity(topic, key)`` is a key's hash. Collations and lengths do not matter to it.
    A ``UUID`` only by its size; stored in a ``HashField``.
    """
    encoded = (part.encode() if isinstance(part, str) else part for part in parts)
    return uuid.UUID(bytes=hashlib.blake2b(b"\0".join(encoded), digest_size=16).digest())


def lane_of(key_hash: uuid.UUID) -> int:
    """The lane, 0 to 63, in which the relay carries events of this key."""
    return key_hash.bytes[0] % LANES


def uuid7() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): milliseconds since 1970, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)
