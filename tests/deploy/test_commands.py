"""Every command that the compose file has for our image, run without containers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.services import Kafka, Postgres, Redis
from tests.example.processes import until

from .compose import STAYING, Machine, services
from .tools import require_service

for needed in ("rest_framework", "ninja", "django_celery_beat", "whitenoise", "gunicorn"):
    pytest.importorskip(needed, reason=f"the example needs {needed}: pip install --group example")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


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


# First, so that the laptop's processes do not run beside it.
@pytest.mark.service
def test_every_command_and_health_check_does_its_work_on_real_servers(servers: Machine) -> None:
    """With compose's environment all work and stop in time; health checks tell running from stopped."""
    servers.bring_up()
    until(lambda: servers.well() == set(STAYING), 60, "all are healthy")
    servers.stop()
    # What beat did last is in the database, and still fresh.
    assert servers.well() <= {"monolith-beat", "catalog-beat"}


def test_every_command_does_its_work_on_a_laptop(laptop: Machine) -> None:
    """All services that compose starts came up, carried the sample both ways, and stay up."""
    laptop.all_run()
