"""Says what was handled, as lines of JSON in the file that ``EXAMPLE_LIVE_FILE`` names."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from django.db import transaction

from django_outbox import Event
from django_outbox.conf import get_settings
from django_outbox.signals import event_handled

__all__ = ["follow"]


def follow() -> None:
    """From now on write each event that this process handled; does nothing without the variable."""
    file = os.environ.get("EXAMPLE_LIVE_FILE", "")
    if file:
        event_handled.connect(partial(_handled, Path(file)), weak=False, dispatch_uid="example_project.live")


def _handled(file: Path, event: Event, **_: object) -> None:
    # The signal comes inside the consumer's transaction, which may still be rolled back.
    transaction.on_commit(partial(_write, file, event), robust=True)


def _write(file: Path, event: Event) -> None:
    now = datetime.now(UTC)
    line = {
        "type": event.type,
        "key": event.key,
        "payload": event.payload,
        "source": event.source,
        "service": get_settings().service,
        "recorded_at": (event.time or now).isoformat(),
        "handled_at": now.isoformat(),
    }
    with file.open("ab", buffering=0) as live:
        live.write(json.dumps(line).encode() + b"\n")
