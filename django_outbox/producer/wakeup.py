"""The wake-up after commit: a hint to Celery that there is something to publish.

It carries no ids and may be lost; the sweep is the guarantee. It never fails the writer, and costs
it a second at most: it goes out on a connection of our own with short time-outs and no retries,
and after a failure hints pause.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from celery import Celery, current_app
from django.db import transaction

from ..conf import get_settings

__all__ = ["after_commit", "has_celery_broker", "hint"]

logger = logging.getLogger("django_outbox.relay")

TIMEOUT_SECONDS = 0.5
PAUSE_SECONDS = 30.0
TASK = "django_outbox.publish_unsent"


def after_commit(using: str) -> None:
    """Send one hint after this transaction's commit, however many events it records.

    Asks Django's list of hooks and not a flag: a hook that was registered in a savepoint goes
    with the savepoint, and the next event has to register it again.
    """
    settings = get_settings()
    if not settings.wake_up or settings.relay == "external":
        return
    connection = transaction.get_connection(using)
    if not any(entry[1] is hint for entry in connection.run_on_commit):
        transaction.on_commit(hint, using=using, robust=True)


def has_celery_broker(app: Celery) -> bool:
    """Whether somebody configured where tasks go; Celery's own default is a guess."""
    return bool(app.conf.broker_write_url or app.conf.broker_url)


class _Local(threading.local):
    connection: Any = None


_local = _Local()
_paused_until = [0.0]  # for all threads: each of them would wait for the same broker


def hint() -> None:
    """Send the hint now. With eager Celery the task runs here."""
    app: Celery = current_app._get_current_object()
    if app.conf.task_always_eager:
        app.tasks[TASK].apply(throw=True)
        return
    if not has_celery_broker(app) or time.monotonic() < _paused_until[0]:
        return
    try:
        _send(app)
    except Exception as error:  # noqa: BLE001 - Celery's transports raise what they like, and no writer may fail
        _drop_connection()
        _paused_until[0] = time.monotonic() + PAUSE_SECONDS
        logger.warning(
            "Celery's broker did not take a hint (%s); the periodic task will publish. No hints for %d s.",
            error.__class__.__name__,
            PAUSE_SECONDS,
        )


def _send(app: Celery) -> None:
    if _local.connection is None:
        _local.connection = app.connection_for_write(
            connect_timeout=TIMEOUT_SECONDS,
            transport_options={
                **app.conf.broker_transport_options,
                "socket_connect_timeout": TIMEOUT_SECONDS,
                "socket_timeout": TIMEOUT_SECONDS,
                "read_timeout": TIMEOUT_SECONDS,
                "write_timeout": TIMEOUT_SECONDS,
                "retry_on_timeout": False,
                "max_retries": 1,
                "interval_start": 0,
                "interval_step": 0,
                "interval_max": 0,
            },
        )
    app.send_task(
        TASK,
        connection=_local.connection,
        retry=False,
        ignore_result=True,
        expires=get_settings().sweep_seconds,
    )


def _drop_connection() -> None:
    connection, _local.connection = _local.connection, None
    if connection is not None:
        connection.collect(TIMEOUT_SECONDS)
