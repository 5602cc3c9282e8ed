"""Both services of the example as processes, on servers that a test may stop, kill and freeze."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from example_project.demo import ledger
from example_project.demo.ledger import Entry
from example_project.demo.ports import HOST, choose
from example_project.demo.servers import MANAGE
from example_project.demo.supervisor import ROOT, Child
from example_project.demo.web import Site
from scripts.services import Kafka, Redis
from tests.example.processes import until

from . import topic

__all__ = ["SECONDS", "SESSION_SECONDS", "TOKEN_SECONDS", "Databases", "Stack"]

SECONDS = 90  # the longest wait for anything; only a failure takes it
SESSION_SECONDS = 6
TOKEN_SECONDS = 5
SWEEP_SECONDS = 2
SETTINGS = {"monolith": "example_project.settings.monolith", "catalog": "tests.e2e.catalog_settings"}
# What runs between the tests; Celery is started by those that are about it.
STANDARD = [f"{service} {role}" for role in ("web", "relay", "consumer") for service in SETTINGS]
GREETINGS = {"relay": "Publishing the events", "consumer": "Consuming"}
OUTBOX = "SELECT topic, key, sequence, event_id FROM django_outbox_outboxevent WHERE {} ORDER BY id"
HISTORY = "SELECT type, key, sequence, event_id FROM shop_copy_producthistory WHERE {} ORDER BY id"


class Databases:
    """A database for each service on a PostgreSQL server that may have others."""

    def __init__(self, server_url: str) -> None:
        self._server = server_url
        self._names = {service: f"e2e_{service}_{os.getpid()}" for service in SETTINGS}

    def url(self, service: str) -> str:
        return urlsplit(self._server)._replace(path=f"/{self._names[service]}").geturl()

    def create(self) -> None:
        self.drop()
        self._run("CREATE DATABASE {}")

    def drop(self) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as session:
            for name in self._names.values():
                session.execute(statement.format(name).encode())


class Stack:
    """Both services, their databases, and an Apache Kafka and a Redis of their own."""

    def __init__(self, folder: Path, databases: Databases, kafka: Kafka, redis: Redis) -> None:
        self.folder, self.databases, self.kafka, self.redis = folder, databases, kafka, redis
        self.ports = choose(dict.fromkeys(SETTINGS, 0))
        self.monolith, self.catalog = (Site(f"http://{HOST}:{self.ports[name]}") for name in SETTINGS)
        self._children: dict[str, Child] = {}
        self._began: dict[str, int] = {}  # where in its log the last start of a child begins
        self._read: dict[str, int] = {}

    # Its life

    def up(self) -> None:
        """Migrate both, with the sample recorded; then start the standard processes."""
        setups = [self.start(f"{service} setup") for service in SETTINGS]
        until(lambda: all(child.exit_code is not None for child in setups), SECONDS, "both are migrated")
        assert all(child.exit_code == 0 for child in setups), self.excerpts()
        for child in setups:
            del self._children[child.name]
            child.close()
        self.mend()
        for site in (self.monolith, self.catalog):
            until(site.answers, SECONDS, f"{site.url} answers")

    def down(self) -> None:
        for child in self._children.values():
            child.signal_group(signal.SIGKILL)
        for child in self._children.values():
            child.close()

    def mend(self) -> None:
        """Whatever a test did: servers and standard processes run, nobody else does."""
        for server in (self.kafka, self.redis):
            server.send_signal(signal.SIGCONT)
            server.start()
        for name in [name for name in self._children if name not in STANDARD]:
            self.kill(name)
            del self._children[name]
        for name in STANDARD:
            self.resume(name)

    # Its processes

    def start(self, name: str, **environment: str) -> Child:
        """Start a process: a service and its role, and whatever else tells it from others of its kind."""
        child = self._children[name] = self.apart(name, **environment)
        return child

    def apart(self, name: str, **environment: str) -> Child:
        """Start a process that ``mend`` leaves alone; who asks for it ends it."""
        service, role = name.split()[:2]
        log = self.folder / f"{name.replace(' ', '-')}.log"
        child = Child(name, self._command(service, role), self._environment(service) | environment, log)
        self._launch(child)
        return child

    def _launch(self, child: Child) -> None:
        self._began[child.name] = child.log.stat().st_size if child.log.exists() else 0
        child.start()

    def resume(self, name: str) -> None:
        """See that a process runs: start it, start it again, or let a frozen one go on."""
        child = self._children.get(name)
        if child is None:
            self.start(name)
        elif child.exit_code is None:
            child.signal_group(signal.SIGCONT)
        else:
            child.close()
            self._launch(child)

    def kill(self, name: str) -> None:
        """SIGKILL: it has no time for anything."""
        self._children[name].kill()
        self._children[name].close()

    def freeze(self, name: str) -> None:
        """SIGSTOP: it does nothing until it is resumed, and does not know of it."""
        self._children[name].signal_group(signal.SIGSTOP)

    def stop(self, name: str) -> int:
        """SIGTERM once it is up; gives the exit code, or fails after five seconds."""
        child, greeting = self._children[name], GREETINGS[name.split()[1]]
        until(lambda: greeting in self.said(name), SECONDS, f"{name} is up")
        child.terminate()
        until(lambda: child.exit_code is not None, 5, f"{name} ends after SIGTERM")
        code = child.exit_code
        assert code is not None
        return code

    def said(self, name: str) -> str:
        """What it said since its last start."""
        return self._children[name].log.read_bytes()[self._began[name] :].decode(errors="replace")

    def run(self, service: str, script: str) -> subprocess.CompletedProcess[str]:
        """Run Python in a process of a service, as ``manage.py shell`` does."""
        return subprocess.run(
            [sys.executable, MANAGE, "shell", "-v", "0", "-c", script],
            cwd=ROOT,
            env=os.environ | self._environment(service),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def excerpts(self, lines: int = 30) -> str:
        """What each process said since the last time, its last lines."""
        found = []
        for log in sorted(self.folder.glob("*.log")):
            new = log.read_bytes()[self._read.get(log.name, 0) :]
            self._read[log.name] = log.stat().st_size
            tail = new.decode(errors="replace").splitlines()[-lines:]
            found += [f"--- {log.name}", *tail] if tail else []
        return "\n".join(found)

    def _command(self, service: str, role: str) -> list[str]:
        app = f"example_project.{service}"
        celery = f"-m celery -A {app}.celery worker --beat --concurrency 1 --loglevel INFO"
        celery += f" --schedule {self.folder / service}.beat"
        web = f"-m gunicorn --no-control-socket --threads 4 --bind {HOST}:{self.ports[service]} {app}.wsgi"
        commands = {
            "setup": f"{MANAGE} example_setup",
            "web": web,
            "relay": f"{MANAGE} publish_events",
            "consumer": f"{MANAGE} consume_events",
            "publish-once": f"{MANAGE} publish_events --once",
            "consume-once": f"{MANAGE} consume_events --once",
            "celery": celery,
        }
        return commands[role].split()

    def _environment(self, service: str) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": SETTINGS[service],
            "DJANGO_DEBUG": "0",
            "EXAMPLE_DEMO": "1",
            "EXAMPLE_ADMIN_PASSWORD": "pass",
            "EXAMPLE_DATA_DIR": str(self.folder),
            "EXAMPLE_KAFKA_SESSION_TIMEOUT_MS": str(1000 * SESSION_SECONDS),
            "EXAMPLE_RELAY_TOKEN_SECONDS": str(TOKEN_SECONDS),
            "EXAMPLE_MONOLITH_URL": self.monolith.url,
            "EXAMPLE_CATALOG_URL": self.catalog.url,
            "CATALOG_SERVICE_URL": self.catalog.url,
            f"{service.upper()}_DATABASE_URL": self.databases.url(service),
            "CELERY_BROKER_URL": self.redis.url(),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.url(),
            "OUTBOX_SWEEP_SECONDS": str(SWEEP_SECONDS),
            "OUTBOX_WAKE_UP": "1",
        }

    # What its users do

    def create(self, name: str) -> str:
        """Make a product through the monolith's API and give its key."""
        answer = self.monolith.send("POST", "/api/v1/product", {"name": name, "product_category": "Tests"})
        return str(self.monolith.expect(answer, 201).json["product_uuid"])

    def rename(self, key: str, name: str) -> None:
        self.monolith.expect(self.monolith.send("PATCH", f"/api/v1/product/{key}", {"name": name}), 200)

    def delete(self, key: str) -> None:
        self.monolith.expect(self.monolith.send("DELETE", f"/api/v1/product/{key}"), 204)

    def copied_name(self, key: str) -> str | None:
        """The name that the catalog service's API shows; None where it has no such product."""
        answer = self.catalog.get(f"/catalog/api/v1/products/{key}")
        return None if answer.status == 404 else str(self.catalog.expect(answer, 200).json["name"])

    # What is true, read past all our own code

    def recorded(self, keys: Collection[str], more: str = "TRUE") -> list[Entry]:
        """The events of these products in the monolith's outbox; ``more`` is a condition in SQL."""
        where = f"{_one_of(keys)} AND {more}"
        return ledger.entries(ledger.query(self.databases.url("monolith"), OUTBOX.format(where)))

    def sent(self, keys: Collection[str]) -> list[Entry]:
        return self.recorded(keys, "sent")

    def all_sent(self, keys: Collection[str]) -> bool:
        return not self.recorded(keys, "NOT sent")

    def history(self, keys: Collection[str]) -> list[Entry]:
        """The lines of the catalog's history of these products, in the order in which they were written."""
        rows = ledger.query(self.databases.url("catalog"), HISTORY.format(_one_of(keys)))
        return [entry._replace(topic=entry.topic.rpartition(".")[0]) for entry in ledger.entries(rows)]

    def published(self, keys: Collection[str]) -> list[Entry]:
        """The events of these products in the topic."""
        return topic.events(topic.of_key(self.kafka.url(), keys))

    @contextmanager
    def table_locked(self, service: str, table: str) -> Iterator[None]:
        """Nobody writes to the table meanwhile; whoever tries waits."""
        with psycopg.connect(self.databases.url(service)) as session:
            session.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
            yield

    # What has to come true

    def await_published(self, keys: Collection[str]) -> None:
        """Every event of these products gets to the topic: none missing, no key out of order."""
        until(lambda: self.all_sent(keys), SECONDS, f"all events of {len(keys)} products are sent")
        messages = topic.of_key(self.kafka.url(), keys)
        faults = ledger.topic_faults(topic.events(messages), self.recorded(keys))
        assert faults + topic.shape_faults(messages) == []

    def await_handled(self, keys: Collection[str]) -> None:
        """Every event of these products is in the history: once, in order, none missing."""
        count = len(self.recorded(keys))
        until(lambda: len(self.history(keys)) >= count, SECONDS, f"{count} events are handled")
        assert ledger.handled_faults(self.history(keys), self.recorded(keys)) == []


def _one_of(keys: Collection[str]) -> str:
    quoted = ", ".join(f"'{key}'" for key in keys)
    return f"key IN ({quoted})"
