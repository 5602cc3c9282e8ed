"""librdkafka's handles in Python processes: how they are made, what a fork does to them, where they log."""

from __future__ import annotations

import ctypes
import logging
import os
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from ...exceptions import BrokerError
from .options import Role, client_options, local_problems, suggestion

__all__ = ["SLICE_SECONDS", "HandleOwner", "new_handle", "option_problems", "slice_seconds", "words"]

SLICE_SECONDS = 0.5  # the longest call into C, so that signal handlers run
_KINDS: dict[Role, Callable[..., Any]] = {
    "producer": Producer,
    "consumer": Consumer,
    "admin": AdminClient,
}


class HandleOwner:
    """Has at most one handle, which belongs to the process that made it.

    In a forked child the owner has none: a handle's threads do not exist there, so it would never
    deliver, and destroying it would wait for them for ever. It is left alone.
    """

    _handle: Any = None

    def __init__(self) -> None:
        _owners.add(self)

    def leave_inherited_handle(self) -> None:
        if self._handle is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._handle))
            self._handle = None


_owners: weakref.WeakSet[HandleOwner] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for owner in list(_owners):
        owner.leave_inherited_handle()


os.register_at_fork(after_in_child=_after_fork_in_child)


class _ClientLog(logging.LoggerAdapter[logging.Logger]):
    """Takes librdkafka's log lines; what we report in our own words becomes information."""

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        told_by_us = bool(args) and args[0] in ("FAIL", "ERROR", "GETPID")
        super().log(logging.INFO if told_by_us else level, msg, *args, **kwargs)


_client_log = _ClientLog(logging.getLogger("django_outbox.brokers.librdkafka"), {})
_silence = logging.getLogger("django_outbox.brokers.silence")
_silence.disabled = True


def new_handle(role: Role, options: Mapping[str, Any], log: Any = _client_log) -> Any:
    """A client of ``role``; ``BrokerError`` when librdkafka refuses the options. Touches no network."""
    try:
        return _KINDS[role](dict(options), logger=log)
    except (KafkaException, TypeError, ValueError) as error:
        raise BrokerError(_option_sentence(words(error))) from error


def words(error: BaseException) -> str:
    """What librdkafka says, without the codes around it."""
    inner = error.args[0] if error.args else error
    return str(inner.str()) if isinstance(inner, KafkaError) else str(inner)


def _option_sentence(said: str) -> str:
    sentence = f"DJANGO_OUTBOX['KAFKA'] is refused by librdkafka: {said}"
    if said.startswith("No such configuration property"):
        hint = suggestion(said.split('"')[1])
        sentence += f"; {hint}" if hint else "."
    return sentence


def option_problems(options: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with ``DJANGO_OUTBOX["KAFKA"]``, a sentence each; asks no network."""
    found = local_problems(options)
    quiet = {
        name: value
        for name, value in options.items()
        if name not in ("bootstrap.servers", "metadata.broker.list")
    }
    roles: tuple[Role, ...] = ("producer", "consumer")
    for role in roles:
        made = client_options(role, quiet)
        if role == "consumer":
            made["group.id"] = "check"
        try:
            new_handle(role, made, _silence)
        except BrokerError as error:
            if str(error) not in found:
                found.append(str(error))
    return found


def slice_seconds(end: float) -> float:
    """How long the next call into C may last when the whole has time until ``end``."""
    return max(0.0, min(SLICE_SECONDS, end - time.monotonic()))
