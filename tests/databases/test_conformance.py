"""The tests of both wings hold on the production database as they do on SQLite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import require

ROOT = Path(__file__).parents[2]


def passes(url: str, *folders: str) -> None:
    """The tests of ``folders`` pass in a process of their own, on databases of their own."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *folders],
        cwd=ROOT,
        env={**os.environ, "OUTBOX_TEST_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    print(run.stdout.strip().rpartition("\n")[2])
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]


@pytest.mark.slow
@pytest.mark.service
def test_both_wings_hold_on_postgresql(postgres_url: str) -> None:
    """What holds on SQLite holds on the production database, and more: it has row locks."""
    passes(postgres_url, "tests/producer", "tests/consumer", "tests/replicas", "tests/edge")


@pytest.mark.slow
@pytest.mark.service
def test_the_owners_wing_holds_on_mariadb() -> None:
    """Recording, sequences, lanes and the relay; the consumer's wing is not claimed there yet."""
    passes(require("mariadb"), "tests/producer", "tests/edge")
