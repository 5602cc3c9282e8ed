"""Runs what a group has for an event: appliers, then handlers; and finds out who is to blame."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import Error, connections, transaction

from ..conf import get_settings
from ..contracts import check_received
from ..events import Event
from ..exceptions import HandlerSignal
from ..signals import event_handled
from .appliers import Applier, appliers_of
from .failures import Blame, Blamed, Failure, Interrupted, Unread, is_aftermath, is_trouble
from .groups import default_group
from .handlers import Handler, registry
from .keys import log
from .received import Received, Spot

__all__ = ["Aftermath", "Runner"]

Without = set[tuple[Spot, str]]


class Aftermath(Exception):
    """A statement failed because an earlier one had broken the transaction: nobody is to blame yet."""


class Runner:
    """Runs events of one group on its alias. Must be called inside a transaction.

    ``without`` holds what handlers dropped: (spot, handler's name) pairs that do not run. ``slow``
    holds the events of the last handler that took longer than the server lets a transaction idle.
    """

    def __init__(self, group: str, using: str) -> None:
        self.group, self.using = group, using
        self.slow: list[Received] = []

    def single(self, item: Received, without: Without) -> tuple[Handler, ...]:
        """Run appliers and single handlers; gives the batch handlers that want the event.

        Raises ``Blamed`` for what the event or a handler is to blame for, ``Interrupted`` for trouble.
        """
        event = item.event
        assert event is not None
        if event.operation == "skipped":
            return ()
        with self._blaming(item):
            appliers, handlers = self._readers(event)
            if appliers or handlers:
                check_received(event)
        for applier in appliers:
            with self._blaming(item):
                applier.apply(event, self.using)
        wanted = [handler for handler in handlers if (item.spot, handler.name) not in without]
        for handler in wanted:
            if not handler.batch:
                with self._blaming(item, handler):
                    handler.function(event)
        return tuple(handler for handler in wanted if handler.batch)

    def batches(self, wanted: Sequence[tuple[Received, tuple[Handler, ...]]]) -> None:
        """Run each batch handler on its events. Raises ``Blamed`` with every event it cannot take."""
        lists: dict[str, tuple[Handler, list[Received]]] = {}
        for item, handlers in wanted:
            for handler in handlers:
                lists.setdefault(handler.name, (handler, []))[1].append(item)
        blames = [blame for handler, items in lists.values() for blame in self._bisect(handler, items)]
        if blames:
            raise Blamed(*blames)

    def tell(self, item: Received) -> None:
        """Send ``event_handled``, inside the transaction. A receiver that raises fails the event."""
        event = item.event
        if event is None or event.operation == "skipped" or not event_handled.has_listeners(Event):
            return
        appliers, handlers = self._readers(event)
        if appliers or handlers:
            with self._blaming(item):
                event_handled.send(sender=Event, event=event, group=self.group)

    def alone(self, item: Received, without: Without, *, batches: bool) -> Failure | tuple[Handler, ...]:
        """As ``single``, in a savepoint of its own, with deferred constraints checked before it ends.

        With ``batches`` the batch handlers run too, on this event alone, and the signal is sent.
        What the event did is undone when it fails; the failure comes back instead of being raised.
        """
        while True:
            try:
                with transaction.atomic(using=self.using):
                    handlers = self.single(item, without)
                    if batches:
                        self.batches([(item, handlers)])
                        self.tell(item)
                    self._check_constraints()
                return handlers
            except Blamed as blamed:
                kept = [blame for blame in blamed.blames if not self.drops(blame, without)]
                if kept:
                    return kept[0].failure
            except (Aftermath, Error) as error:
                if is_trouble(error, self.using):
                    raise
                return Failure.of(error.__cause__ or error, skips=self.skips(item))

    def drops(self, blame: Blame, without: Without) -> bool:
        """Note that a handler does not want the event; False when that is not what it raised."""
        if not blame.dropped or blame.handler is None:
            return False
        without.add((blame.item.spot, blame.handler.name))
        log.info("%s: %s dropped %s: %s", self.group, blame.handler.name, blame.item, blame.error)
        return True

    def skips(self, item: Received) -> bool:
        """Whether the event is passed over in the end: every handler must say so, and no copy hang on it."""
        if item.event is None or (self._applies and appliers_of(item.event.topic)):
            return False
        handlers = registry.matching(item.event, self.group)
        return bool(handlers) and all(handler.on_failure == "skip" for handler in handlers)

    @property
    def _applies(self) -> bool:
        return self.group == default_group()

    def _readers(self, event: Event) -> tuple[list[Applier], list[Handler]]:
        """Who reads the event's version. Raises ``Unread`` when a copy, or every handler, does not."""
        appliers = appliers_of(event.topic) if self._applies and event.operation != "fact" else ()
        handlers = registry.matching(event, self.group)
        fit = [applier for applier in appliers if event.version in applier.versions]
        able = [handler for handler in handlers if handler.accepts(event.version)]
        if len(fit) < len(appliers) or (handlers and not able):
            deaf = [*(one.name for one in appliers), *(one.name for one in handlers)]
            raise Unread(
                f"{event.type} came in schema version {event.version}, which {', '.join(deaf)} of group "
                f"{self.group!r} do not read. Add it to their versions, then retry."
            )
        return fit, able

    def _bisect(self, handler: Handler, items: list[Received]) -> Iterator[Blame]:
        try:
            with transaction.atomic(using=self.using), self._blaming(items[0], handler, items):
                handler.function([item.event for item in items])
        except Blamed as blamed:
            if len(items) == 1:
                yield from blamed.blames
                return
            middle = len(items) // 2
            yield from self._bisect(handler, items[:middle])
            yield from self._bisect(handler, items[middle:])

    @contextmanager
    def _blaming(
        self, item: Received, handler: Handler | None = None, items: Sequence[Received] = ()
    ) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except HandlerSignal as signal:  # what a handler says of its event goes before why it says so
            raise Blamed(Blame(item, handler, signal, self.skips(item))) from signal
        except Exception as error:  # a handler is the user's: it may raise anything
            if is_trouble(error, self.using):
                raise Interrupted(str(error)) from error
            if is_aftermath(error):
                raise Aftermath from error
            raise Blamed(Blame(item, handler, error, self.skips(item))) from error
        finally:
            if time.monotonic() - began > get_settings().handler_seconds:
                self.slow = list(items or [item])

    def _check_constraints(self) -> None:
        connection = connections[self.using]
        if connection.features.can_defer_constraint_checks:
            connection.check_constraints()
