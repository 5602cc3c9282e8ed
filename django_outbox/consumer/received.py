"""A message as the consumer sees it: its event where it can be read, and what is wrong with it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from .. import wire
from ..brokers.base import Message
from ..events import Event, identity
from ..exceptions import MessageUnusable
from .models import ConsumerKey, ParkedMessage

__all__ = ["Received", "Spot", "key_id", "printable", "receive", "stored", "unstored"]

Spot = tuple[str, int, int]
_EPOCH_LIMIT = 2**31


@dataclass(frozen=True, slots=True)
class Received:
    """``key_id`` is None for a message that belongs to no key. ``event`` is None when its headers
    cannot be read; with a bad value alone it is there, without a payload. ``error`` says what is wrong."""

    message: Message
    key_id: uuid.UUID | None
    event: Event | None
    error: str = ""

    @property
    def spot(self) -> Spot:
        return (self.message.topic, self.message.partition, self.message.offset)

    @property
    def number(self) -> tuple[int, int] | None:
        """(epoch, sequence) of an event that has one."""
        if self.event is None or self.event.sequence is None or self.event.epoch is None:
            return None
        return (self.event.epoch, self.event.sequence)

    def __str__(self) -> str:
        topic, partition, offset = self.spot
        what = f"{self.event.type} {self.event.id} " if self.event else ""
        return f"{what}({topic}/{partition}/{offset})"


def key_id(group: str, topic: str, key: bytes) -> uuid.UUID:
    """The identity of a key as a group knows it: any bytes, on every database."""
    return identity(group, topic, key)


def receive(group: str, message: Message) -> Received:
    """Read ``message``; never raises for what it holds."""
    if not message.key or message.value is None:
        return Received(message, None, None, _reason(message))
    key = key_id(group, message.topic, message.key)
    try:
        event = wire.event_of(message)
    except MessageUnusable as error:
        return Received(message, key, _without_value(message), str(error))
    if event.epoch is not None and event.epoch >= _EPOCH_LIMIT:
        return Received(message, key, None, f"The header ce_epoch must be below 2**31, not {event.epoch}.")
    return Received(message, key, event)


def _reason(message: Message) -> str:
    try:
        wire.event_of(message)
    except MessageUnusable as error:
        return str(error)
    return "The message has no key or no value."


def _without_value(message: Message) -> Event | None:
    try:
        event = wire.event_of(replace(message, value=b"null"))
    except MessageUnusable:
        return None
    return None if (event.epoch or 0) >= _EPOCH_LIMIT else event


def printable(text: str, limit: int | None = None) -> str:
    """``text`` as every database takes it: no NUL, no lone surrogates, at most ``limit`` characters."""
    safe = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
    return safe if limit is None else safe[:limit]


def stored(group: str, item: Received, key: ConsumerKey | None) -> ParkedMessage:
    """An unsaved row that holds the message's bytes."""
    message, event, number = item.message, item.event, item.number
    return ParkedMessage(
        group=group,
        key_row=key,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        epoch=number[0] if number else None,
        sequence=number[1] if number else None,
        event_id=printable(event.id, 255) if event else "",
        type=printable(event.type, 255) if event else "",
        message_key=message.key,
        message_value=message.value,
        message_headers=wire.encode_headers(message.headers),
    )


def unstored(row: ParkedMessage) -> Received:
    """The message that ``row`` keeps."""
    return receive(
        row.group,
        Message(
            topic=row.topic,
            key=None if row.message_key is None else bytes(row.message_key),
            value=None if row.message_value is None else bytes(row.message_value),
            headers=wire.decode_headers(bytes(row.message_headers)) if row.message_headers else (),
            partition=row.partition,
            offset=row.offset,
        ),
    )
