"""What the services stand on: a broker and databases, on a laptop or as in production."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from .ports import HOST
from .supervisor import Supervisor
from .terminal import DemoFailed

__all__ = ["Laptop", "RealServers", "Servers"]

START_SECONDS = 60
MANAGE = "example_project/manage.py"


class Servers(Protocol):
    """A broker that can be taken down and up again, and a database for each service."""

    title: tuple[str, str]
    wanted_ports: Mapping[str, int]

    def start(self, supervisor: Supervisor, ports: Mapping[str, int]) -> None: ...

    @property
    def bootstrap(self) -> str: ...

    def database_url(self, service: str) -> str: ...

    def broker_down(self) -> None:
        """Returns when nobody can reach the broker any more; its log stays."""

    def broker_up(self) -> None: ...


class Laptop:
    """The development broker and SQLite: nothing but pip."""

    title = ("development broker", "SQLite")
    wanted_ports: Mapping[str, int] = {"broker": 9092, "broker control": 9093}

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, supervisor: Supervisor, ports: Mapping[str, int]) -> None:
        self._supervisor = supervisor
        self._ports = ports
        self._environment = {
            "DJANGO_SETTINGS_MODULE": "example_project.settings.monolith",
            "EXAMPLE_DATA_DIR": str(self._folder),
        }
        broker = supervisor.start("broker", self._command("serve"), self._environment)
        supervisor.wait(self._answers, START_SECONDS, "the development broker answers", [broker.log])

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self._ports['broker']}"

    def database_url(self, service: str) -> str:
        return f"sqlite:///{self._folder / service}.sqlite3"

    def broker_down(self) -> None:
        self._supervisor.run(("broker down", self._command("down"), self._environment))

    def broker_up(self) -> None:
        self._supervisor.run(("broker up", self._command("up"), self._environment))

    def _command(self, word: str) -> list[str]:
        ports = ["--port", str(self._ports["broker"]), "--control-port", str(self._ports["broker control"])]
        return [MANAGE, "outbox_broker", word, *(ports if word == "serve" else ports[2:])]

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self._ports["broker"])) == 0


class RealServers:
    """Apache Kafka and PostgreSQL, started for this demo alone in its folder."""

    title = ("Apache Kafka, PostgreSQL", "started for this run")
    wanted_ports: Mapping[str, int] = {}

    def __init__(self, folder: Path) -> None:
        try:
            from scripts.services import Kafka, Postgres, ServiceError
        except ModuleNotFoundError as error:
            raise DemoFailed(
                "--services needs a whole checkout, with its folder scripts/services."
            ) from error
        self._error = ServiceError
        self._folder = folder / "servers"
        self._kafka = Kafka(self._folder / "kafka")
        self._postgres = Postgres(self._folder / "postgres")

    def start(self, supervisor: Supervisor, ports: Mapping[str, int]) -> None:
        ready = self._folder / "ready"
        guard = supervisor.start(
            "servers", ["-m", "example_project.demo.guard", str(self._folder)], {}, bare=True
        )
        supervisor.wait(ready.exists, START_SECONDS, "Apache Kafka and PostgreSQL answer", [guard.log])

    @property
    def bootstrap(self) -> str:
        return self._kafka.url()

    def database_url(self, service: str) -> str:
        return self._postgres.url(f"demo_{service}")

    def broker_down(self) -> None:
        with self._explained():
            self._kafka.stop()

    def broker_up(self) -> None:
        with self._explained():
            self._kafka.start()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise DemoFailed(str(error)) from error
