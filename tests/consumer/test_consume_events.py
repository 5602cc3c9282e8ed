"""``manage.py consume_events``: what it says, and how it ends."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from django_outbox import handles
from django_outbox.brokers import get_broker
from django_outbox.brokers.development import DevelopmentBroker
from django_outbox.brokers.kafka import KafkaBroker
from django_outbox.consumer.models import Position
from django_outbox.events import Event
from django_outbox.wire import message_of

from .stream import message, note, notes


@pytest.fixture(autouse=True)
def _keep_signal_handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_no_handlers_is_an_error_that_says_what_to_write() -> None:
    """A service without handlers and copies has nothing to consume."""
    with pytest.raises(CommandError, match=r"@django_outbox.handles\('shop.product.\*'\)"):
        call_command("consume_events")


def test_several_groups_must_be_chosen_from() -> None:
    """Without --group the groups are named; a wrong one is named with the right ones."""
    handles("shop.product.*")(note)
    handles("shop.product.*", group="search")(note)
    with pytest.raises(CommandError, match="groups search, shop; choose one with --group"):
        call_command("consume_events")
    with pytest.raises(CommandError, match="no group 'serch'; groups with handlers are search, shop"):
        call_command("consume_events", group="serch")


@pytest.mark.django_db(transaction=True)
def test_once_consumes_and_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    """One line names group, topics and broker; then the work is done."""
    get_broker.__globals__["_broker"].cache_clear()
    get_broker().publisher().publish([message("A", 1)], 1)
    handles("depot.item.*")(note)
    call_command("consume_events", once=True)
    assert notes() == ["A1"]
    assert capsys.readouterr().out == "Consuming depot.item as group shop from the memory broker.\n"
    get_broker.__globals__["_broker"].cache_clear()


@pytest.mark.django_db(transaction=True)
def test_missing_tables_are_named() -> None:
    """Before migrate there is no traceback, but what to do."""
    handles("depot.item.*")(note)
    table = Position._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(Position, table, "elsewhere")
    try:
        with pytest.raises(CommandError, match=r"no tables of django_outbox; run manage.py migrate first"):
            call_command("consume_events", once=True)
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(Position, "elsewhere", table)


class Service:
    """A service in a folder of its own, with SQLite, whose copies follow ``depot.item``."""

    def __init__(self, folder: Path, servers: str) -> None:
        self.folder = folder
        settings = (
            "from tests.settings import *\n"
            f"DATABASES['default']['NAME'] = {str(folder / 'shop.sqlite3')!r}\n"
            f"DATABASES['default'].update(ENGINE='django.db.backends.sqlite3')\n"
            f"DJANGO_OUTBOX = {{'SERVICE': 'shop', 'KAFKA': {{'bootstrap.servers': {servers!r}}}}}\n"
        )
        folder.joinpath("service_settings.py").write_text(settings)
        root = Path(__file__).parents[2]
        environment = {k: v for k, v in os.environ.items() if k != "OUTBOX_TEST_DATABASE_URL"}
        path = os.pathsep.join([str(folder), str(root)])
        self.environment = {**environment, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "service_settings"}
        self.command = [sys.executable, "-m", "django"]
        subprocess.run(
            [*self.command, "migrate", "-v0", "--run-syncdb"], cwd=folder, env=self.environment, check=True
        )

    @contextmanager
    def start(self) -> Iterator[subprocess.Popen[str]]:
        """The consumer as a process, which never outlives the block."""
        process = subprocess.Popen(
            [*self.command, "consume_events"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        except AssertionError:
            process.kill()
            print(process.communicate()[0])
            raise
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)

    def names(self) -> list[str]:
        with closing(sqlite3.connect(self.folder / "shop.sqlite3")) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM copies_item ORDER BY name")]


def publish(broker: DevelopmentBroker, name: str) -> None:
    key = str(uuid.uuid4())
    event = Event(
        id=key,
        type="depot.item.created",
        topic="depot.item",
        key=key,
        sequence=1,
        epoch=1,
        version=1,
        operation="created",
        payload={"item_uuid": key, "name": name},
        source="/depot",
        time=datetime.now(UTC),
    )
    publisher = KafkaBroker({"bootstrap.servers": broker.bootstrap_servers}).publisher()
    (delivery,) = publisher.publish([message_of(event)], 10)
    publisher.close()
    assert delivery.acknowledged, delivery.error


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_process_stops_within_seconds_on_an_idle_topic(tmp_path: Path) -> None:
    """SIGTERM on an idle topic: the group is left and the exit code is 0 (trap 41)."""
    with DevelopmentBroker(port=0) as broker:
        service = Service(tmp_path, broker.bootstrap_servers)
        publish(broker, "bolt")
        with service.start() as process:
            wait_for(lambda: service.names() == ["bolt"])
            time.sleep(1)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=10)
    assert process.returncode == 0, output
    assert time.monotonic() - began < 3
    assert "Consuming depot.item, depot.shelf, depot.stock as group shop" in output


@pytest.mark.slow
def test_a_lost_development_broker_is_started_over(tmp_path: Path) -> None:
    """A development broker keeps nothing: on a new one the consumer begins at the beginning (trap 59)."""
    with DevelopmentBroker(port=0) as broker:
        service = Service(tmp_path, broker.bootstrap_servers)
        for name in ("bolt", "nut", "screw"):
            publish(broker, name)
        port = int(broker.bootstrap_servers.rpartition(":")[2])
        with service.start() as process:
            wait_for(lambda: len(service.names()) == 3)
            process.terminate()
    with DevelopmentBroker(port=port) as broker:
        publish(broker, "washer")
        with service.start() as process:
            wait_for(lambda: "washer" in service.names())
            process.terminate()
            output, _ = process.communicate(timeout=10)
    assert "starting from the beginning" in output
    assert process.returncode == 0, output
