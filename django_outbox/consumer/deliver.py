"""Delivers a batch of messages to a group: effects, positions and sequences in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from django.db import Error, transaction

from ..brokers.base import Message, Partition
from ..conf import get_settings
from ..databases import end_idle_transactions
from ..events import Event
from ..signals import event_parked
from .failures import Blamed, Failure, Interrupted, is_trouble, last_line, too_slow
from .handlers import Handler
from .keys import WAITS_BEHIND, Ledger, log
from .models import ParkedMessage
from .positions import Positions
from .received import Received, Spot, receive
from .running import Aftermath, Runner, Without

__all__ = ["Delivery"]

_CAREFUL_EVENTS = 50  # savepoints per transaction: PostgreSQL slows down past 64 of them
_NO_LIMIT = 1_000_000
_Wanted = list[tuple[Received, tuple[Handler, ...]]]


class Delivery:
    """Delivers to one group. ``positions`` are what this process last saw.

    ``enough()`` true ends a batch after the event at hand; what is left was not touched.
    """

    def __init__(
        self, group: str, using: str, positions: Positions, enough: Callable[[], bool] = lambda: False
    ) -> None:
        self.group, self.using, self.positions, self.enough = group, using, positions, enough
        self.runner = Runner(group, using)
        self._too_slow: dict[Spot, Failure] = {}
        self._limit = _NO_LIMIT

    def deliver(self, messages: Sequence[Message]) -> dict[Partition, int]:
        """Handle the messages; gives the offsets at which each partition goes on.

        Raises ``Overtaken`` when somebody else moved a position, ``Interrupted`` (or the database's own
        transient error) when everything is to be tried again; then positions must be loaded anew and
        the subscriber be sent to them. Must run outside a transaction.
        """
        self.positions.ensure(_firsts(messages))
        fresh = [message for message in messages if message.offset >= self.positions.seen[message.at]]
        items = [receive(self.group, message) for message in fresh]
        pass_ = _Pass(self._too_slow, self._limit)
        offsets: dict[Partition, int] = {}
        while items:
            done = self._attempt(items[: pass_.size], pass_)
            if done is None:
                continue
            offsets.update(_nexts(items[:done]))
            items = items[done:]
            if self.enough():
                break
        self._too_slow, self._limit = {}, _NO_LIMIT
        return offsets

    def _attempt(self, items: Sequence[Received], pass_: _Pass) -> int | None:
        """One transaction; the number of items that it is done with, or None when it is to be repeated."""
        self.runner.slow = []
        try:
            ledger, done = self._transact(items, pass_)
        except Blamed as blamed:
            for blame in blamed.blames:
                if not self.runner.drops(blame, pass_.without):
                    pass_.aside[blame.item.spot] = blame.failure
            pass_.repeat()
            return None
        except (Interrupted, Aftermath, Error) as error:
            if is_trouble(error, self.using):
                self._blame_the_slow()
                raise
            self._escalate(items, pass_, error)
            return None
        self.positions.saw(_nexts(items[:done]))
        _tell_parked(self.group, ledger.parked)
        return done

    def _transact(self, items: Sequence[Received], pass_: _Pass) -> tuple[Ledger, int]:
        with transaction.atomic(using=self.using, durable=True):
            end_idle_transactions(self.using, get_settings().handler_seconds)
            rows = self.positions.lock({item.message.at for item in items})
            ledger = Ledger(self.group, self.using, items)
            wanted: _Wanted = []
            done = 0
            for item in items:
                self._one(item, ledger, pass_, wanted)
                done += 1
                if self.enough():
                    break
            self.runner.batches(wanted)
            for item, _ in wanted:
                self.runner.tell(item)
            ledger.save()
            self.positions.advance(rows, _nexts(items[:done]))
        return ledger, done

    def _one(self, item: Received, ledger: Ledger, pass_: _Pass, wanted: _Wanted) -> None:
        if not ledger.takes(item):
            return
        aside = pass_.aside.get(item.spot)
        if item.error:
            aside = Failure(item.error, final=True)
        if aside is None:
            ran: Failure | tuple[Handler, ...]
            if pass_.careful:
                ran = self.runner.alone(item, pass_.without, batches=False)
            else:
                ran = self.runner.single(item, pass_.without)
            if not isinstance(ran, Failure):
                wanted.append((item, ran))
                ledger.move(item)
                return
            aside = ran
        ledger.fail(item, aside)

    def _escalate(self, items: Sequence[Received], pass_: _Pass, error: Exception) -> None:
        """The transaction failed at its end and nobody is to blame yet: look closer."""
        if not pass_.careful:
            pass_.look_closer(_CAREFUL_EVENTS)
        elif pass_.size > 1:
            pass_.look_closer(1)
        elif items[0].spot not in pass_.aside:
            pass_.aside[items[0].spot] = Failure.of(error, skips=self.runner.skips(items[0]))
        else:
            raise error

    def _blame_the_slow(self) -> None:
        """The server ended the transaction while a handler idled: the next try would end likewise."""
        slow = self.runner.slow
        if len(slow) == 1:
            self._too_slow[slow[0].spot] = too_slow()
        elif slow:
            self._limit = max(1, len(slow) // 2)


class _Pass:
    """How the batch is gone through: plainly at first, in small careful transactions when that fails."""

    def __init__(self, aside: Mapping[Spot, Failure], size: int) -> None:
        self.aside = dict(aside)
        self.without: Without = set()
        self.careful = False
        self.size = size
        self._repeats = 0

    def repeat(self) -> None:
        """Events were set aside: the rest runs plainly once more, from the second time on carefully."""
        self._repeats += 1
        if self._repeats > 1 and not self.careful:
            self.look_closer(_CAREFUL_EVENTS)

    def look_closer(self, size: int) -> None:
        self.careful, self.size = True, min(self.size, size)


def _firsts(messages: Sequence[Message]) -> dict[Partition, int]:
    firsts: dict[Partition, int] = {}
    for message in messages:
        firsts.setdefault(message.at, message.offset)
    return firsts


def _nexts(items: Sequence[Received]) -> dict[Partition, int]:
    return {item.message.at: item.message.offset + 1 for item in items}


def _tell_parked(group: str, parked: Sequence[tuple[Received, ParkedMessage]]) -> None:
    """Say what was put aside, after the commit: a log line each, and ``event_parked``."""
    for item, row in parked:
        level = logging.INFO if row.error == WAITS_BEHIND else logging.WARNING
        log.log(level, "%s: parked %s as %s: %s", group, item, row.state, last_line(row.error))
        if item.event is not None:
            event_parked.send_robust(sender=Event, event=item.event, group=group, error=row.error)
