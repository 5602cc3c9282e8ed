"""``manage.py consume_events``: one member of a consumer group."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from django_outbox.brokers import get_broker
from django_outbox.conf import get_settings
from django_outbox.consumer.groups import alias_of
from django_outbox.consumer.handlers import registry
from django_outbox.consumer.models import Position
from django_outbox.consumer.worker import ConsumerWorker
from django_outbox.exceptions import BrokerError


class Command(BaseCommand):
    help = "Handles the events that this service's handlers and copies want. Runs until it is stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", help="The consumer group; not needed where the service has only one.")
        parser.add_argument(
            "--once",
            action="store_true",
            help="Go to where the topics end now, then exit: 0, or 1 and what was held back.",
        )

    def handle(self, *, group: str | None, once: bool, **_: Any) -> None:
        group = choose_group(group)
        _refuse_without_tables(alias_of(group))
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            worker = ConsumerWorker(group, get_broker(), say=self._say)
            self._say(f"Consuming {', '.join(worker.topics)} as group {group} from {_broker_name()}.")
            code = worker.run(stop, once)
        except BrokerError as error:
            raise CommandError(str(error)) from error
        if code:
            sys.exit(code)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def choose_group(asked: str | None) -> str:
    """The group that was asked for, or the only one. Raises ``CommandError`` that names what there is."""
    groups = registry.groups()
    if not groups:
        raise CommandError(
            "This service has no handlers and no copies. Write a function in the module 'handlers' of an "
            "installed app and decorate it with @django_outbox.handles('shop.product.*')."
        )
    if asked is not None and asked not in groups:
        raise CommandError(f"There is no group {asked!r}; groups with handlers are {', '.join(groups)}.")
    if asked is None and len(groups) > 1:
        raise CommandError(f"This service has the groups {', '.join(groups)}; choose one with --group.")
    return asked or groups[0]


def _refuse_without_tables(using: str) -> None:
    try:
        tables = connections[using].introspection.table_names()
    except Error:
        return  # the loop waits for a database that is away
    if Position._meta.db_table not in tables:
        raise CommandError(f"Database {using!r} has no tables of django_outbox; run manage.py migrate first.")


def _broker_name() -> str:
    settings = get_settings()
    if settings.broker == "memory":
        return "the memory broker"
    servers = settings.kafka.get("bootstrap.servers") or settings.kafka.get("metadata.broker.list")
    return f"Kafka at {servers}"
