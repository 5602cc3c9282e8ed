"""What goes wrong while events are handled, and what becomes of the event."""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import DatabaseError
from django.db.transaction import TransactionManagementError

from ..brokers.base import Partition
from ..conf import get_settings
from ..databases import is_transient
from ..exceptions import Drop, Park, RetryLater
from .models import ParkedMessage
from .received import Received, printable

if TYPE_CHECKING:
    from .handlers import Handler

__all__ = [
    "Blame",
    "Blamed",
    "Failure",
    "Interrupted",
    "Overtaken",
    "Unread",
    "backoff_seconds",
    "is_aftermath",
    "is_trouble",
    "last_line",
    "too_slow",
]

_FIRST_SECONDS, _LONGEST_SECONDS = 1.0, 600.0
_ERROR_CHARACTERS = 20_000
State = ParkedMessage.State


class Overtaken(Exception):
    """The position is not where this process left it: somebody else has the partition, or had it."""

    def __init__(self, partition: Partition) -> None:
        super().__init__(f"the position of {partition.topic}/{partition.number} was moved by somebody else")
        self.partition = partition


class Interrupted(Exception):
    """The database is in trouble, not an event; everything is to be tried again."""


class Unread(Exception):
    """Nobody of the group reads the schema version of the event."""


@dataclass(frozen=True, slots=True)
class Blame:
    """An event that failed, the handler that failed on it, and how."""

    item: Received
    handler: Handler | None
    error: Exception
    skips: bool

    @property
    def dropped(self) -> bool:
        return self.handler is not None and isinstance(self.error, Drop)

    @property
    def failure(self) -> Failure:
        return Failure.of(self.error, skips=self.skips)


class Blamed(Exception):
    """Known events failed; raised to roll back what they did."""

    def __init__(self, *blames: Blame) -> None:
        super().__init__(", ".join(str(blame.item) for blame in blames))
        self.blames = blames


@dataclass(frozen=True, slots=True)
class Failure:
    """How an event failed. ``final``: only an operator can help. ``delay_seconds``: the handler
    said when to try again, which counts as no attempt. ``skips``: passed over in the end."""

    error: str
    final: bool = False
    delay_seconds: float | None = None
    skips: bool = False

    @classmethod
    def of(cls, error: BaseException, *, skips: bool = False) -> Failure:
        text = "".join(traceback.format_exception(error))[-_ERROR_CHARACTERS:]
        return cls(
            printable(text),
            final=isinstance(error, Park),
            delay_seconds=max(0.0, error.seconds) if isinstance(error, RetryLater) else None,
            skips=skips,
        )

    def after(self, attempts: int, max_attempts: int) -> tuple[State, int, float | None]:
        """State, attempts and seconds to the next one of an event that failed ``attempts`` times before."""
        if self.final:
            return State.FAILED, attempts + 1, None
        if self.delay_seconds is not None:
            return State.WAITING, attempts, self.delay_seconds
        if attempts + 1 >= max_attempts:
            return (State.SKIPPED if self.skips else State.FAILED), attempts + 1, None
        return State.WAITING, attempts + 1, backoff_seconds(attempts + 1)


def last_line(error: str) -> str:
    """The part of a kept error that says what happened."""
    return error.strip().rpartition("\n")[2][:300]


def too_slow() -> Failure:
    """For an event whose handler idled until the server ended the transaction."""
    seconds = get_settings().handler_seconds
    return Failure(
        f"The handler was longer than HANDLER_SECONDS ({seconds:g} s) without a statement, and the server "
        "ended its transaction. Make it faster, do slow work elsewhere, or raise HANDLER_SECONDS."
    )


def backoff_seconds(attempts: int, longest: float = _LONGEST_SECONDS) -> float:
    """1 s, doubled with each attempt up to ``longest``, give or take a fifth."""
    seconds: float = min(longest, _FIRST_SECONDS * 2 ** min(attempts - 1, 30))
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - jitter


def is_trouble(error: BaseException, using: str) -> bool:
    """Whether ``error``, or what it was raised over, is the database's and may pass."""
    return any(isinstance(e, Interrupted) or is_transient(e, using) for e in _chain(error))


def is_aftermath(error: BaseException) -> bool:
    """Whether ``error`` only says that an earlier statement broke the transaction."""
    return any(
        isinstance(e, TransactionManagementError)
        or (isinstance(e, DatabaseError) and getattr(e.__cause__, "sqlstate", None) == "25P02")
        for e in _chain(error)
    )


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
