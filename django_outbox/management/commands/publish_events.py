"""``manage.py publish_events``: the relay."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from django_outbox.brokers import get_broker
from django_outbox.conf import get_settings
from django_outbox.producer.aliases import outbox_aliases
from django_outbox.producer.service import drain_to_the_end, run

BROKER_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Publishes recorded events to the broker, on every database that has an outbox. Runs until it is "
        "stopped; any number of them may run at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="Work until nothing that can be done now is left; exit 0, or 1 and say what was held back.",
        )

    def handle(self, *, once: bool, **_: Any) -> None:
        settings = get_settings()
        if settings.relay == "external":
            raise CommandError("DJANGO_OUTBOX['RELAY'] is 'external': somebody else drains the outbox.")
        try:
            aliases = outbox_aliases()
        except OperationalError as error:
            if once:
                raise CommandError(f"A database does not answer: {error}") from error
            self._say(f"A database does not answer; waiting for it: {error}")
        else:
            if not aliases:
                raise CommandError(
                    "No database has the tables of django_outbox; run manage.py migrate first."
                )
            if once:
                self._once(aliases)
                return
        self._for_ever()

    def _once(self, aliases: list[str]) -> None:
        held_back = [line for alias in aliases for line in drain_to_the_end(alias)]
        if held_back:
            raise CommandError("Held back: " + "; ".join(held_back), returncode=1)
        self.stdout.write("Everything is published.")

    def _for_ever(self) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self._say(f"Publishing the events of {get_settings().service}.")
        if get_broker().cluster_id(BROKER_SECONDS) is None:
            self._say("The broker does not answer; events wait in the outbox until it does.")
        run(stop.is_set, stop.wait)
        self._say("Stopped; all lanes are handed over.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
