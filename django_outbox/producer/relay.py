"""The relay: unsent rows go to the broker in order, and are marked once it has them."""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ..brokers.base import Delivery, Publisher, Verdict
from ..conf import get_settings
from ..signals import event_published
from ..wire import message_of
from . import backlog, held
from .lanes import Lanes, LostToken
from .models import OutboxEvent

__all__ = ["Outcome", "Relay"]

logger = logging.getLogger("django_outbox.relay")


class Outcome(enum.Enum):
    """What one step found. ``BLOCKED``: the broker took nothing, and no event is to blame."""

    IDLE = "idle"
    SENT = "sent"
    BLOCKED = "blocked"


@dataclass
class Round:
    """What became of a batch: what may be marked, and the first failure of each key."""

    acknowledged: list[OutboxEvent] = field(default_factory=list)
    failed: dict[UUID, tuple[OutboxEvent, Delivery]] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Sequence[OutboxEvent], deliveries: Iterable[Delivery]) -> Round:
        """Behind a failure the rest of its key stays unsent, even what was acknowledged:
        it goes out again behind the failed one, so that the order ends up right."""
        found = cls()
        for event, delivery in zip(batch, deliveries, strict=True):
            if event.key_hash in found.failed:
                continue
            if delivery.acknowledged:
                found.acknowledged.append(event)
            else:
                found.failed[event.key_hash] = (event, delivery)
        return found


class Relay:
    """Carries the events of one alias. One thread; ``step()`` may be called for ever."""

    def __init__(self, using: str, publisher: Publisher, *, standing: bool) -> None:
        self.using = using
        self.publisher = publisher
        self.lanes = Lanes(using, standing=standing)
        self._complaint = ""

    def step(self) -> Outcome:
        """Publish one batch. Blocks for ``PUBLISH_SECONDS`` at most, never inside a transaction.

        May publish a batch again that a dead relay published and did not mark. Raises Django's
        database errors; the caller decides whether to try again.
        """
        self.lanes.renew()
        batch = backlog.read(self.using, self.lanes.token, get_settings().relay_batch_events)
        if not batch:
            return Outcome.IDLE
        try:
            return self._settle(self._publish(batch))
        except LostToken:
            logger.warning("Relay of %r was overtaken while it published; it starts anew.", self.using)
            self.lanes.drop()
            return Outcome.SENT

    def close(self) -> None:
        """Let the lanes go, so that others take them at once."""
        self.lanes.release()

    def _publish(self, batch: Sequence[OutboxEvent]) -> Round:
        settings = get_settings()
        messages = [message_of(event.as_event(settings.service)) for event in batch]
        round_ = Round.of(batch, self.publisher.publish(messages, settings.publish_seconds))
        for key_hash, (event, delivery) in list(round_.failed.items()):
            if delivery.verdict is Verdict.PERMANENT:
                self._judge_alone(round_, key_hash, event)
        return round_

    def _judge_alone(self, round_: Round, key_hash: UUID, event: OutboxEvent) -> None:
        """A broker refuses a whole batch for one message, so innocents come back with it."""
        settings = get_settings()
        self.lanes.renew()
        message = message_of(event.as_event(settings.service))
        [delivery] = self.publisher.publish([message], settings.publish_seconds)
        if delivery.acknowledged:
            del round_.failed[key_hash]
            round_.acknowledged.append(event)
        else:
            round_.failed[key_hash] = (event, delivery)

    def _settle(self, round_: Round) -> Outcome:
        if round_.acknowledged:
            self.lanes.mark_sent([event.id for event in round_.acknowledged])
            held.free(self.using, {event.key_hash for event in round_.acknowledged})
            self._tell(round_.acknowledged)
        for key_hash, (event, delivery) in round_.failed.items():
            others_passed = any(event.key_hash != key_hash for event in round_.acknowledged)
            if delivery.verdict is Verdict.PERMANENT:
                held.bury(self.lanes, event, delivery.error)
            elif delivery.verdict is Verdict.TRANSIENT and others_passed:
                held.count_attempt(self.lanes, event, delivery.error)
            elif delivery.verdict is Verdict.UNREPORTED and others_passed:
                held.delay(self.lanes, event, delivery.error)
        return self._outcome(round_)

    def _outcome(self, round_: Round) -> Outcome:
        if round_.acknowledged or any(d.verdict is Verdict.PERMANENT for _, d in round_.failed.values()):
            self._complain("")
            return Outcome.SENT
        _, delivery = next(iter(round_.failed.values()))
        self._complain(delivery.error)
        return Outcome.BLOCKED

    def _complain(self, error: str) -> None:
        """Say once that the broker takes nothing, and once that it does again."""
        if error and error != self._complaint:
            logger.warning(
                "The broker takes nothing: %s. Events wait in %r; none is lost.", error, self.using
            )
        elif self._complaint and not error:
            logger.info("The broker takes events of %r again.", self.using)
        self._complaint = error

    def _tell(self, events: Sequence[OutboxEvent]) -> None:
        if not event_published.has_listeners(OutboxEvent):
            return
        service = get_settings().service
        for event in events:
            event_published.send_robust(OutboxEvent, event=event.as_event(service), using=self.using)
