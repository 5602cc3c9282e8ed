"""librdkafka's handles in Python processes: what becomes of them in a fork, where their log goes."""

from __future__ import annotations

import ctypes
import logging
import os
import weakref
from typing import Any

__all__ = ["HandleOwner", "client_log"]


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


client_log = _ClientLog(logging.getLogger("django_outbox.brokers.librdkafka"), {})
