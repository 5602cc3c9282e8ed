"""Lanes and tokens: which relay carries which keys, by the database's clock.

A relay holds lanes under its token and renews the token while it lives. Standing relays share
the lanes fairly; a task's short relay takes what is free. The lanes of a dead relay are free.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists

from ..conf import get_settings
from ..databases import now
from ..events import LANES
from .models import Lane, OutboxEvent, Relay

__all__ = ["Lanes", "LostToken"]

RENEW_SECONDS = 1.0


class LostToken(Exception):
    """Another relay may hold our lanes by now: what we know of them is worth nothing."""


class Lanes:
    """The lanes of one relay on one alias. Every method is one short transaction."""

    def __init__(self, using: str, *, standing: bool) -> None:
        self.using = using
        self.standing = standing
        self.token = uuid.uuid4()
        self._known = False
        self._renewed = 0.0

    def renew(self) -> None:
        """Make the token live on, and take or give lanes until the share is fair.

        Cheap when called often: it asks the database once a second at most.
        """
        if self._known and time.monotonic() < self._renewed + RENEW_SECONDS:
            return
        self._renewed = time.monotonic()
        with transaction.atomic(using=self.using):
            alive_until = now(self.using) + timedelta(seconds=get_settings().relay_token_seconds)
            relays = Relay.objects.using(self.using)
            if not relays.filter(token=self.token).update(alive_until=alive_until):
                self.token = uuid.uuid4()  # never the old one: we may have lost it
                name = f"{socket.gethostname()}:{os.getpid()}"
                relays.create(token=self.token, name=name, standing=self.standing, alive_until=alive_until)
        self._known = True
        mine, free, share = self._shares()  # a look without locks: most of the time nothing changes
        if len(mine) > share or (free and len(mine) < share):
            self._share()

    def _share(self) -> None:
        with transaction.atomic(using=self.using):
            lanes = Lane.objects.using(self.using)
            if lanes.count() < LANES:  # made on first use, since tables may be emptied under us
                lanes.bulk_create([Lane(number=number) for number in range(LANES)], ignore_conflicts=True)
            list(lanes.select_for_update().order_by("number"))
            mine, free, share = self._shares()
            lanes.filter(number__in=mine[share:]).update(holder=None)
            lanes.filter(number__in=free[: max(0, share - len(mine))]).update(holder=self.token)

    def _shares(self) -> tuple[list[int], list[int], int]:
        """My lanes, the free ones, and how many should be mine."""
        relays = Relay.objects.using(self.using).filter(alive_until__gt=now(self.using))
        alive = dict(relays.values_list("token", "standing"))
        holders = dict(Lane.objects.using(self.using).values_list("number", "holder"))
        mine = [number for number in range(LANES) if holders.get(number) == self.token]
        free = [number for number in range(LANES) if holders.get(number) not in alive]
        share = -(-LANES // max(1, sum(alive.values()))) if self.standing else LANES
        return mine, free, share

    def release(self) -> None:
        """Let all lanes go, for others to take at once."""
        with transaction.atomic(using=self.using):
            Lane.objects.using(self.using).filter(holder=self.token).update(holder=None)
            Relay.objects.using(self.using).filter(token=self.token).delete()
        self.drop()

    def drop(self) -> None:
        """Forget a token that was lost; its row is swept away when it is long dead."""
        self.token = uuid.uuid4()
        self._known = False

    def mark_sent(self, ids: list[int]) -> None:
        """Mark rows sent. Raises ``LostToken`` when some lie in lanes that are no longer ours."""
        moment = now(self.using)
        alive = Relay.objects.using(self.using).filter(token=self.token, alive_until__gt=moment)
        ours = Lane.objects.using(self.using).filter(holder=self.token).values("number")
        rows = OutboxEvent.objects.using(self.using).filter(Exists(alive), id__in=ids, lane__in=ours)
        if rows.update(sent=True, sent_at=moment) < len(ids):
            raise LostToken

    def assert_alive(self) -> None:
        """Inside a transaction: raises ``LostToken`` unless the token lives until it ends."""
        relays = Relay.objects.using(self.using).select_for_update()
        if not relays.filter(token=self.token, alive_until__gt=now(self.using)).exists():
            raise LostToken
