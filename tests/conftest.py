"""What all tests share: the services that some need, and PostgreSQL wherever it can be had."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.services"]


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server: the one of OUTBOX_TEST_POSTGRES_URL, else the machine's, else PyPI's."""
    from scripts.services import Postgres
    from scripts.services.postgres import programs
    from tests.services import require

    if os.environ.get("OUTBOX_TEST_POSTGRES_URL") or programs() is None:
        yield require("postgres")
        return
    server = Postgres(Path(tmp_path_factory.mktemp("postgres")))
    server.start()
    try:
        yield server.url()
    finally:
        server.destroy()
