"""Where messages go to and come from. ``get_broker()`` gives the one that the settings name."""

from __future__ import annotations

import os
from functools import cache

from django.core.signals import setting_changed

from ..conf import Settings, get_settings
from .base import Broker

__all__ = ["get_broker"]


def get_broker() -> Broker:
    """The broker of this process, by ``DJANGO_OUTBOX["BROKER"]``; touches no network.

    The same object for every call of a process. A forked child gets one of its own, which for
    ``"memory"`` is an empty one. Raises ``SettingsError``, or ``BrokerError`` for options that
    the client refuses.
    """
    return _broker(os.getpid())


@cache
def _broker(pid: int) -> Broker:
    return _new_broker(get_settings())


def _new_broker(settings: Settings) -> Broker:
    if settings.broker == "memory":
        from .memory import MemoryBroker

        return MemoryBroker()
    from .kafka import KafkaBroker

    return KafkaBroker(settings.kafka)


def _reset(*, setting: str, **_: object) -> None:
    if setting == "DJANGO_OUTBOX":
        _broker.cache_clear()


setting_changed.connect(_reset, dispatch_uid="django_outbox.brokers")
