"""A partition in memory, and processes that consume it without a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from django_outbox.brokers.base import Message, Partition
from django_outbox.consumer.deliver import Delivery
from django_outbox.consumer.failures import Overtaken
from django_outbox.consumer.models import ConsumerKey, ParkedMessage, Position
from django_outbox.consumer.positions import Positions
from django_outbox.consumer.retries import Retries
from django_outbox.events import Event
from django_outbox.wire import message_of
from tests.copies.models import Note

TOPIC = "depot.item"
AT = Partition(TOPIC, 0)
GROUP = "shop"


def message(
    key: str, sequence: int, *, operation: str = "updated", epoch: int = 1, **changes: Any
) -> Message:
    """Number ``sequence`` of ``key``, as the owner's relay sends it."""
    event = Event(
        id=changes.pop("id", f"{key}-{epoch}-{sequence}"),
        type=changes.pop("type", f"{TOPIC}.{operation}"),
        topic=TOPIC,
        key=key,
        sequence=sequence,
        epoch=epoch,
        version=changes.pop("version", 1),
        operation=operation,
        payload=changes.pop("payload", {"number": sequence}),
        source=changes.pop("source", "/depot"),
        time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return replace(message_of(event), **changes)


def foreign(key: bytes | None, value: bytes | None = b"{}", *headers: tuple[str, bytes]) -> Message:
    """A message that no outbox of ours wrote."""
    return Message(TOPIC, key, value, headers)


class Stream:
    """One partition, from which ``process()`` gives consumers. The log is all that they share."""

    def __init__(self) -> None:
        self.log: list[Message] = []
        self.first = self.process()

    def write(self, *messages: Message) -> None:
        for one in messages:
            self.log.append(replace(one, partition=0, offset=len(self.log)))

    def process(self) -> Consumer:
        return Consumer(self)

    def handle(self, *messages: Message) -> None:
        """Write the messages and have the first process handle them."""
        self.write(*messages)
        self.first.catch_up()


class Consumer:
    """What one process knows, and what it does in a round."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.positions = Positions(GROUP, "default")
        self.delivery = Delivery(GROUP, "default", self.positions)
        self.retries = Retries(GROUP, "default", self.positions, lambda _: len(stream.log))
        self.resume()

    def resume(self) -> None:
        self.positions.load([AT])

    @property
    def next(self) -> int:
        return self.positions.seen.get(AT, 0)

    def fetch(self) -> list[Message]:
        return self.stream.log[self.next :]

    def catch_up(self) -> None:
        self.delivery.deliver(self.fetch())

    def catch_up_after_overtaking(self) -> None:
        try:
            self.catch_up()
        except Overtaken:
            self.resume()
            self.catch_up()

    def retry(self) -> int:
        return self.retries.run([AT], seconds=5)


def notes() -> list[str]:
    return list(Note.objects.order_by("pk").values_list("text", flat=True))


def note(event: Event) -> None:
    Note.objects.create(text=f"{event.key}{event.sequence}")


class Poison:
    """A handler that notes every event, and then fails on some."""

    def __init__(self, *numbered: str, error: Callable[[], BaseException] = lambda: ValueError("no")) -> None:
        self.bad, self.error = set(numbered), error
        self.__name__ = self.__qualname__ = "poison"

    def __call__(self, event: Event) -> None:
        note(event)
        if f"{event.key}{event.sequence}" in self.bad:
            raise self.error()


def key_of(key: str) -> ConsumerKey:
    return ConsumerKey.objects.get(group=GROUP, topic=TOPIC, key=key)


def rows(state: str | None = None) -> list[ParkedMessage]:
    found = ParkedMessage.objects.order_by("pk")
    return list(found.filter(state=state) if state else found)


def numbers(states: Iterable[str] = ("waiting", "failed")) -> list[int | None]:
    found = ParkedMessage.objects.filter(state__in=states)
    return list(found.order_by("epoch", "sequence", "pk").values_list("sequence", flat=True))


def make_due() -> None:
    """Let the time of every waiting message come."""
    past = timezone.now() - timedelta(hours=1)
    ParkedMessage.objects.filter(next_try_at__isnull=False).update(next_try_at=past)


def position() -> Position:
    return Position.objects.get(group=GROUP, topic=TOPIC, partition=0)
