"""A transactional outbox for Django and Kafka. Everything public is imported from here, lazily:
Django refuses to define a model before its apps are loaded."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

_HOMES = {
    "Drop": "exceptions",
    "Event": "events",
    "OutboxError": "exceptions",
    "OutboxManager": "producer.mixins",
    "OutboxMixin": "producer.mixins",
    "OutboxQuerySet": "producer.mixins",
    "Park": "exceptions",
    "ReplicaModel": "replicas.models",
    "RetryLater": "exceptions",
    "event_handled": "signals",
    "event_parked": "signals",
    "event_published": "signals",
    "event_recorded": "signals",
    "handles": "consumer.handlers",
    "handles_batch": "consumer.handlers",
    "record_event": "producer.record",
}

__all__ = [*_HOMES]  # noqa: PLE0604 - names of strings, checked by a test

if TYPE_CHECKING:
    from .consumer.handlers import handles as handles
    from .consumer.handlers import handles_batch as handles_batch
    from .events import Event as Event
    from .exceptions import Drop as Drop
    from .exceptions import OutboxError as OutboxError
    from .exceptions import Park as Park
    from .exceptions import RetryLater as RetryLater
    from .producer.mixins import OutboxManager as OutboxManager
    from .producer.mixins import OutboxMixin as OutboxMixin
    from .producer.mixins import OutboxQuerySet as OutboxQuerySet
    from .producer.record import record_event as record_event
    from .replicas.models import ReplicaModel as ReplicaModel
    from .signals import event_handled as event_handled
    from .signals import event_parked as event_parked
    from .signals import event_published as event_published
    from .signals import event_recorded as event_recorded


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'django_outbox' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
