"""What django_outbox raises. Each message says what was expected, what came and what to do."""

from django.core.exceptions import ImproperlyConfigured

YEAR_SECONDS = 366 * 86_400


class OutboxError(Exception):
    """The base of every error that this package raises on purpose."""


class SettingsError(OutboxError, ImproperlyConfigured):
    """``DJANGO_OUTBOX`` cannot be used; ``manage.py check`` lists every reason."""


class PublicationError(OutboxError, ImproperlyConfigured):
    """``class Outbox`` or ``class Replica`` of a model cannot be used; ``manage.py check`` says why."""


class RecordError(OutboxError):
    """An event cannot be recorded; nothing of the write that asked for it may be committed."""


class NotAtomic(RecordError):
    """An event was recorded outside ``transaction.atomic()``."""


class PayloadInvalid(RecordError, ValueError):
    """A payload does not fit the schema of its event type, or is no JSON, or is too large."""


class KeyChanged(RecordError):
    """A save changed the key of a published row: its consumers would keep the old row for ever."""


class NotRecordable(RecordError):
    """A bulk write cannot be recorded, because the database does not say which rows it wrote."""


class BrokerError(OutboxError):
    """The broker cannot be used at all: wrong options, no permission, unknown topic."""


class MessageUnusable(OutboxError):
    """A message cannot be read as an event; it is kept, with this text as its error."""


class ReplicaReadOnly(OutboxError):
    """A replica was written by somebody other than its stream; the message names the owner."""


class HandlerSignal(Exception):
    """The base of what a handler may raise to say what becomes of its event."""


class RetryLater(HandlerSignal):
    """The event is to be handled again after ``seconds``; its key waits until then.

    ``seconds`` is a number up to a year; anything else raises ``ValueError``, which parks the event.
    """

    def __init__(self, seconds: float, reason: str = "") -> None:
        if not isinstance(seconds, (int, float)) or not seconds <= YEAR_SECONDS:  # type: ignore[redundant-expr]
            raise ValueError(f"RetryLater(seconds) takes a number up to {YEAR_SECONDS}, not {seconds!r}.")
        super().__init__(reason or f"to be tried again after {seconds} s")
        self.seconds = seconds


class Park(HandlerSignal):
    """The event and its key wait until an operator retries or skips it."""


class Drop(HandlerSignal):
    """The event is not wanted: nothing of this handler is kept and the key goes on."""
