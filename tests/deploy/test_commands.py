"""Every command that the compose file has for our image, run without containers."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import compress
from pathlib import Path

import pytest

from scripts.services import Kafka, Postgres, Redis
from tests.example.processes import MANAGE, Service, free_ports, until

from .compose import SERVERLESS, Machine, is_once, is_ours, services
from .tools import require_service

for needed in ("rest_framework", "ninja", "django_celery_beat", "whitenoise", "gunicorn"):
    pytest.importorskip(needed, reason=f"the example needs {needed}: pip install --group example")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

OURS = {name: service for name, service in services().items() if is_ours(service)}
SETUPS = ("monolith-setup", "catalog-setup")
IMPORT = "catalog-import"
STAYING = [name for name, service in OURS.items() if not is_once(service)]
UP_SECONDS = 5
# What Docker gives a container between SIGTERM and SIGKILL.
GRACE_SECONDS = 10
# What each role says in its log once it works; for the others the arrival of the sample says so.
SAYS = {"worker": " ready.", "beat": "Sending due task"}


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Machine]:
    """SQLite, the development broker, and Celery without a server."""
    port, control = free_ports(2)
    with Service("monolith", tmp_path) as broker:
        ports = ("--port", str(port), "--control-port", str(control))
        broker.start("broker", MANAGE, "outbox_broker", "serve", *ports)
        until(lambda: _listens(port), 30, "the development broker answers")
        with Machine(tmp_path, {"kafka:9092": f"127.0.0.1:{port}"}, without=SERVERLESS) as machine:
            yield machine


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Machine]:
    """PostgreSQL, Apache Kafka and Redis, as in compose."""
    postgres, redis = Postgres(tmp_path / "postgres"), Redis(tmp_path / "redis")
    kafka = Kafka(tmp_path / "kafka", settings=_broker_settings())
    for server in (postgres, kafka, redis):
        require_service(server)
    with ExitStack() as stack:
        for server in (postgres, kafka, redis):
            stack.callback(server.destroy)
            server.start()
        for name in ("monolith", "catalog"):
            postgres.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
            postgres.sql(f"CREATE DATABASE {name} OWNER {name}")
        addresses = {
            "monolith-db:5432": f"127.0.0.1:{postgres.port}",
            "catalog-db:5432": f"127.0.0.1:{postgres.port}",
            "kafka:9092": kafka.url(),
            "redis:6379": f"127.0.0.1:{redis.port}",
        }
        with Machine(tmp_path, addresses) as machine:
            yield machine


def _broker_settings() -> dict[str, str]:
    """What compose sets for Kafka, as the image translates it, but for addresses and folders."""
    elsewhere = {"listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs", "heap.opts"}
    written = services()["kafka"]["environment"].items()
    settings = {key.removeprefix("KAFKA_").lower().replace("_", "."): value for key, value in written}
    return {key: value for key, value in settings.items() if key not in elsewhere}


def test_every_command_does_its_work_on_a_laptop(laptop: Machine) -> None:
    """All services that compose starts come up, stay up, carry the sample both ways and stop in time."""
    _bring_up(laptop)
    _stop(laptop)


@pytest.mark.service
def test_every_command_and_health_check_does_its_work_on_real_servers(servers: Machine) -> None:
    """With the environment that compose gives them; a health check knows a running one from a stopped one."""
    _bring_up(servers)
    until(lambda: _healthy(servers) == set(STAYING), 60, "all are healthy")
    _stop(servers)
    # What beat did last is in the database, and still fresh.
    assert _healthy(servers) <= {"monolith-beat", "catalog-beat"}


def _bring_up(machine: Machine) -> None:
    """Start everything in the order of compose; returns when all of it has worked for some seconds."""
    assert set(OURS) == {*SETUPS, IMPORT, *STAYING}
    for name in SETUPS:
        machine.start(name)
    for name in SETUPS:
        machine.ended_well(name, 60)
    for name in (*STAYING, IMPORT):
        machine.start(name)
    started = time.monotonic()
    machine.ended_well(IMPORT, 90)
    until(lambda: _entries(machine) > 200, 60, "the entries have arrived in the monolith")
    until(lambda: _silent(machine) == set(), 40, "Celery's processes work")
    time.sleep(max(0.0, started + UP_SECONDS - time.monotonic()))
    ended = [name for name in STAYING if machine.processes[name].poll() is not None]
    assert [machine.said(name)[-2000:] for name in ended] == []


def _stop(machine: Machine) -> None:
    for name in STAYING:
        machine.processes[name].send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    for name in STAYING:
        machine.ended_well(name, deadline - time.monotonic())


def _silent(machine: Machine) -> set[str]:
    """Those that have not yet said that they work."""
    words = {name: SAYS.get(name.partition("-")[2], "") for name in STAYING}
    return {name for name in STAYING if words[name] not in machine.said(name)}


def _healthy(machine: Machine) -> set[str]:
    with ThreadPoolExecutor(4) as pool:
        return set(compress(STAYING, pool.map(machine.healthy, STAYING)))


def _entries(machine: Machine) -> int:
    """How many entries the old API of the monolith has."""
    try:
        with urllib.request.urlopen(f"{machine.url('monolith-web')}/api/v1/catalog", timeout=10) as answer:
            return int(json.load(answer)["count"])
    except OSError:
        return 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
