"""One start of everything for all tests of this folder; each finds it whole, whatever the last one did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.services import Kafka, Redis
from tests.deploy.tools import require_service
from tests.services import require

from .stack import Databases, Stack

NEEDED = ("rest_framework", "ninja", "django_celery_beat", "whitenoise", "gunicorn")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Both services on the PostgreSQL that is there, and an Apache Kafka and a Redis that may be killed."""
    for package in NEEDED:
        pytest.importorskip(package, reason=f"the example needs {package}: pip install --group example")
    for name in ("kafka", "redis"):
        require(name)
    databases = Databases(require("postgres"))
    folder: Path = tmp_path_factory.mktemp("e2e")
    kafka, redis = Kafka(folder / "kafka"), Redis(folder / "redis")
    for server in (kafka, redis):
        require_service(server)
    with ExitStack() as exits:
        exits.callback(databases.drop)
        databases.create()
        for server in (kafka, redis):
            exits.callback(server.destroy)
            server.start()
        stack = Stack(folder, databases, kafka, redis)
        exits.callback(stack.down)
        stack.up()
        yield stack


@pytest.fixture
def stack(whole: Stack) -> Iterator[Stack]:
    """Everything runs; afterwards what each process said, for the report of a test that failed."""
    whole.mend()
    whole.excerpts()
    yield whole
    print(whole.excerpts())
